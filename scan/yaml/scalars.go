package yaml

import (
	"bytes"
	"unicode/utf8"
)

// put keeps bytes of a scalar up to maxText.
func (l *lexer) put(b ...byte) {
	if room := maxText - len(l.text); room < len(b) {
		b = b[:room]
	}
	l.text = append(l.text, b...)
}

// scalar hands a complete scalar to the tree.
func (l *lexer) scalar(off int64) {
	if l.dead == "" {
		l.tree.leaf(l.text, off, l.fresh(off), 1)
	}
}

// property reads an alias, an anchor or a tag.
func (l *lexer) property(c byte) {
	l.save()
	l.allow = false
	off := l.off()
	l.skip(1)
	l.text = l.text[:0]
	if c == '!' && l.at(0) == '<' {
		l.skip(1)
		for !l.blank(0) && l.at(0) != '>' {
			l.put(l.at(0))
			l.skip(1)
		}
		l.skip(1)
		l.tree.tag("", unescape(l.text), off, l.fresh(off))
		return
	}
	for !l.blank(0) {
		if c != '!' && !nameByte(l.at(0)) {
			// To PyYAML a name ends here; in YAML 1.2 it may go on.
			l.torn = true
			if l.reading.greedy || l.at(0) == ':' && l.blank(1) {
				break
			}
		}
		if indicator(l.at(0)) && len(l.flow) > 0 {
			l.torn = l.torn || c == '!'
			if c != '!' || !l.reading.greedy {
				break
			}
		}
		l.put(l.at(0))
		l.skip(1)
	}
	switch c {
	case '!':
		handle, suffix := "!", l.text
		if i := bytes.IndexByte(l.text, '!'); i >= 0 && l.tree.handle("!"+string(l.text[:i+1])) {
			handle, suffix = "!"+string(l.text[:i+1]), l.text[i+1:]
		}
		l.tree.tag(handle, unescape(suffix), off, l.fresh(off))
	case '&':
		l.tree.anchor(string(l.text), off, l.fresh(off))
	default:
		l.tree.alias(string(l.text), off, l.fresh(off))
	}
}

// nameByte reports what names of anchors are made of.
func nameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_'
}

// indicator reports what ends a name in a flow collection.
func indicator(c byte) bool {
	return c == ',' || c == '[' || c == ']' || c == '{' || c == '}'
}

// unescape decodes the %XX of a tag.
func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			hi, ok1 := digit(b[i+1])
			lo, ok2 := digit(b[i+2])
			if ok1 && ok2 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
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

// plain reads a scalar without quotes.
func (l *lexer) plain() {
	l.save()
	l.allow = false
	off := l.off()
	l.text = l.text[:0]
	indent := l.indent + 1
	flow := len(l.flow) > 0
	for {
		n := 0
		for !l.blank(0) && !l.endsPlain(flow) {
			l.put(l.at(0))
			l.skip(1)
			if flow {
				l.put(l.word()...)
			} else {
				l.put(l.plainWord()...)
			}
			n++
		}
		if n == 0 {
			break
		}
		l.allow = false
		spaces := l.plainSpaces()
		if spaces == 0 || l.at(0) == '#' || !flow && l.col < indent || l.end() {
			break
		}
		for range min(spaces, maxText-len(l.text)) {
			l.text = append(l.text, ' ')
		}
	}
	for n := len(l.text); n > 0 && l.text[n-1] == ' '; n-- {
		l.text = l.text[:n-1]
	}
	if l.off() == off { // nothing that can begin a token
		l.skip(1)
		l.die("a character that begins no token")
		return
	}
	l.scalar(off)
}

// endsPlain reports the characters that end a plain scalar.
func (l *lexer) endsPlain(flow bool) bool {
	switch c := l.at(0); {
	case c == ':':
		return l.blank(1) || flow && indicator(l.at(1))
	case flow:
		return indicator(c) || c == '?'
	}
	return false
}

// plainSpaces skips blanks inside of a plain scalar, 0 when it ends there. It
// returns how many spaces they stand for.
func (l *lexer) plainSpaces() int {
	n := 0
	for c := l.at(0); c == ' ' || c == '\t'; c = l.at(0) {
		l.skip(1)
		n++
	}
	if l.brk(0) == 0 {
		return n
	}
	for {
		if l.newline() {
			l.allow = true
			if l.marker() {
				return 0
			}
			continue
		}
		if c := l.at(0); c != ' ' && c != '\t' {
			return 1
		}
		l.skip(1)
	}
}

// quoted reads a scalar in single or double quotes.
func (l *lexer) quoted(q byte) {
	l.save()
	l.allow = false
	off := l.off()
	l.text = l.text[:0]
	l.skip(1)
	for {
		c := l.at(0)
		switch {
		case l.end():
			l.die("a quoted scalar without an end")
			return
		case c == q && q == '\'' && l.at(1) == '\'':
			l.put('\'')
			l.skip(2)
		case c == q:
			l.skip(1)
			l.scalar(off)
			return
		case c == '\\' && q == '"':
			l.skip(1)
			l.escape()
		case l.brk(0) > 0:
			l.fold(&l.text)
		default:
			l.put(c)
			l.skip(1)
			l.put(l.word()...)
		}
		if l.dead != "" {
			return
		}
	}
}

// fold makes a line break inside of quotes a space, several one less.
func (l *lexer) fold(text *[]byte) {
	for n := len(*text); n > 0 && ((*text)[n-1] == ' ' || (*text)[n-1] == '\t'); n-- {
		*text = (*text)[:n-1]
	}
	breaks := 0
	for l.newline() {
		breaks++
		if l.marker() {
			l.die("a document ends inside of a quoted scalar")
			return
		}
		for c := l.at(0); c == ' ' || c == '\t'; c = l.at(0) {
			l.skip(1)
		}
	}
	if breaks == 1 {
		l.put(' ')
	}
	for range min(breaks-1, maxText) {
		l.put('\n')
	}
}

// escape decodes what follows a backslash.
func (l *lexer) escape() {
	c := l.at(0)
	if l.brk(0) > 0 {
		l.newline()
		if l.marker() {
			l.die("a document ends inside of a quoted scalar")
			return
		}
		for c := l.at(0); c == ' ' || c == '\t'; c = l.at(0) {
			l.skip(1)
		}
		return
	}
	n := 0
	switch c {
	case 'x':
		n = 2
	case 'u':
		n = 4
	case 'U':
		n = 8
	}
	if n > 0 {
		u := rune(0)
		for i := range n {
			d, ok := digit(l.at(1 + i))
			if !ok {
				l.die("an escape without its digits")
				return
			}
			u = u<<4 | d
		}
		l.skip(1 + n)
		l.put(utf8.AppendRune(nil, u)...)
		return
	}
	to, ok := escapes(c)
	if !ok {
		l.die("an escape that does not exist")
		return
	}
	l.put(utf8.AppendRune(nil, to)...)
	l.skip(1)
}

func escapes(c byte) (rune, bool) {
	switch c {
	case '0':
		return 0, true
	case 'a':
		return '\a', true
	case 'b':
		return '\b', true
	case 't', '\t':
		return '\t', true
	case 'n':
		return '\n', true
	case 'v':
		return '\v', true
	case 'f':
		return '\f', true
	case 'r':
		return '\r', true
	case 'e':
		return 0x1b, true
	case ' ', '"', '/', '\\', '\'':
		return rune(c), true
	case 'N':
		return 0x85, true
	case '_':
		return 0xa0, true
	case 'L':
		return 0x2028, true
	case 'P':
		return 0x2029, true
	}
	return 0, false
}
