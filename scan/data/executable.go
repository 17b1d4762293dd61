package data

import (
	"bytes"
	"context"
	"encoding/binary"

	"modelwall/scan"
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

func matchExecutable(p scan.Probe) bool { return program(p.Head) != "" }

func scanExecutable(_ context.Context, in *input) error {
	head, err := in.head(64)
	if err != nil {
		return err
	}
	what := program(head)
	if what == "PE" {
		what = "a Windows program"
		ok, err := in.isPE(head)
		if err != nil {
			return err
		}
		if !ok {
			return foreign(0, "no PE header")
		}
	}
	severity := scan.SeveritySuspicious
	if shebang(head) {
		// Many repositories carry their training scripts. One runs when its
		// user runs it, not when a model is loaded.
		severity = scan.Low
	}
	in.finding("data.executable", severity, "executable", 0, what+": nothing that a model needs")
	return nil
}

// isPE follows the DOS header to the PE header.
func (in *input) isPE(head []byte) (bool, error) {
	const pointer = 0x3c
	if len(head) < pointer+4 {
		return false, nil
	}
	at := int64(binary.LittleEndian.Uint32(head[pointer:]))
	if at > in.Size-4 {
		return false, nil
	}
	var sig [4]byte
	err := in.read(sig[:], at)
	return string(sig[:]) == "PE\x00\x00", err
}
