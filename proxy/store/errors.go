package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The classes of error of this package. Test with errors.Is. Whatever is of
// none of them is the operating system's, the context's, or a wrong argument.
var (
	// ErrNotFound: no such content or record.
	ErrNotFound = errors.New("not found")
	// ErrAmbiguous: an abbreviated hash fits several records.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrReason: a release or its withdrawal comes without a reason.
	ErrReason = errors.New("a reason is required")
	// ErrConflict: what is to be recorded contradicts what is known.
	ErrConflict = errors.New("contradiction")
	// ErrFull: the disk, or the user's share of it, is full.
	ErrFull = errors.New("no space left")
	// ErrUnwritable: this process may not write to the data directory.
	ErrUnwritable = errors.New("not writable")
	// ErrCorrupt: the records are damaged, or the file holds something else.
	ErrCorrupt = errors.New("damaged")
	// ErrNewer: the records were written by a newer version of Modelwall.
	ErrNewer = errors.New("written by a newer version")
	// ErrBusy: another process keeps the records or the directory locked.
	ErrBusy = errors.New("busy")
)

// errReport is the cause of an ErrCorrupt that SQLite can not see.
var errReport = errors.New("unreadable report")

// wayOut says what a person can do about an error of one of the classes that
// have to do with the machine, "" for the others.
func wayOut(class error) string {
	switch {
	case errors.Is(class, ErrFull):
		return "free some space or move data_dir to a larger disk"
	case errors.Is(class, ErrUnwritable):
		return "check owner and permissions, or set data_dir to a directory that this user may write to"
	case errors.Is(class, ErrCorrupt):
		return "restore it from a backup, or move it away with its -wal and -shm files: verdicts and history start anew then, and files are inspected again"
	case errors.Is(class, ErrNewer):
		return "use that version or a later one, or set data_dir to another directory"
	case errors.Is(class, ErrBusy):
		return "another modelwall process is stuck or very slow: look for it, or try again"
	}
	return ""
}

// explain classifies err and makes it name what was done, where, and the way
// out. What is classified already is passed on.
func explain(op, path string, err error) error {
	if err == nil {
		return nil
	}
	for _, class := range [...]error{ErrNotFound, ErrAmbiguous, ErrConflict, ErrFull, ErrUnwritable, ErrCorrupt, ErrNewer, ErrBusy} {
		if errors.Is(err, class) {
			return err
		}
	}
	class := classOf(err)
	if class == nil {
		return fmt.Errorf("%s: %s: %w", op, path, err)
	}
	return classified(op, path, class, err)
}

func classified(op, path string, class, cause error) error {
	return fmt.Errorf("%s: %s: %w (%w); %s", op, path, class, cause, wayOut(class))
}

func classOf(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	var sq *sqlite.Error
	if errors.As(err, &sq) {
		switch sq.Code() & 0xff { // without what an extended code adds
		case sqlite3.SQLITE_FULL:
			return ErrFull
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
			return ErrUnwritable
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return ErrCorrupt
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
			return ErrBusy
		}
		return nil
	}
	switch {
	case errors.Is(err, errReport):
		return ErrCorrupt
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return ErrUnwritable
	}
	return nil
}

// hexHash reports whether s is a lower-case hex number of n digits. Everything
// that becomes a file name or a key passes through it.
func hexHash(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func checkSHA256(s string) error {
	if !hexHash(s, 64) {
		return fmt.Errorf("%q is not a sha256 in lower-case hex", cut(s, 80))
	}
	return nil
}
