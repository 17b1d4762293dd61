package jinja

import "strconv"

// operand reads what an expression can begin with. done says that an operand
// stands; otherwise a prefix was read.
func (in *interpreter) operand(top *frame) (pushed *frame, done bool, err error) {
	t := in.tok
	if top.empty && in.closes(top) { // () [] {} f() and a trailing comma
		return nil, true, nil
	}
	if top.empty && top.bracket == brRoot && top.comma && in.ends() {
		return nil, true, nil
	}
	push := func(v value) (*frame, bool, error) {
		top.operands = append(top.operands, v)
		top.chain = 0
		top.empty = false
		return nil, true, nil
	}
	switch t.kind {
	case tokString:
		return push(in.literal())
	case tokInteger, tokFloat:
		in.advance()
		v := value{isNum: t.kind == tokInteger}
		if n, err := strconv.ParseInt(t.text, 0, 64); err == nil {
			v.num = n
		} else if t.kind == tokInteger {
			if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
				v.num = n
			} else {
				v.num = 1 << 62
			}
		}
		return push(v)
	case tokName:
		return in.nameOperand(top, push)
	case tokOp:
		return in.bracketOperand(top)
	}
	return nil, false, foreign(t.off, "an expression is missing")
}

func (in *interpreter) nameOperand(top *frame, push func(value) (*frame, bool, error)) (*frame, bool, error) {
	t := in.tok
	if top.bracket >= brCall && top.empty && in.peekOp("=") {
		in.advance()
		in.advance()
		top.keyword = t.text
		top.empty = false
		return nil, false, nil
	}
	in.advance()
	switch t.text {
	case "not":
		// Behind any operator that binds tighter it is a variable.
		if n := len(top.ops); n == 0 || top.ops[n-1].prec <= precNot {
			return nil, false, top.prefix(operator{"not", precNot, true}, t.off)
		}
	case "true", "True", "false", "False":
		return push(value{isNum: true, num: int64(len(t.text)&1 ^ 1)})
	case "none", "None":
		return push(textValue("None"))
	}
	return push(in.variable(t)) // every other word, "if" and "in" too
}

func (in *interpreter) bracketOperand(top *frame) (*frame, bool, error) {
	t := in.tok
	open := map[string]bracket{"(": brParen, "[": brList, "{": brDict}
	if b, ok := open[t.text]; ok {
		in.advance()
		top.empty, top.chain = false, 0
		return &frame{bracket: b, off: t.off, empty: true}, false, nil
	}
	switch {
	case t.text == "-" || t.text == "+":
		in.advance()
		return nil, false, top.prefix(operator{t.text, precUnary, true}, t.off)
	case top.bracket >= brCall && top.empty && (t.text == "*" || t.text == "**"):
		in.advance()
		top.starred, top.empty = true, false
		return nil, false, nil
	case top.bracket == brSubscript && t.text == ":" && len(top.operands) == 0 && len(top.ops) == 0:
		return nil, false, in.colon(top)
	case top.bracket == brSubscript && t.text == "," && top.colons > 0 && len(top.ops) == 0: // [:, 1]
		in.comma(top)
		return nil, false, nil
	}
	return nil, false, foreign(t.off, "an expression is missing")
}

func (f *frame) prefix(op operator, off int64) error {
	if len(f.ops) == maxOperators {
		return foreign(off, "operators nest deeper than Jinja reads")
	}
	f.ops = append(f.ops, op)
	f.empty = false
	return nil
}

// colon notes a bound of a slice.
func (in *interpreter) colon(top *frame) error {
	if top.colons == 2 {
		return foreign(in.tok.off, "a slice with three colons")
	}
	if len(top.operands) > 0 {
		top.bounds[top.colons], top.given[top.colons] = in.take(top), true
	}
	top.colons++
	top.empty = true
	in.advance()
	return nil
}

// closes reports whether the token at hand closes the frame.
func (in *interpreter) closes(top *frame) bool {
	end := ")"
	switch top.bracket {
	case brRoot:
		return false
	case brList, brSubscript:
		end = "]"
	case brDict:
		end = "}"
	}
	return in.tok.op(end)
}

// ends reports whether the section is over, or a statement's = comes.
func (in *interpreter) ends() bool {
	return in.tok.kind == tokVarEnd || in.tok.kind == tokBlockEnd || in.tok.op("=")
}

// literal reads strings that stand side by side: they are one.
func (in *interpreter) literal() value {
	v := in.constant(in.tok)
	in.advance()
	for in.tok.kind == tokString {
		v = in.judge.built(in.tok.off, concat(v, in.constant(in.tok)), v, in.constant(in.tok))
		in.advance()
	}
	return v
}

func (in *interpreter) constant(t token) value {
	if t.long {
		return value{texts: []string{holeText}, own: true}
	}
	v := textValue(t.text)
	v.path = "a string"
	if t.spelled {
		in.judge.built(t.off, value{texts: []string{t.text}})
	}
	if v.own { // too long to follow, but not to read
		v.name = t.text
	}
	return v
}
