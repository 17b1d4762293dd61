// Package cursor reads a binary file front to back: small pieces through a
// window, large ones by skipping them. What a file announces is checked against
// what is left of it, and the first error sticks, so that a parser can read on
// and look once.
package cursor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"modelwall/scan"
)

// Window is the most that Peek and Take return, in bytes.
const Window = 32 << 10

// Cursor is a place in a file. After the first error it reads zeros.
type Cursor struct {
	f    scan.File
	off  int64
	err  error
	buf  []byte // the content from base on
	base int64
	room []byte
}

// New returns a cursor at the beginning of f.
func New(f scan.File) *Cursor { return &Cursor{f: f} }

// Off returns where the next byte stands.
func (c *Cursor) Off() int64 { return c.off }

// Left returns how many bytes follow.
func (c *Cursor) Left() int64 { return c.f.Size - c.off }

// Err returns the first error: of class ErrMalformed, the reader's own, or what
// Stop was given.
func (c *Cursor) Err() error { return c.err }

// Stop makes err the error, unless there is one.
func (c *Cursor) Stop(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Fail reports damage at this place.
func (c *Cursor) Fail(format string, args ...any) { c.Stop(scan.Malformed(c.off, format, args...)) }

// Move goes to off, which has to be inside of the file or at its end.
func (c *Cursor) Move(off int64) {
	if off < 0 || off > c.f.Size {
		c.Fail("byte %d of %d", off, c.f.Size)
		return
	}
	if c.err == nil {
		c.off = off
	}
}

// Peek returns the next n bytes, fewer at the end. They are valid until the
// next call.
func (c *Cursor) Peek(n int) []byte {
	n = int(min(int64(n), Window, c.Left()))
	if c.err != nil || n <= 0 {
		return nil
	}
	if c.off < c.base || c.off+int64(n) > c.base+int64(len(c.buf)) {
		if c.room == nil {
			c.room = make([]byte, min(Window, c.f.Size))
		}
		c.buf, c.base = c.room[:min(int64(len(c.room)), c.Left())], c.off
		if got, err := c.f.ReadAt(c.buf, c.off); got < len(c.buf) {
			c.buf = nil
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			c.Stop(fmt.Errorf("read at %d: %w", c.off, err))
			return nil
		}
	}
	at := c.off - c.base
	return c.buf[at : at+int64(n)]
}

// Skip passes n bytes.
func (c *Cursor) Skip(n int64) {
	if n < 0 || n > c.Left() {
		c.Fail("%d bytes are announced and %d are left", n, c.Left())
		return
	}
	if c.err == nil {
		c.off += n
	}
}

// Take returns the next n bytes, at most Window, nil if they are not there.
func (c *Cursor) Take(n int) []byte {
	b := c.Peek(n)
	if len(b) < n {
		c.Fail("%d bytes are announced and %d are left", n, c.Left())
		return nil
	}
	c.off += int64(n)
	return b
}

// Text passes n bytes and returns the first of them, at most limit.
func (c *Cursor) Text(n int64, limit int) string {
	if n < 0 || n > c.Left() {
		c.Skip(n)
		return ""
	}
	s := string(c.Peek(int(min(n, int64(limit)))))
	c.Skip(n)
	return s
}

// Uint reads an unsigned integer of n bytes.
func (c *Cursor) Uint(n int, order binary.ByteOrder) uint64 {
	b := c.Take(n)
	switch {
	case b == nil:
		return 0
	case n == 1:
		return uint64(b[0])
	case n == 2:
		return uint64(order.Uint16(b))
	case n == 4:
		return uint64(order.Uint32(b))
	}
	return order.Uint64(b)
}

// Length reads an unsigned integer as a number of things that take at least
// so many bytes each; more than are left is damage.
func (c *Cursor) Length(n int, order binary.ByteOrder, each int64) int64 {
	v := c.Uint(n, order)
	if v > math.MaxInt64/16 || each > 0 && int64(v) > c.Left()/each {
		c.Fail("%d items of %d bytes are announced and %d bytes are left", v, each, c.Left())
	}
	if c.err != nil {
		return 0
	}
	return int64(v)
}
