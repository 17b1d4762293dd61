package program

import (
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/script/shell"
)

// library calls functions of the standard library that matter for the flow of
// values; ok is false for others.
func (m *machine) library(name string, args []arg, off int64) (*value, bool) {
	t, p := gather(args)
	a := first(args)
	switch name {
	case "importlib.import_module", "importlib.__import__", "importlib.util.find_spec", "imp.find_module", "zope.dottedname.resolve.resolve":
		return m.importByName(a, false), true
	case "pkgutil.resolve_name", "pydoc.locate", "django.utils.module_loading.import_string", "werkzeug.utils.import_string":
		v := m.importByName(a, false)
		if v.kind == ref {
			v.text = canonical(strings.ReplaceAll(v.text, ":", "."))
		}
		return v, true
	case "functools.partial", "operator.attrgetter", "operator.methodcaller", "operator.itemgetter":
		v := &value{kind: partial, recv: global(name), taint: t, params: p}
		if name == "functools.partial" {
			if len(args) == 0 {
				return of(0, 0), true
			}
			v.recv, args = a, args[1:]
			m.callbacks([]arg{{v: a}}, off)
		}
		for _, x := range args {
			v.items = append(v.items, x.v)
		}
		return v, true
	case "functools.reduce", "itertools.starmap":
		if len(args) > 1 {
			e := m.element(args[1].v)
			r := m.apply(a, []arg{{v: e}, {v: e}}, off)
			rt, rp := r.all()
			return of(t|rt, p|rp), true
		}
	case "types.FunctionType", "types.LambdaType":
		c := *a
		c.taint |= compiled
		return &c, true
	case "types.CodeType":
		return of(t|compiled, p), true
	case "marshal.loads", "marshal.load":
		if a.known() && len(a.text) > 16 {
			m.member("marshalled code", a.text)
		}
		if t&(literal|net) != 0 {
			t |= decoded
		}
		return of(t|compiled, p), true
	case "os.getenv", "os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.getenvb":
		return m.environ(a), true
	case "os.environ.copy", "os.environ.items", "os.environ.values", "os.environb.items":
		return of(secret, 0), true
	case "platform.node", "platform.uname", "platform.platform", "socket.gethostname", "socket.getfqdn", "getpass.getuser", "os.getlogin", "os.uname", "uuid.getnode", "pwd.getpwuid", "os.getcwd":
		if name == "os.getcwd" {
			return of(0, 0), true
		}
		return of(hostInfo, 0), true
	case "os.path.join", "posixpath.join", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "ntpath.join":
		return m.path(args, t, p), true
	case "os.path.expanduser", "os.path.abspath", "os.path.normpath", "os.path.realpath", "os.path.expandvars", "os.fspath", "shlex.quote", "os.fsencode", "os.fsdecode", "os.path.normcase", "builtins.str", "textwrap.dedent", "inspect.cleandoc", "io.BytesIO", "io.StringIO", "StringIO.StringIO", "typing.cast":
		if name == "typing.cast" && len(args) > 1 {
			return args[1].v, true
		}
		return a, true
	case "pathlib.Path.home":
		return text(str, "~"), true
	case "shlex.split":
		if a.known() {
			v := &value{kind: seq, taint: t, params: p}
			for w := range strings.FieldsSeq(a.text) {
				v.items = append(v.items, text(str, strings.Trim(w, `"'`)))
			}
			return v, true
		}
		return a, true
	case "io.open", "codecs.open", "os.open", "gzip.open", "bz2.open", "lzma.open", "os.fdopen", "pathlib.Path.open", "io.FileIO", "_io.FileIO", "_io.open":
		return m.open(args, off), true
	case "tempfile.NamedTemporaryFile", "tempfile.TemporaryFile", "tempfile.mkstemp", "tempfile.mktemp", "tempfile.mkdtemp":
		path := &value{kind: str, text: hole, holes: true}
		if name == "tempfile.mkstemp" {
			return &value{kind: seq, items: []*value{of(0, 0), path}}, true
		}
		if strings.HasPrefix(name, "tempfile.mk") {
			return path, true
		}
		return &value{kind: inst, text: "file", items: []*value{path}}, true
	case "os.dup2":
		if t&wire != 0 {
			m.report("reverse_shell", scan.SeverityMalicious, scan.SeverityMalicious, "network", "wires the standard input or output to a connection", off)
		}
		return of(0, 0), true
	case "socket.socket", "socket.create_connection", "ssl.wrap_socket", "socket.fromfd":
		v := &value{kind: inst, text: "socket", taint: wire}
		if name == "socket.create_connection" {
			m.fn().sockets = true
			m.network(name, args, off)
		}
		return v, true
	case "shutil.rmtree", "os.removedirs":
		m.removes(a, off)
		if a.known() && destroysAll(a.text) {
			m.report("destroys", scan.SeverityMalicious, scan.SeverityMalicious, "destruction", "deletes "+scan.Quote(a.text, 80), off)
		}
		return of(0, 0), true
	case "winreg.SetValueEx", "_winreg.SetValueEx", "winreg.SetValue", "winreg.OpenKey", "winreg.CreateKey", "_winreg.OpenKey", "winreg.OpenKeyEx":
		for _, x := range args {
			if x.v.kind == str && strings.HasSuffix(strings.ToLower(strings.ReplaceAll(x.v.text, `\\`, `\`)), `\currentversion\run`) {
				m.report("persistence", scan.SeveritySuspicious, scan.Low, "persistence", "makes a program run at every login to Windows", off)
			}
		}
		return &value{kind: inst, text: name}, true
	case "threading.Thread", "multiprocessing.Process", "threading.Timer", "atexit.register", "_thread.start_new_thread", "thread.start_new_thread", "asyncio.run", "signal.signal", "sys.settrace", "sys.setprofile", "concurrent.futures.ThreadPoolExecutor.submit":
		m.start(name, args, off)
		return &value{kind: inst, text: name, taint: t, params: p}, true
	case "setuptools.setup", "distutils.core.setup", "numpy.distutils.core.setup", "skbuild.setup":
		m.setup = true
		return of(0, 0), true
	case "inspect.getsource", "linecache.getlines", "inspect.getsourcelines", "ast.parse", "ast.unparse", "json.loads", "ast.literal_eval", "json.load":
		if name == "ast.parse" {
			return a, true
		}
		return of(t&(net|secret|token|hostInfo|fromFile), p), true
	case "torch.from_file", "torch.save", "ops.aten.save", "ops.aten.from_file", "ops.image.read_file", "ops.image.write_file":
		if m.result.Torch {
			m.report("torch_file", scan.SeverityMalicious, scan.SeverityMalicious, "file-access",
				"TorchScript calls "+name+", which reads or writes files of the machine that runs the model", off)
		}
		return of(t, p), true
	case "gc.get_objects", "os.chmod":
		return of(0, 0), true
	case "os.walk", "os.listdir", "os.scandir", "os.fwalk", "glob.glob", "glob.iglob":
		return listed(a, t, p), true
	case "os.remove", "os.unlink", "os.rename", "os.replace", "os.truncate", "shutil.move", "send2trash.send2trash":
		m.removes(a, off)
		return of(0, 0), true
	case "huggingface_hub.get_token", "huggingface_hub.utils.get_token", "huggingface_hub.HfFolder.get_token", "huggingface_hub.hf_api.HfFolder.get_token", "keyring.get_password":
		return of(token, 0), true
	case "win32crypt.CryptUnprotectData", "browser_cookie3.load", "browser_cookie3.chrome", "browser_cookie3.firefox", "browser_cookie3.edge", "browser_cookie3.opera", "browser_cookie3.brave":
		return of(secret, 0), true
	case "huggingface_hub.hf_hub_download", "huggingface_hub.cached_download", "transformers.utils.cached_file", "transformers.utils.hub.cached_file", "modelscope.hub.file_download.model_file_download":
		return &value{kind: inst, text: name, taint: fromHub, params: p}, true
	case "pip.main", "pip._internal.main", "pip._internal.cli.main.main":
		words := &value{kind: seq, items: []*value{text(str, "pip")}}
		if a.kind == seq {
			words.items = append(words.items, a.items...)
		}
		m.sink(sinkProc, name, words, args, off)
		return of(0, 0), true
	case "torch.utils.cpp_extension.load_inline":
		m.compiles(args, off)
		return &value{kind: inst, text: name}, true
	case "cryptography.fernet.Fernet", "Crypto.Cipher.AES.new", "Cryptodome.Cipher.AES.new", "Crypto.Cipher.ARC4.new":
		return &value{kind: inst, text: "cipher", taint: t, params: p}, true
	}
	m.nativeUse(name[strings.LastIndexByte(name, '.')+1:], off)
	return nil, false
}

// nativeUse keeps what is done with machine code.
func (m *machine) nativeUse(name string, off int64) {
	if !m.judging || !nativeCall(name) {
		return
	}
	m.native[name] = off
	if exec := m.native["PROT_EXEC"]; name == "CFUNCTYPE" && exec > 0 {
		m.report("shellcode", scan.SeveritySuspicious, scan.Low, "code-execution", "makes a function of memory that it may write and execute", off)
	}
}

// compiles judges the C++ that a program brings along.
func (m *machine) compiles(args []arg, off int64) {
	for _, a := range args {
		a.v.each(func(v *value) {
			if v.kind != str {
				return
			}
			for _, w := range [...]string{"system(", "popen(", "execve(", "execl(", "execvp(", "connect("} {
				if i := strings.Index(v.text, w); i >= 0 && (i == 0 || !identifier(v.text[i-1:i])) {
					m.report("native", scan.SeveritySuspicious, scan.Low, "code-execution", "compiles and loads C++ that calls "+w+")", off)
				}
			}
		})
	}
}

// nativeCall reports the functions that put machine code into memory and run
// it.
func nativeCall(name string) bool {
	switch name {
	case "VirtualAlloc", "VirtualAllocEx", "VirtualProtect", "WriteProcessMemory", "RtlMoveMemory", "RtlCopyMemory", "CreateThread", "CreateRemoteThread", "NtCreateThreadEx", "QueueUserAPC", "NtAllocateVirtualMemory", "memfd_create", "CFUNCTYPE", "EnumSystemLocalesA":
		return true
	}
	return false
}

// environ is an environment variable.
func (m *machine) environ(key *value) *value {
	v := of(0, 0)
	if key.known() {
		switch strings.ToUpper(key.text) {
		case "HOME", "USERPROFILE":
			return text(str, "~")
		case "USER", "USERNAME", "COMPUTERNAME", "HOSTNAME", "LOGNAME":
			v.taint = hostInfo
		}
		if shell.SecretVariable(key.text) {
			v.taint = token
		}
	}
	return v
}

// path joins the parts of a path.
func (m *machine) path(args []arg, t taint, p uint64) *value {
	if len(args) == 1 {
		return args[0].v
	}
	out := &value{kind: str, taint: t, params: p}
	var parts []string
	for _, a := range args {
		switch {
		case a.v.kind == str || a.v.kind == bytesKind:
			parts = append(parts, a.v.text)
			out.holes = out.holes || a.v.holes
		default:
			parts = append(parts, hole)
			out.holes = true
		}
	}
	out.text = m.cut(out, strings.Join(parts, "/"))
	return out
}

func secretPath(p string) bool { return shell.SecretPath(p) }

func destroysAll(p string) bool {
	return slices.Contains([]string{"/", "~", "~/", "/home", "/etc", "/usr", "/var", `C:\`, "C:/", "/root", "/Users"}, p)
}

// listed is what a walk through folders gives.
func listed(path *value, t taint, p uint64) *value {
	if path.known() {
		switch base := strings.TrimRight(path.text, "*/"); {
		case secretPath(path.text):
			t |= secret
		case base == "" && strings.HasPrefix(path.text, "/") || destroysAll(base):
			t |= everywhere
		}
	}
	return of(t, p)
}

// removes judges files that are deleted or moved.
func (m *machine) removes(path *value, off int64) {
	if t, _ := path.all(); t&everywhere != 0 {
		m.report("destroys", scan.SeverityMalicious, scan.SeveritySuspicious, "destruction", "deletes or moves files that it finds everywhere", off)
	}
}

// writes judges a file that is opened for writing.
func (m *machine) writes(path *value, off int64) {
	if path.kind != str {
		return
	}
	p := strings.ToLower(strings.ReplaceAll(path.text, `\`, "/"))
	sev, cold := scan.SeveritySuspicious, scan.Low
	switch {
	case strings.HasSuffix(p, "/.ssh/authorized_keys"), strings.HasSuffix(p, "/ld.so.preload"), strings.HasPrefix(p, "/etc/cron"), strings.HasPrefix(p, "/var/spool/cron"), strings.HasPrefix(p, "/etc/sudoers"), p == "/etc/passwd", p == "/etc/shadow":
		sev, cold = scan.SeverityMalicious, scan.SeveritySuspicious
	case strings.HasSuffix(p, "/.bashrc"), strings.HasSuffix(p, "/.zshrc"), strings.HasSuffix(p, "/.profile"), strings.HasSuffix(p, "/.bash_profile"), strings.HasSuffix(p, "/.zprofile"), strings.HasPrefix(p, "/etc/profile.d/"), strings.HasPrefix(p, "/etc/systemd/"), strings.Contains(p, "/.config/systemd/user/"), strings.Contains(p, "/.config/autostart/"), strings.Contains(p, "/launchagents/"), strings.Contains(p, "/start menu/programs/startup/"),
		strings.HasSuffix(p, "/sitecustomize.py"), strings.HasSuffix(p, "/usercustomize.py"), strings.Contains(p, "site-packages/") && strings.HasSuffix(p, ".pth"), strings.HasSuffix(p, "/.ipython/profile_default/startup/"):
	default:
		return
	}
	m.report("persistence", sev, cold, "persistence", "writes "+scan.Quote(path.text, 80)+", which runs later by itself", off)
}
