package program

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
)

// arg is an argument of a call; kw is its keyword, "*" or "**".
type arg struct {
	kw string
	v  *value
}

// call evaluates a call.
func (m *machine) call(n *syntax.Node) *value {
	callee := m.eval(n.Kids[0])
	args := make([]arg, 0, len(n.Kids)-1)
	for i, k := range n.Kids[1:] {
		kw := ""
		if i < len(n.Kws) {
			kw = n.Kws[i]
		}
		v := m.eval(k)
		if kw == "*" && v.kind == seq {
			for _, item := range v.items {
				args = append(args, arg{v: item})
			}
			continue
		}
		if kw == "**" && v.kind == mapping {
			for j := 0; j+1 < len(v.items); j += 2 {
				if v.items[j].known() {
					args = append(args, arg{v.items[j].text, v.items[j+1]})
				}
			}
			continue
		}
		args = append(args, arg{kw, v})
	}
	return m.apply(callee, args, n.Off)
}

// positional returns the i-th argument without a keyword, or the one with one
// of the names; nil without.
func positional(args []arg, i int, names ...string) *value {
	for _, a := range args {
		if a.kw == "" {
			if i == 0 {
				return a.v
			}
			i--
		}
		for _, n := range names {
			if a.kw == n {
				return a.v
			}
		}
	}
	return nil
}

// gather is what flows through a call that is not known.
func gather(args []arg) (taint, uint64) {
	var t taint
	var p uint64
	for _, a := range args {
		at, ap := a.v.all()
		if a.v.kind == ref && a.v.text == "os.environ" {
			at |= secret
		}
		t, p = t|at, p|ap
	}
	return t, p
}

// apply calls v.
func (m *machine) apply(v *value, args []arg, off int64) *value {
	if m.applied++; m.applied > maxApply {
		m.applied--
		t, p := gather(args)
		return of(t, p)
	}
	defer func() { m.applied-- }()
	switch v.kind {
	case ref:
		if v.taint&built != 0 && (isSink(v.text) || v.text == "builtins.compile" || v.text == "builtins.__import__") {
			m.report("obfuscated_call", scan.SeverityMalicious, scan.SeverityMalicious, "obfuscation",
				"calls "+v.text+" by a name that is put together at run time", off)
		}
		return m.global(v, args, off)
	case function:
		return m.invoke(v.fn, args, off)
	case class:
		return m.instantiate(v.cls, args, off)
	case method:
		return m.method(v, args, off)
	case partial:
		if v.recv.kind == ref && len(v.items) > 0 && len(args) > 0 {
			switch v.recv.text {
			case "operator.attrgetter":
				if v.items[0].known() {
					return m.dotted(args[0].v, v.items[0])
				}
			case "operator.methodcaller":
				if v.items[0].known() {
					var rest []arg
					for _, i := range v.items[1:] {
						rest = append(rest, arg{v: i})
					}
					return m.apply(m.named(args[0].v, v.items[0]), rest, off)
				}
			case "operator.itemgetter":
				return m.index(args[0].v, v.items[0])
			}
		}
		var all []arg
		for _, i := range v.items {
			all = append(all, arg{v: i})
		}
		return m.apply(v.recv, append(all, args...), off)
	case union:
		var out *value
		for _, i := range v.items {
			out = merge(out, m.apply(i, args, off))
		}
		return out
	case inst:
		if v.cls != nil {
			if f := m.find(v.cls, "__call__"); f != nil {
				return m.invoke(f, append([]arg{{v: v}}, args...), off)
			}
		}
	}
	if v.kind == unknown && m.fn() != m.module {
		m.fn().applies |= v.params
	}
	if v.taint&compiled != 0 { // a function made of a code object
		m.sink(sinkCode, "a function made at run time", v, args, off)
	}
	t, p := gather(args)
	return of(t|v.taint, p|v.params)
}

// dotted follows a name with dots in it.
func (m *machine) dotted(obj, key *value) *value {
	for part := range strings.SplitSeq(key.text, ".") {
		obj = m.named(obj, &value{kind: str, text: part, taint: key.taint})
	}
	return obj
}

// edge remembers that the function at hand calls f.
func (m *machine) edge(f *fun) {
	at := m.fn()
	if at == m.module && (m.guard > 0 || m.opts.Interactive) {
		return
	}
	if m.edges++; m.edges <= maxEdges {
		at.calls[f] = true
	}
}

// invoke calls a function of the file.
func (m *machine) invoke(f *fun, args []arg, off int64) *value {
	m.edge(f)
	actual := func(i int) *value {
		if i >= 63 || i >= len(f.params) {
			return nil
		}
		if f.star >= 0 && i >= f.star {
			t, p := gather(args)
			return of(t, p)
		}
		if v := positional(args, i, f.params[i]); v != nil {
			return v
		}
		return f.deflt[i]
	}
	for _, s := range f.sinks[:min(len(f.sinks), 16)] {
		if v := actual(s.param); v != nil && (v.taint != 0 || v.params != 0 || v.known() || v.kind == seq || v.kind == str) {
			if s.part && v.taint&(net|decoded|built|dropped) == 0 {
				m.parts(v, off)
				continue
			}
			m.sink(s.sink, f.name, v, nil, off)
		}
	}
	for i := range min(len(f.params), 63) {
		if f.applies&(1<<i) != 0 {
			m.handed(i, actual(i), args, off)
		}
	}
	if f.value != nil && m.spend(itemCost) {
		return m.inline(f, actual)
	}
	r := f.ret
	if r == nil {
		return &value{kind: none}
	}
	var t taint
	var p uint64
	for i := range f.params {
		if r.params&(1<<min(i, 63)) == 0 {
			continue
		}
		v := actual(i)
		if v == nil {
			continue
		}
		if r.kind == unknown && r.taint == 0 && v.kind != unknown && len(f.params) == 1 {
			// It hands back what it is given, as far as is known.
			t |= v.taint
		}
		at, ap := v.all()
		t, p = t|at, p|ap
	}
	if r.params == 0 && t == 0 {
		return r
	}
	out := *r
	out.taint, out.params = r.taint|t, p
	if out.params != 0 && m.fn() == m.module {
		out.params = 0
	}
	return &out
}

// find looks a method up in a class and its bases.
func (m *machine) find(c *cls, name string) *fun {
	for range 8 {
		if f, ok := c.methods[name]; ok {
			return f
		}
		var next *cls
		for _, b := range c.bases {
			if b.kind == class {
				next = b.cls
				break
			}
		}
		if next == nil || next == c {
			return nil
		}
		c = next
	}
	return nil
}

// instantiate makes an object of a class of the file.
func (m *machine) instantiate(c *cls, args []arg, off int64) *value {
	v := &value{kind: inst, cls: c}
	for _, name := range [...]string{"__new__", "__init__", "__post_init__", "__del__"} {
		if f := m.find(c, name); f != nil {
			m.invoke(f, append([]arg{{v: v}}, args...), off)
		}
	}
	for _, b := range c.bases {
		if b.kind == ref && strings.HasSuffix(b.text, "Thread") {
			if f := m.find(c, "run"); f != nil {
				m.edge(f)
			}
		}
	}
	v.taint, v.params = gather(args)
	return v
}

// entries marks what model servers and installers call by name.
func (m *machine) entries(f *fun) {
	f.entry = false
	if f.cls == nil {
		f.entry = f.parent == m.module && (f.name == "handle" && len(f.params) == 2 || // TorchServe
			f.name == "model_fn" || f.name == "predict_fn" || f.name == "input_fn" || f.name == "output_fn" || // SageMaker
			f.name == "__getattr__" || f.name == "__dir__") // PEP 562
		return
	}
	c := f.cls
	base := func(names ...string) bool {
		for _, b := range c.bases {
			for _, n := range names {
				if (b.kind == ref || b.kind == method) && (b.text == n || strings.HasSuffix(b.text, "."+n)) {
					return true
				}
				if b.kind == class && b.cls.name == n {
					return true
				}
			}
		}
		return false
	}
	is := func(names ...string) bool {
		for _, n := range names {
			if f.name == n {
				return true
			}
		}
		return false
	}
	switch {
	case c.name == "EndpointHandler": // Hugging Face endpoints
		f.entry = is("__init__", "__call__")
	case base("BaseHandler") || strings.HasSuffix(c.name, "Handler") && is("initialize"): // TorchServe
		f.entry = is("__init__", "initialize", "preprocess", "inference", "postprocess", "handle")
	case c.name == "TritonPythonModel":
		f.entry = is("initialize", "execute")
	case base("PreTrainedModel", "PretrainedConfig", "PreTrainedTokenizer", "PreTrainedTokenizerFast", "ProcessorMixin", "ImageProcessingMixin", "BaseImageProcessor", "FeatureExtractionMixin", "SequenceFeatureExtractor", "DiffusionPipeline", "GenerationMixin", "Pipeline", "PythonModel"):
		f.entry = is("__init__", "forward", "__call__", "from_pretrained", "load_context", "predict", "_init_weights", "__setstate__", "__init_subclass__")
	case base("install", "develop", "egg_info", "build_py", "build_ext", "build", "sdist", "bdist_wheel", "bdist_egg", "install_lib", "install_scripts"):
		f.entry = is("run", "__init__", "initialize_options", "finalize_options")
	}
}

// served reports entries whose arguments are what a client of a server sends.
func served(f *fun) bool {
	switch f.name {
	case "handle", "preprocess", "inference", "input_fn", "predict_fn", "execute":
		return true
	case "__call__":
		return f.cls != nil && f.cls.name == "EndpointHandler"
	}
	return false
}
