-- Times are microseconds since 1970-01-01 UTC, durations nanoseconds, sizes
-- bytes, hashes lower-case hex. Verdicts are spelled as in reports.

-- Content that lies on disk. A row without its file means nothing; a file
-- without its row is never opened.
CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64),
    size   INTEGER NOT NULL CHECK (size >= 0),
    area   TEXT NOT NULL CHECK (area IN ('blobs', 'quarantine')),
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE verdicts (
    sha256       TEXT NOT NULL CHECK (length(sha256) = 64),
    fingerprint  TEXT NOT NULL CHECK (fingerprint <> ''),
    size         INTEGER NOT NULL CHECK (size >= 0),
    verdict      TEXT NOT NULL CHECK (verdict IN ('undetermined', 'clean', 'suspicious', 'malicious')),
    report       TEXT NOT NULL,
    inspected_at INTEGER NOT NULL,
    duration     INTEGER NOT NULL,
    PRIMARY KEY (sha256, fingerprint)
) STRICT;

CREATE TABLE aliases (
    git_sha1 TEXT NOT NULL CHECK (length(git_sha1) = 40),
    size     INTEGER NOT NULL CHECK (size >= 0),
    sha256   TEXT NOT NULL CHECK (length(sha256) = 64),
    PRIMARY KEY (git_sha1, size)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id         TEXT PRIMARY KEY,
    sha256     TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    size       INTEGER NOT NULL CHECK (size >= 0),
    verdict    TEXT NOT NULL CHECK (verdict IN ('undetermined', 'clean', 'suspicious', 'malicious')),
    repo       TEXT NOT NULL,
    revision   TEXT NOT NULL,
    path       TEXT NOT NULL,
    client     TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    report     TEXT NOT NULL
) STRICT;
CREATE INDEX quarantine_last_seen ON quarantine (last_seen);

-- What people decided about quarantined content, never changed afterwards.
-- The newest row of a hash counts.
CREATE TABLE releases (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
    entry   TEXT NOT NULL,
    active  INTEGER NOT NULL CHECK (active IN (0, 1)),
    verdict TEXT NOT NULL CHECK (verdict IN ('undetermined', 'clean', 'suspicious', 'malicious')),
    reason  TEXT NOT NULL CHECK (reason <> ''),
    who     TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX releases_sha256 ON releases (sha256, seq);

CREATE TABLE downloads (
    seq           INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    request_id    TEXT NOT NULL,
    client        TEXT NOT NULL,
    method        TEXT NOT NULL,
    repo          TEXT NOT NULL,
    revision      TEXT NOT NULL,
    path          TEXT NOT NULL,
    sha256        TEXT NOT NULL,
    size          INTEGER NOT NULL,
    verdict       TEXT NOT NULL CHECK (verdict IN ('undetermined', 'clean', 'suspicious', 'malicious')),
    decision      TEXT NOT NULL,
    cache         TEXT NOT NULL,
    bytes_fetched INTEGER NOT NULL,
    bytes_sent    INTEGER NOT NULL,
    verdict_time  INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    error         TEXT NOT NULL
) STRICT;
CREATE INDEX downloads_at ON downloads (at);
CREATE INDEX downloads_repo ON downloads (repo, at);
CREATE INDEX downloads_decision ON downloads (decision, at);
CREATE INDEX downloads_sha256 ON downloads (sha256, at);
