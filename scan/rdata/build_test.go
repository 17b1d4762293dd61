package rdata_test

import "encoding/binary"

// obj is a serialized object, as XDR.
type obj string

func u32(v int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(v))) }

// Flags of cells.
const (
	object = 1 << 8
	attrs  = 1 << 9
	tagged = 1 << 10
	active = 1 << 15 << 12
)

const (
	null    = obj("\x00\x00\x00\xfe")
	global  = obj("\x00\x00\x00\xfd")
	unbound = obj("\x00\x00\x00\xfc")
)

func chr(s string) obj { return obj(u32(9|1<<18) + u32(len(s)) + s) }
func sym(s string) obj { return obj(u32(1)) + chr(s) }
func ref(i int) obj    { return obj(u32(255 | i<<8)) }

func strs(s ...string) obj {
	o := obj(u32(16) + u32(len(s)))
	for _, v := range s {
		o += chr(v)
	}
	return o
}

func nums(v ...uint64) obj {
	b := []byte(u32(14) + u32(len(v)))
	for _, n := range v {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return obj(b)
}

func list(items ...obj) obj {
	o := obj(u32(19) + u32(len(items)))
	for _, i := range items {
		o += i
	}
	return o
}

func rawBytes(s string) obj { return obj(u32(24) + u32(len(s)) + s) }

// named is a list with the attribute names.
func named(names []string, items ...obj) obj {
	o := list(items...)
	return obj(u32(19|attrs)) + o[4:] + pairs("names", strs(names...))
}

// pairs is a pairlist of tags and values.
func pairs(kv ...any) obj {
	var o obj
	for i := 0; i < len(kv); i += 2 {
		o += obj(u32(2|tagged)) + sym(kv[i].(string)) + kv[i+1].(obj)
	}
	return o + null
}

func call(fn obj, args ...obj) obj {
	o := obj(u32(6)) + fn
	for _, a := range args {
		o += obj(u32(2)) + a
	}
	return o + null
}

func function(body obj) obj { return obj(u32(3|tagged)) + global + null + body }

// later is a promise that nobody has looked at.
func later(code obj) obj { return obj(u32(5|tagged)) + global + unbound + code }

// known is a promise with its value.
func known(value, code obj) obj { return obj(u32(5|tagged)) + global + value + code }

// env is an environment with one binding.
func env(flags int, name string, value obj) obj {
	return obj(u32(4)+u32(0)) + global + obj(u32(2|tagged|flags)) + sym(name) + value + null + null + null
}

// compiled is a function in byte code: what it calls stands among constants.
func compiled(consts ...obj) obj {
	o := obj(u32(21) + u32(1) + u32(13) + u32(2) + u32(10) + u32(1) + u32(len(consts)))
	for _, c := range consts {
		if c[3] != 6 { // a call has its type once
			o += obj(u32(int(c[3])))
		}
		o += c
	}
	return function(o)
}

// bcCall is a call as it stands among the constants of byte code.
func bcCall(fn string) obj {
	return obj(u32(6)) + null + obj(u32(1)) + sym(fn) + obj(u32(254)) + null
}

func altrep(class string, state obj) obj {
	info := obj(u32(2)) + sym(class) + obj(u32(2)) + sym("base") + obj(u32(2)) + nums(13) + null
	return obj(u32(238)) + info + state + null
}

// file is what saveRDS writes.
func file(version int, o obj) []byte {
	h := "X\n" + u32(version) + u32(0x40202) + u32(0x20300)
	if version == 3 {
		h += u32(5) + "UTF-8"
	}
	return []byte(h + string(o))
}

// workspace is what save writes.
func workspace(o obj) []byte { return append([]byte("RDX3\n"), file(3, o)...) }
