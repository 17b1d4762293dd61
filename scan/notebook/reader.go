package notebook

import (
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// reader walks the JSON text of a notebook and keeps the code of its cells. It
// holds one buffer and the code, whatever else the notebook carries.
type reader struct {
	ctx     context.Context //nolint:containedctx // one call of run is this value's whole life
	r       io.Reader
	left    int64
	buf     [64 << 10]byte
	pos, n  int
	off     int64
	stack   []frame
	cell    *cell // the one at hand
	depth   int   // of the cell at hand in the stack
	code    []string
	size    int
	cells   int
	over    bool // more code than is kept
	scripts bool // an output has a script
}

// frame is an object or a list that is open.
type frame struct {
	object bool
	key    string // of the value at hand
	name   string // the key this one is the value of
}

type cell struct {
	kinds  []string
	source []*strings.Builder
}

// maxDepth is Python's recursion limit: no reader goes deeper.
const maxDepth = 1000

func (r *reader) fail(what string) error { return &syntaxError{r.off, what} }

// next returns the next byte; io.EOF at the end.
func (r *reader) next() (byte, error) {
	if r.pos == r.n {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := r.r.Read(r.buf[:])
		r.left -= int64(n)
		r.pos, r.n = 0, n
		if n == 0 {
			if errors.Is(err, io.EOF) && r.left > 0 {
				err = io.ErrUnexpectedEOF // the file is shorter than its size says
			}
			if err == nil {
				err = io.ErrNoProgress
			}
			return 0, err
		}
	}
	c := r.buf[r.pos]
	r.pos++
	r.off++
	return c, nil
}

// run reads the whole text.
func (r *reader) run() error {
	started := false
	key := true // in an object: a key comes next
	for {
		c, err := r.next()
		if errors.Is(err, io.EOF) {
			if len(r.stack) > 0 || !started {
				return r.fail("the end comes too early")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch c {
		case ' ', '\t', '\r', '\n', 0xef, 0xbb, 0xbf:
		case '{', '[':
			started = true
			if len(r.stack) >= maxDepth {
				return r.fail("too deep")
			}
			r.open(c == '{')
			key = true
		case '}', ']':
			if len(r.stack) == 0 || r.top().object != (c == '}') {
				return r.fail("a bracket that closes nothing")
			}
			r.close()
			key = true
		case ',':
			key = true
		case ':':
			key = false
		case '"':
			started = true
			if len(r.stack) > 0 && r.top().object && key {
				s, err := r.text(nil, 256)
				if err != nil {
					return err
				}
				r.top().key = s
				continue
			}
			if err := r.value(); err != nil {
				return err
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.') {
				return r.fail("a character that no value begins with")
			}
			started = true
		}
	}
}

func (r *reader) top() *frame { return &r.stack[len(r.stack)-1] }

// open begins an object or a list.
func (r *reader) open(object bool) {
	f := frame{object: object}
	if n := len(r.stack); n > 0 {
		f.name = r.top().key
		if !r.top().object {
			f.name = r.top().name
		}
		if r.cell == nil && object && !r.top().object && r.top().name == "cells" {
			r.cell, r.depth = &cell{}, n
			r.cells++
		} else if r.cell != nil && !object && n == r.depth+1 && (f.name == "source" || f.name == "input") {
			r.cell.source = append(r.cell.source, &strings.Builder{})
		}
	}
	r.stack = append(r.stack, f)
}

// close ends an object or a list, and with it maybe a cell.
func (r *reader) close() {
	r.stack = r.stack[:len(r.stack)-1]
	if r.cell == nil || len(r.stack) != r.depth {
		return
	}
	code := len(r.cell.kinds) == 0
	for _, k := range r.cell.kinds {
		code = code || k == "code"
	}
	if code {
		for _, s := range r.cell.source {
			r.code = append(r.code, s.String())
		}
	} else {
		for _, s := range r.cell.source {
			r.size -= s.Len()
		}
	}
	r.cell = nil
}

// value reads a string that is no key.
func (r *reader) value() error {
	f := frame{}
	if len(r.stack) > 0 {
		f = *r.top()
	}
	key := f.key
	if !f.object {
		key = f.name
	}
	level := len(r.stack) - 1 - r.depth
	switch {
	case r.cell == nil:
	case level == 0 && key == "cell_type":
		s, err := r.text(nil, 64)
		if len(r.cell.kinds) < 16 {
			r.cell.kinds = append(r.cell.kinds, s)
		}
		return err
	case level == 0 && (key == "source" || key == "input"):
		r.cell.source = append(r.cell.source, &strings.Builder{})
		return r.keep()
	case level == 1 && !f.object && (key == "source" || key == "input") && len(r.cell.source) > 0:
		return r.keep()
	case key == "text/html" || key == "application/javascript" || key == "image/svg+xml" || key == "html" || key == "javascript":
		s, err := r.text(nil, 64<<10)
		if strings.Contains(strings.ToLower(s), "<script") || key == "application/javascript" || key == "javascript" {
			r.scripts = true
		}
		return err
	}
	_, err := r.text(nil, 0)
	return err
}

// keep adds a string to the source of the cell at hand.
func (r *reader) keep() error {
	b := r.cell.source[len(r.cell.source)-1]
	before := b.Len()
	_, err := r.text(b, max(0, maxCode-r.size))
	r.size += b.Len() - before
	r.over = r.over || r.size >= maxCode
	return err
}

// text reads the rest of a string and returns at most limit bytes of it, or
// writes them to b.
func (r *reader) text(b *strings.Builder, limit int) (string, error) {
	own := b == nil
	if own {
		b = &strings.Builder{}
	}
	start := b.Len()
	put := func(p string) {
		if b.Len()-start+len(p) <= limit {
			b.WriteString(p)
		}
	}
	pending := rune(0) // a high surrogate
	for {
		c, err := r.next()
		if errors.Is(err, io.EOF) {
			return "", r.fail("a string that does not end")
		}
		if err != nil {
			return "", err
		}
		if pending != 0 && c != '\\' {
			put(string(utf8.RuneError))
			pending = 0
		}
		switch c {
		case '"':
			if own {
				return b.String(), nil
			}
			return "", nil
		case '\\':
			e, err := r.next()
			if errors.Is(err, io.EOF) {
				return "", r.fail("a string that does not end")
			}
			if err != nil {
				return "", err
			}
			if e != 'u' {
				if i := strings.IndexByte(`"\/bfnrt`, e); i >= 0 {
					put(string("\"\\/\b\f\n\r\t"[i]))
				}
				continue
			}
			u, err := r.unicode()
			if err != nil {
				return "", err
			}
			switch {
			case pending != 0:
				put(string(utf16.DecodeRune(pending, u)))
				pending = 0
			case utf16.IsSurrogate(u):
				pending = u
			default:
				put(string(u))
			}
		default:
			if limit > 0 {
				put(string([]byte{c}))
			}
		}
	}
}

// unicode reads the four digits behind \u.
func (r *reader) unicode() (rune, error) {
	u := rune(0)
	for range 4 {
		c, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = r.fail("a string that does not end")
			}
			return 0, err
		}
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if c >= '0' && c <= '9' {
			i = int(c - '0')
		}
		if i < 0 {
			return 0, r.fail("a bad escape")
		}
		u = u<<4 | rune(i)
	}
	return u, nil
}
