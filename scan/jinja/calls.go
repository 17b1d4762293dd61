package jinja

import (
	"strings"

	"modelwall/scan"
)

// call is v(args).
func (j *judge) call(off int64, v value, args *arguments) value {
	if v.walked > 0 {
		if arg := args.at(0, ""); len(arg.texts) > 0 && dangerousMethod(v.method) {
			j.find("call", scan.SeverityMalicious, "code-execution", off, "calls %s with %s", scan.Quote(v.path, maxPath), scan.Quote(arg.texts[0], 80))
		}
		return value{own: true, walked: v.walked, path: step(v.path, "()")}
	}
	if v.name != "" {
		return j.callName(off, v, args)
	}
	if v.recv != nil {
		return j.method(off, *v.recv, v.method, args, v.path)
	}
	out := derived(append(args.all(), v)...)
	out.path = step(v.path, "()")
	return out
}

// dangerousMethod names what attacks call in the end, for the message alone.
func dangerousMethod(name string) bool {
	switch name {
	case "system", "popen", "Popen", "call", "run", "check_output", "eval", "exec", "open", "urlopen", "__import__", "import_module", "getoutput", "load_module", "spawn":
		return true
	}
	return false
}

// callName is a call of a variable.
func (j *judge) callName(off int64, v value, args *arguments) value {
	name := v.name
	if params, ok := j.env.macros[name]; ok {
		for i, p := range params {
			if arg := args.at(i, p); !arg.bare() {
				j.assign(off, p, arg, false)
			}
		}
		if out, ok := j.env.vars[name+"()"]; ok {
			out.path = step(name, "()")
			return out
		}
		return unknown()
	}
	if _, ok := j.env.vars[name]; ok {
		if v.recv != nil {
			return j.method(off, *v.recv, v.method, args, v.path)
		}
		return derived(append(args.all(), v)...)
	}
	switch name {
	case "range":
		return j.rangeOf(off, args)
	case "namespace", "dict":
		for _, base := range args.list { // dict([('a', 1)]) and dict({'a': 1})
			for _, pair := range base.items {
				if pair.shape == list && len(pair.items) == 2 && len(pair.items[0].texts) > 0 {
					args.add(pair.items[0].texts[0], pair.items[1])
				}
			}
			for i, k := range base.keys {
				if i < len(base.items) {
					args.add(k, base.items[i])
				}
			}
		}
		out := value{shape: mapping, open: name == "namespace", own: args.more}
		for _, k := range sortedKeys(args.named) {
			out.addKey(k)
			out.addItem(args.named[k])
			j.mapped(k, args.named[k])
		}
		if name == "dict" && len(args.named) > 1 {
			out.shape = mapping
			j.keysJoined(off, args)
		}
		return out
	case "lipsum":
		if n := args.at(0, "n"); n.isNum && n.num > maxRepeats/100 {
			j.find("bomb", scan.SeveritySuspicious, "bomb", off, "%d paragraphs of filler text", n.num)
		}
		return ownValue()
	}
	text := ""
	if arg := args.at(0, ""); len(arg.texts) > 0 {
		text = arg.texts[0]
	}
	if second := args.at(1, ""); name == "getattr" {
		base := args.at(0, "")
		base.path = step("", "getattr(...)")
		return j.key(off, base, second, "|attr")
	}
	if runsCode(name) || takesText(name) && text != "" {
		j.find("builtin", scan.SeveritySuspicious, "code-execution", off, "calls %s(%s), a function of Python that runs code or opens files; templates do not have it unless somebody gave it to them", scan.Quote(name, 40), scan.Quote(text, 80))
		return value{own: true, path: step(name, "()")}
	}
	if jinjaGlobal(name) {
		return ownValue()
	}
	return unknown()
}

// keysJoined looks at dict(__cla=1, ss__=1), whose keys are joined later.
func (j *judge) keysJoined(off int64, args *arguments) {
	keys := value{shape: list}
	for _, k := range sortedKeys(args.named) {
		keys.addItem(textValue(k))
	}
	for _, k := range keys.items {
		if holed(k.texts[0] + holeText) {
			j.find("computed-name", scan.SeveritySuspicious, "obfuscation", off, "%s is a piece of the name of one of Python's internals, kept as the key of a mapping", scan.Quote(k.texts[0], 40))
		}
	}
}

func (j *judge) rangeOf(off int64, args *arguments) value {
	out := value{isNum: true, shape: plain, span: 1}
	bound := args.at(0, "")
	if len(args.list) > 1 {
		bound = args.list[1]
		if bound.isNum && args.list[0].isNum {
			bound.num -= args.list[0].num
		}
		if by := args.at(2, ""); by.isNum && by.num != 0 {
			bound.num /= by.num
		}
	}
	if !bound.isNum {
		return unknown()
	}
	out.isNum = false
	out.span = max(bound.num, -bound.num)
	if bound.num > maxRepeats {
		j.find("bomb", scan.SeveritySuspicious, "bomb", off, "a range of %d numbers", bound.num)
	}
	return out
}

// method is v.name(args).
func (j *judge) method(off int64, v value, name string, args *arguments, path string) value {
	switch name {
	case "join":
		if args.at(0, "").shape != plain || len(args.at(0, "").texts) > 0 {
			return j.built(off, join(args.at(0, ""), v), append(args.at(0, "").items, v)...)
		}
	case "format", "format_map":
		return j.formatBraces(off, v, args)
	case "attr", "map", "sort":
		// methods of nothing; left to the caller's objects
	default:
		if f := textFilter(name); f != nil || name == "replace" || name == "split" || name == "removeprefix" || name == "removesuffix" {
			return j.filter(off, name, v, args)
		}
	}
	if (name == "center" || name == "ljust" || name == "rjust" || name == "zfill") && args.at(0, "").num > maxRepeats {
		j.find("bomb", scan.SeveritySuspicious, "bomb", off, "a string is padded to %d characters", args.at(0, "").num)
	}
	switch name {
	case "get", "pop", "setdefault", "items", "values", "keys", "update", "append", "extend":
		return j.container(off, v, name, args)
	}
	if moduleCall(path) {
		return unknown()
	}
	out := derived(append(args.all(), v)...)
	out.walked, out.path = v.walked, step(path, "()")
	return out
}

// container is a method of a list or a mapping.
func (j *judge) container(off int64, v value, name string, args *arguments) value {
	switch name {
	case "get", "pop", "setdefault":
		first := args.at(0, "")
		if len(first.texts) > 0 && name == "get" {
			j.key(off, v, first, "[]")
		}
		if v.shape != plain {
			out := union(v.any(), args.at(1, "default"))
			out.open = true
			return out
		}
		return derived(v)
	case "update", "append", "extend":
		if v.name != "" || v.path != "" {
			for _, a := range args.all() {
				if name == "append" {
					a = value{shape: list, items: []value{a}, weight: 1 + a.weight}
				}
				if a.shape != plain && v.name != "" {
					j.assign(off, v.name, a, false)
				}
			}
		}
		return unknown()
	case "keys":
		return characters(v)
	}
	return v
}

// formatted is format % args.
func (j *judge) formatted(off int64, format value, args []value) value {
	if len(format.texts) == 0 {
		return derived(append(args, format)...)
	}
	out := value{}
	for i, f := range format.texts {
		if wide(f) {
			j.find("bomb", scan.SeveritySuspicious, "bomb", off, "%s pads a string to millions of characters", scan.Quote(f, 60))
		}
		got := percent(f, args)
		if i == 0 {
			out = got
		} else {
			out = union(out, got)
		}
	}
	return j.built(off, out, append(args, format)...)
}

// wide reports a field with eight digits of width.
func wide(format string) bool {
	digits, field := 0, false
	for i := range len(format) {
		switch c := format[i]; {
		case c == '%' || c == '{':
			digits, field = 0, true
		case isDigit(c) && field:
			if digits++; digits >= 8 {
				return true
			}
		default:
			digits = 0
		}
	}
	return false
}

// formatBraces is v.format(args).
func (j *judge) formatBraces(off int64, v value, args *arguments) value {
	texts := v.texts
	if v.name != "" && len(texts) == 1 && texts[0] == holeText {
		texts = []string{v.name} // a long literal
	}
	out := derived(append(args.all(), v)...)
	for i, f := range texts {
		if wide(f) {
			j.find("bomb", scan.SeveritySuspicious, "bomb", off, "%s pads a string to millions of characters", scan.Quote(f, 60))
		}
		got := braces(f, args.list, args.named, func(field string) {
			base := value{path: "'{" + field + "}'.format"}
			for _, name := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
				if g := gradeOf(name); g > gradeQuiet {
					j.walk(off, &base, name, g, "format")
				}
			}
		})
		if i == 0 {
			out = got
		} else {
			out = union(out, got)
		}
	}
	return j.built(off, out, append(args.all(), v)...)
}
