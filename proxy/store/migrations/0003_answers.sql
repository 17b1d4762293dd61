-- What the Hub answered about files, for when it can not be asked. The key is a
-- keyed hash of the question and of who asked; no token can be found from it.
CREATE TABLE answers (
    key    TEXT PRIMARY KEY CHECK (length(key) = 64),
    repo   TEXT NOT NULL,
    status INTEGER NOT NULL,
    header TEXT NOT NULL, -- JSON
    body   BLOB NOT NULL,
    length INTEGER NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX answers_at ON answers (at);

-- Random keys of this data directory.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Where served content was seen on the Hub, for lists and for pins.
CREATE TABLE files (
    repo     TEXT NOT NULL,
    revision TEXT NOT NULL,
    path     TEXT NOT NULL,
    sha256   TEXT NOT NULL CHECK (length(sha256) = 64),
    at       INTEGER NOT NULL, -- the last time, to the day
    PRIMARY KEY (repo, path, revision, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_sha256 ON files (sha256);
