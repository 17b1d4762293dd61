package pickle

import "modelwall/scan"

// makeCode judges what makes a function, a class or a module out of code: what
// code does can not be said from outside, but code that names what executes
// commands says enough.
func (m *machine) makeCode(args, kwargs value, accuse func(scan.Severity, string)) {
	budget := 512
	named := m.executesIn(args, 4, &budget)
	if named == "" && kwargs.w != 0 {
		named = m.executesIn(kwargs, 4, &budget)
	}
	switch {
	case named != "":
		accuse(scan.SeverityMalicious, "the code that it brings along names "+quoteName(named))
	case m.payload(args):
		accuse(scan.SeverityMalicious, "the code that it brings along holds code, a command or an address")
	default:
		accuse(scan.SeveritySuspicious, "it makes functions, classes or modules out of code that the file brings along")
	}
}

// executesIn finds a text that names something that executes commands or
// takes the interpreter apart.
func (m *machine) executesIn(v value, depth int, budget *int) string {
	if *budget--; *budget < 0 || depth < 0 {
		return ""
	}
	if v.text() {
		s, _ := m.text(v, 64)
		switch s {
		case "__import__", "__subclasses__", "subprocess", "socket", "ctypes", "pty", "marshal", "posix", "nt":
			return s
		}
		if executes(s) && s != "compile" {
			return s
		}
		return ""
	}
	items, _ := v.items()
	for _, item := range items {
		if s := m.executesIn(item, depth-1, budget); s != "" {
			return s
		}
	}
	return ""
}
