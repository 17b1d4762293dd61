package jinja

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"modelwall/scan"
)

// judge holds what is known of a template's variables and what was found.
type judge struct {
	env      environment
	findings []scan.Finding
}

func newJudge() *judge {
	return &judge{env: environment{vars: map[string]value{}, macros: map[string][]string{}}}
}

// maxFindings is how many findings of one severity are kept.
const maxFindings = 50

func (j *judge) find(rule string, sev scan.Severity, technique string, off int64, format string, args ...any) {
	f := scan.Finding{Rule: "jinja." + rule, Severity: sev, Technique: technique, Offset: off, Message: fmt.Sprintf(format, args...)}
	same := 0
	for _, g := range j.findings {
		if g == f {
			return
		}
		if g.Severity == sev {
			same++
		}
	}
	if same < maxFindings {
		j.findings = append(j.findings, f)
	}
}

// report hands the findings over. In a text that is no template they are worth
// less: nothing renders it.
func (j *judge) report(s scan.Sink, foreign bool) {
	slices.SortStableFunc(j.findings, func(a, b scan.Finding) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	j.findings = slices.Compact(j.findings)
	for _, f := range j.findings {
		if foreign {
			if f.Severity < scan.SeverityMalicious {
				continue
			}
			f.Severity = scan.SeveritySuspicious
			f.Message += "; the text around it is not a template that Jinja accepts"
		}
		s.Finding(f)
	}
}

// attribute is v.name, however it is spelled.
func (j *judge) attribute(off int64, v value, name, how string) value {
	name = strings.TrimSpace(name)
	recv := v
	recv.recv = nil
	out := value{own: v.own && v.shape == plain || v.walked > 0, walked: v.walked, method: name, recv: &recv}
	switch how {
	case ".":
		out.path = step(v.path, "."+name)
	case "|attr":
		out.path = step(v.path, "|attr("+quoteShort(name)+")")
	default:
		out.path = step(v.path, "["+quoteShort(name)+"]")
	}
	if g := gradeOf(name); g > gradeNone {
		j.walk(off, &out, name, g, how)
		return out
	}
	if v.walked > 0 && (name == "mro" || name == "subclasses") {
		j.walk(off, &out, name, gradeHard, how)
		return out
	}
	if moduleCall(out.path) && !j.assigned(v) {
		j.find("module", scan.SeverityMalicious, "code-execution", off, "%s uses a Python module that runs programs or reaches files and the network", scan.Quote(out.path, maxPath))
		return out
	}
	if known, ok := j.env.vars["."+name]; ok {
		known.path = out.path
		known.method, known.recv = out.method, out.recv
		known.open = known.open || v.shape != mapping
		return known
	}
	if v.shape == mapping {
		any := v.any()
		any.path, any.open = out.path, true
		any.method, any.recv = out.method, out.recv
		return any
	}
	return out
}

func quoteShort(s string) string { return "'" + s[:min(len(s), 40)] + "'" }

// walk reports a step to a Python internal and notes it in v.
func (j *judge) walk(off int64, v *value, name string, g grade, how string) {
	if g == gradeQuiet {
		if v.walked == 1 && v.recv != nil && v.recv.method == "__class__" { // a class's name is a text
			j.soften(v.recv.off)
			v.walked, v.own = 0, true
		}
		return
	}
	if g == gradeSoft && (how == "[]" || how == "name") && !pythonInternal(strings.Trim(plainASCII(name), " _")) {
		j.find("key", scan.Low, "", off, "the template looks up %s, spelled like an internal of Python", scan.Quote(name, 60))
		return
	}
	v.off = off
	v.walked++
	sev := scan.SeveritySuspicious
	if g == gradeHard || v.walked > 1 {
		sev = scan.SeverityMalicious
	}
	what := "reads " + scan.Quote(name, 60) + ", an internal of Python that no template needs"
	if sev == scan.SeverityMalicious {
		what = "walks to Python's internals: in an environment without a sandbox it reaches every function of the process"
	}
	j.find("walk", sev, "code-execution", off, "the template %s: %s", what, scan.Quote(v.path, maxPath))
}

// soften lowers what was found at off: it turned out to be less.
func (j *judge) soften(off int64) {
	for i := range j.findings {
		if f := &j.findings[i]; f.Offset == off && f.Rule == "jinja.walk" && f.Severity == scan.SeveritySuspicious {
			f.Severity = scan.Low
		}
	}
}

// key judges a string that names an attribute. how is as in attribute.
func (j *judge) key(off int64, v, name value, how string) value {
	out := value{own: v.own || v.walked > 0, walked: v.walked, path: step(v.path, how+"(...)")}
	for i, t := range name.texts {
		if !strings.ContainsRune(t, hole) {
			got := j.attribute(off, v, t, how)
			if i == 0 {
				out = got
			} else {
				out = union(out, got)
			}
			continue
		}
		if holed(t) {
			j.computed(off, v, t)
			out.walked++
		}
	}
	if name.own && !name.isNum {
		j.computed(off, v, "")
		out.walked++
	}
	return out
}

func (j *judge) computed(off int64, v value, name string) {
	of := ""
	if name != "" {
		of = " like " + scan.Quote(strings.ReplaceAll(name, holeText, "*"), 60)
	}
	j.find("computed-name", scan.SeveritySuspicious, "obfuscation", off,
		"the template puts together the name%s of what it looks up in %s, so that it can not be read", of, scan.Quote(v.path, maxPath))
}

// subscript is v[name].
func (j *judge) subscript(off int64, v, name value) value {
	if name.isNum && len(name.texts) == 0 {
		out := item(v, name.num)
		if out.path == "" {
			out.path = step(v.path, "["+itoa(name.num)+"]")
		}
		out.walked = max(out.walked, v.walked)
		return out
	}
	if len(name.texts) == 0 && !name.own {
		var out value
		if v.shape != plain {
			out = v.any()
			out.open = true
		} else {
			out = derived(v, name)
		}
		out.walked, out.path = max(out.walked, v.walked), step(v.path, "[...]")
		return out
	}
	out := j.key(off, v, name, "[]")
	if v.shape != plain {
		w := union(v.any(), out)
		w.open = true
		w.path = out.path
		return w
	}
	return out
}

// binary is a op b.
func (j *judge) binary(off int64, op string, a, b value) value {
	switch op {
	case "if", "or":
		if op == "if" {
			return a
		}
		return union(a, b)
	case "else", "and":
		return union(a, b)
	case "~":
		return j.built(off, concat(a, b), a, b)
	case "+":
		if a.isNum && b.isNum {
			return numValue(a.num + b.num)
		}
		return j.built(off, concat(a, b), a, b)
	case "-":
		if a.isNum && b.isNum {
			return numValue(a.num - b.num)
		}
	case "*":
		return j.multiply(off, a, b)
	case "**":
		if a.isNum && b.isNum && b.num > 1<<16 && (a.num > 1 || a.num < -1) {
			j.find("bomb", scan.SeveritySuspicious, "bomb", off, "a power of %d: a number too long to compute", b.num)
		}
		if a.isNum && b.isNum && b.num >= 0 && b.num <= 64 {
			n := int64(1)
			for range b.num {
				n = product(n, a.num)
			}
			return numValue(n)
		}
	case "%":
		if len(a.texts) > 0 && !a.open {
			args := []value{b}
			if b.shape == list {
				args = b.items
			}
			return j.formatted(off, a, args)
		}
	}
	return derived(a, b)
}

// maxRepeats is how often a template may repeat something without being a
// bomb.
const maxRepeats = 10_000_000

func (j *judge) multiply(off int64, a, b value) value {
	if a.isNum && b.isNum {
		return numValue(product(a.num, b.num))
	}
	if a.isNum {
		a, b = b, a
	}
	if !b.isNum {
		return derived(a, b)
	}
	if b.num > maxRepeats && (len(a.texts) > 0 || a.shape != plain) {
		j.find("bomb", scan.SeveritySuspicious, "bomb", off, "a string or a list is repeated %d times", b.num)
	}
	if b.num < 0 || b.num > maxText || a.shape != plain {
		return derived(a, b)
	}
	return j.built(off, apply(a, func(s string) string {
		return squeeze(strings.Repeat(s, min(int(b.num), maxText/max(1, len(s))+1)))
	}), a)
}

// built looks at a string that was put together: a name of Python's internals
// that no part of it had can only be meant to be hidden.
func (j *judge) built(off int64, out value, parts ...value) value {
	for _, t := range out.texts {
		name := gadget(t)
		if name == "" {
			continue
		}
		whole := slices.ContainsFunc(parts, func(p value) bool {
			return slices.ContainsFunc(p.texts, func(s string) bool { return gadget(s) != "" })
		})
		if !whole {
			j.find("assembled-name", scan.SeverityMalicious, "obfuscation", off, "the template puts together %s from pieces, to hide that it reaches for Python's internals", scan.Quote(name, 60))
		}
	}
	return out
}

// loops judges the loops that are open.
func (j *judge) loops(off int64, steps []int64) {
	total := int64(1)
	for _, n := range steps {
		total = product(total, n)
	}
	if total > maxRepeats {
		j.find("bomb", scan.SeveritySuspicious, "bomb", off, "loops of fixed lengths come to %d steps", total)
	}
}

// load judges include, extends, import and from.
func (j *judge) load(tag token, name value) {
	bad := func(s string) bool {
		return strings.Contains(s, "..") || strings.HasPrefix(s, "/") || strings.Contains(s, "\\") || strings.Contains(s, "://")
	}
	for _, t := range name.texts {
		if bad(t) {
			j.find("load", scan.SeveritySuspicious, "path-traversal", tag.off, "%s of %s, outside of the templates' folder", tag.text, scan.Quote(t, 100))
			return
		}
	}
	j.find("load", scan.Low, "file-access", tag.off, "%s: the template loads another", tag.text)
}

// maxHidden is how many characters may not show without a word about it.
const maxHidden = 4

func (j *judge) hidden(n int) {
	if n > maxHidden {
		j.find("hidden-text", scan.SeveritySuspicious, "obfuscation", 0, "%d Unicode tag characters: text that a person does not see and a language model reads", n)
	}
}

func sortedKeys(m map[string]value) []string { return slices.Sorted(maps.Keys(m)) }
