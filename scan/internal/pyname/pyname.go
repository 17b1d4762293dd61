// Package pyname says what a Python name does when a configuration makes its
// loader import and call it.
//
// Hydra's _target_, jsonargparse's class_path, HyperPyYAML's !new: and
// !apply:, PyYAML's !!python/object/apply:, skops' schema and several more
// name a class or a function by its dotted path and call it with arguments of
// the same file. The loader imports the longest prefix that is a module and
// walks the rest by attributes, so "torch.os.system" is os.system: every part
// of the path counts, not the first one.
//
// What is harmless is listed in names.txt. A name of an unknown package is the
// author's own code, which the file can not bring along: it is custom. A deny
// list alone would be answered with the next wrapper of eval, so what the
// standard library has and no list calls harmless is at least risky.
package pyname

import (
	_ "embed"
	"strings"
)

// Level orders what a call can do.
type Level uint8

// The levels, weakest first.
const (
	// Harmless makes a value or an object of a well-known library.
	Harmless Level = iota
	// Custom is in a package that no list has.
	Custom
	// Risky opens files, downloads, calls what it is given, or is called like
	// something that does worse.
	Risky
	// Dangerous runs commands or code, writes files or opens connections.
	Dangerous
)

// Judgement is the answer about one name.
type Judgement struct {
	Level Level
	Why   string // what it does, without the name; "" for Harmless
}

// Judge knows the lists. It is safe for concurrent use.
type Judge struct {
	entries map[string]entry // keys end in ".*" for patterns
	stdlib  map[string]bool
}

type entry struct {
	kind string
	why  string
}

//go:embed names.txt
var namesText string

//go:embed stdlib.txt
var stdlibText string

// New reads the lists.
func New() *Judge {
	j := &Judge{entries: map[string]entry{}, stdlib: map[string]bool{}}
	for line := range strings.Lines(namesText) {
		rule, why, _ := strings.Cut(strings.TrimSpace(line), "#")
		fields := strings.Fields(rule)
		if len(fields) != 2 {
			continue
		}
		for p := range strings.SplitSeq(fields[0], ",") {
			j.entries[p] = entry{fields[1], strings.TrimSpace(why)}
		}
	}
	for line := range strings.Lines(stdlibText) {
		if !strings.HasPrefix(line, "#") {
			for _, m := range strings.Fields(line) {
				j.stdlib[m] = true
			}
		}
	}
	return j
}

// maxPath is how long a dotted name may be, in bytes, to be one.
const maxPath = 1024

// Call judges the dotted name of something that a file has called with
// arguments of its choice.
func (j *Judge) Call(path string) Judgement {
	path = strings.TrimSpace(path)
	if path == "" || len(path) > maxPath {
		return Judgement{Custom, "is no name"}
	}
	path = canonical(path)
	parts := strings.Split(path, ".")
	if v, ok := j.detour(parts); ok {
		return v
	}
	if len(parts) == 1 {
		// A bare name is a built-in to some loaders and a module to others.
		if e, ok := j.entries["builtins."+path]; ok && e.kind != "harmless" {
			return verdict(e)
		}
		if j.builtin(path) || !j.stdlib[path] {
			return Judgement{Level: Harmless}
		}
	}
	e, found := j.find(parts)
	switch {
	case found && e.kind == "lib":
		return j.member(parts)
	case found && e.kind != "harmless":
		return verdict(e)
	case found:
		return Judgement{Level: Harmless}
	case j.stdlib[parts[0]] || strings.HasPrefix(parts[0], "_") && j.stdlib[strings.TrimLeft(parts[0], "_")]:
		return Judgement{Risky, "is a part of the standard library that no model needs"}
	}
	if executes(parts[len(parts)-1]) {
		return Judgement{Risky, "is code of an unknown package that is called like something that executes"}
	}
	return Judgement{Custom, "is code of a package that is not on the list"}
}

// Known reports whether the name lies in a library of the field or is a
// harmless part of the standard library.
func (j *Judge) Known(path string) bool { return j.Call(path).Level == Harmless }

// Stdlib reports whether the topmost package is Python's own.
func (j *Judge) Stdlib(path string) bool {
	top, _, _ := strings.Cut(canonical(path), ".")
	return j.stdlib[top]
}

// canonical maps other spellings of a module to the one in the lists.
func canonical(path string) string {
	for _, p := range [...][2]string{{"__builtin__.", "builtins."}, {"__builtins__.", "builtins."}, {"os.path.os.", "os."}, {"exceptions.", "builtins."}} {
		if rest, ok := strings.CutPrefix(path, p[0]); ok {
			return p[1] + rest
		}
	}
	return path
}

func (j *Judge) builtin(name string) bool {
	e, ok := j.entries["builtins."+name]
	return ok && e.kind == "harmless"
}

// find returns the entry of the longest pattern that covers the name.
func (j *Judge) find(parts []string) (entry, bool) {
	path := strings.Join(parts, ".")
	if e, ok := j.entries[path]; ok {
		return e, true
	}
	for n := len(parts); n > 0; n-- {
		if e, ok := j.entries[strings.Join(parts[:n], ".")+".*"]; ok {
			return e, true
		}
		if n < len(parts) {
			// A method of a listed function or class.
			if e, ok := j.entries[strings.Join(parts[:n], ".")]; ok && e.kind != "harmless" {
				return e, true
			}
		}
	}
	return entry{}, false
}

// detour finds a way around the first module: through a module that another
// one imports, or through the interpreter's own attributes.
func (j *Judge) detour(parts []string) (Judgement, bool) {
	for i, p := range parts {
		switch p {
		case "__getattribute__", "__getattr__":
			return Judgement{Risky, "looks up attributes by name"}, true
		case "__import__", "__builtins__", "__builtin__", "__globals__", "__subclasses__", "__reduce__",
			"__reduce_ex__", "__code__", "__class__", "__base__", "__bases__", "__mro__", "__dict__", "__loader__", "__spec__",
			"__closure__", "__func__", "__self__", "__wrapped__", "__setattr__", "func_globals", "f_globals", "gi_frame":
			return Judgement{Dangerous, "reaches into the interpreter through " + p}, true
		}
		if i == 0 || !core(p) {
			continue
		}
		rest := append([]string{strings.TrimLeft(p, "_")}, parts[i+1:]...)
		if e, ok := j.find(rest); ok && e.kind == "harmless" && len(rest) > 1 {
			continue
		}
		return Judgement{Dangerous, "reaches the module " + p + " by way of another one"}, true
	}
	return Judgement{}, false
}

// core reports modules that no other module has a reason to hand out.
func core(name string) bool {
	switch strings.TrimLeft(name, "_") {
	case "os", "posix", "nt", "sys", "subprocess", "builtins", "importlib", "ctypes", "pty", "runpy", "shutil", "marshal",
		"pickle", "cPickle", "cloudpickle", "commands", "imp", "posixsubprocess", "pkgutil", "webbrowser", "pdb", "popen2":
		return true
	}
	return false
}

// member judges a name of a library that is described by its classes.
func (j *Judge) member(parts []string) Judgement {
	last := parts[len(parts)-1]
	if executes(last) {
		return Judgement{Risky, "is called like something that executes"}
	}
	return Judgement{Level: Harmless}
}

func verdict(e entry) Judgement {
	switch e.kind {
	case "danger":
		return Judgement{Dangerous, e.why}
	case "risky":
		return Judgement{Risky, e.why}
	case "harmless", "lib":
		return Judgement{Level: Harmless}
	}
	return Judgement{Custom, e.why}
}

// executes reports whether a word of a function's name says that it runs
// something. Classes are called after what they are, not what they do.
func executes(name string) bool {
	switch strings.TrimLeft(name, "_") {
	case "Popen", "LoadLibrary", "CDLL":
		return true
	}
	if name != "" && name[0] >= 'A' && name[0] <= 'Z' {
		return false
	}
	switch strings.TrimLeft(name, "_") {
	case "safe_eval", "literal_eval", "py_eval", "python_eval":
		return true
	}
	for w := range strings.SplitSeq(name, "_") {
		switch w {
		case "eval":
			// eval_function evaluates, pesq_eval is an evaluation.
			if strings.HasPrefix(strings.TrimLeft(name, "_"), "eval") {
				return true
			}
		case "exec", "execute", "execfile", "system", "popen", "subprocess", "shell", "spawn", "pickle", "unpickle", "marshal",
			"compile", "getattr", "setattr", "delattr", "globals", "locals", "vars", "import", "cmd", "command", "rmtree", "urlopen",
			"urlretrieve", "dlopen", "execv", "execve", "execvp", "fork", "runcode", "runpy", "getoutput":
			return true
		}
	}
	return false
}
