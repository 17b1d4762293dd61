package refs

import "strings"

// Runs returns what in a piece of Python runs commands or hidden code, "" for
// nothing.
func Runs(v string) string {
	for _, s := range [...]string{
		"__import__", "os.system", "os.popen", "os.exec", "os.spawn", "subprocess", "__builtins__", "__globals__", "__subclasses__",
		"pty.spawn", "pickle.load", "marshal.load", "ctypes.", "importlib.", "socket.socket", "urllib.request", "runpy.", "b64decode",
	} {
		if strings.Contains(v, s) {
			return s
		}
	}
	for _, s := range [...]string{"eval(", "exec("} {
		for rest := v; ; {
			i := strings.Index(rest, s)
			if i < 0 {
				break
			}
			if i == 0 || !nameByte(rest[i-1]) {
				return s[:len(s)-1]
			}
			rest = rest[i+len(s):]
		}
	}
	return ""
}

// nameByte reports what can stand before a name that belongs to it: model.eval
// is no eval.
func nameByte(c byte) bool {
	return c == '.' || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}
