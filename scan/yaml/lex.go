package yaml

import (
	"context"
	"io"
)

// lexer splits a text into the tokens of YAML, with the rules of PyYAML's and
// libyaml's scanners for indentation and for keys without a question mark. It
// calls its tree for every token.
type lexer struct {
	source
	tree     *tree
	indent   int // column of the innermost block collection, -1 for none
	indents  []int
	flow     []byte // '[' and '{' that are open
	keys     []key  // for each level of flow, where a key may have begun
	allow    bool   // a key may begin here
	text     []byte
	dead     string // why no parser accepts the document, "" while one may
	reserved bool   // dead by a character that begins no token
	reading  reading
	torn     bool // a tag or an anchor that ends at different places
}

// reading chooses between what loaders do differently.
type reading struct {
	wide   bool // U+0085, U+2028 and U+2029 end lines, as in YAML 1.1
	greedy bool // tags end at a blank even in a flow collection, anchors at any sign: as in PyYAML
}

// key is where a node began that a colon may yet turn into a key.
type key struct {
	possible bool
	required bool
	off      int64
	line     int
	col      int
}

// maxText is how much of a scalar is kept, in bytes; maxFlow how deep flow
// collections nest before every parser has given up.
const (
	maxText = 1 << 20
	maxFlow = 10_000
)

func newLexer(ctx context.Context, src io.ReaderAt, size int64, as reading, t *tree) *lexer {
	l := &lexer{source: source{ctx: ctx, src: src, size: size, wide: as.wide}, tree: t, reading: as}
	l.reset()
	if l.at(0) == 0xef && l.at(1) == 0xbb && l.at(2) == 0xbf {
		l.pos += 3
	}
	return l
}

// reset begins a document.
func (l *lexer) reset() {
	l.indent, l.indents, l.flow = -1, l.indents[:0], l.flow[:0]
	l.keys = append(l.keys[:0], key{})
	l.allow = true
}

// die notes that no parser accepts the document, nor anything after it.
func (l *lexer) die(why string) {
	if l.dead == "" && l.err == nil {
		l.dead = why
	}
}

// run reads until the end of the text, its first fatal error, or the end that
// the tree asks for. The error is the reader's own or the tree's.
func (l *lexer) run() error {
	for l.dead == "" && l.tree.err == nil {
		l.blanks()
		if l.err != nil || l.tree.err != nil {
			break
		}
		if l.end() {
			if len(l.flow) > 0 {
				l.die("the text ends inside of a flow collection")
			}
			l.lone()
			l.unwind(-1)
			if l.dead != "" {
				break
			}
			l.tree.document()
			break
		}
		l.token()
	}
	if l.tree.err != nil {
		return l.tree.err
	}
	return l.err
}

// blanks skips to the next token.
func (l *lexer) blanks() {
	for {
		for c := l.at(0); c == ' ' || c == '\t'; c = l.at(0) {
			l.skip(1)
		}
		if l.at(0) == '#' {
			l.restOfLine()
		}
		if l.at(0) == 0xef && l.at(1) == 0xbb && l.at(2) == 0xbf {
			l.pos += 3
			continue
		}
		if !l.newline() {
			return
		}
		if len(l.flow) == 0 {
			l.allow = true
		}
	}
}

func (l *lexer) restOfLine() {
	for !l.end() && l.brk(0) == 0 {
		l.skip(1)
		l.word()
	}
}

// token reads one token.
func (l *lexer) token() {
	l.stale()
	if l.dead != "" {
		return
	}
	if len(l.flow) == 0 {
		l.unwind(l.col)
	}
	c := l.at(0)
	if l.col == 0 {
		switch {
		case c == '%' && len(l.flow) == 0:
			l.directive()
			return
		case l.marker():
			l.document(c == '-')
			return
		}
	}
	switch c {
	case '[', '{':
		l.openFlow(c)
		return
	case ']', '}':
		l.closeFlow()
		return
	case ',':
		if len(l.flow) == 0 {
			l.die("a comma outside of a flow collection")
			return
		}
		l.skip(1)
		l.allow = true
		l.keys[len(l.keys)-1].possible = false
		l.tree.entry()
		return
	case '-', '?', ':':
		if l.indicator(c) {
			return
		}
	case '*', '&', '!':
		l.property(c)
		return
	case '|', '>':
		if len(l.flow) == 0 {
			l.block()
			return
		}
	case '\'', '"':
		l.quoted(c)
		return
	case '%', '@', '`':
		l.reserved = c != '%'
		l.die("the character " + string(c) + " begins no token")
		return
	}
	l.plain()
}

// marker reports "---" or "..." at the beginning of a line.
func (l *lexer) marker() bool {
	c := l.at(0)
	return l.col == 0 && (c == '-' || c == '.') && l.at(1) == c && l.at(2) == c && l.blank(3)
}

// document ends one document and may begin the next.
func (l *lexer) document(begins bool) {
	if len(l.flow) > 0 {
		l.die("a document ends inside of a flow collection")
		return
	}
	l.lone()
	l.unwind(-1)
	if l.dead != "" {
		return
	}
	l.skip(3)
	l.reset()
	l.tree.document()
	l.allow = !begins
	if begins {
		l.tree.begin()
	}
}

// directive reads "%TAG handle prefix"; others mean nothing here.
func (l *lexer) directive() {
	if !l.tree.empty() { // it ends a document, to PyYAML
		l.lone()
		l.unwind(-1)
		if l.dead != "" {
			return
		}
		l.reset()
		l.tree.document()
	}
	l.text = l.text[:0]
	for !l.end() && l.brk(0) == 0 && l.at(0) != '#' {
		if len(l.text) < 1<<10 {
			l.text = append(l.text, l.at(0))
		}
		l.skip(1)
	}
	l.restOfLine()
	l.tree.directive(string(l.text))
}

// save notes that a node begins here which may turn out to be a key.
func (l *lexer) save() {
	if l.allow {
		l.keys[len(l.keys)-1] = key{
			possible: true, required: len(l.flow) == 0 && l.indent == l.col,
			off: l.off(), line: l.line, col: l.col,
		}
	}
}

// fresh reports whether the node at off is the first thing that a key there
// would consist of.
func (l *lexer) fresh(off int64) bool {
	k := l.keys[len(l.keys)-1]
	return k.possible && k.off == off
}

// stale forgets where a key may have begun once its line is over.
func (l *lexer) stale() {
	for i := len(l.keys) - 1; i >= 0 && i >= len(l.keys)-2; i-- {
		k := &l.keys[i]
		if k.possible && k.line != l.line {
			if k.required {
				l.die("a line of a mapping has no colon")
			}
			k.possible = false
		}
	}
}

// lone forgets where a key may have begun, because none can come any more.
func (l *lexer) lone() {
	k := &l.keys[len(l.keys)-1]
	if k.possible && k.required {
		l.die("a line of a mapping has no colon")
	}
	k.possible = false
}

// unwind ends the block collections that are indented more than column.
func (l *lexer) unwind(column int) {
	for l.indent > column {
		n := len(l.indents) - 1
		l.indent, l.indents = l.indents[n], l.indents[:n]
		l.tree.pop()
	}
}

// wind begins a block collection at a column, unless it is there.
func (l *lexer) wind(column int, kind byte, off int64) {
	if l.indent >= column {
		return
	}
	if len(l.indents) >= maxFlow {
		l.die("block collections nest too deep")
		return
	}
	l.indents = append(l.indents, l.indent)
	l.indent = column
	l.tree.push(kind, off)
}

func (l *lexer) openFlow(c byte) {
	if len(l.flow) >= maxFlow {
		l.tree.out.deep(l.off())
		l.die("flow collections nest too deep")
		return
	}
	l.save()
	off := l.off()
	l.tree.node(off, l.fresh(off))
	l.flow = append(l.flow, c)
	l.keys = append(l.keys, key{})
	l.allow = true
	l.skip(1)
	l.tree.push(c, off)
}

func (l *lexer) closeFlow() {
	n := len(l.flow)
	if n == 0 {
		l.die("a bracket closes what is not open")
		return
	}
	l.flow, l.keys = l.flow[:n-1], l.keys[:n]
	l.allow = false
	l.skip(1)
	l.tree.pop()
}

// indicator reads "- ", "? " or ": ", false when it is something else.
func (l *lexer) indicator(c byte) bool {
	flow := len(l.flow) > 0
	// In a flow collection PyYAML takes these for what they are even without
	// a blank behind them.
	if !l.blank(1) && (!flow || c == '-') {
		return false
	}
	k := &l.keys[len(l.keys)-1]
	switch {
	case c == ':' && k.possible:
		if !flow {
			l.wind(k.col, ':', k.off)
		}
		k.possible = false
		l.allow = false
		l.tree.key(k.off)
	case c == ':':
		if !flow {
			if !l.allow {
				l.die("a mapping where none may begin")
				return true
			}
			l.wind(l.col, ':', l.off())
		}
		l.allow = !flow
		l.tree.key(-1)
	case c == '-' && flow:
		return false
	default:
		if !flow {
			if !l.allow {
				l.die("a collection where none may begin")
				return true
			}
			l.wind(l.col, c, l.off())
		}
		l.lone()
		l.allow = c == '-' || !flow
		l.tree.mark(c)
	}
	l.skip(1)
	return true
}
