package program

import (
	"strconv"
	"strings"

	"modelwall/scan/python/syntax"
)

// eval tells what an expression may come to. Its recursion follows the tree,
// whose depth the parser bounds.
func (m *machine) eval(n *syntax.Node) *value {
	if n == nil {
		return &value{kind: none}
	}
	switch n.Kind {
	case syntax.Name:
		v := m.lookup(n.Text)
		if n.Disguised {
			return m.disguised(n, v)
		}
		return v
	case syntax.Str:
		return m.literal(n)
	case syntax.Num:
		s := strings.ReplaceAll(strings.TrimRight(n.Text, "lL"), "_", "")
		if i, err := strconv.ParseInt(s, 0, 64); err == nil {
			return number(i)
		}
		return of(0, 0)
	case syntax.Const:
		if n.Text == "None" {
			return &value{kind: none}
		}
		if n.Text == "True" {
			return number(1)
		}
		return number(0)
	case syntax.Attr:
		v := m.attr(m.eval(n.Kids[0]), n.Text, n.Off)
		if n.Disguised {
			return m.disguised(n, v)
		}
		return v
	case syntax.Call:
		return m.call(n)
	case syntax.Index:
		return m.index(m.eval(n.Kids[0]), m.indexOf(n.Kids[1]))
	case syntax.Bin:
		vs := make([]*value, len(n.Kids))
		for i, k := range n.Kids {
			vs[i] = m.eval(k)
		}
		return m.binary(n.Text, vs)
	case syntax.Unary:
		v := m.eval(n.Kids[0])
		if v.kind == integer {
			switch n.Text {
			case "-":
				return number(-v.num)
			case "~":
				return number(^v.num)
			}
		}
		return of(v.taint, v.params)
	case syntax.Tuple, syntax.List, syntax.Set:
		if len(n.Kids) == 1 && n.Kids[0] != nil && (n.Kids[0].Kind == syntax.Comp || n.Kids[0].Kind == syntax.Filter) {
			return m.comprehension(n.Kids[0])
		}
		v := &value{kind: seq}
		for _, k := range n.Kids {
			item := m.eval(k)
			if k != nil && k.Kind == syntax.Star && item.kind == seq {
				v.items = append(v.items, item.items...)
			} else {
				v.items = append(v.items, item)
			}
		}
		if n.Cut {
			v.taint |= literal
		}
		v.items = v.items[:min(len(v.items), maxItems)]
		return v
	case syntax.Dict:
		v := &value{kind: mapping}
		for i := 0; i+1 < len(n.Kids); i += 2 {
			key, item := m.eval(n.Kids[i]), m.eval(n.Kids[i+1])
			if n.Kids[i] == nil && item.kind == mapping {
				v.items = append(v.items, item.items...)
				continue
			}
			v.items = append(v.items, key, item)
		}
		return v
	case syntax.Comp, syntax.Filter:
		return m.comprehension(n)
	case syntax.Lambda:
		return m.lambda(n)
	case syntax.If:
		v := m.eval(n.Kids[0])
		m.eval(n.Kids[1])
		return v
	case syntax.Else:
		return merge(m.eval(n.Kids[0]), m.eval(n.Kids[1]))
	case syntax.Walrus:
		v := m.eval(n.Kids[1])
		m.assign(n.Kids[0], v)
		return v
	case syntax.As:
		v := m.eval(n.Kids[0])
		m.assign(n.Kids[1], v)
		return v
	case syntax.Slice:
		for _, k := range n.Kids {
			if k != nil {
				m.eval(k)
			}
		}
		return of(0, 0)
	case syntax.Star, syntax.Await, syntax.Yield:
		v := m.eval(n.Kids[0])
		if n.Kind == syntax.Yield {
			if f := m.fn(); f != m.module {
				t, p := v.all()
				f.ret = merge(f.ret, of(t, p))
			}
		}
		return v
	}
	return of(0, 0)
}

// comprehension gives the sequence when it can be computed, its taint else.
func (m *machine) comprehension(n *syntax.Node) *value {
	var filter *syntax.Node
	for n.Kind == syntax.Filter {
		filter, n = n.Kids[1], n.Kids[0]
		if n.Kind == syntax.Filter {
			m.eval(filter)
		}
	}
	if n.Kind != syntax.Comp {
		return of(0, 0)
	}
	saved := m.scope
	m.scope = &scope{names: map[string]*value{}, parent: saved, fn: saved.fn, comp: true}
	defer func() { m.scope = saved }()
	over := m.eval(n.Kids[2])
	elt := n.Kids[0]
	for elt.Kind == syntax.Filter { // of an outer loop
		m.eval(elt.Kids[1])
		elt = elt.Kids[0]
	}
	if elt.Kind == syntax.Comp { // two loops
		m.assign(n.Kids[1], m.element(over))
		inner := m.comprehension(elt)
		t, p := inner.all()
		return of(t|over.taint, p|over.params)
	}
	items, ok := m.iterate(over)
	if ok && filter == nil && len(items) <= 4096 && m.spend(len(items)*itemCost) {
		v := &value{kind: seq}
		for _, i := range items {
			m.assign(n.Kids[1], i)
			v.items = append(v.items, m.eval(elt))
		}
		return v
	}
	m.assign(n.Kids[1], m.element(over))
	if filter != nil {
		m.eval(filter)
	}
	v := m.eval(elt)
	t, p := v.all()
	ot, op := over.all()
	return of(t|ot, p|op)
}

// itemCost is what the body of a loop costs, in bytes of text.
const itemCost = 512

// iterate gives the items of a value that is known.
func (m *machine) iterate(v *value) ([]*value, bool) {
	switch v.kind {
	case seq:
		return v.items, true
	case str, bytesKind:
		if v.holes || len(v.text) > 4096 {
			return nil, false
		}
		var items []*value
		if v.kind == bytesKind {
			for i := range len(v.text) {
				items = append(items, number(int64(v.text[i])))
			}
		} else {
			for _, r := range v.text {
				items = append(items, &value{kind: str, text: string(r), taint: v.taint})
			}
		}
		return items, true
	}
	return nil, false
}

// lambda makes a function whose value is that of its body.
func (m *machine) lambda(n *syntax.Node) *value {
	f := &fun{name: "lambda", star: -1, calls: map[*fun]bool{}, named: map[string]bool{}, parent: m.fn(), deflt: make([]*value, len(n.Kws))}
	saved := m.scope
	for _, d := range n.Kids[1:] {
		m.eval(d)
	}
	m.scope = &scope{names: map[string]*value{}, parent: saved, fn: f}
	f.scope = m.scope
	for i, p := range n.Kws {
		f.params = append(f.params, strings.TrimLeft(p, "*"))
		m.scope.names[f.params[i]] = of(0, 1<<min(i, 63))
	}
	f.ret, f.value = m.eval(n.Kids[0]), n.Kids[0]
	m.scope = saved
	return &value{kind: function, fn: f}
}

// attr is obj.name.
func (m *machine) attr(obj *value, name string, off int64) *value {
	m.dunder(name)
	switch obj.kind {
	case ref:
		if name == "__dict__" {
			return obj
		}
		v := global(canonical(obj.text + "." + name))
		v.taint = obj.taint & built
		if v.text == "mmap.PROT_EXEC" && m.judging {
			m.native["PROT_EXEC"] = off
		}
		return v
	case inst:
		if obj.cls != nil {
			if v, ok := obj.cls.attrs[name]; ok {
				return v
			}
			return &value{kind: method, text: name, recv: obj}
		}
		return &value{kind: method, text: name, recv: obj, taint: obj.taint, params: obj.params}
	case class:
		if f, ok := obj.cls.methods[name]; ok {
			return &value{kind: function, fn: f}
		}
		if v, ok := obj.cls.attrs[name]; ok {
			return v
		}
	case union:
		var out *value
		for _, v := range obj.items {
			out = merge(out, m.attr(v, name, off))
		}
		return out
	}
	return &value{kind: method, text: name, recv: obj, taint: obj.taint, params: obj.params}
}

// slice is an index with colons.
type slice struct{ start, stop, step *value }

// index evaluates what stands between [ and ].
func (m *machine) indexOf(n *syntax.Node) any {
	if n.Kind != syntax.Slice {
		return m.eval(n)
	}
	var s slice
	for i, p := range []**value{&s.start, &s.stop, &s.step} {
		if i < len(n.Kids) && n.Kids[i] != nil {
			*p = m.eval(n.Kids[i])
		}
	}
	return s
}

// index is obj[i].
func (m *machine) index(obj *value, i any) *value {
	if s, ok := i.(slice); ok {
		return m.slice(obj, s)
	}
	key, _ := i.(*value)
	switch obj.kind {
	case ref:
		if obj.text == "sys.modules" && key.known() {
			return global(canonical(key.text))
		}
		if obj.text == "os.environ" {
			return m.environ(key)
		}
		if key.known() && identifier(key.text) && obj.text != "sys.argv" {
			return m.named(obj, key)
		}
	case seq:
		if key.kind == integer {
			n := key.num
			if n < 0 {
				n += int64(len(obj.items))
			}
			if n >= 0 && n < int64(len(obj.items)) {
				return obj.items[n]
			}
		}
		return m.element(obj)
	case mapping:
		var any *value
		for j := 0; j+1 < len(obj.items); j += 2 {
			k := obj.items[j]
			if k.kind == key.kind && k.kind != unknown && k.text == key.text && k.num == key.num {
				return obj.items[j+1]
			}
			if j < 2*maxUnion {
				any = merge(any, obj.items[j+1])
			}
		}
		if any != nil && key.kind == unknown {
			return any
		}
	case str, bytesKind:
		if key.kind == integer && !obj.holes {
			return m.char(obj, key.num)
		}
	case inst:
		if obj.text == "globals" && key.known() {
			return m.lookup(key.text)
		}
	case method:
		if v := climbed(obj.text, key); v != nil {
			return v
		}
	case union:
		var out *value
		for _, v := range obj.items {
			out = merge(out, m.index(v, i))
		}
		return out
	}
	t, p := obj.all()
	return of(t, p)
}

// climbed is what stands under a key in the names of a function that nobody
// imported: the way of code that wants to hide what it calls.
func climbed(attr string, key *value) *value {
	if !key.known() || attr != "__globals__" && attr != "func_globals" && attr != "__builtins__" && attr != "__dict__" {
		return nil
	}
	v := &value{kind: ref, taint: built}
	switch {
	case key.text == "__builtins__":
		v.text = "builtins"
	case attr != "__dict__" && isSink("builtins."+key.text) || attr != "__dict__" && key.text == "__import__":
		v.text = "builtins." + key.text
	case attr != "__dict__" && isSink("os."+key.text):
		v.text = "os." + key.text
	case attr != "__dict__" && hub(key.text):
		v.text = canonical(key.text)
	default:
		return nil
	}
	return v
}

// named is an attribute whose name is a computed string.
func (m *machine) named(obj, key *value) *value {
	v := m.attr(obj, key.text, 0)
	if v.kind == ref && key.taint&(built|decoded) != 0 {
		v = &value{kind: ref, text: v.text, taint: built}
	}
	return v
}

func identifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}
