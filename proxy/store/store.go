// Package store is what Modelwall remembers: content by its sha256, and
// records of what was found, decided and sent.
//
// Content lies in plain files of one folder, the data directory:
//
//	modelwall.db              the records, SQLite
//	blobs/ab/<sha256>         content that may be served
//	quarantine/ab/<sha256>    content that is kept for people to look at
//	spool/<process>/          files of one process that are still arriving
//
// A file gets its name in blobs or quarantine by a rename, after it is whole,
// verified and on the disk (fsync), and is opened only if a row says that it is
// there and how long it is. A crash at any time leaves files in a spool, or a
// file without a row, which the next of the same name replaces; never a part
// of a file under the name of the whole. That content lies here does not mean
// it may be sent: the verdict, the policy and the releases decide that on every
// request.
//
// A file in a spool that has a journal beside it (the same name and ".journal")
// outlives its process: the next one that opens the directory finds both in its
// own spool. All else of a dead process is removed then.
//
// Records are in SQLite in write-ahead-log mode (one writer and many readers
// at the same time, https://www.sqlite.org/wal.html) with synchronous=FULL: a
// record that was acknowledged survives a power cut. Several processes work
// on one data directory at the same time: a server, a private proxy around
// one command, the command that manages the quarantine. So what another one
// may change, releases above all, is read anew each time. The directory has
// to be on a local file system, because the write-ahead log is shared memory.
//
// Texts in records come from clients and repositories. They are stored as
// given but bounded and valid UTF-8; whoever shows them escapes them. No
// credential belongs into a record: texts that may quote one (errors,
// reasons, client names) pass through audit.Redact.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Names inside the data directory.
const (
	databaseFile = "modelwall.db"
	lockFile     = "modelwall.lock" // held while a process opens the directory
	spoolFolder  = "spool"
)

// Store is an open data directory. All methods are safe for concurrent use.
type Store struct {
	dir   string
	root  *os.Root
	spool *spool
	db    *database
	later *later
	blobs *Blobs

	closing  sync.Once
	closeErr error
}

// Open opens the data directory dir, and makes what is missing of it: folders
// with mode 0700, files with 0600. What dead processes left in their spools is
// taken over or removed. An error names the path and the way out; see the Err
// variables for its classes. The caller closes the store.
func Open(dir string) (_ *Store, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain("make the data directory", dir, err)
	}
	s := &Store{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, explain("open the data directory", dir, err)
	}
	for _, name := range [...]string{string(areaBlobs), string(areaQuarantine), spoolFolder} {
		if err := makePrivate(s.root, name); err != nil {
			return nil, explain("make a folder", filepath.Join(dir, name), err)
		}
	}

	// One process at a time sets up, so that nobody takes a spool that is
	// just being made for one of a dead process.
	unlock, err := lockOpening(s.root)
	if err != nil {
		return nil, explain("lock the data directory", filepath.Join(dir, lockFile), err)
	}
	defer unlock()
	if s.spool, err = openSpool(s.root, dir); err != nil {
		return nil, explain("make a spool", filepath.Join(dir, spoolFolder), err)
	}
	if s.db, err = openDatabase(s.root, filepath.Join(dir, databaseFile)); err != nil {
		return nil, err
	}
	s.later = &later{db: s.db}
	s.blobs = &Blobs{root: s.root, dir: dir, spool: s.spool.path, db: s.db}
	return s, nil
}

// Close closes the store and removes its spool, but for what a later process
// can go on with. Readers of blobs that are
// still open stay usable. Every call returns what the first one did.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	var errs []error
	if s.later != nil {
		s.later.flush()
	}
	if s.db != nil {
		errs = append(errs, s.db.close())
	}
	if s.spool != nil {
		errs = append(errs, s.spool.close())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	return errors.Join(errs...)
}

// Dir returns the absolute path of the data directory.
func (s *Store) Dir() string { return s.dir }

// Blobs returns the store's content.
func (s *Store) Blobs() *Blobs { return s.blobs }

func makePrivate(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o700); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file", name)
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	return root.Chmod(name, 0o700)
}
