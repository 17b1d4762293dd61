package jinja

import "slices"

// statement reads the inside of {% %}.
func (in *interpreter) statement() error {
	t := in.tok
	if t.kind != tokName {
		return foreign(t.off, "a statement without a name")
	}
	in.advance()
	switch t.text {
	case "raw":
		if in.tok.kind != tokBlockEnd {
			return foreign(in.tok.off, "a raw block of another kind")
		}
		return in.lex.raw(func(b []byte) { in.write(textValue(string(b[:min(len(b), maxText+1)]))) })
	case "if", "elif", "print", "do", "autoescape":
		if t.text == "if" || t.text == "elif" {
			in.uncertain()
		}
		v, err := in.expression()
		if t.text == "print" {
			in.write(v)
		}
		return err
	case "else", "endif":
		in.uncertain()
		return nil
	case "for":
		in.uncertain()
		return in.forLoop()
	case "endfor":
		in.uncertain()
		if n := len(in.loops); n > 0 {
			in.loops = in.loops[:n-1]
		}
		return nil
	case "set":
		return in.set()
	case "with":
		return in.with()
	case "macro":
		return in.macro()
	case "call":
		return in.callBlock()
	case "filter":
		return in.filterBlock()
	case "endset", "endmacro", "endcall", "endfilter":
		in.endCapture(t.text)
		return in.optionalName()
	case "block":
		in.uncertain()
		for in.tok.kind == tokName {
			in.advance()
		}
		return nil
	case "endblock", "endwith", "endautoescape", "endgeneration", "generation", "break", "continue", "debug", "endtrans", "pluralize":
		return in.optionalName()
	case "trans":
		return in.trans()
	case "include", "extends", "import", "from":
		return in.load(t)
	}
	return foreign(t.off, "a statement that the language does not have")
}

func (in *interpreter) optionalName() error {
	if in.tok.kind == tokName {
		in.advance()
	}
	return nil
}

// targets reads what is assigned to: names with commas, perhaps in brackets,
// or an attribute of a namespace. The word end ends them.
func (in *interpreter) targets(end string) ([]string, error) {
	var names []string
	for {
		t := in.tok
		switch {
		case t.op("("), t.op(")"), t.op(","):
			in.advance()
			continue
		case t.kind != tokName || t.text == end && len(names) > 0:
			if len(names) == 0 {
				return nil, foreign(t.off, "an assignment without a name")
			}
			return names, nil
		}
		in.advance()
		name := t.text
		if in.tok.op(".") {
			in.advance()
			if in.tok.kind != tokName {
				return nil, foreign(in.tok.off, "a dot without a name")
			}
			name = "." + in.tok.text
			in.advance()
		}
		if len(names) < maxItems {
			names = append(names, name)
		}
		if !in.tok.op(",") && !in.tok.op(")") {
			return names, nil
		}
	}
}

// assign gives v to one name, or its items to several.
func (in *interpreter) assign(names []string, v value) {
	if len(names) == 1 {
		in.judge.assign(in.tok.off, names[0], v, len(in.loops) > 0)
		return
	}
	for i, name := range names {
		part := v.any()
		if v.shape == list && i < len(v.items) {
			part = v.items[i]
		}
		in.judge.assign(in.tok.off, name, part, len(in.loops) > 0)
	}
}

func (in *interpreter) forLoop() error {
	names, err := in.targets("in")
	if err != nil {
		return err
	}
	if !in.tok.name("in") {
		return foreign(in.tok.off, "for without in")
	}
	in.advance()
	v, err := in.expression()
	if err != nil {
		return err
	}
	if in.tok.name("recursive") {
		in.advance()
	}
	if v.shape == plain && len(v.texts) > 0 {
		v = characters(v)
	}
	if v.shape == mapping && len(names) == 1 {
		v = characters(v)
	}
	item := v.any()
	if v.shape == mapping { // of pairs
		item = value{shape: list, items: []value{characters(v).any(), item}, weight: 2 + item.weight}
	}
	in.assign(names, item)
	in.loops = append(in.loops, max(v.span, int64(len(v.items)), 1))
	in.judge.loops(in.tok.off, in.loops)
	return nil
}

func (in *interpreter) set() error {
	names, err := in.targets("")
	if err != nil {
		return err
	}
	if in.tok.op("=") {
		in.advance()
		v, err := in.expression()
		if err != nil {
			return err
		}
		in.assign(names, v)
		return nil
	}
	filters, err := in.filters()
	if err != nil {
		return err
	}
	in.capture(&capture{name: names[0], end: "endset", filter: filters})
	return nil
}

// filters reads |name|name(arguments) without a value before it.
func (in *interpreter) filters() ([]filterCall, error) {
	var calls []filterCall
	for in.tok.op("|") {
		in.advance()
		call, err := in.filterCall()
		if err != nil {
			return nil, err
		}
		if calls = append(calls, call); len(calls) > maxOperators {
			return nil, foreign(in.tok.off, "filters nest deeper than Jinja reads")
		}
	}
	return calls, nil
}

// filterCall is a filter that stands before what it is applied to.
type filterCall struct {
	name string
	args arguments
}

func (in *interpreter) filterCall() (filterCall, error) {
	name, err := in.dotted("a filter without a name")
	if err != nil || !in.tok.op("(") {
		return filterCall{name: name}, err
	}
	args, err := in.arguments()
	return filterCall{name, args}, err
}

// maxCaptures is how deeply captured blocks nest.
const maxCaptures = 32

func (in *interpreter) capture(c *capture) {
	c.text = textValue("")
	if len(in.captures) < maxCaptures {
		in.captures = append(in.captures, c)
	}
}

func (in *interpreter) endCapture(tag string) {
	i := len(in.captures) - 1
	for ; i >= 0 && in.captures[i].end != tag; i-- {
	}
	if i < 0 {
		return
	}
	c := in.captures[i]
	in.captures = in.captures[:i]
	v := c.text
	for _, f := range c.filter {
		v = in.judge.filter(in.tok.off, f.name, v, &f.args)
	}
	switch tag {
	case "endset":
		in.judge.assign(in.tok.off, c.name, v, len(in.loops) > 0)
	case "endmacro":
		in.judge.assign(in.tok.off, c.name+"()", v, false)
	default:
		in.write(v)
	}
}

func (in *interpreter) with() error {
	for in.tok.kind == tokName || in.tok.op("(") {
		names, err := in.targets("")
		if err != nil {
			return err
		}
		if !in.tok.op("=") {
			return foreign(in.tok.off, "with without a value")
		}
		in.advance()
		v, err := in.single()
		if err != nil {
			return err
		}
		in.assign(names, v)
		if in.tok.op(",") {
			in.advance()
		}
	}
	return nil
}

// signature reads (name, name=default) of a macro.
func (in *interpreter) signature() ([]string, error) {
	var names []string
	if !in.tok.op("(") {
		return nil, foreign(in.tok.off, "a macro without brackets")
	}
	in.advance()
	for !in.tok.op(")") {
		if in.tok.kind != tokName {
			return nil, foreign(in.tok.off, "a parameter without a name")
		}
		name := in.tok.text
		if len(names) < maxItems {
			names = append(names, name)
		}
		in.advance()
		if in.tok.op("=") {
			in.advance()
			v, err := in.single()
			if err != nil {
				return nil, err
			}
			in.judge.assign(in.tok.off, name, v, false)
		}
		if in.tok.op(",") {
			in.advance()
		} else if !in.tok.op(")") {
			return nil, foreign(in.tok.off, "a parameter without a comma")
		}
	}
	in.advance()
	return names, nil
}

func (in *interpreter) macro() error {
	if in.tok.kind != tokName {
		return foreign(in.tok.off, "a macro without a name")
	}
	name := in.tok.text
	in.advance()
	params, err := in.signature()
	if err != nil {
		return err
	}
	in.judge.macro(name, params)
	in.capture(&capture{name: name, end: "endmacro"})
	return nil
}

func (in *interpreter) callBlock() error {
	if in.tok.op("(") {
		if _, err := in.signature(); err != nil {
			return err
		}
	}
	_, err := in.expression()
	in.capture(&capture{end: "endcall"})
	return err
}

func (in *interpreter) filterBlock() error {
	call, err := in.filterCall()
	if err != nil {
		return err
	}
	more, err := in.filters()
	in.capture(&capture{end: "endfilter", filter: slices.Concat([]filterCall{call}, more)})
	return err
}

func (in *interpreter) trans() error {
	for in.tok.kind == tokName || in.tok.kind == tokString {
		name := in.tok.text
		in.advance()
		if in.tok.op("=") {
			in.advance()
			v, err := in.single()
			if err != nil {
				return err
			}
			in.assign([]string{name}, v)
		}
		for in.tok.op(",") || in.tok.op(":") {
			in.advance()
		}
	}
	return nil
}

// load reads include, extends, import and from.
func (in *interpreter) load(tag token) error {
	v, err := in.expression()
	if err != nil {
		return err
	}
	in.judge.load(tag, v)
	for in.tok.kind == tokName || in.tok.op(",") { // as x, import a as b, ignore missing, with context
		in.advance()
	}
	return nil
}
