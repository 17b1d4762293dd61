package program

import (
	"path"
	"strings"

	"modelwall/scan"
	"modelwall/scan/python/syntax"
	"modelwall/scan/script/shell"
)

// sinkCall calls something that executes what it is given.
func (m *machine) sinkCall(kind, name string, args []arg, off int64) *value {
	v := positional(args, 0, "args", "cmd", "command", "source", "code", "stmt", "path", "file", "input_string")
	if v == nil {
		return of(0, 0)
	}
	switch kind {
	case sinkFile:
		switch name {
		case "imp.load_source", "imp.load_compiled", "importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader", "importlib.machinery.SourcelessFileLoader", "importlib.machinery.ExtensionFileLoader":
			if v = positional(args, 1, "path", "location", "pathname"); v == nil {
				return of(0, 0)
			}
		}
	case sinkSpawn:
		args = args[min(len(args), 1):]
		fallthrough
	case sinkArgs:
		v = words(args)
	}
	m.sink(kind, name, v, args, off)
	t, p := gather(args)
	switch kind {
	case sinkEval:
		return m.evaluated(v)
	case sinkShell, sinkProc, sinkArgs, sinkSpawn:
		return &value{kind: inst, text: "subprocess.Popen", taint: program | t&^(fromFile|literal|dropped|net), params: p}
	case sinkPickle:
		return of(t, p)
	case sinkLoad:
		return &value{kind: inst, text: "ctypes.CDLL", params: p}
	}
	return of(0, 0)
}

// words makes the command of exec(path, word, word…) and exec(path, [words]).
func words(args []arg) *value {
	v := &value{kind: seq}
	for i, a := range args {
		if a.kw != "" {
			continue
		}
		if i == 1 && a.v.kind == seq {
			if len(a.v.items) > 0 {
				v.items = append(v.items, a.v.items[1:]...)
			}
			break
		}
		if i == 1 && len(args) > 1 { // the name the program is told
			continue
		}
		if a.v.kind == mapping {
			continue
		}
		v.items = append(v.items, a.v)
	}
	return v
}

// evaluated is the value of eval(text).
func (m *machine) evaluated(v *value) *value {
	if v.known() && len(v.text) < 4096 && m.fields < 3 {
		if n, ok := syntax.ParseExpr(v.text, func(*syntax.Node) {}); ok {
			m.fields++
			r := m.eval(n)
			m.fields--
			return r
		}
	}
	return of(v.taint&^compiled, v.params)
}

// depends notes that parameters of the function at hand end in a sink.
func (m *machine) depends(kind string, params uint64, part bool, off int64) {
	f := m.fn()
	if f == m.module || params == 0 || len(f.sinks) >= 64 {
		return
	}
	for i := range min(len(f.params), 63) {
		if params&(1<<i) == 0 {
			continue
		}
		use := sinkUse{i, kind, off, part}
		for _, s := range f.sinks {
			if s.param == i && s.sink == kind {
				use.param = -1
			}
		}
		if use.param >= 0 {
			f.sinks = append(f.sinks, use)
		}
	}
}

// sink judges what is executed.
func (m *machine) sink(kind, name string, v *value, args []arg, off int64) {
	t, p := v.all()
	part := false
	switch kind {
	case sinkShell, sinkProc, sinkArgs, sinkSpawn:
		// Only a command as a whole can be judged where it comes from.
		p, part = 0, false
		v.each(func(v *value) {
			if v.kind == seq && len(v.items) > 0 {
				v = v.items[0]
			}
			if v.kind == unknown || v.kind == str && strings.HasPrefix(v.text, hole) {
				p |= v.params
				part = part || v.kind == str && v.text != hole
			}
		})
	}
	m.depends(kind, p, part, off)
	v.each(func(v *value) {
		switch kind {
		case sinkCode, sinkEval:
			m.code(kind, name, v, off)
		case sinkShell, sinkProc, sinkArgs, sinkSpawn:
			m.process(name, v, args, off)
		case sinkLoad, sinkFile, sinkStart:
			m.loaded(kind, name, v, off)
		case sinkPickle:
			if v.known() && len(v.text) > 8 && (t&(decoded|built) != 0 || v.kind == bytesKind) {
				m.member("pickled data", v.text)
			}
			if t&net != 0 && name != "numpy.load" {
				m.report("unpickle", scan.SeveritySuspicious, scan.Low, "code-execution", name+" of what comes over the network", off)
			}
		}
	})
}

// code judges Python text that is executed.
func (m *machine) code(kind, name string, v *value, off int64) {
	t, _ := v.all()
	exec := "executes"
	if kind == sinkEval {
		exec = "evaluates"
	}
	short := strings.TrimPrefix(name, "builtins.")
	hidden := func(hot, cold scan.Severity, what string) {
		m.report("payload", hot, cold, "obfuscation", short+" "+exec+" "+what, off)
	}
	const bad, odd, low = scan.SeverityMalicious, scan.SeveritySuspicious, scan.Low
	switch {
	case v.known():
		if t&(decoded|built) != 0 && len(v.text) > 3 {
			hidden(bad, bad, "a text that is hidden in the file: "+scan.Quote(v.text, 120))
		}
		if t&net != 0 {
			hidden(bad, odd, "what comes over the network")
		}
		if kind == sinkCode {
			m.run("a text it executes", v.text, off)
			m.report("exec", low, low, "code-execution", short+" "+exec+" a text", off)
		}
	case t&dropped != 0:
		hidden(bad, odd, "what it downloaded before")
	case t&net != 0:
		cold := odd
		if url := urlOf([]arg{{v: v}}); kind == sinkCode && url != "" && !strings.HasPrefix(url, hole) && shell.Judge(url) < shell.Open {
			cold = bad
		}
		hidden(bad, cold, "what comes over the network")
	case t&decoded != 0 && t&literal != 0:
		hidden(bad, bad, "a text that is hidden in the file")
	case t&decoded != 0 && t&fromFile != 0:
		hidden(bad, odd, "a text that is hidden in another file")
	case t&decoded != 0:
		hidden(odd, low, "a text that it decodes")
	case t&built != 0 && t&literal != 0:
		hidden(bad, low, "a text that is put together from numbers")
	case t&built != 0:
		hidden(odd, low, "a text that is put together")
	case t&fromFile != 0 && t&dataFile != 0 && t&sourceFile == 0:
		hidden(odd, low, "the content of a file that is no source code")
	case t&fromHub != 0 && kind == sinkCode:
		hidden(odd, low, "the content of a file of another repository")
	case t&program != 0 && kind == sinkCode:
		hidden(odd, low, "the output of another program")
	default:
		m.report("exec", low, low, "code-execution", short+" "+exec+" a computed text", off)
	}
}

// loaded judges a library or program file that is loaded.
func (m *machine) loaded(kind, name string, v *value, off int64) {
	t, _ := v.all()
	url, isFile := "", false
	if v.known() {
		url, isFile = m.files[v.text], m.files[v.text] != ""
	}
	switch {
	case t&(dropped|net) != 0 || isFile:
		m.report("download_exec", scan.SeverityMalicious, m.cold(url), "network", name+" runs what it downloads", off)
	case t&decoded != 0 && t&literal != 0 && kind != sinkStart:
		m.report("payload", scan.SeverityMalicious, scan.SeverityMalicious, "obfuscation", name+" loads what is hidden in the file", off)
	case kind == sinkStart && name == "os.startfile":
		m.report("process", scan.SeveritySuspicious, scan.Low, "code-execution", "opens a file with what the system has for it", off)
	case kind == sinkFile && t&fromHub != 0:
		m.report("exec", scan.SeveritySuspicious, scan.Low, "code-execution", name+" executes a file of another repository", off)
	case kind == sinkFile && v.known() && fileTaint(v)&dataFile != 0 && path.Ext(v.text) != "" && path.Ext(v.text) != ".so" && path.Ext(v.text) != ".pyc" && path.Ext(v.text) != ".pyd":
		m.report("exec", scan.SeveritySuspicious, scan.Low, "code-execution", name+" executes "+scan.Quote(v.text, 80), off)
	case kind == sinkLoad:
		m.report("native", scan.Low, scan.Info, "code-execution", name+" loads a library", off)
	default:
		m.report("exec", scan.Low, scan.Info, "code-execution", name+" executes a file", off)
	}
}
