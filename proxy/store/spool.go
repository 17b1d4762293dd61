package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A spool is the folder in which one process collects files that are still
// arriving. As long as the process lives it holds a lock on a file inside.
type spool struct {
	root *os.Root
	name string // inside root
	path string // absolute
	lock *os.File
}

const spoolLock = "lock"

// openSpool removes the spools of dead processes and makes a new one. The
// caller holds the opening lock.
func openSpool(root *os.Root, dir string) (*spool, error) {
	if err := sweepSpools(root); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%d-%s", os.Getpid(), rand.Text()[:10])
	s := &spool{root: root, name: spoolFolder + "/" + id, path: filepath.Join(dir, spoolFolder, id)}
	if err := root.Mkdir(s.name, 0o700); err != nil {
		return nil, err
	}
	var err error
	if s.lock, err = root.OpenFile(s.name+"/"+spoolLock, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, errors.Join(err, root.RemoveAll(s.name))
	}
	locked, err := tryLock(s.lock)
	if err == nil && !locked {
		err = errors.New("the lock of a new spool is taken")
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func sweepSpools(root *os.Root) error {
	d, err := root.Open(spoolFolder)
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	for _, name := range names {
		name = spoolFolder + "/" + name
		alive, err := spoolAlive(root, name)
		if err != nil {
			return err
		}
		if alive {
			continue
		}
		if err := root.RemoveAll(name); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	return nil
}

// spoolAlive reports whether some process holds the spool's lock.
func spoolAlive(root *os.Root, name string) (bool, error) {
	f, err := root.OpenFile(name+"/"+spoolLock, os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, os.ErrPermission), nil // another user's may be alive; no lock, no owner
	}
	locked, err := tryLock(f)
	return !locked, errors.Join(err, f.Close())
}

func (s *spool) close() error {
	var err error
	if s.lock != nil {
		err = s.lock.Close()
	}
	return errors.Join(err, s.root.RemoveAll(s.name))
}

// How long Open waits for another process to finish its own Open.
const (
	openingPatience = 30 * time.Second
	openingPause    = 10 * time.Millisecond
)

// lockOpening makes this the only process that opens the data directory, until
// the returned function is called.
func lockOpening(root *os.Root) (unlock func(), err error) {
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(openingPatience); ; time.Sleep(openingPause) {
		locked, err := tryLock(f)
		switch {
		case err != nil:
			return nil, errors.Join(err, f.Close())
		case locked:
			return func() { _ = f.Close() }, nil
		case time.Now().After(deadline):
			return nil, errors.Join(classified("open", root.Name(), ErrBusy, fmt.Errorf("locked for %v", openingPatience)), f.Close())
		}
	}
}
