package jinja

// operator waits for its right side.
type operator struct {
	name   string
	prec   int
	prefix bool
}

// bracket says what a frame was opened for.
type bracket uint8

const (
	brRoot bracket = iota
	brParen
	brList
	brDict
	brSubscript
	brCall
	brFilter
	brTest
)

// frame is an expression inside of brackets, or the outermost.
type frame struct {
	bracket  bracket
	off      int64
	base     value  // what the brackets are applied to
	name     string // of the filter
	operands []value
	ops      []operator
	args     arguments
	keyword  string // of the argument at hand
	starred  bool   // the argument at hand is spread
	keyDone  bool   // in a mapping: the operand at hand is a value
	key      value
	bounds   [3]value // of a slice
	given    [3]bool
	colons   int
	comma    bool // a comma came: a tuple
	chain    int  // postfixes behind the last operand
	nested   int  // operators of the item at hand
	single   bool // no tuple here
	once     bool // the expression ends with its first operand
	empty    bool // nothing stands since the bracket or the comma
}

// arguments are those of a call, or the items of a list or a mapping.
type arguments struct {
	list   []value
	named  map[string]value
	weight int
	more   bool // some were not kept
}

func (a *arguments) add(name string, v value) {
	v.recv = nil
	if a.weight+1+v.weight > maxWeight {
		v = v.light()
	}
	a.weight += 1 + v.weight
	switch {
	case name != "" && len(a.named) < maxItems:
		if a.named == nil {
			a.named = map[string]value{}
		}
		a.named[name] = v
	case name == "" && len(a.list) < maxItems:
		a.list = append(a.list, v)
	default:
		a.more = true
	}
}

// all returns the arguments one after another.
func (a *arguments) all() []value {
	out := a.list[:len(a.list):len(a.list)]
	for _, v := range a.named {
		out = append(out, v)
	}
	return out
}

func (a *arguments) at(i int, name string) value {
	if v, ok := a.named[name]; ok && name != "" {
		return v
	}
	if i < len(a.list) {
		return a.list[i]
	}
	return unknown()
}

func (in *interpreter) binary(top *frame, name string, prec int) {
	in.reduce(top, prec)
	top.ops = append(top.ops, operator{name: name, prec: prec})
}

// reduce applies the operators that bind at least as tightly as prec.
func (in *interpreter) reduce(top *frame, prec int) {
	for n := len(top.ops); n > 0 && top.ops[n-1].prec >= prec; n-- {
		op := top.ops[n-1]
		top.ops = top.ops[:n-1]
		right := in.pop(top)
		if op.prefix {
			top.operands = append(top.operands, prefixed(op.name, right))
			continue
		}
		left := in.pop(top)
		top.operands = append(top.operands, in.judge.binary(in.tok.off, op.name, left, right))
	}
}

func prefixed(op string, v value) value {
	switch {
	case op == "-" && v.isNum:
		return numValue(-v.num)
	case op == "not":
		return derived(v)
	}
	return v
}

func (in *interpreter) pop(top *frame) value {
	n := len(top.operands)
	if n == 0 {
		return unknown()
	}
	v := top.operands[n-1]
	top.operands = top.operands[:n-1]
	return v
}

// take applies all operators and returns the operand.
func (in *interpreter) take(top *frame) value {
	in.reduce(top, 0)
	v := in.pop(top)
	top.operands = top.operands[:0]
	return v
}

// comma ends an argument or an item.
func (in *interpreter) comma(top *frame) {
	in.endItem(top)
	top.comma, top.colons, top.empty, top.nested = true, 0, true, 0
	in.advance()
}

func (in *interpreter) endItem(top *frame) {
	if len(top.operands) == 0 {
		return
	}
	v := in.take(top)
	switch {
	case top.colons > 0: // a slice in a tuple
	case top.bracket == brDict:
		name := ""
		if len(top.key.texts) > 0 {
			name = top.key.texts[0]
		}
		in.judge.mapped(name, v)
		top.args.add(name, v)
	case top.starred:
		for i, item := range v.items {
			name := ""
			if v.shape == mapping && i < len(v.keys) {
				name = v.keys[i]
			}
			top.args.add(name, item)
		}
	default:
		top.args.add(top.keyword, v)
	}
	top.keyword, top.starred, top.keyDone, top.empty = "", false, false, true
}

// finish ends the outermost frame.
func (in *interpreter) finish(top *frame) (value, error) {
	if !top.comma {
		return in.take(top), nil
	}
	in.endItem(top)
	return sequence(top.args), nil
}

func sequence(a arguments) value {
	v := value{shape: list, own: a.more}
	for _, i := range a.list {
		v.addItem(i)
	}
	return v
}

// closeFrame returns what a bracket comes to.
func (in *interpreter) closeFrame(top *frame) value {
	switch top.bracket {
	case brParen:
		if !top.comma && len(top.operands) > 0 {
			return in.take(top)
		}
	case brSubscript:
		if top.colons > 0 && !top.comma {
			if len(top.operands) > 0 {
				top.bounds[top.colons], top.given[top.colons] = in.take(top), true
			}
			return in.judge.built(top.off, slice(top.base, top.bounds, top.given), top.base)
		}
		if !top.comma {
			return in.judge.subscript(top.off, top.base, in.take(top))
		}
		in.endItem(top)
		return unknown()
	}
	in.endItem(top)
	switch top.bracket {
	case brDict:
		return mappingOf(top.args)
	case brCall:
		return in.judge.call(top.off, top.base, &top.args)
	case brFilter:
		return in.judge.filter(top.off, top.name, top.base, &top.args)
	case brTest:
		return derived(top.base)
	}
	return sequence(top.args)
}

func mappingOf(a arguments) value {
	v := value{shape: mapping, own: a.more}
	for _, k := range sortedKeys(a.named) {
		v.addKey(k)
		v.addItem(a.named[k])
	}
	for _, i := range a.list { // keys that are not known
		v.addItem(i)
	}
	return v
}
