package flatbuffers_test

import (
	"encoding/binary"
	"slices"
)

var le = binary.LittleEndian

// A flat buffer is built of these, besides byte, int32, uint64 and strings.
type (
	tab  map[int]any // fields by number
	vec  []any       // of tables
	ints []int32
	blob []byte
	far  uint32 // an offset as it is, for what leads out
	same struct {
		n   int // entries of a vector
		tab     // that all lead here
	}
)

// build writes the root table with its identifier.
func build(id string, root tab) []byte {
	b := &builder{out: append(make([]byte, 4), id...)}
	le.PutUint32(b.out, uint32(b.table(root)))
	return b.out
}

type builder struct{ out []byte }

func (b *builder) pad(n int) {
	for len(b.out)%n != 0 {
		b.out = append(b.out, 0)
	}
}

// link makes the offset at at lead to to.
func (b *builder) link(at, to int) { le.PutUint32(b.out[at:], uint32(to-at)) }

func (b *builder) table(t tab) int {
	fields := 0
	for i := range t {
		fields = max(fields, i+1)
	}
	b.pad(8)
	vtable := len(b.out)
	b.out = append(b.out, make([]byte, 4+2*fields)...)
	b.pad(8)
	at := len(b.out)
	b.out = append(b.out, make([]byte, 8+8*fields)...)
	le.PutUint16(b.out[vtable:], uint16(4+2*fields))
	le.PutUint16(b.out[vtable+2:], uint16(8+8*fields))
	le.PutUint32(b.out[at:], uint32(at-vtable))
	keys := make([]int, 0, len(t))
	for i := range t {
		keys = append(keys, i)
	}
	slices.Sort(keys)
	for _, i := range keys {
		off := 8 + 8*i
		le.PutUint16(b.out[vtable+4+2*i:], uint16(off))
		b.value(at+off, t[i])
	}
	return at
}

func (b *builder) value(at int, v any) {
	switch v := v.(type) {
	case byte:
		b.out[at] = v
	case int:
		le.PutUint32(b.out[at:], uint32(v))
	case uint64:
		le.PutUint64(b.out[at:], v)
	case far:
		le.PutUint32(b.out[at:], uint32(v))
	case tab:
		b.link(at, b.table(v))
	case string:
		b.vector(at, len(v), []byte(v+"\x00"))
	case blob:
		b.vector(at, len(v), v)
	case ints:
		var p []byte
		for _, n := range v {
			p = le.AppendUint32(p, uint32(n))
		}
		b.vector(at, len(v), p)
	case vec:
		b.vector(at, len(v), make([]byte, 4*len(v)))
		first := len(b.out) - 4*len(v)
		for i, item := range v {
			b.link(first+4*i, b.table(item.(tab)))
		}
	case same:
		b.vector(at, v.n, make([]byte, 4*v.n))
		first := len(b.out) - 4*v.n
		to := b.table(v.tab)
		for i := range v.n {
			b.link(first+4*i, to)
		}
	default:
		panic("no such value")
	}
}

func (b *builder) vector(at, n int, body []byte) {
	b.pad(4)
	b.link(at, len(b.out))
	b.out = le.AppendUint32(b.out, uint32(n))
	b.out = append(b.out, body...)
}

// flexOptions is a FlexBuffer vector of two strings.
func flexOptions(name string, node []byte) blob {
	b := append([]byte{byte(len(name))}, name...)
	b = append(b, 0, byte(len(node)))
	text := len(b)
	b = append(b, node...)
	b = append(b, 0, 2) // the count of items
	first := len(b)
	b = append(b, byte(first-1), byte(first+1-text), 5<<2, 5<<2)
	return append(b, byte(len(b)-first), 10<<2, 1)
}

// nodeDef is a TensorFlow operation.
func nodeDef(op string) []byte {
	b := append([]byte{0x0a, 1, 'n', 0x12, byte(len(op))}, op...)
	return b
}
