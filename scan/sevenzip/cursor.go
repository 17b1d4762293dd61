package sevenzip

import "math/bits"

// cursor reads a header; after the first error it reads zeros.
type cursor struct {
	b   []byte
	at  int
	err error
}

func (c *cursor) bad(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *cursor) take(n uint64) []byte {
	if c.err != nil {
		return nil
	}
	if n > uint64(len(c.b)-c.at) {
		c.bad(errShort)
		return nil
	}
	b := c.b[c.at : c.at+int(n)]
	c.at += int(n)
	return b
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return le.Uint32(b)
	}
	return 0
}

// number reads 7z's variable-length integer: the leading ones of the first
// byte say how many bytes follow.
func (c *cursor) number() uint64 {
	first := c.byte()
	extra := bits.LeadingZeros8(^first)
	var v uint64
	for i, b := range c.take(uint64(extra)) {
		v |= uint64(b) << (8 * i)
	}
	if extra < 7 {
		v |= uint64(first&(1<<(7-extra)-1)) << (8 * extra)
	}
	return v
}

// count reads a number that memory is reserved by.
func (c *cursor) count(limit uint64) uint64 {
	n := c.number()
	if n > limit {
		c.bad(errTooMany)
		return 0
	}
	return n
}

func (c *cursor) expect(id byte) {
	if c.byte() != id {
		c.bad(errFormat)
	}
}

func (c *cursor) bools(n int) []bool {
	b := c.take(uint64(n+7) / 8)
	out := make([]bool, n)
	for i := range out {
		out[i] = b != nil && b[i/8]&(0x80>>(i%8)) != 0
	}
	return out
}

func (c *cursor) optionalBools(n int) []bool {
	if c.byte() == 0 {
		return c.bools(n)
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = true
	}
	return out
}

func (c *cursor) digests(n int) []digest {
	out := make([]digest, n)
	for i, defined := range c.optionalBools(n) {
		if defined {
			out[i] = digest{c.uint32(), true}
		}
	}
	return out
}
