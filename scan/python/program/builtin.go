package program

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
)

// global calls something imported or built in.
func (m *machine) global(callee *value, args []arg, off int64) *value {
	name := callee.text
	if kind, ok := sinks(name); ok {
		if kind == sinkShell && strings.HasPrefix(name, "pexpect") || name == "subprocess.Popen" || name == "psutil.Popen" {
			defer func() { m.shellSpawned() }()
		}
		return m.sinkCall(kind, name, args, off)
	}
	if how := decoder(name); how != "" {
		return m.decode(how, name, args)
	}
	if v, ok := m.builtin(name, args, off); ok {
		return v
	}
	if v, ok := m.library(name, args, off); ok {
		return v
	}
	if fetches(name) || sends(name) {
		v := m.network(name, args, off)
		if connection(name) {
			return &value{kind: inst, text: name, items: firstArg(args)}
		}
		return v
	}
	m.callbacks(args, off)
	t, p := gather(args)
	return &value{kind: inst, text: name, taint: t | callee.taint, params: p, items: firstArg(args)}
}

func firstArg(args []arg) []*value {
	if len(args) > 0 && args[0].kw == "" {
		return []*value{args[0].v}
	}
	return nil
}

// first is the first argument, unknown without.
func first(args []arg) *value {
	if len(args) == 0 {
		return of(0, 0)
	}
	return args[0].v
}

// builtin calls functions of the language; ok is false for others.
func (m *machine) builtin(name string, args []arg, off int64) (v *value, ok bool) {
	fn, found := strings.CutPrefix(name, "builtins.")
	if !found {
		return nil, false
	}
	t, p := gather(args)
	a := first(args)
	switch fn {
	case "getattr":
		if key := positional(args, 1); key != nil && key.known() {
			m.dunder(key.text)
			return m.named(a, key), true
		}
		return of(t, p), true
	case "setattr":
		if key, v := positional(args, 1), positional(args, 2); key != nil && v != nil && a.kind == class && v.kind == ref && isSink(v.text) {
			m.report("dunder", scan.SeveritySuspicious, scan.SeveritySuspicious, "obfuscation", "makes "+v.text+" a method of a class", off)
		}
		return &value{kind: none}, true
	case "__import__":
		return m.importByName(a, true), true
	case "globals", "locals", "vars":
		if len(args) > 0 {
			return a, true
		}
		return &value{kind: inst, text: "globals"}, true
	case "chr", "unichr":
		if a.kind == integer && a.num >= 0 && a.num <= utf8.MaxRune {
			return &value{kind: str, text: string(rune(a.num)), taint: t | built}, true
		}
		return of(t|built, p), true
	case "ord":
		if a.known() && a.text != "" {
			r, _ := utf8.DecodeRuneInString(a.text)
			return number(int64(r)), true
		}
		return of(t, p), true
	case "bytes", "bytearray":
		if a.kind == seq {
			return m.bytes(a, t, p), true
		}
		if a.kind == str || a.kind == bytesKind {
			return &value{kind: bytesKind, text: a.text, holes: a.holes, taint: t, params: p}, true
		}
		return of(t, p), true
	case "str", "unicode":
		if a.kind == str || a.kind == bytesKind {
			return &value{kind: str, text: a.text, holes: a.holes, taint: t, params: p}, true
		}
		if a.kind == integer {
			return &value{kind: str, text: strconv.FormatInt(a.num, 10), taint: t, params: p}, true
		}
		return of(t, p), true
	case "int":
		base := 10
		if b := positional(args, 1, "base"); b != nil && b.kind == integer && b.num >= 2 && b.num <= 36 {
			base = int(b.num)
		}
		if a.kind == integer {
			return a, true
		}
		if a.known() && len(a.text) < 64 {
			if i, err := strconv.ParseInt(strings.TrimSpace(a.text), base, 64); err == nil {
				return &value{kind: integer, num: i, taint: t}, true
			}
		}
		return of(t, p), true
	case "list", "tuple", "set", "sorted", "iter", "frozenset":
		if a.kind == seq {
			return a, true
		}
		if items, ok := m.iterate(a); ok && m.spend(len(items)*32) {
			return &value{kind: seq, items: items, taint: t}, true
		}
		return of(t, p), true
	case "reversed":
		items, ok := m.iterate(a)
		if !ok || !m.spend(len(items)*32) {
			return of(t, p), true
		}
		items = slices.Clone(items)
		slices.Reverse(items)
		if a.kind != seq {
			t |= built
		}
		return &value{kind: seq, items: items, taint: t}, true
	case "map", "filter":
		return m.mapped(fn, args, off, t, p), true
	case "range", "xrange":
		return m.ranged(args), true
	case "open", "file":
		return m.open(args, off), true
	case "compile":
		c := *a
		c.taint |= compiled
		if a.kind == ref || a.kind == inst {
			c = value{taint: t | compiled, params: p}
		}
		return &c, true
	case "type", "super", "input", "raw_input", "isinstance", "len", "hasattr", "callable", "id", "print":
		m.callbacks(args, off)
		return of(0, 0), true
	case "dict":
		if len(args) == 1 && a.kind == mapping {
			return a, true
		}
		out := &value{kind: mapping, taint: t, params: p}
		for _, x := range args {
			if x.kw != "" && x.kw != "*" && x.kw != "**" {
				out.items = append(out.items, text(str, x.kw), x.v)
			}
		}
		return out, true
	case "apply":
		if len(args) > 1 && args[1].v.kind == seq {
			var as []arg
			for _, i := range args[1].v.items {
				as = append(as, arg{v: i})
			}
			return m.apply(a, as, off), true
		}
	}
	m.callbacks(args, off)
	return of(t, p), true
}

// bytes makes a text of numbers.
func (m *machine) bytes(v *value, t taint, p uint64) *value {
	b := make([]byte, 0, len(v.items))
	for _, i := range v.items {
		if i.kind != integer || i.num < 0 || i.num > 255 {
			return of(t|built, p)
		}
		b = append(b, byte(i.num))
	}
	t |= built
	if len(b) >= longLiteral {
		t |= literal
	}
	out := &value{kind: bytesKind, taint: t, params: p}
	out.text = m.cut(out, string(b))
	return out
}

// mapped is map and filter.
func (m *machine) mapped(fn string, args []arg, off int64, t taint, p uint64) *value {
	f, over := first(args), positional(args, 1)
	if over == nil {
		return of(t, p)
	}
	items, ok := m.iterate(over)
	if fn == "map" && ok && len(items) <= 4096 && m.spend(len(items)*itemCost) {
		v := &value{kind: seq}
		for _, i := range items {
			v.items = append(v.items, m.apply(f, []arg{{v: i}}, off))
		}
		return v
	}
	r := m.apply(f, []arg{{v: m.element(over)}}, off)
	rt, rp := r.all()
	return of(t|rt, p|rp)
}

// ranged is range: the numbers themselves when they are few.
func (m *machine) ranged(args []arg) *value {
	var n [3]int64
	n[2] = 1
	for i, a := range args {
		if a.v.kind != integer || i > 2 {
			return of(0, 0)
		}
		n[i] = a.v.num
	}
	if len(args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	const far = 1 << 40 // so that nothing overflows
	if n[2] == 0 || max(n[0], n[1], n[2]) > far || min(n[0], n[1], n[2]) < -far {
		return of(0, 0)
	}
	count := (n[1] - n[0] + n[2]) / n[2]
	if (n[1]-n[0])%n[2] == 0 {
		count--
	}
	if count > 4096 || count < 0 || !m.spend(int(count)*itemCost) {
		return of(0, 0)
	}
	v := &value{kind: seq}
	for i := range count {
		v.items = append(v.items, number(n[0]+i*n[2]))
	}
	return v
}

// importByName is __import__ and import_module.
func (m *machine) importByName(key *value, root bool) *value {
	if !key.known() {
		return of(key.taint, key.params)
	}
	name := key.text
	if root {
		name, _, _ = strings.Cut(name, ".")
	}
	v := global(canonical(name))
	v.taint = key.taint & (built | decoded)
	if v.taint != 0 {
		v.taint = built
	}
	return v
}

// open is open(path, mode).
func (m *machine) open(args []arg, off int64) *value {
	path := positional(args, 0, "file", "name")
	if path == nil {
		path = of(0, 0)
	}
	mode := positional(args, 1, "mode")
	v := &value{kind: inst, text: "file", items: []*value{path}, params: path.params}
	if mode != nil && mode.known() && strings.ContainsAny(mode.text, "wax+") {
		if strings.Contains(mode.text, "w") {
			m.removes(path, off)
		}
		m.writes(path, off)
		return v
	}
	v.taint = fileTaint(path)
	if url, ok := m.downloaded(path); ok {
		v.taint |= dropped | net
		v.items = append(v.items, text(str, url))
	}
	if v.taint&secret != 0 {
		m.report("credentials", scan.SeveritySuspicious, scan.Low, "exfiltration", "reads "+scan.Quote(path.text, 80), off)
	}
	return v
}

// downloaded tells whether the program wrote to a path what it had from the
// network, and from where.
func (m *machine) downloaded(path *value) (string, bool) {
	if !path.known() {
		return "", false
	}
	url, ok := m.files[path.text]
	return url, ok
}

// saved notes that what came from url is written to path.
func (m *machine) saved(path *value, url string) {
	path.taint |= dropped
	if url == "" {
		url = hole
	}
	if path.known() && len(m.files) < maxItems {
		m.files[path.text] = url
	}
}

// fileTaint says what reading a path gives.
func fileTaint(path *value) taint {
	t := fromFile | path.taint&(dropped|net|secret|fromHub)
	if path.kind != str {
		return t
	}
	p := strings.ToLower(path.text)
	switch {
	case secretPath(p):
		t |= secret
	case strings.HasSuffix(p, ".py") || strings.HasSuffix(p, "version") || strings.HasSuffix(p, ".pyi") || strings.HasSuffix(p, "__") || strings.HasSuffix(p, ".in") || strings.HasSuffix(p, ".cfg") || strings.HasSuffix(p, ".txt") || strings.HasSuffix(p, "rc") || strings.HasSuffix(p, ".pth") || strings.HasSuffix(p, ".info"):
		t |= sourceFile
	case !path.holes && p != "" || strings.Contains(p[max(0, strings.LastIndexByte(p, '/')):], ".") && !strings.HasSuffix(p, hole):
		t |= dataFile
	}
	return t
}
