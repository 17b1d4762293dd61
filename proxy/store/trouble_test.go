package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver, to make databases behind the store's back

	"modelwall/proxy/store"
	"modelwall/proxy/store/storetest"
	"modelwall/scan"
)

var fixed = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rawDB runs statements on a database file.
func rawDB(path string, statements string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.Exec(statements)
	return errors.Join(err, db.Close())
}

// TestOpenTrouble: what can not be opened says what, where and the way out,
// and is left as it was.
func TestOpenTrouble(t *testing.T) {
	database := func(dir string) string { return filepath.Join(dir, "modelwall.db") }
	tests := []struct {
		name    string
		prepare func(dir string) error
		class   error
		says    []string
	}{
		{"the directory is a file", func(dir string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		}, store.ErrUnwritable, []string{"data directory", "not a directory", "permissions", "data_dir"}},
		{"a folder is a file", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "quarantine"), nil, 0o600)
		}, nil, []string{"quarantine is a file"}},
		{"garbage", func(dir string) error {
			return os.WriteFile(database(dir), []byte(strings.Repeat("no database ", 1000)), 0o600)
		}, store.ErrCorrupt, []string{"modelwall.db", "not a database", "backup", "inspected again"}},
		{"another program's", func(dir string) error {
			return rawDB(database(dir), "CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')")
		}, store.ErrCorrupt, []string{"modelwall.db", "another program", "move it away"}},
		{"another program's version", func(dir string) error {
			return rawDB(database(dir), "PRAGMA application_id=7; PRAGMA user_version=1")
		}, store.ErrCorrupt, []string{"another program"}},
		{"newer", func(dir string) error {
			return rawDB(database(dir), "PRAGMA application_id=1297572204; PRAGMA user_version=999; CREATE TABLE later (x)")
		}, store.ErrNewer, []string{"modelwall.db", "version 999", "use that version or a later one"}},
		{"the database is a folder", func(dir string) error {
			return os.Mkdir(database(dir), 0o700)
		}, nil, []string{"modelwall.db", "is a directory"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := errors.Join(os.Mkdir(dir, 0o700), tt.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(database(dir))
			s, err := store.Open(dir)
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), s.Close()))
			}
			if tt.class != nil && !errors.Is(err, tt.class) {
				t.Errorf("error %v is not of class %q", err, tt.class)
			}
			for _, part := range append(tt.says, dir) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("several errors: %q", err)
			}
			if after, _ := os.ReadFile(database(dir)); string(after) != string(before) {
				t.Error("the database was changed")
			}
			if spools, _ := filepath.Glob(filepath.Join(dir, "spool", "*")); len(spools) != 0 {
				t.Errorf("spools are left: %v", spools)
			}
		})
	}
}

// TestAfterDamage follows the advice of ErrCorrupt.
func TestAfterDamage(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	content, name := fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "modelwall.db"), filepath.Join(dir, "old.db")); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if got := storetest.Read(t, s.Blobs(), name); got != nil {
		t.Error("content without a record can be opened")
	}
	if _, ok, err := s.Verdict(t.Context(), name, "pickle/1 zip/2"); ok || err != nil {
		t.Errorf("verdict %v, %v", ok, err)
	}
	if err := s.Blobs().Adopt(t.Context(), storetest.Spool(t, s.Blobs(), content), name); err != nil {
		t.Fatal(err)
	}
	if storetest.Hash(storetest.Read(t, s.Blobs(), name)) != name {
		t.Error("content is still not there")
	}
}

// TestTamperedReport: a report that contradicts its verdict is no verdict.
func TestTamperedReport(t *testing.T) {
	for _, change := range []string{
		"UPDATE verdicts SET verdict = 'clean'",
		"UPDATE verdicts SET report = '{\"verdict\":\"clean\"}'",
		"UPDATE verdicts SET report = '{'",
		"UPDATE verdicts SET report = ''",
	} {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		name := storetest.Hash([]byte("x"))
		err := errors.Join(s.PutVerdict(t.Context(), storetest.Verdict(name, scan.Malicious)),
			rawDB(filepath.Join(dir, "modelwall.db"), change))
		if err != nil {
			t.Fatal(err)
		}
		r, ok, err := s.Verdict(t.Context(), name, "pickle/1 zip/2")
		if ok || !errors.Is(err, store.ErrCorrupt) || r.Verdict != scan.Undetermined || !strings.Contains(fmt.Sprint(err), dir) {
			t.Errorf("after %s: %v, %v, %v", change, r.Verdict, ok, err)
		}
	}
}

// TestUnwritableFolder: content that can not get its name is not there, and
// the file stays with the caller.
func TestUnwritableFolder(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	content, name := storetest.Content("x", 100)
	blocker := filepath.Join(dir, "blobs", name[:2])
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := storetest.Spool(t, s.Blobs(), content)
	err := s.Blobs().Adopt(ctx, path, name)
	if !errors.Is(err, store.ErrUnwritable) || !strings.Contains(err.Error(), blocker) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Blobs().Open(name); err == nil {
		t.Error("it can be opened")
	}
	if err := errors.Join(os.Remove(blocker), s.Blobs().Adopt(ctx, path, name)); err != nil {
		t.Errorf("once the folder can be made: %v", err)
	}
	if storetest.Hash(storetest.Read(t, s.Blobs(), name)) != name {
		t.Error("the content is not there")
	}
}
