package jinja

// Precedences of operators, as jinja2/parser.py nests them.
const (
	precTernary = iota + 1
	precOr
	precAnd
	precNot
	precCompare
	precAdd
	precConcat
	precMultiply
	precUnary
	precPower
	precTest
)

func precedence(op string) int {
	switch op {
	case "if", "else":
		return precTernary
	case "or":
		return precOr
	case "and":
		return precAnd
	case "==", "!=", "<", "<=", ">", ">=", "in", "not in":
		return precCompare
	case "+", "-":
		return precAdd
	case "~":
		return precConcat
	case "*", "/", "//", "%":
		return precMultiply
	case "**":
		return precPower
	}
	return 0
}

// maxOperators is how many operators may wait in one frame: Python's stack
// ends earlier.
const maxOperators = 2000

// maxChain is how many postfixes follow one operand, and how many operators one
// item: Jinja's compiler recurses for each of them and Python ends that at
// 1000. Concatenations and comparisons do not nest.
const maxChain = 10_000

// expression parses one expression, or a tuple without brackets.
func (in *interpreter) expression() (value, error) {
	return in.parse([]*frame{{bracket: brRoot, empty: true}})
}

// single parses one expression and leaves a comma alone.
func (in *interpreter) single() (value, error) {
	return in.parse([]*frame{{bracket: brRoot, empty: true, single: true}})
}

// arguments parses (a, name=b) behind a filter that stands before its value.
func (in *interpreter) arguments() (arguments, error) {
	in.advance()
	f := &frame{bracket: brTest, empty: true}
	_, err := in.parse([]*frame{{bracket: brRoot, once: true}, f})
	return f.args, err
}

// parse reads until the first token that can not go on with the expression. It
// keeps its own stack: the text decides how deep it goes.
func (in *interpreter) parse(stack []*frame) (value, error) {
	want := true // an operand has to come
	for {
		if in.failed != nil {
			return value{}, in.failed
		}
		top := stack[len(stack)-1]
		if top.chain > maxChain || top.nested > maxChain {
			return value{}, foreign(in.tok.off, "an expression longer than Python's stack is deep")
		}
		if want {
			pushed, done, err := in.operand(top)
			if err != nil {
				return value{}, err
			}
			if pushed != nil {
				stack = append(stack, pushed)
				continue
			}
			if !done {
				continue
			}
			want = false
			continue
		}
		pushed, act, err := in.after(top)
		if err != nil {
			return value{}, err
		}
		switch act {
		case actGoOn:
		case actWant:
			want = true
		case actPush:
			stack = append(stack, pushed)
			want = true
		case actStop:
			if top.bracket != brRoot {
				return value{}, foreign(in.tok.off, "brackets without end")
			}
			return in.finish(top)
		case actClose:
			v := in.closeFrame(top)
			in.advance()
			stack = stack[:len(stack)-1]
			below := stack[len(stack)-1]
			below.operands = append(below.operands, v)
		}
	}
}

// action says how an expression goes on.
type action uint8

const (
	actGoOn  action = iota // another operator or postfix may come
	actWant                // an operand has to come
	actPush                // a bracket was opened
	actClose               // a bracket is closed
	actStop                // the expression is over
)

// after reads what can follow an operand.
func (in *interpreter) after(top *frame) (*frame, action, error) {
	t := in.tok
	if in.closes(top) {
		return nil, actClose, nil
	}
	if top.once {
		return nil, actStop, nil
	}
	if t.kind == tokName {
		return in.wordOperator(top)
	}
	if t.kind != tokOp || len(top.operands) == 0 {
		return nil, actStop, nil
	}
	last := &top.operands[len(top.operands)-1]
	switch t.text {
	case ".", "[", "(", "|":
		top.chain++
	case "+", "-", "*", "/", "//", "%", "**":
		top.nested++
	}
	switch t.text {
	case ".":
		return nil, actGoOn, in.dot(last)
	case "[":
		in.advance()
		return &frame{bracket: brSubscript, off: t.off, base: in.pop(top), empty: true}, actPush, nil
	case "(":
		in.advance()
		return &frame{bracket: brCall, off: t.off, base: in.pop(top), empty: true}, actPush, nil
	case "|":
		return in.filter(top)
	case ",":
		if top.single {
			return nil, actStop, nil
		}
		if top.keyword == "" && top.bracket == brDict && !top.keyDone {
			return nil, actStop, foreign(t.off, "a mapping without values")
		}
		in.comma(top)
		return nil, actWant, nil
	case ":":
		switch {
		case top.bracket == brDict && !top.keyDone:
			top.key, top.keyDone = in.take(top), true
			in.advance()
			return nil, actWant, nil
		case top.bracket == brSubscript:
			return nil, actWant, in.colon(top)
		}
		return nil, actStop, nil
	}
	if prec := precedence(t.text); prec > 0 {
		in.advance()
		in.binary(top, t.text, prec)
		return nil, actWant, nil
	}
	return nil, actStop, nil
}

// wordOperator reads operators that are words.
func (in *interpreter) wordOperator(top *frame) (*frame, action, error) {
	t := in.tok
	if len(top.operands) == 0 {
		return nil, actStop, nil
	}
	switch t.text {
	case "and", "or", "in", "if", "else":
		if t.text != "in" {
			top.nested++
		}
		in.advance()
		in.binary(top, t.text, precedence(t.text))
		return nil, actWant, nil
	case "not":
		in.advance()
		if !in.tok.name("in") {
			return nil, actStop, foreign(t.off, "not without in")
		}
		in.advance()
		in.binary(top, "not in", precCompare)
		return nil, actWant, nil
	case "is":
		return in.test(top)
	}
	return nil, actStop, nil
}
