package all

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"testing"

	"modelwall/proxy/hubtest/sample"
	"modelwall/scan"
	"modelwall/scan/engine"
)

// far is a big file of noise with some pieces of content, as it lies on a
// server. It counts what is read of it.
type far struct {
	pieces []piece
	size   int64
	noise  []byte
	reads  int
	read   int64
}

type piece struct {
	at   int64
	body []byte
}

// Write implements io.Writer. What is longer than any header becomes noise.
func (f *far) Write(p []byte) (int, error) {
	if len(p) < 256<<10 {
		f.pieces = append(f.pieces, piece{f.size, bytes.Clone(p)})
	}
	f.size += int64(len(p))
	return len(p), nil
}

// ReadAt implements io.ReaderAt.
func (f *far) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), f.size-off)))
	f.reads++
	f.read += int64(n)
	for i := range n {
		at := off + int64(i)
		p[i] = f.noise[(at^at>>16)&int64(len(f.noise)-1)]
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

// checkpoint is what torch.save writes of n tensors of size bytes each.
func checkpoint(t *testing.T, n int, size int64) *far {
	f := &far{noise: sample.Random(1, 64<<10)}
	w := zip.NewWriter(f)
	chunk := make([]byte, 1<<20)
	add := func(name string, length int64, body []byte) {
		m, err := w.CreateRaw(&zip.FileHeader{
			Name: "archive/" + name, Extra: padding(50), Flags: 8,
			CompressedSize64: uint64(length), UncompressedSize64: uint64(length),
		})
		for err == nil && length > 0 {
			b := body
			if b == nil {
				b = chunk[:min(length, int64(len(chunk)))]
			}
			_, err = m.Write(b)
			length -= int64(len(b))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tensors := make([]sample.Tensor, n)
	for i := range tensors {
		tensors[i] = sample.Tensor{Name: fmt.Sprintf("model.layers.%d.mlp.up_proj.weight", i), Shape: []int32{int32(size / 4096), 1024}}
	}
	pickle := sample.StateDict(tensors...)
	// The checksums are wrong: small members have a right one.
	add("data.pkl", int64(len(pickle)), pickle)
	for i := range n {
		add(fmt.Sprint("data/", i), size, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

// padding is PyTorch's extra field, by which tensors are aligned.
func padding(n int) []byte {
	return append([]byte{'F', 'B', byte(n), 0}, bytes.Repeat([]byte("Z"), n)...)
}

// TestFarReads inspects a checkpoint of 10 GiB of which little is there yet:
// headers and the pickle are read, tensors are not.
func TestFarReads(t *testing.T) {
	f := checkpoint(t, 500, 21<<20)
	r, err := engine.New(Scanners(), engine.Limits{TempDir: t.TempDir()}).
		Inspect(context.Background(), scan.File{Name: "pytorch_model.bin", Size: f.size, ReaderAt: f})
	if err != nil || r.Verdict != scan.Clean {
		t.Errorf("verdict = %v (%s), %v; findings %+v", r.Verdict, r.Error, err, r.Findings)
	}
	t.Logf("%d bytes of %d in %d reads", f.read, f.size, f.reads)
	if f.size < 10<<30 || f.read > 1<<20 {
		t.Errorf("%d bytes of %d were read", f.read, f.size)
	}
}
