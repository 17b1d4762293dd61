package hdf5

import (
	"modelwall/scan"
)

// stored is a chunk as it lies in the file.
type stored struct {
	at   extent
	mask uint64 // filters that this chunk went without
}

// eachChunk calls do with the chunks of a data set in the order of its index.
func (w *walk) eachChunk(d data, do func(stored) error) error {
	r, l := w.r, &d.layout
	filtered := len(d.filters) > 0
	whole := l.chunkSize()
	chunk := func(addr, n, mask uint64) error {
		if addr == undefined { // never written
			return nil
		}
		if !filtered {
			n = uint64(whole)
		}
		off, err := r.place(addr, int64(min(n, 1<<62)))
		if err != nil {
			return err
		}
		return do(stored{extent{off, int64(n)}, mask})
	}
	switch l.index {
	case indexTreeV1:
		return r.treeV1(l.addr, 1, 8+8*len(l.chunk), func(f leaf) error {
			key := r.cursor(f.key, r.base)
			n, mask := key.uint(4), key.uint(4)
			return chunk(f.child, n, mask)
		})
	case indexSingle:
		return chunk(l.addr, l.one, 0)
	case indexImplicit:
		for i, n := uint64(0), d.chunkCount(); i < n; i++ {
			if err := chunk(l.addr+i*uint64(whole), 0, 0); err != nil {
				return err
			}
		}
		return nil
	case indexFixed:
		return r.fixedArray(l.addr, filtered, chunk)
	case indexExtensible:
		return r.extensibleArray(l.addr, filtered, chunk)
	case indexTreeV2:
		return r.treeV2(l.addr, func(kind int, rec *cursor) error {
			addr := rec.address()
			n, mask := uint64(0), uint64(0)
			if kind == 11 {
				n = rec.uint(len(rec.b) - 4 - 8*(len(l.chunk)-1))
				mask = rec.uint(4)
			}
			if err := rec.err("a chunk's record"); err != nil {
				return err
			}
			return chunk(addr, n, mask)
		})
	}
	return scan.Malformed(r.base, "a chunk index of type %d", l.index)
}

// chunkCount is how many chunks cover the extent.
func (d *data) chunkCount() uint64 {
	n := uint64(1)
	for i, dim := range d.space.dims {
		if i >= len(d.layout.chunk)-1 || d.layout.chunk[i] == 0 || n > 1<<32 {
			break
		}
		n *= min(1<<30, (dim+d.layout.chunk[i]-1)/d.layout.chunk[i])
	}
	return n
}

// entries calls do with count entries of an array of chunks.
func (r *reader) entries(addr uint64, count uint64, size int, filtered bool, do func(addr, n, mask uint64) error) error {
	for count > 0 {
		some := min(count, 1024)
		c, err := r.block(addr, int64(some)*int64(size))
		if err != nil {
			return err
		}
		for range some {
			e := r.cursor(c.take(size), c.off)
			at := e.address()
			n, mask := uint64(0), uint64(0)
			if filtered {
				n = e.uint(size - r.addr - 4)
				mask = e.uint(4)
			}
			if err := do(at, n, mask); err != nil {
				return err
			}
		}
		addr, count = addr+some*uint64(size), count-some
	}
	return nil
}

// entrySize checks the size of an entry.
func (r *reader) entrySize(size int, filtered bool) error {
	if size < r.addr || filtered && size < r.addr+5 || size > r.addr+12 {
		return scan.Malformed(r.base, "entries of %d bytes in an index of chunks", size)
	}
	return nil
}

// fixedArray walks an index for data sets that can not grow.
func (r *reader) fixedArray(addr uint64, filtered bool, do func(addr, n, mask uint64) error) error {
	c, err := r.signed(addr, int64(8+r.len+r.addr), "FAHD")
	if err != nil {
		return err
	}
	c.skip(2)
	size, pageBits := c.u8(), c.u8()
	count := c.size()
	block := c.address()
	if err := r.entrySize(size, filtered); err != nil {
		return err
	}
	if block == undefined || pageBits > 32 {
		return c.err("an index of chunks")
	}
	if _, err := r.signed(block, int64(6+r.addr), "FADB"); err != nil {
		return err
	}
	at, page := block+uint64(6+r.addr), uint64(1)<<pageBits
	if count <= page {
		return r.entries(at, count, size, filtered, do)
	}
	pages := (count + page - 1) / page
	at += (pages+7)/8 + 4 // which pages are in use, and a checksum
	for ; count > 0; count -= min(count, page) {
		n := min(count, page)
		if err := r.entries(at, n, size, filtered, do); err != nil {
			return err
		}
		at += n*uint64(size) + 4
	}
	return nil
}

// extensibleArray walks an index for data sets that grow in one dimension, as
// far as its index block leads at once.
func (r *reader) extensibleArray(addr uint64, filtered bool, do func(addr, n, mask uint64) error) error {
	c, err := r.signed(addr, int64(12+6*r.len+r.addr), "EAHD")
	if err != nil {
		return err
	}
	c.skip(2)
	size, maxBits, direct, least, pointers := c.u8(), c.u8(), c.u8(), c.u8(), c.u8()
	pageBits := c.u8()
	c.skip(4 * r.len)
	set := c.size() // entries in use
	c.skip(r.len)
	index := c.address()
	if err := c.err("an index of chunks"); err != nil {
		return err
	}
	if err := r.entrySize(size, filtered); err != nil {
		return err
	}
	if index == undefined {
		return nil
	}
	if _, err := r.signed(index, int64(6+r.addr), "EAIB"); err != nil {
		return err
	}
	at := index + uint64(6+r.addr)
	if err := r.entries(at, min(uint64(direct), set), size, filtered, do); err != nil {
		return err
	}
	left := set - min(uint64(direct), set)
	at += uint64(direct) * uint64(size)
	blocks := 2 * max(0, pointers-1)
	for i, row := 0, 0; i < blocks && left > 0; row++ {
		n := uint64(least) << ((row + 1) / 2)
		for range 1 << (row / 2) {
			if i++; i > blocks || left == 0 {
				break
			}
			p, err := r.block(at, int64(r.addr))
			if err != nil {
				return err
			}
			at += uint64(r.addr)
			some := min(n, left)
			left -= some
			block := p.address()
			if block == undefined {
				continue
			}
			if pageBits < 32 && n > 1<<pageBits {
				return scan.Limit(r.base, "an index of chunks in pages")
			}
			head := uint64(6 + r.addr + (maxBits+7)/8)
			if _, err := r.signed(block, int64(head), "EADB"); err != nil {
				return err
			}
			if err := r.entries(block+head, some, size, filtered, do); err != nil {
				return err
			}
		}
	}
	if left > 0 {
		return scan.Limit(r.base, "an index of more chunks than its first block leads to")
	}
	return nil
}
