package pb

import (
	"strconv"

	"modelwall/scan"
)

// token is a kind of token of the text format.
type token uint8

const (
	tokenEnd    token = iota
	tokenWord         // a name or a number
	tokenString       // one or more strings next to each other
	tokenSign         // one byte
)

// maxWord bounds a name or a number, in bytes.
const maxWord = 1 << 10

// lexer cuts the text format into tokens.
type lexer struct {
	r     *window
	size  int64
	kind  token
	start int64 // where the current token stands
	sign  byte
	word  []byte
	text  []byte // a string decoded, at most maxString bytes of it
	// textLen is how many bytes the string has.
	textLen int64
}

func (l *lexer) bad(what string) error {
	return scan.Malformed(l.start, "%w: %s", ErrWire, what)
}

// peek returns the byte at the reader's offset, false at the end.
func (l *lexer) peek() (byte, bool, error) {
	if l.r.off >= l.size {
		return 0, false, nil
	}
	b, err := l.r.have()
	if err != nil {
		return 0, false, err
	}
	return b[0], true, nil
}

// next reads a token.
func (l *lexer) next() error {
	c, ok, err := l.skip()
	l.start = l.r.off
	switch {
	case err != nil:
		return err
	case !ok:
		l.kind = tokenEnd
		return nil
	case c == '"' || c == '\'':
		return l.strings()
	case isWord(c):
		return l.readWord()
	}
	switch c {
	case '{', '}', '<', '>', '[', ']', ':', ',', ';', '/':
		l.kind, l.sign = tokenSign, c
		l.r.off++
		return nil
	}
	return l.bad("a byte that has no place there")
}

// skip skips blanks and comments and returns the byte behind them.
func (l *lexer) skip() (byte, bool, error) {
	comment := false
	for {
		c, ok, err := l.peek()
		switch {
		case err != nil || !ok:
			return 0, false, err
		case c == '\n':
			comment = false
		case comment:
		case c == '#':
			comment = true
		case c == ' ', c == '\t', c == '\r', c == '\v', c == '\f':
		case l.r.off < 3 && c >= 0x80: // a byte order mark
		default:
			return c, true, nil
		}
		l.r.off++
	}
}

func (l *lexer) readWord() error {
	l.kind, l.word = tokenWord, l.word[:0]
	for {
		c, ok, err := l.peek()
		if err != nil {
			return err
		}
		if !ok || !isWord(c) {
			return nil
		}
		if len(l.word) == maxWord {
			return l.bad("a name without end")
		}
		l.word = append(l.word, c)
		l.r.off++
	}
}

// strings reads strings that stand next to each other.
func (l *lexer) strings() error {
	l.kind, l.text, l.textLen = tokenString, l.text[:0], 0
	for {
		c, ok, err := l.skip()
		if err != nil {
			return err
		}
		if !ok || c != '"' && c != '\'' {
			return nil
		}
		l.r.off++
		if err := l.string(c); err != nil {
			return err
		}
	}
}

// string reads a string up to the quote that ends it.
func (l *lexer) string(quote byte) error {
	for {
		c, ok, err := l.peek()
		if err != nil {
			return err
		}
		if !ok || c == '\n' {
			return l.bad("a string without end")
		}
		l.r.off++
		switch c {
		case quote:
			return nil
		case '\\':
			if err := l.escape(); err != nil {
				return err
			}
		default:
			l.add(c)
		}
	}
}

func (l *lexer) add(b ...byte) {
	l.textLen += int64(len(b))
	if len(l.text) < maxString {
		l.text = append(l.text, b...)
	}
}

// escape reads what stands behind a backslash.
func (l *lexer) escape() error {
	c, ok, err := l.peek()
	if err != nil {
		return err
	}
	if !ok {
		return l.bad("a string without end")
	}
	l.r.off++
	switch c {
	case 'n':
		l.add('\n')
	case 't':
		l.add('\t')
	case 'r':
		l.add('\r')
	case 'a':
		l.add('\a')
	case 'b':
		l.add('\b')
	case 'f':
		l.add('\f')
	case 'v':
		l.add('\v')
	case 'x', 'X':
		return l.number("", 2, 16)
	case 'u':
		return l.number("", 4, 16)
	case 'U':
		return l.number("", 8, 16)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return l.number(string(c), 2, 8)
	default: // quotes and the backslash stand for themselves
		l.add(c)
	}
	return nil
}

// number reads at most n further digits of an escape.
func (l *lexer) number(digits string, n, base int) error {
	wide := n > 2 // \u and \U are characters, the others bytes
	for range n {
		c, ok, err := l.peek()
		if err != nil {
			return err
		}
		if _, bad := strconv.ParseUint(string(rune(c)), base, 8); !ok || bad != nil {
			break
		}
		digits += string(rune(c))
		l.r.off++
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return l.bad("an escape without digits")
	}
	if wide {
		l.add([]byte(string(rune(v)))...)
	} else {
		l.add(byte(v))
	}
	return nil
}

// isWord reports whether c can stand in a name or a number.
func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' || c == '+'
}
