package pickle

import "strings"

// judge says what importing module and name means, whichever loader does it:
// as spelled, under the name that Python 3 gives to Python 2's, and along the
// attributes of a dotted name.
func (l *library) judge(module, name string) entry {
	// Loaders that read in text mode drop the carriage return.
	module, name = strings.TrimSuffix(module, "\r"), strings.TrimSuffix(name, "\r")
	e := l.resolve(module, name)
	if to, ok := l.renamed[symbol{module, name}]; ok {
		return worse(l.resolve(to.module, to.name), e)
	}
	if to, ok := l.modules[module]; ok {
		return worse(l.resolve(to, name), e)
	}
	return e
}

// worse returns the renamed reading unless the spelled one is dangerous.
func worse(renamed, spelled entry) entry {
	if spelled.use == useDanger || spelled.use == useSuspect && renamed.use != useDanger {
		return spelled
	}
	return renamed
}

func (l *library) resolve(module, name string) entry {
	if e, ok := l.exact[symbol{module, name}]; ok {
		return e
	}
	if e, ok := l.attribute(module, name); ok {
		return e
	}
	if e, ok := l.alias(module, name); ok {
		return e
	}
	class, _, dotted := strings.Cut(name, ".")
	e := l.find(module, name)
	if (e.use == useDanger || e.use == useSuspect) && !(dotted && l.class(module, class)) {
		return e
	}
	if executes(name) {
		return entry{useSuspect, "its name says that it executes code or commands"}
	}
	if dotted {
		return entry{useSuspect, "an attribute of an attribute, which is not on the list"}
	}
	return e
}

// attribute judges the attributes of classes that protocols below 4 spell by
// getattr: members of enumerations and other constants, and the __new__ of a
// class that may be made.
func (l *library) attribute(module, name string) (entry, bool) {
	class, attr, ok := strings.Cut(name, ".")
	if !ok || strings.Contains(attr, ".") {
		return entry{}, false
	}
	of := l.find(module, class)
	switch {
	case constant(attr) && of.use.allowed() && (capWords(class) || l.exact[symbol{module, class}].use.makes()):
		return entry{useValue, "a constant of a class"}, true
	case constant(attr) && (of.use == useLib || of.use == useUnknown) && capWords(class):
		return of, true
	case attr == "__new__" && (of.use.makes() || of.use.empty() || module == "builtins" && class == "object"):
		return entry{useNew, "makes an instance"}, true
	}
	return entry{}, false
}

// core are the modules that no other module should hand out under a name of
// its own.
func core(name string) bool {
	switch strings.TrimLeft(name, "_") {
	case "os", "posix", "nt", "sys", "subprocess", "builtins", "importlib", "ctypes", "socket", "pty",
		"runpy", "shutil", "marshal", "pickle", "cPickle", "commands", "posixsubprocess", "imp",
		"multiprocessing", "popen2", "pdb", "frozen_importlib", "frozen_importlib_external", "winapi",
		"pkgutil", "tempfile", "urllib", "requests", "io", "thread", "threading", "inspect", "gc", "code":
		return true
	}
	return false
}

// alias finds dangerous modules and dunder attributes along a dotted name:
// "random _os.system" is os.system, "numpy __builtins__" is eval and the rest.
func (l *library) alias(module, name string) (entry, bool) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if len(p) > 4 && strings.HasPrefix(p, "__") && strings.HasSuffix(p, "__") {
			return entry{useDanger, "reaches into the interpreter through " + p}, true
		}
		switch p {
		case "func_globals", "f_globals", "f_locals", "f_builtins", "gi_frame", "cr_frame", "tb_frame", "func_code":
			return entry{useDanger, "reaches into the interpreter through " + p}, true
		}
		bare := strings.TrimLeft(p, "_")
		if core(p) && (i > 0 || !capWords(p)) {
			if i+1 == len(parts) {
				return entry{useDanger, "hands out the module " + bare}, true
			}
			rest := strings.Join(parts[i+1:], ".")
			if e := l.find(bare, rest); e.use == useDanger {
				return entry{useDanger, "is " + bare + "." + rest + " by another way"}, true
			}
			return entry{useDanger, "reaches into the module " + bare}, true
		}
		if i+1 < len(parts) && !l.class(module, parts[0]) {
			// The attribute may be a module: judge it as one, by its own name
			// and below the module that has it.
			for _, m := range []string{bare, module + "." + strings.Join(parts[:i+1], ".")} {
				rest := strings.Join(parts[i+1:], ".")
				if e := l.find(m, rest); e.use == useDanger {
					return entry{useDanger, "is " + m + "." + rest + " by another way"}, true
				}
			}
		}
	}
	if len(parts) > 1 {
		// A method of a dangerous class.
		if e := l.find(module, parts[0]); e.use == useDanger || e.use == useSuspect {
			return e, true
		}
	}
	return entry{}, false
}

// class reports whether a line of its own says that the name is a class.
func (l *library) class(module, name string) bool {
	u := l.exact[symbol{module, name}].use
	return capWords(name) && (u.makes() || u.empty())
}

// executes reports whether the last part of a name is one that only
// functions which execute something have.
func executes(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch strings.TrimLeft(last, "_") {
	case "system", "popen", "popen2", "popen3", "popen4", "Popen", "eval", "exec", "execfile", "execv",
		"execve", "execvp", "execvpe", "execl", "execle", "execlp", "execlpe", "spawn", "spawnv",
		"spawnve", "spawnvp", "spawnvpe", "spawnl", "spawnle", "spawnlp", "posix_spawn", "fork_exec",
		"getoutput", "getstatusoutput", "check_output", "check_call", "import_module", "import_",
		"import__", "runcode", "runsource", "runstring", "run_string", "run_code", "run_module", "run_path",
		"run_module_code", "run_command", "runcommand", "run_cmd", "runcmd", "shell_exec", "exec_module", "load_module",
		"load_source", "load_dynamic", "load_library", "load_compiled", "create_subprocess_exec",
		"create_subprocess_shell", "startfile", "fork", "forkpty", "execute", "exec_command", "subimport",
		"compile", "compile_command", "safe_eval", "literal_exec", "os_system", "shell", "urlopen",
		"urlretrieve", "download_url_to_file", "rmtree", "exec_script", "exec_code", "dlopen", "LoadLibrary":
		return true
	}
	return false
}

// identifier reports whether text can be a module or qualified name that some
// Python really has.
func identifier(text string) bool {
	if text == "" || len(text) > 512 {
		return false
	}
	start := true
	for _, c := range text {
		switch {
		case c == '.':
			if start {
				return false
			}
			start = true
			continue
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		case c >= '0' && c <= '9':
			if start {
				return false
			}
		case c >= 0x80 && c != '\ufffd':
		default:
			return false
		}
		start = false
	}
	return !start
}
