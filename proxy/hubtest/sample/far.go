package sample

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"sort"
	"strings"
)

// Far is a model of any size that takes little memory: its headers and
// programs as they are, and noise where its tensors would be.
type Far struct {
	pieces []piece
	size   int64
	noise  []byte
}

type piece struct {
	at   int64
	body []byte
}

func newFar() *Far { return &Far{noise: Random(1, 64<<10)} }

// Size is the length in bytes.
func (f *Far) Size() int64 { return f.size }

// Write implements io.Writer. What is longer than any header becomes noise.
func (f *Far) Write(p []byte) (int, error) {
	if len(p) < farNoise {
		f.pieces = append(f.pieces, piece{f.size, bytes.Clone(p)})
	}
	f.size += int64(len(p))
	return len(p), nil
}

// farNoise is from which length on what is written counts as tensors.
const farNoise = 512 << 10

// Find returns where s first stands in what is no noise, -1 for nowhere.
func (f *Far) Find(s string) int64 {
	for _, p := range f.pieces {
		if i := bytes.Index(p.body, []byte(s)); i >= 0 {
			return p.at + int64(i)
		}
	}
	return -1
}

// ReadAt implements io.ReaderAt.
func (f *Far) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), f.size-off)))
	for done := 0; done < n; {
		done += copy(p[done:n], f.noise[(off+int64(done))%int64(len(f.noise)):])
	}
	i := sort.Search(len(f.pieces), func(i int) bool { return f.pieces[i].at+int64(len(f.pieces[i].body)) > off })
	for ; i < len(f.pieces) && f.pieces[i].at < off+int64(n); i++ {
		at, body := f.pieces[i].at, f.pieces[i].body
		from := max(off, at)
		copy(p[from-off:n], body[from-at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// weights are n tensors of size bytes of F32, as a large language model has.
func weights(n int, size int64) []Tensor {
	list := make([]Tensor, n)
	for i := range list {
		list[i] = Tensor{Name: fmt.Sprintf("model.layers.%d.mlp.up_proj.weight", i), Shape: []int32{int32(size / 4096), 1024}}
	}
	return list
}

// FarCheckpoint is a checkpoint as torch.save writes it, of n tensors of size
// bytes each, 512 KiB at least.
func FarCheckpoint(n int, size int64) *Far {
	f := newFar()
	zw := zip.NewWriter(f)
	chunk := make([]byte, farNoise)
	add := func(name string, content []byte, length int64) {
		_ = zw.Flush() // all errors here are those of writing to memory: none
		const descriptor = 16
		start := f.size + descriptor + int64(30+len(name)+4)
		padding := (torchAlignment - start%torchAlignment) % torchAlignment
		w, _ := zw.CreateRaw(&zip.FileHeader{
			Name: name, Extra: append([]byte{'F', 'B', byte(padding), 0}, strings.Repeat("Z", int(padding))...),
			Flags: 0x808, CompressedSize64: uint64(length), UncompressedSize64: uint64(length), CRC32: crc32.ChecksumIEEE(content),
		})
		_ = zw.Flush()
		if content != nil {
			_, _ = w.Write(content)
			return
		}
		for length > 0 {
			k, _ := w.Write(chunk[:min(length, farNoise)])
			length -= int64(k)
		}
	}
	program := StateDict(weights(n, size)...)
	add("archive/data.pkl", program, int64(len(program)))
	add("archive/byteorder", []byte("little"), 6)
	for i := range n {
		add("archive/data/"+itoa(i), nil, size)
	}
	add("archive/version", []byte("3\n"), 2)
	_ = zw.Close()
	return f
}

// FarSafetensors is a safetensors file of n tensors of size bytes each.
func FarSafetensors(n int, size int64) *Far {
	type tensor struct {
		Type    string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	table := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	for i, t := range weights(n, size) {
		table[t.Name] = tensor{"F32", []int64{size / 4}, [2]int64{int64(i) * size, int64(i+1) * size}}
	}
	header, _ := json.Marshal(table) // can not fail
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	f := newFar()
	_, _ = f.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...))
	f.size += int64(n) * size
	return f
}

// FarGGUF is a GGUF file with a vocabulary of so many tokens, and n tensors of
// size bytes each, a multiple of 32.
func FarGGUF(tokens, n int, size int64) *Far {
	le := binary.LittleEndian
	b := le.AppendUint64(le.AppendUint64(le.AppendUint32([]byte("GGUF"), 3), uint64(n)), 3)
	text := func(s string) { b = append(le.AppendUint64(b, uint64(len(s))), s...) }
	key := func(name string, kind uint32) {
		text(name)
		b = le.AppendUint32(b, kind)
	}
	key("general.architecture", ggufString)
	text("llama")
	key("tokenizer.ggml.tokens", ggufArray)
	b = le.AppendUint64(le.AppendUint32(b, ggufString), uint64(tokens))
	for i := range tokens {
		text(fmt.Sprintf("t%05d", i))
	}
	key("tokenizer.chat_template", ggufString)
	text("{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}")
	for i, t := range weights(n, size) {
		text(t.Name)
		b = le.AppendUint64(le.AppendUint32(b, 1), uint64(size/4))
		b = le.AppendUint64(le.AppendUint32(b, 0), uint64(int64(i)*size)) // F32, at
	}
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	f := newFar()
	_, _ = f.Write(b)
	f.size += int64(n) * size
	return f
}
