package syntax

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lexer turns source text, UTF-8 without a mark, into tokens.
type Lexer struct {
	window
	line     int
	brackets []byte
	indents  []int
	column   int  // of the line at hand, when fresh
	fresh    bool // at the beginning of a logical line
	measured bool // column holds the indentation of the line at hand
	any      bool // a token of the line at hand was given
	names    map[string]string
	fence    bool // a line began with ```
	Errors   Errors
}

// Errors counts errors of syntax.
type Errors struct {
	Count int
	First int64  // offset of the first
	What  string // what the first is
}

func (e *Errors) add(off int64, what string) {
	if e.Count == 0 {
		e.First, e.What = off, what
	}
	e.Count++
}

// NewLexer returns a lexer over r.
func NewLexer(r io.Reader) *Lexer {
	return &Lexer{window: window{r: r}, line: 1, fresh: true, names: map[string]string{}, indents: []int{0}}
}

// newStringLexer returns a lexer over s, without a buffer to read ahead.
func newStringLexer(s string) *Lexer {
	l := NewLexer(nil)
	l.buf, l.eof = []byte(s), true
	return l
}

// Err is the reader's own error, if it failed.
func (l *Lexer) Err() error { return l.err }

// Next returns the next token, EOF for ever at the end.
func (l *Lexer) Next() Token {
	for {
		if l.fresh && len(l.brackets) == 0 {
			if t, ok := l.lineStart(); ok {
				return t
			}
		}
		l.blanks()
		if l.done() {
			return l.end()
		}
		t := Token{Off: l.off(), Line: l.line}
		c := l.peek(0)
		switch {
		case c == '#':
			l.comment()
			continue
		case c == '\n' || c == '\r':
			l.newline()
			if len(l.brackets) > 0 {
				continue
			}
			l.fresh = true
			if !l.any {
				continue
			}
			l.any = false
			t.Kind = Newline
			return t
		case c == '\\':
			l.pos++
			if n := l.peek(0); n == '\n' || n == '\r' {
				l.newline()
				continue
			}
			l.Errors.add(t.Off, "a backslash inside a line")
			t.Kind = Bad
		case nameStart(c):
			l.name(&t)
		case c >= '0' && c <= '9' || c == '.' && digit(l.peek(1)):
			l.number(&t)
		case c == '"' || c == '\'':
			l.str(&t, "")
		default:
			l.operator(&t)
		}
		l.any = true
		return t
	}
}

// end closes the last line and the open blocks.
func (l *Lexer) end() Token {
	t := Token{Off: l.off(), Line: l.line}
	switch {
	case len(l.brackets) > 0:
		l.Errors.add(t.Off, "a bracket is not closed")
		l.brackets = l.brackets[:0]
		fallthrough
	case l.any:
		l.any = false
		t.Kind = Newline
	case len(l.indents) > 1:
		l.indents = l.indents[:len(l.indents)-1]
		t.Kind = Dedent
	}
	return t
}

// lineStart compares the indentation of a line with that of the block.
func (l *Lexer) lineStart() (Token, bool) {
	if !l.measured {
		if !l.measure() {
			return Token{}, false
		}
		l.measured = true
	}
	t := Token{Off: l.off(), Line: l.line}
	top := l.indents[len(l.indents)-1]
	switch {
	case l.column > top && len(l.indents) < maxIndents:
		l.indents = append(l.indents, l.column)
		t.Kind = Indent
	case l.column > top:
		l.Errors.add(t.Off, "too many levels of indentation")
		l.fresh, l.measured = false, false
		return t, false
	case l.column < top:
		l.indents = l.indents[:len(l.indents)-1]
		if below := l.indents[len(l.indents)-1]; l.column > below {
			l.Errors.add(t.Off, "the indentation matches no block")
			l.column = below
		}
		t.Kind = Dedent
	default:
		l.fresh, l.measured = false, false
		return t, false
	}
	return t, true
}

// measure skips blank lines and sets the column of the first that is not. It
// reports false at the end of the source.
func (l *Lexer) measure() bool {
	l.column = 0
	for !l.done() {
		switch l.peek(0) {
		case ' ':
			l.column++
			l.pos++
		case '\t':
			l.column = l.column/8*8 + 8
			l.pos++
		case '\f':
			l.column = 0
			l.pos++
		case '#':
			l.comment()
		case '\n', '\r':
			l.newline()
			l.column = 0
		case '\\':
			if n := l.peek(1); n != '\n' && n != '\r' {
				return true
			}
			l.pos++
			l.newline()
		default:
			return true
		}
	}
	l.fresh = false
	return false
}

func (l *Lexer) blanks() {
	for {
		switch l.peek(0) {
		case ' ', '\t', '\f':
			l.pos++
		default:
			return
		}
	}
}

// newline takes \n, \r\n or \r.
func (l *Lexer) newline() {
	if l.peek(0) == '\r' && l.peek(1) == '\n' {
		l.pos++
	}
	l.pos++
	l.line++
}

// comment skips to the end of the line.
func (l *Lexer) comment() {
	for !l.done() {
		b := l.rest()
		if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
			l.pos += i
			return
		}
		l.pos += len(b)
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

// maxName bounds an identifier, in bytes.
const maxName = 4096

// name reads an identifier or the prefix of a string.
func (l *Lexer) name(t *Token) {
	t.Kind = NameToken
	n, ascii := 0, true
	for n < maxName {
		c := l.peek(n)
		if c >= utf8.RuneSelf {
			l.fill(n + utf8.UTFMax)
			r, size := utf8.DecodeRune(l.buf[l.pos+n:])
			if !identifier(r, n == 0) {
				if n == 0 {
					l.Errors.add(t.Off, "a character that no token begins with")
					l.pos += size
					t.Kind = Bad
					return
				}
				break
			}
			ascii = false
			n += size
			continue
		}
		if !nameStart(c) && !digit(c) {
			break
		}
		n++
	}
	word := l.buf[l.pos : l.pos+n]
	if q := l.peek(n); (q == '"' || q == '\'') && n <= 2 && isPrefix(word) {
		prefix := string(word)
		l.pos += n
		l.str(t, prefix)
		return
	}
	word = l.buf[l.pos : l.pos+n] // peek may have moved it
	if ascii {
		t.Text = l.intern(word)
	} else {
		t.Text = norm.NFKC.String(string(word))
		t.Disguised = plainASCII(t.Text)
	}
	l.pos += n
}

// maxNames bounds the names that are kept to be shared.
const maxNames = 1 << 14

func (l *Lexer) intern(b []byte) string {
	if s, ok := l.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(l.names) < maxNames && len(b) < 64 {
		l.names[s] = s
	}
	return s
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// identifier is XID_Start and XID_Continue, a little wider.
func identifier(r rune, first bool) bool {
	if r == utf8.RuneError {
		return false
	}
	if unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) || r == 0x2118 || r == 0x212e {
		return true
	}
	return !first && (unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc) ||
		r == 0xb7 || r == 0x387 || r >= 0x1369 && r <= 0x1371 || r == 0x19da)
}

func isPrefix(b []byte) bool {
	switch string(bytes.ToLower(b)) {
	case "r", "b", "u", "f", "t", "br", "rb", "fr", "rf", "tr", "rt", "ur":
		return true
	}
	return false
}

// number reads a number as a run of what numbers are made of.
func (l *Lexer) number(t *Token) {
	t.Kind = NumberToken
	hex := l.peek(0) == '0' && l.peek(1)|0x20 == 'x'
	radix := hex || l.peek(0) == '0' && (l.peek(1)|0x20 == 'b' || l.peek(1)|0x20 == 'o')
	n := 0
	if radix {
		n = 2
	}
	exponent := false
	for n < maxName {
		c := l.peek(n)
		switch {
		case digit(c) || c == '_':
		case hex && c|0x20 >= 'a' && c|0x20 <= 'f':
		case radix && (c == 'L' || c == 'l'):
		case radix:
			goto out
		case c == '.' && !exponent:
		case c|0x20 == 'e' && !exponent && (digit(l.peek(n+1)) || (l.peek(n+1) == '+' || l.peek(n+1) == '-') && digit(l.peek(n+2))):
			n++ // the sign or the first digit as well
			exponent = true
		case c|0x20 == 'j' || c|0x20 == 'l':
			n++
			goto out
		default:
			goto out
		}
		n++
	}
out:
	l.fill(n)
	n = min(n, len(l.buf)-l.pos)
	t.Text = l.intern(l.buf[l.pos : l.pos+n])
	l.pos += n
	if nameStart(l.peek(0)) && !l.keywordNext() {
		l.Errors.add(t.Off, "letters behind a number")
		t.Kind = Bad
	}
}

// keywordNext reports one of the words that may follow a number without a
// blank: "1if x else 2".
func (l *Lexer) keywordNext() bool {
	l.fill(4)
	b := l.buf[l.pos:min(len(l.buf), l.pos+4)]
	for _, w := range [...]string{"and", "else", "for", "if", "in", "is", "or", "not"} {
		if bytes.HasPrefix(b, []byte(w)) {
			return true
		}
	}
	return false
}

// operators of three and two characters.
func operator3(b string) bool {
	switch b {
	case "**=", "//=", ">>=", "<<=", "...":
		return true
	}
	return false
}

func operator2(b string) bool {
	switch b {
	case "**", "//", ">>", "<<", "!=", "==", "<=", ">=", "->", ":=", "<>",
		"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=":
		return true
	}
	return false
}

func (l *Lexer) operator(t *Token) {
	t.Kind = OpToken
	l.fill(3)
	b := l.buf[l.pos:min(len(l.buf), l.pos+3)]
	switch {
	case len(b) == 3 && operator3(string(b)):
		t.Text = l.intern(b)
	case len(b) >= 2 && operator2(string(b[:2])):
		t.Text = l.intern(b[:2])
	default:
		t.Text = l.intern(b[:1])
	}
	l.pos += len(t.Text)
	switch c := b[0]; c {
	case '(', '[', '{':
		if len(l.brackets) >= maxBrackets {
			l.Errors.add(t.Off, "too many nested brackets")
			t.Kind = Bad
			return
		}
		l.brackets = append(l.brackets, c)
	case ')', ']', '}':
		if n := len(l.brackets); n == 0 || closer(l.brackets[n-1]) != c {
			l.Errors.add(t.Off, "a bracket that closes nothing")
			t.Kind = Bad
			return
		}
		l.brackets = l.brackets[:len(l.brackets)-1]
	case '+', '-', '*', '/', '%', '@', '&', '|', '^', '~', '<', '>', '=', ':', ';', ',', '.':
	case '`':
		l.fence = l.fence || !l.any && l.peek(0) == '`' && l.peek(1) == '`'
		l.Errors.add(t.Off, "a character that no token begins with")
		t.Kind = Bad
	default:
		if len(t.Text) == 1 { // "!=" is one
			l.Errors.add(t.Off, "a character that no token begins with")
			t.Kind = Bad
		}
	}
}

func closer(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}
