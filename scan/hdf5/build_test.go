package hdf5_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"slices"
)

var le = binary.LittleEndian

const (
	signature = "\x89HDF\r\n\x1a\n"
	undefined = ^uint64(0)
)

// builder writes an HDF5 file, structure by structure; addresses count from
// the superblock.
type builder struct {
	b   []byte
	new bool // superblock 2, object headers of version 2
}

// fields writes numbers little-endian in the size of their type, and strings
// and bytes as they are.
func fields(all ...any) []byte {
	var b []byte
	for _, f := range all {
		switch f := f.(type) {
		case byte:
			b = append(b, f)
		case uint16:
			b = le.AppendUint16(b, f)
		case uint32:
			b = le.AppendUint32(b, f)
		case uint64:
			b = le.AppendUint64(b, f)
		case string:
			b = append(b, f...)
		case []byte:
			b = append(b, f...)
		default:
			panic("a field of another type")
		}
	}
	return b
}

func pad8(b []byte) []byte { return append(b, make([]byte, -len(b)&7)...) }

func newBuilder(modern bool) *builder { return &builder{b: make([]byte, 96), new: modern} }

// put appends a structure and returns its address.
func (w *builder) put(all ...any) uint64 {
	w.b = pad8(w.b)
	at := len(w.b)
	w.b = append(w.b, fields(all...)...)
	return uint64(at)
}

// file finishes with the superblock, behind a user block.
func (w *builder) file(root uint64, user int) []byte {
	end := uint64(len(w.b) + user)
	sb := fields(signature, byte(0), byte(0), byte(0), byte(0), byte(0), byte(8), byte(8), byte(0), uint16(4), uint16(16), uint32(0),
		uint64(user), undefined, end, undefined, uint64(0), root, uint32(0), uint32(0), make([]byte, 16))
	if w.new {
		sb = fields(signature, byte(2), byte(8), byte(8), byte(0), uint64(user), undefined, end, root, uint32(0))
	}
	copy(w.b, sb)
	return append(make([]byte, user), w.b...)
}

// message is one of an object header.
type message struct {
	kind  byte
	flags byte
	body  []byte
}

// header writes an object header.
func (w *builder) header(messages ...message) uint64 {
	var b []byte
	for _, m := range messages {
		if w.new {
			b = append(b, fields(m.kind, uint16(len(m.body)), m.flags, m.body)...)
			continue
		}
		body := pad8(slices.Clone(m.body))
		b = append(b, fields(uint16(m.kind), uint16(len(body)), m.flags, "\x00\x00\x00", body)...)
	}
	if w.new {
		return w.put("OHDR", byte(2), byte(2), uint32(len(b)), b, uint32(0))
	}
	return w.put(byte(1), byte(0), uint16(len(messages)), uint32(1), uint32(len(b)), uint32(0), b)
}

// continued writes the messages into a second chunk.
func (w *builder) continued(messages ...message) uint64 {
	var b []byte
	for _, m := range messages {
		b = append(b, fields(uint16(m.kind), uint16(len(pad8(slices.Clone(m.body)))), m.flags, "\x00\x00\x00", pad8(slices.Clone(m.body)))...)
	}
	at := w.put(b)
	return w.header(message{0x10, 0, fields(at, uint64(len(b)))})
}

// Data types.
func fixedString(n int) []byte { return fields(byte(0x13), "\x00\x00\x00", uint32(n)) }

func vlenString() []byte {
	return fields(byte(0x19), "\x01\x00\x00", uint32(16), byte(0x13), "\x00\x00\x00", uint32(1))
}
func vlenBytes() []byte { return fields(byte(0x19), "\x00\x00\x00", uint32(16), bytesType()) }
func bytesType() []byte {
	return fields(byte(0x10), "\x00\x00\x00", uint32(1), uint16(0), uint16(8))
}
func opaque(n int) []byte { return fields(byte(0x15), "\x00\x00\x00", uint32(n)) }
func float32Type() []byte {
	return fields(byte(0x11), "\x20\x1f\x00", uint32(4), uint16(0), uint16(32), byte(23), byte(8), byte(0), byte(23), uint32(127))
}

func space(dims ...uint64) []byte {
	b := fields(byte(1), byte(len(dims)), byte(0), "\x00\x00\x00\x00\x00")
	for _, d := range dims {
		b = le.AppendUint64(b, d)
	}
	return b
}

// attribute writes an attribute message, of version 1 or 3.
func (w *builder) attribute(name string, typ, space, data []byte) message {
	if w.new {
		return message{0x0c, 0, fields(byte(3), byte(0), uint16(len(name)+1), uint16(len(typ)), uint16(len(space)), byte(1), name, byte(0), typ, space, data)}
	}
	return message{0x0c, 0, fields(byte(1), byte(0), uint16(len(name)+1), uint16(len(typ)), uint16(len(space)),
		pad8(fields(name, byte(0))), pad8(slices.Clone(typ)), pad8(slices.Clone(space)), data)}
}

// text is an attribute of one string.
func (w *builder) text(name, value string) message {
	return w.attribute(name, fixedString(len(value)), space(), []byte(value))
}

// heap writes a global heap collection and returns references to its objects.
func (w *builder) heap(objects ...string) [][]byte {
	var b []byte
	for i, o := range objects {
		b = append(b, pad8(fields(uint16(i+1), uint16(1), uint32(0), uint64(len(o)), o))...)
	}
	b = append(b, fields(uint16(0), uint16(0), uint32(0), uint64(0))...)
	at := w.put("GCOL", byte(1), "\x00\x00\x00", uint64(len(b)+16), b)
	var refs [][]byte
	for i, o := range objects {
		refs = append(refs, fields(uint32(len(o)), at, uint32(i+1)))
	}
	return refs
}

// names writes a local heap and returns its address and where each name is.
func (w *builder) names(all ...string) (uint64, []uint64) {
	data := make([]byte, 8)
	var at []uint64
	for _, n := range all {
		at = append(at, uint64(len(data)))
		data = pad8(append(data, n+"\x00"...))
	}
	body := w.put(data)
	return w.put("HEAP", byte(0), "\x00\x00\x00", uint64(len(data)), undefined, body), at
}

// child is a link of a group.
type child struct {
	name string
	addr uint64
}

// group returns the messages that make an object a group.
func (w *builder) group(children ...child) []message {
	if w.new {
		var all []message
		for _, c := range children {
			all = append(all, w.link(c.name, 0, fields(c.addr)))
		}
		return all
	}
	var texts []string
	for _, c := range children {
		texts = append(texts, c.name)
	}
	heap, at := w.names(texts...)
	entries := []byte{}
	for i, c := range children {
		entries = append(entries, fields(at[i], c.addr, uint32(0), uint32(0), make([]byte, 16))...)
	}
	node := w.put("SNOD", byte(1), byte(0), uint16(len(children)), entries)
	tree := w.put("TREE", byte(0), byte(0), uint16(1), undefined, undefined, uint64(0), node, uint64(0))
	return []message{{0x11, 0, fields(tree, heap)}}
}

// link writes a link message.
func (w *builder) link(name string, kind byte, value []byte) message {
	return message{0x06, 0, fields(byte(1), byte(0x18), kind, byte(1), byte(len(name)), name, value)}
}

func (w *builder) external(name, file, object string) message {
	v := fields(byte(0), file, byte(0), object, byte(0))
	return w.link(name, 64, fields(uint16(len(v)), v))
}

// dense puts the bodies of attribute or link messages into a fractal heap, and
// returns the info message. Objects too large for a block lie outside of it.
func (w *builder) dense(kind byte, bodies ...[]byte) message {
	const blockSize = 4096
	head := uint64(5 + 8 + 2)
	block := make([]byte, head)
	idLen, tree := 8, byte(8)
	if kind == 0x02 {
		idLen, tree = 7, 5
	}
	var records, huge []byte
	for i, b := range bodies {
		var id []byte
		if len(b) > blockSize/2 {
			at := w.put(b)
			huge = append(huge, fields(at, uint64(len(b)), uint64(i+1))...)
			id = fields(byte(0x10), uint64(i+1))[:idLen]
		} else {
			id = append(fields(byte(0), uint16(len(block)), uint16(len(b))), 0, 0, 0)[:idLen]
			block = append(block, b...)
		}
		if kind == 0x02 {
			records = append(records, fields(uint32(i), id)...)
		} else {
			records = append(records, fields(id, byte(0), uint32(i), uint32(i))...)
		}
	}
	hugeTree := undefined
	if len(huge) > 0 {
		hugeTree = w.treeV2(1, 24, huge)
	}
	heap := w.put("FRHP", byte(0), uint16(idLen), uint16(0), byte(0), uint32(blockSize), uint64(0), hugeTree, uint64(0), undefined,
		make([]byte, 64), uint16(4), uint64(blockSize), uint64(blockSize), uint16(16), uint16(1), uint64(0), uint16(0), uint32(0))
	block = append(block, make([]byte, blockSize-len(block))...)
	copy(block, fields("FHDB", byte(0), heap, uint16(0)))
	root := w.put(block)
	le.PutUint64(w.b[heap+132:], root) // the address of the root block
	names := w.treeV2(tree, len(records)/len(bodies), records)
	return message{kind, 0, fields(byte(0), byte(0), heap, names)}
}

// treeV2 writes a version 2 B-tree of one leaf.
func (w *builder) treeV2(kind byte, size int, records []byte) uint64 {
	leaf := w.put("BTLF", byte(0), kind, records, uint32(0))
	n := len(records) / size
	return w.put("BTHD", byte(0), kind, uint32(4096), uint16(size), uint16(0), byte(100), byte(40), leaf, uint16(n), uint64(n), uint32(0))
}

// contiguous writes a data set whose elements lie together.
func (w *builder) contiguous(typ, space, data []byte, more ...message) uint64 {
	at := w.put(data)
	return w.header(append(more, message{1, 0, space}, message{3, 0, typ}, message{8, 0, fields(byte(3), byte(1), at, uint64(len(data)))})...)
}

// chunked writes a data set of one dimension in compressed chunks.
func (w *builder) chunked(typ []byte, size int, data []byte, per int, filter uint16) uint64 {
	var entries []byte
	n := 0
	for off := 0; off < len(data); off += per * size {
		chunk := make([]byte, per*size)
		copy(chunk, data[off:])
		if filter == 1 {
			var z bytes.Buffer
			d := zlib.NewWriter(&z)
			_, _ = d.Write(chunk)
			d.Close()
			chunk = z.Bytes()
		}
		at := w.put(chunk)
		entries = append(entries, fields(uint32(len(chunk)), uint32(0), uint64(off/size), uint64(0), at)...)
		n++
	}
	tree := w.put("TREE", byte(1), byte(0), uint16(n), undefined, undefined, entries, make([]byte, 24))
	return w.header(
		message{1, 0, space(uint64(len(data) / size))},
		message{3, 0, typ},
		message{0x0b, 0, fields(byte(2), byte(1), filter, pluginName(filter), uint16(0), uint16(0))},
		message{8, 0, fields(byte(3), byte(2), byte(2), tree, uint32(per), uint32(size))},
	)
}

// pluginName is the length of a filter's name, which only plug-ins have.
func pluginName(filter uint16) []byte {
	if filter < 256 {
		return nil
	}
	return fields(uint16(0))
}
