package paddle_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"modelwall/scan"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/paddle"
	"modelwall/scan/scantest"
)

func by(t testing.TB, format string) scan.Scanner {
	t.Helper()
	for _, s := range paddle.New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner for %s", format)
	return nil
}

// program is a ProgramDesc with one block.
func program(ops ...[]byte) []byte {
	variable := Sub(3, Str(1, "x"), Sub(2, Int(1, 7), Sub(3, Sub(1, Int(1, 5), Int(2, 3)))))
	return Msg(Sub(1, Int(1, 0), Int(2, 0), variable, Msg(ops...)), Sub(4, Int(1, 0)))
}

func op(name string, attrs ...[]byte) []byte {
	return Sub(4, Sub(1, Str(1, "X"), Str(2, "x")), Str(3, name), Msg(attrs...))
}

func attr(name, value string) []byte { return Sub(4, Str(1, name), Int(2, 2), Str(5, value)) }

func TestProgram(t *testing.T) {
	const low, suspicious, malicious = scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	scantest.Run(t, by(t, "paddle"), []scantest.Sample{
		{Name: "plain", Data: program(op("feed"), op("conv2d", attr("data_format", "NCHW")), op("fetch"))},
		{Name: "load beside", Data: program(op("load_combine", attr("file_path", "inference.pdiparams"))), Worst: low},
		{Name: "engine", Data: program(op("tensorrt_engine")), Worst: low},
		{Name: "Python", Data: program(op("relu"), op("py_func")), Worst: suspicious},
		{Name: "save", Data: program(op("save", attr("file_path", "x"))), Worst: suspicious},
		{Name: "save elsewhere", Data: program(op("save", attr("file_path", "../x"))), Worst: malicious},
		{Name: "load elsewhere", Data: program(op("load", attr("file_path", "/data/x"))), Worst: suspicious},
		{Name: "load of a system file", Data: program(op("load", attr("file_path", "/etc/passwd"))), Worst: malicious},
		{Name: "read", Data: program(op("read_file", attr("filename", "x"))), Worst: suspicious},
		{Name: "network", Data: program(op("listen_and_serv")), Worst: suspicious},
		{Name: "library", Data: program(op("custom", attr("so", "/tmp/evil.so"))), Worst: suspicious},
		{Name: "second block", Data: Msg(program(op("relu")), Sub(1, Int(1, 1), Int(2, 0), op("py_func"))), Worst: suspicious},
		{Name: "cut short", Data: Msg(program(op("relu")), Promise(1, 100)), Err: scan.ErrMalformed},
		{Name: "another message", Data: Msg(Sub(1, Str(1, "x"), Str(2, "Const"))), Err: scan.ErrForeign},
	})
}

// tensor is one of .pdiparams: dims float32 values.
func tensor(dims ...uint64) []byte {
	desc, n := Int(1, 5), uint64(4)
	for _, d := range dims {
		desc, n = append(desc, Int(2, d)...), n*d
	}
	le := binary.LittleEndian
	b := le.AppendUint64(le.AppendUint32(nil, 0), 0)
	b = le.AppendUint32(le.AppendUint32(b, 0), uint32(len(desc)))
	return append(append(b, desc...), make([]byte, n)...)
}

func TestParameters(t *testing.T) {
	s := by(t, "pdiparams")
	whole := append(tensor(3, 4), tensor(7)...)
	for name, c := range map[string]struct {
		data []byte
		err  error
	}{
		"whole":          {whole, nil},
		"empty tensor":   {tensor(0), nil},
		"cut short":      {whole[:len(whole)-1], scan.ErrForeign},
		"bytes behind":   {append(whole, 1, 2, 3), scan.ErrForeign},
		"dims overflow":  {tensor(0)[:20], scan.ErrForeign},
		"only zeros":     {make([]byte, 64), scan.ErrForeign},
		"2^62 values":    {append(tensor(0)[:16], append(binary.LittleEndian.AppendUint32(nil, 12), Msg(Int(1, 5), Int(2, 1<<62))...)...), scan.ErrForeign},
		"unknown values": {append(tensor(0)[:16], append(binary.LittleEndian.AppendUint32(nil, 4), Msg(Int(1, 99), Int(2, 1))...)...), scan.ErrForeign},
	} {
		if !s.Match(scantest.Probe("x", c.data)) {
			t.Errorf("%s is not matched", name)
			continue
		}
		if _, err := scantest.Scan(s, "x", c.data); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", name, err, c.err)
		}
		scantest.Properties(t, s, c.data)
	}
	f := scantest.Bytes("x", tensor(3))
	f.Size = 1000 // longer than the reader has
	if err := s.Scan(context.Background(), f, &scantest.Record{}); err == nil || errors.Is(err, scan.ErrForeign) {
		t.Errorf("error = %v, want the reader's own", err)
	}
}

const corpus = "../../../shared/corpus"

// No sample of parameters is blamed on the program that loads it.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	seen := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "pdiparams" || e.Label != "benign" {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, s := range paddle.New() {
			if !s.Match(scantest.Probe(e.Path, data)) {
				continue
			}
			if r, err := scantest.Scan(s, e.Path, data); len(r.Findings) > 0 || !errors.Is(err, scan.ErrForeign) && err != nil {
				t.Errorf("%s by %s: %+v, %v", e.Path, s.Format(), r.Findings, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no samples")
	}
}

func FuzzScan(f *testing.F) {
	f.Add(program(op("save", attr("file_path", "../x"))))
	f.Add(tensor(2, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range paddle.New() {
			scantest.Fuzz(t, s, data)
		}
	})
}
