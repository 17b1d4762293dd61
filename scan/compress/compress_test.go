package compress_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
	"go.uber.org/goleak"

	"modelwall/scan"
	"modelwall/scan/compress"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bzip2Hello is "hello, world" by bzip2, for which Go has no writer.
const bzip2Hello = "BZh91AY&SYB\xf7\xddJ\x00\x00\x02\x11\x80@\x04\x06D\x90\x80 \x001\x06LA\x00z%\x01\xc9l1\xf8\xbb\x92)\xc2\x84\x82\x17\xbe\xeaP"

const hello = "hello, world"

// pack compresses body. Only hello can be packed by bzip2.
func pack(t testing.TB, format, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch format {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "bzip2":
		if body != hello {
			t.Skip("no bzip2 writer")
		}
		return []byte(bzip2Hello)
	case "xz":
		w, err = xz.NewWriter(&b)
	case "lzma":
		w, err = lzma.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	case "lz4":
		w = lz4.NewWriter(&b)
	case "lz4 legacy":
		l := lz4.NewWriter(&b)
		err = l.Apply(lz4.LegacyOption(true))
		w = l
	case "zlib":
		w = zlib.NewWriter(&b)
	case "zfile":
		return append(fmt.Appendf(nil, "ZF%-19s", fmt.Sprintf("%#x", len(body))), pack(t, "zlib", body)...)
	case "zfile of Python 2":
		return append(fmt.Appendf(nil, "ZF%-20s", fmt.Sprintf("%#x", len(body))), pack(t, "zlib", body)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func scanner(t testing.TB, format string) scan.Scanner {
	t.Helper()
	for _, s := range compress.New() {
		if strings.HasPrefix(format, s.Format()) {
			return s
		}
	}
	t.Fatal("no scanner for", format)
	return nil
}

func formats() []string {
	return []string{"gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "lz4 legacy", "zlib", "zfile", "zfile of Python 2"}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestAcceptance(t *testing.T) {
	for _, format := range formats() {
		t.Run(format, func(t *testing.T) {
			whole := pack(t, format, hello)
			samples := []scantest.Sample{
				{Name: "whole", Data: whole, Worst: scan.Info},
				{Name: "cut off", Data: whole[:len(whole)*3/4], Worst: scan.SeveritySuspicious, Err: scan.ErrMalformed},
			}
			if format == "lz4 legacy" { // has no end mark: a cut must hit a block
				samples[1].Data = whole[:len(whole)-2]
			}
			scantest.Run(t, scanner(t, format), samples)
		})
	}
}

// TestOnlyOwn asks every scanner about every format's files.
func TestOnlyOwn(t *testing.T) {
	for _, format := range formats() {
		data := pack(t, format, hello)
		for _, s := range compress.New() {
			if got, want := s.Match(scantest.Probe("x", data)), strings.HasPrefix(format, s.Format()); got != want {
				t.Errorf("%s: Match of %s = %v", format, s.Format(), got)
			}
		}
	}
}

// TestEveryPrefix cuts each format at every byte: no prefix is whole.
func TestEveryPrefix(t *testing.T) {
	for _, format := range formats() {
		whole := pack(t, format, hello)
		for n := 1; n < len(whole); n++ {
			r, err := scantest.Scan(scanner(t, format), "x", whole[:n])
			if err == nil && !(format == "lz4 legacy" && n == 4) {
				t.Errorf("%s: %d of %d bytes pass; members %q", format, n, len(whole), r.Members)
			}
		}
	}
}

// TestDamage flips bits in the middle of a long stream: what decodes before
// must reach the engine, and the error is the file's.
func TestDamage(t *testing.T) {
	var body strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for body.Len() < 300_000 {
		fmt.Fprintf(&body, "%x ", r.Uint64())
	}
	for _, format := range formats() {
		if format == "bzip2" || format == "lz4 legacy" { // no writer; no checksum
			continue
		}
		data := pack(t, format, body.String())
		for i := range 64 {
			data[len(data)*2/3+i] ^= 0xff
		}
		got, err := scantest.Scan(scanner(t, format), "x", data)
		if !errors.Is(err, scan.ErrMalformed) {
			t.Errorf("%s: error = %v", format, err)
		}
		m := got.Members[0]
		if len(m.Data) < 1000 || !strings.HasPrefix(body.String(), string(m.Data[:1000])) || !errors.Is(m.Err, scan.ErrMalformed) {
			t.Errorf("%s: %d bytes came out, then %v", format, len(m.Data), m.Err)
		}
		if got.Worst() != scan.SeveritySuspicious || got.Findings[0].Rule != scanner(t, format).Format()+".broken" {
			t.Errorf("%s: findings %+v", format, got.Findings)
		}
	}
}

func TestSeveralStreams(t *testing.T) {
	for _, format := range []string{"gzip", "bzip2", "xz", "zstd", "lz4"} {
		one := pack(t, format, hello)
		got, err := scantest.Scan(scanner(t, format), "x", join(one, one))
		if err != nil || len(got.Members) != 1 || string(got.Members[0].Data) != hello+hello {
			t.Errorf("%s: %v, members %q", format, err, got.Members)
		}
	}
	for _, format := range []string{"gzip", "xz", "zstd", "lz4"} { // nothing, many times
		got, err := scantest.Scan(scanner(t, format), "x", join(bytes.Repeat(pack(t, format, ""), 300), pack(t, format, hello)))
		if err != nil || len(got.Members) != 1 || string(got.Members[0].Data) != hello {
			t.Errorf("%s: %v, members %q", format, err, got.Members)
		}
	}
	gz := pack(t, "gzip", hello)
	got, err := scantest.Scan(scanner(t, "gzip"), "x", join(gz, make([]byte, 300), gz, make([]byte, 7)))
	if err != nil || len(got.Members) != 1 || string(got.Members[0].Data) != hello+hello || len(got.Findings) > 0 {
		t.Errorf("padded: %v, members %q, findings %+v", err, got.Members, got.Findings)
	}
}

func TestTrailing(t *testing.T) {
	const tail = "cos\nsystem\n(S'id'\ntR."
	for _, format := range formats() {
		if strings.HasPrefix(format, "lz4 legacy") {
			continue // has no end mark
		}
		got, err := scantest.Scan(scanner(t, format), "x", join(pack(t, format, hello), []byte(tail)))
		if len(got.Members) != 2 || string(got.Members[0].Data) != hello || string(got.Members[1].Data) != tail {
			t.Errorf("%s: members %q", format, got.Members)
		}
		worst, class := scan.Low, error(nil)
		if format == "xz" || format == "lzma" {
			worst, class = scan.SeveritySuspicious, scan.ErrLimit
		}
		if got.Worst() != worst || !errors.Is(err, class) {
			t.Errorf("%s: error %v", format, err)
			t.Errorf("%s: findings %+v", format, got.Findings)
		}
	}
}

// TestJoined: Python's lzma goes on with any of its formats, wherever a fake
// footer claims the end of the data to be.
func TestJoined(t *testing.T) {
	whole := pack(t, "xz", hello)
	footer := whole[len(whole)-12:]
	for _, first := range []string{"xz", "lzma"} {
		for _, second := range []string{"xz", "lzma"} {
			data := join(pack(t, first, hello), pack(t, second, hello), footer)
			got, err := scantest.Scan(scanner(t, first), "x", data)
			if !errors.Is(err, scan.ErrLimit) && !errors.Is(err, scan.ErrMalformed) || got.Worst() != scan.SeveritySuspicious {
				t.Errorf("%s and %s: error %v, findings %+v", first, second, err, got.Findings)
			}
		}
	}
}

// TestLZMAHeaders: liblzma takes a dictionary of no bytes, and eighteen zeros
// for a stream of nothing that another one may follow.
func TestLZMAHeaders(t *testing.T) {
	s := scanner(t, "lzma")
	none := pack(t, "lzma", hello)
	copy(none[1:5], make([]byte, 4))
	none[0] = 0x5e // so that it is not joblib's signature
	if !s.Match(scantest.Probe("x", none)) {
		t.Error("Match = false for a dictionary of no bytes")
	}
	for _, n := range []int{18, 36, 180} {
		for props := range 2 { // of the stream that follows: a header may begin with zeros
			next := pack(t, "lzma", hello)
			if props == 0 {
				copy(next, make([]byte, 3))
			}
			data := join(make([]byte, n), next)
			r, err := scantest.Scan(s, "x", data)
			if last := len(r.Members) - 1; !s.Match(scantest.Probe("x", data)) || err != nil || !bytes.Equal(r.Members[last].Data, next) {
				t.Errorf("%d zeros before a stream: %v, %q", n, err, r.Members)
			}
		}
	}
	if s.Match(scantest.Probe("x", make([]byte, 10_000))) {
		t.Error("Match = true for zeros")
	}
}

// TestZFileLengths: joblib reads the length with Python's int.
func TestZFileLengths(t *testing.T) {
	for _, length := range []string{"0xc", "0XC", "c", "  c", "+0xc", "0x_c", "\tC\n", "000000000000000000c"} {
		data := append(fmt.Appendf(nil, "ZF%-19s", length), pack(t, "zlib", hello)...)
		s := scanner(t, "zfile")
		got, err := scantest.Scan(s, "x", data)
		if !s.Match(scantest.Probe("x", data)) || err != nil || string(got.Members[0].Data) != hello {
			t.Errorf("%q: %v, members %q", length, err, got.Members)
		}
	}
}

// TestWeakSignatures: data that happens to begin like zlib or lzma is foreign,
// and what little it decodes to is inspected all the same.
func TestWeakSignatures(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		b := make([]byte, 4096)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[0], b[1] = 0x78, 0x9c
		if _, err := scantest.Scan(scanner(t, "zlib"), "x", b); !errors.Is(err, scan.ErrForeign) {
			t.Errorf("zlib: %v for %x", err, b[:16])
		}
		copy(b, "\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00")
		if _, err := scantest.Scan(scanner(t, "lzma"), "x", b); !errors.Is(err, scan.ErrForeign) && !errors.Is(err, scan.ErrMalformed) {
			t.Errorf("lzma: %v for %x", err, b[:16])
		}
	}
	broken := pack(t, "zlib", hello)
	broken = append(broken[:len(broken)-6:len(broken)-6], strings.Repeat("\xff", 40)...)
	got, err := scantest.Scan(scanner(t, "zlib"), "x", broken)
	if !errors.Is(err, scan.ErrForeign) || len(got.Members) == 0 || !strings.HasPrefix(hello, string(got.Members[0].Data)) {
		t.Errorf("error %v, members %q", err, got.Members)
	}
	for _, text := range []string{"ZFS is a file system", "x^2 + y^2", "ZF0x is a prefix and this is a text"} {
		for _, s := range compress.New() {
			if !s.Match(scantest.Probe("x", []byte(text))) {
				continue
			}
			if _, err := scantest.Scan(s, "x", []byte(text)); !errors.Is(err, scan.ErrForeign) && !errors.Is(err, scan.ErrMalformed) {
				t.Errorf("%q by %s: %v", text, s.Format(), err)
			}
		}
	}
}

// TestDictionaries: headers that ask for more memory than is given are limits.
func TestDictionaries(t *testing.T) {
	for format, head := range map[string]string{
		// .lzma with a dictionary of 3 GiB
		"lzma": "5d000000c0ffffffffffffffff00" + strings.Repeat("00", 40),
		// zstd with a window of 2 GiB
		"zstd": "28b52ffd00a8" + "010000" + "00",
	} {
		data, err := hex.DecodeString(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := scantest.Scan(scanner(t, format), "x", data); !errors.Is(err, scan.ErrLimit) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// TestTransport: the reader's own failure is not the file's.
func TestTransport(t *testing.T) {
	boom := errors.New("connection lost")
	for _, format := range formats() {
		data := pack(t, format, hello)
		f := scantest.Bytes("x", data)
		f.ReaderAt = failing{bytes.NewReader(data), int64(len(data) / 2), boom}
		if err := scanner(t, format).Scan(context.Background(), f, &scantest.Record{}); !errors.Is(err, boom) || errors.Is(err, scan.ErrMalformed) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

type failing struct {
	io.ReaderAt
	at  int64
	err error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= f.at {
		return f.ReaderAt.ReadAt(p, off)
	}
	n, _ := f.ReaderAt.ReadAt(p[:max(0, min(int64(len(p)), f.at-off))], off)
	return n, f.err
}

func TestBomb(t *testing.T) {
	zeros := pack(t, "zstd", strings.Repeat("\x00", 70<<20))
	eng := engine.New(compress.New(), engine.Limits{Ratio: 100, Expansion: 1 << 20, TempDir: t.TempDir()})
	r, err := eng.Inspect(context.Background(), scantest.Bytes("x", zeros))
	if err != nil || r.Verdict != scan.Undetermined || !strings.Contains(r.Error, "100 times") {
		t.Errorf("%v, report %+v", err, r)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	met := map[string]int{}
	for _, e := range scantest.Corpus(t, corpus) {
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range compress.New() {
			if !s.Match(scantest.Probe(e.Path, data)) {
				continue
			}
			got, err := scantest.Scan(s, e.Path, data)
			if errors.Is(err, scan.ErrForeign) {
				continue
			}
			met[s.Format()]++
			if err != nil || got.Worst() > scan.Info || len(got.Members) != 1 || len(got.Members[0].Data) == 0 {
				t.Errorf("%s as %s: %v, findings %+v", e.Path, s.Format(), err, got.Findings)
				continue
			}
			if e.Label == "malicious" && strings.HasPrefix(e.Technique, "os.system") && !bytes.Contains(got.Members[0].Data, []byte("system")) {
				t.Errorf("%s as %s: the payload did not come out", e.Path, s.Format())
			}
		}
	}
	for _, format := range []string{"gzip", "bzip2", "xz", "lzma", "zlib", "lz4", "zfile"} {
		if met[format] == 0 {
			t.Errorf("no %s file in the corpus; met %v", format, met)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, format := range formats() {
		f.Add(pack(f, format, hello))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range compress.New() {
			if s.Match(scantest.Probe("x", data)) {
				scantest.Fuzz(t, s, data)
			}
		}
	})
}
