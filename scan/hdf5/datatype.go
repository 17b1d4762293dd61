package hdf5

import (
	"math"

	"modelwall/scan"
)

// The classes of data type.
const (
	classInteger  = 0
	classString   = 3
	classOpaque   = 5
	classCompound = 6
	classVarLen   = 9
	classArray    = 10
)

// datatype is what the walk needs to know of one.
type datatype struct {
	class int
	size  int64 // of an element where it is stored, in bytes
	// base is the class of a variable-length sequence's or an array's
	// elements, and baseSize their size. A variable-length string counts as a
	// sequence of characters.
	base     int
	baseSize int64
}

// bytewise reports whether the elements are bytes that can hold anything.
func bytewise(class int, size int64) bool {
	return class == classString || class == classOpaque || class == classInteger && size == 1
}

// text reports whether the elements can hold a text or a pickle.
func (t datatype) text() bool {
	switch t.class {
	case classVarLen, classArray:
		return bytewise(t.base, t.baseSize)
	}
	return bytewise(t.class, t.size)
}

// parseDatatype reads a data type message.
func parseDatatype(c *cursor) (datatype, error) {
	head := c.u8()
	bits := c.uint(3)
	t := datatype{class: head & 15, size: c.u32(), base: -1}
	switch t.class {
	case classVarLen:
		base, err := baseType(c)
		if err != nil {
			return t, err
		}
		t.base, t.baseSize = base.class, base.size
		if bits&15 == 1 { // a string
			t.base, t.baseSize = classString, 1
		}
	case classArray:
		if rank := c.u8(); head>>4 < 3 {
			c.skip(3 + 8*rank) // with permutations
		} else {
			c.skip(4 * rank)
		}
		base, err := baseType(c)
		if err != nil {
			return t, err
		}
		t.base, t.baseSize = base.class, base.size
	}
	return t, c.err("a data type")
}

// baseType reads the class and the size of a data type inside of another.
func baseType(c *cursor) (datatype, error) {
	t := datatype{class: c.u8() & 15}
	c.skip(3)
	t.size = c.u32()
	return t, c.err("a data type")
}

// dataspace is the extent of a data set or attribute.
type dataspace struct {
	dims []uint64
	null bool // no elements at all
}

// maxRank is the most dimensions that HDF5 has.
const maxRank = 32

func parseDataspace(c *cursor) (dataspace, error) {
	version, rank, flags := c.u8(), c.u8(), c.u8()
	var s dataspace
	switch version {
	case 1:
		c.skip(5)
	case 2:
		s.null = c.u8() == 2
	default:
		return s, scan.Malformed(c.off, "dataspace version %d", version)
	}
	if rank > maxRank {
		return s, scan.Malformed(c.off, "a dataspace of %d dimensions", rank)
	}
	_ = flags // maximal dimensions, which say nothing about what is there
	for range rank {
		s.dims = append(s.dims, c.size())
	}
	return s, c.err("a dataspace")
}

// elements is their number, at most math.MaxInt64.
func (s dataspace) elements() int64 {
	if s.null {
		return 0
	}
	n := uint64(1)
	for _, d := range s.dims {
		if d == 0 {
			return 0
		}
		if n > math.MaxInt64/d {
			n = math.MaxInt64
			continue
		}
		n *= d
	}
	return int64(min(n, math.MaxInt64))
}
