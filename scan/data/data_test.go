package data_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/data"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
)

var le = binary.LittleEndian

// u16 and u32 encode text.
func u16(order binary.AppendByteOrder, units ...uint16) []byte {
	var b []byte
	for _, u := range units {
		b = order.AppendUint16(b, u)
	}
	return b
}

func safetensors(header string, body int) []byte {
	return append(append(le.AppendUint64(nil, uint64(len(header))), header...), make([]byte, body)...)
}

func npy(major byte, header string, body []byte) []byte {
	b := append([]byte("\x93NUMPY"), major, 0)
	if major == 1 {
		b = le.AppendUint16(b, uint16(len(header)))
	} else {
		b = le.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), body...)
}

func array(descr, shape string) string {
	return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }        \n"
}

// message is a protobuf of fields that hold bytes.
func message(fields ...string) []byte {
	var b []byte
	for i := 0; i < len(fields); i += 2 {
		b = append(b, fields[i]...)
		b = binary.AppendUvarint(b, uint64(len(fields[i+1])))
		b = append(b, fields[i+1]...)
	}
	return b
}

// piece is an entry of a sentencepiece vocabulary.
func piece(text string) string {
	return string(message("\x0a", text)) + "\x15\x00\x00\x80\x3f"
}

func at(off int, magic string) []byte {
	b := bytes.Repeat([]byte{0xc3, 0x28, 0xa0, 0xa1}, off/4+100)
	copy(b[off:], magic)
	return b
}

// cases say who claims what and how it ends.
func cases() []struct {
	name    string
	data    []byte
	formats []string
	verdict scan.Verdict
	rule    string
} {
	random := bytes.Repeat([]byte{0xcd, 0xcc, 0xcc, 0x3d, 0, 1, 2, 3}, 100)
	return []struct {
		name    string
		data    []byte
		formats []string
		verdict scan.Verdict
		rule    string
	}{
		{"empty", nil, []string{"empty"}, scan.Clean, ""},
		{"text", []byte("hello, wörld\n"), []string{"text"}, scan.Clean, ""},
		{"long text", []byte(strings.Repeat("ünïcode text ☃ ", 20_000)), []string{"text"}, scan.Clean, ""},
		{"text with an odd end", []byte(strings.Repeat("x", 70_000) + "\xe2\x98"), []string{"data"}, scan.Clean, ""},
		{"text, then binary", []byte(strings.Repeat("x", 70_000) + "\x00\x01"), []string{"data"}, scan.Clean, ""},
		{"latin-1", []byte("caf\xe9 au lait"), []string{"data"}, scan.Clean, ""},
		{"UTF-16 LE", u16(le, 0xfeff, 'h', 'i', 0xd83d, 0xde00), []string{"text"}, scan.Clean, ""},
		{"UTF-16 BE", u16(binary.BigEndian, 0xfeff, 'h', 'i'), []string{"text"}, scan.Clean, ""},
		{"UTF-16, lone surrogate", u16(le, 0xfeff, 'h', 0xd83d, 'i'), []string{"data"}, scan.Clean, ""},
		{"UTF-32", le.AppendUint32(le.AppendUint32(nil, 0xfeff), 'h'), []string{"text"}, scan.Clean, ""},
		{"json", []byte(` {"a": [1, -2.5e3, true, null, "\u00e9\n", {}], "b": NaN} `), []string{"text", "json"}, scan.Clean, ""},
		{"not json", []byte(`{"a": [1, 2}`), []string{"text"}, scan.Clean, ""},
		{"png", []byte("\x89PNG\r\n\x1a\n\x00\x00"), []string{"image"}, scan.Clean, ""},
		{"wav", []byte("RIFF\x00\x00\x00\x00WAVE"), []string{"audio"}, scan.Clean, ""},
		{"mp4", []byte("\x00\x00\x00\x18ftypmp42"), []string{"video"}, scan.Clean, ""},
		{"pdf", []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), []string{"document"}, scan.Clean, ""},
		{"tensor", random, []string{"data"}, scan.Clean, ""},
		{"zeros", make([]byte, 100_000), []string{"data"}, scan.Clean, ""},
		{"MZ without a program", append([]byte("MZ"), random...), []string{"data"}, scan.Clean, ""},

		{"no script", []byte("#![feature(test)]\n"), []string{"text"}, scan.Clean, ""},

		{"pyc", append([]byte("\xa7\x0d\r\n\x00\x00\x00\x00"), random...), []string{"unsupported"}, scan.Undetermined, "data.unsupported"},
		{"cabinet", append([]byte("MSCF\x00\x00\x00\x00"), random...), []string{"unsupported"}, scan.Undetermined, "data.unsupported"},
		{"sentencepiece", message("\x0a", piece("<unk>"), "\x0a", piece("▁the"), "\x12", "spec"), []string{"sentencepiece", "data"}, scan.Clean, ""},

		{"npy", npy(1, array("'<f8'", "(2, 3)"), make([]byte, 48)), []string{"npy"}, scan.Clean, ""},
		{"npy 2", npy(2, array("'<i4'", "()"), make([]byte, 4)), []string{"npy"}, scan.Clean, ""},
		{"npy of a structure", npy(3, array("[('a', '<i4'), ('b', '<f8', (2,)), (('t', 'n'), '|S5')]", "(1,)"), make([]byte, 25)), []string{"npy"}, scan.Clean, ""},
		{"npy of text", npy(1, array("'<U3'", "(2L,)"), make([]byte, 24)), []string{"npy"}, scan.Clean, ""},
		{"npy of dates", npy(1, array("'<M8[ns]'", "(2,)"), make([]byte, 16)), []string{"npy"}, scan.Clean, ""},
		{"two npy", append(npy(1, array("'|b1'", "(2,)"), make([]byte, 2)), npy(1, array("'?'", "(2,)"), make([]byte, 2))...), []string{"npy"}, scan.Clean, ""},
		{"npy, cut off", npy(1, array("'<f8'", "(2, 3)"), make([]byte, 47)), []string{"npy"}, scan.Undetermined, "npy.broken"},
		{"npy, header cut off", npy(1, array("'<f8'", "(2, 3)"), nil)[:30], []string{"npy"}, scan.Clean, "npy.broken"},
		{"npy, huge shape", npy(1, array("'<f8'", "(9223372036854775807, 9223372036854775807)"), nil), []string{"npy"}, scan.Undetermined, "npy.broken"},
		{"npy with an expression", npy(1, "{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': ()}", []byte("x")), []string{"npy"}, scan.Suspicious, "npy.header"},
	}
}

func TestCases(t *testing.T) {
	eng := engine.New(data.New(), engine.Limits{TempDir: t.TempDir()})
	for _, c := range cases() {
		r, err := eng.Inspect(context.Background(), scantest.Bytes("x", c.data))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.formats, r.Formats); diff != "" {
			t.Errorf("%s: formats (-want +got):\n%s", c.name, diff)
		}
		if r.Verdict != c.verdict {
			t.Errorf("%s: verdict %v (%s), want %v", c.name, r.Verdict, r.Error, c.verdict)
		}
		if got := slices.ContainsFunc(r.Findings, func(f scan.Finding) bool { return f.Rule == c.rule }); got != (c.rule != "") {
			t.Errorf("%s: findings %+v, want %q", c.name, r.Findings, c.rule)
		}
	}
}

// TestProperties runs the suite's properties on every scanner and case.
func TestProperties(t *testing.T) {
	for _, c := range cases() {
		for _, s := range data.New() {
			if len(c.data) < 8<<10 && s.Match(scantest.Probe("x", c.data)) {
				t.Run(c.name+"/"+s.Format(), func(t *testing.T) { scantest.Properties(t, s, c.data) })
			}
		}
	}
}

func TestAcceptance(t *testing.T) {
	for _, s := range data.New() {
		var samples []scantest.Sample
		switch s.Format() {
		case "npy":
			samples = []scantest.Sample{
				{Name: "numbers", Data: npy(1, array("'<f4'", "(1,)"), make([]byte, 4)), Worst: scan.Info},
				{Name: "expression", Data: npy(1, "print()", nil), Worst: scan.SeveritySuspicious},
			}
		}
		if len(samples) > 0 {
			t.Run(s.Format(), func(t *testing.T) { scantest.Run(t, s, samples) })
		}
	}
}

// TestObjects: the pickle in an array of objects is handed over.
func TestObjects(t *testing.T) {
	const pickle = "\x80\x03cos\nsystem\n."
	for _, descr := range []string{"'|O'", "'O'", "'object'", "[('a', '<i4'), ('b', '|O')]", "'O,i4'", "'<q'", "[('a', [('b', 'O')])]"} {
		r, err := scantest.Scan(find(t, "npy"), "x", npy(1, array(descr, "(1,)"), []byte(pickle)))
		if err != nil || len(r.Members) != 1 || r.Members[0].Name != "data" || string(r.Members[0].Data) != pickle {
			t.Errorf("%s: %v, members %q", descr, err, r.Members)
		}
	}
	r, err := scantest.Scan(find(t, "npy"), "x", append(npy(1, array("'|u1'", "(1,)"), []byte("x")), pickle...))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != pickle {
		t.Errorf("behind an array: %v, members %q", err, r.Members)
	}
}

func find(t testing.TB, format string) scan.Scanner {
	t.Helper()
	for _, s := range data.New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatal("no scanner", format)
	return nil
}

// TestOwned: what others certainly claim is not called opaque data.
func TestOwned(t *testing.T) {
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar\x0000")
	for name, b := range map[string][]byte{
		"zip": []byte("PK\x03\x04\x14\x00"), "7z": []byte("7z\xbc\xaf\x27\x1c"), "gz": []byte("\x1f\x8b\x08\x00"),
		"bz2": []byte("BZh91AY&SYxx"), "xz": []byte("\xfd7zXZ\x00"), "zstd": []byte("\x28\xb5\x2f\xfd"),
		"lz4": []byte("\x04\x22\x4d\x18"), "pickle": []byte("\x80\x04\x95\x00"), "tar": tar,
	} {
		for _, s := range data.New() {
			if s.Match(scantest.Probe("x", b)) && s.Format() != "unsupported" && s.Format() != "text" {
				t.Errorf("%s is claimed as %s", name, s.Format())
			}
		}
	}
	// An end record in the tail alone is not enough: the front may be a model.
	b := append(at(0, "\x00"), "PK\x05\x06"+strings.Repeat("\x00", 18)...)
	if !find(t, "data").Match(scantest.Probe("x", b)) {
		t.Error("a file with an end record behind it is not examined")
	}
}

// TestTextPieces: the answer does not depend on where the pieces are cut.
func TestTextPieces(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("a☃é😀", 30_000), strings.Repeat("x", 65_535) + "☃", strings.Repeat("x", 65_534) + "😀",
	} {
		for _, s := range []string{text, text[:len(text)-1]} {
			_, err := scantest.Scan(find(t, "text"), "x", []byte(s))
			if want := len(s) == len(text); (err == nil) != want {
				t.Errorf("text of %d bytes: %v, want text: %v", len(s), err, want)
			}
		}
	}
}

// FuzzJSON compares the validator with encoding/json. It accepts more in two
// ways: NaN and infinities, and bytes that are not UTF-8.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[1,2]`, `{"a":"b\u0041"}`, `[[],{}]`, `-0.5e+7`, `"x"`, `{"a":}`, `[,]`, `01`, `[1,]`, `{"a" 1}`, `[}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != '{' && b[0] != '[' || bytes.Contains(b, []byte("NaN")) || bytes.Contains(b, []byte("Infinity")) || len(b) > 900 {
			return
		}
		_, err := scantest.Scan(find(t, "json"), "x", b)
		if got, want := err == nil, json.Valid(b); got != want {
			t.Errorf("valid = %v, want %v: %q", got, want, b)
		}
	})
}

func FuzzScan(f *testing.F) {
	for _, c := range cases() {
		if len(c.data) < 4<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		claimed := false
		for _, s := range data.New() {
			if !s.Match(scantest.Probe("x", b)) {
				continue
			}
			scantest.Fuzz(t, s, b)
			_, err := scantest.Scan(s, "x", b)
			claimed = claimed || !errors.Is(err, scan.ErrForeign)
		}
		// What is not owned by a scanner elsewhere is claimed by one here.
		if !claimed && find(t, "data").Match(scantest.Probe("x", b)) {
			t.Errorf("nobody claims %q", b)
		}
	})
}

// TestBytesRead: a safetensors file of 10 GiB costs its header.
func TestBytesRead(t *testing.T) {
	head := safetensors(`{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 0)
	r := &counting{ReaderAt: endless{head}}
	f := scan.File{Name: "x", Size: 10 << 30, ReaderAt: r}
	for _, s := range data.New() {
		if s.Match(scan.Probe{Size: f.Size, Head: append(head, make([]byte, 4096-len(head))...)}) {
			if err := s.Scan(context.Background(), f, &scantest.Record{}); err != nil && !errors.Is(err, scan.ErrForeign) {
				t.Errorf("%s: %v", s.Format(), err)
			}
		}
	}
	if r.n > 64<<10 {
		t.Errorf("%d bytes were read", r.n)
	}
}

type counting struct {
	io.ReaderAt
	n int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.n += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

// endless is a head and then zeros without end.
type endless struct{ head []byte }

func (z endless) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(z.head)) {
		copy(p, z.head[off:])
	}
	return len(p), nil
}

const corpus = "../../../shared/corpus"

// TestCorpus: nothing benign in the corpus is flagged as data.
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
		for _, s := range data.New() {
			if !s.Match(scantest.Probe(e.Path, b)) {
				continue
			}
			r, err := scantest.Scan(s, e.Path, b)
			scantest.Classified(t, err)
			if errors.Is(err, scan.ErrForeign) {
				continue
			}
			met[s.Format()]++
			if e.Label == "benign" && r.Worst() >= scan.SeveritySuspicious {
				t.Errorf("%s as %s: %+v", e.Path, s.Format(), r.Findings)
			}
		}
	}
	for _, format := range []string{"text", "json", "npy", "data"} {
		if met[format] == 0 {
			t.Errorf("no %s in the corpus; met %v", format, met)
		}
	}
}
