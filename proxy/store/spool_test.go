package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpeningWaits: a process that opens the directory waits for another one
// that does, but not for ever.
func TestOpeningWaits(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	synctest.Test(t, func(t *testing.T) {
		unlock, err := lockOpening(root)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := lockOpening(root); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "try again") {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(start); waited < openingPatience || waited > openingPatience+time.Second {
			t.Errorf("waited %v", waited)
		}
		go func() {
			time.Sleep(time.Second)
			unlock()
		}()
		again, err := lockOpening(root)
		if err != nil {
			t.Fatalf("after the other one was ready: %v", err)
		}
		again()
	})
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil {
		t.Error(err)
	}
}
