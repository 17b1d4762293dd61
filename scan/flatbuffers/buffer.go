package flatbuffers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"modelwall/scan"
)

var le = binary.LittleEndian

// How the file is read: in pages, of which the latest at each place are kept.
const (
	pageSize = 4 << 10
	pages    = 256
)

// maxText is how much of a string is read, in bytes.
const maxText = 1 << 10

// buffer reads the parts of a flat buffer. After the first error it reads
// zeros. Each offset is checked against the size of the file.
type buffer struct {
	f     scan.File
	slots [pages]page
	err   error
	cost  int64 // tables and items visited
}

type page struct {
	no   int64 // 1 is the first
	data []byte
}

// bytes fills b from off.
func (b *buffer) bytes(p []byte, off int64) {
	if b.err != nil {
		return
	}
	if off < 0 || int64(len(p)) > b.f.Size-off {
		b.fail(off, "%d bytes beyond the end", int64(len(p))-(b.f.Size-off))
		return
	}
	for len(p) > 0 {
		no := off / pageSize
		s := &b.slots[no%pages]
		if s.no != no+1 {
			n := min(pageSize, b.f.Size-no*pageSize)
			s.data = slices.Grow(s.data[:0], pageSize)[:n]
			if got, err := b.f.ReadAt(s.data, no*pageSize); got < len(s.data) {
				s.no = 0
				if err == nil || errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				b.err = fmt.Errorf("read at %d: %w", no*pageSize, err)
				return
			}
			s.no = no + 1
		}
		n := copy(p, s.data[off-no*pageSize:])
		p, off = p[n:], off+int64(n)
	}
}

func (b *buffer) fail(off int64, format string, args ...any) {
	if b.err == nil {
		b.err = scan.Malformed(off, format, args...)
	}
}

func (b *buffer) u16(off int64) uint16 {
	var p [2]byte
	b.bytes(p[:], off)
	return le.Uint16(p[:])
}

func (b *buffer) u32(off int64) uint32 {
	var p [4]byte
	b.bytes(p[:], off)
	return le.Uint32(p[:])
}

func (b *buffer) u64(off int64) uint64 {
	var p [8]byte
	b.bytes(p[:], off)
	return le.Uint64(p[:])
}

// spend counts n visits. Tables can be pointed to from many places, so the
// work is not bounded by the size of the file alone.
func (b *buffer) spend(n int64) {
	if b.cost += n; b.err == nil && b.cost > 16<<10+b.f.Size {
		b.err = scan.Limit(0, "more parts than bytes")
	}
}

// table is a table at a place, or the absent one.
type table struct {
	b      *buffer
	at     int64
	vtable int64
	size   int64 // of the vtable in bytes
}

// root returns the outermost table.
func (b *buffer) root() table { return b.table(int64(b.u32(0))) }

// table reads where the fields of the table at off are. A vtable that is too
// short has no fields, as it has for those who do not verify.
func (b *buffer) table(off int64) table {
	b.spend(1)
	v := off - int64(int32(b.u32(off)))
	if b.err == nil && (v < 0 || v > b.f.Size-4) {
		b.fail(off, "a table whose vtable lies outside of the file")
	}
	if b.err != nil {
		return table{}
	}
	return table{b, off, v, int64(b.u16(v))}
}

// field returns where field i is, 0 if the table does not have it.
func (t table) field(i int) int64 {
	slot := 4 + 2*int64(i)
	if t.b == nil || t.b.err != nil || slot+2 > t.size {
		return 0
	}
	if off := int64(t.b.u16(t.vtable + slot)); off > 0 {
		return t.at + off
	}
	return 0
}

func (t table) has(i int) bool { return t.field(i) > 0 }

// int returns a field of 32 bits.
func (t table) int(i int) int32 {
	if off := t.field(i); off > 0 {
		return int32(t.b.u32(off))
	}
	return 0
}

func (t table) u64(i int) uint64 {
	if off := t.field(i); off > 0 {
		return t.b.u64(off)
	}
	return 0
}

func (t table) byte(i int) byte {
	var p [1]byte
	if off := t.field(i); off > 0 {
		t.b.bytes(p[:], off)
	}
	return p[0]
}

// table returns a field that is a table.
func (t table) table(i int) table {
	off := t.field(i)
	if off == 0 {
		return table{}
	}
	return t.b.table(off + int64(t.b.u32(off)))
}

// vector is a vector at a place.
type vector struct {
	b  *buffer
	at int64 // of the first item
	n  int64
}

// vector returns a field that is a vector of items of so many bytes.
func (t table) vector(i int, item int64) vector {
	off := t.field(i)
	if off == 0 {
		return vector{}
	}
	return t.b.vector(off+int64(t.b.u32(off)), item)
}

func (b *buffer) vector(at, item int64) vector {
	n := int64(b.u32(at))
	if b.err == nil && n*item > b.f.Size-at-4 {
		b.fail(at, "a vector of %d items with %d bytes left", n, b.f.Size-at-4)
	}
	if b.err != nil {
		return vector{}
	}
	return vector{b, at + 4, n}
}

// table returns an item that is a table.
func (v vector) table(i int64) table {
	off := v.at + 4*i
	return v.b.table(off + int64(v.b.u32(off)))
}

// string returns a field that is a string, at most the first maxText bytes.
func (t table) string(i int) string {
	v := t.vector(i, 1)
	p := make([]byte, min(v.n, maxText))
	if v.b != nil {
		v.b.spend(v.n / 16)
		v.b.bytes(p, v.at)
	}
	return string(p)
}
