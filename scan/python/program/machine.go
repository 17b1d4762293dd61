package program

import (
	"context"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// machine is the state of one Read.
type machine struct {
	opts    Options
	result  Result
	ctx     context.Context //nolint:containedctx // one call of Read is this value's whole life
	judging bool            // the second pass
	module  *fun
	scope   *scope
	blocks  []blockState
	funs    map[int64]*fun // by offset, kept from pass to pass
	classes map[int64]*cls
	facts   []fact
	told    map[factKey]int // to the place in facts
	names   int
	work    int
	kept    int
	applied int // depth of apply
	fields  int // depth of replacement fields
	edges   int
	setup   bool              // calls setup(): an installer's script
	guard   int               // open blocks that do not run on import
	files   map[string]string // file written to the URL its content came from
	dunders map[string]bool
	native  map[string]int64 // calls that write machine code to memory
	inner   *innerBudget
}

// blockState is what to go back to at the end of a block.
type blockState struct {
	scope *scope
	guard bool
	decs  []*value
	stmt  *syntax.Stmt
}

// fact is a Fact before it is known whether it runs by itself.
type fact struct {
	Fact
	cold scan.Severity
	fn   *fun
	main bool // behind a guard
}

// factKey is by what facts are told apart: one place does a thing once.
type factKey struct {
	what string
	off  int64
}

func newMachine(ctx context.Context, o Options) *machine {
	if o.inner == nil {
		o.inner = &innerBudget{bytes: maxInner}
	}
	return &machine{ctx: ctx, opts: o, inner: o.inner, funs: map[int64]*fun{}, classes: map[int64]*cls{}}
}

// begin starts a pass.
func (m *machine) begin(pass int) {
	m.judging = pass == 1
	bindings := &scope{names: map[string]*value{}}
	if m.module != nil {
		bindings.names = m.module.scope.names // what the first pass learned
		bindings.stars = m.module.scope.stars
	} else {
		m.module = &fun{name: "the module", calls: map[*fun]bool{}, named: map[string]bool{}}
	}
	bindings.fn = m.module
	m.module.scope = bindings
	m.module.body = true
	m.module.calls, m.module.named = map[*fun]bool{}, map[string]bool{}
	m.scope, m.blocks, m.facts, m.guard = bindings, nil, nil, 0
	m.files, m.dunders, m.native = map[string]string{}, map[string]bool{}, map[string]int64{}
	m.result.Members = nil
	m.told = map[factKey]int{}
	m.work, m.edges = 0, 0
}

// More implements syntax.Handler.
func (m *machine) More() bool { return m.ctx.Err() == nil }

// Shed implements syntax.Handler.
func (m *machine) Shed(n *syntax.Node) { m.eval(n) }

// fn is the function whose body is being read.
func (m *machine) fn() *fun { return m.scope.fn }

// report keeps a fact: hot is its severity when it runs by itself, cold when
// somebody has to call it.
func (m *machine) report(what string, hot, cold scan.Severity, technique, message string, off int64) {
	if !m.judging || len(m.facts) >= maxFacts {
		return
	}
	f := fact{
		Fact: Fact{What: what, Severity: hot, Technique: technique, Message: message, Off: off},
		cold: cold, fn: m.fn(), main: m.guard > 0 || m.opts.Interactive,
	}
	key := factKey{what, off}
	if i, ok := m.told[key]; ok {
		if old := m.facts[i]; hot > old.Severity || hot == old.Severity && cold > old.cold {
			m.facts[i] = f
		}
		return
	}
	m.told[key] = len(m.facts)
	m.facts = append(m.facts, f)
}

// member hands over something that the program unpacks.
func (m *machine) member(name, data string) {
	if !m.judging || len(m.result.Members) >= maxMembers || data == "" {
		return
	}
	m.result.Members = append(m.result.Members, Member{name, []byte(data)})
}

// bind gives a name a value.
func (m *machine) bind(name string, v *value) {
	s := m.scope
	if s.comp {
		s.names[name] = v
		return
	}
	if s.global[name] {
		s = m.module.scope
	}
	old, ok := s.names[name]
	if !ok {
		if m.names++; m.names > maxNames {
			return
		}
	}
	if (v.kind == str || v.kind == bytesKind) && len(v.text) > 4096 {
		if m.kept += len(v.text); m.kept > maxKept {
			v = of(v.taint|literal, v.params)
		}
	}
	if ok && len(m.blocks) > 0 && m.blocks[len(m.blocks)-1].stmt.Kind != syntax.DefStmt && m.blocks[len(m.blocks)-1].stmt.Kind != syntax.ClassStmt {
		v = merge(old, v) // only one of the branches is taken
	} else if ok && !m.judging && old.kind == function && v.kind != function {
		v = merge(old, v)
	}
	s.names[name] = v
}

// lookup finds what a name is bound to.
func (m *machine) lookup(name string) *value {
	for s := m.scope; s != nil; s = s.parent {
		if s.cls != nil && s != m.scope {
			continue // a class body is no scope for its methods
		}
		if v, ok := s.names[name]; ok {
			return v
		}
	}
	if name == "__builtins__" {
		return global("builtins")
	}
	for i := len(m.module.scope.stars) - 1; i >= 0; i-- {
		if full := m.module.scope.stars[i] + "." + name; notable(full) {
			return global(full)
		}
	}
	if builtin(name) {
		return global("builtins." + name)
	}
	if name == "torch" || name == "ops" { // TorchScript imports nothing
		return global(name)
	}
	return of(0, 0)
}

func builtin(name string) bool {
	switch name {
	case "exec", "eval", "compile", "execfile", "__import__", "open", "getattr", "setattr", "globals", "locals", "vars", "dir",
		"chr", "unichr", "ord", "bytes", "bytearray", "str", "unicode", "int", "map", "filter", "reversed", "list", "tuple", "set", "sorted",
		"zip", "enumerate", "range", "dict", "type", "input", "raw_input", "print", "file", "iter", "next", "hex", "repr", "memoryview", "reload", "apply", "breakpoint", "help", "super", "format", "sum", "len", "min", "max", "object", "isinstance", "property", "staticmethod", "classmethod", "any", "all", "id", "callable", "hasattr":
		return true
	}
	return false
}
