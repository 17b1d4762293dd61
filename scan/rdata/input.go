package rdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"modelwall/scan"
)

// input reads a file front to back. After the first error it reads zeros.
type input struct {
	f    scan.File
	off  int64
	buf  []byte // content from base on
	base int64
	room []byte
	err  error
	in   encoding
}

// encoding is how numbers and strings are written.
type encoding uint8

const (
	xdr    encoding = iota // big-endian
	native                 // little-endian
	ascii
)

const window = 32 << 10

// peek returns the next n bytes, at most a window, fewer at the end of the file.
func (r *input) peek(n int) []byte {
	n = int(min(int64(n), r.f.Size-r.off))
	if r.err != nil || n <= 0 {
		return nil
	}
	if r.off < r.base || r.off+int64(n) > r.base+int64(len(r.buf)) {
		if r.room == nil {
			r.room = make([]byte, window)
		}
		r.buf, r.base = r.room[:min(window, r.f.Size-r.off)], r.off
		if got, err := r.f.ReadAt(r.buf, r.off); got < len(r.buf) {
			r.buf = nil
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			r.err = fmt.Errorf("read at %d: %w", r.off, err)
			return nil
		}
	}
	at := r.off - r.base
	return r.buf[at : at+int64(n)]
}

func (r *input) skip(n int64) {
	if r.err != nil {
		return
	}
	if n < 0 || n > r.f.Size-r.off {
		r.fail("%d bytes are announced and %d are left", n, r.f.Size-r.off)
		return
	}
	r.off += n
}

func (r *input) fail(format string, args ...any) {
	if r.err == nil {
		r.err = scan.Malformed(r.off, format, args...)
	}
}

// take returns the next n bytes, at most a window.
func (r *input) take(n int) []byte {
	b := r.peek(n)
	if r.err == nil && len(b) < n {
		r.fail("cut off")
	}
	if r.err != nil {
		return nil
	}
	r.off += int64(n)
	return b
}

// word returns the next word of an ASCII stream.
func (r *input) word() string {
	const longest = 64
	r.blanks()
	b := r.peek(longest)
	n := bytes.IndexAny(b, " \t\r\n")
	switch {
	case n < 0 && len(b) == longest:
		r.fail("a word longer than %d characters", longest)
		return ""
	case n < 0:
		n = len(b)
	}
	if n == 0 {
		r.fail("cut off")
		return ""
	}
	word := string(b[:n])
	r.off += int64(n)
	return word
}

func (r *input) blanks() {
	for r.err == nil {
		b := r.peek(window)
		rest := bytes.TrimLeft(b, " \t\r\n")
		r.off += int64(len(b) - len(rest))
		if len(rest) > 0 || len(b) == 0 {
			return
		}
	}
}

// int reads an integer.
func (r *input) int() int32 {
	if r.in == ascii {
		w := r.word()
		if w == "NA" || r.err != nil {
			return -1 << 31
		}
		v, err := strconv.ParseInt(w, 10, 32)
		if err != nil {
			r.fail("%s where a number has to be", scan.Quote(w, 20))
		}
		return int32(v)
	}
	b := r.take(4)
	if b == nil {
		return 0
	}
	if r.in == native {
		return int32(b[0]) | int32(b[1])<<8 | int32(b[2])<<16 | int32(b[3])<<24
	}
	return int32(b[3]) | int32(b[2])<<8 | int32(b[1])<<16 | int32(b[0])<<24
}

// length reads the length of a vector. Each item takes at least a byte.
func (r *input) length() int64 {
	n := int64(r.int())
	if n == -1 {
		hi, lo := r.int(), r.int()
		n = int64(hi)<<32 | int64(uint32(lo))
		if hi < 0 || hi > 1<<16 {
			n = -1
		}
	}
	if r.err == nil && (n < 0 || n > r.f.Size-r.off) {
		r.fail("a vector of %d items with %d bytes left", n, r.f.Size-r.off)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// numbers skips n numbers of so many bytes each.
func (r *input) numbers(n int64, size int64) {
	if r.in != ascii {
		r.skip(n * size) // n is no more than the file has bytes
		return
	}
	if size == 16 {
		n *= 2
	}
	for ; n > 0 && r.err == nil; n-- {
		r.word()
	}
}

// text reads a string of n bytes and returns at most the first limit of them.
func (r *input) text(n int64, limit int) string {
	if r.err != nil || n <= 0 {
		return ""
	}
	if r.in == ascii {
		return r.escaped(n, limit)
	}
	if n > r.f.Size-r.off {
		r.skip(n)
		return ""
	}
	end := r.off + n
	s := string(r.take(int(min(n, int64(limit)))))
	if r.err == nil {
		r.off = end
	}
	return s
}

// escaped reads n characters with C's escapes.
func (r *input) escaped(n int64, limit int) string {
	var out []byte
	r.blanks()
	for ; n > 0 && r.err == nil; n-- {
		b := r.peek(4)
		if len(b) == 0 {
			r.fail("cut off")
			break
		}
		c, used := b[0], 1
		if c == '\\' && len(b) > 1 {
			c, used = b[1], 2
			if i := bytes.IndexByte([]byte("ntvbrfa"), c); i >= 0 {
				c = "\n\t\v\b\r\f\a"[i]
			} else if c >= '0' && c <= '7' {
				v := 0
				for used = 1; used < len(b) && b[used] >= '0' && b[used] <= '7'; used++ {
					v = v<<3 | int(b[used]-'0')
				}
				c = byte(v)
			}
		}
		r.off += int64(used)
		if len(out) < limit {
			out = append(out, c)
		}
	}
	return string(out)
}
