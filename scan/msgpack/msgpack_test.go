package msgpack_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/data"
	"modelwall/scan/engine"
	"modelwall/scan/msgpack"
	"modelwall/scan/pickle"
	"modelwall/scan/scantest"
)

// bin is bytes, ext a value of an application's type, pairs a map in order.
type (
	bin string
	ext struct {
		kind int8
		body string
	}
	pairs []any
)

// pack writes a value.
func pack(v any) string {
	switch v := v.(type) {
	case nil:
		return "\xc0"
	case bool:
		return "\xc3"
	case int:
		return string(binary.BigEndian.AppendUint64([]byte{0xd3}, uint64(v)))
	case string:
		if len(v) < 32 {
			return string([]byte{0xa0 | byte(len(v))}) + v
		}
		return string(binary.BigEndian.AppendUint32([]byte{0xdb}, uint32(len(v)))) + v
	case bin:
		return string(binary.BigEndian.AppendUint32([]byte{0xc6}, uint32(len(v)))) + string(v)
	case ext:
		return string(binary.BigEndian.AppendUint32([]byte{0xc9}, uint32(len(v.body)))) + string(rune(v.kind)) + v.body
	case []any:
		s := string(binary.BigEndian.AppendUint16([]byte{0xdc}, uint16(len(v))))
		for _, x := range v {
			s += pack(x)
		}
		return s
	case pairs:
		s := string([]byte{0x80 | byte(len(v)/2)})
		for _, x := range v {
			s += pack(x)
		}
		return s
	}
	panic("no such value")
}

func array(shape int, dtype, body string) ext {
	return ext{1, pack([]any{[]any{shape}, dtype, bin(body)})}
}

func checkpoint(more ...any) []byte {
	return []byte(pack(append(pairs{"params", pairs{"dense", pairs{"kernel", array(2, "float32", "12345678"), "bias", []any{1, 2}}}, "step", 5}, more...)))
}

// evil is a pickle that calls a function of the system.
const evil = "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R."

func samples() []scantest.Sample {
	const info, low, sus = scan.Info, scan.Low, scan.SeveritySuspicious
	broken := checkpoint("code", "os.system('rm -rf /')", "x", "y")
	broken = broken[:len(broken)-1]
	return []scantest.Sample{
		{Name: "checkpoint", Data: checkpoint(), Worst: info},
		{Name: "words", Data: checkpoint("metadata", pairs{"system", "evaluation of the system", "url", "https://example.com"}), Worst: info},
		{Name: "numbers as keys", Data: checkpoint("x", pairs{1, 2, nil, true}), Worst: info},
		{Name: "other extension", Data: checkpoint("x", ext{42, "x"}), Worst: low},
		{Name: "trailing", Data: append(checkpoint(), "more"...), Worst: low},
		{Name: "reduce", Data: checkpoint("__reduce__", "f"), Worst: sus},
		{Name: "code", Data: checkpoint("code", "import os; os.system('rm -rf /')"), Worst: sus},
		{Name: "lambda", Data: checkpoint("restore_fn", "lambda d: exec('import os; os.system(\"curl http://x.example\")')"), Worst: sus},
		{Name: "code as bytes", Data: checkpoint("blob", bin("__import__('os').system('id')")), Worst: sus},
		{Name: "cut off", Data: checkpoint()[:40], Err: scan.ErrMalformed},
		{Name: "code before the break", Data: broken, Worst: sus, Err: scan.ErrMalformed},
		{Name: "too many items", Data: []byte("\x83\xa1a\xa1b\xa1b\xa1b\xa1c\xdd\xff\xff\xff\xff\x00"), Err: scan.ErrMalformed},
		{Name: "weights", Data: []byte("\x8f\xa3abc" + strings.Repeat("\x01\x02\x03\x3f", 3) + "\xc1\xc1"), Err: scan.ErrForeign},
		{Name: "something else", Data: []byte("\x81\xa1a\xdb\xff\xff\xff\xff"), Err: scan.ErrForeign},
		{Name: "deep", Data: []byte("\x81\xa1a" + strings.Repeat("\x91", 5000)), Err: scan.ErrLimit},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, msgpack.New(), samples()) }

func TestNotMatched(t *testing.T) {
	for _, b := range []string{"", "\x80", "\x80\x04\x95", "\x81", "\x81\x00\x00\x00", "\x81\xa3a\x00b\x00", "\x82\xa1a\xc1", "plain text"} {
		if msgpack.New().Match(scantest.Probe("x.msgpack", []byte(b))) {
			t.Errorf("%q is matched", b)
		}
	}
}

// TestHandedOn: pickles inside are judged by who knows them.
func TestHandedOn(t *testing.T) {
	for name, v := range map[string]any{
		"bytes":        bin(evil),
		"numpy":        pairs{"nd", true, "kind", bin("O"), "data", bin("I1\n0" + evil[2:])},
		"numpy, other": pairs{"data", bin("I1\n0" + evil[2:]), "kind", "O"},
		"extension":    ext{9, evil},
		"trailing":     nil,
	} {
		b := checkpoint("x", v)
		if v == nil {
			b = append(b, evil...)
		}
		eng := engine.New(append([]scan.Scanner{msgpack.New(), pickle.New()}, data.New()...), engine.Limits{TempDir: t.TempDir()})
		r, err := eng.Inspect(context.Background(), scantest.Bytes("x", b))
		if err != nil || r.Verdict != scan.Malicious {
			t.Errorf("%s: %v, %v %s", name, err, r.Verdict, r.Error)
		}
	}
}

type counting struct {
	io.ReaderAt
	n int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// TestBytesRead: arrays are skipped.
func TestBytesRead(t *testing.T) {
	b := checkpoint("a", array(1, "float32", strings.Repeat("w", 16<<20)), "code", "os.system('rm -rf /')")
	c := &counting{ReaderAt: bytes.NewReader(b)}
	r := &scantest.Record{}
	err := msgpack.New().Scan(context.Background(), scan.File{Size: int64(len(b)), ReaderAt: c}, r)
	if err != nil || r.Worst() != scan.SeveritySuspicious || c.n > 256<<10 {
		t.Errorf("%v, %d bytes read, findings %+v", err, c.n, r.Findings)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(append([]scan.Scanner{msgpack.New()}, data.New()...), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "msgpack" && e.Format != "orbax" {
			continue
		}
		n++
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := eng.Inspect(context.Background(), scantest.Bytes(e.Path, b))
		if err != nil {
			t.Fatal(err)
		}
		if flagged := r.Worst() >= scan.SeveritySuspicious; flagged != (e.Label != "benign") || r.Error != "" || r.Formats[0] != "msgpack" {
			t.Errorf("%s %s: %v %v %s %+v", e.Label, e.Path, r.Formats, r.Verdict, r.Error, r.Findings)
		}
	}
	if n == 0 {
		t.Error("no MessagePack in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.Data)
	}
	s := msgpack.New()
	f.Fuzz(func(t *testing.T, b []byte) { scantest.Fuzz(t, s, b) })
}
