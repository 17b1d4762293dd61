package gguf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func TestAcceptance(t *testing.T) {
	v1 := newBuilder()
	v1.version = 1
	big := newBuilder()
	big.order = binary.BigEndian
	old := func(magic string) []byte { return append([]byte(magic), 1, 0, 0, 0, 9, 0, 0, 0, 9, 9) }
	nested := newBuilder()
	nested.key("deep", typeArray)
	nested.kv = nested.length(nested.order.AppendUint32(nested.kv, typeArray), 2)
	for range 2 {
		nested.kv = nested.length(nested.order.AppendUint32(nested.kv, 0), 3)
		nested.kv = append(nested.kv, 1, 2, 3)
	}
	abyss := newBuilder()
	abyss.key("abyss", typeArray)
	for range 20 {
		abyss.kv = abyss.length(abyss.order.AppendUint32(abyss.kv, typeArray), 1)
	}
	aligned := func(n uint32) []byte { return newBuilder().uint32("general.alignment", n).tensor("x", 1).bytes() }
	whole := model(newBuilder()).bytes()
	cut := func(n int) []byte { return whole[:n] }
	longString := append(newBuilder().head(0, 1), binary.LittleEndian.AppendUint64(nil, 1<<62)...)
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "model", Data: whole, Worst: scan.Info},
		{Name: "version 1", Data: model(v1).bytes(), Worst: scan.Info},
		{Name: "big-endian", Data: model(big).bytes(), Worst: scan.Info},
		{Name: "vocabulary only", Data: newBuilder().text("general.architecture", "gpt2").bytes(), Worst: scan.Info},
		{Name: "arrays in an array", Data: nested.bytes(), Worst: scan.Info},
		{Name: "ggml", Data: old("lmgg"), Worst: scan.Info},
		{Name: "ggjt", Data: old("tjgg"), Worst: scan.Info},
		{Name: "unknown type of tensor", Data: newBuilder().info("x", 4000, 0, 8).bytes(), Worst: scan.Info},
		{Name: "key twice", Data: newBuilder().text("a", "b").text("a", "b").bytes(), Worst: scan.Low},
		{Name: "key like a path", Data: newBuilder().text("../../etc/passwd", "b").bytes(), Worst: scan.Low},
		{Name: "more behind", Data: append(model(newBuilder()).bytes(), make([]byte, 64)...), Worst: scan.Low},

		{Name: "template twice", Data: newBuilder().text("tokenizer.chat_template", "x").text("tokenizer.chat_template", "y").bytes(), Worst: scan.SeveritySuspicious},
		{Name: "tensor twice", Data: newBuilder().tensor("x", 1).tensor("x", 1).bytes(), Worst: scan.SeveritySuspicious},
		{Name: "tensors over each other", Data: newBuilder().tensor("x", 8).info("y", 0, 0, 8).bytes(), Worst: scan.SeveritySuspicious},
		{Name: "2^63 pairs", Data: newBuilder().head(0, 1<<63), Worst: scan.SeveritySuspicious},
		{Name: "2^63 tensors", Data: newBuilder().head(1<<63, 0), Worst: scan.SeveritySuspicious},
		{Name: "string of 2^62", Data: longString, Worst: scan.SeveritySuspicious},
		{Name: "dimensions overflow", Data: newBuilder().info("x", 0, 0, 1<<33, 1<<33).bytes(), Worst: scan.SeveritySuspicious},
		{Name: "offset overflows", Data: newBuilder().info("x", 0, 1<<63, 8).bytes(), Worst: scan.SeveritySuspicious},
		{Name: "2^31 dimensions", Data: append(newBuilder().head(1, 0), 1, 0, 0, 0, 0, 0, 0, 0, 'x', 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0), Worst: scan.SeveritySuspicious},
		{Name: "alignment 0", Data: aligned(0), Worst: scan.SeveritySuspicious},
		{Name: "alignment 48", Data: aligned(48), Worst: scan.SeveritySuspicious},
		{Name: "no such version", Data: []byte("GGUF\x4d\x00\x00\x00" + strings.Repeat("\x00", 16)), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "header cut off", Data: cut(100), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "data cut off", Data: cut(len(whole) - 40), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "100 pairs of which none is there", Data: newBuilder().head(0, 100), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "abyss", Data: abyss.bytes(), Worst: scan.Low, Err: scan.ErrMalformed},
		{Name: "no such type", Data: newBuilder().tensor("x", 1).typed(77).bytes(), Worst: scan.Low, Err: scan.ErrMalformed},
	})
}

// typed adds a value of a type that does not exist.
func (b *builder) typed(t uint32) *builder {
	b.key("x", t)
	return b
}

// TestMembers: templates in every key, and files in strings and arrays, are
// handed on; a vocabulary is not.
func TestMembers(t *testing.T) {
	const template = "{{ cycler.__init__ }}"
	const pickle = "\x80\x04\x95\x00\x00\x00."
	b := newBuilder().text("tokenizer.chat_template", "plain").text("tokenizer.chat_template.tool_use", template).
		text("general.description", "uses "+template).text("general.name", "x").
		strings("tokenizer.ggml.tokens", "{{", "}}", "{%").strings("templates", "a", template+"  ").
		octets("blob", []byte(pickle)).octets("charsmap", []byte{1, 2, 3}).text("tokenizer.huggingface.json", `{"a":1}`)
	b.tensor("x", 1)
	data := append(b.bytes(), make([]byte, 8)...)
	data = append(data, "PK\x03\x04 and so on, longer than the alignment"...)
	r, err := scantest.Scan(New(), "x", data)
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]string
	for _, m := range r.Members {
		got = append(got, [2]string{m.Name, string(m.Data)})
	}
	want := [][2]string{
		{"tokenizer.chat_template", "plain"},
		{"tokenizer.chat_template.tool_use", template},
		{"general.description", "uses " + template},
		{"templates", template + "  "},
		{"blob", pickle},
		{"tokenizer.huggingface.json", `{"a":1}`},
		{"trailing", "PK\x03\x04 and so on, longer than the alignment"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// TestBehindAnAbsurdCount: what there is behind a count that no file can have
// is looked at all the same.
func TestBehindAnAbsurdCount(t *testing.T) {
	b := newBuilder().text("tokenizer.chat_template", "{{ x }}")
	r, err := scantest.Scan(New(), "x", append(b.head(0, 1<<63), b.kv...))
	if err != nil || len(r.Members) != 1 || r.Worst() != scan.SeveritySuspicious {
		t.Errorf("%v, members %q, findings %+v", err, r.Members, r.Findings)
	}
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]bool{
		"GGUF\x03\x00\x00\x00": true, "tjgg\x03\x00\x00\x00": true, "GGML models are old": false, "GGU": false, "": false, "lmgg": false,
	} {
		if got := New().Match(scantest.Probe("x.gguf", []byte(text))); got != want {
			t.Errorf("Match(%q) = %v", text, got)
		}
	}
}

// TestBytesRead: 40 GiB with a vocabulary of 150 000 tokens cost the header.
func TestBytesRead(t *testing.T) {
	tokens := make([]string, 150_000)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("token%d", i)
	}
	b := newBuilder().text("general.architecture", "llama").strings("tokenizer.ggml.tokens", tokens...).
		numbers("tokenizer.ggml.scores", len(tokens)).text("tokenizer.chat_template", "{{ x }}")
	const size = 40 << 30
	b.info("x", 0, 0, size/8).info("y", 0, size/2, size/8)
	head := b.bytes()
	r := &counting{head: head}
	rec := &scantest.Record{}
	if err := New().Scan(context.Background(), scan.File{Size: int64(len(head)) + size, ReaderAt: r}, rec); err != nil {
		t.Fatal(err)
	}
	if len(rec.Findings) > 0 || len(rec.Members) != 1 {
		t.Errorf("findings %+v, %d members", rec.Findings, len(rec.Members))
	}
	if r.read > int64(len(head))+2<<20 || r.reads > 16 {
		t.Errorf("%d bytes in %d reads for a header of %d", r.read, r.reads, len(head))
	}
}

// counting is a head and then zeros without end.
type counting struct {
	head  []byte
	read  int64
	reads int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.read += int64(len(p))
	c.reads++
	clear(p)
	if off < int64(len(c.head)) {
		copy(p, c.head[off:])
	}
	return len(p), nil
}

// TestReadError: the reader's own error comes back as it is.
func TestReadError(t *testing.T) {
	f := scantest.Bytes("x", model(newBuilder()).bytes())
	boom := errors.New("boom")
	f.ReaderAt = readerAt(func([]byte, int64) (int, error) { return 0, boom })
	if err := New().Scan(context.Background(), f, &scantest.Record{}); !errors.Is(err, boom) {
		t.Errorf("%v, want boom", err)
	}
	f.ReaderAt = io.NewSectionReader(bytes.NewReader(nil), 0, 0)
	if err := New().Scan(context.Background(), f, &scantest.Record{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v, want an unexpected end", err)
	}
}

type readerAt func([]byte, int64) (int, error)

func (f readerAt) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

func FuzzScan(f *testing.F) {
	v1 := newBuilder()
	v1.version = 1
	f.Add(model(newBuilder()).bytes())
	f.Add(model(v1).bytes())
	f.Add(newBuilder().head(1<<63, 1<<63))
	f.Add(newBuilder().info("x", 0, 1<<63, 1<<40, 8).bytes())
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, New(), data) })
}
