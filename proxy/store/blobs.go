package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// area is one of the two folders that hold whole files.
type area string

const (
	areaBlobs      area = "blobs"
	areaQuarantine area = "quarantine"
)

func (a area) folder(sha256 string) string { return string(a) + "/" + sha256[:2] }
func (a area) file(sha256 string) string   { return a.folder(sha256) + "/" + sha256 }

func (a area) other() area {
	if a == areaBlobs {
		return areaQuarantine
	}
	return areaBlobs
}

// Blobs is content by sha256. Only whole files are ever seen here, and a hash
// is served from one place or kept in the other: its row names the area, and a
// file in the wrong one is as good as absent. All file names are resolved
// inside the data directory, whatever links may lie there.
type Blobs struct {
	root  *os.Root
	dir   string // of root, for messages
	spool string
	db    *database
}

// Blob is open content. It reads exactly Size bytes; a read error before them
// is the disk's. The caller closes it. A blob stays readable when it is
// removed or replaced meanwhile.
type Blob struct {
	*io.SectionReader
	io.Closer
	sha256 string
	stamp  string   // of file
	fresh  *os.File // nil if the hash is to be checked
}

// ReadAtCloser is what a Blob reads from.
type ReadAtCloser interface {
	io.ReaderAt
	io.Closer
}

// NewBlob makes a Blob of content that some other store holds.
func NewBlob(content ReadAtCloser, size int64, sha256 string) *Blob {
	return &Blob{SectionReader: io.NewSectionReader(content, 0, size), Closer: content, sha256: sha256}
}

// SHA256 returns the name of the content.
func (b *Blob) SHA256() string { return b.sha256 }

// Fresh returns the file that the blob reads, at its beginning, if nobody has
// touched it since its hash was last checked and that was no longer than a day
// ago; else nil. The blob still closes it.
func (b *Blob) Fresh() *os.File { return b.fresh }

// freshness is how long an untouched file counts as unchanged: a disk may lose
// bits without anybody touching anything.
const freshness = 24 * time.Hour

// Proven notes that all of b was just read and has its hash.
func (b *Blobs) Proven(ctx context.Context, blob *Blob) error {
	_, err := b.db.exec(ctx, "note a checked hash", "UPDATE blobs SET stamp = ?, proven = ? WHERE sha256 = ?",
		blob.stamp, micros(time.Now()), blob.sha256)
	return err
}

// SpoolDir returns the absolute path of this process's own folder for files
// that are still arriving. It disappears when the store is closed, or when the
// process is dead and another one opens the data directory. Callers put files
// of mode 0600 there (os.CreateTemp) and remove what they do not hand over.
func (b *Blobs) SpoolDir() string { return b.spool }

// Adopt takes over a finished file from the spool as the content sha256. The
// caller has verified the hash and writes to the file no more. After Adopt
// returned nil the content survives a power cut; after an error the file may
// still be at path, and after ErrFull or an I/O error it is not to be trusted.
// Content that is already here is replaced by the same, or left if path is
// gone because an earlier Adopt got that far. Content in quarantine leaves it.
func (b *Blobs) Adopt(ctx context.Context, path, sha256 string) error {
	return b.admit(ctx, path, sha256, areaBlobs)
}

// Quarantine takes over a finished file from the spool, like Adopt, as content
// that is kept but never opened. If the content was served so far, it no
// longer is.
func (b *Blobs) Quarantine(ctx context.Context, path, sha256 string) error {
	return b.admit(ctx, path, sha256, areaQuarantine)
}

func (b *Blobs) admit(ctx context.Context, path, sha256 string, to area) error {
	const op = "store content"
	if err := checkSHA256(sha256); err != nil {
		return err
	}
	rel, err := filepath.Rel(b.spool, path)
	if err != nil || !filepath.IsLocal(rel) || rel == "." || rel == spoolLock {
		return fmt.Errorf("%s: %s is not in the spool %s", op, path, b.spool)
	}
	if rel, err = filepath.Rel(b.dir, path); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	size, err := b.settle(rel)
	if errors.Is(err, fs.ErrNotExist) {
		row, ok, err := b.lookup(ctx, sha256)
		if err != nil || ok && row.area == to && b.exists(to, sha256) {
			return err
		}
		return fmt.Errorf("%s: %s: %w", op, path, ErrNotFound)
	}
	if err != nil {
		return explain(op, path, err)
	}
	return b.place(ctx, rel, sha256, size, to)
}

// settle brings a finished file to the disk and returns its size.
func (b *Blobs) settle(rel string) (int64, error) {
	f, err := b.openRegular(rel, os.O_RDWR)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return info.Size(), nil
}

var errIrregular = errors.New("not a regular file")

// openRegular opens a regular file, never what a symbolic link leads to. A file
// may be replaced by another of the same name between the look and the open,
// so it takes a few looks.
func (b *Blobs) openRegular(name string, flag int) (*os.File, error) {
	for range 10 {
		named, err := b.root.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !named.Mode().IsRegular() {
			return nil, errIrregular
		}
		f, err := b.root.OpenFile(name, flag, 0)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && os.SameFile(named, info) {
			return f, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("replaced again and again")
}

// place moves a settled file to its name in an area. File and row change under
// the database's write lock, so that several processes that move the same
// content do it one after the other. The row is committed last: what a crash
// leaves without it is never opened.
func (b *Blobs) place(ctx context.Context, rel, sha256 string, size int64, to area) error {
	const op = "store content"
	target := to.file(sha256)
	fail := func(err error) error { return explain(op, filepath.Join(b.dir, target), err) }
	err := b.root.Mkdir(to.folder(sha256), 0o700)
	if err == nil {
		err = syncDir(b.root, string(to))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(err)
	}
	return b.db.transact(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		err := b.root.Rename(rel, target)
		if errors.Is(err, fs.ErrNotExist) && b.exists(to, sha256) {
			err = nil // another process was faster
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %s: %w", op, rel, ErrNotFound)
		}
		if err == nil {
			err = syncDir(b.root, to.folder(sha256))
		}
		if err == nil {
			err = b.unlink(to.other(), sha256)
		}
		if err != nil {
			return fail(err)
		}
		info, err := b.root.Lstat(target)
		if err != nil {
			return fail(err)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO blobs (sha256, size, area, at, used, stamp, proven) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?4)
			ON CONFLICT (sha256) DO UPDATE SET size = ?2, area = ?3, at = ?4, used = ?4, stamp = ?5, proven = ?4`,
			sha256, size, string(to), micros(time.Now()), stamp(info))
		return err
	})
}

// Open opens content for reading, or returns ErrNotFound. A file that does not
// have the size it was stored with is removed and counts as absent. That the
// bytes still are what the hash says is for the reader to check.
func (b *Blobs) Open(sha256 string) (*Blob, error) {
	blob, used, err := b.open(sha256, areaBlobs)
	if err == nil {
		b.touch(sha256, used)
	}
	return blob, err
}

// open also returns when the content was last used.
func (b *Blobs) open(sha256 string, from area) (_ *Blob, used int64, err error) {
	const op = "open content"
	if err := checkSHA256(sha256); err != nil {
		return nil, 0, err
	}
	name := from.file(sha256)
	absent := fmt.Errorf("%s: %s: %w", op, name, ErrNotFound)
	row, ok, err := b.lookup(context.Background(), sha256)
	if err != nil {
		return nil, 0, err
	}
	if !ok || row.area != from {
		return nil, 0, absent
	}
	f, err := b.openRegular(name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, absent
	}
	if errors.Is(err, errIrregular) {
		return nil, 0, errors.Join(absent, b.unlink(from, sha256))
	}
	if err != nil {
		return nil, 0, explain(op, filepath.Join(b.dir, name), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(explain(op, filepath.Join(b.dir, name), err), f.Close())
	}
	if info.Size() != row.size {
		return nil, 0, errors.Join(absent, f.Close(), b.unlink(from, sha256))
	}
	blob := NewBlob(f, row.size, sha256)
	blob.stamp = stamp(info)
	if blob.stamp != "" && blob.stamp == row.stamp && micros(time.Now())-row.proven < freshness.Microseconds() {
		blob.fresh = f
	}
	return blob, row.used, nil
}

// Remove deletes content, wherever it lies. It is no error if there is none.
func (b *Blobs) Remove(ctx context.Context, sha256 string) error {
	if err := checkSHA256(sha256); err != nil {
		return err
	}
	const op = "remove content"
	return b.db.transact(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		if err := errors.Join(b.unlink(areaBlobs, sha256), b.unlink(areaQuarantine, sha256)); err != nil {
			return explain(op, filepath.Join(b.dir, areaBlobs.file(sha256)), err)
		}
		return forget(ctx, tx, sha256)
	})
}

// forget removes the rows of content that is gone.
func forget(ctx context.Context, tx *sql.Tx, sha256 string) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM blobs WHERE sha256 = ?", sha256); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM files WHERE sha256 = ?", sha256)
	return err
}

// Verify reads content that can be opened to its end. What is not what its name
// says is removed and ErrNotFound, as is what is not there; the next download
// fetches it again. To verify is no use in the sense of Evict.
func (b *Blobs) Verify(ctx context.Context, sha256 string) error {
	blob, err := b.inspect(ctx, sha256, areaBlobs)
	if errors.Is(err, ErrNotFound) {
		return errors.Join(err, b.Remove(ctx, sha256))
	}
	if err != nil {
		return err
	}
	return b.Proven(ctx, blob)
}

// Release moves content from quarantine to where it can be opened. People may
// have handled it meanwhile, so it is hashed once more; what does not match is
// removed and ErrNotFound.
func (b *Blobs) Release(ctx context.Context, sha256 string) error {
	if err := b.checkHash(ctx, sha256); err != nil {
		return err
	}
	return b.move(ctx, sha256, areaBlobs)
}

// Withdraw is the opposite of Release: content is kept, but opened no more.
func (b *Blobs) Withdraw(ctx context.Context, sha256 string) error {
	return b.move(ctx, sha256, areaQuarantine)
}

func (b *Blobs) move(ctx context.Context, sha256 string, to area) error {
	if err := checkSHA256(sha256); err != nil {
		return err
	}
	row, ok, err := b.lookup(ctx, sha256)
	switch {
	case err != nil:
		return err
	case ok && row.area == to && b.exists(to, sha256):
		return nil
	case !ok || !b.exists(to.other(), sha256):
		return fmt.Errorf("move content to %s: %s: %w", to, sha256, ErrNotFound)
	}
	return b.place(ctx, to.other().file(sha256), sha256, row.size, to)
}

// checkHash reads content in quarantine to its end. Content that is not there
// passes: whether it should be is for the caller to say.
func (b *Blobs) checkHash(ctx context.Context, name string) error {
	_, err := b.inspect(ctx, name, areaQuarantine)
	if errors.Is(err, ErrNotFound) && !errors.Is(err, errOther) {
		return nil
	}
	return err
}

// errOther means that content is not what its name says.
var errOther = errors.New("other content")

// inspect reads content to its end. The blob that it returns is closed. What
// is not what its name says is unlinked, ErrNotFound and errOther.
func (b *Blobs) inspect(ctx context.Context, name string, in area) (*Blob, error) {
	blob, _, err := b.open(name, in)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return blob.Read(p)
	}))
	if err := errors.Join(err, blob.Close()); err != nil {
		return nil, explain("verify content", filepath.Join(b.dir, in.file(name)), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != name {
		return nil, errors.Join(fmt.Errorf("verify content: %s holds %s and is removed: %w: %w", in.file(name), got, errOther, ErrNotFound),
			b.unlink(in, name))
	}
	return blob, nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// row is what the records say of content.
type row struct {
	area area
	size int64
	used int64 // microseconds, as in the table

	stamp  string
	proven int64
}

const selectContent = "SELECT area, size, used, stamp, proven FROM blobs WHERE sha256 = ?"

// lookup returns the row of a hash, if there is one.
func (b *Blobs) lookup(ctx context.Context, sha256 string) (r row, ok bool, err error) {
	err = b.db.content.QueryRowContext(ctx, sha256).
		Scan(&r.area, &r.size, &r.used, &r.stamp, &r.proven)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, false, nil
	}
	return r, err == nil, b.db.explain("look up content", err)
}

func (b *Blobs) exists(in area, sha256 string) bool {
	info, err := b.root.Lstat(in.file(sha256))
	return err == nil && info.Mode().IsRegular()
}

func (b *Blobs) unlink(in area, sha256 string) error {
	if err := b.root.Remove(in.file(sha256)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
