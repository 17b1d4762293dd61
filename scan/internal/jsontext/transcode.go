package jsontext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// maxTranscode is how large a text in UTF-16 or UTF-32 may be, in bytes.
const maxTranscode = 16 << 20

// wide is an encoding of two or four bytes for a unit.
type wide struct {
	order binary.ByteOrder
	unit  int
	mark  int // bytes of the byte order mark
}

// Guess says how to recognise UTF-16 and UTF-32.
type Guess uint8

// The ways to recognise them.
const (
	// ByMark goes by the byte order mark alone.
	ByMark Guess = iota
	// ByZeros goes by the byte order mark, else by where the first characters
	// have their zero bytes, as Python's json does for bytes.
	ByZeros
)

// detect chooses the encoding.
func detect(b []byte, g Guess) (wide, bool) {
	le, be := binary.LittleEndian, binary.BigEndian
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")):
		return wide{le, 4, 4}, true
	case bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")):
		return wide{be, 4, 4}, true
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return wide{le, 2, 2}, true
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return wide{be, 2, 2}, true
	case g == ByMark:
	case len(b) >= 4 && b[0] == 0 && b[1] != 0:
		return wide{be, 2, 0}, true
	case len(b) >= 4 && b[0] == 0:
		return wide{be, 4, 0}, true
	case len(b) >= 4 && b[1] == 0 && (b[2] != 0 || b[3] != 0):
		return wide{le, 2, 0}, true
	case len(b) >= 4 && b[1] == 0:
		return wide{le, 4, 0}, true
	case len(b) >= 2 && len(b) < 4 && b[0] == 0:
		return wide{be, 2, 0}, true
	case len(b) >= 2 && len(b) < 4 && b[1] == 0:
		return wide{le, 2, 0}, true
	}
	return wide{}, false
}

// Head returns the beginning of a text as UTF-8, to judge what it is. A
// character that is cut off at the end is left out.
func Head(b []byte, g Guess) []byte {
	w, ok := detect(b, g)
	if !ok {
		return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	}
	return w.decode(b[w.mark:])
}

// Transcode returns the text of f as UTF-8, f itself when it is that. A text
// in another encoding is held in memory; scan.ErrLimit past 16 MiB of it.
// Offsets in it are those of the decoded text.
func Transcode(f scan.File, g Guess) (io.ReaderAt, int64, error) {
	head := make([]byte, min(4, f.Size))
	if err := read(f, head, 0); err != nil {
		return nil, 0, err
	}
	w, ok := detect(head, g)
	if !ok {
		return f, f.Size, nil
	}
	if f.Size > maxTranscode {
		return nil, 0, scan.Limit(0, "a text in UTF-%d of more than %d bytes", 8*w.unit, maxTranscode)
	}
	raw := make([]byte, f.Size)
	if err := read(f, raw, 0); err != nil {
		return nil, 0, err
	}
	out := w.decode(raw[w.mark:])
	return bytes.NewReader(out), int64(len(out)), nil
}

func read(f scan.File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}

func (w wide) decode(b []byte) []byte {
	out := make([]byte, 0, len(b)/w.unit)
	high := rune(0)
	for ; len(b) >= w.unit; b = b[w.unit:] {
		if w.unit == 4 {
			out = utf8.AppendRune(out, rune(w.order.Uint32(b)))
			continue
		}
		u := rune(w.order.Uint16(b))
		if high != 0 {
			both := utf16.DecodeRune(high, u)
			high = 0
			out = utf8.AppendRune(out, both)
			if both != utf8.RuneError {
				continue
			}
		}
		if utf16.IsSurrogate(u) && u < 0xdc00 {
			high = u
			continue
		}
		out = utf8.AppendRune(out, u)
	}
	return out
}
