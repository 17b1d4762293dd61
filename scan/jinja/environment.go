package jinja

import (
	"strings"

	"modelwall/scan"
)

// environment is what the variables of a template can be, anywhere in it: an
// assignment adds to what stands there.
type environment struct {
	vars    map[string]value
	macros  map[string][]string // parameters
	changed bool
	settled bool // by now nothing should change any more
	full    bool // more variables than are followed
}

// maxVars is how many variables are followed.
const maxVars = 1024

// variable is what a name stands for.
func (j *judge) variable(t token) value {
	v, ok := j.env.vars[t.text]
	switch {
	case ok:
	case jinjaGlobal(t.text), j.env.full:
		v = ownValue()
	}
	v.name = t.text
	if v.path == "" || v.path == "a string" {
		v.path = step("", t.text)
	}
	if !ok {
		if g := gradeOf(t.text); g >= gradeSoft {
			j.walk(t.off, &v, t.text, g, "name")
		}
	}
	return v
}

// assign adds v to what a variable can be.
func (j *judge) assign(off int64, name string, v value, loop bool) {
	if loop && v.twice != "" && (v.twice == name || strings.HasPrefix(name, ".") && strings.HasSuffix(v.twice, name)) {
		j.find("bomb", scan.SeveritySuspicious, "bomb", off, "%s is appended to itself in a loop: it doubles with every step", scan.Quote(name, 60))
	}
	v = v.stored()
	if strings.HasPrefix(v.path, "a string") || !strings.Contains(v.path, "__") {
		v.path = ""
	}
	if v.shape == mapping { // a namespace, or a dictionary used as one
		for i, k := range v.keys {
			if i < len(v.items) {
				j.assign(off, "."+k, v.items[i], loop)
			}
		}
	}
	old, ok := j.env.vars[name]
	switch {
	case !ok && len(j.env.vars) >= maxVars:
		j.env.full = true
		return
	case !ok:
	default:
		w := union(old, v)
		if same(old, w) {
			return
		}
		grown := len(w.texts) > max(maxGrown, len(v.texts))
		if (j.env.settled || grown) && len(w.texts) > 0 && !w.holes() {
			w.own = true // it still grows: a loop puts it together
		}
		if grown {
			w.texts = []string{holeText}
		}
		v = w
	}
	j.env.vars[name] = v
	j.env.changed = true
}

// same reports whether nothing was added to a variable.
func same(a, b value) bool {
	return len(a.texts) == len(b.texts) && a.open == b.open && a.own == b.own && len(a.items) == len(b.items) &&
		len(a.keys) == len(b.keys) && a.shape == b.shape && a.walked == b.walked && a.isNum == b.isNum && a.span == b.span && a.method == b.method
}

func (j *judge) macro(name string, params []string) {
	if len(j.env.macros) < maxVars {
		j.env.macros[name] = params
	}
	for _, p := range params { // whoever calls it from outside of what is seen
		if _, ok := j.env.vars[p]; !ok && len(j.env.vars) < maxVars {
			j.env.vars[p] = value{open: true}
		}
	}
}

// mapped adds a named value of a mapping to what attributes of that name are.
func (j *judge) mapped(name string, v value) {
	if name != "" && len(v.texts) > 0 {
		j.assign(0, "."+name, v, false)
	}
}

// assigned reports whether the variable that a path begins with is the
// template's own.
func (j *judge) assigned(v value) bool {
	name, _, _ := strings.Cut(v.path, ".")
	_, ok := j.env.vars[name]
	return ok
}
