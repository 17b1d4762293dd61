package pickle

import "math"

// kind is what an abstract value stands for.
type kind uint8

const (
	kindUnknown    kind = iota // a computed, foreign or forgotten object
	kindNone                   // None
	kindBool                   // payload 0 or 1
	kindInt                    // payload the number, see bigInt
	kindFloat                  // no payload
	kindStr                    // text; payload its place
	kindBytes                  // bytes or bytearray; payload its place
	kindText8                  // a Python 2 string: bytes or text, as the loader likes
	kindTuple                  // contents in node, nil when forgotten or empty
	kindList                   // as kindTuple
	kindDict                   // as kindTuple; node holds key, value, key, value…
	kindSet                    // as kindTuple; also frozenset
	kindGlobal                 // payload the index of the global
	kindObject                 // made by calling a global; payload its index
	kindPersistent             // what persistent_load returned; node holds the id
	kindMark                   // a Python 2 mark object used as a value
	kindRef                    // in the memo only: payload an index into kept values
)

// Flags of a value.
const (
	// flagTaint: the value is, or holds, something that must not reach a call.
	flagTaint = 1 << iota
	// flagDunder: a string that begins and ends with two underscores.
	flagDunder
	// flagLatin1: bytes that the file spells as text, one character per byte.
	flagLatin1
	// flagForgot: the details fell to a memory bound, not to the file.
	flagForgot
	// flagBig: the integer lies outside the payload's range.
	flagBig
)

// Flags of an instance. Picklers write its list items, then its dict items,
// then its state, right behind what makes it: any other order lets the file
// call methods of an instance whose attributes it chose.
const (
	// flagKeyed: the instance was given something by name.
	flagKeyed = flagLatin1
	// flagBuilt: its state was set, or it came through the memo or DUP.
	flagBuilt = flagBig
)

// value is one abstract Python object: 5 bits of kind, 5 of flags and 54 of
// payload. Strings are not copied: their payload is the offset of the opcode
// that pushes them (42 bits) and their length (12 bits, saturated).
type value struct {
	w uint64
	p *node
}

const (
	kindBits   = 5
	flagBits   = 5
	headBits   = kindBits + flagBits
	lenBits    = 12
	offBits    = 64 - headBits - lenBits
	longLen    = 1<<lenBits - 1
	maxOffset  = int64(1)<<offBits - 1
	maxPayload = int64(1) << (63 - headBits)
)

// node is what a container or an object holds. The first items are kept, the
// rest is counted.
type node struct {
	items  []value
	small  [3]value
	data   []byte  // of a string whose bytes do not lie in one piece
	size   int64   // items in total
	weight float64 // values reached without sharing, at least
	taint  bool
	owns   bool  // some item has a node
	dunder bool  // a dict with a key that overrides a method
	pinned bool  // more than one place may refer to it
	held   bool  // a container, a call or an instance has it
	state  value // of an object: the last BUILD
}

func plain(k kind) value { return value{w: uint64(k)} }

func (v value) kind() kind          { return kind(v.w & (1<<kindBits - 1)) }
func (v value) is(flag uint64) bool { return v.w&(flag<<kindBits) != 0 }
func (v value) with(f uint64) value { v.w |= f << kindBits; return v }
func (v value) payload() uint64     { return v.w >> headBits }
func (v value) offset() int64       { return int64(v.w >> (headBits + lenBits)) }
func (v value) length() int64       { return int64(v.w >> headBits & longLen) }
func (v value) text() bool          { return v.kind() == kindStr || v.kind() == kindText8 }
func (v value) bytes() bool         { return v.kind() == kindBytes || v.kind() == kindText8 }
func (v value) index() int          { return int(v.w >> headBits) }
func indexed(k kind, i int) value   { return value{w: uint64(k) | uint64(i)<<headBits} }

// str makes a string value of the opcode at off whose body has n bytes.
func str(k kind, off, n int64) value {
	return value{w: uint64(k) | uint64(min(n, longLen))<<headBits | uint64(off)<<(headBits+lenBits)}
}

func number(n int64) value {
	v := value{w: uint64(kindInt) | uint64(n)<<headBits}
	if n >= maxPayload || n < -maxPayload {
		return v.with(flagBig)
	}
	return v
}

// int returns the number of an integer, saturated when it is out of range.
func (v value) int() int64 {
	if v.is(flagBig) {
		return math.MaxInt64
	}
	return int64(v.w) >> headBits
}

// scalar reports whether v is a constant that holds nothing else.
func (v value) scalar() bool {
	switch v.kind() {
	case kindNone, kindBool, kindInt, kindFloat, kindStr, kindBytes, kindText8:
		return true
	}
	return false
}

// container reports whether v is one of Python's own containers.
func (v value) container() bool {
	switch v.kind() {
	case kindTuple, kindList, kindDict, kindSet:
		return true
	}
	return false
}

// keep is how many items a container remembers.
const keep = 96

// tainted reports whether v is or holds something that must not reach a call.
// It looks into what is kept, a bounded number of values.
func (v value) tainted() bool {
	budget := 512
	return v.taintedWithin(&budget, 4)
}

func (v value) taintedWithin(budget *int, depth int) bool {
	if v.is(flagTaint) || v.kind() == kindUnknown && !v.is(flagForgot) {
		return true
	}
	if v.p == nil || v.kind() == kindObject {
		return false
	}
	if v.p.taint {
		return true
	}
	for _, item := range v.p.items {
		if *budget--; *budget < 0 || depth == 0 {
			return false
		}
		if item.taintedWithin(budget, depth-1) {
			return true
		}
	}
	return false
}

// empty reports whether v is a container known to be empty, or None.
func (v value) empty() bool {
	return v.kind() == kindNone || v.container() && !v.is(flagForgot) && (v.p == nil || v.p.size == 0)
}

// items returns what is kept of a container, and whether that is all of it.
func (v value) items() ([]value, bool) {
	if v.p == nil {
		return nil, v.container() && !v.is(flagForgot)
	}
	return v.p.items, v.p.size == int64(len(v.p.items))
}
