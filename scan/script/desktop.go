package script

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/script/shell"
)

const linkMagic = "L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00F"

// matchDesktop: the first bytes of a shortcut or the first line of a launcher.
func matchDesktop(p scan.Probe) bool {
	if bytes.HasPrefix(p.Head, []byte(linkMagic[:8])) {
		return true
	}
	head := strings.ToLower(string(narrow(p.Head)))
	return strings.Contains(head, "[desktop entry]") || strings.Contains(head, "[internetshortcut")
}

// maxLauncher bounds what is read of a launcher; longer ones are padded to
// hide what they start.
const maxLauncher = 1 << 20

func scanDesktop(_ context.Context, in *input) error {
	b := make([]byte, min(in.Size, maxLauncher))
	if err := in.read(b, 0); err != nil {
		return err
	}
	if bytes.HasPrefix(b, []byte(linkMagic[:8])) {
		in.shortcut(b)
		return nil
	}
	section, seen := "", false
	off := int64(0)
	for line := range strings.SplitSeq(string(narrow(b)), "\n") {
		at := off
		off += int64(len(line)) + 1
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.ToLower(line)
			seen = seen || section == "[desktop entry]" || strings.HasPrefix(section, "[internetshortcut")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			if !seen && line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
				return foreign("text about a launcher")
			}
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "exec", "tryexec":
			if strings.HasPrefix(section, "[desktop") {
				in.started(value, at)
			}
		case "url", "iconfile":
			in.address(value, at)
		}
	}
	if in.Size > maxLauncher {
		in.finding("desktop.padded", scan.SeveritySuspicious, "obfuscation", 0, "a launcher that is longer than any is")
	}
	return nil
}

// started judges the command of a launcher.
func (in *input) started(command string, off int64) {
	r := shell.Read(command)
	for _, f := range r.Facts {
		in.finding("desktop."+f.What, f.Severity, f.Technique, off, "a launcher that "+f.Message)
	}
	sev := scan.Low
	if fields := strings.Fields(command); len(fields) > 1 {
		switch base(fields[0]) {
		case "sh", "bash", "zsh", "dash", "python", "python3", "perl", "cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh", "mshta", "env":
			sev = scan.SeveritySuspicious
		}
	}
	in.finding("desktop.exec", sev, "code-execution", off, "a launcher that starts "+scan.Quote(command, 120)+" when it is opened")
}

// address judges the target of an internet shortcut.
func (in *input) address(url string, off int64) {
	u := strings.ToLower(url)
	switch {
	case strings.HasPrefix(u, "file:"), strings.HasPrefix(u, `\\`), strings.HasPrefix(u, "//"), strings.HasPrefix(u, "javascript:"), strings.HasPrefix(u, "ms-"), strings.HasPrefix(u, "search-ms:"):
		in.finding("desktop.url", scan.SeveritySuspicious, "code-execution", off, "a shortcut that opens "+scan.Quote(url, 120)+", on this machine or another one's share")
	default:
		in.finding("desktop.url", scan.Low, "network", off, "a shortcut that opens "+scan.Quote(url, 120))
	}
}

// The flags of a shell link's header.
const (
	hasIDList = 1 << iota
	hasLinkInfo
	hasName
	hasRelativePath
	hasWorkingDir
	hasArguments
	hasIcon
	isUnicode
)

// shortcut judges a Windows shell link ([MS-SHLLINK] 2.1 to 2.4).
func (in *input) shortcut(b []byte) {
	texts := linkTexts(b)
	all := strings.Join(texts, " ")
	sev := scan.SeveritySuspicious
	for _, f := range shell.Read(all).Facts {
		in.finding("desktop."+f.What, f.Severity, f.Technique, 0, "a Windows shortcut that "+f.Message)
	}
	lower := strings.ToLower(all + " " + string(narrow(b[:min(len(b), 4096)])))
	for _, p := range [...]string{"powershell", "cmd.exe", "mshta", "wscript", "cscript", "rundll32", "regsvr32", "certutil", "msiexec", "forfiles", "conhost", "pwsh"} {
		if strings.Contains(lower, p) && len(texts) > 0 {
			sev = scan.SeverityMalicious
		}
	}
	in.finding("desktop.shortcut", sev, "code-execution", 0, "a Windows shortcut, which starts "+scan.Quote(strings.TrimSpace(all), 160)+" when it is opened; no model needs one")
}

// linkTexts reads the strings behind the header; what is cut off is left out.
func linkTexts(b []byte) []string {
	const header = 0x4c
	if len(b) < header {
		return nil
	}
	flags := binary.LittleEndian.Uint32(b[20:])
	rest := b[header:]
	skip := func(n int) bool {
		if n > len(rest) {
			return false
		}
		rest = rest[n:]
		return true
	}
	if flags&hasIDList != 0 {
		if len(rest) < 2 || !skip(2+int(binary.LittleEndian.Uint16(rest))) {
			return nil
		}
	}
	if flags&hasLinkInfo != 0 {
		if len(rest) < 4 || binary.LittleEndian.Uint32(rest) > uint32(len(rest)) || !skip(int(binary.LittleEndian.Uint32(rest))) {
			return nil
		}
	}
	var texts []string
	for _, f := range [...]uint32{hasName, hasRelativePath, hasWorkingDir, hasArguments, hasIcon} {
		if flags&f == 0 {
			continue
		}
		if len(rest) < 2 {
			break
		}
		n := int(binary.LittleEndian.Uint16(rest))
		rest = rest[2:]
		if flags&isUnicode != 0 {
			if 2*n > len(rest) {
				n = len(rest) / 2
			}
			u := make([]uint16, n)
			for i := range u {
				u[i] = binary.LittleEndian.Uint16(rest[2*i:])
			}
			rest = rest[2*n:]
			if f != hasIcon && f != hasWorkingDir {
				texts = append(texts, string(utf16.Decode(u)))
			}
			continue
		}
		n = min(n, len(rest))
		if f != hasIcon && f != hasWorkingDir {
			texts = append(texts, string(rest[:n]))
		}
		rest = rest[n:]
	}
	return texts
}
