package shell

import (
	"strings"

	"modelwall/scan"
)

// windows judges lines of cmd and PowerShell by the combinations of words that
// only attacks have. Both take ^ and ` out of words, and know no upper case.
func (j *judge) windows(text string) {
	lower := strings.ToLower(text)
	if !strings.ContainsAny(lower, "^`") && !anyOf(lower, windowsWords()...) {
		if forkBomb(lower) {
			j.fact("destroys", scan.SeverityMalicious, "destruction", "a fork bomb")
		}
		return
	}
	if forkBomb(lower) {
		j.fact("destroys", scan.SeverityMalicious, "destruction", "a fork bomb")
	}
	off := int64(0)
	for line := range strings.SplitSeq(lower, "\n") {
		j.base = off
		off += int64(len(line)) + 1
		if len(line) < maxWord {
			j.windowsLine(strings.NewReplacer("^", "", "`", "").Replace(line))
		}
	}
	j.base = 0
}

func windowsWords() []string {
	return []string{
		"powershell", "pwsh", "iex", "invoke-", "certutil", "bitsadmin", "mshta", "regsvr32", "rundll32", "schtasks", "vssadmin", "mppreference",
		"wscript", "cscript", "frombase64string", "net.webclient", `\currentversion\run`, "net user", "wmic",
	}
}

func forkBomb(s string) bool {
	return strings.Contains(s, ":(){") && strings.Contains(s, ":|:")
}

func anyOf(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

func (j *judge) windowsLine(l string) {
	bad := func(what, technique, message string) {
		j.fact(what, scan.SeverityMalicious, technique, message)
	}
	ps := anyOf(l, "powershell", "pwsh")
	runs := anyOf(l, "iex ", "iex(", "| iex", "|iex", "invoke-expression", "&([scriptblock]", "invoke-command")
	gets := anyOf(l, "downloadstring", "downloadfile", "downloaddata", "invoke-webrequest", "invoke-restmethod", "iwr ", "irm ", "net.webclient", "start-bitstransfer")
	switch {
	case ps && encoded(l):
		bad("decode_exec", "obfuscation", "PowerShell runs an encoded command")
	case runs && gets:
		j.downloaded(firstURL(l), "PowerShell runs what it downloads")
	case anyOf(l, "frombase64string") && (runs || anyOf(l, "assembly]::load", "start-process", ".invoke(")):
		bad("decode_exec", "obfuscation", "PowerShell decodes a text and runs it")
	case strings.Contains(l, "certutil") && anyOf(l, "-urlcache", "/urlcache", "-decode ", "/decode "):
		bad("download_exec", "network", "uses certutil to bring in a program")
	case strings.Contains(l, "bitsadmin") && strings.Contains(l, "/transfer"):
		bad("download_exec", "network", "uses bitsadmin to bring in a program")
	case strings.Contains(l, "mshta") && anyOf(l, "http:", "https:", "javascript:", "vbscript:"),
		strings.Contains(l, "regsvr32") && anyOf(l, "http:", "https:", "scrobj"),
		strings.Contains(l, "rundll32") && anyOf(l, "javascript:", "http:", "https:"):
		bad("download_exec", "code-execution", "runs a script through a program of Windows")
	case strings.Contains(l, "mppreference") && anyOf(l, "exclusion", "disable"):
		bad("evasion", "evasion", "switches the virus scanner off")
	case strings.Contains(l, "vssadmin") && strings.Contains(l, "delete"):
		bad("destroys", "destruction", "deletes the backups of Windows")
	case strings.Contains(l, `\currentversion\run`) && anyOf(l, "reg add", "set-itemproperty", "new-itemproperty"):
		j.fact("persistence", scan.SeveritySuspicious, "persistence", "makes a program run at every login")
	case strings.Contains(l, "schtasks") && strings.Contains(l, "/create"):
		j.fact("persistence", scan.SeveritySuspicious, "persistence", "makes a program run by the clock")
	case strings.Contains(l, "net user") && strings.Contains(l, "/add"):
		j.fact("persistence", scan.SeveritySuspicious, "persistence", "adds a user")
	case gets && anyOf(l, "start-process", "start ", "& $", "invoke-item") && strings.Contains(l, ".exe"):
		j.downloaded(firstURL(l), "starts a program that it downloads")
	case ps && anyOf(l, "net.sockets.tcpclient"):
		bad("reverse_shell", "network", "PowerShell wires itself to the network")
	case (strings.Contains(l, "tcpclient(") || strings.Contains(l, "sockets.tcpclient")) && runs:
		bad("reverse_shell", "network", "PowerShell wires itself to the network")
	}
}

// encoded reports PowerShell's -EncodedCommand, which any prefix of the word
// names, with a constant behind it.
func encoded(l string) bool {
	words := strings.Fields(l)
	for i, w := range words[:max(0, len(words)-1)] {
		name := strings.TrimLeft(w, "-/")
		if name == w || name == "" || !(strings.HasPrefix("encodedcommand", name) || name == "ec") {
			continue
		}
		if b := strings.Trim(words[i+1], `"'`); len(b) >= 8 && base64Text(b) {
			return true
		}
	}
	return false
}

func base64Text(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isNameByte(c) && c != '+' && c != '/' && c != '=' || c == '_' {
			return false
		}
	}
	return true
}

// firstURL returns the first http URL in a line.
func firstURL(l string) string {
	i := strings.Index(l, "http")
	if i < 0 {
		return ""
	}
	u := l[i:]
	if n := strings.IndexAny(u, " '\"`)(,;|>"); n >= 0 {
		u = u[:n]
	}
	return u
}
