package marshal

// Uses is how instructions use the names of a code object.
type Uses struct {
	Globals    []string // looked up as a variable of the module or a builtin
	Attributes []string // looked up on an object, or set
	Imports    []string // modules, and what is taken from them
	// Sound tells that the instructions are of a known version of Python, and
	// refer to constants and names that exist. Otherwise the lists may not be
	// all there is.
	Sound bool
}

// opcodes are the numbers of the instructions that matter in a version.
type opcodes struct {
	extended, constant           byte
	name, global                 byte // variables
	attribute, method, super     byte
	setAttribute, deleteAttr     byte
	importName, importFrom       byte
	storeName, storeGlobal, dict byte
	have                         byte // instructions from here on have an argument
}

func classic() opcodes {
	return opcodes{
		extended: 144, constant: 100, name: 101, global: 116, attribute: 106, method: 160, super: 141,
		setAttribute: 95, deleteAttr: 96, importName: 108, importFrom: 109, storeName: 90, storeGlobal: 97, dict: 175, have: 90,
	}
}

func python313() opcodes {
	return opcodes{
		extended: 71, constant: 83, name: 92, global: 91, attribute: 82, super: 93,
		setAttribute: 108, deleteAttr: 63, importName: 75, importFrom: 74, storeName: 114, storeGlobal: 113, dict: 90, have: 44,
	}
}

// The RESUME instruction, with which code begins since 3.11, by its number.
const (
	resume311 = 151 // and 3.12
	resume313 = 149
	maxResume = 16 // instructions that may come before
)

const returnValue = 83 // up to 3.12

// Uses goes through the instructions.
func (c Code) Uses() Uses {
	b := c.Bytecode
	u := Uses{Sound: true}
	switch {
	case c.layout == python2, c.layout == python30 && !wordcode(b):
		ops := classic()
		if c.layout == python2 {
			ops.extended = 145
		}
		c.instructions(&u, ops, func(i int) (op byte, arg, next int) {
			if b[i] < ops.have {
				return b[i], 0, i + 1
			}
			if i+3 > len(b) {
				u.Sound = false
				return b[i], 0, len(b)
			}
			return b[i], int(b[i+1]) | int(b[i+2])<<8, i + 3
		}, 16)
		return u
	}
	ops := classic()
	if c.layout == python311 {
		switch resumeOf(b) {
		case resume311:
		case resume313:
			ops = python313()
		default:
			u.Sound = false
		}
	}
	c.instructions(&u, ops, func(i int) (op byte, arg, next int) {
		if i+2 > len(b) {
			u.Sound = false
			return b[i], 0, len(b)
		}
		return b[i], int(b[i+1]), i + 2
	}, 8)
	return u
}

// wordcode reports whether instructions take two bytes each, as from 3.6 on:
// the last one returns.
func wordcode(b []byte) bool {
	return len(b) >= 2 && len(b)%2 == 0 && b[len(b)-2] == returnValue
}

// resumeOf returns the instruction with which the code proper begins, 0 when
// it is not among the first.
func resumeOf(b []byte) byte {
	for i := 0; i+2 <= len(b) && i < 2*maxResume; i += 2 {
		if b[i] == resume311 || b[i] == resume313 && !copiesFree(b, i) {
			return b[i]
		}
	}
	return 0
}

// copiesFree reports whether byte i, of the value that is RESUME in 3.13, is
// COPY_FREE_VARS of 3.11 and 3.12: that one comes first, and RESUME of its
// version follows it.
func copiesFree(b []byte, i int) bool {
	for j := i + 2; j+2 <= len(b) && j < i+2*maxResume; j += 2 {
		if b[j] == resume311 && b[j+1] <= 3 {
			return i == 0 && b[1] > 0
		}
	}
	return false
}

// instructions calls step from the first byte on, and notes what each refers
// to. An EXTENDED_ARG shifts the next argument by width bits.
func (c Code) instructions(u *Uses, ops opcodes, step func(i int) (op byte, arg, next int), width int) {
	shifted := 0
	seen := map[use]bool{}
	for i := 0; i < len(c.Bytecode); {
		op, arg, next := step(i)
		arg |= shifted
		shifted = 0
		i = next
		if op == ops.extended {
			shifted = arg << width
			if arg >= 1<<32 {
				u.Sound = false
				return
			}
			continue
		}
		index := arg
		var list *[]string
		switch op {
		case ops.constant:
			if arg >= c.Consts {
				u.Sound = false
			}
			continue
		case ops.global:
			if c.layout == python311 {
				index = arg >> 1 // the lowest bit is a flag
			}
			list = &u.Globals
		case ops.name, ops.storeName, ops.storeGlobal:
			list = &u.Globals
		case ops.dict, ops.super:
			if c.layout != python311 {
				continue
			}
			if list = &u.Globals; op == ops.super {
				list, index = &u.Attributes, arg>>2
			}
		case ops.attribute:
			if c.layout == python311 && (ops.have == 44 || cached(c.Bytecode[i:]) >= 9) { // not 3.11
				index = arg >> 1
			}
			list = &u.Attributes
		case ops.method, ops.setAttribute, ops.deleteAttr:
			if op == 0 || op == ops.method && c.layout < python30 {
				continue
			}
			list = &u.Attributes
		case ops.importName, ops.importFrom:
			list = &u.Imports
		default:
			continue
		}
		if index >= len(c.Names) {
			u.Sound = false
			continue
		}
		if k := (use{op, index}); !seen[k] {
			seen[k] = true
			*list = append(*list, c.Names[index])
		}
	}
}

type use struct {
	op    byte
	index int
}

// cached counts the empty cache entries at the beginning of b.
func cached(b []byte) int {
	n := 0
	for 2*n+1 < len(b) && b[2*n] == 0 {
		n++
	}
	return n
}
