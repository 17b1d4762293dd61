package program

import (
	"slices"
	"strings"
)

// method calls a method of an object.
func (m *machine) method(v *value, args []arg, off int64) *value {
	obj, name := v.recv, v.text
	t, p := gather(args)
	switch obj.kind {
	case str, bytesKind:
		return m.textMethod(obj, name, args, off)
	case inst:
		if obj.cls != nil {
			if f := m.find(obj.cls, name); f != nil {
				return m.invoke(f, append([]arg{{v: obj}}, args...), off)
			}
			for _, b := range obj.cls.bases {
				if b.kind == ref && (b.text == "code.InteractiveInterpreter" || b.text == "code.InteractiveConsole") && strings.HasPrefix(name, "run") {
					return m.sinkCall(sinkCode, b.text, args, off)
				}
			}
		} else if out, ok := m.objectMethod(obj, name, args, off); ok {
			return out
		}
	case mapping:
		if (name == "get" || name == "pop" || name == "__getitem__" || name == "setdefault") && len(args) > 0 {
			return m.index(obj, args[0].v)
		}
	case seq:
		switch name {
		case "append", "add":
			if len(args) == 1 && len(obj.items) < maxItems {
				obj.items = append(obj.items, args[0].v)
			}
			return &value{kind: none}
		case "extend":
			if len(args) == 1 && args[0].v.kind == seq && len(obj.items)+len(args[0].v.items) < maxItems && m.spend(len(args[0].v.items)*8) {
				obj.items = append(obj.items, args[0].v.items...)
			} else {
				obj.taint |= t
			}
			return &value{kind: none}
		case "reverse":
			obj.items = slices.Clone(obj.items)
			slices.Reverse(obj.items)
			obj.taint |= built
			return &value{kind: none}
		case "insert":
			obj.items = append(slices.Clip(obj.items), of(t, p))
			return &value{kind: none}
		}
	}
	switch name {
	case "decrypt", "decompress", "unhexlify", "b64decode", "a2b_base64":
		return of(t|v.taint|decoded, p|v.params)
	case "__subclasses__", "__getattribute__":
		m.dunder(name)
		if name == "__getattribute__" && len(args) > 0 && args[0].v.known() {
			m.dunder(args[0].v.text)
			return m.named(obj, args[0].v)
		}
	case "load_module", "find_module":
		if len(args) > 0 && args[0].v.known() && (obj.kind == unknown || obj.kind == method) {
			return m.importByName(args[0].v, false)
		}
	case "get_data", "exec_module", "extractall", "connect", "start", "run", "submit", "apply_async", "map", "then", "add_done_callback", "call_soon", "call_later", "run_in_executor":
		m.callbacks(args, off)
	case "run_cell_magic", "system", "getoutput", "run_line_magic":
		if obj.kind == inst && strings.HasSuffix(obj.text, "get_ipython") || obj.kind == unknown && obj.taint == 0 && obj.params == 0 && name != "system" && name != "run_line_magic" {
			if c := args; len(c) > 0 && name != "run_line_magic" {
				return m.sinkCall(sinkShell, "the notebook's shell", c[len(c)-1:], off)
			}
		}
	}
	m.nativeUse(name, off)
	m.callbacks(args, off)
	return of(t|v.taint, p|v.params)
}

// objectMethod calls methods of files, connections and the like.
func (m *machine) objectMethod(obj *value, name string, args []arg, off int64) (*value, bool) {
	t, p := gather(args)
	switch obj.text {
	case "file":
		path := obj.items[0]
		switch name {
		case "read", "readlines", "readline", "readall":
			return of(obj.taint|fileTaint(path), obj.params), true
		case "write", "writelines":
			if t&net != 0 {
				m.saved(path, urlOf(args))
			}
			return of(0, 0), true
		case "name":
			return path, true
		}
	case "socket":
		switch name {
		case "connect", "connect_ex":
			m.fn().sockets = true
			m.network("socket.connect", args, off)
			return of(0, 0), true
		case "bind", "listen":
			return of(0, 0), true
		case "accept":
			m.fn().sockets = true
			return &value{kind: seq, items: []*value{{kind: inst, text: "socket", taint: wire}, of(0, 0)}}, true
		case "recv", "recvfrom", "recv_into", "makefile", "fileno":
			return of(net|wire, 0), true
		case "send", "sendall", "sendto", "sendmsg":
			m.network("socket.send", append([]arg{{kw: "socket", v: of(0, 0)}}, args...), off)
			return of(0, 0), true
		}
	case "requests.Session", "requests.session", "httpx.Client", "httpx.AsyncClient", "aiohttp.ClientSession", "urllib3.PoolManager", "urllib.request.build_opener", "urllib2.build_opener", "cloudscraper.create_scraper", "http.client.HTTPSConnection", "http.client.HTTPConnection", "httplib.HTTPSConnection", "httplib.HTTPConnection", "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "telegram.Bot", "discord_webhook.DiscordWebhook":
		switch name {
		case "get", "post", "put", "patch", "delete", "request", "open", "urlopen", "ws_connect", "sendmail", "send_message", "storbinary", "storlines", "urlretrieve", "send_document":
			if name == "request" && len(args) > 0 && args[0].kw == "" {
				args = args[1:]
			}
			if len(obj.items) > 0 && strings.Contains(obj.text, "HTTP") {
				args = append([]arg{{v: obj.items[0]}}, args...)
			}
			return m.network(obj.text+"."+name, args, off), true
		case "getresponse":
			return of(net, 0), true
		}
	case "get_ipython", "IPython.get_ipython", "IPython.core.getipython.get_ipython":
		switch name {
		case "system", "getoutput":
			return m.sinkCall(sinkShell, "the notebook's shell", args, off), true
		case "run_cell_magic":
			if len(args) > 2 && args[0].v.known() && (args[0].v.text == "bash" || args[0].v.text == "sh" || args[0].v.text == "script") {
				return m.sinkCall(sinkShell, "the notebook's shell", args[2:], off), true
			}
		}
	case "response":
		switch name {
		case "read", "decode", "json", "iter_content", "iter_lines", "readlines", "getvalue", "raise_for_status", "text", "content":
			return &value{kind: inst, text: "response", taint: obj.taint, items: obj.items}, true
		}
	case "ctypes.CDLL":
		switch name {
		case "system", "popen", "WinExec":
			return m.sinkCall(sinkShell, "libc."+name, args, off), true
		case "execl", "execlp", "execv", "execvp", "execve":
			return m.sinkCall(sinkArgs, "libc."+name, args, off), true
		}
	case "cipher":
		if name == "decrypt" {
			return of(t|obj.taint|decoded, p|obj.params), true
		}
	case "globals":
		if (name == "get" || name == "__getitem__") && len(args) > 0 && args[0].v.known() {
			return m.lookup(args[0].v.text), true
		}
	}
	full := canonical(obj.text + "." + name)
	if k, ok := sinks(full); ok {
		return m.sinkCall(k, full, args, off), true
	}
	if how := decoder(full); how != "" {
		return m.decode(how, full, args), true
	}
	switch name {
	case "compile", "format", "update":
		return of(t|obj.taint, p|obj.params), true
	}
	return nil, false
}

func urlOf(args []arg) string {
	url := ""
	for _, a := range args {
		a.v.each(func(v *value) {
			for range maxApply {
				if v.recv == nil {
					break
				}
				v = v.recv
			}
			for _, i := range v.items {
				if i != nil && i.kind == str && strings.Contains(i.text, "://") {
					url = i.text
				}
			}
		})
	}
	return url
}

// textMethod calls a method of a text.
func (m *machine) textMethod(obj *value, name string, args []arg, off int64) *value {
	t, p := gather(args)
	t, p = t|obj.taint, p|obj.params
	out := &value{kind: obj.kind, holes: obj.holes, taint: t, params: p}
	a := first(args)
	fold := func(s string) *value {
		out.text = m.cut(out, s)
		return out
	}
	if !m.spend(len(obj.text)) {
		return of(t, p)
	}
	switch name {
	case "decode", "encode":
		if a.known() {
			if how := codec(a.text); how != "" {
				return m.decodeText(how, obj, t, p)
			}
		}
		if name == "decode" {
			out.kind = str
		} else {
			out.kind = bytesKind
		}
		out.text = obj.text
		return out
	case "join":
		return m.join(obj, a, t, p)
	case "replace":
		if len(args) >= 2 && args[0].v.known() && args[1].v.known() {
			n := strings.Count(obj.text, args[0].v.text)
			if len(obj.text)+n*len(args[1].v.text) <= maxText {
				if n > 2 {
					out.taint |= built & builtIf(len(obj.text) < 200 && n*len(args[0].v.text)*3 > len(obj.text))
				}
				return fold(strings.ReplaceAll(obj.text, args[0].v.text, args[1].v.text))
			}
		}
		out.holes = true
		return fold(obj.text)
	case "strip", "lstrip", "rstrip":
		cut := " \t\r\n\f\v"
		if a.known() && len(args) > 0 {
			cut = a.text
		}
		switch name {
		case "strip":
			return fold(strings.Trim(obj.text, cut))
		case "lstrip":
			return fold(strings.TrimLeft(obj.text, cut))
		}
		return fold(strings.TrimRight(obj.text, cut))
	case "lower", "casefold":
		return fold(strings.ToLower(obj.text))
	case "upper":
		return fold(strings.ToUpper(obj.text))
	case "swapcase", "translate", "maketrans":
		return of(t|built, p)
	case "split", "splitlines", "rsplit", "partition":
		if obj.holes || len(obj.text) > 64<<10 {
			return &value{kind: seq, items: []*value{of(t, p)}, taint: t, params: p}
		}
		var parts []string
		switch {
		case name == "splitlines":
			parts = strings.Split(obj.text, "\n")
		case a.known() && len(args) > 0 && a.text != "":
			parts = strings.Split(obj.text, a.text)
		default:
			parts = strings.Fields(obj.text)
		}
		v := &value{kind: seq}
		for _, s := range parts {
			v.items = append(v.items, &value{kind: obj.kind, text: s, taint: t, params: p})
		}
		return v
	case "format", "format_map":
		return m.formatted(obj, args, t, p)
	case "fromhex":
		return m.decodeText("hex", a, t, p)
	case "rglob", "glob", "iterdir":
		return listed(obj, t, p)
	case "rmdir", "unlink":
		m.removes(obj, off)
		return of(0, 0)
	case "read_text", "read_bytes":
		return of(fileTaint(obj), p)
	case "write_text", "write_bytes":
		m.writes(obj, off)
		if t&net != 0 {
			m.saved(obj, urlOf(args))
		}
		return of(0, 0)
	case "open":
		return m.open(append([]arg{{v: obj}}, args...), off)
	case "expanduser", "resolve", "absolute", "as_posix", "joinpath", "with_suffix", "zfill", "ljust", "rjust", "expandtabs", "title", "capitalize", "removeprefix", "removesuffix", "tobytes", "read", "getvalue", "__str__", "hex":
		if name == "joinpath" {
			return m.path(append([]arg{{v: obj}}, args...), t, p)
		}
		if name == "hex" {
			return of(t, p)
		}
		return obj
	case "startswith", "endswith", "find", "index", "count", "isdigit", "exists", "is_file", "is_dir", "mkdir", "chmod":
		return of(0, 0)
	}
	m.callbacks(args, off)
	return of(t, p)
}

func builtIf(ok bool) taint {
	if ok {
		return built
	}
	return 0
}

// join is separator.join(items).
func (m *machine) join(sep, over *value, t taint, p uint64) *value {
	items, ok := m.iterate(over)
	if !ok {
		return &value{kind: sep.kind, text: hole, holes: true, taint: t, params: p}
	}
	out := &value{kind: sep.kind, holes: sep.holes, taint: t, params: p}
	var b strings.Builder
	for i, v := range items {
		if b.Len() > maxText {
			out.holes = true
			break
		}
		if i > 0 {
			b.WriteString(sep.text)
		}
		vt, vp := v.all()
		out.taint |= vt
		out.params |= vp
		if v.kind == str || v.kind == bytesKind {
			b.WriteString(v.text)
			out.holes = out.holes || v.holes
		} else {
			b.WriteString(hole)
			out.holes = true
		}
	}
	if b.Len() >= longLiteral && out.taint&built != 0 {
		out.taint |= literal
	}
	out.text = m.cut(out, b.String())
	return out
}

// formatted is format.format(args).
func (m *machine) formatted(format *value, args []arg, t taint, p uint64) *value {
	out := &value{kind: format.kind, taint: t, params: p, holes: format.holes}
	var b strings.Builder
	s, next := format.text, 0
	for b.Len() <= maxText {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == s[i] || s[i] == '}' {
			b.WriteByte(s[i])
			s = s[min(len(s), i+2):]
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		name, spec, _ := strings.Cut(s[i+1:i+end], ":")
		s = s[i+end+1:]
		var v *value
		switch {
		case name == "":
			v = positional(args, next)
			next++
		case name[0] >= '0' && name[0] <= '9' && len(name) == 1:
			v = positional(args, int(name[0]-'0'))
		default:
			v = positional(args, 1<<20, name)
		}
		switch {
		case v != nil && v.known():
			b.WriteString(v.text)
		case v != nil && v.kind == integer && spec == "c":
			b.WriteRune(rune(v.num))
			out.taint |= built
		default:
			b.WriteString(hole)
			out.holes = true
		}
	}
	out.text = m.cut(out, b.String())
	return out
}

// shellSpawned remembers that the function at hand starts a program.
func (m *machine) shellSpawned() { m.fn().spawns = true }
