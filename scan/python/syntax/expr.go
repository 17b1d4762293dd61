package syntax

import "strings"

// Expressions are read with two explicit stacks, operands and operators, and
// frames for what is bracketed. "for", "if" and "else" are taken for operators
// of low precedence, which gives comprehensions and conditionals a tree without
// a grammar of their own.

// The precedences, lowest first.
const (
	precYield = iota + 1
	precAs
	precStar
	precWalrus
	precLambda
	precFor
	precIf
	precOr
	precAnd
	precNot
	precCompare
	precBitOr
	precBitXor
	precBitAnd
	precShift
	precSum
	precProduct
	precSign
	precPower
	precAwait
)

// operator is an operator that waits for its right operand.
type operator struct {
	kind Kind
	text string
	prec int
	node *Node // of a lambda its parameters, of "for" the target
	off  int64
	line int
	pre  bool // before its only operand
}

// frame is a bracket, or what behaves like one.
type frame struct {
	kind  byte  // 0 base, ( [ {, c call, i index, l lambda parameters, t target of "for"
	owner *Node // what is called or indexed
	items []*Node
	kws   []string
	kw    string // of the argument at hand
	key   *Node  // of the dict item at hand
	dict  bool
	comma bool
	comp  bool
	slice int // colons seen
	cut   bool
	ops   int // height of the stack of operators below
	vals  int
	nodes int // count of nodes when the item at hand began
	off   int64
	line  int
}

// mode says where an expression ends.
type mode uint8

const (
	tuple  mode = 1 << iota // commas at the top make a tuple
	noIn                    // "in" ends it: the target of "for"
	withAs                  // "as" is an operator: "case"
)

// reader is the state of one expression.
type exprReader struct {
	p      *Parser
	mode   mode
	ops    []operator
	vals   []*Node
	frames []frame
	want   bool // an operand comes next
	ended  bool
	failed bool
}

// expr reads one expression; nil when there is none or it is broken, which
// failed tells apart.
func (p *Parser) expr(m mode) (n *Node, failed bool) {
	r := exprReader{p: p, mode: m, want: true, frames: []frame{{}}}
	for !r.ended && !r.failed {
		if p.Stats.Dead {
			r.failed = true
			break
		}
		if p.nodes > 4*maxNodes {
			p.giant = true
			r.fail("an expression of too many parts")
			break
		}
		if r.want {
			r.operand()
		} else {
			r.infix()
		}
	}
	if r.failed || len(r.frames) > 1 {
		if !r.failed {
			r.fail("an expression that does not end")
		}
		r.salvage()
		return nil, true
	}
	if n, failed = r.finish(); failed {
		r.salvage()
	}
	return n, failed
}

// salvage hands over the parts of a broken expression.
func (r *exprReader) salvage() {
	for _, n := range r.vals {
		r.p.shed(n)
	}
	for _, f := range r.frames {
		for _, n := range append(f.items, f.owner, f.key) {
			if n != nil {
				r.p.shed(n)
			}
		}
	}
	r.p.nodes = 0
}

func (r *exprReader) fail(what string) {
	r.failed = true
	r.p.lx.Errors.add(r.p.tok.Off, what)
}

func (r *exprReader) top() *frame { return &r.frames[len(r.frames)-1] }

func (r *exprReader) next() { r.p.next() }

// finish puts the base frame together.
func (r *exprReader) finish() (*Node, bool) {
	f := r.top()
	if r.want && !f.comma {
		if len(r.ops) > 0 {
			r.fail("an operand is missing")
			return nil, true
		}
		return nil, false
	}
	if !r.want {
		r.reduce(0)
		f.items = append(f.items, r.pop())
	} else if len(r.ops) > f.ops {
		r.fail("an operand is missing")
		return nil, true
	}
	if !f.comma {
		return f.items[0], false
	}
	return r.p.node(&Node{Kind: Tuple, Kids: f.items, Cut: f.cut, Off: f.off, Line: f.line}), false
}

func (r *exprReader) push(n *Node) {
	r.vals = append(r.vals, n)
	r.want = false
}

func (r *exprReader) pop() *Node {
	n := r.vals[len(r.vals)-1]
	r.vals = r.vals[:len(r.vals)-1]
	return n
}

func (r *exprReader) prefix(kind Kind, text string, prec int) {
	r.ops = append(r.ops, operator{kind: kind, text: text, prec: prec, off: r.p.tok.Off, line: r.p.tok.Line, pre: true})
	r.next()
}

func (r *exprReader) open(kind byte, owner *Node) {
	t := r.p.tok
	r.frames = append(r.frames, frame{
		kind: kind, owner: owner, ops: len(r.ops), vals: len(r.vals), nodes: r.p.nodes, off: t.Off, line: t.Line,
	})
	r.next()
	r.want = true
}

// operand reads what may stand where an operand is wanted.
func (r *exprReader) operand() {
	t := r.p.tok
	switch t.Kind {
	case NumberToken:
		r.push(r.p.node(&Node{Kind: Num, Text: t.Text, Off: t.Off, Line: t.Line}))
		r.next()
	case StringToken:
		n := &Node{Kind: Str, Off: t.Off, Line: t.Line}
		size := 0
		for r.p.tok.Kind == StringToken {
			lit := r.p.tok.Lit
			if size += len(lit.Value); len(n.Lits) > 0 && (size > 2*maxString || len(n.Lits) >= maxAdjacent) {
				n.Cut = true
			} else {
				n.Lits = append(n.Lits, lit)
				r.p.nodes += 1 + len(lit.Value)/128
			}
			r.next()
		}
		r.push(r.p.node(n))
	case NameToken:
		r.word(t)
	case OpToken:
		r.prefixOp(t)
	case Bad:
		r.failed = true // counted by the lexer
	default:
		r.ended = true
	}
}

// word reads a name or keyword where an operand is wanted.
func (r *exprReader) word(t Token) {
	if !t.Disguised {
		switch t.Text {
		case "None", "True", "False":
			r.push(r.p.node(&Node{Kind: Const, Text: t.Text, Off: t.Off, Line: t.Line}))
			r.next()
			return
		case "not":
			r.prefix(Unary, "not", precNot)
			return
		case "lambda":
			r.open('l', nil)
			return
		case "yield":
			r.prefix(Yield, "yield", precYield)
			if r.p.tok.keyword("from") {
				r.next()
			} else if r.valueEnds() {
				r.push(r.p.node(&Node{Kind: Const, Text: "None", Off: t.Off, Line: t.Line}))
			}
			return
		case "await":
			r.next()
			if k := r.p.tok; k.Kind == NameToken && (!reserved(k.Text) || k.Text == "None") || k.Kind == StringToken || k.Kind == NumberToken || k.is("(") {
				r.ops = append(r.ops, operator{kind: Await, prec: precAwait, off: t.Off, line: t.Line, pre: true})
				return
			}
			r.push(r.p.node(&Node{Kind: Name, Text: t.Text, Off: t.Off, Line: t.Line}))
			return
		}
		if reserved(t.Text) {
			if f := r.top(); t.Text == "in" && f.kind == 't' && f.comma && len(r.ops) == f.ops {
				r.closeTarget(false)
				return
			}
			if len(r.frames) > 1 {
				r.fail("a keyword inside an expression")
			} else {
				r.ended = true
			}
			return
		}
	}
	r.push(r.p.node(&Node{Kind: Name, Text: t.Text, Off: t.Off, Line: t.Line, Disguised: t.Disguised}))
	r.next()
	if r.p.Stats.Effects == 0 && (t.Text == "null" || t.Text == "true" || t.Text == "false") {
		r.p.Stats.Dead = r.unbound()
	}
}

// unbound reports that the name just read is certainly evaluated: it is an item
// of displays that, having a comma already, are no comprehensions.
func (r *exprReader) unbound() bool {
	if len(r.ops) > 0 || len(r.frames) < 2 || !(r.p.tok.is(",") || r.p.tok.is("}") || r.p.tok.is("]")) {
		return false
	}
	for _, f := range r.frames[1:] {
		if f.kind != '[' && f.kind != '{' || !f.comma || f.comp {
			return false
		}
	}
	return len(r.frames[0].items) == 0
}

// valueEnds reports that no operand begins at the token at hand.
func (r *exprReader) valueEnds() bool {
	t := r.p.tok
	switch t.Kind {
	case Newline, EOF:
		return true
	case OpToken:
		switch t.Text {
		case ")", "]", "}", ",", ";", "=", ":":
			return true
		}
	}
	return false
}

// prefixOp reads an operator where an operand is wanted.
func (r *exprReader) prefixOp(t Token) {
	f := r.top()
	switch t.Text {
	case "+", "-", "~":
		r.prefix(Unary, t.Text, precSign)
	case "*", "**":
		r.prefix(Star, t.Text, precStar)
		if k := r.p.tok; f.kind == 'l' && (k.is(",") || k.is(":")) { // "*" alone
			r.push(r.p.node(&Node{Kind: Opaque, Off: t.Off, Line: t.Line}))
		}
	case "/":
		if f.kind != 'l' {
			r.fail("an operand is missing")
			return
		}
		r.next()
		r.push(r.p.node(&Node{Kind: Opaque, Off: t.Off, Line: t.Line}))
	case "(", "[", "{":
		r.open(t.Text[0], nil)
	case "...":
		r.push(r.p.node(&Node{Kind: Const, Text: "...", Off: t.Off, Line: t.Line}))
		r.next()
	case ")", "]", "}":
		if len(r.frames) == 1 {
			r.ended = true
			return
		}
		r.close(t.Text[0], false)
	case ":":
		switch {
		case len(r.ops) > f.ops:
			r.fail("an operand is missing")
		case f.kind == 'i':
			r.slicePart(nil)
		case f.kind == 'l':
			r.closeLambda(false)
		case f.kind == 0:
			r.ended = true
		default:
			r.fail("a colon without a key")
		}
	case ",":
		if f.kind == 'i' && f.slice > 0 && len(r.ops) == f.ops {
			f.items = append(f.items, nil)
			f.comma = true
			r.next()
			return
		}
		if f.kind == 0 {
			r.ended = true
			return
		}
		r.fail("a comma without an item")
	default:
		if f.kind == 0 {
			r.ended = true
			return
		}
		r.fail("an operand is missing")
	}
}

// infix reads what may follow an operand.
func (r *exprReader) infix() {
	t := r.p.tok
	switch t.Kind {
	case OpToken:
		r.infixOp(t)
	case NameToken:
		r.infixWord(t)
	case Bad:
		r.failed = true
	default:
		if len(r.frames) > 1 {
			r.fail("two operands side by side")
			return
		}
		r.ended = true
	}
}

// precedence of the binary operators.
func precedence(op string) int {
	switch op {
	case "<", ">", "==", "!=", "<=", ">=", "<>":
		return precCompare
	case "|":
		return precBitOr
	case "^":
		return precBitXor
	case "&":
		return precBitAnd
	case "<<", ">>":
		return precShift
	case "+", "-":
		return precSum
	case "*", "/", "//", "%", "@":
		return precProduct
	case "**":
		return precPower
	}
	return 0
}

func (r *exprReader) infixOp(t Token) {
	f := r.top()
	if prec := precedence(t.Text); prec > 0 {
		r.binary(Bin, t.Text, prec, prec == precPower)
		return
	}
	switch t.Text {
	case ".":
		r.next()
		k := r.p.tok
		if k.Kind != NameToken {
			r.fail("a dot without a name")
			return
		}
		obj := r.pop()
		r.push(r.p.node(&Node{Kind: Attr, Text: k.Text, Kids: []*Node{obj}, Off: obj.Off, Line: k.Line, Disguised: k.Disguised}))
		r.next()
	case "(":
		r.open('c', r.pop())
	case "[":
		r.open('i', r.pop())
	case ":=":
		r.binary(Walrus, ":=", precWalrus, true)
	case "=":
		if (f.kind == 'c' || f.kind == 'l') && len(r.ops) == f.ops && f.kw == "" {
			if n := r.pop(); n.Kind == Name {
				f.kw = n.Text
				r.next()
				r.want = true
				return
			}
			r.fail("an argument's name is not a name")
			return
		}
		if f.kind == 0 {
			r.ended = true
			return
		}
		r.fail("an assignment inside an expression")
	case ",":
		if f.kind == 0 && r.mode&tuple == 0 {
			r.ended = true
			return
		}
		r.item()
		f.comma = true
		r.next()
		r.want = true
	case ":":
		switch f.kind {
		case '{':
			if f.key != nil || f.comp {
				r.fail("two colons in an item")
				return
			}
			r.reduce(f.ops)
			f.key, f.dict = r.pop(), true
			r.next()
			r.want = true
		case 'i':
			r.reduce(f.ops)
			r.slicePart(r.pop())
		case 'l':
			r.closeLambda(true)
		case 0:
			r.ended = true
		default:
			r.fail("a colon inside brackets")
		}
	case ")", "]", "}":
		if len(r.frames) == 1 {
			r.ended = true
			return
		}
		r.close(t.Text[0], true)
	default:
		if f.kind == 0 {
			r.ended = true
			return
		}
		r.fail("an operator that does not belong here")
	}
}

// binary pushes an operator with two operands.
func (r *exprReader) binary(kind Kind, text string, prec int, right bool) {
	r.reduceTo(r.top().ops, prec, right)
	r.ops = append(r.ops, operator{kind: kind, text: text, prec: prec, off: r.p.tok.Off, line: r.p.tok.Line})
	r.next()
	r.want = true
}

func (r *exprReader) infixWord(t Token) {
	f := r.top()
	if t.Disguised {
		r.beside(f)
		return
	}
	switch t.Text {
	case "and":
		r.binary(Bin, "and", precAnd, false)
	case "or":
		r.binary(Bin, "or", precOr, false)
	case "is":
		r.binary(Bin, "is", precCompare, false)
		if r.p.tok.keyword("not") {
			r.next()
		}
	case "not":
		r.binary(Bin, "in", precCompare, false)
		if !r.p.tok.keyword("in") {
			r.fail("two operands side by side")
			return
		}
		r.next()
	case "in":
		switch {
		case f.kind == 't':
			r.closeTarget(true)
		case f.kind == 0 && r.mode&noIn != 0:
			r.ended = true
		default:
			r.binary(Bin, "in", precCompare, false)
		}
	case "if":
		if f.comp {
			r.reduceTo(f.ops, precFor, false)
			r.ops = append(r.ops, operator{kind: Filter, text: "if", prec: precFor, off: t.Off, line: t.Line})
			r.next()
			r.want = true
			return
		}
		r.binary(If, "if", precIf, false)
	case "else":
		r.binary(Else, "else", precIf, false)
	case "async":
		r.next()
		if f.kind == 0 || !r.p.tok.keyword("for") {
			r.beside(f)
		}
	case "for":
		if f.kind == 0 || f.kind == 't' || f.kind == 'l' || f.kind == 'i' && f.slice > 0 {
			r.beside(f)
			return
		}
		r.reduceTo(f.ops, precFor, false)
		f.comp = true
		r.open('t', nil)
	case "as":
		if f.kind == 0 && r.mode&withAs == 0 {
			r.ended = true
			return
		}
		r.binary(As, "as", precAs, false)
	default:
		r.beside(f)
	}
}

// beside meets an operand where an operator is wanted.
func (r *exprReader) beside(f *frame) {
	if f.kind == 0 {
		r.ended = true // the statement says whether that may be
		return
	}
	r.fail("two operands side by side")
}

// item ends the item at hand of the frame on top.
func (r *exprReader) item() {
	f := r.top()
	r.reduce(f.ops)
	n := r.pop()
	if f.kind == 0 && len(f.items) == 0 {
		f.off, f.line = n.Off, n.Line
	}
	if r.p.nodes > maxNodes && r.p.shed != nil {
		// Too much to hold: look at the item by itself and forget it.
		if n.Kind != Num && n.Kind != Str && n.Kind != Const || hasFields(n) {
			r.p.shed(n)
		}
		if f.key != nil {
			r.p.shed(f.key)
		}
		r.p.nodes, f.cut, f.key, f.kw = f.nodes, true, nil, ""
		return
	}
	if f.kind == '{' && f.dict {
		if f.key == nil && n.Kind != Star {
			r.fail("an item without a key")
		}
		f.items = append(f.items, f.key)
		f.key = nil
	}
	if n.Kind == Star && f.kind == 'c' {
		f.kws, f.items = append(f.kws, n.Text), append(f.items, n.Kids[0])
	} else {
		f.kws, f.items = append(f.kws, f.kw), append(f.items, n)
	}
	f.kw = ""
	f.nodes = r.p.nodes
	if f.kind == '{' && n.Kind == Star && n.Text == "**" && !f.dict {
		f.dict = true
		f.items = append(f.items[:len(f.items)-1], nil, n)
	}
}

func hasFields(n *Node) bool {
	for _, l := range n.Lits {
		if len(l.Parts) > 0 {
			return true
		}
	}
	return false
}

// slicePart ends a part of a slice at a colon.
func (r *exprReader) slicePart(n *Node) {
	f := r.top()
	f.items = append(f.items, n)
	f.kws = append(f.kws, "")
	f.slice++
	r.next()
	r.want = true
}

// close ends a bracket; operand tells whether an item stands before it.
func (r *exprReader) close(c byte, operand bool) {
	f := r.top()
	if f.kind == 'l' || f.kind == 't' || f.kind == 0 {
		r.fail("a bracket closes too early")
		return
	}
	if operand {
		r.item()
		if r.failed {
			return
		}
	} else if len(r.ops) > f.ops || f.kw != "" || f.key != nil {
		r.fail("an operand is missing")
		return
	} else if f.kind == 'i' && f.slice > 0 && !f.comma {
		f.items = append(f.items, nil)
	}
	r.frames = r.frames[:len(r.frames)-1]
	g := f // still readable: the array below is not written before push
	n := &Node{Off: g.off, Line: g.line, Cut: g.cut, Kids: g.items}
	switch g.kind {
	case '(':
		if len(g.items) == 1 && !g.comma {
			inner := g.items[0]
			r.p.next()
			r.push(inner)
			return
		}
		n.Kind = Tuple
	case '[':
		n.Kind = List
	case '{':
		n.Kind = Set
		if g.dict || len(g.items) == 0 {
			n.Kind = Dict
		}
	case 'c':
		n.Kind, n.Off = Call, g.owner.Off
		n.Kids = append([]*Node{g.owner}, g.items...)
		n.Kws = g.kws
	case 'i':
		n.Kind, n.Off = Index, g.owner.Off
		index := &Node{Kind: Tuple, Kids: g.items, Off: g.off, Line: g.line}
		switch {
		case g.slice > 0 && !g.comma:
			index.Kind = Slice
		case len(g.items) == 1 && !g.comma:
			index = g.items[0]
		case len(g.items) == 0:
			r.fail("an index is missing")
			return
		}
		n.Kids = []*Node{g.owner, r.p.node(index)}
	}
	node := r.p.node(n)
	r.p.next()
	r.push(node)
}

// closeLambda ends the parameters of a lambda at the colon.
func (r *exprReader) closeLambda(operand bool) {
	f := r.top()
	if operand {
		r.item()
	} else if len(r.ops) > f.ops || f.kw != "" {
		r.fail("an operand is missing")
		return
	}
	params := &Node{Kind: Tuple, Off: f.off, Line: f.line}
	for i, item := range f.items {
		switch {
		case i < len(f.kws) && f.kws[i] != "":
			params.Kws = append(params.Kws, f.kws[i])
			params.Kids = append(params.Kids, item)
		case item.Kind == Star:
			params.Kws = append(params.Kws, item.Text+item.Kids[0].Text)
		default:
			params.Kws = append(params.Kws, item.Text)
		}
	}
	r.frames = r.frames[:len(r.frames)-1]
	r.ops = append(r.ops, operator{kind: Lambda, prec: precLambda, node: params, off: params.Off, line: params.Line, pre: true})
	r.next()
	r.want = true
}

// closeTarget ends the target of a "for" inside brackets at "in".
func (r *exprReader) closeTarget(operand bool) {
	if operand {
		r.item()
	}
	f := r.top()
	target := &Node{Kind: Tuple, Kids: f.items, Off: f.off, Line: f.line}
	if len(f.items) == 1 && !f.comma {
		target = f.items[0]
	}
	r.frames = r.frames[:len(r.frames)-1]
	r.ops = append(r.ops, operator{kind: Comp, prec: precFor, node: target, off: target.Off, line: target.Line})
	r.next()
	r.want = true
}

// reduce applies all operators above base.
func (r *exprReader) reduce(base int) { r.reduceTo(base, 0, false) }

// reduceTo applies the operators above base that bind at least as tightly as
// prec, more tightly for one that binds to the right.
func (r *exprReader) reduceTo(base, prec int, right bool) {
	for len(r.ops) > base {
		op := r.ops[len(r.ops)-1]
		if op.prec < prec || right && op.prec == prec && !op.pre {
			return
		}
		r.ops = r.ops[:len(r.ops)-1]
		r.apply(op)
	}
}

// flat operators join their operands in one node.
func flat(op string) bool { return strings.Contains(" + and or | & ", " "+op+" ") }

func (r *exprReader) apply(op operator) {
	n := &Node{Kind: op.kind, Text: op.text, Off: op.off, Line: op.line}
	right := r.pop()
	if op.pre {
		n.Kids = []*Node{right}
		if op.kind == Lambda {
			n.Kids = append(n.Kids, op.node.Kids...)
			n.Kws = op.node.Kws
		}
		r.vals = append(r.vals, r.p.node(n))
		return
	}
	left := r.pop()
	switch {
	case op.kind == Comp:
		n.Kids = []*Node{left, op.node, right}
	case op.kind == Bin && left.Kind == Bin && left.Text == op.text && flat(op.text):
		left.Kids = append(left.Kids, right)
		r.vals = append(r.vals, left.grow())
		return
	default:
		n.Kids = []*Node{left, right}
		n.Off = left.Off
	}
	r.vals = append(r.vals, r.p.node(n))
}
