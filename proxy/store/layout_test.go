package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/proxy/store/storetest"
	"modelwall/scan"
)

// fill puts one of everything into a store.
func fill(t *testing.T, s *store.Store) (content []byte, name string) {
	t.Helper()
	ctx := context.Background()
	content, name = storetest.Content("kept", 5000)
	bad, badName := storetest.Content("bad", 5000)
	_, err := s.PutQuarantine(ctx, store.QuarantineEntry{SHA256: badName})
	err = errors.Join(err,
		s.Blobs().Adopt(ctx, storetest.Spool(t, s.Blobs(), content), name),
		s.Blobs().Quarantine(ctx, storetest.Spool(t, s.Blobs(), bad), badName),
		s.PutVerdict(ctx, storetest.Verdict(name, scan.Clean)),
		s.PutDownload(ctx, audit.Record{RequestID: "r"}))
	if err != nil {
		t.Fatal(err)
	}
	return content, name
}

func TestEverythingIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "data")
	s := mustOpen(t, dir)
	fill(t, s)
	loose := storetest.Spool(t, s.Blobs(), []byte("loose"))
	if err := os.Chmod(loose, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.Blobs().Adopt(t.Context(), loose, storetest.Hash([]byte("loose"))); err != nil {
		t.Fatal(err)
	}
	var seen []string
	check := func() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
			}
			seen = append(seen, filepath.Base(path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check()
	for _, name := range []string{"modelwall.db", "modelwall.db-wal", "modelwall.db-shm", "modelwall.lock", "lock"} {
		if !strings.Contains(strings.Join(seen, " ")+" ", name+" ") {
			t.Errorf("%s is not there: %v", name, seen)
		}
	}
	// Folders that somebody opened up are closed again by the next start.
	for _, name := range []string{"blobs", "quarantine", "spool"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, dir)
	check()
}

// TestOddPaths: a data directory may be called whatever a file system allows,
// also what means something in a SQLite file name.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"with space", "a?mode=memory", "a#b", "100%25", "q'uo\"te", "новый", ":memory:", "file:x", "-wal"} {
		dir := filepath.Join(t.TempDir(), name)
		s := mustOpen(t, dir)
		content, sha := fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "modelwall.db")); err != nil || info.Size() == 0 {
			t.Errorf("%q: no database in it: %v", name, err)
		}
		s = mustOpen(t, dir)
		if got := storetest.Read(t, s.Blobs(), sha); !bytes.Equal(got, content) {
			t.Errorf("%q: %d bytes", name, len(got))
		}
		if _, ok, err := s.Verdict(t.Context(), sha, "pickle/1 zip/2"); !ok || err != nil {
			t.Errorf("%q: verdict %v, %v", name, ok, err)
		}
	}
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	s := mustOpen(t, "data")
	t.Chdir(t.TempDir()) // a store does not depend on where the process is
	content, name := fill(t, s)
	if got := storetest.Read(t, s.Blobs(), name); !bytes.Equal(got, content) || !filepath.IsAbs(s.Dir()) || !filepath.IsAbs(s.Blobs().SpoolDir()) {
		t.Errorf("%d bytes, %s, %s", len(got), s.Dir(), s.Blobs().SpoolDir())
	}
}

func TestSpoolsOfTheDeadAreRemoved(t *testing.T) {
	dir := t.TempDir()
	alive := mustOpen(t, dir)
	kept := storetest.Spool(t, alive.Blobs(), []byte("arriving"))
	spools := filepath.Join(dir, "spool")
	for path, content := range map[string]string{
		"77-dead/lock": "", "77-dead/arriving-1": "half", "77-dead/sub/x": "", // its lock is free
		"78-dead/arriving-2": "half", // killed before it made a lock
		"stray":              "file",
	} {
		path = filepath.Join(spools, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, dir)
	left, err := os.ReadDir(spools)
	if err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("a file of a living process: %v", err)
	}
	for _, s := range []*store.Store{s, alive, s} { // closing twice is fine
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(spools); err != nil || len(left) != 0 {
		t.Errorf("after all have closed: %v, %v", left, err)
	}
}

func blobPath(dir, area, name string) string { return filepath.Join(dir, area, name[:2], name) }

// TestOneCopy: whatever happens to content, it takes its space once.
func TestOneCopy(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	content, name := storetest.Content("x", 5000)
	b := s.Blobs()
	for i, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return b.Adopt(ctx, storetest.Spool(t, b, content), name) }, "blobs"},
		{func() error { return b.Quarantine(ctx, storetest.Spool(t, b, content), name) }, "quarantine"},
		{func() error { return b.Adopt(ctx, storetest.Spool(t, b, content), name) }, "blobs"},
		{func() error { return b.Withdraw(ctx, name) }, "quarantine"},
		{func() error { return b.Release(ctx, name) }, "blobs"},
		{func() error { return b.Remove(ctx, name) }, ""},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		for _, area := range []string{"blobs", "quarantine"} {
			if _, err := os.Stat(blobPath(dir, area, name)); (err == nil) != (area == step.want) {
				t.Errorf("step %d: %s: %v, want the content in %q", i, area, err, step.want)
			}
		}
	}
}

// TestDamagedContentIsAbsent changes stored files behind the store's back.
func TestDamagedContentIsAbsent(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	fill(t, s)
	elsewhere := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(elsewhere, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		damage func(path string) error
	}{
		{"truncated", func(p string) error { return os.Truncate(p, 4999) }},
		{"empty", func(p string) error { return os.Truncate(p, 0) }},
		{"longer", func(p string) error { return os.Truncate(p, 5001) }},
		{"deleted", os.Remove},
		{"a folder", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }},
		{"link to elsewhere", func(p string) error { return errors.Join(os.Remove(p), os.Symlink(elsewhere, p)) }},
		{"link to quarantine", func(p string) error {
			_, bad := storetest.Content("bad", 5000) // of the same size
			return errors.Join(os.Remove(p), os.Symlink("../../quarantine/"+bad[:2]+"/"+bad, p))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			content, name := storetest.Content(tt.name, 5000)
			adopt := func() error { return s.Blobs().Adopt(ctx, storetest.Spool(t, s.Blobs(), content), name) }
			path := blobPath(dir, "blobs", name)
			if err := errors.Join(adopt(), tt.damage(path)); err != nil {
				t.Fatal(err)
			}
			if blob, err := s.Blobs().Open(name); err == nil {
				t.Errorf("opened %d bytes", blob.Size())
				_ = blob.Close()
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the file is still there: %v", err)
			}
			if err := adopt(); err != nil {
				t.Fatal(err)
			}
			if got := storetest.Read(t, s.Blobs(), name); !bytes.Equal(got, content) {
				t.Errorf("%d bytes after it was fetched anew", len(got))
			}
		})
	}

	t.Run("no record", func(t *testing.T) {
		content, name := storetest.Content("planted", 5000)
		path := blobPath(dir, "blobs", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Blobs().Open(name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("record of quarantine", func(t *testing.T) {
		bad, name := storetest.Content("bad", 5000)
		path := blobPath(dir, "blobs", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, bad, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Blobs().Open(name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the spool's own lock", func(t *testing.T) {
		if err := s.Blobs().Adopt(ctx, filepath.Join(s.Blobs().SpoolDir(), "lock"), storetest.Hash(nil)); err == nil {
			t.Error("adopted")
		}
	})
	t.Run("changed in quarantine", func(t *testing.T) {
		content, name := storetest.Content("held", 5000)
		if err := s.Blobs().Quarantine(ctx, storetest.Spool(t, s.Blobs(), content), name); err != nil {
			t.Fatal(err)
		}
		content[17]++
		path := blobPath(dir, "quarantine", name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Blobs().Release(ctx, name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("released: %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	})
}

// TestOnlyWholeContentIsVisible runs random operations while others look at
// the files all the time.
func TestOnlyWholeContentIsVisible(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	done := make(chan struct{})
	var workers, watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			checkVisible(t, dir)
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for w := range 3 {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for range 60 {
				content, name := storetest.Content(fmt.Sprint(random.IntN(5)), 50_000)
				var err error
				switch random.IntN(6) {
				case 0, 1:
					err = s.Blobs().Adopt(ctx, storetest.Spool(t, s.Blobs(), content), name)
				case 2:
					err = s.Blobs().Quarantine(ctx, storetest.Spool(t, s.Blobs(), content), name)
				case 3:
					err = s.Blobs().Release(ctx, name)
				case 4:
					err = s.Blobs().Withdraw(ctx, name)
				case 5:
					err = s.Blobs().Remove(ctx, name)
				}
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("worker %d: %v", w, err)
				}
				if got := storetest.Read(t, s.Blobs(), name); got != nil && !bytes.Equal(got, content) {
					t.Errorf("worker %d: read %d bytes that hash to %s", w, len(got), storetest.Hash(got))
				}
			}
		})
	}
	workers.Wait()
	close(done)
	watcher.Wait()
}

// TestNoTokenOnDisk looks for a token in every byte that a store leaves.
func TestNoTokenOnDisk(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	token := "hf_" + strings.Repeat("aB3dE6gH", 4)
	name := storetest.Hash([]byte("x"))
	s.Audit(func(err error) { t.Error(err) }).Record(ctx, audit.Record{RequestID: token, Client: token, Error: "Authorization: Bearer " + token})
	id, err := s.PutQuarantine(ctx, store.QuarantineEntry{SHA256: name, Client: token})
	if err := errors.Join(err, s.Release(ctx, id, token, token, fixed)); err != nil {
		t.Fatal(err)
	}
	look := func() {
		for _, pattern := range []string{"*", "*/*", "*/*/*"} {
			files, _ := filepath.Glob(filepath.Join(dir, pattern))
			for _, file := range files {
				if content, err := os.ReadFile(file); err == nil && bytes.Contains(content, []byte(token[3:])) {
					t.Errorf("the token is in %s", file)
				}
			}
		}
	}
	look()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look()
}

// TestAuditOutlivesTheRequest: a client that left is in the records, too.
func TestAuditOutlivesTheRequest(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var failures []error
	sink := s.Audit(func(err error) { failures = append(failures, err) })
	sink.Record(ctx, audit.Record{RequestID: "gone", Time: fixed})
	got, err := s.Downloads(context.Background(), store.DownloadQuery{})
	if err != nil || len(got) != 1 || got[0].RequestID != "gone" || len(failures) != 0 {
		t.Errorf("%v, %v, failures %v", got, err, failures)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sink.Record(ctx, audit.Record{})
	if len(failures) != 1 {
		t.Errorf("failures of a closed store: %v", failures)
	}
	s.Audit(nil).Record(ctx, audit.Record{}) // nobody wants to know
}
