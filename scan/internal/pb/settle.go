package pb

import (
	"bytes"
	"errors"
	"io"

	"modelwall/scan"
)

// Settle turns the outcome of a walk into a scanner's answer. A protocol
// buffer has no signature: only what stands in it tells that a loader of a
// format gets anywhere. Without such evidence the file is foreign, whole or
// damaged; with it, damage stays damage. The reader's own errors pass.
func Settle(err error, known bool) error {
	damage := errors.Is(err, scan.ErrMalformed) || errors.Is(err, scan.ErrLimit)
	if known || err != nil && !damage {
		return err
	}
	return &scan.Error{Class: scan.ErrForeign, Reason: errForeign}
}

// Member is the content of a Text or Blob field of f, for scan.Sink.
func Member(f scan.File, name string, val Value) scan.Member {
	if val.Data != nil {
		return scan.Member{Name: name, At: bytes.NewReader(val.Data), Size: int64(len(val.Data))}
	}
	return scan.Member{Name: name, At: io.NewSectionReader(f, val.Off, val.Len), Size: val.Len}
}

var errForeign = errors.New("another kind of message")

// Word reports whether s can be the name of an operation, a layer or a
// variable: ASCII letters, digits and a few signs, a letter among them.
func Word(s string) bool {
	letter := false
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letter = true
		case c >= '0' && c <= '9', c == '_', c == '-', c == '.', c == ':', c == '/', c == '>', c == '@', c == '$':
		default:
			return false
		}
	}
	return letter
}
