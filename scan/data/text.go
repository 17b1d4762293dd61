package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// decoding checks text piece by piece.
type decoding interface {
	// take reports whether b goes on as text. Pieces have any length.
	take(b []byte) bool
	// done reports whether the text may end here.
	done() bool
}

// decodingOf chooses by the byte order mark; UTF-8 needs none.
func decodingOf(head []byte) decoding {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")):
		return &wide{order: binary.LittleEndian, unit: 4}
	case bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")):
		return &wide{order: binary.BigEndian, unit: 4}
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return &wide{order: binary.LittleEndian, unit: 2}
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return &wide{order: binary.BigEndian, unit: 2}
	}
	return &narrow{}
}

// narrow is UTF-8 without NUL.
type narrow struct{ rest []byte }

func (d *narrow) take(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for len(d.rest) > 0 { // finish the character that the last piece began
		if utf8.FullRune(d.rest) {
			if r, n := utf8.DecodeRune(d.rest); r == utf8.RuneError && n == 1 {
				return false
			}
			d.rest = nil
			break
		}
		if len(b) == 0 {
			return true
		}
		d.rest = append(d.rest, b[0])
		b = b[1:]
	}
	end := len(b)
	for end > 0 && end > len(b)-utf8.UTFMax && !utf8.RuneStart(b[end-1]) {
		end--
	}
	if end > 0 && !utf8.FullRune(b[end-1:]) {
		end--
	} else {
		end = len(b)
	}
	d.rest = append(d.rest, b[end:]...)
	return utf8.Valid(b[:end])
}

func (d *narrow) done() bool { return utf8.Valid(d.rest) }

// wide is UTF-16 or UTF-32 without NUL.
type wide struct {
	order binary.ByteOrder
	unit  int
	rest  []byte
	high  bool // a high surrogate waits for its low one
}

func (d *wide) take(b []byte) bool {
	b = append(d.rest, b...)
	for ; len(b) >= d.unit; b = b[d.unit:] {
		if d.unit == 4 {
			if r := d.order.Uint32(b); r == 0 || r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
				return false
			}
			continue
		}
		r := rune(d.order.Uint16(b))
		low := r >= 0xdc00 && r < 0xe000
		if r == 0 || low != d.high {
			return false
		}
		d.high = !low && utf16.IsSurrogate(r)
	}
	d.rest = bytes.Clone(b)
	return true
}

func (d *wide) done() bool { return len(d.rest) == 0 && !d.high }

// looksText reports whether a file that begins with head can be text.
func looksText(p scan.Probe) bool {
	d := decodingOf(p.Head)
	return p.Size > 0 && d.take(p.Head) && (p.Size > int64(len(p.Head)) || d.done())
}

func matchText(p scan.Probe) bool { return looksText(p) }

func scanText(ctx context.Context, in *input) error {
	ok, err := in.isText(ctx)
	if err == nil && !ok {
		return foreign(0, "not text to the end")
	}
	return err
}

// isText reads the whole file, or as much as it takes to see that it is not
// text.
func (in *input) isText(ctx context.Context) (bool, error) {
	head, err := in.head(4)
	if err != nil {
		return false, err
	}
	d, ok := decodingOf(head), true
	err = in.chunks(ctx, 0, in.Size, func(b []byte) bool {
		ok = d.take(b)
		return ok
	})
	return ok && d.done(), err
}

func matchJSON(p scan.Probe) bool {
	b := bytes.TrimLeft(p.Head, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && looksText(p)
}

func scanJSON(ctx context.Context, in *input) error {
	var v validator
	ok, err := in.isJSON(ctx, &v, 0, in.Size)
	if err == nil && !ok {
		return foreign(v.at, "not one JSON value")
	}
	return err
}

// isJSON reports whether [from, to) is one JSON value, with blanks around it.
func (in *input) isJSON(ctx context.Context, v *validator, from, to int64) (bool, error) {
	err := in.chunks(ctx, from, to, v.take)
	return v.done(), err
}
