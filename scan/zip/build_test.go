package zip_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

var le = binary.LittleEndian

// header is what a local header or a central record says; the tests make the
// two say different things.
type header struct {
	name          string
	flags, method uint16
	crc           uint32
	packed, size  uint32
	extra         []byte
}

// item is a member to be written.
type item struct {
	local, central header
	body           []byte // as it lies in the archive
	tail           []byte // after the body: a data descriptor, a gap
	hidden         bool   // not in the central directory
	at             *uint32
	mode           uint16
}

// stored makes a plain member.
func stored(name, body string) item {
	h := header{name: name, crc: crc32.ChecksumIEEE([]byte(body)), packed: uint32(len(body)), size: uint32(len(body))}
	return item{local: h, central: h, body: []byte(body)}
}

// packed makes a member compressed with a method.
func packed(t testing.TB, name, body string, method uint16) item {
	t.Helper()
	it := stored(name, body)
	it.body = pack(t, []byte(body), method)
	for _, h := range []*header{&it.local, &it.central} {
		h.method, h.packed = method, uint32(len(it.body))
	}
	return it
}

// bzip2Hello is "hello, world" by bzip2, for which Go has no writer.
const bzip2Hello = "BZh91AY&SYB\xf7\xddJ\x00\x00\x02\x11\x80@\x04\x06D\x90\x80 \x001\x06LA\x00z%\x01\xc9l1\xf8\xbb\x92)\xc2\x84\x82\x17\xbe\xeaP"

func pack(t testing.TB, body []byte, method uint16) []byte {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	var err error
	switch method {
	case 12:
		if string(body) != "hello, world" {
			t.Fatal("there is only one bzip2 sample")
		}
		return []byte(bzip2Hello)
	case 8:
		w, err = flate.NewWriter(&b, 9)
	case 14:
		w, err = lzma.WriterConfig{SizeInHeader: true, Size: int64(len(body))}.NewWriter(&b)
	case 93:
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	case 95:
		w, err = xz.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if method == 14 { // zip's own header instead of the file's
		return append([]byte{9, 20, 5, 0}, append(b.Bytes()[:5:5], b.Bytes()[13:]...)...)
	}
	return b.Bytes()
}

func (h header) writeLocal(b []byte) []byte {
	b = append(b, "PK\x03\x04\x14\x00"...)
	b = le.AppendUint16(b, h.flags)
	b = le.AppendUint16(b, h.method)
	b = append(b, 0, 0, 0x21, 0x58)
	b = le.AppendUint32(b, h.crc)
	b = le.AppendUint32(b, h.packed)
	b = le.AppendUint32(b, h.size)
	b = le.AppendUint16(b, uint16(len(h.name)))
	b = le.AppendUint16(b, uint16(len(h.extra)))
	b = append(b, h.name...)
	return append(b, h.extra...)
}

func (h header) writeCentral(b []byte, at uint32, mode uint16) []byte {
	b = append(b, "PK\x01\x02\x14\x03\x14\x00"...)
	b = le.AppendUint16(b, h.flags)
	b = le.AppendUint16(b, h.method)
	b = append(b, 0, 0, 0x21, 0x58)
	b = le.AppendUint32(b, h.crc)
	b = le.AppendUint32(b, h.packed)
	b = le.AppendUint32(b, h.size)
	b = le.AppendUint16(b, uint16(len(h.name)))
	b = le.AppendUint16(b, uint16(len(h.extra)))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint16(b, mode)
	b = le.AppendUint32(b, at)
	b = append(b, h.name...)
	return append(b, h.extra...)
}

// layout is where things are in an archive that was written.
type layout struct {
	data       []byte
	start, end int // of the central directory
	locals     []uint32
}

// write lays the members out, without an end record.
func write(items ...item) layout {
	var l layout
	for _, it := range items {
		l.locals = append(l.locals, uint32(len(l.data)))
		l.data = it.local.writeLocal(l.data)
		l.data = append(l.data, it.body...)
		l.data = append(l.data, it.tail...)
	}
	l.start = len(l.data)
	for i, it := range items {
		if it.hidden {
			continue
		}
		at := l.locals[i]
		if it.at != nil {
			at = *it.at
		}
		l.data = it.central.writeCentral(l.data, at, it.mode)
	}
	l.end = len(l.data)
	return l
}

func endRecord(b []byte, count, size, start int, comment string) []byte {
	b = append(b, "PK\x05\x06\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, uint16(count))
	b = le.AppendUint16(b, uint16(count))
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, uint32(start))
	b = le.AppendUint16(b, uint16(len(comment)))
	return append(b, comment...)
}

// archive writes a whole archive.
func archive(items ...item) []byte {
	l := write(items...)
	n := 0
	for _, it := range items {
		if !it.hidden {
			n++
		}
	}
	return endRecord(l.data, n, l.end-l.start, l.start, "")
}

// descriptor is what follows a member with flag bit 3.
func descriptor(h header) []byte {
	b := append([]byte(nil), "PK\x07\x08"...)
	b = le.AppendUint32(b, h.crc)
	b = le.AppendUint32(b, h.packed)
	return le.AppendUint32(b, h.size)
}

// streamed turns it into a member whose sizes follow it, as PyTorch writes all.
func streamed(it item) item {
	it.tail = descriptor(it.central)
	it.central.flags |= 8
	it.local.flags |= 8
	it.local.crc, it.local.packed, it.local.size = 0, 0, 0
	return it
}

// halfStreamed has its size ahead and its packed size behind, as macOS does.
func halfStreamed(it item, size int) item {
	it = streamed(it)
	it.local.size = uint32(size)
	return it
}

// zip64 is the extra field with the given values.
func zip64(values ...uint64) []byte {
	b := le.AppendUint16(nil, 1)
	b = le.AppendUint16(b, uint16(8*len(values)))
	for _, v := range values {
		b = le.AppendUint64(b, v)
	}
	return b
}
