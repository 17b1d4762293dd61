package refs

import (
	"bytes"
	"encoding/binary"
)

// pickled reports whether b, the beginning of size bytes, is a pickle of
// protocol 2 or later: its opcodes are ones until something is imported or the
// stream stops. Encoded data that is no pickle, such as a line of an image in a
// notebook, may well begin like one.
func pickled(b []byte, size int64) bool {
	if len(b) < 4 || b[0] != 0x80 || b[1] < 2 || b[1] > 5 {
		return false
	}
	for at := 2; at < len(b); {
		op := b[at]
		at++
		switch op {
		case '.', 0x93, 0x82, 0x83, 0x84, 'P', 'Q':
			return true
		case 'c', 'i':
			module, rest, ok := bytes.Cut(b[at:], []byte("\n"))
			name, _, ok2 := bytes.Cut(rest, []byte("\n"))
			return ok && ok2 && len(module) > 0 && len(name) > 0 && word(module) && word(name)
		}
		n, ok := argument(op, b[at:])
		if !ok || int64(at)+n > size {
			return false
		}
		if n > int64(len(b)-at) {
			return true // a long string, whole
		}
		at += int(n)
	}
	return true
}

// argument returns how many bytes of argument an opcode has, false for no
// opcode or one whose argument is not there.
func argument(op byte, b []byte) (int64, bool) {
	counted := func(n int) (int64, bool) {
		if len(b) < n {
			return 0, false
		}
		var raw [8]byte
		copy(raw[:], b[:n])
		length := binary.LittleEndian.Uint64(raw[:])
		return int64(length) + int64(n), length < 1<<40
	}
	switch op {
	case '(', ')', '0', '1', '2', 'N', 'R', 'a', 'b', 'd', '}', 'e', 'l', ']', 'o', 's', 't', 'u',
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x94, 0x97, 0x98:
		return 0, true
	case 'K', 'h', 'q':
		return 1, true
	case 'M':
		return 2, true
	case 'J', 'j', 'r':
		return 4, true
	case 'G', 0x95:
		return 8, true
	case 'U', 'C', 0x8c, 0x8a:
		return counted(1)
	case 'T', 'X', 'B', 0x8b:
		return counted(4)
	case 0x8d, 0x8e, 0x96:
		return counted(8)
	case 'F', 'I', 'L', 'S', 'V', 'p', 'g':
		i := bytes.IndexByte(b, '\n')
		return int64(i) + 1, i >= 0
	}
	return 0, false
}
