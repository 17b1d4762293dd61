package sevenzip_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"unicode/utf16"

	"github.com/ulikunitz/xz/lzma"
)

var le = binary.LittleEndian

// entry is a file or folder of an archive to be written.
type entry struct {
	name  string
	body  string
	dir   bool
	attrs uint32
}

// build says how an archive is written.
type build struct {
	entries []entry
	method  string // copy, lzma, lzma2
	props   []byte // instead of the right ones
	coder   string // instead of the right id
	packed  bool   // pack the header as well
	extra   int    // files more than there are
	sums    bool   // checksums of the files
	badSum  bool
	count   int // number of files, instead of the right one
	unnamed int // files at the end that are not listed
}

func number(b []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(b, byte(v))
	case v < 0x4000:
		return append(b, 0x80|byte(v>>8), byte(v))
	}
	return le.AppendUint64(append(b, 0xff), v)
}

// pack returns a coder's id, its properties and what it makes of body.
func pack(t testing.TB, method, body string) (id string, props, packed []byte) {
	t.Helper()
	var b bytes.Buffer
	switch method {
	case "lzma":
		w, err := lzma.WriterConfig{SizeInHeader: true, Size: int64(len(body)), DictCap: 1 << 16}.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return "\x03\x01\x01", b.Bytes()[:5:5], b.Bytes()[13:]
	case "lzma2":
		w, err := lzma.Writer2Config{DictCap: 1 << 16}.NewWriter2(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return "\x21", []byte{8}, b.Bytes()
	}
	return "\x00", nil, []byte(body)
}

// streams writes PackInfo and UnpackInfo for one folder.
func (a build) streams(b []byte, pos, packed, unpacked int, id string, props []byte) []byte {
	b = append(b, 0x06)
	b = number(b, uint64(pos))
	b = append(b, 1, 0x09)
	b = number(b, uint64(packed))
	b = append(b, 0, 0x07, 0x0b, 1, 0, 1)
	flags := byte(len(id))
	if len(props) > 0 {
		flags |= 0x20
	}
	b = append(append(b, flags), id...)
	if len(props) > 0 {
		b = number(b, uint64(len(props)))
		b = append(b, props...)
	}
	b = append(b, 0x0c)
	b = number(b, uint64(unpacked))
	return append(b, 0)
}

// write returns the archive.
func (a build) write(t testing.TB) []byte {
	t.Helper()
	var body string
	var files []entry
	for _, e := range a.entries {
		if !e.dir && e.body != "" {
			files = append(files, e)
			body += e.body
		}
	}
	id, props, packed := pack(t, a.method, body)
	if a.coder != "" {
		id = a.coder
	}
	if a.props != nil {
		props = a.props
	}
	h := append([]byte(nil), 0x01, 0x04)
	h = a.streams(h, 0, len(packed), len(body), id, props)
	h = append(h, 0x08, 0x0d)
	h = number(h, uint64(len(files)))
	if len(files) > 1 {
		h = append(h, 0x09)
		for _, e := range files[:len(files)-1] {
			h = number(h, uint64(len(e.body)))
		}
	}
	if a.sums {
		h = append(h, 0x0a, 1)
		for _, e := range files {
			sum := crc32.ChecksumIEEE([]byte(e.body))
			if a.badSum {
				sum++
			}
			h = le.AppendUint32(h, sum)
		}
	}
	h = append(h, 0, 0)
	h = a.files(h)
	h = append(h, 0)
	tail := packed
	if a.packed {
		id, props, small := pack(t, "lzma", string(h))
		e := append([]byte(nil), 0x17)
		e = a.streams(e, len(packed), len(small), len(h), id, props)
		tail = append(tail, small...)
		h = append(e, 0)
	}
	return seal(tail, h)
}

func (a build) files(h []byte) []byte {
	h = append(h, 0x05)
	a.entries = a.entries[:len(a.entries)-a.unnamed]
	n := len(a.entries) + a.extra
	if a.count > 0 {
		n = a.count
	}
	h = number(h, uint64(n))
	property := func(id byte, data []byte) {
		h = append(h, id)
		h = number(h, uint64(len(data)))
		h = append(h, data...)
	}
	empty := make([]byte, (len(a.entries)+a.extra+7)/8)
	var kinds []bool
	for i, e := range a.entries {
		if e.dir || e.body == "" {
			empty[i/8] |= 0x80 >> (i % 8)
			kinds = append(kinds, !e.dir)
		}
	}
	if len(kinds) > 0 {
		property(0x0e, empty)
		bits := make([]byte, (len(kinds)+7)/8)
		for i, file := range kinds {
			if file {
				bits[i/8] |= 0x80 >> (i % 8)
			}
		}
		property(0x0f, bits)
	}
	names := []byte{0}
	attrs := []byte{1, 0}
	for i := range len(a.entries) + a.extra {
		e := entry{name: "extra"}
		if i < len(a.entries) {
			e = a.entries[i]
		}
		for _, u := range utf16.Encode([]rune(e.name + "\x00")) {
			names = le.AppendUint16(names, u)
		}
		attrs = le.AppendUint32(attrs, e.attrs)
	}
	property(0x11, names)
	property(0x15, attrs)
	return append(h, 0)
}

// seal puts the first header before packed streams and a header.
func seal(packed, h []byte) []byte {
	rest := le.AppendUint64(nil, uint64(len(packed)))
	rest = le.AppendUint64(rest, uint64(len(h)))
	rest = le.AppendUint32(rest, crc32.ChecksumIEEE(h))
	b := append([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), le.AppendUint32(nil, crc32.ChecksumIEEE(rest))...)
	b = append(b, rest...)
	return append(append(b, packed...), h...)
}

// mixed has an encrypted folder and a plain one.
func mixed() []byte {
	h := []byte{0x01, 0x04, 0x06, 0, 2, 0x09, 16, 5, 0}        // two packed streams
	h = append(h, 0x07, 0x0b, 2, 0)                            // two folders
	h = append(h, 1, 0x24, 0x06, 0xf1, 0x07, 0x01, 2, 0x53, 7) // AES
	h = append(h, 1, 1, 0)                                     // copy
	h = append(h, 0x0c, 12, 5, 0, 0)                           // unpacked sizes
	names := "\x00s\x00e\x00c\x00\x00\x00p\x00\x00\x00"        // "sec", "p"
	h = append(append(h, 0x05, 2, 0x11, byte(len(names))), names...)
	return seal([]byte("0123456789abcdefplain"), append(h, 0, 0))
}

// folders has two of them and no list of what is in them: one file each.
func folders() []byte {
	h := []byte{0x01, 0x04, 0x06, 0, 2, 0x09, 5, 6, 0} // two packed streams
	h = append(h, 0x07, 0x0b, 2, 0, 1, 1, 0, 1, 1, 0)  // two folders, copy
	h = append(h, 0x0c, 5, 6, 0, 0)                    // unpacked sizes
	names := "\x00a\x00\x00\x00b\x00\x00\x00"
	h = append(append(h, 0x05, 2, 0x11, byte(len(names))), names...)
	return seal([]byte("firstsecond"), append(h, 0, 0))
}
