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
	idle    int
	err     error
}

func newStream(f scan.File, open func(*source) (decoder, error)) *stream {
	return &stream{src: &source{f: f}, open: open}
}

// maxIdle is how often in a row a decoder may answer with nothing.
const maxIdle = 100

// Read implements io.Reader.
func (s *stream) Read(p []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	// A decoder that panics on hostile data has met damage; what it decoded
	// before must not be lost with it.
	defer func() {
		if r := recover(); r != nil {
			s.err = scan.Malformed(s.src.offset(), "decoder gave up: %v", r)
			n, err = 0, s.err
		}
	}()
	if s.dec == nil {
		if s.dec, err = s.open(s.src); err != nil {
			s.err = s.classify(err)
			return 0, s.err
		}
	}
	n, err = s.dec.Read(p)
	s.decoded += int64(n)
	if n == 0 && err == nil && len(p) > 0 {
		if s.idle++; s.idle > maxIdle {
			err = io.ErrNoProgress
		}
	} else {
		s.idle = 0
	}
	if err != nil {
		s.err = s.classify(err)
	}
	return n, s.err
}

func (s *stream) classify(err error) error {
	var dict *lzma.ErrDictSize
	switch {
	case s.src.err != nil:
		return s.src.err
	case errors.Is(err, io.EOF) && s.dec != nil:
		return io.EOF
	case errors.Is(err, io.EOF): // opening: the header is cut off
		err = io.ErrUnexpectedEOF
	case errors.As(err, &dict), errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return scan.Limit(s.src.offset(), "needs more than %d MiB of dictionary: %w", maxDictionary>>20, err)
	case errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrOptions):
		return scan.Limit(s.src.offset(), "cannot be decoded here: %w", err)
	}
	return scan.Malformed(s.src.offset(), "%w", fmt.Errorf("decode: %w", err))
}
