package xet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const someHash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// pattern is content of any size: each eight bytes are their own offset.
type pattern struct{ size int64 }

func (p pattern) ReadAt(b []byte, off int64) (int, error) {
	if off >= p.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.size-off))
	for i := range n {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], uint64(off+int64(i))/8)
		b[i] = word[(off+int64(i))%8]
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p pattern) section() *io.SectionReader { return io.NewSectionReader(p, 0, p.size) }

// unpack decodes chunks as clients do.
func unpack(t *testing.T, framed []byte) [][]byte {
	t.Helper()
	var chunks [][]byte
	for len(framed) > 0 {
		if len(framed) < HeaderSize {
			t.Fatalf("%d bytes are left, no header", len(framed))
		}
		h := framed[:HeaderSize]
		packed := int(h[1]) | int(h[2])<<8 | int(h[3])<<16
		length := int(h[5]) | int(h[6])<<8 | int(h[7])<<16
		if h[0] != 0 || h[4] != 0 || packed != length || length == 0 || length > ChunkSize || len(framed)-HeaderSize < length {
			t.Fatalf("chunk header % x before %d bytes", h, len(framed)-HeaderSize)
		}
		chunks = append(chunks, framed[HeaderSize:HeaderSize+length])
		framed = framed[HeaderSize+length:]
	}
	return chunks
}

// assemble fetches what a reconstruction describes, as a client does.
func assemble(t *testing.T, f File, r Reconstruction, asked int64) []byte {
	t.Helper()
	if r.Xorbs == nil {
		r.Xorbs = map[string][]FetchV2{}
		for hash, list := range r.FetchInfo {
			for _, e := range list {
				r.Xorbs[hash] = append(r.Xorbs[hash], FetchV2{URL: e.URL, Ranges: []RangeV2{{e.Chunks, e.Bytes}}})
			}
		}
	}
	var out []byte
	for _, term := range r.Terms {
		fetch := r.Xorbs[term.Hash]
		if len(fetch) != 1 || len(fetch[0].Ranges) != 1 || fetch[0].Ranges[0].Chunks != term.Chunks {
			t.Fatalf("term %+v has %+v", term, fetch)
		}
		var n int64
		if _, err := fmt.Sscanf(fetch[0].URL, "block %d", &n); err != nil {
			t.Fatal(err)
		}
		b, ok := f.Block(n)
		if !ok || b.Hash() != term.Hash {
			t.Fatalf("block %d of %d, hash %s, want %s", n, f.Blocks(), b.Hash(), term.Hash)
		}
		at := fetch[0].Ranges[0].Bytes
		xorb := b.Xorb(pattern{f.Size}.section())
		if size, err := xorb.Seek(0, io.SeekEnd); err != nil || at.End >= size || size != b.Framed() {
			t.Fatalf("bytes %+v of a xorb of %d, %v", at, size, err)
		}
		if _, err := xorb.Seek(at.Start, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		framed, err := io.ReadAll(io.LimitReader(xorb, at.End-at.Start+1))
		if err != nil || int64(len(framed)) != at.End-at.Start+1 {
			t.Fatalf("%d bytes of %+v, %v", len(framed), at, err)
		}
		chunks := unpack(t, framed)
		content := bytes.Join(chunks, nil)
		if int64(len(chunks)) != term.Chunks.End-term.Chunks.Start || int64(len(content)) != term.UnpackedLength {
			t.Fatalf("%d chunks with %d bytes for %+v", len(chunks), len(content), term)
		}
		out = append(out, content...)
	}
	if r.Offset >= ChunkSize || r.Offset+asked > int64(len(out)) {
		t.Fatalf("offset %d with %d bytes for %d", r.Offset, len(out), asked)
	}
	return out[r.Offset : r.Offset+asked]
}

// Whatever part of whatever file a client asks for, it puts it together.
func TestReconstruct(t *testing.T) {
	const tera = 1 << 40
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int64{
		1, HeaderSize, ChunkSize - 1, ChunkSize, ChunkSize + 1, 5 * ChunkSize,
		BlockSize - 1, BlockSize, BlockSize + 1, BlockSize + ChunkSize, 2*BlockSize + 12345, 60_000_000_000, tera,
	} {
		f := File{Hash: someHash, Size: size}
		ranges := [][2]int64{{0, 0}, {size - 1, size - 1}, {max(0, size-2*ChunkSize), size - 1}, {0, min(size, BlockSize+5) - 1}}
		for _, edge := range []int64{ChunkSize, BlockSize, size / BlockSize * BlockSize} {
			for _, at := range []int64{edge - 1, edge} {
				if at >= 0 && at < size {
					ranges = append(ranges, [2]int64{at, min(at+1, size-1)}, [2]int64{max(at-1, 0), min(at+ChunkSize, size-1)})
				}
			}
		}
		for range 5 {
			a := random.Int64N(size)
			ranges = append(ranges, [2]int64{a, min(size-1, a+random.Int64N(3*ChunkSize))})
		}
		for i, r := range ranges {
			got := assemble(t, f, f.Reconstruct(1+i%2, r[0], r[1], blockName), r[1]-r[0]+1)
			want := make([]byte, len(got))
			if _, err := (pattern{size}).ReadAt(want, r[0]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: %v is not what it should be", size, r)
			}
		}
	}
}

func blockName(b Block) string { return fmt.Sprint("block ", b.Number) }

// A file's table is as small as its blocks are large.
func TestReconstructSize(t *testing.T) {
	f := File{Hash: someHash, Size: 60_000_000_000}
	address := "https://transfer.xethub.hf.co/xorbs/default/" + someHash + "?block=1234&modelwall=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	r := f.Reconstruct(2, 0, f.Size-1, func(Block) string { return address })
	body, err := json.Marshal(r)
	if err != nil || len(r.Terms) != 1789 || len(body) > 1<<20 {
		t.Errorf("%d terms in %d bytes, %v", len(r.Terms), len(body), err)
	}
	hashes, total := map[string]bool{}, int64(0)
	for _, term := range r.Terms {
		hashes[term.Hash] = true
		total += term.UnpackedLength
		if term.UnpackedLength >= 1<<32 || term.Chunks.End >= 1<<32 { // clients take 32 bits
			t.Fatalf("term %+v", term)
		}
	}
	if len(hashes) != len(r.Terms) || total != f.Size {
		t.Errorf("%d hashes, %d bytes", len(hashes), total)
	}
}

func TestReconstructWire(t *testing.T) {
	f := File{Hash: someHash, Size: BlockSize + 10}
	second, _ := f.Block(1)
	for version, want := range map[int]string{
		1: `{"offset_into_first_range":3,"terms":[{"hash":"H","unpacked_length":10,"range":{"start":0,"end":1}}],` +
			`"fetch_info":{"H":[{"range":{"start":0,"end":1},"url":"u","url_range":{"start":0,"end":17}}]}}`,
		2: `{"offset_into_first_range":3,"terms":[{"hash":"H","unpacked_length":10,"range":{"start":0,"end":1}}],` +
			`"xorbs":{"H":[{"url":"u","ranges":[{"chunks":{"start":0,"end":1},"bytes":{"start":0,"end":17}}]}]}}`,
	} {
		got, err := json.Marshal(f.Reconstruct(version, BlockSize+3, BlockSize+9, func(Block) string { return "u" }))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(want, "H", second.Hash()), string(got)); diff != "" {
			t.Errorf("version %d (-want +got):\n%s", version, diff)
		}
	}
	for version, want := range map[int]string{
		1: `{"offset_into_first_range":0,"terms":[],"fetch_info":{}}`,
		2: `{"offset_into_first_range":0,"terms":[],"xorbs":{}}`,
	} {
		got, err := json.Marshal(File{Hash: someHash}.Reconstruct(version, 0, -1, blockName))
		if err != nil || string(got) != want {
			t.Errorf("an empty file: %s, %v", got, err)
		}
	}
}

func TestHash(t *testing.T) {
	f := File{Hash: someHash, Size: 3 * BlockSize}
	a, _ := f.Block(0)
	b, _ := f.Block(1)
	other, _ := File{Hash: strings.Replace(someHash, "0", "1", 1), Size: f.Size}.Block(0)
	upper, _ := File{Hash: strings.ToUpper(someHash), Size: f.Size}.Block(0)
	if a.Hash() == b.Hash() || a.Hash() == other.Hash() || a.Hash() != upper.Hash() || !ValidHash(a.Hash()) {
		t.Errorf("%s %s %s %s", a.Hash(), b.Hash(), other.Hash(), upper.Hash())
	}
	for _, n := range []int64{-1, 3, 1 << 62} {
		if _, ok := f.Block(n); ok {
			t.Errorf("there is a block %d", n)
		}
	}
	for s, want := range map[string]bool{someHash: true, someHash[1:]: false, someHash[1:] + "g": false, "": false, someHash + "00": false} {
		if ValidHash(s) != want {
			t.Errorf("ValidHash(%q) = %v", s, !want)
		}
	}
}

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		spec        string
		size        int64
		first, last int64
		ok          bool
	}{
		{"", 10, 0, 9, true},
		{"", 0, 0, -1, true},
		{"bytes=0-9", 10, 0, 9, true},
		{"bytes=3-", 10, 3, 9, true},
		{"bytes=3-100", 10, 3, 9, true},
		{"bytes=0-18446744073709551614", 60e9, 0, 60e9 - 1, true}, // all the rest, by hf_xet
		{"bytes=9-9", 10, 9, 9, true},
		{"bytes=10-12", 10, 0, 0, false},
		{"bytes=18446744073709551614-18446744073709551615", 10, 0, 0, false},
		{"bytes=4-3", 10, 0, 0, false},
		{"bytes=0-0", 0, 0, 0, false},
		{"bytes=-3", 10, 0, 0, false},
		{"bytes=a-b", 10, 0, 0, false},
		{"bytes=0-1,3-4", 10, 0, 0, false},
		{"0-1", 10, 0, 0, false},
		{"bytes=5", 10, 0, 0, false},
	} {
		first, last, ok := ParseRange(c.spec, c.size)
		if first != c.first || last != c.last || ok != c.ok {
			t.Errorf("%q of %d: %d-%d %v", c.spec, c.size, first, last, ok)
		}
	}
}

// The same bytes come whatever the size of reads is, from both sides.
func TestXorbReader(t *testing.T) {
	const size = BlockSize + 2*ChunkSize + 77
	b, _ := File{Hash: someHash, Size: size}.Block(1)
	want, err := io.ReadAll(b.Xorb(pattern{size}.section()))
	if err != nil || int64(len(want)) != b.Framed() {
		t.Fatalf("%d bytes, %v", len(want), err)
	}
	if err := iotest.TestReader(b.Xorb(pattern{size}.section()), want); err != nil {
		t.Error(err)
	}
	source := pattern{size}.section()
	got, err := io.ReadAll(b.Xorb(readSeeker{iotest.HalfReader(source), source}))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("by short reads: %d bytes, %v", len(got), err)
	}
	if _, err := b.Xorb(pattern{size}.section()).Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek before the start")
	}
}

type readSeeker struct {
	io.Reader
	io.Seeker
}

func TestXorbErrors(t *testing.T) {
	const size = 3 * ChunkSize
	b, _ := File{Hash: someHash, Size: size}.Block(0)
	if n, err := io.Copy(io.Discard, b.Xorb(pattern{ChunkSize + 5}.section())); !errors.Is(err, io.ErrUnexpectedEOF) || n != ChunkSize+5+2*HeaderSize {
		t.Errorf("content that is too short: %d bytes, %v", n, err)
	}
	failure := errors.New("no")
	if n, err := io.Copy(io.Discard, b.Xorb(readSeeker{iotest.ErrReader(failure), pattern{size}.section()})); !errors.Is(err, failure) || n != HeaderSize {
		t.Errorf("content that fails: %d bytes, %v", n, err)
	}
}

// FuzzReconstruct asks for any range of any file: it is put together right, or
// refused.
func FuzzReconstruct(f *testing.F) {
	f.Add(int64(60_000_000_000), "bytes=0-18446744073709551614", uint8(2))
	f.Add(int64(BlockSize+1), "bytes=33554431-33554432", uint8(1))
	f.Add(int64(0), "", uint8(2))
	f.Fuzz(func(t *testing.T, size int64, spec string, version uint8) {
		if size < 0 || size > 1<<41 {
			return
		}
		file := File{Hash: someHash, Size: size}
		first, last, ok := ParseRange(spec, size)
		if !ok {
			return
		}
		if first < 0 || last >= size || first > last && size > 0 {
			t.Fatalf("%q of %d: %d-%d", spec, size, first, last)
		}
		last = min(last, first+2*ChunkSize) // the test fetches it
		got := assemble(t, file, file.Reconstruct(1+int(version%2), first, last, blockName), last-first+1)
		want := make([]byte, len(got))
		if _, err := (pattern{size}).ReadAt(want, first); len(want) > 0 && err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d-%d of %d: wrong bytes, %v", first, last, size, err)
		}
	})
}
