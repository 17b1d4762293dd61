package jinja

import (
	"errors"

	"modelwall/scan"
)

// interpreter goes through a template once, section by section.
type interpreter struct {
	judge    *judge
	lex      *lexer
	tok      token // at hand
	ahead    []token
	failed   error // from the lexer, sticky until the section is left
	sections int   // expressions and statements that were whole
	broken   error // the first syntax error
	loops    []int64
	captures []*capture
	tokens   int // of code, so far
}

// capture collects what a block writes into a variable or a macro.
type capture struct {
	name   string
	end    string // the tag that ends it
	text   value
	filter []filterCall
}

// maxBroken is how many sections with syntax errors are gone over.
const maxBroken = 1000

// run returns ErrForeign when the text is no template.
func (in *interpreter) run() error {
	bad := 0
	for {
		t, err := in.lex.next()
		if err != nil {
			return in.outcome(err)
		}
		switch t.kind {
		case tokEOF:
			in.judge.hidden(in.lex.hidden)
			return in.outcome(nil)
		case tokData:
			in.write(textOf(t))
			continue
		}
		mark := len(in.judge.findings)
		err = in.section(t)
		switch {
		case err == nil:
			in.sections++
			continue
		case !errors.Is(err, scan.ErrForeign):
			return err
		}
		// Nothing of a section with a syntax error means anything.
		in.judge.findings = in.judge.findings[:min(mark, len(in.judge.findings))]
		if in.broken == nil {
			in.broken = err
		}
		if bad++; bad > maxBroken {
			return in.broken
		}
		in.lex.resync()
	}
}

// outcome is the answer at the end of the text.
func (in *interpreter) outcome(err error) error {
	if err != nil && !errors.Is(err, scan.ErrForeign) {
		return err
	}
	if in.broken != nil {
		return in.broken
	}
	return err
}

func textOf(t token) value {
	if t.long {
		return value{texts: []string{holeText}, own: true}
	}
	return textValue(t.text)
}

// section reads one {{ }} or {% %}.
func (in *interpreter) section(begin token) error {
	in.failed, in.ahead, in.tok = nil, in.ahead[:0], begin
	in.advance()
	var err error
	end := tokVarEnd
	if begin.kind == tokVarBegin {
		var v value
		if v, err = in.expression(); err == nil {
			in.write(v)
		}
	} else {
		end = tokBlockEnd
		err = in.statement()
	}
	if end == tokBlockEnd && in.tok.op(":") { // as Python has it
		in.advance()
	}
	switch {
	case in.failed != nil:
		return in.failed
	case err != nil:
		return err
	case in.tok.kind != end:
		return foreign(in.tok.off, "something is left over")
	}
	return nil
}

// advance moves to the next token. What goes wrong is kept in failed and the
// token is of no kind.
func (in *interpreter) advance() {
	if len(in.ahead) > 0 {
		in.tok = in.ahead[0]
		in.ahead = in.ahead[1:]
		return
	}
	in.tok = in.read()
}

func (in *interpreter) read() token {
	if in.failed != nil || in.tok.kind == tokVarEnd || in.tok.kind == tokBlockEnd {
		return token{kind: in.tok.kind, off: in.tok.off}
	}
	t, err := in.lex.next()
	if err != nil {
		in.failed = err
		return token{off: in.lex.offset()}
	}
	if in.tokens++; in.tokens == maxTokens {
		in.judge.env.settled = true // there will be no other pass
	}
	return t
}

// peekOp reports whether the token after the one at hand is an operator.
func (in *interpreter) peekOp(text string) bool {
	if len(in.ahead) == 0 {
		if in.tok.kind == tokVarEnd || in.tok.kind == tokBlockEnd {
			return false
		}
		in.ahead = append(in.ahead, in.read())
	}
	return in.ahead[0].op(text)
}

// dot reads .name behind a value.
func (in *interpreter) dot(v *value) error {
	in.advance()
	t := in.tok
	switch t.kind {
	case tokName:
		in.advance()
		*v = in.judge.attribute(t.off, *v, t.text, ".")
	case tokInteger:
		in.advance()
		*v = derived(*v)
	default:
		return foreign(t.off, "a dot without a name")
	}
	return nil
}

// filter reads |name or |name(arguments).
func (in *interpreter) filter(top *frame) (*frame, action, error) {
	off := in.tok.off
	in.advance()
	name, err := in.dotted("a filter without a name")
	if err != nil {
		return nil, actStop, err
	}
	base := in.pop(top)
	if in.tok.op("(") {
		in.advance()
		return &frame{bracket: brFilter, off: off, name: name, base: base, empty: true}, actPush, nil
	}
	top.operands = append(top.operands, in.judge.filter(off, name, base, &arguments{}))
	return nil, actGoOn, nil
}

// test reads is name, is not name, with or without arguments.
func (in *interpreter) test(top *frame) (*frame, action, error) {
	in.advance()
	if in.tok.name("not") {
		in.advance()
	}
	if _, err := in.dotted("a test without a name"); err != nil {
		return nil, actStop, err
	}
	t := in.tok
	switch {
	case t.op("("):
		in.advance()
		return &frame{bracket: brTest, off: t.off, base: in.pop(top), empty: true}, actPush, nil
	case t.kind == tokName && (t.text == "else" || t.text == "or" || t.text == "and"):
	case t.kind == tokName, t.kind == tokString, t.kind == tokInteger, t.kind == tokFloat, t.op("["), t.op("{"):
		top.ops = append(top.ops, operator{name: "is", prec: precTest})
		if len(top.ops) > maxOperators {
			return nil, actStop, foreign(t.off, "operators nest deeper than Jinja reads")
		}
		return nil, actWant, nil
	}
	top.operands = append(top.operands, derived(in.pop(top)))
	return nil, actGoOn, nil
}

// dotted reads a name with dots, as filters and tests have.
func (in *interpreter) dotted(missing string) (string, error) {
	if in.tok.kind != tokName {
		return "", foreign(in.tok.off, missing)
	}
	name := in.tok.text
	in.advance()
	for in.tok.op(".") {
		in.advance()
		if in.tok.kind != tokName {
			return "", foreign(in.tok.off, missing)
		}
		name = step(name, "."+in.tok.text)
		in.advance()
	}
	return name, nil
}

// variable is what a name stands for.
func (in *interpreter) variable(t token) value { return in.judge.variable(t) }

// write adds output to what is being captured.
func (in *interpreter) write(v value) {
	if n := len(in.captures); n > 0 {
		c := in.captures[n-1]
		c.text = in.judge.built(in.lex.offset(), concat(c.text, v), c.text, v)
		c.text.twice = ""
	}
}

// uncertain notes in a capture that what follows may be written or not.
func (in *interpreter) uncertain() {
	if n := len(in.captures); n > 0 {
		c := in.captures[n-1]
		own := c.text.template()
		c.text = concat(c.text, unknown())
		c.text.own = c.text.own || own
	}
}
