package shell

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// filter tells what commands that read and write text make of it. ok is false
// for commands that are none.
func (j *judge) filter(s *step, in flow) (out flow, ok bool) {
	switch s.name {
	case "echo", "printf", "print", "yes":
		var parts []string
		for i, a := range s.args {
			if i == 0 && len(a.text) > 1 && a.text[0] == '-' {
				continue
			}
			parts = append(parts, a.text)
		}
		text := strings.Join(parts, " ")
		out = flow{kind: known, text: text}
		if s.flows.kind != nothing {
			out.kind, out.url = max(known, s.flows.kind), s.flows.url
		}
		if strings.Contains(text, `\x`) || strings.Contains(text, `\0`) || strings.Contains(text, `\1`) {
			l := lexer{s: text}
			var b strings.Builder
			l.ansi(func(p string) { b.WriteString(p) })
			if strings.Count(text, `\x`)+strings.Count(text, `\0`)+strings.Count(text, `\1`) > 3 {
				out.kind = decoded
			}
			out.text = b.String()
		}
		if v := variable(text); out.kind == known && v != "" && secretVariable(v) {
			out.kind = secret
		}
		return out, false // what echo itself does is nothing, but not known to be harmless either
	case "cat", "head", "tail", "less", "more", "nl", "tac", "dd", "strings", "type", "gc", "get-content", "find", "ls":
		for _, a := range s.args {
			if secretPath(strings.TrimPrefix(a.text, "if=")) {
				return flow{kind: secret}, false
			}
		}
		if len(s.args) == 0 || s.name == "head" || s.name == "tail" || s.name == "cat" && s.args[len(s.args)-1].text == "-" {
			return in, true
		}
		return worse(flow{}, s.flows), false
	case "tee":
		return in, true
	case "tar", "zip", "gzip", "bzip2", "xz", "7z", "zstd":
		for _, a := range s.args {
			if secretPath(a.text) {
				return flow{kind: secret}, false
			}
		}
		return in, in.kind != nothing
	case "grep", "egrep", "sed", "awk", "gawk", "cut", "sort", "uniq", "jq", "column", "fold", "paste", "gunzip", "zcat", "bunzip2", "unxz", "xzcat", "wc", "tqdm", "pv", "iconv", "dos2unix", "funzip", "brotli", "unzstd":
		for _, a := range s.args {
			if strings.Contains(a.text, "/inet/tcp/") {
				return flow{}, false
			}
			if s.name != "sed" && secretPath(a.text) {
				return flow{kind: secret}, false
			}
		}
		if in.kind == known && (s.name == "sed" || s.name == "awk") {
			in.text = "" // no longer known
			in.kind = nothing
		}
		return in, true
	case "base64", "base32", "gbase64":
		if !s.flag("-d", "-D", "--decode", "-di", "-id") {
			if in.kind == secret || in.kind == host {
				return in, true
			}
			return flow{}, true
		}
		return decode(s.name, j.input(s, in)), true
	case "xxd", "hexdump", "od":
		if s.name == "xxd" && s.flag("-r") {
			return decode("hex", j.input(s, in)), true
		}
		return in, true
	case "openssl":
		if len(s.args) > 0 && (s.args[0].text == "enc" || s.args[0].text == "base64" || strings.HasPrefix(s.args[0].text, "aes")) && s.flag("-d") {
			return flow{kind: decoded}, true
		}
		return flow{}, false
	case "uudecode":
		return flow{kind: decoded}, true
	case "rev":
		f := j.input(s, in)
		b := []byte(f.text)
		slices.Reverse(b)
		return flow{kind: decoded, text: string(b)}, true
	case "tr":
		if in.kind == known && len(s.args) == 2 && !strings.HasPrefix(s.args[0].text, "-") && len(s.args[0].text) > 6 {
			return flow{kind: decoded}, true
		}
		if in.kind == known {
			in.kind, in.text = nothing, ""
		}
		return in, true
	case "env", "printenv", "set", "export", "declare":
		if len(s.args) == 0 {
			return flow{kind: secret}, s.name != "env" && s.name != "printenv"
		}
		if s.name == "printenv" && secretVariable(s.args[0].text) {
			return flow{kind: secret}, false
		}
		return flow{}, false
	case "whoami", "id", "hostname", "ifconfig", "ipconfig", "systeminfo":
		return flow{kind: host}, false
	case "uname":
		return flow{kind: nothing}, false
	}
	return flow{}, false
}

// input is what a filter reads: the pipe, or the text of a here-string.
func (j *judge) input(s *step, in flow) flow {
	if in.kind == nothing && s.flows.kind != nothing {
		return s.flows
	}
	return in
}

// decode makes of an encoded text what the command would.
func decode(how string, in flow) flow {
	out := flow{kind: decoded, url: in.url}
	clean := strings.Join(strings.Fields(in.text), "")
	var b []byte
	var err error
	switch how {
	case "base32":
		b, err = base32.StdEncoding.DecodeString(clean)
	case "hex":
		b, err = hex.DecodeString(clean)
	default:
		b, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(clean, "="))
	}
	if err == nil && in.text != "" {
		out.text = string(b)
	}
	return out
}
