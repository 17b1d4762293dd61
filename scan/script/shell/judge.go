package shell

import (
	"path"
	"slices"
	"strings"

	"modelwall/scan"
)

// judge is the state of one Read.
type judge struct {
	report  *Report
	vars    map[string]string
	nested  int
	fetched map[string]string // file to the URL it came from
	wired   bool              // a descriptor was opened to the network
	base    int64
}

func (j *judge) fact(what string, sev scan.Severity, technique, message string) {
	f := Fact{what, sev, technique, message, j.base}
	if len(j.report.Facts) < 100 && !slices.Contains(j.report.Facts, f) {
		j.report.Facts = append(j.report.Facts, f)
	}
}

// text judges a text and tells what its last command writes.
func (j *judge) text(text string, off int64, depth int) flow {
	if j.nested++; j.nested > maxNested || depth > maxDepth {
		j.fact("nested", scan.SeveritySuspicious, "obfuscation", "commands inside commands, too many to follow")
		return flow{}
	}
	l := lexer{s: text, vars: j.vars, space: 1 << 20}
	var pipe []command
	var out flow
	base := j.base
	defer func() { j.base = base }()
	for {
		c, sep, more := l.next()
		if len(c.words)+len(c.assigns)+len(c.redirs) > 0 || c.here != nil {
			pipe = append(pipe, c)
		}
		if sep != sepPipe && len(pipe) > 0 {
			if depth == 0 {
				j.base = off + int64(max(0, pipe[0].off))
			}
			out = j.pipeline(pipe, depth)
			pipe = pipe[:0]
		}
		if !more && sep == sepEnd || j.report.Commands > maxCommands {
			return out
		}
	}
}

// pipeline judges commands that are joined by pipes.
func (j *judge) pipeline(cmds []command, depth int) flow {
	var in flow
	shellStep, netStep := false, false
	for i := range cmds {
		j.report.Commands++
		c := &cmds[i]
		args := j.substitutions(c, depth)
		for _, a := range c.assigns {
			if !a.value.dyn && len(j.vars) < maxVars && len(a.value.text) < 4096 {
				j.vars[a.name] = a.value.text
			} else {
				delete(j.vars, a.name)
			}
		}
		if c.here != nil {
			in = flow{kind: known, text: *c.here}
		}
		s := resolve(c.words)
		s.flows = args
		s.redirs = c.redirs
		shellStep = shellStep || isShell(s.name) && s.onlyFlags()
		netStep = netStep || isWire(s)
		j.redirections(&s, in)
		in = j.step(&s, in, depth)
	}
	if shellStep && netStep && len(cmds) > 1 {
		j.fact("reverse_shell", scan.SeverityMalicious, "network", "wires a shell to the network")
	}
	return in
}

// step is a command without what stands in front of it.
type step struct {
	name   string // base name of the program, in lower case
	path   string // as it is written
	args   []word
	flows  flow // of the substitutions in the arguments
	redirs []redir
	xargs  bool // the arguments come from the pipe
	eval   bool
}

// substitutions judges what $(…) and <(…) in a command contain.
func (j *judge) substitutions(c *command, depth int) flow {
	var out flow
	look := func(w word) {
		for _, sub := range w.subs {
			out = worse(out, j.text(sub, 0, depth+1))
		}
	}
	for _, a := range c.assigns {
		look(a.value)
	}
	for _, r := range c.redirs {
		look(r.target)
	}
	for _, w := range c.words {
		look(w)
	}
	return out
}

// resolve finds the program behind reserved words and commands that run
// another one.
func resolve(words []word) step {
	var s step
	for len(words) > 0 {
		w := words[0]
		name := strings.ToLower(base(w.text))
		switch name {
		case "", "if", "then", "elif", "else", "while", "until", "do", "done", "fi", "esac", "{", "}", "!", "time", "function",
			"command", "builtin", "nohup", "setsid", "unbuffer", "sudo", "doas", "exec", "env", "nice", "ionice", "stdbuf", "timeout", "busybox", "chroot", "xargs", "eval", "start", "call", "parallel":
			if w.dyn && name == "" {
				break
			}
			s.xargs = s.xargs || name == "xargs" || name == "parallel"
			s.eval = s.eval || name == "eval"
			rest := words[1:]
			if name == "exec" && len(rest) == 0 || name == "env" && len(rest) == 0 {
				s.name, s.path = name, w.text
				return s
			}
			words = skipOptions(name, rest)
			continue
		case "for", "select", "case", "in":
			s.name = name
			return s
		case "cmd", "cmd.exe":
			if len(words) > 2 && (strings.EqualFold(words[1].text, "/c") || strings.EqualFold(words[1].text, "/k")) {
				words = words[2:]
				continue
			}
		}
		s.name, s.path, s.args = strings.TrimSuffix(name, ".exe"), w.text, words[1:]
		if m := globbed(w); m != "" {
			s.name = m
		}
		return s
	}
	return s
}

// skipOptions drops the options of a command that runs another one.
func skipOptions(name string, words []word) []word {
	for len(words) > 0 {
		t := words[0].text
		switch {
		case name == "env" && strings.Contains(t, "=") && isName(t[:strings.IndexByte(t, '=')]):
		case (name == "sudo" || name == "doas") && (t == "-u" || t == "-g") && len(words) > 1,
			name == "xargs" && (t == "-I" || t == "-n" || t == "-P" || t == "-L" || t == "-d") && len(words) > 1,
			(name == "nice" || name == "ionice" || name == "exec") && (t == "-n" || t == "-a" || t == "-c") && len(words) > 1:
			words = words[1:]
		case len(t) > 1 && t[0] == '-':
		case name == "timeout" && t != "" && t[0] >= '0' && t[0] <= '9':
		default:
			return words
		}
		words = words[1:]
	}
	return words
}

func base(s string) string { return path.Base(strings.ReplaceAll(strings.TrimSpace(s), `\`, "/")) }

// globbed finds the interpreter that a pattern such as /b?n/ba* stands for.
func globbed(w word) string {
	if w.quoted || !strings.ContainsAny(w.text, "?*[") {
		return ""
	}
	for _, p := range [...]string{"/bin/sh", "/bin/bash", "/bin/nc", "/usr/bin/curl", "/usr/bin/wget", "/usr/bin/python3", "/usr/bin/python", "/usr/bin/perl", "/usr/bin/base64", "/bin/cat", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/nc"} {
		if ok, err := path.Match(w.text, p); err == nil && ok {
			return path.Base(p)
		}
	}
	return ""
}

func isShell(name string) bool {
	switch name {
	case "sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "csh", "tcsh", "mksh", "rbash":
		return true
	}
	return false
}

// isInterpreter reports programs that run a program they are given.
func isInterpreter(name string) bool {
	if isShell(name) {
		return true
	}
	switch name {
	case "source", ".", "node", "nodejs", "php", "ruby", "perl", "lua", "osascript", "pwsh", "powershell", "iex":
		return true
	}
	return isPython(name)
}

func isPython(name string) bool {
	rest, ok := strings.CutPrefix(name, "python")
	return ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9' || rest == "w") || name == "pypy" || name == "pypy3"
}

// onlyFlags reports that no argument names a script.
func (s *step) onlyFlags() bool {
	for _, a := range s.args {
		if a.text != "" && a.text[0] != '-' && !a.proc {
			return false
		}
	}
	return true
}

// flag reports an option, also among joined letters for a single-letter one.
func (s *step) flag(names ...string) bool {
	for _, a := range s.args {
		for _, n := range names {
			if a.text == n || len(n) > 2 && strings.HasPrefix(a.text, n+"=") {
				return true
			}
			if len(n) == 2 && len(a.text) > 2 && a.text[0] == '-' && a.text[1] != '-' && strings.IndexByte(a.text[1:], n[1]) >= 0 {
				return true
			}
		}
	}
	return false
}

// value returns the argument of an option.
func (s *step) value(names ...string) (string, bool) {
	for i, a := range s.args {
		for _, n := range names {
			switch {
			case a.text == n && i+1 < len(s.args):
				return s.args[i+1].text, true
			case len(n) > 2 && strings.HasPrefix(a.text, n+"="):
				return a.text[len(n)+1:], true
			case len(n) == 2 && strings.HasPrefix(a.text, n) && len(a.text) > 2:
				return a.text[2:], true
			case len(n) == 2 && len(a.text) > 2 && a.text[0] == '-' && a.text[1] != '-' && strings.HasSuffix(a.text, n[1:]) && i+1 < len(s.args):
				return s.args[i+1].text, true
			}
		}
	}
	return "", false
}
