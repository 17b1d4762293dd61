package fetch

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// file is what the spool needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
	Name() string
}

// SpoolPattern matches the names of spool files in Options.Dir. A process that
// was killed leaves them behind; see OpenParts.
const SpoolPattern = "fetch-*.part"

// createSpool makes a spool file in dir (os.TempDir() when empty), readable by
// this user alone. It is made through an os.Root because on Windows only a file
// that was opened so can be renamed while it is open, which Detach allows.
func createSpool(dir string) (file, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	return openFile(dir, strings.Replace(SpoolPattern, "*", rand.Text(), 1), os.O_CREATE|os.O_EXCL)
}

// openSpool opens a spool file that is there.
func openSpool(path string) (file, error) {
	return openFile(filepath.Dir(path), filepath.Base(path), 0)
}

func openFile(dir, name string, flag int) (file, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, spoolError(dir, err)
	}
	defer func() { _ = root.Close() }() // the file stays open
	f, err := root.OpenFile(name, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, spoolError(dir, err)
	}
	return f, nil
}

func spoolError(dir string, err error) error {
	// The path is the caller's own, and already in the text.
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%w in %s: %s: %w", ErrSpool, dir, path.Op, path.Err)
	}
	return fmt.Errorf("%w in %s: %w", ErrSpool, dir, err)
}

// spool is the sparse local file and what is known about it. Several parties
// put bytes into it and many read; its mutex covers the fields and is never
// held during I/O.
type spool struct {
	file file
	max  int64 // limit while size is unknown; 0 for none
	// grown gets a value, if it has room, when hashing has something to do.
	grown chan struct{}
	// users counts whoever may be using file.
	users sync.WaitGroup

	mu      sync.Mutex
	size    int64 // -1 until known
	present spans
	writing []span // disjoint from present and from each other
	told    int64  // the front at the last send to grown
	err     error  // sticky: why there is nothing more to be had
	changed chan struct{}
}

// tellEvery is how far the front moves before the hashing is woken, in bytes.
const tellEvery = 256 << 10

// wait returns a channel that is closed at the next change. Call with mu held.
func (s *spool) wait() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// wake tells whoever waits to look again. Call with mu held.
func (s *spool) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// tell wakes the hashing. Call with mu held.
func (s *spool) tell() {
	s.told = s.present.front()
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

func (s *spool) front() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present.front()
}

// whole reports whether all bytes of a known size are there.
func (s *spool) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size >= 0 && s.present.front() == s.size
}

// put stores p at off. What the spool already has there is compared instead
// and stays as it is; a difference is ErrChanged. The caller must be counted
// in users. scratch is the caller's for reuse.
func (s *spool) put(ctx context.Context, off int64, p []byte, scratch *[]byte) error {
	for len(p) > 0 {
		s.mu.Lock()
		if err := s.fits(off + int64(len(p))); err != nil {
			s.mu.Unlock()
			return err
		}
		held, end := s.present.run(off)
		n := int(min(int64(len(p)), end-off))
		if held {
			s.mu.Unlock()
			if len(*scratch) < n {
				*scratch = make([]byte, len(p))
			}
			if err := s.compare(off, p[:n], (*scratch)[:n]); err != nil {
				return err
			}
			off, p = off+int64(n), p[n:]
			continue
		}
		busy := false
		for _, w := range s.writing {
			if w.off <= off && off < w.end {
				busy = true
			} else if w.off > off {
				n = int(min(int64(n), w.off-off))
			}
		}
		if busy {
			// Another party is writing this very place, to the local disk.
			changed := s.wait()
			s.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		claim := span{off, off + int64(n)}
		s.writing = append(s.writing, claim)
		s.mu.Unlock()
		_, err := s.file.WriteAt(p[:n], off)
		s.settle(claim, err == nil)
		if err != nil {
			return spoolError(s.dir(), err)
		}
		off, p = off+int64(n), p[n:]
	}
	return nil
}

// settle ends a claim on the place c.
func (s *spool) settle(c span, written bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.writing {
		if w == c {
			last := len(s.writing) - 1
			s.writing[i] = s.writing[last]
			s.writing = s.writing[:last]
			break
		}
	}
	if written {
		s.present.add(c)
		if f := s.present.front(); f-s.told >= tellEvery || f == s.size {
			s.tell()
		}
	}
	s.wake()
}

// fits checks that content may reach to end. Call with mu held.
func (s *spool) fits(end int64) error {
	switch {
	case s.err != nil:
		return s.err
	case s.size >= 0 && end > s.size:
		return fmt.Errorf("%w: more than the announced %d bytes", ErrMismatch, s.size)
	case s.size < 0 && s.max > 0 && end > s.max:
		return fmt.Errorf("%w: more than %d bytes of unannounced length", ErrTooLarge, s.max)
	}
	return nil
}

// compare checks that the spool holds p at off.
func (s *spool) compare(off int64, p, scratch []byte) error {
	if err := s.load(scratch, off); err != nil {
		return err
	}
	if !bytes.Equal(p, scratch) {
		return fmt.Errorf("%w: bytes %d-%d came twice and differ", ErrChanged, off, off+int64(len(p))-1)
	}
	return nil
}

// load reads bytes that are present. The caller must be counted in users.
func (s *spool) load(p []byte, off int64) error {
	if n, err := s.file.ReadAt(p, off); n < len(p) {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("file is shorter than what was written to it: %w", io.ErrUnexpectedEOF)
		}
		return spoolError(s.dir(), err)
	}
	return nil
}

// take reads what is present at off, at most len(p) bytes: 0 and no error when
// nothing is there yet, io.EOF at or behind the end.
func (s *spool) take(p []byte, off int64) (int, error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return 0, s.err
	}
	if s.size >= 0 && off >= s.size {
		s.mu.Unlock()
		return 0, io.EOF
	}
	held, end := s.present.run(off)
	if !held {
		s.mu.Unlock()
		return 0, nil
	}
	s.users.Add(1) // before mu is released: the file is closed only after users is empty
	s.mu.Unlock()
	defer s.users.Done()
	n := int(min(int64(len(p)), end-off))
	if err := s.load(p[:n], off); err != nil {
		return 0, err
	}
	return n, nil
}

func (s *spool) dir() string { return filepath.Dir(s.file.Name()) }
