package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"modelwall/scan"
)

// blank returns a database without a schema.
func blank(t *testing.T) *database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	write, err := connect(path, 1, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	d := &database{path: path, write: write}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func schema(t *testing.T, d *database) (version int, tables string) {
	t.Helper()
	err := d.write.QueryRow("SELECT user_version, (SELECT coalesce(group_concat(name, ' ' ORDER BY name), '') FROM sqlite_schema WHERE type = 'table') FROM pragma_user_version").Scan(&version, &tables)
	if err != nil {
		t.Fatal(err)
	}
	return version, tables
}

func TestMigrate(t *testing.T) {
	ctx := context.Background()
	one := "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);"
	two := "CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b SELECT x + 1 FROM a;"
	three := "CREATE TABLE c (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"
	d := blank(t)
	steps := []struct {
		name    string
		steps   []string
		fails   bool
		version int
		tables  string
	}{
		{"from nothing", []string{one}, false, 1, "a"},
		{"again", []string{one}, false, 1, "a"},
		{"two at once, the second fails as a whole", []string{one, two, three}, true, 2, "a b"},
		{"mended", []string{one, two, "CREATE TABLE d (x) "}, false, 3, "a b d"},
		{"older program", []string{one, two}, true, 3, "a b d"},
		{"not a statement is run twice", []string{"bad", "bad", "bad"}, false, 3, "a b d"},
	}
	for _, tt := range steps {
		err := d.migrate(ctx, tt.steps)
		if (err != nil) != tt.fails {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if version, tables := schema(t, d); version != tt.version || tables != tt.tables {
			t.Errorf("%s: version %d with tables %q, want %d with %q", tt.name, version, tables, tt.version, tt.tables)
		}
	}
	if err := d.step(ctx, 0, one); err != nil { // two processes, this one came second
		t.Errorf("a step that was made already: %v", err)
	}
	var x int
	if err := d.write.QueryRow("SELECT x FROM b").Scan(&x); err != nil || x != 2 {
		t.Errorf("moved %d, %v", x, err)
	}
}

func TestLoadMigrations(t *testing.T) {
	steps, err := loadMigrations(migrationFiles)
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	for _, names := range [][]string{{"0002_a.sql"}, {"0001_a.sql", "0003_b.sql"}, {"0001_a.sql", "0001_b.sql"}, {"first.sql"}} {
		files := fstest.MapFS{}
		for _, n := range names {
			files["migrations/"+n] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		if _, err := loadMigrations(files); err == nil {
			t.Errorf("%v: accepted", names)
		}
	}
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSettings: what the package promises of its database is how it is set.
func TestSettings(t *testing.T) {
	// An empty file is version 0, as a crash right after its creation leaves it.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, databaseFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	for _, pragma := range []struct{ name, want string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"busy_timeout", "10000"}, {"foreign_keys", "1"}, {"trusted_schema", "0"},
	} {
		for _, db := range []interface{ pragma(string) (string, error) }{pool{s.db.write}, pool{s.db.read}} {
			if got, err := db.pragma(pragma.name); got != pragma.want || err != nil {
				t.Errorf("%s is %q, %v; want %q", pragma.name, got, err, pragma.want)
			}
		}
	}
	if _, err := s.db.read.Exec("DELETE FROM downloads"); err == nil {
		t.Error("a reader can write")
	}
	if n := s.db.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d writers", n)
	}
	if n := s.db.read.Stats().MaxOpenConnections; n != readers {
		t.Errorf("%d readers", n)
	}
	var loose string
	err := s.db.read.QueryRow("SELECT coalesce(group_concat(name), '') FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%'").Scan(&loose)
	if err != nil || loose != "" {
		t.Errorf("tables that are not STRICT: %q, %v", loose, err)
	}
	version, _ := schema(t, s.db)
	steps, err := loadMigrations(migrationFiles)
	if err != nil || version != len(steps) {
		t.Errorf("version %d of %d, %v", version, len(steps), err)
	}
	// Every index is there for a query: the one on each request's way and the
	// ones on tables that only grow use one.
	for _, query := range []string{
		selectVerdict,
		"SELECT 1 FROM blobs WHERE sha256 = ?",
		"SELECT 1 FROM aliases WHERE git_sha1 = ? AND size = ?",
		"SELECT 1 FROM releases WHERE sha256 = ? ORDER BY seq DESC LIMIT 1",
		"SELECT 1 FROM quarantine WHERE sha256 >= ? AND sha256 < ?",
		"SELECT 1 FROM downloads WHERE repo = ? AND at >= ? ORDER BY at DESC, seq DESC",
		"SELECT 1 FROM downloads WHERE sha256 = ? ORDER BY at DESC, seq DESC",
		"SELECT 1 FROM downloads ORDER BY at DESC, seq DESC",
	} {
		var id, parent, unused int
		var detail string
		if err := s.db.read.QueryRow("EXPLAIN QUERY PLAN "+query, "", "").Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if !strings.Contains(detail, "USING") || !strings.Contains(detail, "INDEX") && !strings.Contains(detail, "PRIMARY KEY") {
			t.Errorf("%s: %s", query, detail)
		}
	}
}

// TestFullDisk lets the database run into a limit of its size.
func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir)
	var pages int
	if err := s.db.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if err := s.db.write.QueryRow("PRAGMA max_page_count = 1").Scan(&pages); err != nil { // the least is what it has
		t.Fatal(err)
	}
	hash := strings.Repeat("ab", 32)
	r := VerdictRecord{SHA256: hash, Fingerprint: "f", Verdict: scan.Clean, Report: scan.Report{Verdict: scan.Clean, Error: strings.Repeat("x", 1<<20)}}
	err := s.PutVerdict(ctx, r)
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), filepath.Join(dir, databaseFile)) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("error %v", err)
	}
	if _, ok, err := s.Verdict(ctx, hash, "f"); ok || err != nil {
		t.Errorf("verdict %v, %v", ok, err)
	}
	if err := s.db.write.QueryRow("PRAGMA max_page_count = 100000").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVerdict(ctx, r); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		cause error
		class error
		says  string
	}{
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ErrFull, "larger disk"},
		{syscall.EDQUOT, ErrFull, "larger disk"},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EACCES}, ErrUnwritable, "permissions"},
		{syscall.EPERM, ErrUnwritable, "permissions"},
		{syscall.EROFS, ErrUnwritable, "permissions"},
		{syscall.EIO, nil, "input/output error"},
		{context.Canceled, nil, "canceled"},
	}
	for _, tt := range tests {
		err := explain("store content", "/data/x", tt.cause)
		if !errors.Is(err, tt.cause) || tt.class != nil && !errors.Is(err, tt.class) {
			t.Errorf("%v: class or cause is lost: %v", tt.cause, err)
		}
		if tt.class == nil && (errors.Is(err, ErrFull) || errors.Is(err, ErrUnwritable)) {
			t.Errorf("%v: wrong class: %v", tt.cause, err)
		}
		for _, part := range []string{"store content", "/data/x", tt.says} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
		if again := explain("other", "/other", err); tt.class != nil && again.Error() != err.Error() {
			t.Errorf("explained twice: %v", again)
		}
	}
	if explain("x", "y", nil) != nil {
		t.Error("an error out of nothing")
	}
}

// TestBusy: whoever waits for a writer that does not come to an end gets an
// error that says so.
func TestBusy(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	tx, err := a.db.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.write.Exec("PRAGMA busy_timeout=1"); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := b.PruneDownloads(ctx, time.Now()); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
	if _, _, err := b.Released(ctx, "x"); err != nil {
		t.Errorf("a reader has to wait: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PruneDownloads(ctx, time.Now()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

type pool struct {
	db interface {
		querier
	}
}

func (p pool) pragma(name string) (value string, err error) {
	err = p.db.QueryRowContext(context.Background(), "SELECT * FROM pragma_"+name).Scan(&value)
	return value, err
}
