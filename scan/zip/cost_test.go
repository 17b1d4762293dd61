package zip_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"modelwall/scan"
	scanner "modelwall/scan/zip"
)

// sparse is a big file of zeros with some pieces of content. It counts what is
// read of it.
type sparse struct {
	size   int64
	pieces map[int64][]byte
	read   int64
}

// ReadAt implements io.ReaderAt.
func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), s.size-off)))
	s.read += int64(n)
	clear(p[:n])
	for at, b := range s.pieces {
		from, to := max(off, at), min(off+int64(n), at+int64(len(b)))
		if from < to {
			copy(p[from-off:], b[from-at:to-at])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// names takes members without reading them.
type names struct {
	members  []string
	findings []scan.Finding
}

func (n *names) Finding(f scan.Finding) { n.findings = append(n.findings, f) }
func (*names) Import(scan.Import)       {}

func (n *names) Member(_ context.Context, m scan.Member) error {
	n.members = append(n.members, m.Name)
	return nil
}

// checkpoint is a PyTorch archive of n storages of the given size.
func checkpoint(n int, size int64) *sparse {
	s := &sparse{pieces: map[int64][]byte{}}
	var dir []byte
	add := func(name, body string, length int64) {
		it := streamed(stored(name, body))
		it.central.packed, it.central.size = uint32(length), uint32(length)
		it.local.extra = make([]byte, 40) // alignment padding
		dir = it.central.writeCentral(dir, uint32(s.size), 0)
		s.pieces[s.size] = append(it.local.writeLocal(nil), body...)
		s.size += int64(len(it.local.writeLocal(nil))) + length
		s.pieces[s.size] = descriptor(it.central)
		s.size += 16
	}
	add("archive/data.pkl", strings.Repeat("p", 5000), 5000)
	for i := range n {
		add(fmt.Sprint("archive/data/", i), "", size)
	}
	start := s.size
	tail := endRecord(end64(dir, 0, 0, 0)[:len(dir)], n+1, len(dir), int(start), "")
	s.pieces[start] = tail
	s.size += int64(len(tail))
	return s
}

// TestBytesRead walks a checkpoint of 1 GiB: headers are read, tensors not.
func TestBytesRead(t *testing.T) {
	s := checkpoint(256, 4<<20)
	got := &names{}
	err := scanner.New().Scan(context.Background(), scan.File{Name: "x", Size: s.size, ReaderAt: s}, got)
	if err != nil || len(got.findings) > 0 || len(got.members) != 1 || got.members[0] != "archive/data.pkl" {
		t.Fatalf("error %v, findings %+v, members %q", err, got.findings, got.members)
	}
	if s.size < 1<<30 || s.read > 512<<10 {
		t.Errorf("%d bytes of %d were read", s.read, s.size)
	}
}

// TestHostileCost bounds what archives made to be slow cost, in bytes read.
func TestHostileCost(t *testing.T) {
	const size = 1 << 20
	long := strings.Repeat("n", 60_000)
	bomb := stored(long, hello)
	var twins layout
	twins.data = bomb.local.writeLocal(nil)
	twins.data = append(twins.data, hello...)
	second := len(twins.data)
	twins.data = bomb.local.writeLocal(twins.data)
	start := len(twins.data)
	short := stored("s", hello)
	for i := range 15_000 {
		twins.data = short.central.writeCentral(twins.data, uint32(i%2*second), 0)
	}
	for name, data := range map[string][]byte{
		"local signatures in a gap":  one(func(it *item) { it.tail = []byte(strings.Repeat("PK\x03\x04", size/4)) }),
		"end records in the tail":    append(archive(stored("a", "b")), strings.Repeat("PK\x05\x06", size/4)...),
		"signatures after a header":  append(headless(streamed(stored("a", ""))), strings.Repeat("PK", size/2)...),
		"local headers":              []byte(strings.Repeat(string(local("a", "")), size/31)),
		"two long headers, repeated": endRecord(twins.data, 15_000, len(twins.data)-start, start, ""),
		"central records of nothing": endRecord([]byte(strings.Repeat(string(short.central.writeCentral(nil, 0, 0)), size/47)), size/47, size/47*47, 0, ""),
	} {
		s := &sparse{size: int64(len(data)), pieces: map[int64][]byte{0: data}}
		got := &names{}
		err := scanner.New().Scan(context.Background(), scan.File{Name: "x", Size: s.size, ReaderAt: s}, got)
		if s.read > 24*size {
			t.Errorf("%s: %d bytes of %d were read, error %v", name, s.read, s.size, err)
		}
	}
}
