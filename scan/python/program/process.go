package program

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/script/shell"
)

// word is a value as a word of a command.
func word(v *value) string {
	switch {
	case v.kind == str || v.kind == bytesKind:
		return v.text
	case v.kind == ref && v.text == "sys.executable":
		return "python"
	case v.kind == integer:
		return "0"
	case v.kind == union:
		for _, i := range v.items {
			if w := word(i); w != hole {
				return w
			}
		}
	}
	return hole
}

// process judges a program that is started.
func (m *machine) process(name string, v *value, args []arg, off int64) {
	const bad, odd, low = scan.SeverityMalicious, scan.SeveritySuspicious, scan.Low
	t, _ := v.all()
	for _, a := range args {
		if (a.kw == "stdin" || a.kw == "stdout" || a.kw == "stderr") && a.v.taint&wire != 0 {
			m.report("reverse_shell", bad, bad, "network", "wires a program to a connection", off)
		}
	}
	var r *shell.Report
	var command string
	switch v.kind {
	case str, bytesKind:
		command = v.text
		r = shell.Read(v.text)
	case seq:
		list := make([]string, 0, len(v.items))
		for _, i := range v.items {
			list = append(list, word(i))
		}
		command = strings.Join(list[:min(len(list), 64)], " ")
		if asText(args) && len(list) > 0 {
			r = shell.Read(list[0])
		} else {
			r = shell.Args(list)
		}
		if len(v.items) > 0 {
			t = v.taint | v.items[0].taint
			if interpreter(list[0]) {
				for _, i := range v.items[1:] {
					t |= i.taint & (dropped | decoded | net)
				}
			}
		}
	case ref:
		if v.text != "sys.executable" {
			return
		}
		command, r = "python", &shell.Report{}
	default:
		m.unknownProcess(name, v, t, args != nil, off)
		return
	}
	m.wired(name, command, off)
	if t&dropped != 0 {
		m.report("download_exec", bad, m.cold(""), "network", "runs what it downloads", off)
	}
	if path, url := m.runs(command); url != "" {
		m.report("download_exec", bad, m.cold(url), "network", "runs "+scan.Quote(path, 80)+", which it downloads from "+scan.Quote(url, 120), off)
	}
	if t&(decoded|built) != 0 && v.known() && len(command) > 3 {
		m.report("payload", bad, bad, "obfuscation", "runs a command that is hidden in the file: "+scan.Quote(command, 120), off)
	}
	if t&net != 0 && strings.HasPrefix(command, hole) && args != nil {
		m.report("backdoor", bad, backdoor(t), "network", "runs commands that come over the network", off)
	}
	m.sendsInCommand(v, command, off)
	for _, f := range r.Facts {
		cold := f.Severity
		m.report(f.What, f.Severity, cold, f.Technique, "starts a command that "+f.Message, off)
	}
	for _, p := range r.Programs {
		m.run("a program in a command", p.Text, off)
	}
	if strings.HasPrefix(command, hole) {
		m.unknownProcess(name, v, t, args != nil, off)
		return
	}
	sev := low
	for _, u := range r.Unknown {
		if !strings.HasPrefix(u, hole) {
			sev = odd
		}
	}
	if asText(args) && strings.HasPrefix(strings.TrimSpace(command), hole) {
		sev = low
	}
	if command != "" {
		m.report("process", sev, low, "code-execution", "runs "+scan.Quote(command, 120), off)
	}
}

// sendsInCommand judges a command with an address in it that keys were put
// into.
func (m *machine) sendsInCommand(v *value, command string, off int64) {
	t, _ := v.all()
	i := strings.Index(command, "://")
	if t&(secret|token) == 0 || i < 0 {
		return
	}
	start := strings.LastIndexAny(command[:i], " '\"") + 1
	url, _, _ := strings.Cut(command[start:], " ")
	trust := shell.Judge(strings.Trim(url, `'"`))
	if trust >= shell.Open {
		return
	}
	hot := scan.SeveritySuspicious
	if trust == shell.Shady || t&secret != 0 {
		hot = scan.SeverityMalicious
	}
	m.report("exfiltration", hot, scan.Low, "exfiltration", "starts a command with a key or token in it, for "+scan.Quote(url, 120), off)
}

// parts judges a text that is one part of a command: only as much as it shows
// by itself.
func (m *machine) parts(v *value, off int64) {
	if v.kind != str {
		return
	}
	for _, f := range shell.Read(v.text).Facts {
		m.report(f.What, f.Severity, f.Severity, f.Technique, "starts a command that "+f.Message, off)
	}
}

// asText reports shell=True.
func asText(args []arg) bool {
	for _, a := range args {
		if a.kw == "shell" && !(a.v.kind == integer && a.v.num == 0) {
			return true
		}
	}
	return false
}

func interpreter(name string) bool {
	n := name[strings.LastIndexAny(name, `/\`)+1:]
	switch n {
	case "sh", "bash", "zsh", "dash", "python", "python3", "perl", "ruby", "node", "powershell", "pwsh", "cmd", "cmd.exe", "wscript", "cscript", "msiexec", "rundll32", "open", "start":
		return true
	}
	return strings.HasPrefix(n, "python")
}

// runs finds a downloaded file that a command starts, and its URL.
func (m *machine) runs(command string) (path, url string) {
	if len(m.files) == 0 {
		return "", ""
	}
	w := strings.Fields(command[:min(len(command), 16<<10)])
	for i, x := range w {
		url, ok := m.files[x]
		if !ok {
			url = m.files[strings.TrimPrefix(x, "./")]
		}
		if url == "" || strings.HasPrefix(x, hole) {
			continue
		}
		if i == 0 || interpreter(w[i-1]) || w[i-1] == "&&" || w[i-1] == ";" || w[i-1] == "sudo" {
			return x, url
		}
	}
	return "", ""
}

// unknownProcess judges a command that can not be read.
func (m *machine) unknownProcess(name string, v *value, t taint, direct bool, off int64) {
	const bad, odd, low = scan.SeverityMalicious, scan.SeveritySuspicious, scan.Low
	switch {
	case t&dropped != 0:
		m.report("download_exec", bad, m.cold(""), "network", "runs what it downloads", off)
	case t&net != 0 && v.kind != seq && direct:
		m.report("backdoor", bad, backdoor(t), "network", "runs commands that come over the network", off)
	case t&decoded != 0 && t&literal != 0:
		m.report("payload", bad, bad, "obfuscation", "runs a command that is hidden in the file", off)
	case t&decoded != 0:
		m.report("payload", odd, low, "obfuscation", "runs a command that it decodes", off)
	default:
		m.report("process", low, scan.Info, "code-execution", name+" runs a computed command", off)
	}
}

// backdoor is the severity of running what comes over the network when nobody
// is known to call it: over a bare connection that is a shell for whoever is at
// the other end.
func backdoor(t taint) scan.Severity {
	if t&wire != 0 {
		return scan.SeveritySuspicious
	}
	return scan.Low
}

// wired judges a shell that is started where a connection is open.
func (m *machine) wired(name, command string, off int64) {
	w := strings.Fields(command)
	if len(w) == 0 || !m.fn().sockets {
		return
	}
	prog := w[0][strings.LastIndexAny(w[0], `/\`)+1:]
	switch strings.TrimSuffix(prog, ".exe") {
	case "sh", "bash", "zsh", "dash", "ksh", "cmd", "powershell", "pwsh":
		if len(w) == 1 || w[1] == "-i" || w[1] == "-li" {
			m.report("reverse_shell", scan.SeverityMalicious, scan.SeverityMalicious, "network", name+" starts a shell next to a connection", off)
		}
	}
}

// cold is the severity of running a download in a function that nobody is
// known to call: programs do fetch their tools from where those are published.
func (m *machine) cold(url string) scan.Severity {
	if url == "" || strings.HasPrefix(url, hole) {
		return scan.Low
	}
	switch shell.Judge(url) {
	case shell.Shady:
		return scan.SeverityMalicious
	case shell.Strange:
		return scan.SeveritySuspicious
	}
	return scan.Low
}
