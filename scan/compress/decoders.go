package compress

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/bits"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
	"github.com/ulikunitz/xz/lzma"
)

// single is a decoder of one stream that takes its last byte exactly.
type single struct {
	io.Reader
	src *source
}

func (d single) end() int64 { return d.src.offset() }

// gzipDecoder joins the members of a gzip file as Python's gzip module does:
// zeros between members are padding, and anything else ends the data.
type gzipDecoder struct {
	src  *source
	z    *gzip.Reader
	tail int64
}

func openGzip(src *source) (decoder, error) {
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipDecoder{src: src, z: z}, nil
}

func (d *gzipDecoder) Read(p []byte) (int, error) {
	for {
		n, err := d.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := d.next(); err != nil || n > 0 {
			return n, err
		}
	}
}

// next goes to the next member; io.EOF says that there is none.
func (d *gzipDecoder) next() error {
	d.tail = d.src.offset()
	if err := d.src.skipZeros(); err != nil {
		return err
	}
	magic, err := d.src.peek(2)
	if err != nil {
		return err
	}
	if string(magic) != "\x1f\x8b" {
		return io.EOF
	}
	if err := d.z.Reset(d.src); errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	d.z.Multistream(false)
	return nil
}

func (d *gzipDecoder) end() int64 { return d.tail }

func matchBzip2(head []byte) bool {
	return len(head) >= 4 && string(head[:3]) == "BZh" && head[3] >= '1' && head[3] <= '9'
}

// bzip2Decoder is the library's, which joins streams by itself and takes two
// bytes of whatever follows to see that it is not another.
type bzip2Decoder struct {
	io.Reader
	src  *source
	tail int64
}

func openBzip2(src *source) (decoder, error) {
	return &bzip2Decoder{Reader: bzip2.NewReader(src), src: src}, nil
}

func (d *bzip2Decoder) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	d.tail = d.src.offset()
	if errors.Is(err, bzip2.StructuralError("bad magic value in continuation file")) {
		d.tail -= 2
		err = io.EOF
	}
	return n, err
}

func (d *bzip2Decoder) end() int64 { return d.tail }

// xzDecoder joins xz streams one by one, because the library buffers ahead and
// does not tell damage from foreign data after the end.
type xzDecoder struct {
	src  *source
	z    *xz.Reader
	tail int64
}

func openXZ(src *source) (decoder, error) {
	z, err := src.pool.openXZ(src)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &xzDecoder{src: src, z: z}, nil
}

func (d *xzDecoder) Read(p []byte) (int, error) {
	for {
		n, err := d.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := d.next(); err != nil || n > 0 {
			return n, err
		}
	}
}

// next goes to the next stream; io.EOF says that there is none.
func (d *xzDecoder) next() error {
	err := d.z.Reset(nil)
	switch {
	case err == nil:
		d.z.Multistream(false)
		return nil
	case d.src.err != nil:
		return d.src.err
	case errors.Is(err, io.EOF):
		d.tail = d.src.offset()
		return io.EOF
	}
	if d.tail, err = d.footer(); err != nil {
		return err
	}
	return io.EOF
}

func (d *xzDecoder) end() int64 { return d.tail }

// footer finds where a stream ends, within what the library may have buffered:
// CRC-32, backward size, flags, "YZ". There is something behind it. It takes
// the first, since an attacker can write another one anywhere behind the end.
func (d *xzDecoder) footer() (int64, error) {
	const footer, window = 12, 16 << 10
	from := max(0, d.src.offset()-window)
	b := make([]byte, d.src.offset()-from)
	if n, err := d.src.f.ReadAt(b, from); n < len(b) {
		d.src.err = err
		return 0, err
	}
	for end := footer; end <= len(b); end++ {
		f := b[end-footer : end]
		if string(f[10:]) == "YZ" && crc32.ChecksumIEEE(f[4:10]) == binary.LittleEndian.Uint32(f) {
			return from + int64(end), nil
		}
	}
	return d.src.offset(), nil
}

// matchLZMA accepts what liblzma's own detection does: a dictionary of a usual
// size, or of none, and a plausible length; and joblib's, which looks for 5D 00
// only. The first byte of the range coder is always zero.
func matchLZMA(head []byte) bool {
	const headLen, coder = 13, 5 // bytes of the header and to start the range coder
	if len(head) < headLen+1 || head[0] >= 9*5*5 || head[headLen] != 0 {
		return false
	}
	if head[0] == 0x5d && head[1] == 0 {
		return true
	}
	dict := binary.LittleEndian.Uint32(head[1:])
	size := binary.LittleEndian.Uint64(head[5:])
	if dict == 0 && size == 0 { // zeros, which a tensor may begin with: what do they lead to?
		next := head[min(headLen+coder, len(head)):]
		return prefix(xzMagic)(next) || matchLZMA(next)
	}
	top := bits.Len32(dict)
	usual := dict == 0 || dict == 1<<32-1 || bits.OnesCount32(dict) == 1 ||
		bits.OnesCount32(dict) == 2 && dict>>(top-2) == 3
	return usual && (size == 1<<64-1 || size < 1<<38)
}

// openLZMA lowers the dictionary that the header asks for to what the bytes
// of the file could ever fill, so that a few bytes do not reserve megabytes.
func openLZMA(src *source) (decoder, error) {
	const headLen, coder, maxRatio = 13, 5, 1 << 14 // LZMA gains less than that
	head := make([]byte, headLen)
	if _, err := io.ReadFull(src, head); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint64(head[5:]) == 0 { // the library wants an end mark
		_, err := io.ReadFull(src, make([]byte, coder))
		return single{bytes.NewReader(nil), src}, err
	}
	if dict, most := binary.LittleEndian.Uint32(head[1:]), uint64(src.f.Size)*maxRatio; dict <= maxDictionary && uint64(dict) > most {
		binary.LittleEndian.PutUint32(head[1:], uint32(most))
	}
	r, err := lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(&prefixed{head, src})
	return single{r, src}, err
}

// prefixed reads some bytes and then a source.
type prefixed struct {
	head []byte
	src  *source
}

// Read implements io.Reader.
func (r *prefixed) Read(p []byte) (int, error) {
	if len(r.head) == 0 {
		return r.src.Read(p)
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	return n, nil
}

// ReadByte implements io.ByteReader.
func (r *prefixed) ReadByte() (byte, error) {
	if len(r.head) == 0 {
		return r.src.ReadByte()
	}
	b := r.head[0]
	r.head = r.head[1:]
	return b, nil
}

// matchZlib accepts the four headers that zlib writes without a preset
// dictionary; joblib looks at the first byte only.
func matchZlib(head []byte) bool {
	return len(head) >= 2 && head[0] == 0x78 && strings.IndexByte("\x01\x5e\x9c\xda", head[1]) >= 0
}

func openZlib(src *source) (decoder, error) {
	z, err := zlib.NewReader(src)
	return single{z, src}, err
}

// openZFile reads joblib's old wrapper: "ZF", the decoded length as a hex
// number padded to 19 characters, maybe one more blank, a zlib stream. Joblib
// takes the number in every spelling that Python's int does, so that what
// stands there is not looked at.
func openZFile(src *source) (decoder, error) {
	const headLen = 21
	if _, err := io.ReadFull(src, make([]byte, headLen)); err != nil {
		return nil, err
	}
	blank, err := src.peek(1)
	if err != nil {
		return nil, err
	}
	if string(blank) == " " {
		if _, err := src.ReadByte(); err != nil {
			return nil, err
		}
	}
	return openZlib(src)
}

// matchZstd accepts a frame, or the skippable frames that may precede it.
func matchZstd(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
}

// zstdDecoder is the library's, which joins frames by itself and takes four
// bytes of whatever follows to see that it is not another.
type zstdDecoder struct {
	*zstd.Decoder
	src  *source
	tail int64
}

func openZstd(src *source) (decoder, error) {
	z, err := src.pool.openZstd(src)
	if err != nil {
		return nil, err
	}
	return &zstdDecoder{Decoder: z, src: src}, nil
}

func (d *zstdDecoder) Read(p []byte) (int, error) {
	n, err := d.Decoder.Read(p)
	d.tail = d.src.offset()
	if errors.Is(err, zstd.ErrMagicMismatch) {
		d.tail -= 4
		err = io.EOF
	}
	return n, err
}

func (d *zstdDecoder) end() int64 { return d.tail }

func matchLZ4(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == 0x184d2204 || magic == 0x184c2102
}

// lz4Decoder is the library's, which joins frames by itself and takes four
// bytes of whatever follows to see that it is not another.
type lz4Decoder struct {
	*lz4.Reader
	src  *source
	tail int64
}

func openLZ4(src *source) (decoder, error) {
	return &lz4Decoder{Reader: lz4.NewReader(src), src: src}, nil
}

func (d *lz4Decoder) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	d.tail = d.src.offset()
	if errors.Is(err, lz4.ErrInvalidFrame) {
		d.tail -= 4
		err = io.EOF
	}
	return n, err
}

func (d *lz4Decoder) end() int64 { return d.tail }
