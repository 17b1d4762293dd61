package pickle

import (
	"strconv"
	"strings"

	"modelwall/scan"
)

// Bounds of evidence text.
const (
	describeText  = 120
	describeItems = 6
	describeMax   = 600
)

// describe renders a value for a person: short, escaped, at most depth levels.
func (m *machine) describe(v value, depth int) string {
	var b strings.Builder
	m.write(&b, v, depth)
	return b.String()
}

// describeArgs renders the arguments of a call with their parentheses.
func (m *machine) describeArgs(args value) string {
	s := m.describe(args, 3)
	if args.kind() == kindTuple && strings.HasPrefix(s, "(") {
		return strings.TrimSuffix(strings.TrimSuffix(s, ")"), ",") + ")"
	}
	return "(*" + s + ")"
}

// describeCall renders the arguments of a call, by place and by name.
func (m *machine) describeCall(args, kwargs value) string {
	s := m.describeArgs(args)
	if kwargs.w == 0 || kwargs.empty() {
		return s
	}
	return s + " with " + m.describe(kwargs, 3)
}

func (m *machine) write(b *strings.Builder, v value, depth int) {
	if b.Len() > describeMax {
		b.WriteString("...")
		return
	}
	switch v.kind() {
	case kindNone:
		b.WriteString("None")
	case kindBool:
		if v.payload() == 1 {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case kindInt:
		if v.is(flagBig) {
			b.WriteString("a big integer")
		} else {
			b.WriteString(strconv.FormatInt(v.int(), 10))
		}
	case kindFloat:
		b.WriteString("a float")
	case kindStr, kindBytes, kindText8:
		s, whole := m.text(v, 4*describeText)
		if v.kind() == kindBytes {
			b.WriteByte('b')
		}
		b.WriteString(scan.Quote(s, describeText))
		if !whole && len(s) <= describeText {
			b.WriteString("...")
		}
	case kindTuple:
		m.writeItems(b, v, "(", ")", depth)
	case kindList:
		m.writeItems(b, v, "[", "]", depth)
	case kindSet:
		m.writeItems(b, v, "{", "}", depth)
	case kindDict:
		m.writeItems(b, v, "{", "}", depth)
	case kindGlobal:
		b.WriteString(m.names.list[v.index()].String())
	case kindObject:
		b.WriteString("an instance made by " + m.names.list[v.index()].String())
	case kindPersistent:
		b.WriteString("a persistent object")
	case kindMark:
		b.WriteString("a mark")
	default:
		b.WriteString("an unknown object")
	}
}

func (m *machine) writeItems(b *strings.Builder, v value, open, end string, depth int) {
	b.WriteString(open)
	defer b.WriteString(end)
	items, whole := v.items()
	if depth == 0 && len(items) > 0 {
		b.WriteString("...")
		return
	}
	sep := [2]string{", ", ", "}
	if v.kind() == kindDict {
		sep[0] = ": "
	}
	for i, item := range items {
		if i == describeItems {
			whole = false
			break
		}
		if i > 0 {
			b.WriteString(sep[(i+1)%2])
		}
		m.write(b, item, depth-1)
	}
	if !whole {
		b.WriteString(", ...")
	}
}

// payload reports whether what a callable is given looks like code, a shell
// command or a network address.
func (m *machine) payload(args value) bool {
	budget := 64
	return m.payloadIn(args, 3, &budget)
}

func (m *machine) payloadIn(v value, depth int, budget *int) bool {
	if *budget--; *budget < 0 || depth < 0 {
		return false
	}
	if v.text() || v.bytes() {
		s, _ := m.text(v, maxName)
		return suspiciousText(s)
	}
	items, _ := v.items()
	for _, item := range items {
		if m.payloadIn(item, depth-1, budget) {
			return true
		}
	}
	return false
}

// suspiciousText reports whether s holds what code, commands and addresses
// are made of.
func suspiciousText(s string) bool {
	s = strings.ToLower(s)
	for _, mark := range []string{
		"import os", "import sys", "import subprocess", "import socket", "import pty", "__import__", "os.system",
		"os.popen", "subprocess.", "__builtins__", "__globals__", "__subclasses__", "exec(", "eval(", "compile(",
		"/bin/sh", "/bin/bash", "bash -", "sh -c", "cmd.exe", "cmd /c", "powershell", "curl ", "wget ", "nc -e",
		"rm -rf", "chmod +x", "mkfifo", "/dev/tcp/", "/etc/passwd", "/etc/shadow", ".ssh/", "authorized_keys",
		"base64 -d", "touch /tmp", "> /tmp", ">/tmp", "socket.socket", "calc.exe", "whoami", "/proc/self",
		"http://", "https://", "ftp://", "file://", "crontab", "system(", "popen(",
	} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	return false
}
