package program

import (
	"slices"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// spend takes n from the budget for computed strings.
func (m *machine) spend(n int) bool {
	m.work += n
	return m.work <= maxWork
}

// longLiteral is from which length on a constant may be a payload.
const longLiteral = 24

// literal is the value of adjacent string literals.
func (m *machine) literal(n *syntax.Node) *value {
	v := &value{kind: str}
	if n.Lits[0].Bytes {
		v.kind = bytesKind
	}
	if len(n.Lits) == 1 && len(n.Lits[0].Parts) == 0 {
		v.text = n.Lits[0].Value
	} else {
		var b strings.Builder
		for _, l := range n.Lits {
			at := 0
			for _, f := range l.Parts {
				to := min(max(at, f.At), len(l.Value))
				b.WriteString(l.Value[at:to])
				at = to
				part := m.field(f)
				v.taint |= part.taint
				v.params |= part.params
				if part.known() && part.kind == str {
					b.WriteString(part.text)
				} else {
					b.WriteString(hole)
					v.holes = true
				}
			}
			b.WriteString(l.Value[at:])
		}
		v.text = m.cut(v, b.String())
	}
	if len(v.text) < 32 && strings.HasPrefix(v.text, "__") {
		m.dunder(v.text)
	}
	if len(v.text) >= longLiteral || n.Cut {
		v.taint |= literal
	}
	for _, l := range n.Lits {
		if l.Cut {
			v.holes = true
		}
	}
	return v
}

// hole stands for a part of a text that is not known. To the reader of
// commands it is a variable.
const hole = "$_"

// field is the value of a replacement field.
func (m *machine) field(f syntax.Field) *value {
	if m.fields > 3 {
		return of(0, 0)
	}
	m.fields++
	defer func() { m.fields-- }()
	n, ok := syntax.ParseExpr(f.Src, m.Shed)
	if !ok {
		return of(0, 0)
	}
	v := m.eval(n)
	t, p := v.all()
	if v.known() {
		return v
	}
	return of(t, p)
}

// cut bounds a computed text.
func (m *machine) cut(v *value, s string) string {
	if len(s) > maxText || !m.spend(len(s)) {
		v.holes = true
		v.taint |= literal
		return s[:min(len(s), 256)]
	}
	return s
}

// binary is the value of operands joined by an operator.
func (m *machine) binary(op string, vs []*value) *value {
	var t taint
	var p uint64
	for _, v := range vs {
		vt, vp := v.all()
		t, p = t|vt, p|vp
	}
	switch op {
	case "or", "and":
		var out *value
		for _, v := range vs {
			out = merge(out, v)
		}
		return out
	case "+":
		return m.sum(vs, t, p)
	case "*":
		if len(vs) == 2 {
			return m.times(vs[0], vs[1], t, p)
		}
	case "%":
		if vs[0].kind == str || vs[0].kind == bytesKind {
			return m.percent(vs[0], vs[1], t, p)
		}
	case "^":
		if len(vs) == 2 && vs[0].kind == integer && vs[1].kind == integer {
			return &value{kind: integer, num: vs[0].num ^ vs[1].num, taint: t | built}
		}
		return of(t|built, p)
	case "-", "//", "/", "|", "&", "<<", ">>":
		if len(vs) == 2 && vs[0].kind == integer && vs[1].kind == integer {
			a, b := vs[0].num, vs[1].num
			switch {
			case op == "-":
				a -= b
			case op == "|":
				a |= b
			case op == "&":
				a &= b
			case op == "<<" && b >= 0 && b < 32:
				a <<= b
			case op == ">>" && b >= 0 && b < 64:
				a >>= b
			case (op == "//" || op == "/") && b != 0:
				a /= b
			default:
				return of(t, p)
			}
			return &value{kind: integer, num: a, taint: t}
		}
	case "<", ">", "==", "!=", "<=", ">=", "in", "is", "<>":
		return of(0, 0)
	}
	return of(t, p)
}

// sum joins texts and lists, and adds numbers.
func (m *machine) sum(vs []*value, t taint, p uint64) *value {
	texts, lists, numbers := false, true, int64(0)
	for _, v := range vs {
		texts = texts || v.kind == str || v.kind == bytesKind
		lists = lists && v.kind == seq
		if v.kind == integer {
			numbers++
		}
	}
	switch {
	case numbers == int64(len(vs)):
		n := int64(0)
		for _, v := range vs {
			n += v.num
		}
		return &value{kind: integer, num: n, taint: t}
	case lists:
		out := &value{kind: seq}
		for _, v := range vs {
			if m.spend(len(v.items) * 8) {
				out.items = append(out.items, v.items[:min(len(v.items), maxItems-len(out.items))]...)
			}
		}
		return out
	case !texts:
		if vs[0].kind == seq {
			return &value{kind: seq, items: append(slices.Clip(vs[0].items), of(t, p)), taint: t, params: p}
		}
		return of(t, p)
	}
	out := &value{kind: str, taint: t, params: p}
	var b strings.Builder
	for _, v := range vs {
		if v.kind == str || v.kind == bytesKind {
			out.kind = v.kind
			out.holes = out.holes || v.holes
			if b.Len() <= maxText {
				b.WriteString(v.text)
			}
		} else {
			out.holes = true
			b.WriteString(hole)
		}
	}
	out.text = m.cut(out, b.String())
	if len(vs) > 1 && !out.holes && guarded(out.text) {
		out.taint |= built // nobody writes 'ex' + 'ec' for a good reason
	}
	return out
}

// guarded reports names that a search for dangerous calls would look for.
func guarded(s string) bool {
	switch s {
	case "os", "system", "popen", "exec", "eval", "compile", "subprocess", "builtins", "__builtins__", "__import__", "getattr", "socket", "base64", "b64decode", "marshal", "loads", "Popen", "check_output", "urlopen", "requests", "__globals__", "__subclasses__", "ctypes", "pickle", "execfile", "__class__", "__mro__", "__base__", "__bases__":
		return true
	}
	return false
}

func (m *machine) times(a, b *value, t taint, p uint64) *value {
	if a.kind == integer && b.kind == integer {
		return &value{kind: integer, num: a.num * b.num, taint: t}
	}
	if a.kind == integer {
		a, b = b, a
	}
	if (a.kind == str || a.kind == bytesKind) && b.kind == integer && b.num >= 0 && b.num*int64(len(a.text)) <= 4096 && b.num < 4096 {
		return &value{kind: a.kind, text: strings.Repeat(a.text, int(b.num)), holes: a.holes, taint: t, params: p}
	}
	if a.kind == str || a.kind == bytesKind {
		return &value{kind: a.kind, text: a.text[:min(len(a.text), 256)], holes: true, taint: t, params: p}
	}
	return of(t, p)
}

// percent is text % values.
func (m *machine) percent(format, args *value, t taint, p uint64) *value {
	items := []*value{args}
	if args.kind == seq {
		items = args.items
	}
	out := &value{kind: format.kind, taint: t, params: p, holes: format.holes}
	var b strings.Builder
	next := 0
	s := format.text
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 || b.Len() > maxText {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if strings.HasPrefix(s, "%") {
			b.WriteByte('%')
			s = s[1:]
			continue
		}
		name := ""
		if strings.HasPrefix(s, "(") {
			if end := strings.IndexByte(s, ')'); end > 0 {
				name, s = s[1:end], s[end+1:]
			}
		}
		j := strings.IndexFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' && r != 'l' && r != 'h' || r >= 'E' && r <= 'X' })
		if j < 0 {
			break
		}
		verb := s[j]
		s = s[j+1:]
		var v *value
		switch {
		case name != "" && args.kind == mapping:
			v = m.index(args, text(str, name))
		case name == "" && next < len(items):
			v = items[next]
			next++
		}
		switch {
		case v != nil && v.known() && verb == 's':
			b.WriteString(v.text)
		case v != nil && v.kind == integer && verb == 'c':
			b.WriteRune(rune(v.num))
			out.taint |= built
		default:
			b.WriteString(hole)
			out.holes = true
		}
	}
	out.text = m.cut(out, b.String())
	return out
}

// char is one character of a text.
func (m *machine) char(v *value, i int64) *value {
	if v.kind == str && !isASCII(v.text) {
		if len(v.text) > 4096 {
			return of(v.taint, v.params)
		}
		r := []rune(v.text)
		if i < 0 {
			i += int64(len(r))
		}
		if i < 0 || i >= int64(len(r)) {
			return of(v.taint, v.params)
		}
		return &value{kind: str, text: string(r[i]), taint: v.taint, params: v.params}
	}
	if i < 0 {
		i += int64(len(v.text))
	}
	if i < 0 || i >= int64(len(v.text)) {
		return of(v.taint, v.params)
	}
	if v.kind == bytesKind {
		return &value{kind: integer, num: int64(v.text[i]), taint: v.taint, params: v.params}
	}
	return &value{kind: str, text: v.text[i : i+1], taint: v.taint, params: v.params}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// slice is v[start:stop:step].
func (m *machine) slice(v *value, s slice) *value {
	if v.kind == union {
		var out *value
		for _, i := range v.items {
			out = merge(out, m.slice(i, s))
		}
		return out
	}
	n := len(v.items)
	isText := v.kind == str || v.kind == bytesKind
	if isText {
		n = len(v.text)
	}
	if !isText && v.kind != seq || v.holes || isText && v.kind == str && !isASCII(v.text) {
		return of(v.taint, v.params)
	}
	num := func(x *value) (int64, bool) {
		if x == nil || x.kind == none {
			return 0, false
		}
		return x.num, x.kind == integer
	}
	step, has := num(s.step)
	if !has {
		step = 1
	}
	for _, x := range []*value{s.start, s.stop, s.step} {
		if x != nil && x.kind != integer && x.kind != none {
			t, p := v.all()
			return of(t, p)
		}
	}
	if step == 0 || !m.spend(n) {
		return of(v.taint, v.params)
	}
	lo, hi := int64(0), int64(n)
	if step < 0 {
		lo, hi = int64(n)-1, -1
	}
	place := func(x int64) int64 {
		if x < 0 {
			x += int64(n)
		}
		if step < 0 {
			return max(-1, min(x, int64(n)-1))
		}
		return max(0, min(x, int64(n)))
	}
	if x, ok := num(s.start); ok {
		lo = place(x)
	}
	if x, ok := num(s.stop); ok {
		hi = place(x)
	}
	out := &value{kind: v.kind, taint: v.taint, params: v.params}
	if isText && step != 1 {
		out.taint |= built
	}
	if isText && step == 1 {
		if hi > lo {
			out.text = v.text[lo:hi]
		}
		return out
	}
	var b []byte
	for i := lo; step > 0 && i < hi || step < 0 && i > hi; i += step {
		if isText {
			b = append(b, v.text[i])
		} else {
			out.items = append(out.items, v.items[i])
		}
	}
	out.text = string(b)
	return out
}

// disguised reports a name written with look-alike letters.
func (m *machine) disguised(n *syntax.Node, v *value) *value {
	hot := scan.Low
	if v.kind == ref && (isSink(v.text) || notable(v.text)) || isSink("builtins."+n.Text) {
		hot = scan.SeverityMalicious
	} else if v.kind == ref {
		hot = scan.SeveritySuspicious
	}
	m.report("disguise", hot, hot, "obfuscation", "writes the name "+scan.Quote(n.Text, 60)+" in letters that only look different", n.Off)
	return v
}

// dunder keeps the special attributes that are looked up.
func (m *machine) dunder(name string) {
	if strings.HasPrefix(name, "__") && len(name) < 32 && len(m.dunders) < 100 {
		m.dunders[name] = true
	}
}
