package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"modelwall/proxy/store"
)

func blobs(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	if a.Blobs.SpoolDir() == b.Blobs.SpoolDir() {
		t.Fatal("two processes share a spool")
	}
	for _, size := range []int{0, 1, 100_000} {
		content, name := Content("blob", size)
		_, err := a.Blobs.Open(name)
		wantError(t, "before it is there", err, store.ErrNotFound)
		path := Spool(t, a.Blobs, content)
		must(t, a.Blobs.Adopt(ctx, path, name))
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the spool file is still there: %v", err)
		}
		must(t, a.Blobs.Adopt(ctx, path, name)) // as after a crash right before the answer
		must(t, b.Blobs.Adopt(ctx, Spool(t, b.Blobs, content), name))
		blob, err := b.Blobs.Open(name)
		must(t, err)
		if blob.Size() != int64(size) || blob.SHA256() != name {
			t.Errorf("size %d, name %s", blob.Size(), blob.SHA256())
		}
		got, err := io.ReadAll(blob)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d of %d bytes, %v", len(got), size, err)
		}
		// An open blob outlives its removal, in whatever process.
		must(t, a.Blobs.Remove(ctx, name))
		_, err = b.Blobs.Open(name)
		wantError(t, "after it is gone", err, store.ErrNotFound)
		if _, err := blob.Seek(int64(size)/2, io.SeekStart); err != nil {
			t.Error(err)
		}
		rest, err := io.ReadAll(blob)
		if err != nil || !bytes.Equal(rest, content[size/2:]) {
			t.Errorf("second half: %d bytes, %v", len(rest), err)
		}
		tail := make([]byte, 10)
		n, err := blob.ReadAt(tail, int64(max(0, size-4)))
		if !errors.Is(err, io.EOF) || !bytes.Equal(tail[:n], content[max(0, size-4):]) {
			t.Errorf("tail: %d bytes, %v", n, err)
		}
		must(t, blob.Close())
		must(t, a.Blobs.Remove(ctx, name))
	}
	content, name := Content("stays", 5000)
	must(t, a.Blobs.Adopt(ctx, Spool(t, a.Blobs, content), name))
	must(t, a.Close())
	must(t, b.Close())
	if got := Read(t, open().Blobs, name); !bytes.Equal(got, content) {
		t.Errorf("after all have closed: %d bytes", len(got))
	}
}

func blobsRefused(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	content, name := Content("x", 100)
	for _, bad := range []string{"", "x", name[1:], name + "0", "A" + name[1:], "g" + name[1:], "../" + name[3:], name[:63] + "/", "a/" + name[2:]} {
		path := Spool(t, a.Blobs, content)
		if a.Blobs.Adopt(ctx, path, bad) == nil || a.Blobs.Quarantine(ctx, path, bad) == nil || a.Blobs.Remove(ctx, bad) == nil ||
			a.Blobs.Release(ctx, bad) == nil || a.Blobs.Withdraw(ctx, bad) == nil {
			t.Errorf("%q passes for a hash", bad)
		}
		if blob, err := a.Blobs.Open(bad); err == nil {
			t.Errorf("%q can be opened", bad)
			_ = blob.Close()
		}
	}
	outside := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(outside, content, 0o600))
	link := filepath.Join(a.Blobs.SpoolDir(), "link")
	must(t, os.Symlink(outside, link))
	folder := filepath.Join(a.Blobs.SpoolDir(), "folder")
	must(t, os.Mkdir(folder, 0o700))
	for what, path := range map[string]string{
		"a file elsewhere":        outside,
		"a file elsewhere, by ..": a.Blobs.SpoolDir() + "/../../../" + filepath.Base(filepath.Dir(outside)) + "/file",
		"another process's file":  Spool(t, b.Blobs, content),
		"a symbolic link":         link,
		"a folder":                folder,
		"the spool":               a.Blobs.SpoolDir(),
		"nothing":                 filepath.Join(a.Blobs.SpoolDir(), "absent"),
		"a relative path":         "file",
	} {
		if err := a.Blobs.Adopt(ctx, path, name); err == nil {
			t.Errorf("%s was adopted", what)
		}
	}
	if Read(t, a.Blobs, name) != nil {
		t.Error("something was adopted")
	}
}

func blobsQuarantine(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	content, name := Content("bad", 70_000)
	closed := func(what string) {
		t.Helper()
		for _, s := range []Store{a, b} {
			_, err := s.Blobs.Open(name)
			wantError(t, what, err, store.ErrNotFound)
		}
	}
	opens := func(what string) {
		t.Helper()
		for _, s := range []Store{a, b} {
			if got := Read(t, s.Blobs, name); !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes", what, len(got))
			}
		}
	}
	path := Spool(t, a.Blobs, content)
	must(t, a.Blobs.Quarantine(ctx, path, name))
	must(t, a.Blobs.Quarantine(ctx, path, name)) // again, the file is gone
	closed("in quarantine")
	wantError(t, "adopt what is gone and in quarantine", a.Blobs.Adopt(ctx, path, name), store.ErrNotFound)
	must(t, b.Blobs.Release(ctx, name))
	must(t, b.Blobs.Release(ctx, name))
	opens("released")
	must(t, a.Blobs.Withdraw(ctx, name))
	must(t, a.Blobs.Withdraw(ctx, name))
	closed("withdrawn")
	must(t, a.Blobs.Adopt(ctx, Spool(t, a.Blobs, content), name))
	opens("adopted")
	must(t, b.Blobs.Quarantine(ctx, Spool(t, b.Blobs, content), name))
	closed("in quarantine after it was served")
	must(t, b.Blobs.Remove(ctx, name))
	must(t, b.Blobs.Remove(ctx, name))
	wantError(t, "release what is gone", a.Blobs.Release(ctx, name), store.ErrNotFound)
	wantError(t, "withdraw what is gone", a.Blobs.Withdraw(ctx, name), store.ErrNotFound)
	closed("removed")
}
