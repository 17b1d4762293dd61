package data

import (
	"bytes"
	"encoding/binary"
)

// program names the kind of program that head begins, "PE" with a question
// still open: whether the new header is where the old one says.
func program(head []byte) string {
	be := binary.BigEndian
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return "an ELF program"
	case bytes.HasPrefix(head, []byte("MZqFpD")), bytes.HasPrefix(head, []byte("jartsr=")):
		return "a program for several systems (APE)"
	case bytes.HasPrefix(head, []byte("MZ")):
		return "PE"
	case shebang(head):
		return "a script with an interpreter line"
	case len(head) < 8:
		return ""
	}
	switch magic := be.Uint32(head); {
	case magic == 0xfeedface, magic == 0xfeedfacf, magic == 0xcefaedfe, magic == 0xcffaedfe:
		return "a Mach-O program"
	case (magic == 0xcafebabe || magic == 0xcafebabf) && be.Uint32(head[4:]) < 45:
		return "a Mach-O program"
	}
	return ""
}

// shebang reports "#!" and a path.
func shebang(head []byte) bool {
	rest, ok := bytes.CutPrefix(head, []byte("#!"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte("/"))
}
