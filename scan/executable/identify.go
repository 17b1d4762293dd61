package executable

import (
	"bytes"
	"encoding/binary"
)

// kind says how a program is judged.
type kind uint8

const (
	none     kind = iota
	native        // runs on a processor
	dos           // a DOS header, which may lead to a PE header
	hollow        // has the header of a program and nothing that could run
	code          // bytecode that runs with its user's rights
	harmless      // code that reaches nothing by itself
)

// program is what the first bytes of a file say.
type program struct {
	kind kind
	what string
}

// identify names the program that head begins.
func identify(head []byte) program {
	for _, s := range [...]struct {
		magic string
		program
	}{
		{"MZqFpD", program{native, "a program for several systems (APE)"}},
		{"jartsr=", program{native, "a program for several systems (APE)"}},
		{"APEDBG=", program{native, "a program for several systems (APE)"}},
		{"MZ", program{dos, "a Windows program"}},
		{"\x00asm\x01\x00\x00\x00", program{harmless, "WebAssembly: runs in a web page or host that loads it, and reaches what that gives it"}},
		{"dex\n03", program{code, "Android bytecode"}},
		{"dex\n04", program{code, "Android bytecode"}},
		{"\x1bLua", program{code, "Lua bytecode"}},
		{"\x1bLJ", program{code, "LuaJIT bytecode"}},
	} {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return s.program
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return elf(head)
	case shebang(head):
		return program{harmless, "a script with an interpreter line: runs when its user runs it"}
	case len(head) < 8:
		return program{}
	}
	be := binary.BigEndian
	switch magic, next := be.Uint32(head), be.Uint32(head[4:]); {
	case magic == 0xfeedface, magic == 0xfeedfacf, magic == 0xcefaedfe, magic == 0xcffaedfe:
		return program{native, "a Mach-O program"}
	case magic == 0xcafebabe && next >= firstClass:
		return program{code, "a Java class"}
	case (magic == 0xcafebabe || magic == 0xcafebabf) && next > 0 && next < firstClass:
		return program{native, "a Mach-O program"} // with that many parts
	}
	return program{}
}

// firstClass is the version, minor and major, of the oldest Java class files. A
// Mach-O file of several parts has their number at that place.
const firstClass = 45

// shebang reports "#!" and a path.
func shebang(head []byte) bool {
	rest, ok := bytes.CutPrefix(head, []byte("#!"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte("/"))
}

// elf looks at the header of an ELF file.
func elf(head []byte) program {
	const long, big = 2, 2 // values of EI_CLASS and EI_DATA
	if len(head) < 64 {
		return program{native, "an ELF program"}
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == big {
		order = binary.BigEndian
	}
	var phoff, shoff uint64
	at := 44 // of e_phnum
	if head[4] == long {
		phoff, shoff, at = order.Uint64(head[32:]), order.Uint64(head[40:]), 56
	} else {
		phoff, shoff = uint64(order.Uint32(head[28:])), uint64(order.Uint32(head[32:]))
	}
	if phoff == 0 && shoff == 0 && order.Uint16(head[at:]) == 0 && order.Uint16(head[at+4:]) == 0 {
		return program{hollow, "an ELF program"}
	}
	switch order.Uint16(head[18:]) { // e_machine
	case 190:
		return program{harmless, "code for an NVIDIA GPU (ELF)"}
	case 224:
		return program{harmless, "code for an AMD GPU (ELF)"}
	case 164:
		return program{harmless, "code for a Hexagon DSP (ELF)"}
	}
	return program{native, "an ELF program"}
}
