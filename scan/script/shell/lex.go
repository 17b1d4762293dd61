package shell

import (
	"strings"
	"unicode/utf8"
)

// word is one word of a command after quotes and escapes.
type word struct {
	text   string
	quoted bool     // some part of it is
	dyn    bool     // a part of it is known at run time only
	subs   []string // the texts of $(…), `…`, <(…) in it
	proc   bool     // one of them is <(…)
	off    int
}

// command is a simple command.
type command struct {
	assigns []assign
	words   []word
	redirs  []redir
	here    *string // the text given on standard input by << or <<<, nil without
	off     int
}

type assign struct {
	name  string
	value word
}

type redir struct {
	op     string
	target word
}

// lexer splits a text.
type lexer struct {
	s       string
	i       int
	vars    map[string]string
	pending []*here // here-documents that begin at the next line
	space   int     // bytes that variables may still add
}

type here struct {
	end   string
	quote bool
	dash  bool
	body  *string
}

// separators end a command. The empty one is the end of the text.
const (
	sepEnd  = ""
	sepPipe = "|"
	sepNext = ";" // ; & && || newline and brackets
)

// next reads one command and tells what ends it.
func (l *lexer) next() (c command, sep string, more bool) {
	c.off = -1
	for {
		l.blanks()
		if l.i >= len(l.s) {
			return c, sepEnd, c.off >= 0
		}
		ch := l.s[l.i]
		switch ch {
		case '\n':
			l.i++
			l.heredocs()
			return c, sepNext, true
		case ';', '(', ')':
			l.i++
			return c, sepNext, true
		case '&':
			if strings.HasPrefix(l.s[l.i:], "&>") {
				l.redirection(&c, "")
				continue
			}
			l.i++
			if l.peek() == '&' {
				l.i++
			}
			return c, sepNext, true
		case '|':
			l.i++
			if l.peek() == '|' {
				l.i++
				return c, sepNext, true
			}
			if l.peek() == '&' {
				l.i++
			}
			return c, sepPipe, true
		case '#':
			l.line()
			continue
		case '<', '>':
			if l.i+1 < len(l.s) && l.s[l.i+1] == '(' {
				break // process substitution is a word
			}
			l.redirection(&c, "")
			continue
		}
		if c.off < 0 {
			c.off = l.i
		}
		w := l.word()
		if n := l.peek(); (n == '<' || n == '>') && !w.quoted && isDigits(w.text) {
			l.redirection(&c, w.text)
			continue
		}
		l.add(&c, w)
	}
}

// add appends w to the command, as an assignment, or as several words where
// the shell would split it.
func (l *lexer) add(c *command, w word) {
	if len(c.words) == 0 {
		if name, value, ok := strings.Cut(w.text, "="); ok && isName(strings.TrimSuffix(name, "+")) {
			if len(c.assigns) < maxWords {
				v := w
				v.text = value
				c.assigns = append(c.assigns, assign{strings.TrimSuffix(name, "+"), v})
			}
			return
		}
	}
	if len(c.words) >= maxWords {
		return
	}
	if !w.quoted && strings.ContainsAny(w.text, " \t\n") { // a variable's value
		for i, part := range strings.Fields(w.text) {
			p := w
			p.text = part
			if i > 0 {
				p.subs = nil
			}
			c.words = append(c.words, p)
		}
		return
	}
	if !w.quoted && len(w.text) > 2 && w.text[0] == '{' && w.text[len(w.text)-1] == '}' && strings.Contains(w.text, ",") {
		for part := range strings.SplitSeq(w.text[1:len(w.text)-1], ",") {
			c.words = append(c.words, word{text: part, off: w.off})
		}
		return
	}
	c.words = append(c.words, w)
}

func (l *lexer) peek() byte {
	if l.i < len(l.s) {
		return l.s[l.i]
	}
	return 0
}

func (l *lexer) blanks() {
	for l.i < len(l.s) {
		switch c := l.s[l.i]; {
		case c == ' ' || c == '\t' || c == '\r':
			l.i++
		case c == '\\' && strings.HasPrefix(l.s[l.i:], "\\\n"):
			l.i += 2
		case c == '\\' && strings.HasPrefix(l.s[l.i:], "\\\r\n"):
			l.i += 3
		default:
			return
		}
	}
}

// line skips to the end of the line.
func (l *lexer) line() {
	if n := strings.IndexByte(l.s[l.i:], '\n'); n >= 0 {
		l.i += n
		return
	}
	l.i = len(l.s)
}

// redirection reads one redirection; fd is the number before it.
func (l *lexer) redirection(c *command, fd string) {
	start := l.i
	for l.i < len(l.s) && l.i-start < 3 && strings.IndexByte("<>&|", l.s[l.i]) >= 0 {
		l.i++
	}
	op := l.s[start:l.i]
	switch op {
	case "<<":
		dash := l.peek() == '-'
		if dash {
			l.i++
		}
		l.blanks()
		w := l.word()
		c.here = new(string)
		l.pending = append(l.pending, &here{end: w.text, quote: w.quoted, dash: dash, body: c.here})
		return
	case "<<<":
		l.blanks()
		w := l.word()
		c.here = &w.text
		c.words = append(c.words, word{subs: w.subs, dyn: true, quoted: true})
		return
	}
	l.blanks()
	if l.i >= len(l.s) || strings.IndexByte(";|\n)", l.s[l.i]) >= 0 {
		return
	}
	w := l.word()
	if len(c.redirs) < maxWords {
		c.redirs = append(c.redirs, redir{fd + op, w})
	}
}

// heredocs reads the bodies of the here-documents of the line that ended.
func (l *lexer) heredocs() {
	for _, h := range l.pending {
		var body strings.Builder
		for l.i < len(l.s) {
			rest := l.s[l.i:]
			n := strings.IndexByte(rest, '\n')
			line := rest
			if n >= 0 {
				line = rest[:n]
				l.i += n + 1
			} else {
				l.i = len(l.s)
			}
			if h.dash {
				line = strings.TrimLeft(line, "\t")
			}
			if strings.TrimRight(line, "\r") == h.end {
				break
			}
			body.WriteString(line)
			body.WriteByte('\n')
		}
		*h.body = body.String()
	}
	l.pending = nil
}

// word reads one word; at least one byte is taken.
func (l *lexer) word() word {
	w := word{off: l.i}
	var b strings.Builder
	put := func(s string) {
		if b.Len()+len(s) <= maxWord {
			b.WriteString(s)
		}
	}
	start := l.i
	for l.i < len(l.s) {
		c := l.s[l.i]
		switch c {
		case ' ', '\t', '\r', '\n', ';', '|', '&', ')':
			if l.i == start {
				l.i++
			}
			w.text = b.String()
			return w
		case '(':
			if l.i == start {
				l.i++
			}
			w.text = b.String()
			return w
		case '<', '>':
			if l.i+1 < len(l.s) && l.s[l.i+1] == '(' {
				l.i++
				w.subs = append(w.subs, l.bracket())
				w.proc, w.dyn = true, true
				continue
			}
			w.text = b.String()
			if l.i == start {
				l.i++
			}
			return w
		case '\\':
			l.i++
			switch {
			case strings.HasPrefix(l.s[l.i:], "\r\n"):
				l.i += 2
			case l.peek() == '\n':
				l.i++
			case l.i < len(l.s):
				put(l.s[l.i : l.i+1])
				l.i++
			}
			w.quoted = w.quoted || b.Len() == 0
		case '\'':
			w.quoted = true
			l.i++
			n := strings.IndexByte(l.s[l.i:], '\'')
			if n < 0 {
				n = len(l.s) - l.i
			}
			put(l.s[l.i : l.i+n])
			l.i = min(len(l.s), l.i+n+1)
		case '"':
			w.quoted = true
			l.i++
			l.double(&w, put)
		case '$', '`':
			l.expand(&w, put, false)
		default:
			put(l.s[l.i : l.i+1])
			l.i++
		}
	}
	w.text = b.String()
	return w
}

// double reads the rest of a double-quoted part.
func (l *lexer) double(w *word, put func(string)) {
	for l.i < len(l.s) {
		switch c := l.s[l.i]; c {
		case '"':
			l.i++
			return
		case '\\':
			l.i++
			if l.i < len(l.s) {
				if e := l.s[l.i]; strings.IndexByte("$`\"\\\n", e) < 0 {
					put("\\")
				}
				if l.s[l.i] != '\n' {
					put(l.s[l.i : l.i+1])
				}
				l.i++
			}
		case '$', '`':
			l.expand(w, put, true)
		default:
			n := strings.IndexAny(l.s[l.i:], "\"\\$`")
			if n < 0 {
				n = len(l.s) - l.i
			}
			put(l.s[l.i : l.i+n])
			l.i += n
		}
	}
}

// expand reads what $ or ` begins.
func (l *lexer) expand(w *word, put func(string), quoted bool) {
	if l.s[l.i] == '`' {
		l.i++
		n := strings.IndexByte(l.s[l.i:], '`')
		if n < 0 {
			n = len(l.s) - l.i
		}
		w.subs = append(w.subs, l.s[l.i:l.i+n])
		w.dyn = true
		l.i = min(len(l.s), l.i+n+1)
		return
	}
	l.i++
	rest := l.s[l.i:]
	switch {
	case strings.HasPrefix(rest, "(("):
		l.bracket()
		w.dyn = true
	case strings.HasPrefix(rest, "("):
		w.subs = append(w.subs, l.bracket())
		w.dyn = true
	case strings.HasPrefix(rest, "{"):
		n := strings.IndexByte(rest, '}')
		if n < 0 {
			n = len(rest) - 1
		}
		l.i += n + 1
		l.variable(w, put, rest[1:max(1, n)])
	case strings.HasPrefix(rest, "'") && !quoted:
		w.quoted = true
		l.i++
		l.ansi(put)
	case rest != "" && (isNameByte(rest[0]) || strings.IndexByte("@*#?$!-", rest[0]) >= 0):
		n := 1
		if isNameByte(rest[0]) && (rest[0] < '0' || rest[0] > '9') {
			for n < len(rest) && isNameByte(rest[n]) {
				n++
			}
		}
		l.i += n
		l.variable(w, put, rest[:n])
	default:
		put("$")
	}
}

// variable puts the value of a variable, when it is known.
func (l *lexer) variable(w *word, put func(string), name string) {
	if name == "IFS" {
		put(" ")
		return
	}
	// ${HOME} and its like stay readable for the judge.
	if v, ok := l.vars[name]; ok && len(v) <= l.space {
		l.space -= len(v)
		put(v)
		return
	}
	w.dyn = true
	if i := strings.IndexAny(name, ":-=?+#%/^,@["); i > 0 {
		name = name[:i]
	}
	put("$" + name)
}

// bracket reads from an opening bracket to its end and returns what is inside.
func (l *lexer) bracket() string {
	depth, start := 0, l.i+1
	for l.i < len(l.s) {
		switch c := l.s[l.i]; c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.i++
				return l.s[start : l.i-1]
			}
		case '\\':
			l.i++
		case '\'', '"':
			i := l.i + 1
			for i < len(l.s) && l.s[i] != c {
				if c == '"' && l.s[i] == '\\' {
					i++
				}
				i++
			}
			l.i = i
		}
		l.i++
	}
	l.i = len(l.s)
	return l.s[min(start, len(l.s)):]
}

// ansi reads the rest of $'…'.
func (l *lexer) ansi(put func(string)) {
	for l.i < len(l.s) {
		c := l.s[l.i]
		l.i++
		if c == '\'' {
			return
		}
		if c != '\\' || l.i >= len(l.s) {
			put(string([]byte{c}))
			continue
		}
		e := l.s[l.i]
		l.i++
		switch e {
		case 'x':
			put(l.digits(16, 2))
		case 'u':
			put(l.digits(16, 4))
		case 'U':
			put(l.digits(16, 8))
		case 'n':
			put("\n")
		case 't':
			put("\t")
		case '0', '1', '2', '3', '4', '5', '6', '7':
			l.i--
			put(l.digits(8, 3))
		default:
			put(string([]byte{e}))
		}
	}
}

func (l *lexer) digits(base rune, most int) string {
	r := rune(0)
	for n := 0; n < most && l.i < len(l.s); n++ {
		v := strings.IndexByte("0123456789abcdef", l.s[l.i]|0x20)
		if l.s[l.i] >= '0' && l.s[l.i] <= '9' {
			v = int(l.s[l.i] - '0')
		}
		if v < 0 || rune(v) >= base {
			break
		}
		r = r*base + rune(v)
		l.i++
	}
	if most == 2 || base == 8 {
		return string([]byte{byte(r)})
	}
	if r > utf8.MaxRune || r < 0 {
		r = utf8.RuneError
	}
	return string(r)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}
