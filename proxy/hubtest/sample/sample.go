// Package sample makes small model files, clean ones and ones that a scanner
// must stop, for the demo and for tests. The same arguments always give the
// same bytes.
//
// Nothing here runs anything. The malicious files name os.system with an
// `echo` as its argument, so that even loading one by accident prints a line
// and does nothing else.
package sample

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
)

// Random is n pseudo-random bytes.
func Random(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// Floats is n small float32 numbers in little-endian order, as tensors hold
// them.
func Floats(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random := rand.New(rand.NewChaCha8(key)) //nolint:gosec // the same numbers every time are wanted
	b := make([]byte, 0, 4*n)
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(random.Float32()*0.2-0.1))
	}
	return b
}

// SafetensorsHeader is the head of a safetensors file
// (https://github.com/huggingface/safetensors#format) with one F32 tensor of
// n numbers; 4n bytes of them must follow.
func SafetensorsHeader(n int64) []byte {
	type tensor struct {
		Type    string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header, _ := json.Marshal(map[string]any{ // can not fail
		"__metadata__":   map[string]string{"format": "pt"},
		"encoder.weight": tensor{"F32", []int64{n}, [2]int64{0, 4 * n}},
	})
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

// Safetensors is a safetensors file with about size bytes of one tensor: size
// rounded down to whole float32 numbers.
func Safetensors(seed uint64, size int) []byte {
	return append(SafetensorsHeader(int64(size/4)), Floats(seed, size/4)...)
}

// Types of GGUF values (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
const (
	ggufUint32 = 4
	ggufString = 8
	ggufArray  = 9
)

// GGUF is a GGUF file, version 3, with a few metadata entries, a harmless
// chat template and one F32 tensor of about size bytes.
func GGUF(seed uint64, size int) []byte {
	le := binary.LittleEndian
	n := size / 4
	b := []byte("GGUF")
	b = le.AppendUint32(b, 3)
	b = le.AppendUint64(b, 1) // tensors
	b = le.AppendUint64(b, 4) // metadata entries
	text := func(s string) { b = append(le.AppendUint64(b, uint64(len(s))), s...) }
	entry := func(key, value string) {
		text(key)
		b = le.AppendUint32(b, ggufString)
		text(value)
	}
	entry("general.architecture", "llama")
	entry("general.name", fmt.Sprintf("sample-%d", seed))
	entry("tokenizer.chat_template", "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}")
	text("general.alignment")
	b = le.AppendUint32(b, ggufUint32)
	b = le.AppendUint32(b, 32)
	text("token_embd.weight")
	b = le.AppendUint32(b, 1) // dimensions
	b = le.AppendUint64(b, uint64(n))
	b = le.AppendUint32(b, 0) // F32
	b = le.AppendUint64(b, 0) // offset in the tensor data
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return append(b, Floats(seed, n)...)
}
