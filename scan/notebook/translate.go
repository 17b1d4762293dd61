package notebook

import "strings"

// translate splits the code of a cell into Python and the commands it gives to
// the shell. Lines that are neither become "pass", so that blocks keep their
// shape.
func translate(cell string, code, commands *strings.Builder) {
	lines := strings.Split(strings.ReplaceAll(cell, "\r\n", "\n"), "\n")
	first := 0
	for first < len(lines) && strings.TrimSpace(lines[first]) == "" {
		first++
	}
	if first < len(lines) && strings.HasPrefix(lines[first], "%%") {
		rest := strings.Join(lines[first+1:], "\n")
		switch words := strings.Fields(lines[first][2:]); {
		case len(words) == 0:
		case shellMagic(words):
			commands.WriteString(rest + "\n")
			return
		case words[0] == "!" || words[0] == "sx" || words[0] == "system":
			commands.WriteString(strings.Join(words[1:], " ") + "\n" + rest + "\n")
			return
		case pythonMagic(words[0]):
			lines = lines[first+1:]
		default:
			return // a file to be written, a page, another language
		}
	}
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimLeft(line, " \t")
		indent := line[:len(line)-len(trimmed)]
		command, magic := magicLine(trimmed)
		if !magic {
			code.WriteString(line + "\n")
			continue
		}
		for strings.HasSuffix(strings.TrimRight(command, " \t"), `\`) && i+1 < len(lines) {
			i++
			command = strings.TrimSuffix(strings.TrimRight(command, " \t"), `\`) + " " + lines[i]
		}
		if python, ok := strings.CutPrefix(command, "\x00"); ok {
			code.WriteString(indent + python + "\n")
			continue
		}
		commands.WriteString(command + "\n")
		code.WriteString(indent + "pass\n")
	}
	code.WriteString("\n")
	commands.WriteString("\n")
}

// shellMagic reports cells that a shell runs.
func shellMagic(words []string) bool {
	switch words[0] {
	case "bash", "sh", "zsh", "cmd", "powershell", "shell":
		return true
	case "script":
		for _, w := range words[1:] {
			if w == "bash" || w == "sh" || w == "zsh" || strings.HasSuffix(w, "/bash") || strings.HasSuffix(w, "/sh") {
				return true
			}
		}
	}
	return false
}

// pythonMagic reports cells whose content is Python all the same.
func pythonMagic(name string) bool {
	switch name {
	case "time", "timeit", "capture", "prun", "python", "python3", "pypy", "cython", "debug", "memit", "mprun", "lprun", "heat", "snakeviz", "px", "ray", "spark", "pyspark", "local", "skip", "wandb", "cuda", "tb":
		return true
	}
	return false
}

// magicLine tells what a line of IPython's dialect gives to the shell. Python
// that stands in a magic comes back behind a NUL.
func magicLine(line string) (command string, magic bool) {
	switch {
	case strings.HasPrefix(line, "!!"):
		return holes(line[2:]), true
	case strings.HasPrefix(line, "!"):
		return holes(line[1:]), true
	case strings.HasPrefix(line, "?") || strings.HasSuffix(strings.TrimSpace(line), "?") && !strings.ContainsAny(line, `"'#`):
		return "", true
	case strings.HasPrefix(line, "%"):
		name, rest, _ := strings.Cut(strings.TrimLeft(line, "%"), " ")
		switch name {
		case "sx", "system", "sc", "bash", "sh":
			return holes(rest), true
		case "pip", "conda", "mamba", "uv":
			return name + " " + holes(rest), true
		case "time", "timeit", "prun", "memit":
			return "\x00" + strings.TrimSpace(rest), true
		}
		return "", true
	}
	// name = !command
	if target, rest, ok := strings.Cut(line, "="); ok {
		rest = strings.TrimLeft(rest, " \t")
		if !strings.ContainsAny(target, `"'([#`) && (strings.HasPrefix(rest, "!") && !strings.HasPrefix(rest, "!=") || strings.HasPrefix(rest, "%sx") || strings.HasPrefix(rest, "%system")) {
			c, _ := magicLine(rest)
			return c, true
		}
	}
	return "", false
}

// holes puts a variable of the shell where IPython puts a value of Python.
func holes(command string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(command, '{')
		if i < 0 {
			break
		}
		end := strings.IndexByte(command[i:], '}')
		if end < 0 || i > 0 && command[i-1] == '$' || strings.ContainsAny(command[i:i+end], ",;") {
			b.WriteString(command[:i+1])
			command = command[i+1:]
			continue
		}
		b.WriteString(command[:i] + "$_")
		command = command[i+end+1:]
	}
	b.WriteString(command)
	return b.String()
}
