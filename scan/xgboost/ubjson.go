package xgboost

import (
	"context"
	bin "encoding/binary"
	"errors"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/cursor"
	"modelwall/scan/internal/phrase"
)

var le, be = bin.LittleEndian, bin.BigEndian

// sizeOf returns the size in bytes of the numbers of a type, 0 for no type of
// a fixed size.
func sizeOf(t byte) int64 {
	switch t {
	case 'i', 'U', 'C':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	return 0
}

// matchUBJSON: an object whose first key has a length of at most 255. In JSON
// a quote would be there.
func matchUBJSON(head []byte) bool {
	if len(head) < 4 || head[0] != '{' {
		return false
	}
	n := int(sizeOf(head[1]))
	if n == 0 || head[1] == 'C' || head[1] == 'd' || head[1] == 'D' || len(head) < 2+n+1 {
		return false
	}
	for _, b := range head[2 : 1+n] {
		if b != 0 {
			return false
		}
	}
	length := int(head[1+n])
	if length == 0 || len(head) < 2+n+length {
		return false
	}
	for _, c := range head[2+n : 2+n+length] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Bounds of one file.
const (
	maxDepth   = 256
	minValues  = 4 // that can be read, before damage is worth a word
	maxText    = 4 << 10
	maxMatched = 512 << 10 // bytes of strings that are looked at
)

// level is an object or array that is being read.
type level struct {
	object bool
	kind   byte  // of all its values, 0 if each has its own
	left   int64 // values that are due, -1 up to the end mark
}

// walk is the state of one scan of UBJSON.
type walk struct {
	*cursor.Cursor
	s       *Scanner
	sink    scan.Sink
	open    []level
	matched int
	values  int
	told    int
}

func (s *Scanner) ubjson(ctx context.Context, f scan.File, sink scan.Sink) error {
	w := &walk{Cursor: cursor.New(f), s: s, sink: sink}
	w.value(w.byte())
	for n := 0; len(w.open) > 0 && w.Err() == nil; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w.next()
	}
	if w.Err() != nil {
		if errors.Is(w.Err(), scan.ErrMalformed) && w.values < minValues && w.told == 0 {
			// Text begins like an object too.
			return &scan.Error{Class: scan.ErrForeign, Offset: w.Off(), Reason: errors.New("no UBJSON")}
		}
		return w.Err()
	}
	if w.Left() == 0 {
		return nil
	}
	s.finding(sink, "trailing", scan.Low, w.Off(), "data follows the model")
	return sink.Member(ctx, scan.Member{Name: "(trailing data)", At: f.Section(w.Off(), w.Left()), Size: w.Left()})
}

func (w *walk) byte() byte {
	if b := w.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// next reads one value of the innermost container, with its key, or its end.
func (w *walk) next() {
	top := &w.open[len(w.open)-1]
	end := byte(']')
	if top.object {
		end = '}'
	}
	if top.left == 0 {
		w.open = w.open[:len(w.open)-1]
		return
	}
	if top.left < 0 {
		for w.Err() == nil && len(w.Peek(1)) > 0 && w.Peek(1)[0] == 'N' {
			w.byte() // padding
		}
		if b := w.Peek(1); len(b) > 0 && b[0] == end {
			w.byte()
			w.open = w.open[:len(w.open)-1]
			return
		}
	} else {
		top.left--
	}
	kind := top.kind
	if top.object {
		w.text(w.length(w.byte()))
	}
	if kind == 0 {
		kind = w.byte()
	}
	w.value(kind)
}

// value reads what a type announces.
func (w *walk) value(kind byte) {
	w.values++
	switch kind {
	case 'Z', 'T', 'F', 'N':
	case 'i', 'U', 'C', 'I', 'l', 'd', 'L', 'D':
		w.Skip(sizeOf(kind))
	case 'S', 'H':
		w.text(w.length(w.byte()))
	case '[', '{':
		w.container(kind == '{')
	default:
		w.Fail("there is no type %q", kind)
	}
}

// container reads the type and the count of an object or array, if it has
// them. An array of numbers is skipped.
func (w *walk) container(object bool) {
	l := level{object: object, left: -1}
	if b := w.Peek(1); len(b) > 0 && b[0] == '$' {
		w.byte()
		l.kind = w.byte()
	}
	if b := w.Peek(1); len(b) > 0 && b[0] == '#' {
		w.byte()
		l.left = w.length(w.byte())
	} else if l.kind != 0 {
		w.Fail("a type without a count")
	}
	size := sizeOf(l.kind)
	switch {
	case w.Err() != nil:
		return
	case size > 0 && !object:
		if l.left > w.Left()/size {
			w.Fail("%d numbers with %d bytes left", l.left, w.Left())
			return
		}
		w.Skip(l.left * size)
		return
	case l.left > w.Left(): // each value takes a byte, with a type that has none a key
		w.Fail("%d values with %d bytes left", l.left, w.Left())
		return
	case !object && (l.kind == 'Z' || l.kind == 'T' || l.kind == 'F' || l.kind == 'N'):
		return // values without bytes
	}
	if len(w.open) >= maxDepth {
		w.Stop(scan.Limit(w.Off(), "nested more than %d levels deep", maxDepth))
		return
	}
	w.open = append(w.open, l)
}

// length reads a length whose type is given.
func (w *walk) length(kind byte) int64 {
	var n int64
	switch kind {
	case 'i':
		n = int64(int8(w.Uint(1, be)))
	case 'U':
		n = int64(w.Uint(1, be))
	case 'I':
		n = int64(int16(w.Uint(2, be)))
	case 'l':
		n = int64(int32(w.Uint(4, be)))
	case 'L':
		n = int64(w.Uint(8, be))
	default:
		w.Fail("a length of type %q", kind)
	}
	if n < 0 {
		w.Fail("a negative length")
	}
	if w.Err() != nil {
		return 0
	}
	return n
}

// text reads a string and looks for a command in it.
func (w *walk) text(n int64) {
	at := w.Off()
	if w.Err() != nil {
		return
	}
	if n < 8 || w.matched >= maxMatched || w.told >= maxCommands {
		w.Skip(n)
		return
	}
	text := w.Text(n, maxText)
	if !phrase.Worth(text) || !clue.Printable([]byte(text)) {
		return
	}
	w.matched += len(text)
	if m := w.s.phrases.Match(text); m != "" {
		w.told++
		w.s.command(w.sink, at, m)
	}
}
