package jinja

import (
	"cmp"
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"modelwall/scan"
)

// kind is the kind of a token.
type kind uint8

const (
	tokEOF kind = iota
	tokData
	tokVarBegin // {{
	tokVarEnd
	tokBlockBegin // {%
	tokBlockEnd
	tokName
	tokString
	tokInteger
	tokFloat
	tokOp
)

// token is a piece of a template.
type token struct {
	kind kind
	text string // data (its beginning), name, operator, digits or decoded string
	off  int64
	long bool // text is not all of it
	// spelled: letters, digits or low lines of the string are written as
	// escapes.
	spelled bool
}

func (t token) op(text string) bool   { return t.kind == tokOp && t.text == text }
func (t token) name(text string) bool { return t.kind == tokName && t.text == text }

// Bounds of what is kept of one token, in bytes.
const (
	maxData   = 256
	maxString = 64 << 10
	maxName   = 256
)

// maxBrackets is how deeply brackets may nest. Jinja's parser gives up earlier.
const maxBrackets = 300

// lexer cuts a template into tokens, as jinja2/lexer.py does with the default
// delimiters and without line statements.
type lexer struct {
	*source
	in     kind   // tokVarBegin or tokBlockBegin inside of one, else 0
	open   []byte // brackets that wait for their ends
	hidden int    // characters that do not show, see invisible
	dot    bool   // the last token was one
	flag   bool   // inside of a flag emoji, which is spelled with such
}

func newLexer(ctx context.Context, f scan.File) *lexer {
	return &lexer{source: newSource(ctx, f)}
}

// resync goes on in the text behind a syntax error.
func (l *lexer) resync() { l.in, l.open = 0, l.open[:0] }

// next returns the next token. The error is ErrForeign for what is not Jinja's
// syntax, or the reader's own.
func (l *lexer) next() (token, error) {
	var t token
	var err error
	if l.in == 0 {
		t, err = l.root()
	} else {
		t, err = l.code()
	}
	if l.err != nil {
		return token{}, l.err
	}
	return t, err
}

// root reads text up to a delimiter, or the delimiter.
func (l *lexer) root() (token, error) {
	t := token{kind: tokData, off: l.offset()}
	var text strings.Builder
	keep := func(b []byte) {
		l.invisible(b)
		n := min(len(b), maxData-text.Len())
		text.Write(b[:n])
		t.long = t.long || n < len(b)
	}
	done := func() (token, error) {
		t.text = text.String()
		return t, nil
	}
	for {
		if !l.until('{', keep) {
			if text.Len() == 0 {
				return token{kind: tokEOF, off: l.offset()}, nil
			}
			return done()
		}
		delimiter := l.peek(1)
		isCode := delimiter == '{' || delimiter == '%'
		switch {
		case isCode && text.Len() > 0:
			return done()
		case isCode:
			return l.begin(delimiter), nil
		case delimiter == '#':
			off := l.offset()
			l.skip(2)
			if l.last() {
				return done()
			}
			for !l.at("#}") {
				if !l.until('#', func([]byte) {}) {
					return token{}, foreign(off, "a comment without end")
				}
				if l.at("#}") {
					break
				}
				l.skip(1)
			}
			l.skip(2)
		default:
			keep([]byte{'{'})
			l.skip(1)
		}
	}
}

// begin enters {{ or {%.
func (l *lexer) begin(delimiter byte) token {
	t := token{kind: tokVarBegin, off: l.offset()}
	if delimiter == '%' {
		t.kind = tokBlockBegin
	}
	l.skip(2)
	l.sign()
	l.in = t.kind
	return t
}

// raw passes the text of a raw block on. Its beginning was read.
func (l *lexer) raw(keep func([]byte)) error {
	off := l.offset()
	if l.last() {
		return nil
	}
	for l.until('{', keep) {
		if l.endRaw() {
			return nil
		}
		keep([]byte{'{'})
	}
	return cmp.Or(l.err, foreign(off, "a raw block without end"))
}

// endRaw reads {% endraw %}, or as much as there is of it.
func (l *lexer) endRaw() bool {
	l.skip(1)
	if l.peek(0) != '%' {
		return false
	}
	l.skip(1)
	l.sign()
	l.blanks()
	if !l.at("endraw") {
		return false
	}
	l.skip(len("endraw"))
	l.blanks()
	l.sign()
	if !l.at("%}") {
		return false
	}
	l.skip(2)
	return true
}

// sign skips what controls white space.
func (l *lexer) sign() {
	if c := l.peek(0); c == '-' || c == '+' {
		l.skip(1)
	}
}

// last reports whether the template is over: a last line break does not count.
func (l *lexer) last() bool {
	return !l.more() || (l.peek(0) == '\n' || l.peek(0) == '\r') && !l.ensure(2) || l.at("\r\n") && !l.ensure(3)
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f }

// code reads a token inside of {{ }} or {% %}.
func (l *lexer) code() (tok token, err error) {
	l.blanks()
	off := l.offset()
	if !l.more() {
		return token{}, foreign(off, "an expression without end")
	}
	if len(l.open) == 0 {
		if n := l.endLen(); n > 0 {
			t := token{kind: l.in + 1, off: off}
			l.skip(n)
			l.in = 0
			return t, nil
		}
	}
	defer func() { l.dot = tok.op(".") }()
	switch c := l.peek(0); {
	case c == '\'' || c == '"':
		return l.quoted(c)
	case c >= '0' && c <= '9':
		return l.number(), nil
	case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf:
		return l.word()
	}
	return l.operator()
}

// blanks skips white space, Unicode's too, as Python's \s does.
func (l *lexer) blanks() {
	for l.more() {
		if c := l.peek(0); c < utf8.RuneSelf {
			if !isBlank(c) {
				return
			}
			l.skip(1)
			continue
		}
		r, n := l.rune()
		if !unicode.IsSpace(r) {
			return
		}
		l.skip(n)
	}
}

// endLen returns the length of the closing delimiter that comes next, or 0.
func (l *lexer) endLen() int {
	end, signs := "}}", "-"
	if l.in == tokBlockBegin {
		end, signs = "%}", "-+"
	}
	if l.at(end) {
		return len(end)
	}
	if c := l.peek(0); strings.IndexByte(signs, c) >= 0 && l.peek(1) == end[0] && l.peek(2) == end[1] {
		return 1 + len(end)
	}
	return 0
}

func (l *lexer) operator() (token, error) {
	t := token{kind: tokOp, off: l.offset()}
	c := l.peek(0)
	two := string([]byte{c, l.peek(1)})
	switch two {
	case "//", "**", "==", "!=", ">=", "<=":
		l.skip(2)
		t.text = two
		return t, nil
	}
	switch c {
	case '(', '[', '{':
		if len(l.open) == maxBrackets {
			return t, foreign(t.off, "brackets nest deeper than Jinja reads")
		}
		l.open = append(l.open, c)
	case ')', ']', '}':
		n := len(l.open)
		if n == 0 || l.open[n-1] != c-1 && l.open[n-1] != c-2 {
			return t, foreign(t.off, "a bracket that nothing opens")
		}
		l.open = l.open[:n-1]
	default:
		if c == 0 || strings.IndexByte("+-/*%~><=.:|,;", c) < 0 {
			return t, foreign(t.off, "a character that the language does not have")
		}
	}
	l.skip(1)
	t.text = string(c)
	return t, nil
}

func (l *lexer) word() (token, error) {
	t := token{kind: tokName, off: l.offset()}
	var text strings.Builder
	for l.more() {
		r, n := l.rune()
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && !unicode.Is(unicode.Nl, r) && !unicode.Is(unicode.Pc, r) {
			break
		}
		if text.Len() < maxName {
			text.WriteRune(r)
		} else {
			t.long = true
		}
		l.skip(n)
	}
	if text.Len() == 0 {
		return t, foreign(t.off, "a character that the language does not have")
	}
	t.text = text.String()
	return t, nil
}

// number reads an integer or a float. That digits are in their base is not its
// question.
func (l *lexer) number() token {
	t := token{kind: tokInteger, off: l.offset()}
	var text []byte
	take := func() {
		if c := l.peek(0); c != '_' && len(text) < 64 {
			text = append(text, c)
		}
		l.skip(1)
	}
	digits := func() {
		for c := l.peek(0); c >= '0' && c <= '9' || c == '_' && isDigit(l.peek(1)); c = l.peek(0) {
			take()
		}
	}
	if l.peek(0) == '0' && strings.IndexByte("xXoObB", l.peek(1)) >= 0 && l.peek(1) != 0 {
		take()
		for c := l.peek(0); isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'; c = l.peek(0) {
			take()
		}
		t.text = string(text)
		return t
	}
	digits()
	if l.dot { // x.1.2 has two attributes
		t.text = string(text)
		return t
	}
	if l.peek(0) == '.' && isDigit(l.peek(1)) {
		t.kind = tokFloat
		take()
		digits()
	}
	if c := l.peek(0) | 0x20; c == 'e' && (isDigit(l.peek(1)) || (l.peek(1) == '-' || l.peek(1) == '+') && isDigit(l.peek(2))) {
		t.kind = tokFloat
		take()
		take()
		digits()
	}
	t.text = string(text)
	return t
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
