package shell

import (
	"strings"

	"modelwall/scan"
)

// fetches reports programs that bring something from the network.
func fetches(name string) bool {
	switch name {
	case "curl", "wget", "fetch", "lynx", "aria2c", "axel", "w3m", "links", "elinks", "http", "https", "httpie", "gdown", "lwp-request", "get", "lwp-download", "ftp", "tftp", "curl.exe", "iwr", "irm", "invoke-webrequest", "invoke-restmethod":
		return true
	}
	return false
}

// isWire reports programs that join a connection to standard input and output.
func isWire(s step) bool {
	switch s.name {
	case "nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "telnet", "socat":
		return true
	case "openssl":
		return len(s.args) > 0 && s.args[0].text == "s_client"
	}
	return false
}

// wire judges a command that joins a connection to standard input and output.
func (j *judge) wire(s *step, in flow) flow {
	all := strings.ToLower(s.words())
	switch {
	case s.name == "socat":
		if (strings.Contains(all, "exec:") || strings.Contains(all, "system:")) && (strings.Contains(all, "tcp") || strings.Contains(all, "udp") || strings.Contains(all, "openssl")) {
			j.fact("reverse_shell", scan.SeverityMalicious, "network", "socat wires a program to the network")
		}
	case s.name != "openssl" && s.name != "telnet" && (s.flag("-e", "-c", "--exec", "--sh-exec") && !s.flag("-z")):
		j.fact("reverse_shell", scan.SeverityMalicious, "network", s.name+" wires a program to the network")
	}
	if in.kind == secret {
		j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "sends keys, tokens or the environment over the network with "+s.name)
	}
	if s.flag("-z") || strings.Contains(all, "localhost") || strings.Contains(all, "127.0.0.1") {
		return flow{}
	}
	if len(j.report.Unknown) < 8 {
		j.unknown(s)
	}
	return flow{kind: network, url: "tcp://0.1.2.3"} // what comes in this way has no name
}

// fetch judges a command that brings something from the network, or sends.
func (j *judge) fetch(s *step, in flow) flow {
	url := ""
	for _, a := range s.args {
		t := a.text
		if strings.Contains(t, "://") || strings.HasPrefix(t, "$") || strings.HasPrefix(t, "www.") {
			if !strings.HasPrefix(t, "-") && (url == "" || strings.HasPrefix(url, "$")) {
				url = t
			}
		}
	}
	if url == "" { // curl example.com/x
		for i, a := range s.args {
			if strings.Contains(a.text, ".") && a.text[0] != '-' && (i == 0 || len(s.args[i-1].text) < 2 || s.args[i-1].text[0] != '-' || strings.HasPrefix(s.args[i-1].text, "-s") || strings.HasPrefix(s.args[i-1].text, "-f")) {
				url = a.text
			}
		}
	}
	j.sends(s, in, url)
	file, ok := s.output(url)
	for _, r := range s.redirs {
		if strings.HasPrefix(r.op, ">") {
			file, ok = r.target.text, true
		}
	}
	if s.name == "wget" && !ok {
		file, ok = base(strings.SplitN(url, "?", 2)[0]), true
	}
	if ok && file != "-" && file != "/dev/stdout" {
		if j.fetched == nil {
			j.fetched = map[string]string{}
		}
		if len(j.fetched) < maxVars && file != "/dev/null" && !strings.HasPrefix(file, "$") {
			j.fetched[strings.TrimPrefix(file, "./")] = url
		}
		return flow{}
	}
	return flow{kind: network, url: url}
}

// output returns the file that a download goes to.
func (s *step) output(url string) (string, bool) {
	name := base(strings.SplitN(url, "?", 2)[0])
	switch s.name {
	case "curl":
		if f, ok := s.value("-o", "--output"); ok {
			return f, true
		}
		if s.flag("-O", "--remote-name", "--remote-name-all") {
			return name, true
		}
	case "wget":
		if f, ok := s.value("-O", "--output-document"); ok {
			return f, true
		}
		for _, a := range s.args { // -qO-
			if i := strings.IndexByte(a.text, 'O'); i > 0 && a.text[0] == '-' && a.text[1] != '-' && i+1 < len(a.text) {
				return a.text[i+1:], true
			}
		}
	case "aria2c", "axel", "gdown":
		if f, ok := s.value("-o", "--out", "--output", "-O"); ok {
			return f, true
		}
		return name, true
	case "iwr", "invoke-webrequest", "irm", "invoke-restmethod":
		for i, a := range s.args {
			if strings.EqualFold(a.text, "-outfile") && i+1 < len(s.args) {
				return s.args[i+1].text, true
			}
		}
	}
	return "", false
}

// sends judges what a command sends to url.
func (j *judge) sends(s *step, in flow, url string) {
	trust := Judge(url)
	if strings.HasPrefix(url, "$") {
		trust = Open // an address that is not written here
	}
	body := false // data other than what a header carries
	for i, a := range s.args {
		t := a.text
		option := ""
		if i > 0 {
			option = s.args[i-1].text
		}
		upload := option == "-d" || option == "-F" || option == "-T" || strings.HasPrefix(option, "--data") || option == "--form" || option == "--upload-file" || option == "--post-file" || option == "--post-data" || option == "--body-file"
		if k, v, ok := strings.Cut(t, "="); ok && strings.HasPrefix(k, "--") {
			upload = strings.HasPrefix(k, "--data") || k == "--post-file" || k == "--post-data" || k == "--upload-file" || k == "--form" || k == "--body-file"
			t = v
		}
		if len(t) > 2 && t[0] == '-' && (t[1] == 'd' || t[1] == 'F' || t[1] == 'T') && s.name == "curl" {
			upload, t = true, t[2:]
		}
		if !upload && !strings.Contains(t, "://") {
			continue
		}
		body = body || upload
		file := t
		if at := strings.IndexByte(t, '@'); at >= 0 && upload {
			file = t[at+1:]
		}
		if upload && secretPath(file) {
			j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "sends "+scan.Quote(file, 80)+" over the network with "+s.name)
		}
		if upload && (file == "-" || file == "/dev/stdin") && in.kind == secret {
			j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "sends keys, tokens or the environment over the network with "+s.name)
		}
		if v := variable(t); v != "" && secretVariable(v) && trust < Open {
			j.fact("exfiltration", scan.SeveritySuspicious, "exfiltration", "sends $"+v+" over the network with "+s.name)
		}
	}
	switch s.flows.kind {
	case secret:
		if trust < Known {
			j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "sends keys, tokens or the environment over the network with "+s.name)
		}
	case host:
		if trust < Open {
			j.fact("beacon", scan.SeveritySuspicious, "exfiltration", "tells a host over the network who and where it is, with "+s.name)
		}
	}
	if body && trust < Open {
		j.unknown(s)
	}
}

// variable returns the name of the first $NAME in a text.
func variable(t string) string {
	i := strings.IndexByte(t, '$')
	if i < 0 {
		return ""
	}
	n := i + 1
	for n < len(t) && isNameByte(t[n]) {
		n++
	}
	return t[i+1 : n]
}

// redirections judges where a command reads from and writes to.
func (j *judge) redirections(s *step, in flow) {
	for _, r := range s.redirs {
		t := r.target.text
		lower := strings.ToLower(t)
		writes := strings.Contains(r.op, ">")
		switch {
		case strings.HasPrefix(t, "/dev/tcp/") || strings.HasPrefix(t, "/dev/udp/"):
			both := strings.Contains(r.op, "<>")
			j.wired = j.wired || both || r.op[0] >= '3' && r.op[0] <= '9'
			if isShell(s.name) && s.onlyFlags() || isPython(s.name) {
				j.fact("reverse_shell", scan.SeverityMalicious, "network", "wires a shell to "+scan.Quote(t, 80))
			}
			if in.kind == secret || s.flows.kind == secret || catsSecret(s) {
				j.fact("exfiltration", scan.SeverityMalicious, "exfiltration", "sends keys, tokens or the environment to "+scan.Quote(t, 80))
			}
		case j.wired && strings.HasPrefix(t, "&") || j.wired && strings.HasSuffix(r.op, "&"):
			if isShell(s.name) || strings.HasPrefix(s.path, "$") {
				j.fact("reverse_shell", scan.SeverityMalicious, "network", "wires commands to the network")
			}
		case writes && strings.HasPrefix(lower, "/dev/") && isDisk(lower):
			j.fact("destroys", scan.SeverityMalicious, "destruction", "overwrites the disk "+scan.Quote(t, 80))
		case writes && (strings.HasSuffix(lower, "/ld.so.preload") || strings.HasPrefix(lower, "/etc/cron") || strings.HasPrefix(lower, "/var/spool/cron") || strings.HasPrefix(lower, "/etc/sudoers") || lower == "/etc/passwd" || lower == "/etc/shadow" || strings.Contains(lower, "/launchagents/")):
			j.fact("persistence", scan.SeveritySuspicious, "persistence", "writes "+scan.Quote(t, 80)+", which the system acts on later")
		case writes && strings.HasSuffix(lower, "authorized_keys"):
			if strings.Contains(in.text+s.words(), "ssh-") || strings.Contains(in.text+s.words(), "ecdsa-") {
				j.fact("persistence", scan.SeveritySuspicious, "persistence", "lets a key of its own log in")
			}
		case writes && startupFile(lower):
			if s.name == "echo" || s.name == "printf" || s.name == "cat" || s.name == "tee" {
				j.later(s, in)
			}
		}
	}
}

// later judges a text that is written to a file the shell reads at its start.
func (j *judge) later(s *step, in flow) {
	var parts []string
	for _, a := range s.args {
		parts = append(parts, a.text)
	}
	j.text(in.text+"\n"+strings.Join(parts, " "), 0, maxDepth)
}

func startupFile(p string) bool {
	for _, s := range [...]string{"/.bashrc", "/.bash_profile", "/.profile", "/.zshrc", "/.zprofile", "/.bash_login", "/etc/profile", "/etc/bash.bashrc", "/etc/rc.local"} {
		if strings.HasSuffix(p, s) {
			return true
		}
	}
	return strings.HasPrefix(p, "/etc/profile.d/")
}

func isDisk(p string) bool {
	for _, d := range [...]string{"/dev/sd", "/dev/nvme", "/dev/hd", "/dev/vd", "/dev/xvd", "/dev/disk", "/dev/mmcblk", "/dev/mem", "/dev/kmem"} {
		if strings.HasPrefix(p, d) {
			return true
		}
	}
	return false
}

func catsSecret(s *step) bool {
	if s.name != "cat" {
		return false
	}
	for _, a := range s.args {
		if secretPath(a.text) {
			return true
		}
	}
	return false
}
