package yaml

// block reads a literal or folded scalar.
func (l *lexer) block() {
	off := l.off()
	l.allow = true
	l.keys[len(l.keys)-1].possible = false
	folded := l.at(0) == '>'
	l.skip(1)
	l.text = l.text[:0]
	indent, strip := 0, false
	for c := l.at(0); c == '+' || c == '-' || c >= '1' && c <= '9'; c = l.at(0) {
		if c >= '1' && c <= '9' {
			indent = int(c - '0')
		}
		strip = strip || c == '-'
		l.skip(1)
	}
	for c := l.at(0); c == ' ' || c == '\t'; c = l.at(0) {
		l.skip(1)
	}
	if l.at(0) == '#' {
		l.restOfLine()
	}
	if !l.end() && !l.newline() {
		l.die("a block scalar with something in its first line")
		return
	}
	least := max(1, l.indent+1)
	if indent > 0 {
		indent = least + indent - 1
		l.blockBreaks(indent)
	} else {
		indent = max(least, l.blockIndent())
	}
	for l.col == indent && !l.end() {
		for !l.end() && l.brk(0) == 0 {
			l.put(l.at(0))
			l.skip(1)
			l.put(l.word()...)
		}
		more := l.newline()
		if more && folded {
			l.put(' ')
		} else if more {
			l.put('\n')
		}
		l.blockBreaks(indent)
	}
	for n := len(l.text); strip && n > 0 && (l.text[n-1] == '\n' || l.text[n-1] == ' '); n-- {
		l.text = l.text[:n-1]
	}
	l.scalar(off)
}

// blockIndent skips leading empty lines and returns the first indentation.
func (l *lexer) blockIndent() int {
	n := 0
	for {
		switch {
		case l.newline():
			l.put('\n')
		case l.at(0) == ' ':
			l.skip(1)
			n = max(n, l.col)
		default:
			return n
		}
	}
}

// blockBreaks skips empty lines and the indentation of the next one.
func (l *lexer) blockBreaks(indent int) {
	for {
		for l.col < indent && l.at(0) == ' ' {
			l.skip(1)
		}
		if !l.newline() {
			return
		}
		l.put('\n')
	}
}
