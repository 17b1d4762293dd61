package syntax

import (
	"io"
	"strings"
)

// Parser reads statements.
type Parser struct {
	lx     *Lexer
	tok    Token
	h      Handler
	shed   func(*Node)
	nodes  int
	giant  bool
	deep   bool
	blocks []block
	decs   []*Node
	Stats  Stats
}

// block is a block of statements.
type block struct {
	entered bool // the handler knows of it
	cases   bool // it belongs to "match"
}

// Stats is what the reader made of the file so far.
type Stats struct {
	Good, Bad int  // logical lines
	Words     int  // lines that begin with a keyword of a statement
	Effects   int  // statements that could do anything: not a mere constant
	Giant     bool // some expression had too many parts to be kept
	Deep      bool // some expression was too deep to be kept
	// Dead is true when the program, before it does anything, comes to a name
	// that nothing can have bound: null, true and false of JSON. Reading ends
	// there, as running it would.
	Dead  bool
	Fence bool // a line of Markdown's ``` was met; reading ends there
	Lost  bool // a line that makes no sense did not end; reading ends there
}

// NewParser returns a parser over r, UTF-8 text without a mark.
func NewParser(r io.Reader, h Handler) *Parser {
	return &Parser{lx: NewLexer(r), h: h, shed: h.Shed}
}

// NewStringParser returns a parser over src.
func NewStringParser(src string, h Handler) *Parser {
	return &Parser{lx: newStringLexer(src), h: h, shed: h.Shed}
}

// Errors returns what is wrong with the syntax so far.
func (p *Parser) Errors() Errors { return p.lx.Errors }

// Run reads the whole source. The error is the reader's own.
func (p *Parser) Run() error {
	p.next()
	for p.tok.Kind != EOF && p.lx.Err() == nil && !p.Stats.Dead && !p.Stats.Fence && !p.Stats.Lost && p.h.More() {
		p.line()
		p.Stats.Giant, p.Stats.Deep, p.Stats.Fence = p.giant, p.deep, p.lx.fence
	}
	for len(p.blocks) > 0 {
		p.dedent()
	}
	return p.lx.Err()
}

// ParseExpr reads src as one expression, for a replacement field. When that
// fails, shed takes the parts that could be read.
func ParseExpr(src string, shed func(*Node)) (*Node, bool) {
	p := &Parser{lx: newStringLexer("(" + src + "\n)"), shed: shed}
	p.next()
	n, failed := p.expr(0)
	if failed || n == nil {
		// "{x=}" shows the source as well
		if rest, ok := strings.CutSuffix(strings.TrimRight(src, " "), "="); ok && !strings.HasSuffix(rest, "=") {
			return ParseExpr(rest, shed)
		}
		return nil, false
	}
	return n, true
}

func (p *Parser) next() { p.tok = p.lx.Next() }

// node counts n and bounds its depth.
func (p *Parser) node(n *Node) *Node {
	p.nodes++
	n.grow()
	if n.depth > maxDepth {
		p.deep = true
		return &Node{Kind: Opaque, Off: n.Off, Line: n.Line}
	}
	return n
}

// line reads one logical line, or the end of a block.
func (p *Parser) line() {
	p.nodes = 0
	switch p.tok.Kind {
	case Indent:
		p.lx.Errors.add(p.tok.Off, "unexpected indentation")
		p.blocks = append(p.blocks, block{})
		p.next()
		return
	case Dedent:
		p.dedent()
		p.next()
		return
	case Newline:
		p.next()
		return
	}
	before := p.lx.Errors.Count
	words := p.tok.Kind == NameToken && statementWord(p.tok)
	at, kind := p.tok.Off, p.tok.Kind
	ok := p.statement()
	if ok && p.lx.Errors.Count == before {
		p.Stats.Good++
		if words {
			p.Stats.Words++
		}
		return
	}
	p.Stats.Bad++
	p.decs = nil
	if ok && !(p.tok.Off == at && p.tok.Kind == kind) {
		return // the lexer complained, the statement ended
	}
	p.salvage()
}

// salvage reads what is left of a line that makes no sense as expressions, in
// case the sense is one that this package does not know.
func (p *Parser) salvage() {
	for n := 0; p.tok.Kind != Newline && p.tok.Kind != EOF; n++ {
		if n > maxSalvage {
			p.Stats.Lost = true
			return
		}
		off, kind := p.tok.Off, p.tok.Kind
		if n, failed := p.expr(tuple | withAs); !failed && n != nil {
			p.shed(n)
		}
		p.nodes = 0
		if p.tok.Off == off && p.tok.Kind == kind {
			p.next()
		}
	}
	p.next()
}

func statementWord(t Token) bool {
	switch t.Text {
	case "import", "from", "def", "class", "if", "for", "while", "try", "with", "return", "raise", "elif", "except", "async", "global", "assert", "del":
		return !t.Disguised
	}
	return false
}

// dedent ends the block on top.
func (p *Parser) dedent() {
	n := len(p.blocks)
	if n == 0 {
		return
	}
	if p.blocks[n-1].entered {
		p.h.Leave()
	}
	p.blocks = p.blocks[:n-1]
}

func (p *Parser) fail(what string) bool {
	p.lx.Errors.add(p.tok.Off, what)
	return false
}

// statement reads one statement line, compound or simple.
func (p *Parser) statement() bool {
	t := p.tok
	if t.is("@") {
		p.next()
		n, failed := p.expr(0)
		if failed {
			return false
		}
		if n != nil && len(p.decs) < maxBrackets {
			p.decs = append(p.decs, n)
		}
		return p.endLine()
	}
	if t.Kind == NameToken && !t.Disguised {
		if s, ok, done := p.compound(t); done {
			if !ok {
				return false
			}
			return p.suite(s)
		}
	}
	p.decs = nil
	return p.simpleLine()
}

// simpleLine reads small statements up to the end of the line.
func (p *Parser) simpleLine() bool {
	for {
		s := &Stmt{Off: p.tok.Off, Line: p.tok.Line}
		if !p.small(s) {
			return false
		}
		if p.tok.is(":") && s.Kind == ExprStmt && softBlock(s.Value) {
			s.Kind = MatchStmt
			return p.suite(s)
		}
		p.count(s)
		p.h.Simple(s)
		if p.tok.is(";") {
			p.next()
			if p.tok.Kind == Newline || p.tok.Kind == EOF {
				break
			}
			continue
		}
		break
	}
	return p.endLine()
}

// count keeps the number of statements that could do something.
func (p *Parser) count(s *Stmt) {
	if s.Kind == ExprStmt && constant(s.Value) || s.Kind == Plain && s.Value == nil {
		return
	}
	p.Stats.Effects++
}

// constant reports an expression that computes nothing, as far as its surface
// shows.
func constant(n *Node) bool {
	if n == nil {
		return true
	}
	switch n.Kind {
	case Str:
		return !hasFields(n)
	case Num, Const, Name, Opaque:
		return true
	case Unary:
		return constant(n.Kids[0])
	case Tuple, List, Dict, Set:
		for _, k := range n.Kids {
			if !constant(k) {
				return false
			}
		}
		return true
	}
	return false
}

// softBlock reports "match x" read as a call or an index: match (x).
func softBlock(n *Node) bool {
	for n != nil && (n.Kind == Call || n.Kind == Index || n.Kind == Bin || n.Kind == Tuple) && len(n.Kids) > 0 {
		n = n.Kids[0]
	}
	return n != nil && n.Kind == Name && (n.Text == "match" || n.Text == "case")
}

func (p *Parser) endLine() bool {
	switch p.tok.Kind {
	case Newline:
		p.next()
		return true
	case EOF:
		return true
	}
	return p.fail("two operands side by side")
}

// suite reads what follows the header of a compound statement.
func (p *Parser) suite(s *Stmt) bool {
	if !p.tok.is(":") {
		return p.fail("a colon is missing")
	}
	s.Decorators, p.decs = p.decs, nil
	p.Stats.Effects++
	p.next()
	if p.tok.Kind != Newline {
		p.h.Enter(s)
		ok := p.simpleLine()
		p.h.Leave()
		return ok
	}
	p.next()
	p.h.Enter(s)
	if p.tok.Kind != Indent {
		p.h.Leave()
		return p.fail("an indented block is missing")
	}
	p.blocks = append(p.blocks, block{true, s.Kind == MatchStmt})
	p.next()
	return true
}
