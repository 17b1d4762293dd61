package script

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"strings"

	"modelwall/scan"
	"modelwall/scan/python/program"
	"modelwall/scan/script/shell"
)

// matchShell: an interpreter line of a shell, a Dockerfile, or a name.
func matchShell(p scan.Probe) bool {
	if shellLine(p.Head) || dockerfile(p.Head) {
		return true
	}
	switch ext(p.Name) {
	case ".sh", ".bash", ".zsh", ".ksh", ".command", ".ps1", ".psm1", ".bat", ".cmd", ".run", ".dockerfile":
		return textual(p.Head) || p.Head[0] == '#'
	}
	return false
}

// shellLine reports "#!" with a shell.
func shellLine(head []byte) bool {
	rest, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	for i, word := range strings.Fields(string(line[:min(len(line), 256)])) {
		switch name := path.Base(word); {
		case i == 0 && name == "env", i > 0 && (strings.HasPrefix(word, "-") || strings.Contains(word, "=")):
			continue
		default:
			switch name {
			case "sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "csh", "tcsh", "mksh", "busybox", "pwsh":
				return true
			}
			return false
		}
	}
	return false
}

var (
	fromLine = regexp.MustCompile(`(?m)^(?i:FROM)[ \t]+[a-zA-Z0-9$][^ \t\n]*([ \t]+(?i:AS)[ \t]+[^ \t\n]+)?[ \t]*$`)
	runLine  = regexp.MustCompile(`(?m)^[ \t]*(?i:RUN|CMD|ENTRYPOINT)[ \t]`)
)

// dockerfile reports the instructions of one.
func dockerfile(head []byte) bool { return fromLine.Match(head) && runLine.Match(head) }

func scanShell(ctx context.Context, in *input) error {
	head := make([]byte, min(in.Size, scan.HeadSize))
	if err := in.read(head, 0); err != nil {
		return err
	}
	docker := dockerfile(head) && !shellLine(head)
	return in.segments(ctx, 0, func(b []byte, off int64) error {
		text := string(withoutBinary(b))
		if docker {
			text = instructions(text)
		}
		r := shell.Read(text)
		for _, f := range r.Facts {
			in.finding("shell."+f.What, f.Severity, f.Technique, off+f.Off, f.Message)
		}
		for _, p := range r.Programs {
			if err := in.python(ctx, p.Text, off+p.Off); err != nil {
				return err
			}
		}
		return nil
	})
}

// python judges a program in a command. Somebody has to run it, as the script
// around it.
func (in *input) python(ctx context.Context, text string, off int64) error {
	r, err := program.ReadString(ctx, text, program.Options{Interactive: true})
	if err != nil {
		return err
	}
	for _, f := range r.Facts {
		in.finding("shell.python_"+f.What, f.Severity, f.Technique, off, "a Python program in a command: "+f.Message)
	}
	for _, m := range r.Members {
		if err := in.member(ctx, m.Name, string(m.Data)); err != nil {
			return err
		}
	}
	return nil
}

// withoutBinary drops lines that are no text: some installers carry their
// archive behind the script.
func withoutBinary(b []byte) []byte {
	if bytes.IndexByte(b, 0) < 0 {
		return b
	}
	var out []byte
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if bytes.IndexByte(line, 0) < 0 {
			out = append(append(out, line...), '\n')
		}
	}
	return out
}

// instructions leaves of a Dockerfile its commands.
func instructions(text string) string {
	var b strings.Builder
	more := false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if !more {
			loc := runLine.FindStringIndex(line)
			if loc == nil {
				b.WriteByte('\n')
				more = strings.HasSuffix(trimmed, `\`)
				continue
			}
			line = line[loc[1]:]
			for strings.HasPrefix(strings.TrimSpace(line), "--") { // RUN --mount=…
				_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
				line = rest
			}
		} else if strings.HasPrefix(trimmed, "#") {
			continue // a comment inside an instruction
		}
		b.WriteString(line)
		b.WriteByte('\n')
		more = strings.HasSuffix(trimmed, `\`)
	}
	return b.String()
}
