package hdf5

import (
	"context"
	"errors"

	"modelwall/scan"
)

// superblock is what the walk needs of it.
type superblock struct {
	root      uint64 // address of the root group's object header
	extension uint64 // of the superblock extension
	end       uint64 // of the file
}

// superblock reads the one at a file offset and sets what addresses are.
func (r *reader) superblock(at int64) (superblock, error) {
	n := min(r.f.Size-at, 160)
	b, err := r.at(at, n)
	if err != nil {
		return superblock{}, err
	}
	c := r.cursor(b, at)
	c.skip(len(signature))
	version := c.u8()
	sb := superblock{extension: undefined}
	var base uint64
	switch version {
	case 0, 1:
		c.skip(4)
		r.addr, r.len = c.u8(), c.u8()
		c.skip(1 + 2 + 2 + 4)
		if version == 1 {
			c.skip(4)
		}
		c.addr, c.len = r.addr, r.len
		base = c.address()
		c.skip(r.addr)
		sb.end = c.address()
		c.skip(r.addr)
		c.skip(r.addr) // of the root entry's name
		sb.root = c.address()
	case 2, 3:
		r.addr, r.len = c.u8(), c.u8()
		c.skip(1)
		c.addr, c.len = r.addr, r.len
		base = c.address()
		sb.extension = c.address()
		sb.end = c.address()
		sb.root = c.address()
	default:
		return sb, scan.Malformed(at, "superblock version %d", version)
	}
	if !fieldSize(r.addr) || !fieldSize(r.len) {
		return sb, scan.Malformed(at, "addresses of %d and lengths of %d bytes", r.addr, r.len)
	}
	// The library goes by where it found the superblock, should a user block
	// have been put in front later.
	r.base = at
	if sb.end != undefined {
		sb.end += uint64(at) - base
	}
	return sb, c.err("the superblock")
}

func fieldSize(n int) bool { return n == 2 || n == 4 || n == 8 || n == 16 }

// run walks everything that can be reached from the superblock at a file
// offset. Damage is kept in w.problem; the error ends the scan.
func (w *walk) run(ctx context.Context, at int64) error {
	sb, err := w.r.superblock(at)
	if err != nil {
		return w.damage(err)
	}
	if sb.end != undefined && sb.end > uint64(w.r.f.Size) { // counted from the first byte, not from base
		if err := w.damage(scan.Malformed(w.r.f.Size, "the file ends before its end address %#x", sb.end)); err != nil {
			return err
		}
	}
	if sb.extension != undefined {
		if err := w.damage(w.sharedTable(sb.extension)); err != nil {
			return err
		}
	}
	w.push(object{addr: sb.root})
	for len(w.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		if err := w.damage(w.object(ctx, o)); err != nil {
			return err
		}
	}
	return nil
}

// damage keeps the first error that is the file's own fault, after which the
// walk goes on. What comes back ends the walk.
func (w *walk) damage(err error) error {
	if err == nil || !errors.Is(err, scan.ErrMalformed) {
		return err
	}
	if w.problem == nil {
		w.problem = err
		w.finding("hdf5.broken", scan.Low, "broken-file", place(err), "the structure is damaged: "+err.Error())
	}
	return nil
}

func place(err error) int64 {
	var e *scan.Error
	if errors.As(err, &e) {
		return e.Offset
	}
	return 0
}
