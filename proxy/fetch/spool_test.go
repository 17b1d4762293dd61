package fetch

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// faulty is a spool file whose disk has its limits.
type faulty struct {
	*os.File
	full      *os.File // takes the writes from byte fullAt on: /dev/full
	fullAt    int64
	readError error
	syncError error
	write     func(p []byte, off int64) // called before each write
}

func (f *faulty) WriteAt(p []byte, off int64) (int, error) {
	if f.write != nil {
		f.write(p, off)
	}
	if f.full != nil && off+int64(len(p)) > f.fullAt {
		return f.full.WriteAt(p, off)
	}
	return f.File.WriteAt(p, off)
}

func (f *faulty) ReadAt(p []byte, off int64) (int, error) {
	if f.readError != nil {
		return 0, f.readError
	}
	return f.File.ReadAt(p, off)
}

func (f *faulty) Sync() error { return f.syncError }

// on returns options whose spool is f over a real file.
func (f *faulty) on(t *testing.T) Options {
	opt := options(t)
	opt.create = func(dir string) (file, error) {
		real, err := createSpool(dir)
		if err != nil {
			return nil, err
		}
		f.File = real.(*os.File)
		return f, nil
	}
	return opt
}

func devFull(t *testing.T) *os.File {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatalf("this test needs Linux's /dev/full: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestDiskFull(t *testing.T) {
	b := content(8 << 20)
	src := newOrigin(t, b)
	o := start(t, src.source(), (&faulty{full: devFull(t), fullAt: 1 << 20}).on(t))
	failed(t, o, ErrSpool, syscall.ENOSPC)
	_, err := o.Wait(t.Context())
	if !strings.Contains(err.Error(), o.dir()) {
		t.Errorf("the error does not name the folder %s: %v", o.dir(), err)
	}
}

func TestDiskFullInAFarRead(t *testing.T) {
	b := content(8 << 20)
	release := make(chan struct{})
	defer close(release)
	src := newOrigin(t, b)
	src.faults = []http.HandlerFunc{src.held(1000, release)}
	o := start(t, src.source(), (&faulty{full: devFull(t), fullAt: 1 << 20}).on(t))
	if _, err := o.ReadAt(make([]byte, 10), 7<<20); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ReadAt: %v, want ENOSPC", err)
	}
	failed(t, o, ErrSpool, syscall.ENOSPC)
}

func TestDiskDoesNotReadBack(t *testing.T) {
	src := newOrigin(t, content(1000))
	o := start(t, src.source(), (&faulty{readError: syscall.EIO}).on(t))
	failed(t, o, ErrSpool, syscall.EIO)
}

func TestDiskDoesNotReadBackLater(t *testing.T) {
	b := content(1000)
	src := newOrigin(t, b)
	f := &faulty{}
	o := start(t, src.source(), f.on(t))
	whole(t, o, b)
	f.readError = syscall.EIO
	for range 2 { // sticky
		if _, err := o.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrSpool) || !errors.Is(err, syscall.EIO) {
			t.Errorf("ReadAt: %v, want ErrSpool and EIO", err)
		}
		f.readError = nil
	}
	if _, err := o.Detach(); !errors.Is(err, ErrSpool) {
		t.Errorf("Detach: %v, want ErrSpool", err)
	}
}

func TestDetachFlushes(t *testing.T) {
	b := content(1000)
	src := newOrigin(t, b)
	o := start(t, src.source(), (&faulty{syncError: syscall.EIO}).on(t))
	whole(t, o, b)
	if _, err := o.Detach(); !errors.Is(err, ErrSpool) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Detach: %v, want ErrSpool and EIO", err)
	}
	// Not detached: the cleanup checks that the spool is removed.
}

// TestFirstBytesStay has two parties bring different bytes to one place, the
// second while the first is still writing.
func TestFirstBytesStay(t *testing.T) {
	writing, release := make(chan struct{}), make(chan struct{})
	f := &faulty{write: func(_ []byte, off int64) {
		if off == 50 {
			close(writing) // panics when that place is written again
			<-release
		}
	}}
	real, err := createSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	f.File = real.(*os.File)
	s := spool{file: f, size: 1000, grown: make(chan struct{}, 1)}

	first, second := bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{2}, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.put(t.Context(), 50, first, new([]byte)); err != nil {
			t.Errorf("first put: %v", err)
		}
	})
	<-writing
	if n, err := s.take(make([]byte, 10), 50); n != 0 || err != nil {
		t.Errorf("take while it is being written: %d, %v, want nothing yet", n, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.put(ended, 50, second, new([]byte)); !errors.Is(err, context.Canceled) {
		t.Errorf("put whose context ended: %v, want context.Canceled", err)
	}
	wg.Go(func() {
		if err := s.put(t.Context(), 0, second, new([]byte)); !errors.Is(err, ErrChanged) {
			t.Errorf("second put: %v, want ErrChanged", err)
		}
	})
	// The second has written what was free once it waits for the rest.
	for {
		s.mu.Lock()
		front, changed := s.present.front(), s.wait()
		s.mu.Unlock()
		if front == 50 {
			break
		}
		<-changed
	}
	close(release)
	wg.Wait()
	got := make([]byte, 150)
	if n, err := s.take(got, 0); n != 150 || err != nil {
		t.Fatalf("take: %d, %v", n, err)
	}
	if want := append(bytes.Clone(second[:50]), first...); !bytes.Equal(got, want) {
		t.Errorf("spool holds %v, want %v", got, want)
	}
	if err := s.put(t.Context(), 0, got, new([]byte)); err != nil {
		t.Errorf("put of the same bytes again: %v", err)
	}
}
