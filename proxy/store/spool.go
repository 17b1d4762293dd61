package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// journalSuffix ends the name of a file that describes the one of the same
// name without it: unfinished content that a later process can go on with.
const journalSuffix = ".journal"

// openSpool makes a new spool, and moves there what dead processes have left
// to go on with; the rest of theirs is removed. The caller holds the opening
// lock.
func openSpool(root *os.Root, dir string) (*spool, error) {
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
	if err == nil {
		err = s.inherit()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// inherit takes over the spools of dead processes.
func (s *spool) inherit() error {
	names, err := folder(s.root, spoolFolder)
	if err != nil {
		return err
	}
	for _, name := range names {
		name = spoolFolder + "/" + name
		if name == s.name {
			continue
		}
		alive, err := spoolAlive(s.root, name)
		if err != nil {
			return err
		}
		if alive {
			continue
		}
		if err := s.inheritFrom(name); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
	}
	return nil
}

func (s *spool) inheritFrom(dead string) error {
	left, err := resumable(s.root, dead)
	if err != nil {
		return err
	}
	for _, file := range left {
		if err := s.root.Rename(dead+"/"+file, s.name+"/"+file); err != nil {
			return err
		}
	}
	return s.root.RemoveAll(dead)
}

// resumable returns the files of a spool that somebody can go on with, and
// their journals.
func resumable(root *os.Root, spool string) ([]string, error) {
	names, err := folder(root, spool)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range names {
		if slices.Contains(names, name+journalSuffix) {
			left = append(left, name, name+journalSuffix)
		}
	}
	return left, nil
}

// folder returns the names in a folder; none if it is not one.
func folder(root *os.Root, name string) ([]string, error) {
	info, err := root.Stat(name)
	if err != nil || !info.IsDir() {
		return nil, err
	}
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
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

// close ends the spool. What a later process can go on with stays.
func (s *spool) close() error {
	var errs []error
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	left, err := resumable(s.root, s.name)
	if err != nil || len(left) == 0 {
		return errors.Join(append(errs, s.root.RemoveAll(s.name))...)
	}
	names, err := folder(s.root, s.name)
	errs = append(errs, err)
	for _, name := range names {
		if !slices.Contains(left, name) {
			errs = append(errs, s.root.RemoveAll(s.name+"/"+name))
		}
	}
	return errors.Join(errs...)
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
