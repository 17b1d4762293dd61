package hdf5

import (
	"math/bits"

	"modelwall/scan"
)

// fractalHeap is a heap whose blocks double in size row by row. Groups and
// objects with many links or attributes keep them in one.
type fractalHeap struct {
	idLen     int
	huge      uint64 // address of the B-tree of huge objects
	width     uint64 // blocks in a row
	start     uint64 // size of the blocks in the first two rows, in bytes
	maxDirect uint64 // size of the largest block that holds objects
	offset    int    // size of an offset in an ID, in bytes
	length    int    // size of a length in an ID
	root      uint64
	rows      int // of the root block; 0 when it holds objects itself
	filtered  bool
	checked   bool // direct blocks have checksums
}

func (r *reader) fractalHeap(addr uint64) (*fractalHeap, error) {
	c, err := r.signed(addr, int64(26+12*r.len+3*r.addr), "FRHP")
	if err != nil {
		return nil, err
	}
	c.skip(1)
	h := &fractalHeap{idLen: c.u16()}
	h.filtered = c.u16() > 0
	h.checked = c.u8()&2 != 0
	maxManaged := uint64(c.u32())
	c.skip(r.len)
	h.huge = c.address()
	c.skip(r.len + r.addr + 8*r.len)
	h.width = uint64(c.u16())
	h.start, h.maxDirect = c.size(), c.size()
	maxBits := c.u16()
	c.skip(2)
	h.root = c.address()
	h.rows = c.u16()
	if err := c.err("a heap's header"); err != nil {
		return nil, err
	}
	if h.width == 0 || bits.OnesCount64(h.start) != 1 || bits.OnesCount64(h.maxDirect) != 1 || h.maxDirect < h.start ||
		h.width > 1<<12 || maxBits > 64 || h.rows > 64 {
		return nil, scan.Malformed(c.off, "a heap with %d blocks in a row, of %d to %d bytes", h.width, h.start, h.maxDirect)
	}
	h.offset = (maxBits + 7) / 8
	h.length = min((bits.Len64(h.maxDirect)-1+7)/8, sizeOf(maxManaged))
	return h, nil
}

// fractalObject returns the bytes that an ID names.
func (r *reader) fractalObject(h *fractalHeap, id []byte) (*cursor, error) {
	c := r.cursor(id, r.base)
	first := c.u8()
	if first>>6 != 0 {
		return nil, scan.Malformed(r.base, "a heap ID of version %d", first>>6)
	}
	switch first >> 4 & 3 {
	case 0:
		off, n := c.uint(h.offset), c.uint(h.length)
		if err := c.err("a heap ID"); err != nil {
			return nil, err
		}
		return r.managed(h, off, n)
	case 1:
		return r.hugeObject(h, c)
	case 2:
		n := first&15 + 1
		if h.idLen > 17 {
			n = (first&15)<<8 + c.u8() + 1
		}
		b := c.take(n)
		return r.cursor(b, r.base), c.err("a heap ID")
	}
	return nil, scan.Malformed(r.base, "a heap ID of type %d", first>>4&3)
}

// hugeObject returns an object that lies outside of the heap's blocks.
func (r *reader) hugeObject(h *fractalHeap, c *cursor) (*cursor, error) {
	if h.filtered {
		return nil, scan.Limit(c.off, "a compressed heap")
	}
	if len(c.b) >= r.addr+r.len { // the ID holds the place itself
		addr, n := c.address(), c.size()
		return r.block(addr, int64(min(n, 1<<62)))
	}
	key := c.uint(min(len(c.b), r.len))
	var found *cursor
	err := r.treeV2(h.huge, func(kind int, rec *cursor) error {
		if kind != 1 || found != nil {
			return nil
		}
		addr, n := rec.address(), rec.size()
		if rec.size() != key {
			return rec.err("a record")
		}
		var err error
		found, err = r.block(addr, int64(min(n, 1<<62)))
		return err
	})
	if err == nil && found == nil {
		err = scan.Malformed(c.off, "no huge object %d in the heap", key)
	}
	return found, err
}

// managed returns the n bytes at an offset of the heap's own space.
func (r *reader) managed(h *fractalHeap, off, n uint64) (*cursor, error) {
	if h.filtered {
		return nil, scan.Limit(r.base, "a compressed heap")
	}
	block, rows := h.root, h.rows
	for depth := 0; rows > 0; depth++ {
		if depth > maxDepth {
			return nil, scan.Malformed(r.base, "a heap of blocks more than %d deep", maxDepth)
		}
		entry, size, begin, err := h.entry(off, rows)
		if err != nil {
			return nil, err
		}
		head := uint64(5 + r.addr + h.offset)
		if _, err := r.signed(block, int64(head), "FHIB"); err != nil {
			return nil, err
		}
		c, err := r.block(block+head+entry*uint64(r.addr), int64(r.addr))
		if err != nil {
			return nil, err
		}
		block = c.address()
		off -= begin
		rows = 0
		if size > h.maxDirect {
			rows = bits.Len64(size/h.start) - bits.Len64(h.width) + 1
			if rows < 1 {
				return nil, scan.Malformed(c.off, "a heap block of %d bytes for no rows", size)
			}
		}
	}
	if _, err := r.signed(block, 5, "FHDB"); err != nil {
		return nil, err
	}
	if off > uint64(r.f.Size) {
		return nil, scan.Malformed(r.base, "an object at %#x of a heap block", off)
	}
	return r.block(block+off, int64(min(n, 1<<62)))
}

// entry returns which child of a block of rows holds off, how big that is and
// where in the block's space it begins.
func (h *fractalHeap) entry(off uint64, rows int) (entry, size, begin uint64, err error) {
	row := h.width * h.start
	size, begin = h.start, 0
	for i := range rows {
		if i > 1 {
			size *= 2
			row *= 2
		}
		if size == 0 || row == 0 {
			break
		}
		if off < begin+row {
			col := (off - begin) / size
			return uint64(i)*h.width + col, size, begin + col*size, nil
		}
		begin += row
	}
	return 0, 0, 0, scan.Malformed(0, "an object at %#x, behind the heap's last row", off)
}
