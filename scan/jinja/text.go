package jinja

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// quoted reads a string. Its escapes are Python's.
func (l *lexer) quoted(quote byte) (token, error) {
	t := token{kind: tokString, off: l.offset()}
	l.skip(1)
	var text strings.Builder
	add := func(r rune) {
		if text.Len() < maxString {
			text.WriteRune(r)
		} else {
			t.long = true
		}
	}
	for l.more() {
		c := l.peek(0)
		switch {
		case c == quote:
			l.skip(1)
			t.text = text.String()
			l.invisible([]byte(t.text))
			return t, nil
		case c == '\\':
			if !l.escape(func(r rune) {
				t.spelled = t.spelled || r == '_' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z'
				add(r)
			}) {
				return t, foreign(l.offset(), "an escape that Python does not have")
			}
		default:
			r, n := l.rune()
			add(r)
			l.skip(n)
		}
	}
	return t, foreign(t.off, "a string without end")
}

// escape decodes what a backslash begins.
func (l *lexer) escape(add func(rune)) bool {
	c := l.peek(1)
	l.skip(2)
	switch c {
	case '\n': // a line goes on
	case '\\', '\'', '"':
		add(rune(c))
	case 'a', 'b', 'f', 'n', 'r', 't', 'v':
		add(rune("\a\b\f\n\r\t\v"[strings.IndexByte("abfnrtv", c)]))
	case 'x':
		return l.hex(2, add)
	case 'u':
		return l.hex(4, add)
	case 'U':
		return l.hex(8, add)
	case 'N':
		return l.named(add)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v := rune(c - '0')
		for range 2 {
			d := l.peek(0)
			if d < '0' || d > '7' {
				break
			}
			v = v<<3 | rune(d-'0')
			l.skip(1)
		}
		add(v)
	default: // kept as it is
		add('\\')
		if c >= utf8.RuneSelf {
			l.skip(-1)
			return true
		}
		add(rune(c))
	}
	return true
}

func (l *lexer) hex(n int, add func(rune)) bool {
	var v rune
	for range n {
		c := l.peek(0)
		switch {
		case isDigit(c):
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return false
		}
		if v > unicode.MaxRune {
			return false
		}
		l.skip(1)
	}
	add(v)
	return true
}

// named decodes \N{NAME} for the characters that Python's names are made of.
// Any other becomes a character that stands for nothing known.
func (l *lexer) named(add func(rune)) bool {
	if l.peek(0) != '{' {
		return false
	}
	l.skip(1)
	var name []byte
	for l.more() && l.peek(0) != '}' {
		if name = append(name, l.peek(0)); len(name) > maxName {
			return false
		}
		l.skip(1)
	}
	if !l.more() {
		return false
	}
	l.skip(1)
	add(characterNamed(strings.ToUpper(string(name))))
	return true
}

func characterNamed(name string) rune {
	if letter, ok := strings.CutPrefix(name, "LATIN SMALL LETTER "); ok && len(letter) == 1 {
		return rune(letter[0] | 0x20)
	}
	if letter, ok := strings.CutPrefix(name, "LATIN CAPITAL LETTER "); ok && len(letter) == 1 {
		return rune(letter[0])
	}
	if digit, ok := strings.CutPrefix(name, "DIGIT "); ok {
		for i, n := range [...]string{"ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"} {
			if n == digit {
				return rune('0' + i)
			}
		}
	}
	switch name {
	case "LOW LINE", "SPACING UNDERSCORE":
		return '_'
	case "SPACE":
		return ' '
	case "FULL STOP", "PERIOD":
		return '.'
	}
	return hole
}

// invisible counts Unicode tag characters: they do not show, and language
// models read them as ASCII. Flags of regions are spelled with them too.
func (l *lexer) invisible(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexFunc(b, func(r rune) bool { return r > 0xffff })
		if i < 0 {
			return
		}
		b = b[i:]
		r, n := utf8.DecodeRune(b)
		switch {
		case r == 0x1f3f4: // black flag
			l.flag = true
		case r >= 0xe0020 && r <= 0xe007f:
			if !l.flag {
				l.hidden++
			}
			l.flag = l.flag && r != 0xe007f
		default:
			l.flag = false
		}
		b = b[n:]
	}
}
