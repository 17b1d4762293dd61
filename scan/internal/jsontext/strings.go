package jsontext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads a string, the next byte being its opening quote.
func (r *Reader) str() (Token, error) {
	r.pos++
	r.text = r.text[:0]
	t := Token{Kind: String, Off: r.Offset()}
	high := rune(0) // a high surrogate that waits for its other half
	for {
		c, ok := r.peek()
		if !ok {
			return Token{}, r.malformed("a string without an end")
		}
		switch c {
		case '"':
			t.End = r.Offset()
			r.pos++
			r.lone(&high)
			t.Text = r.text
			return t, nil
		case '\\':
			r.pos++
			u, err := r.escape()
			if err != nil {
				return Token{}, err
			}
			r.rune(&t, u, &high)
		default:
			r.lone(&high)
			run := r.buf[r.pos:]
			if i := bytes.IndexAny(run, "\"\\"); i >= 0 {
				run = run[:i]
			}
			r.pos += len(run)
			if room := r.Keep - len(r.text); room < len(run) {
				run, t.Cut = run[:max(0, room)], true
			}
			r.text = append(r.text, run...)
		}
	}
}

// rune appends an escaped character, putting surrogates together.
func (r *Reader) rune(t *Token, u rune, high *rune) {
	if *high != 0 {
		if both := utf16.DecodeRune(*high, u); both != utf8.RuneError {
			u, *high = both, 0
		} else {
			r.lone(high)
		}
	}
	switch {
	case len(r.text) >= r.Keep:
		t.Cut = true
	case utf16.IsSurrogate(u) && u < 0xdc00:
		*high = u
	default:
		r.text = utf8.AppendRune(r.text, u)
	}
}

// lone ends the wait for a low surrogate.
func (r *Reader) lone(high *rune) {
	if *high != 0 {
		r.text = utf8.AppendRune(r.text, utf8.RuneError)
		*high = 0
	}
}

// escape reads what follows a backslash.
func (r *Reader) escape() (rune, error) {
	c, ok := r.peek()
	if !ok {
		return 0, r.malformed("a string without an end")
	}
	r.pos++
	if c != 'u' {
		if u, ok := simple(c); ok {
			return u, nil
		}
		return 0, r.malformed("an escape that does not exist")
	}
	u := rune(0)
	for range 4 {
		c, ok := r.peek()
		d, hex := digit(c)
		if !ok || !hex {
			return 0, r.malformed("an escape without four digits")
		}
		r.pos++
		u = u<<4 | d
	}
	return u, nil
}

func simple(c byte) (rune, bool) {
	switch c {
	case '"', '\\', '/', '\'':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

func digit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10, true
	}
	return 0, false
}

// Decode returns a reader of the decoded content of the string whose raw
// content lies at [off, end) of src, as a Token has it. What Next has accepted
// decodes without an error of its own.
func Decode(ctx context.Context, src io.ReaderAt, off, end int64) io.Reader {
	r := NewReader(ctx, &quoted{src, off, end}, end-off+1)
	r.Keep = chunk
	return &decoder{r: r}
}

// quoted is a section followed by a quote.
type quoted struct {
	src      io.ReaderAt
	off, end int64
}

func (q *quoted) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if want := min(int64(len(p)), q.end-q.off-off); want > 0 {
		got, err := q.src.ReadAt(p[:want], q.off+off)
		if int64(got) < want {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return got, fmt.Errorf("read a string: %w", err)
		}
		n = got
	}
	if n < len(p) && off+int64(n) == q.end-q.off {
		p[n] = '"'
		n++
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// decoder decodes piece by piece.
type decoder struct {
	r    *Reader
	high rune
	out  []byte
	text []byte // backs out
	done bool
}

func (d *decoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.done {
			return 0, io.EOF
		}
		if err := d.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// more decodes one run or one escape.
func (d *decoder) more() error {
	r := d.r
	r.text = d.text[:0]
	c, ok := r.peek()
	switch {
	case !ok:
		return r.malformed("a string without an end")
	case c == '"':
		r.lone(&d.high)
		d.done = true
	case c == '\\':
		r.pos++
		u, err := r.escape()
		if err != nil {
			return err
		}
		r.rune(&Token{}, u, &d.high)
	default:
		r.lone(&d.high)
		run := r.buf[r.pos:]
		if i := bytes.IndexAny(run, "\"\\"); i >= 0 {
			run = run[:i]
		}
		r.pos += len(run)
		r.text = append(r.text, run...)
	}
	d.out, d.text = r.text, r.text
	return nil
}
