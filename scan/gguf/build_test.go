package gguf

import (
	"encoding/binary"
	"math"
)

// builder writes a GGUF file piece by piece.
type builder struct {
	order   binary.AppendByteOrder
	version uint32
	pairs   uint64
	tensors uint64
	kv      []byte
	infos   []byte
	data    []byte
	align   int
}

func newBuilder() *builder { return &builder{order: binary.LittleEndian, version: 3, align: 32} }

func (b *builder) length(to []byte, n uint64) []byte {
	if b.version == 1 {
		return b.order.AppendUint32(to, uint32(n))
	}
	return b.order.AppendUint64(to, n)
}

func (b *builder) str(to []byte, s string) []byte {
	return append(b.length(to, uint64(len(s))), s...)
}

func (b *builder) key(key string, t uint32) {
	b.kv = b.order.AppendUint32(b.str(b.kv, key), t)
	b.pairs++
}

func (b *builder) text(key, value string) *builder {
	b.key(key, typeString)
	b.kv = b.str(b.kv, value)
	return b
}

func (b *builder) uint32(key string, v uint32) *builder {
	b.key(key, typeUint32)
	b.kv = b.order.AppendUint32(b.kv, v)
	return b
}

func (b *builder) strings(key string, values ...string) *builder {
	b.key(key, typeArray)
	b.kv = b.length(b.order.AppendUint32(b.kv, typeString), uint64(len(values)))
	for _, v := range values {
		b.kv = b.str(b.kv, v)
	}
	return b
}

func (b *builder) numbers(key string, n int) *builder {
	b.key(key, typeArray)
	b.kv = b.length(b.order.AppendUint32(b.kv, 6), uint64(n))
	for i := range n {
		b.kv = b.order.AppendUint32(b.kv, math.Float32bits(-float32(i)))
	}
	return b
}

func (b *builder) octets(key string, data []byte) *builder {
	b.key(key, typeArray)
	b.kv = b.length(b.order.AppendUint32(b.kv, 0), uint64(len(data)))
	b.kv = append(b.kv, data...)
	return b
}

// info adds an entry of the table and no data.
func (b *builder) info(name string, kind uint32, off uint64, dims ...uint64) *builder {
	b.infos = b.order.AppendUint32(b.str(b.infos, name), uint32(len(dims)))
	for _, d := range dims {
		b.infos = b.length(b.infos, d)
	}
	b.infos = b.order.AppendUint64(b.order.AppendUint32(b.infos, kind), off)
	b.tensors++
	return b
}

// tensor adds an entry of 32-bit floats with its data.
func (b *builder) tensor(name string, dims ...uint64) *builder {
	n := uint64(4)
	for _, d := range dims {
		n *= d
	}
	b.info(name, 0, uint64(len(b.data)), dims...)
	b.data = append(b.data, make([]byte, n)...)
	b.data = append(b.data, make([]byte, pad(len(b.data), b.align))...)
	return b
}

func pad(n, align int) int { return (align - n%align) % align }

func (b *builder) head(tensors, pairs uint64) []byte {
	h := b.order.AppendUint32([]byte(magic), b.version)
	return b.length(b.length(h, tensors), pairs)
}

func (b *builder) bytes() []byte {
	out := append(append(b.head(b.tensors, b.pairs), b.kv...), b.infos...)
	out = append(out, make([]byte, pad(len(out), b.align))...)
	return append(out, b.data...)
}

// model is what a converter writes of a small model.
func model(b *builder) *builder {
	b.text("general.architecture", "llama").uint32("general.alignment", 32).text("general.name", "Tiny").
		strings("general.tags", "text-generation", "en").uint32("llama.block_count", 2).
		text("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", "<s>", "{{", "}}", "{%", "%}", "a").
		numbers("tokenizer.ggml.scores", 6).octets("tokenizer.ggml.precompiled_charsmap", []byte{1, 2, 3, 255}).
		text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}")
	return b.tensor("token_embd.weight", 8, 6).tensor("output.weight", 8, 6).info("output.scale", 8, uint64(len(b.data)), 0)
}
