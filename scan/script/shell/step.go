package shell

import (
	"strings"

	"modelwall/scan"
)

// step judges one command of a pipe and tells what it writes.
func (j *judge) step(s *step, in flow, depth int) flow {
	if s.eval {
		j.run(s.flows, "eval", depth)
		if words := s.words(); s.flows.kind == nothing && words != "" {
			j.text(words, 0, depth+1)
		}
	}
	if s.name == "" {
		return s.flows
	}
	j.mischief(s)
	if isWire(*s) {
		return j.wire(s, in)
	}
	switch {
	case isInterpreter(s.name):
		return j.interpreter(s, in, depth)
	case fetches(s.name):
		return j.fetch(s, in)
	}
	out, filter := j.filter(s, in)
	if filter {
		return out
	}
	if url, ok := j.fetched[strings.TrimPrefix(s.path, "./")]; ok {
		j.downloaded(url, "runs "+scan.Quote(s.path, 80)+", which it downloads")
		return flow{}
	}
	if !harmless(s) {
		j.unknown(s)
	}
	return worse(out, flow{kind: s.flows.kind & host})
}

// words is the command as text.
func (s *step) words() string {
	parts := []string{s.path}
	for _, a := range s.args {
		parts = append(parts, a.text)
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func (j *judge) unknown(s *step) {
	if len(j.report.Unknown) < 8 {
		text := s.words()
		if len(text) > 200 {
			text = text[:200]
		}
		j.report.Unknown = append(j.report.Unknown, text)
	}
}

// run judges data that is executed as commands.
func (j *judge) run(f flow, by string, depth int) {
	switch f.kind {
	case network:
		j.downloaded(f.url, "runs what it downloads with "+by)
	case decoded:
		j.fact("decode_exec", scan.SeverityMalicious, "obfuscation", "decodes a text and runs it with "+by)
		if f.text != "" {
			j.text(f.text, 0, depth+1)
		}
	case known:
		j.text(f.text, 0, depth+1)
	}
}

// downloaded reports that something from url is run.
func (j *judge) downloaded(url, what string) {
	sev := scan.SeveritySuspicious
	switch Judge(url) {
	case Known, Local, Open:
		sev = scan.Low
	case Shady:
		if url != "" {
			sev = scan.SeverityMalicious
		}
	}
	if url == "" {
		url = "an address that is not known here"
	} else {
		url = scan.Quote(url, 120)
	}
	j.fact("download_exec", sev, "network", what+", from "+url)
	if len(j.report.Unknown) < 8 {
		j.report.Unknown = append(j.report.Unknown, "download and run "+url)
	}
}

// interpreter judges a command that runs a program.
func (j *judge) interpreter(s *step, in flow, depth int) flow {
	if s.name == "source" || s.name == "." {
		j.run(s.flows, s.name, depth)
		j.script(s)
		return flow{}
	}
	code, inline := "", false
	switch {
	case isShell(s.name), isPython(s.name):
		code, inline = s.value("-c")
	case s.name == "perl" || s.name == "ruby" || s.name == "node" || s.name == "nodejs" || s.name == "lua" || s.name == "osascript":
		code, inline = s.value("-e", "-p")
	case s.name == "php":
		code, inline = s.value("-r")
	}
	if inline {
		j.inline(s, code, depth)
		return flow{}
	}
	if s.procSub() {
		j.run(s.flows, s.name, depth)
	}
	if isPython(s.name) && s.flag("-m") || s.name == "pwsh" || s.name == "powershell" {
		if !harmless(s) {
			j.unknown(s)
		}
		return flow{}
	}
	stdin := s.onlyFlags() || s.flag("-s")
	for _, a := range s.args {
		stdin = stdin || a.text == "-" || a.text == "/dev/stdin"
	}
	if stdin && in.kind != nothing {
		switch {
		case in.kind == known && isPython(s.name):
			j.program("python", in.text)
		case in.kind == known && !isShell(s.name):
			j.foreign(s.name, in.text)
		default:
			j.run(in, s.name, depth)
		}
		return flow{}
	}
	if !stdin {
		j.script(s)
	}
	return flow{}
}

func (s *step) procSub() bool {
	for _, a := range s.args {
		if a.proc {
			return true
		}
	}
	return false
}

// inline judges the text of -c and -e.
func (j *judge) inline(s *step, code string, depth int) {
	if s.flows.kind == network || s.flows.kind == decoded {
		j.run(s.flows, s.name+" -c", depth)
	}
	switch {
	case isShell(s.name):
		j.text(code, 0, depth+1)
	case isPython(s.name):
		j.program("python", code)
	default:
		j.foreign(s.name, code)
	}
}

func (j *judge) program(language, text string) {
	if len(j.report.Programs) < 100 && text != "" {
		j.report.Programs = append(j.report.Programs, Program{language, text, j.base})
	}
}

// script judges an interpreter that is given a file.
func (j *judge) script(s *step) {
	for _, a := range s.args {
		if a.text == "" || a.text[0] == '-' {
			continue
		}
		if url, ok := j.fetched[strings.TrimPrefix(a.text, "./")]; ok {
			j.downloaded(url, "runs "+scan.Quote(a.text, 80)+", which it downloads, with "+s.name)
		}
		return
	}
}

// foreign looks into one-liners of other languages for the shape of a reverse
// shell and of a download that is run.
func (j *judge) foreign(name, code string) {
	c := strings.ToLower(code)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(c, w) {
				return true
			}
		}
		return false
	}
	socket := has("socket", "fsockopen", "tcpsocket", "net.connect", "net.socket", "inet_aton", "require('net')", `require("net")`)
	run := has("exec", "system", "popen", "/bin/sh", "/bin/bash", "spawn", "proc_open")
	switch {
	case socket && run:
		j.fact("reverse_shell", scan.SeverityMalicious, "network", "a "+name+" one-liner wires a shell to the network")
	case run && has("http://", "https://") && has("eval", "exec", "system"):
		j.fact("download_exec", scan.SeveritySuspicious, "network", "a "+name+" one-liner runs what it downloads")
	case has("base64_decode", "decode_base64", "unpack(", "atob(", "'base64'", `"base64"`) && has("eval", "exec"):
		j.fact("decode_exec", scan.SeverityMalicious, "obfuscation", "a "+name+" one-liner decodes a text and runs it")
	default:
		if len(j.report.Unknown) < 8 {
			j.report.Unknown = append(j.report.Unknown, name+" one-liner")
		}
	}
}
