package clue

import (
	"slices"
	"strings"
)

// shown is how much of a command is returned, in bytes.
const shown = 80

// command returns the beginning of the first command in text. Each kind has a
// literal that is searched for and a look at what stands around it, so that
// the work is linear whatever the text.
func command(text string) string {
	lower := lowered(text)
	for _, k := range kinds() {
		for from := 0; ; {
			i := strings.Index(lower[from:], k.literal)
			if i < 0 {
				break
			}
			i += from
			from = i + len(k.literal)
			if k.check == nil || k.check(lower[:i], lower[from:]) {
				return text[i:min(len(text), i+shown)]
			}
		}
	}
	return ""
}

// lowered is text with ASCII letters in lower case, every byte in its place.
func lowered(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// kind is a literal that may belong to a command, and the check of what stands
// before and behind it.
type kind struct {
	literal string
	check   func(before, after string) bool
}

func kinds() []kind {
	return []kind{
		{"|", piped},
		{"powershell", powershell},
		{"cmd", func(before, after string) bool {
			rest, ok := strings.CutPrefix(spaces(strings.TrimPrefix(after, ".exe")), "/")
			return ok && boundary(before) && (strings.HasPrefix(rest, "c ") || strings.HasPrefix(rest, "k "))
		}},
		{" -c", interpreter},
		{" -ic", interpreter},
		{" -e ", func(before, _ string) bool {
			words := strings.Fields(before[max(0, len(before)-40):])
			return slices.Contains(words, "nc") || slices.Contains(words, "ncat")
		}},
		{"/dev/tcp/", nil},
		{"/dev/udp/", nil},
		{"__import__", func(_, after string) bool { return called(after) }},
		{"os.", func(before, after string) bool {
			name, rest := word(after)
			return boundary(before) && called(rest) &&
				(name == "system" || name == "popen" || strings.HasPrefix(name, "exec") || strings.HasPrefix(name, "spawn"))
		}},
		{"subprocess.", func(_, after string) bool {
			name, rest := word(after)
			return called(rest) && slices.Contains([]string{"run", "popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}, name)
		}},
		{"pty.spawn", func(_, after string) bool { return called(after) }},
		{"base64.b64decode", func(_, after string) bool { return called(after) }},
		{"marshal.loads", func(_, after string) bool { return called(after) }},
		{"pickle.loads", func(_, after string) bool { return called(after) }},
		{"exec", evaluates},
		{"eval", evaluates},
		{"ctypes.cdll", nil},
		{"ctypes.windll", nil},
		{"__builtins__", nil},
		{"__globals__", nil},
		{"__subclasses__", nil},
		{"__mro__", nil},
		{"__bases__", nil},
	}
}

// piped: what is fetched goes to a shell.
func piped(before, after string) bool {
	name, _ := word(spaces(after[:min(len(after), 80)]))
	switch {
	case slices.Contains([]string{"sh", "bash", "zsh", "dash", "ksh", "iex", "perl", "invoke"}, name), strings.HasPrefix(name, "python"):
	default:
		return false
	}
	line := before[max(0, len(before)-400):]
	line = line[strings.LastIndexByte(line, '\n')+1:]
	for _, fetch := range []string{"curl ", "wget ", "iwr ", "invoke-webrequest "} {
		if strings.Contains(line, fetch) {
			return true
		}
	}
	return false
}

// powershell: with an option that hands it a command or hides it.
func powershell(before, after string) bool {
	if !boundary(before) {
		return false
	}
	after = strings.TrimPrefix(after[:min(len(after), 120)], ".exe")
	for i, arg := range strings.Fields(after) {
		switch arg {
		case "-e", "-ec", "-enc", "-encodedcommand", "-c", "-command", "-nop", "-noprofile", "-w":
			return i > 0 || after[0] == ' '
		}
	}
	return false
}

// interpreter: a shell or Python with a program in quotes.
func interpreter(before, after string) bool {
	words := strings.Fields(before[max(0, len(before)-40):])
	if len(words) == 0 || spaces(after) == "" || !strings.ContainsRune("'\"$", rune(spaces(after)[0])) {
		return false
	}
	name := words[len(words)-1]
	return strings.HasSuffix(name, "sh") || strings.Contains(name, "python")
}

// evaluates: exec or eval of something that is decoded or fetched.
func evaluates(before, after string) bool {
	if !boundary(before) || strings.HasSuffix(before, ".") || !called(after) {
		return false
	}
	arg := spaces(spaces(after)[1:])
	for _, what := range []string{"compile", "base64", "codecs", "bytes", "zlib", "marshal", "payload", "open", "requests", "urllib", "__"} {
		if strings.HasPrefix(arg, what) {
			return true
		}
	}
	return false
}

func spaces(s string) string { return strings.TrimLeft(s, " \t") }

// called reports whether s begins with an opening parenthesis.
func called(s string) bool { return strings.HasPrefix(spaces(s[:min(len(s), 80)]), "(") }

// boundary reports whether no word goes on behind before.
func boundary(before string) bool {
	return before == "" || !inWord(before[len(before)-1])
}

func inWord(c byte) bool { return isLetter(c) || c == '_' || c >= '0' && c <= '9' }

// word cuts the word at the beginning of s.
func word(s string) (name, rest string) {
	i := 0
	for i < len(s) && i < 40 && inWord(s[i]) {
		i++
	}
	return s[:i], s[i:]
}
