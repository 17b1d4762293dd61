package jinja

import (
	"slices"
	"strings"
)

// grade says what reading an attribute opens.
type grade uint8

const (
	gradeNone  grade = iota
	gradeQuiet       // an internal that tells a name or a number
	gradeSoft        // an internal that no template needs
	gradeHard        // the way to classes, globals, frames or code
)

// gradeOf judges an attribute's name. Every name with two underscores on both
// sides is Python's own; which of them matter is decided here, not which are
// known to be abused.
func gradeOf(name string) grade {
	name = plainASCII(strings.TrimSpace(name))
	core, ok := strings.CutPrefix(name, "__")
	if ok {
		core, ok = strings.CutSuffix(core, "__")
	}
	switch {
	case ok && core != "" && strings.Trim(core, "_") != "":
		switch core {
		case "name", "qualname", "doc", "version", "author", "len", "str", "repr", "bool", "int", "hash", "annotations", "date", "title", "file", "path", "package", "module":
			return gradeQuiet
		case "globals", "builtins", "subclasses", "mro", "base", "bases", "import", "getattribute", "getattr",
			"code", "closure", "reduce", "reduce_ex", "loader", "spec", "func", "wrapped", "kwdefaults", "objclass",
			"init_subclass", "subclasshook", "class_getitem", "setattr", "delattr", "build_class", "traceback":
			return gradeHard
		}
		return gradeSoft
	case internalAttribute(name), mangled(name):
		return gradeHard
	}
	return gradeNone
}

// internalAttribute knows what jinja2/sandbox.py refuses besides underscores:
// the insides of functions, generators, coroutines, frames and tracebacks.
func internalAttribute(name string) bool {
	switch name {
	case "gi_frame", "gi_code", "gi_yieldfrom", "cr_frame", "cr_code", "ag_frame", "ag_code",
		"f_globals", "f_builtins", "f_locals", "f_back", "f_code", "tb_frame", "tb_next",
		"func_globals", "func_code", "func_closure", "func_dict", "im_func", "im_class", "im_self", "co_code", "co_consts":
		return true
	}
	return false
}

// mangled reports a private name of a class of Jinja's, _Class__name: the way
// from self to the environment.
func mangled(name string) bool {
	class, rest, ok := strings.Cut(strings.TrimPrefix(name, "_"), "__")
	return ok && strings.HasPrefix(name, "_") && len(class) > 0 && class[0] >= 'A' && class[0] <= 'Z' && rest != "" && !strings.HasSuffix(rest, "_")
}

// plainASCII maps the wide forms of ASCII and the other low lines to ASCII, as
// a reader that normalises names does.
func plainASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0xff01 && r <= 0xff5e:
			return r - 0xff01 + '!'
		case r == 0xfe33 || r == 0xfe34 || r >= 0xfe4d && r <= 0xfe4f:
			return '_'
		}
		return r
	}, s)
}

// gadget finds a name that opens something inside of a longer text, "" when
// there is none.
func gadget(s string) string {
	s = plainASCII(s)
	for at := strings.Index(s, "__"); at >= 0; {
		rest := strings.TrimLeft(s[at:], "_")
		end := strings.Index(rest, "__")
		if end < 0 {
			return ""
		}
		if name := "__" + rest[:end] + "__"; gradeOf(name) >= gradeSoft && isWord(rest[:end]) && knownInternal(rest[:end]) {
			return name
		}
		at = len(s) - len(rest) + end
		if next := strings.Index(s[at:], "__"); next >= 0 {
			at += next
		} else {
			return ""
		}
	}
	return ""
}

// pythonInternal lists the names between underscores that Python's objects
// have, apart from the quiet ones.
func pythonInternal(core string) bool {
	return knownInternal(core) || slices.Contains([]string{
		"delattr", "dir", "format", "getstate", "setstate", "setattr", "sizeof", "weakref", "defaults", "get", "set", "kwdefaults", "type_params",
		"abstractmethods", "flags", "instancecheck", "subclasscheck", "prepare", "text_signature", "path", "file", "package", "cached",
		"build_class", "setitem", "delitem", "contains", "iter", "next", "reversed", "missing", "index", "mul", "mod", "rmod", "radd",
		"and", "or", "xor", "del", "slots", "class_getitem", "main", "eq", "ne", "lt", "le", "gt", "ge", "concat", "traceback", "context", "cause",
	}, core)
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r|0x20 < 'a' || r|0x20 > 'z') })
}

// knownInternal lists the names between underscores that attacks are made of.
// It is asked only about names that are put together from pieces, where a
// template's own words may look alike.
func knownInternal(core string) bool {
	return slices.Contains([]string{
		"class", "init", "new", "globals", "builtins", "subclasses", "mro", "base", "bases", "import", "getattribute",
		"getattr", "getitem", "dict", "code", "closure", "reduce", "reduce_ex", "loader", "spec", "func", "self",
		"call", "enter", "exit", "add", "wrapped", "objclass", "init_subclass", "subclasshook",
	}, core)
}

// holed reports whether a name with parts that are not known can be one of
// Python's internals: ?class?, __cl?, ?globals__.
func holed(s string) bool {
	if !strings.ContainsRune(s, hole) {
		return false
	}
	s = plainASCII(strings.TrimSpace(s))
	core := strings.Trim(s, "_"+holeText)
	front, back := s[:strings.Index(s, core)], s[strings.Index(s, core)+len(core):]
	if core == "" {
		return strings.Contains(s, "_")
	}
	if front == "" || back == "" {
		return strings.HasPrefix(s, "__") && strings.HasSuffix(s, holeText) && isWord(core) ||
			strings.HasSuffix(s, "__") && strings.HasPrefix(s, holeText) && isWord(core)
	}
	return knownInternal(core) || strings.Contains(front, "__") && strings.Contains(back, holeText) || strings.Contains(back, "__") && strings.Contains(front, holeText)
}

// builtin functions of Python that a template's environment does not have
// unless somebody put them there.
func runsCode(name string) bool {
	switch name {
	case "eval", "exec", "execfile", "getattr", "globals", "locals", "import_module", "breakpoint":
		return true
	}
	return false
}

func takesText(name string) bool {
	switch name {
	case "open", "compile", "vars", "setattr", "delattr", "file":
		return true
	}
	return false
}

// jinjaGlobal knows what an environment gives every template. What comes out
// of these is as much the template's own making as its literals are.
func jinjaGlobal(name string) bool {
	switch name {
	case "range", "dict", "lipsum", "cycler", "joiner", "namespace", "gettext", "ngettext", "raise_exception", "strftime_now":
		return true
	}
	return false
}

// moduleCall says whether calling path, which begins with the name of a Python
// module, runs programs or code, or touches files and the network.
func moduleCall(path string) bool {
	module, rest, ok := strings.Cut(path, ".")
	if !ok {
		return false
	}
	switch module {
	case "subprocess", "importlib", "builtins", "pty", "ctypes", "marshal", "pickle", "runpy", "posix", "nt":
		return true
	case "os":
		first, _, _ := strings.Cut(rest, ".")
		for _, name := range []string{"system", "popen", "exec", "spawn", "posix_spawn", "fork", "kill", "remove", "unlink", "rmdir", "rename", "chmod", "open", "putenv", "environ", "getenv", "startfile", "dup2"} {
			if strings.HasPrefix(first, name) {
				return true
			}
		}
	case "sys":
		return strings.HasPrefix(rest, "modules")
	case "shutil", "socket":
		return true
	case "urllib", "requests":
		return strings.HasPrefix(rest, "request.") || rest == "get" || rest == "post"
	}
	return false
}

// readsAttribute lists the filters whose string arguments name attributes.
func readsAttribute(filter string) bool {
	switch filter {
	case "map", "select", "reject", "selectattr", "rejectattr", "groupby", "sort", "sum", "min", "max", "unique":
		return true
	}
	return false
}
