package compress

import (
	"errors"
	"io"

	"modelwall/scan"
)

// source feeds a decoder from a file. It implements io.ByteReader, so that the
// decoders take no byte too many and offset is exact; and it remembers the
// reader's own failure, which is the transport's and says nothing about the
// file.
type source struct {
	f       scan.File
	pool    *pool
	next    int64 // offset of the next read from f
	buf     []byte
	backing []byte
	err     error // the reader's own failure
}

const sourceBuffer = 32 << 10

// offset is the position in the file of the next byte a decoder will take.
func (s *source) offset() int64 { return s.next - int64(len(s.buf)) }

// fill makes at least one byte available; io.EOF is the end of the file.
func (s *source) fill() error {
	if len(s.buf) > 0 {
		return nil
	}
	if s.err != nil {
		return s.err
	}
	left := s.f.Size - s.next
	if left <= 0 {
		return io.EOF
	}
	if s.backing == nil {
		s.backing = make([]byte, min(sourceBuffer, left))
	}
	want := min(left, int64(len(s.backing)))
	n, err := s.f.ReadAt(s.backing[:want], s.next)
	s.buf = s.backing[:n]
	s.next += int64(n)
	if int64(n) < want {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the file is shorter than its size says
		}
		s.err = err
	}
	if n == 0 {
		return s.err
	}
	return nil
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

// ReadByte implements io.ByteReader.
func (s *source) ReadByte() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	b := s.buf[0]
	s.buf = s.buf[1:]
	return b, nil
}

// peek returns the next n bytes, or fewer at the end, without taking them.
func (s *source) peek(n int) ([]byte, error) {
	b := make([]byte, min(int64(n), max(0, s.f.Size-s.offset())))
	m, err := s.f.ReadAt(b, s.offset())
	if m < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		s.err = err
		return nil, err
	}
	return b, nil
}

// skipZeros moves to the next byte that is not zero, or to the end.
func (s *source) skipZeros() error {
	for {
		if err := s.fill(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for i, b := range s.buf {
			if b != 0 {
				s.buf = s.buf[i:]
				return nil
			}
		}
		s.buf = nil
	}
}
