package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"

	"modelwall/scan"
	"modelwall/scan/internal/decode"
)

// stream is the decoded content with its errors classified: damage of the
// file, a limit of ours, or the reader's own failure as it was.
type stream struct {
	*decode.Stream
	src  *source
	tail int64 // once it has ended: the first byte that belongs to no stream
}

func (s *Scanner) stream(f scan.File) *stream {
	st := &stream{src: &source{f: f, pool: &s.pool}}
	st.Stream = decode.New(func() (io.Reader, error) { return s.format.open(st.src) }, st.classify)
	return st
}

// close gives the decoder back, which has to happen before the engine looks
// into what came out: that may be the next of many wrappers. The stream must
// not be read after it.
func (s *stream) close() {
	d, ok := s.Decoder().(decoder)
	if !ok {
		return
	}
	s.tail = d.end()
	switch d := d.(type) {
	case *xzDecoder:
		s.src.pool.keep(d.z)
	case *zstdDecoder:
		s.src.pool.keep(d.Decoder)
	}
	s.Drop()
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if s.Err() != nil {
		s.close()
	}
	return n, err
}

func (s *stream) classify(err error) error {
	var dict *lzma.ErrDictSize
	switch {
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
