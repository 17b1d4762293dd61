package hdf5

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

const signature = "\x89HDF\r\n\x1a\n"

// nearUserBlock bounds, in bytes, where a superblock is looked for in a file
// that has the signature of something else. The HDF5 library looks at every
// power of two up to the end; in a checkpoint that is still arriving each of
// those is a round trip.
const nearUserBlock = 1 << 20

// signatureIn returns where a superblock's signature stands in head, -1 for
// nowhere. The library takes the first.
func signatureIn(head []byte) int64 {
	for off := 0; off+len(signature) <= len(head); off = next(off) {
		if string(head[off:off+len(signature)]) == signature {
			return int64(off)
		}
	}
	return -1
}

// next is the place after off where a superblock may stand.
func next[T int | int64](off T) T {
	if off == 0 {
		return 512
	}
	return off * 2
}

// foreignHead reports whether a file begins as one of the big formats that
// users download most.
func foreignHead(head []byte) bool {
	for _, magic := range [...]string{"PK\x03\x04", "GGUF", "\x1f\x8b\x08", "7z\xbc\xaf", "\x28\xb5\x2f\xfd", "\xfd7zXZ", "PAR1", "ARROW1"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 1<<32 || // safetensors
		len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 // pickle
}

const (
	pageSize = 4 << 10
	maxPages = 512 // kept in memory
	maxBlock = 4 << 20
)

// reader gives the bytes at the addresses of the format, through a cache of
// pages: structures are small and stand next to each other.
type reader struct {
	f     scan.File
	ctx   context.Context //nolint:containedctx // one Scan call is this value's whole life
	base  int64           // what addresses count from
	addr  int             // size of an address, in bytes
	len   int             // size of a length, in bytes
	pages map[int64][]byte
	order []int64 // of the pages, as they came
	left  int64   // bytes of structure that may still be looked at
}

func newReader(ctx context.Context, f scan.File) *reader {
	return &reader{f: f, ctx: ctx, addr: 8, len: 8, pages: map[int64][]byte{}, left: min(f.Size, 1<<50)*8 + 16<<20}
}

// locate returns where the superblock is, -1 without one.
func (r *reader) locate() (int64, error) {
	head := make([]byte, min(r.f.Size, scan.HeadSize))
	if err := r.raw(head, 0); err != nil {
		return -1, err
	}
	if at := signatureIn(head); at >= 0 {
		return at, nil
	}
	last := r.f.Size - int64(len(signature))
	if foreignHead(head) {
		last = min(last, nearUserBlock)
	}
	if far, ok := r.f.ReaderAt.(scan.Expecter); ok {
		far.Expect(places(scan.HeadSize, last))
	}
	b := make([]byte, len(signature))
	for off := int64(scan.HeadSize); off <= last && off > 0; off *= 2 {
		if err := r.raw(b, off); err != nil {
			return -1, err
		}
		if string(b) == signature {
			return off, nil
		}
	}
	return -1, nil
}

// places are the runs where a superblock's signature may stand from off, one of
// them, up to last.
func places(off, last int64) (runs [][2]int64) {
	for ; off <= last && off > 0; off = next(off) {
		runs = append(runs, [2]int64{off, off + int64(len(signature))})
	}
	return runs
}

// raw fills b from off; the caller has checked that the file is long enough.
func (r *reader) raw(b []byte, off int64) error {
	n, err := r.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}

// place turns an address into an offset, and checks that n bytes are there.
func (r *reader) place(addr uint64, n int64) (int64, error) {
	if addr >= uint64(r.f.Size) || int64(addr) > r.f.Size-r.base || n < 0 || n > r.f.Size-r.base-int64(addr) {
		return 0, scan.Malformed(r.base, "%d bytes at address %#x are outside of the file", n, addr)
	}
	return r.base + int64(addr), nil
}

// bytes returns a copy of the n bytes at addr.
func (r *reader) bytes(addr uint64, n int64) ([]byte, error) {
	off, err := r.place(addr, n)
	if err != nil {
		return nil, err
	}
	return r.at(off, n)
}

// at returns a copy of the n bytes at a file offset; the caller has checked
// that they are there.
func (r *reader) at(off, n int64) ([]byte, error) {
	if n > maxBlock {
		return nil, scan.Limit(off, "a structure of %d bytes", n)
	}
	if r.left -= n + 16; r.left < 0 {
		return nil, scan.Limit(off, "the same bytes are used again and again")
	}
	if err := context.Cause(r.ctx); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if n > 8*pageSize {
		return b, r.raw(b, off)
	}
	for done := int64(0); done < n; {
		page, err := r.page((off + done) / pageSize)
		if err != nil {
			return nil, err
		}
		done += int64(copy(b[done:], page[(off+done)%pageSize:]))
	}
	return b, nil
}

func (r *reader) page(i int64) ([]byte, error) {
	if b, ok := r.pages[i]; ok {
		return b, nil
	}
	var b []byte
	if len(r.order) >= maxPages { // the oldest one makes room
		b = r.pages[r.order[0]][:0]
		delete(r.pages, r.order[0])
		r.order = r.order[1:]
	}
	n := min(pageSize, r.f.Size-i*pageSize)
	if int64(cap(b)) < n {
		b = make([]byte, n, pageSize)
	}
	b = b[:n]
	if err := r.raw(b, i*pageSize); err != nil {
		return nil, err
	}
	r.pages[i] = b
	r.order = append(r.order, i)
	return b, nil
}

// block is cursor over the n bytes at addr.
func (r *reader) block(addr uint64, n int64) (*cursor, error) {
	b, err := r.bytes(addr, n)
	if err != nil {
		return nil, err
	}
	return r.cursor(b, r.base+int64(addr)), nil
}

// signed is block for a structure that begins with a signature.
func (r *reader) signed(addr uint64, n int64, sig string) (*cursor, error) {
	c, err := r.block(addr, n)
	if err != nil {
		return nil, err
	}
	if string(c.take(len(sig))) != sig {
		return nil, scan.Malformed(c.off, "no %s where one has to be", sig)
	}
	return c, nil
}

func (r *reader) cursor(b []byte, off int64) *cursor {
	return &cursor{b: b, off: off, addr: r.addr, len: r.len}
}

// cursor reads fields, little-endian. Past the end it reads zeros and is bad.
type cursor struct {
	b         []byte
	off       int64 // of b[0] in the file
	addr, len int
	bad       bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad = true
		c.b = nil
		return nil
	}
	b := c.b[:n]
	c.b, c.off = c.b[n:], c.off+int64(n)
	return b
}

func (c *cursor) skip(n int) { c.take(n) }

func (c *cursor) uint(n int) uint64 {
	v := uint64(0)
	for i, b := range c.take(n) {
		if i < 8 {
			v |= uint64(b) << (8 * i)
		} else if b != 0 {
			v = undefined
		}
	}
	return v
}

func (c *cursor) u8() int      { return int(c.uint(1)) }
func (c *cursor) u16() int     { return int(c.uint(2)) }
func (c *cursor) u32() int64   { return int64(c.uint(4)) }
func (c *cursor) size() uint64 { return c.uint(c.len) }

// undefined is the address of what does not exist.
const undefined = ^uint64(0)

// address reads an address; all bits set is undefined in every size.
func (c *cursor) address() uint64 {
	v := c.uint(c.addr)
	if c.addr < 8 && v == 1<<(8*c.addr)-1 {
		return undefined
	}
	return v
}

// text reads to the next NUL.
func (c *cursor) text() string {
	i := bytes.IndexByte(c.b, 0)
	if i < 0 {
		c.bad = true
		return ""
	}
	s := string(c.b[:i])
	c.skip(i + 1)
	return s
}

// err is an error when a field was read past the end of what.
func (c *cursor) err(what string) error {
	if c.bad {
		return scan.Malformed(c.off, "%s is cut off", what)
	}
	return nil
}
