// Package decode reads from decompressors that were not written for hostile
// bytes: one that panics has met damage, one that answers with nothing for ever
// is stopped, and what was decoded in front of damage is not lost, because a
// loader has used it by then.
package decode

import (
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// maxIdle is how often in a row a decoder may answer with nothing.
const maxIdle = 100

// Stream is what a decoder makes of its input. After the first error it only
// repeats that one.
type Stream struct {
	open     func() (io.Reader, error)
	classify func(error) error
	dec      io.Reader
	decoded  int64
	idle     int
	damage   error // reported once nothing more comes out
	err      error
}

// New returns the stream of the decoder that open makes at the first read.
// Classify says what an error of it means: io.EOF, damage of the file
// (scan.ErrMalformed, after which the decoder is asked for what it holds back),
// or anything else, which ends the stream at once.
func New(open func() (io.Reader, error), classify func(error) error) *Stream {
	return &Stream{open: open, classify: classify}
}

// Decoded is how many bytes came out so far.
func (s *Stream) Decoded() int64 { return s.decoded }

// Err is the error that ended the stream, nil while it has not ended.
func (s *Stream) Err() error { return s.err }

// Decoder is what open made, nil before the first read and once the decoder
// has panicked.
func (s *Stream) Decoder() io.Reader { return s.dec }

// Drop forgets the decoder. The stream must not be read after it.
func (s *Stream) Drop() { s.dec = nil }

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (n int, err error) {
	if s.err == nil && s.damage == nil {
		n, err = s.decode(p)
		s.decoded += int64(n)
		if err != nil {
			err = s.classify(err)
		}
		switch {
		case errors.Is(err, scan.ErrMalformed):
			s.damage = err
		case err != nil:
			s.err = err
		}
		if n > 0 || err == nil {
			return n, s.err
		}
	}
	if s.err == nil {
		if n = s.salvage(p); n > 0 {
			s.decoded += int64(n)
			return n, nil
		}
		s.err = s.damage
	}
	return 0, s.err
}

// decode reads from the decoder.
func (s *Stream) decode(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.dec = nil // not to be used again
			n, err = 0, fmt.Errorf("decoder gave up: %v", r)
		}
	}()
	if s.dec == nil {
		dec, err := s.open()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the header is cut off
		}
		if err != nil {
			return 0, err
		}
		s.dec = dec
	}
	n, err = s.dec.Read(p)
	if n > 0 || err != nil || len(p) == 0 {
		s.idle = 0
	} else if s.idle++; s.idle > maxIdle {
		err = io.ErrNoProgress
	}
	return n, err
}

// salvage takes what a decoder holds back once it has met damage: the LZMA
// library decodes into its dictionary and reports the damage first. Reading
// byte by byte, it decodes no further as long as it has any.
func (s *Stream) salvage(p []byte) (n int) {
	if s.dec == nil {
		return 0
	}
	defer func() {
		if recover() != nil { // damage all the same
			s.dec = nil
		}
	}()
	for n < len(p) {
		if m, _ := s.dec.Read(p[n : n+1]); m == 0 {
			break
		}
		n++
	}
	return n
}
