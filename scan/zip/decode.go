package zip

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"

	"modelwall/scan"
	"modelwall/scan/internal/decode"
)

// The methods that can be decoded, and the mark of WinZip's encryption.
const (
	methodStore   = 0
	methodDeflate = 8
	methodBzip2   = 12
	methodLZMA    = 14
	methodZstd    = 93
	methodXZ      = 95
	methodAES     = 99
)

func known(method uint16) bool {
	switch method {
	case methodStore, methodDeflate, methodBzip2, methodLZMA, methodZstd, methodXZ:
		return true
	}
	return false
}

// stream is a member decoded, its errors classified.
type stream struct {
	*decode.Stream
	m    member
	src  *source
	in   *bufio.Reader
	pool *pool
	sum  uint32 // CRC-32 of what was decoded
}

func (w *walk) stream(m member) *stream {
	packed := max(0, min(m.packed, w.size-m.data))
	src := &source{r: w.r.f.Section(m.data, packed), left: packed}
	s := &stream{m: m, src: src, pool: w.pool, in: bufio.NewReaderSize(src, int(min(32<<10, packed)))}
	s.Stream = decode.New(func() (io.Reader, error) { return open(s.m, s.in, s.pool) }, s.classify)
	return s
}

// close gives the decoder back, which has to happen before the engine looks
// into what came out. The stream must not be read after it.
func (s *stream) close() {
	s.pool.keep(s.Decoder())
	s.Drop()
}

// source reads the packed bytes and remembers the reader's own failure.
type source struct {
	r     io.Reader
	left  int64
	taken int64
	err   error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.taken += int64(n)
	s.left -= int64(n)
	if errors.Is(err, io.EOF) && s.left > 0 {
		err = io.ErrUnexpectedEOF // the file is shorter than its size says
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// taken is how many packed bytes the decoder used.
func (s *stream) taken() int64 { return s.src.taken - int64(s.in.Buffered()) }

// transport is the reader's own failure.
func (s *stream) transport() error { return s.src.err }

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
	if s.Err() != nil {
		s.close()
	}
	return n, err
}

func (s *stream) classify(err error) error {
	off := s.m.data + s.taken()
	var dict *lzma.ErrDictSize
	switch {
	case s.src.err != nil:
		return s.src.err
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &dict), errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return scan.Limit(off, "needs more than %d MiB of dictionary: %w", maxDictionary>>20, err)
	case errors.Is(err, xz.ErrUnsupportedCheck), errors.Is(err, xz.ErrOptions):
		return scan.Limit(off, "cannot be decoded here: %w", err)
	}
	return scan.Malformed(off, "decode: %w", err)
}

// open returns the decoder of m. None of them verifies the zip's checksum.
func open(m member, in *bufio.Reader, p *pool) (io.Reader, error) {
	switch m.method {
	case methodStore:
		return in, nil
	case methodDeflate:
		return p.openFlate(in)
	case methodBzip2:
		return bzip2.NewReader(in), nil
	case methodLZMA:
		return openLZMA(m, in)
	case methodZstd:
		return p.openZstd(in)
	case methodXZ:
		return p.openXZ(in)
	}
	return nil, fmt.Errorf("method %d", m.method)
}

// openLZMA turns zip's LZMA header (version, length of the properties, the
// properties) into that of an .lzma file.
func openLZMA(m member, in io.Reader) (io.Reader, error) {
	head := make([]byte, 9)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, err
	}
	if n := le.Uint16(head[2:]); n != 5 {
		return nil, fmt.Errorf("%d bytes of LZMA properties", n)
	}
	size := uint64(m.size)
	if m.flags&flagEOS != 0 {
		size = 1<<64 - 1
	}
	// The dictionary need not be larger than what the bytes could ever fill.
	const maxRatio = 1 << 14 // LZMA gains less than that
	if dict, most := le.Uint32(head[5:]), uint64(m.packed)*maxRatio; dict <= maxDictionary && uint64(dict) > most {
		le.PutUint32(head[5:], uint32(most))
	}
	alone := binary.LittleEndian.AppendUint64(head[4:9:9], size)
	return lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(io.MultiReader(bytes.NewReader(alone), in))
}
