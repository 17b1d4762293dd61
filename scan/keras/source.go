package keras

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// source reads the file.
type source struct {
	ctx context.Context //nolint:containedctx // one Scan call is this value's whole life
	f   scan.File
}

const chunkSize = 64 << 10

func (s *source) raw(b []byte, off int64) error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	n, err := s.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}

func (s *source) head() ([]byte, error) {
	b := make([]byte, min(s.f.Size, scan.HeadSize))
	return b, s.raw(b, 0)
}

// keys are what makes a text worth parsing.
func keys() [][]byte {
	return [][]byte{[]byte("class_name"), []byte("optimizer_config"), []byte("loss_weights")}
}

// escaped is an escape sequence that an ASCII letter or an underscore may hide
// behind.
var escaped = regexp.MustCompile(`\\u00[4-7]|\\x[4-7]|\\U000000[4-7]`)

// mentions reports whether the file has one of the keys, or a letter that is
// escaped without need.
func (s *source) mentions() (bool, error) {
	const overlap = 32
	buf := make([]byte, min(chunkSize, s.f.Size))
	for off := int64(0); off < s.f.Size; {
		b := buf[:min(int64(len(buf)), s.f.Size-off)]
		if err := s.raw(b, off); err != nil {
			return false, err
		}
		for _, k := range keys() {
			if bytes.Contains(b, k) {
				return true, nil
			}
		}
		if bytes.IndexByte(b, '\\') >= 0 && escaped.Match(b) {
			return true, nil
		}
		if off += int64(len(b)); off < s.f.Size {
			off -= overlap
		}
	}
	return false, nil
}

// sequence reads the file from an offset on.
type sequence struct {
	s   *source
	off int64
}

// Read implements io.Reader.
func (q *sequence) Read(p []byte) (int, error) {
	n := min(int64(len(p)), q.s.f.Size-q.off)
	if n <= 0 {
		return 0, io.EOF
	}
	if err := q.s.raw(p[:n], q.off); err != nil {
		return 0, err
	}
	q.off += n
	return int(n), nil
}

// encoding is one that Python's json takes for bytes.
type encoding int

const (
	utf8Text encoding = iota
	utf16LE
	utf16BE
	utf32LE
	utf32BE
)

// encodingOf detects it as Python's json.detect_encoding does: by the byte
// order mark, else by where the NULs of the first characters are.
func encodingOf(head []byte) encoding {
	switch {
	case bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")):
		return utf32BE
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")):
		return utf32LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return utf16BE
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return utf16LE
	}
	if len(head) < 4 {
		return utf8Text
	}
	switch {
	case head[0] == 0 && head[1] != 0:
		return utf16BE
	case head[0] == 0 && head[2] == 0 && head[3] != 0:
		return utf32BE
	case head[0] != 0 && head[1] == 0 && (head[2] != 0 || head[3] != 0):
		return utf16LE
	case head[0] != 0 && head[1] == 0:
		return utf32LE
	}
	return utf8Text
}

// jsonText reports whether a text can be JSON: it begins with a bracket, or
// with more blanks than the head has.
func jsonText(head []byte, enc encoding) bool {
	if enc != utf8Text {
		return true // nothing else reads those
	}
	t := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(t) == 0 || t[0] == '{' || t[0] == '['
}

// decoded reads the file as UTF-8.
func (s *source) decoded(enc encoding) *bufio.Reader {
	r := bufio.NewReaderSize(&sequence{s: s}, chunkSize)
	if enc == utf8Text {
		if b, err := r.Peek(3); err == nil && string(b) == "\xef\xbb\xbf" {
			_, _ = r.Discard(3) // buffered: can not fail
		}
		return r
	}
	return bufio.NewReaderSize(&wide{r: r, enc: enc}, chunkSize)
}

// wide turns UTF-16 and UTF-32 into UTF-8.
type wide struct {
	r    *bufio.Reader
	enc  encoding
	high rune // a surrogate that waits for its other half
	rest []byte
}

// Read implements io.Reader.
func (w *wide) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		r, err := w.unit()
		if err != nil {
			return 0, err
		}
		switch {
		case r == '\ufeff':
		case utf16.IsSurrogate(r) && w.high == 0:
			w.high = r
		case w.high != 0:
			w.rest = utf8.AppendRune(w.rest[:0], utf16.DecodeRune(w.high, r))
			w.high = 0
		default:
			w.rest = utf8.AppendRune(w.rest[:0], r)
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

func (w *wide) unit() (rune, error) {
	var b [4]byte
	n := 4
	if w.enc == utf16LE || w.enc == utf16BE {
		n = 2
	}
	if _, err := io.ReadFull(w.r, b[:n]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		return 0, err
	}
	switch w.enc {
	case utf16LE:
		return rune(binary.LittleEndian.Uint16(b[:])), nil
	case utf16BE:
		return rune(binary.BigEndian.Uint16(b[:])), nil
	case utf32LE:
		return rune(binary.LittleEndian.Uint32(b[:])), nil
	}
	return rune(binary.BigEndian.Uint32(b[:])), nil
}
