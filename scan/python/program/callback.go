package program

import (
	"strings"

	"modelwall/scan"
)

// callbacks lets a function that is handed over be called, as it may be.
func (m *machine) callbacks(args []arg, off int64) {
	for i, a := range args {
		switch a.v.kind {
		case function:
			m.edge(a.v.fn)
		case method:
			if a.v.recv.kind == inst && a.v.recv.cls != nil {
				if f := m.find(a.v.recv.cls, a.v.text); f != nil {
					m.edge(f)
				}
			}
		case ref:
			k, ok := sinks(a.v.text)
			if !ok {
				continue
			}
			var rest []arg
			switch a.kw {
			case "target", "func", "function", "fn":
				if v := positional(args, 1<<20, "args", "kwargs"); v != nil {
					rest = spread(v)
				}
			case "": // submit(os.system, "id"), Timer(1, os.system, ["id"])
				for _, b := range args[i+1:] {
					if b.kw == "" {
						rest = append(rest, spread(b.v)...)
					}
				}
			}
			if len(rest) > 0 && (rest[0].v.kind == str || rest[0].v.kind == bytesKind) {
				m.sinkCall(k, a.v.text, rest, off)
			}
		}
	}
}

// spread makes arguments of a sequence of them.
func spread(v *value) []arg {
	if v.kind != seq {
		return []arg{{v: v}}
	}
	as := make([]arg, 0, len(v.items))
	for _, i := range v.items {
		as = append(as, arg{v: i})
	}
	return as
}

// handed judges a function of the file that calls its i-th parameter, which is
// callee.
func (m *machine) handed(i int, callee *value, args []arg, off int64) {
	if callee == nil {
		return
	}
	var others []arg
	for j, a := range args {
		if j != i && a.v != callee && a.kw == "" {
			others = append(others, a)
		}
	}
	switch callee.kind {
	case function:
		m.edge(callee.fn)
	case ref:
		if _, ok := sinks(callee.text); ok {
			m.apply(callee, others, off)
		}
	}
}

// inline evaluates the body of a lambda with its arguments.
func (m *machine) inline(f *fun, actual func(int) *value) *value {
	saved := m.scope
	m.scope = &scope{names: map[string]*value{}, parent: f.scope.parent, fn: f}
	for i, name := range f.params {
		v := actual(i)
		if v == nil {
			v = of(0, 0)
		}
		m.scope.names[name] = v
	}
	v := m.eval(f.value)
	m.scope = saved
	return v
}

// start calls what a thread or a hook is given to call.
func (m *machine) start(name string, args []arg, off int64) {
	target := positional(args, 1<<20, "target", "function")
	if target == nil {
		i := 0
		switch name {
		case "threading.Timer", "signal.signal", "threading.Thread", "multiprocessing.Process":
			i = 1
		}
		target = positional(args, i)
	}
	if target == nil {
		return
	}
	var as []arg
	if rest := positional(args, 1<<20, "args"); rest != nil {
		as = spread(rest)
	} else if name == "atexit.register" {
		as = args[1:]
	} else if rest := positional(args, 2); name == "threading.Timer" && rest != nil {
		as = spread(rest)
	} else if rest := positional(args, 1); strings.HasSuffix(name, "start_new_thread") && rest != nil {
		as = spread(rest)
	}
	if target.kind == function || target.kind == ref || target.kind == method || target.kind == partial {
		m.apply(target, as, off)
	}
}

// reduces judges what a method tells pickle to call.
func (m *machine) reduces(v *value, off int64) {
	if f := m.fn(); f.cls == nil || f.name != "__reduce__" && f.name != "__reduce_ex__" || v.kind != seq || len(v.items) == 0 {
		return
	}
	callee := v.items[0]
	if k, ok := sinks(callee.text); callee.kind == ref && ok && k != sinkPickle && k != sinkLoad {
		m.report("reduce", scan.SeveritySuspicious, scan.SeveritySuspicious, "code-execution",
			"makes a pickle that calls "+callee.text+" when it is loaded", off)
	}
}
