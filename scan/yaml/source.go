package yaml

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// chunk is how much is read at once, in bytes; ahead how many bytes the lexer
// may look ahead.
const (
	chunk = 64 << 10
	ahead = 16
)

// source is a text of UTF-8 with a window of the next bytes.
type source struct {
	ctx     context.Context //nolint:containedctx // one pass over one text is this value's whole life
	src     io.ReaderAt
	size    int64
	buf     []byte
	base    int64 // offset of buf[0]
	pos     int
	err     error
	col     int // of the next byte, in characters
	line    int
	wide    bool // U+0085, U+2028 and U+2029 end lines
	widened bool // one of them did
}

func (s *source) off() int64 { return s.base + int64(s.pos) }

// fill makes sure that the window holds n bytes, if the text does.
func (s *source) fill(n int) bool {
	if s.pos+n <= len(s.buf) {
		return true
	}
	if s.err != nil {
		return false
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return false
	}
	if s.buf == nil {
		s.buf = make([]byte, 0, chunk+ahead)
	}
	rest := copy(s.buf[:cap(s.buf)], s.buf[s.pos:])
	s.base += int64(s.pos)
	s.pos, s.buf = 0, s.buf[:rest]
	at := s.base + int64(rest)
	want := int(min(int64(cap(s.buf)-rest), s.size-at))
	if want > 0 {
		got, err := s.src.ReadAt(s.buf[rest:rest+want], at)
		if got < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			s.err = fmt.Errorf("read %d bytes at %d: %w", want, at, err)
			return false
		}
		s.buf = s.buf[:rest+want]
	}
	return n <= len(s.buf)
}

// at returns the byte i places ahead, 0 at the end of the text; i < ahead.
func (s *source) at(i int) byte {
	if s.pos+i < len(s.buf) || s.fill(i+1) {
		return s.buf[s.pos+i]
	}
	return 0
}

func (s *source) end() bool { return s.pos >= len(s.buf) && !s.fill(1) }

// skip passes n bytes of one line.
func (s *source) skip(n int) {
	for range n {
		if s.end() {
			return
		}
		if c := s.buf[s.pos]; c < 0x80 || c >= 0xc0 {
			s.col++
		}
		s.pos++
	}
}

// brk returns how many bytes of line break follow i places ahead, 0 for none.
// The end of the text is none.
func (s *source) brk(i int) int {
	switch s.at(i) {
	case '\n':
		return 1
	case '\r':
		if s.at(i+1) == '\n' {
			return 2
		}
		return 1
	case 0xc2:
		if s.wide && s.at(i+1) == 0x85 {
			s.widened = true
			return 2
		}
	case 0xe2:
		if s.wide && s.at(i+1) == 0x80 && (s.at(i+2) == 0xa8 || s.at(i+2) == 0xa9) {
			s.widened = true
			return 3
		}
	}
	return 0
}

// newline passes a line break, if there is one.
func (s *source) newline() bool {
	n := s.brk(0)
	if n == 0 {
		return false
	}
	s.pos += n
	s.col = 0
	s.line++
	return true
}

// blank reports a space, a tab, a line break or the end, i places ahead.
func (s *source) blank(i int) bool {
	switch s.at(i) {
	case ' ', '\t', '\r', '\n', 0:
		return true
	case 0xc2, 0xe2:
		return s.brk(i) > 0
	}
	return false
}

// ordinary reports bytes that mean nothing in any scalar.
func ordinary(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == '/' || c == '(' || c == ')'
}

// word passes the ordinary bytes that come next and lie in the window.
func (s *source) word() []byte {
	n := s.pos
	for n < len(s.buf) && ordinary(s.buf[n]) {
		n++
	}
	b := s.buf[s.pos:n]
	s.col += len(b)
	s.pos = n
	return b
}

// plainWord passes the bytes that come next, lie in the window and mean nothing
// in a plain scalar outside of flow collections.
func (s *source) plainWord() []byte {
	n := s.pos
	for n < len(s.buf) && s.buf[n] > ' ' && s.buf[n] != ':' && s.buf[n] < 0x7f {
		n++
	}
	b := s.buf[s.pos:n]
	s.col += len(b)
	s.pos = n
	return b
}
