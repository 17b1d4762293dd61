package gitpack

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // git's object ids are SHA-1; nothing is trusted because of them
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

type id [sha1.Size]byte

// kind is an object's type as the pack numbers it.
type kind uint8

const (
	commit   kind = 1
	tree     kind = 2
	blob     kind = 3
	tag      kind = 4
	ofsDelta kind = 6
	refDelta kind = 7
)

var kindNames = map[kind]string{commit: "commit", tree: "tree", blob: "blob", tag: "tag"}

// object is one entry of the pack.
type object struct {
	kind kind
	off  int64 // of its header in the pack
	data int64 // of its zlib stream in the pack
	size int64 // as its header says, of the inflated data
	id   id    // of a whole object
}

// walk is the state of one Scan.
type walk struct {
	pack    *view
	sink    scan.Sink
	objects []object
	// Deltas by what they are made against.
	byOffset map[int64]int32 // first child of the object at an offset
	byID     map[id]int32    // first child of the object with an id
	sibling  []int32         // next child of the same base, per object; -1 ends
	resolved int             // deltas that were applied
	deltas   int
	names    map[id]string // of blobs, from the trees
	left     int64         // bytes that may still come out of the pack
	inflater inflater
}

// inflater inflates one object after another; a pack has many small ones.
type inflater struct {
	in *bufio.Reader
	z  io.ReadCloser
}

// open goes to the zlib stream in r.
func (i *inflater) open(r flate.Reader) (io.Reader, error) {
	if i.z != nil {
		return i.z, i.z.(zlib.Resetter).Reset(r, nil)
	}
	z, err := zlib.NewReader(r)
	if err == nil {
		i.z = z
	}
	return z, err
}

// section goes to the zlib stream in a part of a file.
func (i *inflater) section(r io.Reader) (io.Reader, error) {
	if i.in == nil {
		i.in = bufio.NewReader(nil)
	}
	i.in.Reset(r)
	return i.open(i.in)
}

// spend counts n bytes that came out of the object at off.
func (w *walk) spend(n, off int64) error {
	if w.left -= n; w.left < 0 {
		return scan.Limit(w.pack.position(off), "the objects take more than %d times the size of the pack", maxExpansion)
	}
	return nil
}

// reader reads the pack from front to back and knows where it is.
type reader struct {
	*bufio.Reader
	at int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.at += int64(n)
	return n, err
}

// ReadByte lets flate read not a byte more than a stream has.
func (r *reader) ReadByte() (byte, error) {
	b, err := r.Reader.ReadByte()
	if err == nil {
		r.at++
	}
	return b, err
}

// index reads the whole pack once and notes what is where. The error says
// where that ended early; what was noted before stays valid.
func (w *walk) index(ctx context.Context) error {
	r := &reader{Reader: bufio.NewReaderSize(io.NewSectionReader(w.pack, 0, w.pack.size), 64<<10)}
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return w.damage(r.at, err, "pack header")
	}
	if v := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || v != 2 && v != 3 {
		return w.malformed(0, "not a pack of version 2 or 3")
	}
	count := binary.BigEndian.Uint32(head[8:])
	if count > maxObjects {
		return scan.Limit(w.pack.position(8), "%d objects", count)
	}
	for range count {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.indexObject(r); err != nil {
			return err
		}
	}
	if left := w.pack.size - r.at; left != sha1.Size {
		return w.malformed(r.at, "%d bytes after the last object, want a hash of %d", left, sha1.Size)
	}
	return nil
}

func (w *walk) indexObject(r *reader) error {
	o := object{off: r.at}
	c, err := r.ReadByte()
	if err != nil {
		return w.damage(r.at, err, "object header")
	}
	o.kind, o.size = kind(c>>4&7), int64(c&15)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c, err = r.ReadByte(); err != nil {
			return w.damage(r.at, err, "object header")
		}
		if shift > 56 {
			return w.malformed(r.at, "an object's size has more than 63 bits")
		}
		o.size |= int64(c&0x7f) << shift
	}
	var base id
	var baseOff int64
	switch o.kind {
	case commit, tree, blob, tag:
	case ofsDelta:
		back, err := offset(r)
		if err != nil {
			return w.damage(r.at, err, "delta offset")
		}
		if baseOff = o.off - back; back <= 0 || baseOff < 12 {
			return w.malformed(o.off, "a delta against an object %d bytes back", back)
		}
	case refDelta:
		if _, err := io.ReadFull(r, base[:]); err != nil {
			return w.damage(r.at, err, "delta base")
		}
	default:
		return w.malformed(o.off, "object type %d", o.kind)
	}
	o.data = r.at
	h := sha1.New() //nolint:gosec // see the import
	if name, whole := kindNames[o.kind]; whole {
		fmt.Fprintf(h, "%s %d\x00", name, o.size)
	}
	z, err := w.inflater.open(r)
	if err != nil {
		return w.damage(r.at, err, "object data")
	}
	n, err := io.Copy(h, io.LimitReader(z, min(o.size, w.left)+1))
	if over := w.spend(n, o.off); over != nil {
		return over
	}
	if err != nil {
		// What of a blob came before the damage is still looked at.
		w.add(o)
		return w.damage(r.at, err, "object data")
	}
	if n != o.size {
		w.add(o)
		return w.malformed(o.off, "an object of %d bytes announces %d", n, o.size)
	}
	h.Sum(o.id[:0])
	i := w.add(o)
	switch o.kind {
	case ofsDelta:
		w.sibling[i] = first(w.byOffset, baseOff)
		w.byOffset[baseOff] = i
		w.deltas++
	case refDelta:
		w.sibling[i] = first(w.byID, base)
		w.byID[base] = i
		w.deltas++
	}
	return nil
}

func (w *walk) add(o object) int32 {
	w.objects = append(w.objects, o)
	w.sibling = append(w.sibling, -1)
	return int32(len(w.objects) - 1)
}

func first[K comparable](m map[K]int32, k K) int32 {
	if i, ok := m[k]; ok {
		return i
	}
	return -1
}

// offset reads the distance of an OFS_DELTA: big-endian groups of seven bits,
// each but the last one too small by one (gitformat-pack(5)).
func offset(r *reader) (int64, error) {
	c, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := int64(c & 0x7f)
	for i := 0; c&0x80 != 0; i++ {
		if i == 8 {
			return -1, nil
		}
		if c, err = r.ReadByte(); err != nil {
			return 0, err
		}
		n = (n+1)<<7 | int64(c&0x7f)
	}
	return n, nil
}

func (w *walk) malformed(off int64, format string, args ...any) error {
	return scan.Malformed(w.pack.position(off), format, args...)
}

// damage classifies an error met while decoding: the decoder's complaint is
// damage of the pack, anything else is the transport's.
func (w *walk) damage(off int64, err error, what string) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum),
		errors.Is(err, zlib.ErrDictionary), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return w.malformed(off, "%s: %w", what, err)
	}
	return err
}
