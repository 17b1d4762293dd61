package program

import "strings"

// canonical gives the name by which the tables know something that can be
// reached in many ways.
func canonical(name string) string {
	name = strings.TrimPrefix(name, "six.moves.")
	name = strings.TrimPrefix(name, "past.builtins.")
	parts := strings.Split(name, ".")
	if len(parts) > 16 {
		return name
	}
	// A module reached through another that imports it: random._os.system.
	for i := len(parts) - 1; i > 0; i-- {
		m := strings.TrimLeft(parts[i], "_")
		if parts[i] == "__builtins__" {
			m = "builtins"
		}
		if hub(m) && !(parts[i-1] == "importlib" || parts[i-1] == "asyncio" || parts[i-1] == "multiprocessing" || parts[i-1] == "gevent" || parts[i-1] == "eventlet" || parts[i-1] == "psutil" || parts[0] == "" || parts[0] == "anyio" || parts[0] == "trio") {
			parts = parts[i:]
			parts[0] = m
			break
		}
	}
	switch parts[0] {
	case "posix", "nt":
		parts[0] = "os"
	case "__builtin__", "__builtins__", "builtins":
		parts[0] = "builtins"
	case "_socket":
		parts[0] = "socket"
	case "_pickle", "cPickle", "pickle5", "cloudpickle":
		parts[0] = "pickle"
	case "_ctypes":
		parts[0] = "ctypes"
	case "_posixsubprocess":
		parts[0] = "subprocess"
	case "urllib3":
		parts[0] = "urllib3"
	case "_imp":
		parts[0] = "imp"
	}
	return strings.Join(parts, ".")
}

// hub reports modules that others import and that reach everything.
func hub(m string) bool {
	switch m {
	case "os", "sys", "subprocess", "builtins", "importlib", "socket", "shutil", "ctypes", "pty", "posix", "marshal", "base64", "zlib", "runpy":
		return true
	}
	return false
}

// isSink reports functions that execute what they are given.
func isSink(name string) bool {
	_, ok := sinks(name)
	return ok
}

// The kinds of sink.
const (
	sinkCode   = "code"   // executes Python text or a code object
	sinkEval   = "eval"   // evaluates an expression
	sinkShell  = "shell"  // executes a command line
	sinkProc   = "proc"   // starts a program, by words or by a command line
	sinkArgs   = "args"   // starts a program, its words are the arguments
	sinkSpawn  = "spawn"  // the same behind a mode
	sinkLoad   = "load"   // loads a shared library
	sinkPickle = "pickle" // unpickles
	sinkFile   = "file"   // executes a file of Python
	sinkStart  = "start"  // opens a file with what the system has for it
)

func sinks(name string) (string, bool) {
	switch name {
	case "builtins.exec", "code.InteractiveInterpreter.runcode", "code.InteractiveInterpreter.runsource", "code.InteractiveConsole.runcode", "code.InteractiveConsole.runsource", "code.InteractiveConsole.push", "timeit.timeit", "cProfile.run", "profile.run", "pdb.run", "pdb.runeval", "_xxsubinterpreters.run_string", "_interpreters.run_string", "_interpreters.exec", "trace.Trace.run", "doctest.debug_script", "idlelib.pyshell.ModifiedInterpreter.runcode", "IPython.get_ipython.run_cell":
		return sinkCode, true
	case "builtins.eval", "numexpr.evaluate", "pandas.eval":
		return sinkEval, true
	case "os.system", "os.popen", "os.popen2", "os.popen3", "os.popen4", "commands.getoutput", "commands.getstatusoutput", "subprocess.getoutput", "subprocess.getstatusoutput", "popen2.popen2", "popen2.popen3", "popen2.popen4", "popen2.Popen3", "platform.popen", "asyncio.create_subprocess_shell", "asyncio.subprocess.create_subprocess_shell", "pexpect.run", "pexpect.spawn", "pexpect.runu", "invoke.run", "fabric.api.local", "imaplib.IMAP4_stream", "libc.system":
		return sinkShell, true
	case "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen", "pty.spawn", "distutils.spawn.spawn", "setuptools._distutils.spawn.spawn", "psutil.Popen", "plumbum.local", "gevent.subprocess.Popen", "subprocess32.Popen", "subprocess32.call", "subprocess32.check_output", "sh.Command", "torch.utils.collect_env.run", "torch.utils.collect_env.run_and_read_all":
		return sinkProc, true
	case "os.execl", "os.execle", "os.execlp", "os.execlpe", "asyncio.create_subprocess_exec", "asyncio.subprocess.create_subprocess_exec", "os.execv", "os.execve", "os.execvp", "os.execvpe", "os.posix_spawn", "os.posix_spawnp", "subprocess.fork_exec":
		return sinkArgs, true
	case "os.spawnl", "os.spawnle", "os.spawnlp", "os.spawnlpe", "os.spawnv", "os.spawnve", "os.spawnvp", "os.spawnvpe":
		return sinkSpawn, true
	case "ctypes.CDLL", "ctypes.PyDLL", "ctypes.WinDLL", "ctypes.OleDLL", "ctypes.cdll.LoadLibrary", "ctypes.windll.LoadLibrary", "ctypes.pydll.LoadLibrary", "imp.load_dynamic", "torch.ops.load_library", "torch.classes.load_library", "tensorflow.load_op_library", "cffi.FFI.dlopen":
		return sinkLoad, true
	case "pickle.load", "pickle.loads", "pickle.Unpickler", "dill.load", "dill.loads", "joblib.load", "shelve.open", "pandas.read_pickle", "torch.load", "numpy.load", "jsonpickle.decode", "yaml.load", "yaml.unsafe_load", "yaml.full_load":
		return sinkPickle, true
	case "builtins.execfile", "runpy.run_path", "imp.load_source", "imp.load_compiled", "imp.load_module", "importlib.util.spec_from_file_location", "importlib.machinery.SourceFileLoader", "importlib.machinery.SourcelessFileLoader", "importlib.machinery.ExtensionFileLoader":
		return sinkFile, true
	case "os.startfile", "webbrowser.open", "webbrowser.open_new", "webbrowser.open_new_tab":
		return sinkStart, true
	}
	return "", false
}

// notable reports names that "from m import *" may bring and that matter.
func notable(name string) bool {
	if isSink(name) || decoder(name) != "" || sends(name) || fetches(name) {
		return true
	}
	switch name {
	case "os.environ", "os.getenv", "socket.socket", "os.dup2", "sys.modules", "ctypes.CFUNCTYPE", "mmap.PROT_EXEC", "os.walk", "os.remove", "shutil.rmtree":
		return true
	}
	return false
}

// decoder tells what a function undoes, "" for others.
func decoder(name string) string {
	switch name {
	case "base64.b64decode", "base64.standard_b64decode", "base64.decodebytes", "base64.decodestring", "binascii.a2b_base64", "pybase64.b64decode":
		return "base64"
	case "base64.urlsafe_b64decode":
		return "base64url"
	case "base64.b32decode", "base64.b32hexdecode":
		return "base32"
	case "base64.b16decode", "binascii.unhexlify", "binascii.a2b_hex", "builtins.bytes.fromhex", "builtins.bytearray.fromhex":
		return "hex"
	case "base64.b85decode", "base64.a85decode", "base64.z85decode", "binascii.a2b_uu", "binascii.a2b_qp", "binascii.a2b_hqx", "quopri.decodestring", "binascii.rledecode_hqx", "base58.b58decode", "uu.decode":
		return "other"
	case "zlib.decompress", "brotli.decompress", "snappy.decompress", "zstandard.decompress", "lz4.frame.decompress", "blosc.decompress":
		return "zlib"
	case "gzip.decompress":
		return "gzip"
	case "bz2.decompress":
		return "bz2"
	case "lzma.decompress":
		return "lzma"
	case "codecs.decode", "codecs.encode":
		return "codecs"
	}
	return ""
}

// fetches reports functions that return what the network gives.
func fetches(name string) bool {
	switch name {
	case "urllib.request.urlopen", "urllib.urlopen", "urllib2.urlopen", "urllib.request.urlretrieve", "urllib.urlretrieve", "wget.download", "urllib.request.URLopener", "pycurl.Curl", "aiohttp.request", "requests.request", "httpx.request", "httpx.stream", "urllib3.request", "treq.get", "grequests.get", "gdown.download", "pooch.retrieve", "torch.hub.download_url_to_file", "torch.hub.load_state_dict_from_url", "tensorflow.keras.utils.get_file", "keras.utils.get_file":
		return true
	}
	module, fn, ok := cutLast(name)
	if !ok {
		return false
	}
	switch module {
	case "requests", "httpx", "requests.sessions", "cloudscraper", "curl_cffi.requests", "requests_html":
		switch fn {
		case "get", "post", "put", "head", "patch", "delete", "options":
			return true
		}
	}
	return false
}

// sends reports functions whose arguments go out over the network.
func sends(name string) bool {
	switch name {
	case "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "socket.create_connection", "urllib.request.Request", "urllib2.Request", "socket.gethostbyname", "socket.getaddrinfo", "dns.resolver.resolve", "dns.resolver.query", "websocket.create_connection", "websockets.connect", "http.client.HTTPConnection", "http.client.HTTPSConnection", "httplib.HTTPConnection", "httplib.HTTPSConnection", "telnetlib.Telnet", "paramiko.SSHClient", "boto3.client", "telegram.Bot", "discord_webhook.DiscordWebhook":
		return true
	}
	return fetches(name)
}

// connection reports makers of objects that are asked and told things later.
func connection(name string) bool {
	switch name {
	case "http.client.HTTPSConnection", "http.client.HTTPConnection", "httplib.HTTPSConnection", "httplib.HTTPConnection", "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "telegram.Bot":
		return true
	}
	return false
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}
