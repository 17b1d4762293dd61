package hdf5

import (
	"bytes"
	"context"
	"errors"
	"io"

	"modelwall/scan"
)

// values are elements of a type that can hold a text or a pickle.
type values struct {
	name string
	typ  datatype
	src  io.ReaderAt
	size int64 // of src, in bytes
	off  int64 // of src in the file, -1 when src is unpacked
	many bool  // of a data set with more elements than anybody configures with
}

// Bounds of how many elements are looked at.
const (
	// maxElements is how many elements of an attribute are.
	maxElements = 1 << 18
	// sample is how many elements in a row may hold nothing of interest before
	// a data set counts as plain text.
	sample = 4096
	// few is how many texts a data set may have for each of them to count as
	// possible configuration.
	few = 64
)

var errEnough = errors.New("seen enough")

// values looks at each element, and hands over what may be more than text.
func (w *walk) values(ctx context.Context, v values) error {
	class, step := v.typ.class, v.typ.size
	if class == classArray {
		if class, step = v.typ.base, v.typ.baseSize; class == classInteger {
			step = v.typ.size
		}
	}
	if class == classInteger {
		step = v.size // bytes are one value
	}
	if step <= 0 {
		return nil
	}
	dull := 0
	for i, at := int64(0), int64(0); at <= v.size-step; i, at = i+1, at+step {
		if i >= maxElements && !v.many {
			return scan.Limit(v.off, "%s has more than %d elements", quote(v.name), maxElements)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e := element{name: v.name, src: io.NewSectionReader(v.src, at, step), size: step, off: -1, many: v.many}
		if v.off >= 0 {
			e.off = v.off + at
		}
		if class == classVarLen {
			var err error
			if e, err = w.follow(e, v.typ); err != nil {
				return err
			}
		}
		told, err := w.element(ctx, e)
		if err != nil {
			return err
		}
		if dull++; told {
			dull = 0
		}
		if dull >= sample && v.many && !w.pickled {
			return errEnough
		}
	}
	return nil
}

// element is one value: a text, or bytes.
type element struct {
	name string
	src  io.ReaderAt
	size int64
	off  int64 // in the file, -1 when src is unpacked
	many bool
}

// follow returns the bytes that a reference to the global heap stands for.
func (w *walk) follow(e element, t datatype) (element, error) {
	b := make([]byte, e.size)
	if err := fill(e.src, b); err != nil {
		return e, err
	}
	c := w.r.cursor(b, max(e.off, 0))
	n, addr, index := c.u32(), c.address(), int(c.u32())
	if err := c.err("a reference to the global heap"); err != nil {
		return e, err
	}
	e.size = 0
	if n == 0 || addr == undefined || addr == 0 && index == 0 {
		return e, nil
	}
	at, err := w.globalHeap(addr, index)
	if err != nil {
		return e, w.damage(err)
	}
	e.off, e.size = at.off, min(at.n, saturate(n, max(1, t.baseSize)))
	e.src = w.r.f.Section(e.off, e.size)
	return e, nil
}

// heapObject is an object of a global heap collection.
type heapObject struct {
	index int
	at    extent
}

// maxCached bounds the entries of collections that are kept.
const maxCached = 1 << 18

// globalHeap returns where an object of the collection at addr is.
func (w *walk) globalHeap(addr uint64, index int) (extent, error) {
	objects, ok := w.heaps[addr]
	if !ok {
		var err error
		objects, err = w.r.collection(addr)
		if err := w.damage(err); err != nil { // what came before the damage counts
			return extent{}, err
		}
		if w.cached += len(objects) + 1; w.cached > maxCached {
			clear(w.heaps)
			w.cached = len(objects) + 1
		}
		w.heaps[addr] = objects
	}
	if i := index - 1; i >= 0 && i < len(objects) && objects[i].index == index { // the usual order
		return objects[i].at, nil
	}
	if w.r.left -= int64(len(objects)) * 4; w.r.left < 0 {
		return extent{}, scan.Limit(w.r.base, "the same bytes are used again and again")
	}
	for _, o := range objects {
		if o.index == index {
			return o.at, nil
		}
	}
	return extent{}, scan.Malformed(w.r.base, "no object %d in the heap at %#x", index, addr)
}

// collection lists the objects of a global heap collection.
func (r *reader) collection(addr uint64) ([]heapObject, error) {
	c, err := r.signed(addr, int64(8+r.len), "GCOL")
	if err != nil {
		return nil, err
	}
	c.skip(4)
	end := c.size()
	if _, err := r.place(addr, int64(min(end, 1<<62))); err != nil {
		return nil, err
	}
	var objects []heapObject
	head := uint64(8 + r.len)
	for at := head; at+head <= end; {
		c, err := r.block(addr+at, int64(head))
		if err != nil {
			return nil, err
		}
		index := c.u16()
		c.skip(6)
		n := c.size()
		if index == 0 { // free space, the last
			break
		}
		if n > end-at-head {
			return objects, scan.Malformed(c.off, "an object of %d bytes in a heap of %d", n, end)
		}
		objects = append(objects, heapObject{index, extent{c.off, int64(n)}})
		at += head + (n+7)&^7
	}
	return objects, nil
}

// fill reads all of b from the beginning of src.
func fill(src io.ReaderAt, b []byte) error {
	n, err := src.ReadAt(b, 0)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// maxLook is how much of the beginning of an element decides what it is, in
// bytes.
const maxLook = 64 << 10

// element hands over an element that may be more than plain text, and tells
// whether it was one.
func (w *walk) element(ctx context.Context, e element) (bool, error) {
	if e.size < 2 {
		return false, nil
	}
	first := make([]byte, min(e.size, 512))
	if err := w.look(e, first); err != nil {
		return false, err
	}
	n, err := w.trim(&e, first)
	if err != nil || n < 2 {
		return false, err
	}
	first = first[:min(int64(len(first)), n)]
	last := make([]byte, 1)
	if err := fill(io.NewSectionReader(e.src, n-1, 1), last); err != nil {
		return false, err
	}
	hand := false
	switch {
	case packed(first), pickled(first, last[0]):
		hand = true
	case structured(first):
		hand = !e.many
		if e.many {
			if hand, err = w.configures(e, n); err != nil {
				return false, err
			}
		}
	}
	if !hand {
		return false, nil
	}
	if e.off >= 0 {
		x := extent{e.off, n}
		if w.handed[x] {
			return true, nil
		}
		w.handed[x] = true
	}
	return true, w.sink.Member(ctx, scan.Member{Name: e.name, At: e.src, Size: n})
}

// look reads the beginning of an element; small ones come from the cache of
// pages.
func (w *walk) look(e element, b []byte) error {
	if e.off < 0 {
		return fill(e.src, b)
	}
	got, err := w.r.at(e.off, int64(len(b)))
	copy(b, got)
	return err
}

// trim returns the size of an element without the NULs at its end.
func (w *walk) trim(e *element, first []byte) (int64, error) {
	if e.size <= int64(len(first)) {
		return int64(len(bytes.TrimRight(first, "\x00"))), nil
	}
	n := e.size
	buf := make([]byte, 4<<10)
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if err := fill(io.NewSectionReader(e.src, n-int64(len(b)), int64(len(b))), b); err != nil {
			return 0, err
		}
		if w.r.left -= int64(len(b)); w.r.left < 0 {
			return 0, scan.Limit(w.r.base, "the same bytes are used again and again")
		}
		if rest := bytes.TrimRight(b, "\x00"); len(rest) > 0 {
			return n - int64(len(b)-len(rest)), nil
		}
		n -= int64(len(b))
	}
	return 0, nil
}

// configures reports whether one of many structured texts may be that of a
// Keras object; the key may be escaped.
func (w *walk) configures(e element, n int64) (bool, error) {
	b := make([]byte, min(n, maxLook))
	if w.r.left -= int64(len(b)); w.r.left < 0 {
		return false, scan.Limit(w.r.base, "the same bytes are used again and again")
	}
	if err := fill(e.src, b); err != nil {
		return false, err
	}
	return bytes.Contains(b, []byte("class_name")) || bytes.Contains(b, []byte(`\u00`)), nil
}
