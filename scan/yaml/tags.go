package yaml

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// tag judges a resolved tag.
func (r *report) tag(tag string, off int64) {
	r.structured = true
	if i := strings.LastIndex(tag, "python/"); i >= 0 && (i == 0 || strings.HasSuffix(tag[:i], ":") || strings.HasSuffix(tag[:i], "!")) {
		// "!python/…" alone is of no loader; a handle that nothing declares
		// is no less strange for that.
		if tag[:i] != "!" {
			r.python(tag[i+len("python/"):], off)
			return
		}
	}
	switch global, isGlobal := strings.CutPrefix(tag, "tag:yaml.org,2002:"); {
	case strings.HasPrefix(tag, "!"):
		r.local(tag[1:], off)
	case isGlobal:
		r.global(global, off)
	default:
		r.foreign(tag, off)
	}
}

// python judges PyYAML's tags for Python objects.
func (r *report) python(what string, off int64) {
	kind, name, named := strings.Cut(what, ":")
	if !named {
		return // tuple, str, complex and other values
	}
	if i := strings.IndexAny(name, "[]{},"); i >= 0 {
		name = name[:i]
	}
	v := r.Names.Call(name)
	message := fmt.Sprintf("!!python/%s: %s, which %s", kind, scan.Quote(name, 100), v.Why)
	switch {
	case v.Level == pyname.Dangerous:
		r.finding("python_tag", scan.SeverityMalicious, refs.TechExecution, off, message)
	case v.Level == pyname.Risky:
		r.finding("python_tag", scan.SeveritySuspicious, refs.TechExecution, off, message)
	case v.Level == pyname.Custom && kind == "object/apply" && !class(name):
		r.finding("python_tag", scan.SeveritySuspicious, refs.TechExecution, off, message+"; it is called")
	case v.Level == pyname.Custom:
		r.finding("python_tag", scan.Low, refs.TechCustom, off, message)
	case kind == "module" && r.Names.Stdlib(name):
		r.finding("python_tag", scan.Low, refs.TechCustom, off, "!!python/module imports "+scan.Quote(name, 100))
	}
}

// class reports a name in CapWords, or a member of such a class.
func class(name string) bool {
	for p := range strings.SplitSeq(name, ".") {
		if p = strings.TrimLeft(p, "_"); p != "" && p[0] >= 'A' && p[0] <= 'Z' {
			return true
		}
	}
	return false
}

// local judges tags of an application.
func (r *report) local(tag string, off int64) {
	kind, name, named := strings.Cut(tag, ":")
	switch {
	case !named:
	case kind == "new" || kind == "name" || kind == "apply" || kind == "applyref" || kind == "module":
		// HyperPyYAML.
		r.Call("call_tag", "!"+kind, name, off)
	case kind == "include" && refs.Escapes(name):
		r.finding("path", scan.Low, refs.TechTraversal, off, "!include of "+scan.Quote(name, 200))
	case strings.HasPrefix(kind, "ruby/"):
		r.ruby(kind, name, off)
	case strings.HasPrefix(kind, "php/") || strings.HasPrefix(kind, "perl/"):
		r.finding("foreign_tag", scan.SeveritySuspicious, refs.TechExecution, off, "the tag !"+scan.Quote(tag, 100)+" makes an object of another language")
	}
	if named {
		return
	}
	r.gadget(tag, off)
}

// global judges tags of yaml.org's own space, where SnakeYAML and js-yaml have
// put theirs.
func (r *report) global(tag string, off int64) {
	switch {
	case strings.HasPrefix(tag, "js/function"):
		r.finding("foreign_tag", scan.SeveritySuspicious, refs.TechExecution, off, "!!js/function makes a function of text")
	case strings.HasPrefix(tag, "ruby/"):
		kind, name, _ := strings.Cut(tag, ":")
		r.ruby(kind, name, off)
	case strings.Contains(tag, "."):
		if !r.gadget(tag, off) {
			r.finding("foreign_tag", scan.Low, refs.TechCustom, off, "the tag !!"+scan.Quote(tag, 100)+" makes an object of a Java class")
		}
	}
}

// foreign judges tags of other spaces.
func (r *report) foreign(tag string, off int64) {
	if i := strings.Index(tag, "ruby/"); i >= 0 {
		kind, name, _ := strings.Cut(tag[i:], ":")
		r.ruby(kind, name, off)
		return
	}
	r.gadget(tag, off)
}

func (r *report) ruby(kind, name string, off int64) {
	sev := scan.SeveritySuspicious
	if strings.HasPrefix(name, "Gem::") || strings.HasPrefix(name, "Net::") || strings.HasPrefix(name, "ERB") || strings.HasPrefix(name, "Kernel") {
		sev = scan.SeverityMalicious
	}
	r.finding("foreign_tag", sev, refs.TechExecution, off, "the tag !"+kind+" makes a Ruby object: "+scan.Quote(name, 100))
}

// gadget reports classes that run code when they are made.
func (r *report) gadget(tag string, off int64) bool {
	for _, p := range [...]string{
		"javax.", "java.", "com.sun.", "sun.", "org.springframework.", "org.apache.", "com.mchange.", "ch.qos.logback.", "org.hibernate.",
		"org.codehaus.groovy.", "com.zaxxer.", "jdk.nashorn.", "org.yaml.snakeyaml.", "System.Diagnostics.", "System.Windows.Data.", "System.Activities.",
	} {
		if strings.HasPrefix(tag, p) {
			r.finding("foreign_tag", scan.SeverityMalicious, refs.TechExecution, off, "the tag "+scan.Quote(tag, 100)+" makes an object of a class that reaches code, files or the network")
			return true
		}
	}
	return false
}
