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

// stream is a member decoded, its errors classified. After the first error it
// only repeats that one.
type stream struct {
	m       member
	src     *source
	in      *bufio.Reader
	pool    *pool
	dec     io.Reader
	decoded int64
	sum     uint32 // CRC-32 of what was decoded
	idle    int
	damage  error // reported once nothing more comes out
	err     error
}

func (w *walk) stream(m member) *stream {
	packed := max(0, min(m.packed, w.size-m.data))
	src := &source{r: w.r.f.Section(m.data, packed), left: packed}
	return &stream{m: m, src: src, pool: w.pool, in: bufio.NewReaderSize(src, int(min(32<<10, packed)))}
}

// close gives the decoder back, which has to happen before the engine looks
// into what came out. The stream must not be read after it.
func (s *stream) close() {
	s.pool.keep(s.dec)
	s.dec = nil
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

// maxIdle is how often in a row a decoder may answer with nothing.
const maxIdle = 100

// Read implements io.Reader.
func (s *stream) Read(p []byte) (n int, err error) {
	defer func() {
		s.decoded += int64(n)
		s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
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
		dec, err := open(s.m, s.in, s.pool)
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
	off := s.m.data + s.taken()
	var dict *lzma.ErrDictSize
	switch {
	case err == nil:
		return nil
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
