package program

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// Leave implements syntax.Handler.
func (m *machine) Leave() {
	n := len(m.blocks)
	if n == 0 {
		return
	}
	b := m.blocks[n-1]
	m.blocks = m.blocks[:n-1]
	if b.guard {
		m.guard--
	}
	inner := m.scope
	m.scope = b.scope
	switch b.stmt.Kind {
	case syntax.DefStmt:
		m.decorate(b, &value{kind: function, fn: inner.fn})
	case syntax.ClassStmt:
		m.decorate(b, &value{kind: class, cls: inner.cls})
	}
}

// decorate applies decorators, the last one first, and binds the name.
func (m *machine) decorate(b blockState, v *value) {
	plain := v
	for i := len(b.decs) - 1; i >= 0; i-- {
		d := b.decs[i]
		if d.kind == ref && isSink(d.text) {
			m.report("decorator", scan.SeveritySuspicious, scan.SeveritySuspicious, "obfuscation",
				"calls "+d.text+" by using it as a decorator", b.stmt.Off)
		}
		v = m.apply(d, []arg{{v: v}}, b.stmt.Off)
	}
	if m.scope.cls != nil && plain.kind == function {
		m.scope.cls.methods[b.stmt.Name] = plain.fn
	}
	// What a decorator makes of a function is mostly that function.
	m.bind(b.stmt.Name, merge(v, plain))
}

// Enter implements syntax.Handler.
func (m *machine) Enter(s *syntax.Stmt) {
	b := blockState{scope: m.scope, stmt: s}
	switch s.Kind {
	case syntax.DefStmt:
		for _, d := range s.Decorators {
			b.decs = append(b.decs, m.eval(d))
		}
		m.blocks = append(m.blocks, b)
		m.enterFunction(s)
		return
	case syntax.ClassStmt:
		for _, d := range s.Decorators {
			b.decs = append(b.decs, m.eval(d))
		}
		m.blocks = append(m.blocks, b)
		m.enterClass(s)
		return
	case syntax.IfStmt, syntax.ElifStmt, syntax.WhileStmt:
		m.eval(s.Value)
		if s.Kind != syntax.WhileStmt && onlyMain(s.Value) {
			b.guard = true
			m.guard++
		}
	case syntax.ForStmt:
		m.assign(s.Targets[0], m.element(m.eval(s.Value)))
	case syntax.WithStmt:
		m.with(s.Value)
	case syntax.MatchStmt, syntax.CaseStmt, syntax.ExceptStmt:
		if s.Value != nil {
			m.eval(s.Value)
		}
	}
	m.blocks = append(m.blocks, b)
}

// onlyMain reports the condition __name__ == "__main__" and conditions that
// never hold at run time.
func onlyMain(n *syntax.Node) bool {
	switch n.Kind {
	case syntax.Bin:
		if n.Text == "and" {
			for _, k := range n.Kids {
				if onlyMain(k) {
					return true
				}
			}
		}
		if n.Text != "==" || len(n.Kids) != 2 {
			return false
		}
		for i, k := range n.Kids {
			o := n.Kids[1-i]
			if k.Kind == syntax.Name && k.Text == "__name__" && o.Kind == syntax.Str && len(o.Lits) == 1 && o.Lits[0].Value == "__main__" {
				return true
			}
		}
	case syntax.Name:
		return n.Text == "TYPE_CHECKING"
	case syntax.Attr:
		return n.Text == "TYPE_CHECKING"
	}
	return false
}

func (m *machine) enterFunction(s *syntax.Stmt) {
	f := m.funs[s.Off]
	if f == nil {
		f = &fun{name: s.Name, star: -1}
		if len(m.funs) < maxNames {
			m.funs[s.Off] = f
		}
	}
	f.calls, f.named, f.facts = map[*fun]bool{}, map[string]bool{}, nil
	f.sockets, f.dups, f.spawns = false, false, false
	f.cls, f.parent = m.scope.cls, m.fn()
	f.params, f.deflt, f.star = nil, nil, -1
	in := &scope{names: map[string]*value{}, parent: m.scope, fn: f}
	f.scope = in
	for i, p := range s.Params {
		var d *value
		if p.Default != nil {
			d = m.eval(p.Default)
		}
		if p.Note != nil {
			m.eval(p.Note)
		}
		name := strings.TrimLeft(p.Name, "*")
		if len(name) < len(p.Name) && f.star < 0 {
			f.star = i
		}
		f.params, f.deflt = append(f.params, name), append(f.deflt, d)
		v := &value{params: 1 << min(i, 63)}
		if i == 0 && f.cls != nil {
			v = &value{kind: inst, cls: f.cls}
		}
		if m.names++; m.names < maxNames {
			in.names[name] = v
		}
	}
	if s.Extra != nil {
		m.eval(s.Extra)
	}
	if f.cls != nil {
		f.cls.methods[s.Name] = f
	} else if _, ok := m.scope.names[s.Name]; !ok {
		m.scope.names[s.Name] = &value{kind: function, fn: f} // so that it can call itself
	}
	m.scope = in
	m.entries(f)
	if f.entry && served(f) {
		for i, name := range f.params {
			if v := in.names[name]; v != nil && (i > 0 || f.cls == nil) {
				v.taint |= net // what a client sends
			}
		}
	}
}

func (m *machine) enterClass(s *syntax.Stmt) {
	c := m.classes[s.Off]
	if c == nil {
		c = &cls{name: s.Name, methods: map[string]*fun{}, attrs: map[string]*value{}}
		if len(m.classes) < maxNames {
			m.classes[s.Off] = c
		}
	}
	c.bases = nil
	if s.Value != nil {
		for i, k := range s.Value.Kids[1:] {
			v := m.eval(k)
			if s.Value.Kws[i] == "" || s.Value.Kws[i] == "*" {
				c.bases = append(c.bases, v)
			}
			if s.Value.Kws[i] == "metaclass" && v.kind == ref && isSink(v.text) {
				m.report("dunder", scan.SeveritySuspicious, scan.SeveritySuspicious, "obfuscation", "uses "+v.text+" as a metaclass", s.Off)
			}
		}
	}
	// The body of a class runs where the class stands.
	m.scope = &scope{names: map[string]*value{}, parent: m.scope, fn: m.fn(), cls: c}
}

// Simple implements syntax.Handler.
func (m *machine) Simple(s *syntax.Stmt) {
	switch s.Kind {
	case syntax.Import:
		for _, im := range s.Imports {
			m.imported(im)
		}
	case syntax.Assign:
		v := m.eval(s.Value)
		for _, t := range s.Targets {
			m.assign(t, v)
		}
	case syntax.Annotate:
		m.eval(s.Extra)
		if s.Value != nil {
			m.assign(s.Targets[0], m.eval(s.Value))
		}
	case syntax.Augment:
		v := m.eval(s.Value)
		m.assign(s.Targets[0], m.binary(s.Op, []*value{m.eval(s.Targets[0]), v}))
	case syntax.Return:
		if s.Value != nil {
			v := m.eval(s.Value)
			m.reduces(v, s.Off)
			if f := m.fn(); f != m.module {
				f.ret = merge(f.ret, v)
			}
		}
	case syntax.Global:
		if m.scope.global == nil {
			m.scope.global = map[string]bool{}
		}
		for _, n := range s.Names {
			if len(m.scope.global) < maxItems {
				m.scope.global[n] = true
			}
		}
	default:
		for _, n := range []*syntax.Node{s.Value, s.Extra} {
			if n != nil {
				m.eval(n)
			}
		}
	}
}

func (m *machine) imported(im syntax.ImportName) {
	if m.judging {
		if url, ok := m.files[strings.TrimLeft(im.Module, ".")+".py"]; ok && url != "" {
			m.report("download_exec", scan.SeverityMalicious, scan.SeveritySuspicious, "network",
				"imports a module that it downloads from "+scan.Quote(url, 120), im.Off)
		}
	}
	switch {
	case im.Name == "*":
		if len(m.module.scope.stars) < 64 {
			m.module.scope.stars = append(m.module.scope.stars, im.Module)
		}
	case im.Name == "":
		if im.As != "" {
			m.bind(im.As, global(canonical(im.Module)))
			return
		}
		root, _, _ := strings.Cut(im.Module, ".")
		m.bind(root, global(canonical(root)))
	default:
		m.bind(im.As, global(canonical(im.Module+"."+im.Name)))
	}
}

// with evaluates the items of a with statement.
func (m *machine) with(n *syntax.Node) {
	if n == nil {
		return
	}
	if n.Kind == syntax.Tuple {
		for _, k := range n.Kids {
			m.with(k)
		}
		return
	}
	m.eval(n)
}

// assign binds the targets of an assignment.
func (m *machine) assign(t *syntax.Node, v *value) {
	switch t.Kind {
	case syntax.Name:
		if m.scope.cls != nil && t.Text == "__parameters__" && v.kind == seq {
			m.result.Torch = true
		}
		if c := m.scope.cls; c != nil && len(c.attrs) < maxItems {
			c.attrs[t.Text] = v
			if v.kind == ref && isSink(v.text) && strings.HasPrefix(t.Text, "__") {
				m.report("dunder", scan.SeveritySuspicious, scan.SeveritySuspicious, "obfuscation",
					"makes "+v.text+" the method "+t.Text+" of a class", t.Off)
			}
		}
		m.bind(t.Text, v)
	case syntax.Attr:
		obj := m.eval(t.Kids[0])
		if obj.kind == inst && obj.cls != nil && len(obj.cls.attrs) < maxItems {
			obj.cls.attrs[t.Text] = merge(obj.cls.attrs[t.Text], v)
		}
		if obj.kind == class && v.kind == ref && isSink(v.text) && strings.HasPrefix(t.Text, "__") {
			m.report("dunder", scan.SeveritySuspicious, scan.SeveritySuspicious, "obfuscation",
				"makes "+v.text+" the method "+t.Text+" of a class", t.Off)
		}
	case syntax.Index:
		obj := m.eval(t.Kids[0])
		key := m.eval(t.Kids[1])
		if obj.kind == mapping && len(obj.items) < maxItems {
			obj.items = append(obj.items, key, v)
			obj.taint |= v.taint
		}
	case syntax.Tuple, syntax.List:
		for i, k := range t.Kids {
			item := of(v.taint, v.params)
			if v.kind == seq && len(v.items) == len(t.Kids) {
				item = v.items[i]
			}
			m.assign(k, item)
		}
	case syntax.Star:
		m.assign(t.Kids[0], of(v.taint, v.params))
	}
}

// element is what iterating over v gives.
func (m *machine) element(v *value) *value {
	if v.kind == seq && len(v.items) > 0 {
		out := v.items[0]
		for _, i := range v.items[1:min(len(v.items), maxUnion)] {
			out = merge(out, i)
		}
		return out
	}
	t, p := v.all()
	return of(t, p)
}
