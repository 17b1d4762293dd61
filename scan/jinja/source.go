package jinja

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"modelwall/scan"
)

// source reads a file byte by byte with a little look-ahead and ends at the
// first byte that is not UTF-8: Python would not decode the file.
type source struct {
	ctx  context.Context //nolint:containedctx // one Scan is this value's whole life
	f    scan.File
	buf  []byte
	pos  int    // in buf
	base int64  // file offset of buf[0]
	cut  []byte // a character of which the rest is still to come
	end  bool   // buf reaches the end of the file
	err  error  // sticky
}

const chunkSize = 32 << 10

func newSource(ctx context.Context, f scan.File) *source { return &source{ctx: ctx, f: f} }

// offset is the file offset of the next byte.
func (s *source) offset() int64 { return s.base + int64(s.pos) }

// ensure makes n bytes available from pos, fewer at the end of the file.
func (s *source) ensure(n int) bool {
	for len(s.buf)-s.pos < n && !s.end && s.err == nil {
		s.fill()
	}
	return len(s.buf)-s.pos >= n
}

func (s *source) fill() {
	if s.err = s.ctx.Err(); s.err != nil {
		return
	}
	// What is left moves to the front; a chunk is added behind it.
	rest := copy(s.buf, s.buf[s.pos:])
	s.base += int64(s.pos)
	s.buf, s.pos = s.buf[:rest], 0
	at := s.base + int64(rest)
	n := int(min(chunkSize, s.f.Size-at))
	if n <= 0 {
		s.end = true
		return
	}
	s.buf = slices.Grow(s.buf, n)[:rest+n]
	got, err := s.f.ReadAt(s.buf[rest:], at)
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.err = fmt.Errorf("read %d bytes at %d: %w", n, at, err)
		s.buf = s.buf[:rest]
		return
	}
	s.end = at+int64(n) == s.f.Size
	if bad := s.invalid(s.buf[rest:]); bad >= 0 {
		s.err = foreign(at+int64(bad), "not UTF-8")
		s.buf = s.buf[:rest+bad]
	}
}

// invalid returns where b, which goes on from what was checked before, stops
// being UTF-8, or -1.
func (s *source) invalid(b []byte) int {
	from := 0
	for ; len(s.cut) > 0 && !utf8.FullRune(s.cut); from++ {
		if from == len(b) {
			return -1
		}
		s.cut = append(s.cut, b[from])
	}
	if r, n := utf8.DecodeRune(s.cut); len(s.cut) > 0 && r == utf8.RuneError && n == 1 {
		return 0
	}
	s.cut = s.cut[:0]
	if !utf8Start(b[from:]) {
		for from < len(b) {
			r, n := utf8.DecodeRune(b[from:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			from += n
		}
		return from
	}
	for i := 1; i < utf8.UTFMax && i <= len(b)-from; i++ {
		if last := b[len(b)-i:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				s.cut = append(s.cut, last...)
				if s.end {
					return len(b) - i
				}
			}
			break
		}
	}
	return -1
}

// peek returns the byte i places ahead, 0 at the end.
func (s *source) peek(i int) byte {
	if !s.ensure(i + 1) {
		return 0
	}
	return s.buf[s.pos+i]
}

// more reports whether there is a next byte.
func (s *source) more() bool { return s.ensure(1) }

// skip moves on by n bytes that were peeked at.
func (s *source) skip(n int) { s.pos += n }

// at reports whether text comes next.
func (s *source) at(text string) bool {
	return s.ensure(len(text)) && string(s.buf[s.pos:s.pos+len(text)]) == text
}

// until moves on to the next c, or to the end, and passes what it moved over
// to each, piece by piece.
func (s *source) until(c byte, each func([]byte)) bool {
	for s.more() {
		b := s.buf[s.pos:]
		i := bytes.IndexByte(b, c)
		if i >= 0 {
			each(b[:i])
			s.pos += i
			return true
		}
		each(b)
		s.pos += len(b)
	}
	return false
}

// rune decodes the next character without moving on.
func (s *source) rune() (rune, int) {
	s.ensure(utf8.UTFMax)
	return utf8.DecodeRune(s.buf[s.pos:])
}
