package syntax

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// str reads a string literal whose prefix is already behind.
func (l *Lexer) str(t *Token, prefix string) {
	t.Kind = StringToken
	lit := &Literal{}
	t.Lit = lit
	raw := false
	for i := range len(prefix) {
		switch prefix[i] | 0x20 {
		case 'r':
			raw = true
		case 'b':
			lit.Bytes = true
		case 'f', 't':
			lit.Format = true
		}
	}
	quote := l.peek(0)
	triple := l.peek(1) == quote && l.peek(2) == quote
	l.pos++
	if triple {
		l.pos += 2
	}
	var ok bool
	if lit.Format {
		ok = l.format(lit, quote, triple, raw)
	} else {
		ok = l.plain(lit, quote, triple, raw)
	}
	if !ok {
		l.Errors.add(t.Off, "a string that does not end")
		t.Kind = Bad
	}
}

// plain reads the body of a literal without replacement fields.
func (l *Lexer) plain(lit *Literal, quote byte, triple, raw bool) bool {
	var text strings.Builder
	add := func(b []byte) {
		if room := maxString - text.Len(); len(b) > room {
			b, lit.Cut = b[:room], true
		}
		text.Write(b)
	}
	stop := "\\\r\n" + string(quote)
	if triple {
		stop = "\\\n" + string(quote)
	}
	for !l.done() {
		b := l.rest()
		i := bytes.IndexAny(b, stop)
		if i < 0 {
			add(b)
			l.pos += len(b)
			continue
		}
		add(b[:i])
		l.pos += i
		switch c := b[i]; {
		case c == '\\':
			l.escape(lit, raw, add)
		case c == quote && !triple:
			l.pos++
			lit.Value = text.String()
			return true
		case c == quote && l.peek(1) == quote && l.peek(2) == quote:
			l.pos += 3
			lit.Value = text.String()
			return true
		case c == quote:
			add([]byte{c})
			l.pos++
		case !triple:
			lit.Value = text.String()
			return false // the line ends first
		default:
			add([]byte{'\n'})
			l.newline()
		}
	}
	lit.Value = text.String()
	return false
}

// escape reads a backslash and what belongs to it.
func (l *Lexer) escape(lit *Literal, raw bool, add func([]byte)) {
	l.pos++
	if l.done() {
		return
	}
	c := l.peek(0)
	if c == '\n' || c == '\r' {
		l.newline()
		if raw {
			add([]byte("\\\n"))
		}
		return
	}
	if raw {
		add([]byte{'\\', c})
		l.pos++
		return
	}
	const simple = `\'"abfnrtv`
	if i := strings.IndexByte(simple, c); i >= 0 {
		add([]byte{"\\'\"\a\b\f\n\r\t\v"[i]})
		l.pos++
		return
	}
	var digits int
	base := rune(16)
	switch {
	case c >= '0' && c <= '7':
		digits, base = 3, 8
	case c == 'x':
		digits = 2
	case c == 'u' && !lit.Bytes:
		digits = 4
	case c == 'U' && !lit.Bytes:
		digits = 8
	case c == 'N' && !lit.Bytes && l.peek(1) == '{':
		l.pos++
		l.fill(maxNamed)
		if i := bytes.IndexByte(l.buf[l.pos:min(len(l.buf), l.pos+maxNamed)], '}'); i >= 0 {
			l.pos += i + 1
			lit.Escapes++
			add([]byte("?"))
		}
		return
	default:
		add([]byte{'\\'})
		return // the character itself comes next
	}
	if base == 16 {
		l.pos++
	}
	r, n := rune(0), 0
	for n < digits {
		v := hexValue(l.peek(0))
		if v < 0 || v >= base {
			break
		}
		r = r*base + v
		l.pos++
		n++
	}
	lit.Escapes++
	if lit.Bytes {
		add([]byte{byte(r)})
		return
	}
	if r < 0 || r > utf8.MaxRune {
		r = utf8.RuneError
	}
	add(utf8.AppendRune(nil, r))
}

const maxNamed = 128

func hexValue(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// place is where in nested f-strings the reader stands.
type place struct {
	expr   bool // in a replacement field; else in literal text
	quote  byte // of literal text; 0 is a format specification, ended by }
	triple bool
	raw    bool
	format bool
	depth  int // brackets open in a replacement field
}

// format reads the body of an f-string. Replacement fields follow Python 3.12,
// where any quotes may stand in them.
func (l *Lexer) format(lit *Literal, quote byte, triple, raw bool) bool {
	f := formatReader{Lexer: l, lit: lit, stack: []place{{quote: quote, triple: triple, raw: raw, format: true}}}
	ok := f.run()
	lit.Value = f.text.String()
	return ok
}

type formatReader struct {
	*Lexer
	lit   *Literal
	stack []place
	text  strings.Builder // the outermost literal text
	field []byte          // source of the replacement field at hand
	open  int             // depth of stack at which field is being taken, 0 for none
}

func (f *formatReader) run() bool {
	for !f.done() {
		top := &f.stack[len(f.stack)-1]
		if top.expr {
			if !f.inField(top) {
				return false
			}
			continue
		}
		ended, ok := f.inText(top)
		if !ok {
			return false
		}
		if ended {
			f.stack = f.stack[:len(f.stack)-1]
			if len(f.stack) == 0 {
				return true
			}
		}
	}
	return false
}

func (f *formatReader) push(p place) bool {
	f.stack = append(f.stack, p)
	return len(f.stack) <= maxFormat
}

// take moves n bytes to where they belong.
func (f *formatReader) take(n int) {
	f.fill(n)
	b := f.buf[f.pos:min(len(f.buf), f.pos+n)]
	switch {
	case f.open > 0:
		if len(f.field) < maxExpr {
			f.field = append(f.field, b...)
		}
	case len(f.stack) == 1:
		if f.text.Len() < maxString {
			f.text.Write(b)
		} else {
			f.lit.Cut = true
		}
	}
	f.line += bytes.Count(b, []byte{'\n'})
	f.pos += len(b)
}

// inText reads one step of literal text.
func (f *formatReader) inText(p *place) (ended, ok bool) {
	c := f.peek(0)
	switch {
	case p.quote != 0 && c == p.quote && (!p.triple || f.peek(1) == c && f.peek(2) == c):
		n := 1
		if p.triple {
			n = 3
		}
		if len(f.stack) == 1 {
			f.pos += n
		} else {
			f.take(n)
		}
		return true, true
	case (c == '\n' || c == '\r') && !p.triple && p.quote != 0:
		return false, false
	case c == '\\' && len(f.stack) == 1 && !p.raw && !(f.peek(1) == '{' || f.peek(1) == '}'):
		f.escape(f.lit, false, func(b []byte) {
			if f.text.Len() < maxString {
				f.text.Write(b)
			}
		})
	case c == '\\' && (f.peek(1) == p.quote || f.peek(1) == '\\' || !p.format):
		f.take(2)
	case p.format && c == '{' && f.peek(1) == '{' && p.quote != 0:
		if f.open == 0 {
			f.pos++
		} else {
			f.take(1)
		}
		f.take(1)
	case p.format && c == '}' && p.quote == 0: // the specification and its field end
		f.take(1)
		f.stack = f.stack[:len(f.stack)-1] // the specification; the caller pops the field
		return true, true
	case p.format && c == '}' && f.peek(1) == '}':
		if f.open == 0 {
			f.pos++
		} else {
			f.take(1)
		}
		f.take(1)
	case p.format && c == '{':
		starts := f.open == 0
		if starts {
			f.pos++
		} else {
			f.take(1)
		}
		if !f.push(place{expr: true}) {
			return false, false
		}
		if starts {
			f.open, f.field = len(f.stack), f.field[:0]
		}
	default:
		f.take(1)
	}
	return false, true
}

// inField reads one step of a replacement field.
func (f *formatReader) inField(p *place) bool {
	c := f.peek(0)
	switch c {
	case '(', '[', '{':
		p.depth++
	case ')', ']':
		p.depth--
	case '}':
		if p.depth == 0 {
			f.endField()
			f.stack = f.stack[:len(f.stack)-1]
			if f.open > 0 {
				f.take(1)
			} else {
				f.pos++
			}
			return true
		}
		p.depth--
	case '\'', '"':
		triple := f.peek(1) == c && f.peek(2) == c
		prefix := f.prefix()
		n := 1
		if triple {
			n = 3
		}
		f.take(n)
		return f.push(place{quote: c, triple: triple, raw: strings.Contains(prefix, "r"), format: strings.ContainsAny(prefix, "ft")})
	case '!':
		if p.depth == 0 && f.peek(1) != '=' {
			f.endField()
		}
	case ':':
		if p.depth == 0 {
			f.endField()
			f.take(1)
			return f.push(place{format: true})
		}
	case '#':
		for !f.done() && f.peek(0) != '\n' && f.peek(0) != '\r' {
			f.pos++
		}
		return !f.done()
	}
	f.take(1)
	return true
}

// endField keeps the field that is being taken, if it is the one on top.
func (f *formatReader) endField() {
	if f.open == 0 || f.open != len(f.stack) {
		return
	}
	if len(f.lit.Parts) < maxNodes {
		f.lit.Parts = append(f.lit.Parts, Field{At: f.text.Len(), Src: string(f.field)})
	}
	f.open = 0
}

// prefix returns the letters right before the quote at hand, in lower case.
func (f *formatReader) prefix() string {
	i := f.pos
	for i > 0 && f.pos-i < 2 && nameStart(f.buf[i-1]) {
		i--
	}
	return strings.ToLower(string(f.buf[i:f.pos]))
}
