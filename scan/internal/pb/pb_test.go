package pb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/internal/pb"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/scantest"
)

// tree is a schema that nests: 1 a number, 2 a string, 3 bytes, 4 itself.
func tree() *pb.Message {
	m := &pb.Message{ID: 7}
	m.Fields = map[pb.Number]pb.Field{1: {Kind: pb.Scalar}, 2: {Kind: pb.Text}, 3: {Kind: pb.Blob}, 4: {Kind: pb.Sub, Sub: m}}
	return m
}

// log writes down what a walk reports.
type log struct {
	strings.Builder
	depth, deepest int
	stop           error
}

func (l *log) Enter(_, _ *pb.Message, _ pb.Value) error {
	l.depth++
	l.deepest = max(l.deepest, l.depth)
	l.WriteString("{")
	return nil
}

func (l *log) Value(_ *pb.Message, v pb.Value) error {
	switch v.Number {
	case 1:
		fmt.Fprintf(l, "1=%d ", v.Int)
	case 2:
		fmt.Fprintf(l, "2=%.10q/%d ", v.Text, v.Len)
	case 3:
		fmt.Fprintf(l, "3=%d+%d ", v.Off, v.Len)
	}
	return l.stop
}

func (l *log) Leave(*pb.Message) error {
	l.depth--
	l.WriteString("}")
	return nil
}

func TestWalk(t *testing.T) {
	for _, c := range []struct {
		name, want string
		data       []byte
		err        error
	}{
		{"empty", "{}", nil, nil},
		{"all kinds", `{1=300 2="text"/4 {1=1 }3=20+2 }`, Msg(Int(1, 300), Str(2, "text"), Sub(4, Int(1, 1)), Fixed32(9, 1), Str(3, "ab")), nil},
		{"fixed", "{1=5 1=6 }", Msg(Fixed32(1, 5), Fixed64(1, 6)), nil},
		{"unknown fields", "{1=1 }", Msg(Str(8, "x"), Int(9, 1), Fixed64(10, 1), Group(11, Int(1, 2), Group(12, Sub(4, Int(1, 3)))), Int(1, 1)), nil},
		{"other wire type", "{}", Msg(Str(1, "ab"), Int(2, 1), Fixed32(4, 1)), nil},
		{"empty message", "{{}}", Sub(4), nil},
		{"merged", "{{1=1 }{1=2 }}", Msg(Sub(4, Int(1, 1)), Sub(4, Int(1, 2))), nil},
		{"long string", fmt.Sprintf("{2=%q/5000 }", strings.Repeat("a", 10)), Str(2, strings.Repeat("a", 5000)), nil},
		{"message too long", "{{1=1 }}", Msg(Promise(4, 100), Int(1, 1)), pb.ErrWire},
		{"string too long", "{1=1 ", Msg(Int(1, 1), Promise(2, 100), []byte("ab")), pb.ErrWire},
		{"inner message too long", "{{{1=1 }}1=2 }", Msg(Sub(4, Promise(4, 100), Int(1, 1)), Int(1, 2)), pb.ErrWire},
		{"length of 2^63", "{", Promise(2, 1<<63), pb.ErrWire},
		{"number cut short", "{", []byte{0x08, 0x80}, pb.ErrWire},
		{"fixed cut short", "{", Fixed32(1, 1)[:3], pb.ErrWire},
		{"number too long", "{", append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 11)...), pb.ErrWire},
		{"field 0", "{", []byte{0x00, 0x01}, pb.ErrWire},
		{"wire type 6", "{", []byte{0x0e}, pb.ErrWire},
		{"end of no group", "{", []byte{0x0c}, pb.ErrWire},
		{"end of another group", "{", Msg([]byte{0x0b}, []byte{0x14}), pb.ErrWire},
		{"group without end", "{", Group(1, Int(1, 1))[:3], pb.ErrWire},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &log{}
			err := pb.Walk(scantest.Bytes("x", c.data), tree(), l)
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Errorf("error = %v, want %v", err, c.err)
			}
			if err != nil && !errors.Is(err, scan.ErrMalformed) {
				t.Errorf("error %v has no class", err)
			}
			if diff := cmp.Diff(c.want, l.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDepth(t *testing.T) {
	nest := func(n int) []byte {
		b := Int(1, 1)
		for range n {
			b = Sub(4, b)
		}
		return b
	}
	for n, want := range map[int]error{510: nil, 511: nil, 512: scan.ErrLimit} {
		l := &log{}
		err := pb.Walk(scantest.Bytes("x", nest(n)), tree(), l)
		if !errors.Is(err, want) {
			t.Errorf("%d levels: error = %v, want %v", n, err, want)
		}
	}
}

// counting counts what is read of a file of zeros behind head.
type counting struct {
	head  []byte
	bytes int64
	calls int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	c.bytes += int64(len(p))
	clear(p)
	if off < int64(len(c.head)) {
		copy(p, c.head[off:])
	}
	return len(p), nil
}

// A tensor of a gigabyte is skipped, and a row of small fields is not read one
// by one.
func TestReads(t *testing.T) {
	const size = 1 << 30
	head := Msg(bytes.Repeat(Str(2, "0123456789"), 50_000))
	r := &counting{head: append(head, Promise(3, size)...)}
	f := scan.File{Size: int64(len(r.head)) + size, ReaderAt: r}
	if err := pb.Walk(f, tree(), &log{}); err != nil {
		t.Fatal(err)
	}
	if r.bytes > int64(len(r.head))+128<<10 || r.calls > 30 {
		t.Errorf("%d bytes in %d reads, for %d bytes of fields", r.bytes, r.calls, len(r.head))
	}
}

func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	f := scantest.Bytes("x", Int(1, 1))
	if err := pb.Walk(f, tree(), &log{stop: boom}); !errors.Is(err, boom) {
		t.Errorf("error = %v, want the visitor's", err)
	}
	f.Size = 100 // longer than the reader has
	if err := pb.Walk(f, tree(), &log{}); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, scan.ErrMalformed) {
		t.Errorf("error = %v, want the reader's own", err)
	}
}

func TestSettle(t *testing.T) {
	damage, boom := scan.Malformed(1, "x"), context.Canceled
	for _, c := range []struct {
		err   error
		known bool
		want  error
	}{
		{nil, true, nil},
		{nil, false, scan.ErrForeign},
		{damage, true, scan.ErrMalformed},
		{damage, false, scan.ErrForeign},
		{scan.Limit(0, "x"), false, scan.ErrForeign},
		{boom, false, boom},
		{boom, true, boom},
	} {
		if err := pb.Settle(c.err, c.known); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("Settle(%v, %v) = %v, want %v", c.err, c.known, err, c.want)
		}
	}
}

func TestPlausible(t *testing.T) {
	for name, c := range map[string]struct {
		head []byte
		size int64
		want bool
	}{
		"empty":                {nil, 0, false},
		"whole":                {Msg(Int(1, 8), Str(2, "x")), 5, true},
		"head only":            {Msg(Int(1, 8), Promise(2, 1<<20)), 2<<20 + 5, true},
		"cut short":            {Msg(Int(1, 8), Promise(2, 1<<20)), 100, true},
		"a length of 4 GB":     {Promise(2, 1<<32), 100, false},
		"group":                {Group(3, Int(1, 1)), 4, true},
		"zip":                  {[]byte("PK\x03\x04\x14\x00\x00\x00"), 100, false},
		"gguf":                 {[]byte("GGUF\x03\x00\x00\x00"), 100, false},
		"hdf5":                 {[]byte("\x89HDF\r\n\x1a\n\x00\x00\x00\x00"), 100, false},
		"safetensors":          {[]byte("\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":"), 100, false},
		"text":                 {[]byte("this is a text, nothing else"), 28, false},
		"tag at the end":       {[]byte{0x08, 0x01, 0x80}, 3, false},
		"tag behind head":      {[]byte{0x08, 0x01, 0x80}, 300, true},
		"zeros at the end":     {Msg(Int(1, 8), make([]byte, 8)), 10, false},
		"zeros behind a graph": {Msg(Str(7, strings.Repeat("g", 24)), make([]byte, 8)), 34, true},
		"fixed, more behind":   {[]byte{0x0d, 1}, 5, true},
		"fixed, cut short":     {[]byte{0x0d, 1}, 2, false},
	} {
		if got := pb.Plausible(c.head, c.size); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// FuzzWalk: every error has a class, levels are closed unless the walk failed,
// and the answer does not depend on what surrounds the window.
func FuzzWalk(f *testing.F) {
	f.Add(Msg(Int(1, 300), Str(2, "text"), Sub(4, Int(1, 1), Group(2, Int(3, 3)))))
	f.Add(Promise(4, 1<<40))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &log{}
		err := pb.Walk(scantest.Bytes("x", data), tree(), l)
		scantest.Classified(t, err)
		if err == nil && l.depth != 0 || l.deepest > 512 {
			t.Errorf("error %v at depth %d, the deepest being %d", err, l.depth, l.deepest)
		}
		if err == nil && len(data) > 0 && !pb.Plausible(data, int64(len(data))) {
			t.Errorf("a whole message is not plausible: %x", data)
		}
	})
}
