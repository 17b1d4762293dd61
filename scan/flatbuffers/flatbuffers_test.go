package flatbuffers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/flatbuffers"
	"modelwall/scan/scantest"
)

// lite is a model with one operation of the given code.
func lite(code tab, more ...tab) []byte {
	ops := vec{tab{0: 0, 1: ints{0}, 2: ints{1}}}
	for _, op := range more {
		if op[1] == nil {
			op[1], op[2] = ints{0, -1}, ints{1}
		}
		ops = append(ops, op)
	}
	return build("TFL3", tab{
		0: 3,
		1: vec{tab{3: 0}, code},
		2: vec{tab{
			0: vec{tab{0: ints{1, 3}, 2: 1, 3: "in"}, tab{0: ints{1, 3}, 3: "out"}},
			1: ints{0}, 2: ints{1}, 3: ops,
		}},
		3: "description",
		4: vec{tab{}, tab{0: blob("weights")}},
	})
}

func custom(name string) tab { return tab{0: byte(32), 1: name, 3: 32} }

func ortModel(nodes ...any) []byte {
	return build("ORTM", tab{0: "6", 1: tab{7: tab{2: vec(nodes), 0: vec{tab{4: blob("raw")}}}}})
}

func program(operators, delegates vec, more tab) []byte {
	root := tab{1: vec{tab{0: "forward", 6: operators, 7: delegates}}}
	for k, v := range more {
		root[k] = v
	}
	return build("ET12", root)
}

func samples() map[string][]scantest.Sample {
	const info, low, sus, mal = scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	return map[string][]scantest.Sample{
		"tflite": {
			{Name: "built in", Data: lite(tab{3: 5}, tab{0: 1}), Worst: info},
			{Name: "nothing in it", Data: append([]byte("\x00\x00\x00\x00TFL3"), make([]byte, 100)...), Worst: info},
			{Name: "known custom", Data: lite(custom("TFLite_Detection_PostProcess"), tab{0: 1}), Worst: info},
			{Name: "custom", Data: lite(custom("MyOp"), tab{0: 1}), Worst: low},
			{Name: "custom, by the old number", Data: lite(tab{0: byte(32), 1: "MyOp"}, tab{0: 1}), Worst: low},
			{Name: "custom library", Data: lite(custom("/tmp/evil.so"), tab{0: 1}), Worst: sus},
			{Name: "flex that computes", Data: lite(custom("FlexErf"), tab{0: 1, 5: flexOptions("Erf", nodeDef("Erf"))}), Worst: info},
			{Name: "flex that reads", Data: lite(custom("FlexReadFile"), tab{0: 1}), Worst: sus},
			{Name: "flex that writes", Data: lite(custom("FlexWriteFile"), tab{0: 1, 5: flexOptions("WriteFile", nodeDef("WriteFile"))}), Worst: mal},
			{Name: "flex that says otherwise", Data: lite(custom("FlexErf"), tab{0: 1, 5: flexOptions("Erf", nodeDef("WriteFile"))}), Worst: mal},
			{Name: "flex without sense", Data: lite(custom("FlexErf"), tab{0: 1, 5: blob("no flex buffer")}), Worst: sus},
			{Name: "flex with Python", Data: lite(custom("FlexEagerPyFunc"), tab{0: 1}), Worst: sus},
			{Name: "tensor of none", Data: lite(tab{3: 5}, tab{0: 1, 1: ints{9}, 2: ints{1}}), Worst: sus, Err: scan.ErrMalformed},
			{Name: "negative tensor", Data: lite(tab{3: 5}, tab{0: 1, 1: ints{-7}, 2: ints{1}}), Worst: sus, Err: scan.ErrMalformed},
			{Name: "code of none", Data: lite(tab{3: 5}, tab{0: 7}), Worst: sus, Err: scan.ErrMalformed},
			{Name: "vector that leads out", Data: build("TFL3", tab{2: far(1 << 30)}), Worst: sus, Err: scan.ErrMalformed},
			{Name: "buffer outside", Data: build("TFL3", tab{4: vec{tab{1: uint64(1 << 40), 2: uint64(9)}}}), Worst: sus, Err: scan.ErrMalformed},
			{Name: "root outside", Data: []byte("\xff\xff\xff\x7fTFL3"), Worst: sus, Err: scan.ErrMalformed},
		},
		"ort": {
			{Name: "onnx", Data: ortModel(tab{2: "", 5: "Conv"}, tab{2: "com.microsoft", 5: "FusedConv"}), Worst: info},
			{Name: "custom", Data: ortModel(tab{2: "com.example", 5: "Thing"}), Worst: low},
			{Name: "python", Data: ortModel(tab{2: "pyopmulti", 5: "PyOp"}), Worst: sus},
			{Name: "python in a branch", Data: ortModel(tab{5: "If", 10: vec{tab{7: tab{2: vec{tab{5: "PythonOp"}}}}}}), Worst: sus},
			{Name: "python in one of many", Data: ortModel(tab{5: "If", 10: vec{tab{12: vec{tab{}, tab{2: vec{tab{5: "PyOp"}}}}}}}), Worst: sus},
			{Name: "leads out", Data: build("ORTM", tab{1: far(1 << 20)}), Worst: sus, Err: scan.ErrMalformed},
		},
		"executorch": {
			{Name: "kernels", Data: program(vec{tab{0: "aten::add", 1: "out"}}, vec{tab{0: "XnnpackBackend"}}, nil), Worst: info},
			{Name: "other kernels", Data: program(vec{tab{0: "mine::add"}}, nil, nil), Worst: low},
			{Name: "other backend", Data: program(nil, vec{tab{0: "Mine"}}, nil), Worst: low},
			{Name: "native backend", Data: program(nil, vec{tab{0: "CudaBackend"}}, nil), Worst: sus},
			{Name: "segment outside", Data: program(nil, nil, tab{4: vec{tab{0: uint64(1 << 40), 1: uint64(1)}}}), Worst: sus, Err: scan.ErrMalformed},
		},
	}
}

func TestScanners(t *testing.T) {
	all := samples()
	for _, s := range flatbuffers.New() {
		t.Run(s.Format(), func(t *testing.T) { scantest.Run(t, s, all[s.Format()]) })
	}
}

func find(format string) scan.Scanner {
	for _, s := range flatbuffers.New() {
		if s.Format() == format {
			return s
		}
	}
	panic("no such format")
}

// TestHandedOn: definitions go out as the graph they are, blobs as they lie.
func TestHandedOn(t *testing.T) {
	r, err := scantest.Scan(find("tflite"), "x", lite(custom("FlexErf"), tab{0: 1, 5: flexOptions("Erf", nodeDef("Erf"))}))
	if want := "\x0a\x08" + string(nodeDef("Erf")); err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != want {
		t.Errorf("%v, members %q, want %q", err, r.Members, want)
	}
	var all string
	var ops []tab
	for _, name := range []string{"Erf", "Elu", "Exp"} {
		node := nodeDef(name + strings.Repeat("x", 100))
		ops = append(ops, tab{0: 1, 5: flexOptions(name, node)})
		all += "\x0a" + string([]byte{byte(len(node))}) + string(node)
	}
	r, err = scantest.Scan(find("tflite"), "x", lite(custom("FlexErf"), ops...))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != all {
		t.Errorf("%v, members %q, want %q", err, r.Members, all)
	}
	const pickle = "\x80\x02}."
	r, err = scantest.Scan(find("executorch"), "x", program(nil, nil, tab{3: vec{tab{0: blob("plain")}, tab{0: blob(pickle)}}}))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != pickle {
		t.Errorf("%v, members %q", err, r.Members)
	}
}

// TestAliases: tables that are pointed to again and again do not multiply.
func TestAliases(t *testing.T) {
	ops := same{10_000, tab{0: 0, 1: make(ints, 10_000)}}
	data := build("TFL3", tab{1: vec{tab{3: 0}}, 2: vec{tab{0: vec{tab{}}, 3: ops}}, 4: vec{tab{}}})
	if _, err := scantest.Scan(find("tflite"), "x", data); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("tflite: %v", err)
	}
	// 2^30 ways lead through these graphs, each of which is one.
	g := tab{2: vec{tab{5: "PyOp"}}}
	for range 30 {
		g = tab{2: vec{tab{5: "If", 10: same{2, tab{7: g}}}}}
	}
	r, err := scantest.Scan(find("ort"), "x", build("ORTM", tab{1: tab{7: g}}))
	if err != nil || r.Worst() != scan.SeveritySuspicious {
		t.Errorf("ort: %v, findings %+v", err, r.Findings)
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

// TestBytesRead: weights are not read.
func TestBytesRead(t *testing.T) {
	data := build("TFL3", tab{1: vec{custom("FlexReadFile")}, 4: vec{tab{}, tab{0: blob(strings.Repeat("w", 16<<20))}}})
	c := &counting{ReaderAt: bytes.NewReader(data)}
	r := &scantest.Record{}
	err := find("tflite").Scan(context.Background(), scan.File{Size: int64(len(data)), ReaderAt: c}, r)
	if err != nil || r.Worst() != scan.SeveritySuspicious || c.n > 64<<10 {
		t.Errorf("%v, %d bytes read, findings %+v", err, c.n, r.Findings)
	}
}

func FuzzScan(f *testing.F) {
	for _, list := range samples() {
		for _, s := range list {
			f.Add(s.Data)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range flatbuffers.New() {
			if len(b) >= 8 && s.Match(scantest.Probe("x", b)) {
				scantest.Fuzz(t, s, b)
			}
		}
	})
}
