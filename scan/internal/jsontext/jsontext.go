// Package jsontext reads JSON (RFC 8259) as a stream of tokens in constant
// memory, for scanners that look for a few keys in files of any size.
//
// It is at least as tolerant as the parsers that model loaders use, because a
// file that one of them accepts has to be seen whole: a byte order mark,
// comments, a comma before a closing bracket, NaN and the infinities, control
// characters inside of strings and several values one after another (JSON
// Lines) are read; Transcode brings UTF-16 and UTF-32 to UTF-8, if need be
// by the way in which Python's json.loads detects them in bytes. Duplicate keys come out as often
// as they are there, since parsers disagree about which one counts.
package jsontext

import (
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds.
const (
	End       Kind = iota // of the text
	Object                // {
	ObjectEnd             // }
	Array                 // [
	ArrayEnd              // ]
	Key                   // a string before a colon
	String                // a string as a value
	Literal               // true, false, null, NaN, Infinity
	Number                // as spelled
)

// Token is one token. Text is valid until the next call of Next.
type Token struct {
	Kind Kind
	// Text is the decoded content of a string, or the literal or number as
	// spelled; at most as many bytes as the Reader keeps.
	Text []byte
	Cut  bool // Text lacks the rest
	// Off and End delimit the raw content, for strings without the quotes.
	Off, End int64
}

// MaxDepth is how deep values may nest. Python stops at about a thousand.
const MaxDepth = 10_000

// chunk is how much is read at once, in bytes.
const chunk = 64 << 10

// Reader yields the tokens of a text.
type Reader struct {
	// Keep is how many decoded bytes of a string come out in Token.Text.
	Keep int
	// Values counts the values at the top level.
	Values int
	// Duplicates and the like are the caller's question; what only tolerant
	// parsers read is noted here.
	Lenient bool

	ctx  context.Context //nolint:containedctx // one pass over one text is this value's whole life
	src  io.ReaderAt
	size int64
	buf  []byte
	base int64 // offset of buf[0]
	pos  int
	err  error // sticky

	open  []byte // '{' and '['
	state state
	text  []byte
}

type state uint8

const (
	wantValue state = iota
	wantFirst       // a value or the end of an array
	wantKey         // a key or the end of an object
	wantColon
	wantComma // a comma or an end
)

// NewReader reads the size bytes of src, which are UTF-8.
func NewReader(ctx context.Context, src io.ReaderAt, size int64) *Reader {
	return &Reader{Keep: 4 << 10, ctx: ctx, src: src, size: size}
}

// Offset is how far the text was read.
func (r *Reader) Offset() int64 { return r.base + int64(r.pos) }

// Depth is how many objects and arrays are open.
func (r *Reader) Depth() int { return len(r.open) }

// Next returns the next token. The error is of class scan.ErrMalformed where
// no parser goes on, scan.ErrLimit past MaxDepth, or the reader's own.
func (r *Reader) Next() (Token, error) {
	if r.err != nil {
		return Token{}, r.err
	}
	t, err := r.next()
	r.err = err
	return t, err
}

// peek returns the next byte, false at the end or on an error.
func (r *Reader) peek() (byte, bool) {
	if r.pos < len(r.buf) {
		return r.buf[r.pos], true
	}
	if r.fill() && r.pos < len(r.buf) {
		return r.buf[r.pos], true
	}
	return 0, false
}

// fill reads the next piece once the last one is used up.
func (r *Reader) fill() bool {
	at := r.Offset()
	n := min(chunk, r.size-at)
	if n <= 0 || r.err != nil {
		return false
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return false
	}
	if r.buf == nil {
		r.buf = make([]byte, n)
	}
	r.buf = r.buf[:cap(r.buf)]
	n = min(n, int64(len(r.buf)))
	got, err := r.src.ReadAt(r.buf[:n], at)
	if int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		r.err = fmt.Errorf("read %d bytes at %d: %w", n, at, err)
		r.buf = r.buf[:0]
		r.base, r.pos = at, 0
		return false
	}
	r.buf, r.base, r.pos = r.buf[:n], at, 0
	if at == 0 && n >= 3 && string(r.buf[:3]) == "\xef\xbb\xbf" {
		r.pos = 3
	}
	return true
}

func (r *Reader) malformed(format string, args ...any) error {
	if r.err != nil {
		return r.err
	}
	return scan.Malformed(r.Offset(), format, args...)
}

// blanks skips white space and comments.
func (r *Reader) blanks() error {
	for {
		c, ok := r.peek()
		switch {
		case !ok:
			return r.err
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			r.pos++
		case c == '/':
			if err := r.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (r *Reader) comment() error {
	r.pos++
	r.Lenient = true
	c, ok := r.peek()
	if !ok || c != '/' && c != '*' {
		return r.malformed("a slash where a value belongs")
	}
	r.pos++
	star := false
	for {
		d, ok := r.peek()
		if !ok {
			if c == '/' && r.err == nil {
				return nil
			}
			return r.malformed("a comment without an end")
		}
		r.pos++
		if c == '/' && d == '\n' || c == '*' && star && d == '/' {
			return nil
		}
		star = d == '*'
	}
}

func (r *Reader) next() (Token, error) {
	for {
		if err := r.blanks(); err != nil {
			return Token{}, err
		}
		c, ok := r.peek()
		if !ok {
			if r.err != nil {
				return Token{}, r.err
			}
			if len(r.open) > 0 || r.Values == 0 {
				return Token{}, r.malformed("the text ends inside of a value")
			}
			return Token{Kind: End, Off: r.Offset(), End: r.Offset()}, nil
		}
		switch {
		case r.state == wantColon:
			if c != ':' {
				return Token{}, r.malformed("no colon after a key")
			}
			r.pos++
			r.state = wantValue
		case r.state == wantComma && c == ',' && len(r.open) > 0:
			r.pos++
			r.state = wantFirst // a value or, for tolerant parsers, an end
			if r.open[len(r.open)-1] == '{' {
				r.state = wantKey
			}
		case r.state == wantComma && len(r.open) == 0:
			r.state = wantValue // the next value of several
		default:
			return r.token(c)
		}
	}
}

func (r *Reader) token(c byte) (Token, error) {
	off := r.Offset()
	switch c {
	case '}', ']':
		return r.closing(c, off)
	}
	switch r.state {
	case wantComma:
		return Token{}, r.malformed("no comma between values")
	case wantKey:
		if c != '"' {
			return Token{}, r.malformed("no string where a key belongs")
		}
		t, err := r.str()
		t.Kind = Key
		r.state = wantColon
		return t, err
	}
	switch {
	case c == '{' || c == '[':
		if len(r.open) >= MaxDepth {
			return Token{}, scan.Limit(off, "nested more than %d levels deep", MaxDepth)
		}
		r.pos++
		r.open = append(r.open, c)
		t := Token{Kind: Object, Off: off, End: off + 1}
		r.state = wantKey
		if c == '[' {
			t.Kind, r.state = Array, wantFirst
		}
		return t, nil
	case c == '"':
		t, err := r.str()
		r.done()
		return t, err
	}
	return r.word(off)
}

func (r *Reader) closing(c byte, off int64) (Token, error) {
	n := len(r.open)
	if n == 0 || r.open[n-1] != c-2 || r.state == wantValue || r.state == wantColon {
		return Token{}, r.malformed("a bracket closes what is not open")
	}
	r.pos++
	r.open = r.open[:n-1]
	r.done()
	if c == '}' {
		return Token{Kind: ObjectEnd, Off: off, End: off + 1}, nil
	}
	return Token{Kind: ArrayEnd, Off: off, End: off + 1}, nil
}

// done is called when a value is complete.
func (r *Reader) done() {
	if r.state = wantComma; len(r.open) == 0 {
		r.Values++
	}
}

// maxWord bounds numbers and literals, in bytes.
const maxWord = 64 << 10

// word reads a number or a literal.
func (r *Reader) word(off int64) (Token, error) {
	r.text = r.text[:0]
	n := 0
	for {
		c, ok := r.peek()
		letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
		if !ok || !letter {
			break
		}
		if n++; n > maxWord {
			return Token{}, r.malformed("a number of more than %d digits", maxWord)
		}
		if len(r.text) < max(r.Keep, len("-Infinity")) {
			r.text = append(r.text, c)
		}
		r.pos++
	}
	if r.err != nil {
		return Token{}, r.err
	}
	t := Token{Kind: Number, Text: r.text, Off: off, End: r.Offset(), Cut: n > len(r.text)}
	switch string(r.text) {
	case "":
		return Token{}, r.malformed("no value")
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		t.Kind = Literal
	default:
		if c := r.text[0]; c != '-' && (c < '0' || c > '9') {
			return Token{}, r.malformed("no value")
		}
	}
	r.done()
	return t, nil
}
