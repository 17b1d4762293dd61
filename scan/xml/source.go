package xml

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// encoding is how characters are written. A unit of one byte is UTF-8 or any
// other that keeps ASCII.
type encoding struct {
	unit  int
	order binary.ByteOrder
	mark  int // bytes of the byte order mark
}

// encodingOf follows appendix F of the XML specification.
func encodingOf(head []byte) encoding {
	le, be := binary.LittleEndian, binary.BigEndian
	for _, e := range [...]struct {
		prefix string
		encoding
	}{
		{"\xff\xfe\x00\x00", encoding{4, le, 4}},
		{"\x00\x00\xfe\xff", encoding{4, be, 4}},
		{"<\x00\x00\x00", encoding{4, le, 0}},
		{"\x00\x00\x00<", encoding{4, be, 0}},
		{"\xff\xfe", encoding{2, le, 2}},
		{"\xfe\xff", encoding{2, be, 2}},
		{"<\x00", encoding{2, le, 0}},
		{"\x00<", encoding{2, be, 0}},
		{"\xef\xbb\xbf", encoding{1, nil, 3}},
	} {
		if bytes.HasPrefix(head, []byte(e.prefix)) {
			return e.encoding
		}
	}
	return encoding{unit: 1}
}

// narrow turns whole units into UTF-8.
func (e encoding) narrow(b []byte) []byte {
	out := make([]byte, 0, len(b)/e.unit)
	b = b[min(e.mark, len(b)):]
	for ; len(b) >= e.unit; b = b[e.unit:] {
		var r rune
		if e.unit == 4 {
			r = rune(e.order.Uint32(b))
		} else if r = rune(e.order.Uint16(b)); utf16.IsSurrogate(r) && len(b) >= 4 {
			r = utf16.DecodeRune(r, rune(e.order.Uint16(b[2:])))
			b = b[2:]
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// source yields the bytes of a file as UTF-8.
type source struct {
	f    scan.File
	enc  encoding
	off  int64 // of what comes after buf
	buf  []byte
	pos  int
	room []byte
	err  error // the reader's own; io.EOF at the end
}

func newSource(f scan.File) *source { return &source{f: f, enc: encoding{unit: 1}} }

const chunk = 64 << 10

// fill reads the next piece.
func (s *source) fill() bool {
	if s.err != nil {
		return false
	}
	n := min(chunk, s.f.Size-s.off)
	if n <= 0 {
		s.err = io.EOF
		return false
	}
	if s.room == nil {
		s.room = make([]byte, n)
	}
	b := s.room[:n]
	if got, err := s.f.ReadAt(b, s.off); got < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.err = fmt.Errorf("read at %d: %w", s.off, err)
		return false
	}
	first := s.off == 0
	if first {
		s.enc = encodingOf(b)
	}
	s.off += n
	if s.enc.unit > 1 {
		e := s.enc
		if !first {
			e.mark = 0
		}
		b = e.narrow(b)
	} else if first {
		b = b[s.enc.mark:]
	}
	s.buf, s.pos = b, 0
	return true
}

// next returns a byte; false is the end.
func (s *source) next() (byte, bool) {
	for s.pos >= len(s.buf) {
		if !s.fill() {
			return 0, false
		}
	}
	c := s.buf[s.pos]
	s.pos++
	return c, true
}

// peek returns the next byte and leaves it there.
func (s *source) peek() (byte, bool) {
	c, ok := s.next()
	if ok {
		s.pos--
	}
	return c, ok
}

// at is about where the next byte stands in the file.
func (s *source) at() int64 {
	left := int64(len(s.buf) - s.pos)
	return max(0, s.off-left*int64(s.enc.unit))
}
