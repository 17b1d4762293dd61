package hdf5

import (
	"modelwall/scan"
)

// The classes of layout.
const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
	layoutVirtual    = 3
)

// The ways to find chunks.
const (
	indexTreeV1     = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexTreeV2     = 5
)

// layout says where the elements of a data set are.
type layout struct {
	class int
	addr  uint64 // of the elements, of the index of the chunks, or of a virtual set's map
	size  uint64 // of contiguous elements, in bytes, when known
	data  extent // of compact elements
	index int    // how chunks are found
	chunk []uint64
	slot  int    // of a virtual set's map in its heap
	one   uint64 // size of a single filtered chunk
}

func (r *reader) layout(c *cursor) (layout, error) {
	at := c.off
	l := layout{addr: undefined}
	version := c.u8()
	switch version {
	case 1, 2:
		rank := c.u8()
		l.class = c.u8()
		c.skip(5)
		if l.class != layoutCompact {
			l.addr = c.address()
		}
		for range rank {
			l.chunk = append(l.chunk, c.uint(4))
		}
		switch l.class {
		case layoutCompact:
			n := c.u32()
			l.data = extent{c.off, n}
			c.skip(int(n))
		case layoutContiguous:
			l.size = undefined
		}
	case 3, 4, 5:
		l.class = c.u8()
		switch l.class {
		case layoutCompact:
			n := c.u16()
			l.data = extent{c.off, int64(n)}
			c.skip(n)
		case layoutContiguous:
			l.addr, l.size = c.address(), c.size()
		case layoutChunked:
			if version == 3 {
				rank := c.u8()
				l.addr = c.address()
				for range rank {
					l.chunk = append(l.chunk, c.uint(4))
				}
			} else {
				l.chunks(c)
			}
		case layoutVirtual:
			l.addr, l.slot = c.address(), int(c.u32())
		default:
			return l, scan.Malformed(at, "layout class %d", l.class)
		}
	default:
		return l, scan.Malformed(at, "layout version %d", version)
	}
	if l.class == layoutChunked && (len(l.chunk) < 2 || len(l.chunk) > maxRank+1) {
		return l, scan.Malformed(at, "chunks of %d dimensions", len(l.chunk)-1)
	}
	return l, c.err("a layout message")
}

// chunks reads the newer description of chunks.
func (l *layout) chunks(c *cursor) {
	flags, rank, width := c.u8(), c.u8(), c.u8()
	for range min(rank, maxRank+2) {
		l.chunk = append(l.chunk, c.uint(width))
	}
	l.index = c.u8()
	switch l.index {
	case indexSingle:
		if flags&2 != 0 {
			l.one = c.size()
			c.skip(4)
		}
	case indexFixed:
		c.skip(1)
	case indexExtensible:
		c.skip(5)
	case indexTreeV2:
		c.skip(6)
	}
	l.addr = c.address()
}

// chunkSize is the size of one chunk when unpacked, in bytes.
func (l *layout) chunkSize() int64 {
	n := int64(1)
	for _, d := range l.chunk {
		if d == 0 || d > 1<<40 {
			return 1 << 62
		}
		n = saturate(n, int64(d))
	}
	return n
}
