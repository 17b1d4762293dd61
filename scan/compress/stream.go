package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"

	"modelwall/scan"
)

// stream is the decoded content with its errors classified: damage of the
// file, a limit of ours, or the reader's own failure as it was. After the
// first error it only repeats that one.
type stream struct {
	src     *source
	dec     decoder
	open    func(*source) (decoder, error)
	decoded int64
	tail    int64 // once it has ended: the first byte that belongs to no stream
	idle    int
	damage  error // reported once nothing more comes out
	err     error
}

func (s *Scanner) stream(f scan.File) *stream {
	return &stream{src: &source{f: f, pool: &s.pool}, open: s.format.open}
}

// close gives the decoder back, which has to happen before the engine looks
// into what came out: that may be the next of many wrappers. The stream must
// not be read after it.
func (s *stream) close() {
	if s.dec == nil {
		return
	}
	s.tail = s.dec.end()
	switch d := s.dec.(type) {
	case *xzDecoder:
		s.src.pool.keep(d.z)
	case *zstdDecoder:
		s.src.pool.keep(d.Decoder)
	}
	s.dec = nil
}

// maxIdle is how often in a row a decoder may answer with nothing.
const maxIdle = 100

// Read implements io.Reader.
func (s *stream) Read(p []byte) (n int, err error) {
	defer func() {
		s.decoded += int64(n)
		if s.err != nil {
			s.close()
		}
	}()
	if s.err == nil && s.damage == nil {
		n, err = s.decode(p)
		switch err = s.classify(err); {
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
			return n, nil
		}
		s.err = s.damage
	}
	return 0, s.err
}

// decode reads from the decoder. One that panics on hostile data has met
// damage; what it decoded before must not be lost with it.
func (s *stream) decode(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.dec = nil // not to be used again
			n, err = 0, fmt.Errorf("decoder gave up: %v", r)
		}
	}()
	if s.dec == nil {
		dec, err := s.open(s.src)
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
func (s *stream) salvage(p []byte) (n int) {
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

func (s *stream) classify(err error) error {
	var dict *lzma.ErrDictSize
	switch {
	case err == nil:
		return nil
	case s.src.err != nil:
		return s.src.err
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &dict), errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return scan.Limit(s.src.offset(), "needs more than %d MiB of dictionary: %w", maxDictionary>>20, err)
	case errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrOptions):
		return scan.Limit(s.src.offset(), "cannot be decoded here: %w", err)
	}
	return scan.Malformed(s.src.offset(), "%w", fmt.Errorf("decode: %w", err))
}
