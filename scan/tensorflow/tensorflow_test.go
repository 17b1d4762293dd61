package tensorflow_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"modelwall/scan"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/scantest"
	"modelwall/scan/tensorflow"
)

// by returns the scanner of a format.
func by(t testing.TB, format string) scan.Scanner {
	t.Helper()
	for _, s := range tensorflow.New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner for %s", format)
	return nil
}

// node is field 1 of a graph.
func node(name, op string, more ...[]byte) []byte {
	return Sub(1, Str(1, name), Str(2, op), Msg(more...))
}

func input(names ...string) []byte {
	var b []byte
	for _, n := range names {
		b = append(b, Str(3, n)...)
	}
	return b
}

// attr is field 5 of a node, with the fields of an AttrValue.
func attr(key string, value ...[]byte) []byte { return Sub(5, Str(1, key), Sub(2, value...)) }

// text is a constant of strings.
func text(name string, values ...string) []byte {
	tensor := Int(1, 7)
	for _, v := range values {
		tensor = append(tensor, Str(8, v)...)
	}
	return node(name, "Const", attr("value", Sub(8, tensor)))
}

// packed is the same in tensor_content.
func packed(name string, values ...string) []byte {
	var content []byte
	for _, v := range values {
		content = protowire.AppendVarint(content, uint64(len(v)))
	}
	return node(name, "Const", attr("value", Sub(8, Int(1, 7), Str(4, string(content)+strings.Join(values, "")))))
}

// function is a library with one function. Its nodes stand in field 3.
func function(nodes ...[]byte) []byte {
	body := Sub(1, Str(1, "f"))
	for _, n := range nodes {
		content, _ := protowire.ConsumeBytes(n[1:])
		body = append(body, Sub(3, content)...)
	}
	return Sub(2, Sub(1, body))
}

func graph(fields ...[]byte) []byte { return Msg(Msg(fields...), Sub(4, Int(1, 987))) }

// meta is a MetaGraph around a graph.
func meta(graph []byte, more ...[]byte) []byte {
	return Msg(Sub(1, Str(4, "serve"), Str(5, "2.15.0")), Sub(2, graph), Msg(more...))
}

func saved(meta []byte) []byte { return Msg(Int(1, 1), Sub(2, meta)) }

func asset(name string) []byte { return Sub(6, Sub(1, Str(1, "x:0")), Str(2, name)) }

var (
	placeholder = node("x", "Placeholder")
	matmul      = node("y", "MatMul", input("x", "w"))
	weights     = node("w", "Const", attr("value", Sub(8, Int(1, 1), Str(4, strings.Repeat("w", 64)))))
	honest      = Msg(placeholder, matmul, weights)
)

const clean, low, suspicious, malicious = scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious

func TestGraphDef(t *testing.T) {
	save := func(name string) []byte {
		return graph(text("name", name), node("save", "SaveV2", input("name", "tensors", "slices", "w")))
	}
	scantest.Run(t, by(t, "graphdef"), []scantest.Sample{
		{Name: "plain", Data: graph(honest)},
		{Name: "library", Data: graph(honest, function(placeholder, matmul))},
		{Name: "op whose name contains another", Data: graph(honest, node("m", "CustomPyFuncMetrics", attr("notes", Str(2, "exec and eval"))))},
		{Name: "operation of a library", Data: graph(honest, node("a", "Addons>Resampler")), Worst: low},
		{Name: "saver", Data: graph(honest, text("save/Const", "model"), text("part", "_temp_1/part"), node("join", "StringJoin", input("save/Const", "part")),
			node("save/SaveV2", "SaveV2", input("join", "n", "s", "w")), node("save/MergeV2Checkpoints", "MergeV2Checkpoints", input("join", "save/Const")),
			node("save/RestoreV2", "RestoreV2", input("save/Const", "n", "s")))},
		{Name: "restore of the author's own", Data: graph(honest, text("c", "/home/u/bert/model.ckpt"), node("r", "RestoreV2", input("c"))), Worst: low},
		{Name: "vocabulary", Data: graph(honest, text("f", "/tmp/vocab.txt"), node("t", "InitializeTableFromTextFileV2", input("h", "f"))), Worst: low},
		{Name: "training data", Data: graph(honest, text("f", "gs://bucket/train.tfrecord"), node("d", "TFRecordDataset", input("f"))), Worst: low},
		{Name: "vocabulary of code", Data: graph(honest, text("v", append(strings.Split(strings.Repeat("a ", 20), " "), "/etc/passwd", "os.system(")...), node("d", "TFRecordDataset")), Worst: low},
		{Name: "print", Data: graph(honest, node("p", "PrintV2", attr("output_stream", Str(2, "stderr"))))},
		{Name: "memory-mapped package", Data: graph(honest, node("c", "ImmutableConst", attr("memory_region_name", Str(2, "memmapped_package://w"))))},

		{Name: "write", Data: graph(honest, node("w", "WriteFile", input("a", "b"))), Worst: malicious},
		{Name: "write in a function", Data: graph(honest, function(node("w", "WriteFile"))), Worst: malicious},
		{Name: "library before the nodes", Data: Msg(function(node("w", "WriteFile")), honest), Worst: malicious},
		{Name: "operation named twice", Data: graph(node("w", "NoOp", Str(2, "WriteFile"))), Worst: malicious},
		{Name: "read", Data: graph(honest, node("r", "ReadFile", input("x"))), Worst: suspicious},
		{Name: "read of a fixed file", Data: graph(text("f", "/home/u/secret"), node("r", "ReadFile", input("f"))), Worst: malicious},
		{Name: "read, the path behind it", Data: graph(node("r", "ReadFile", input("f:0")), text("f", "../../secret")), Worst: malicious},
		{Name: "read, the path packed", Data: graph(node("r", "ReadFile", input("f")), packed("f", "/home/u/secret")), Worst: malicious},
		{Name: "read through other nodes", Data: graph(node("r", "ReadFile", input("b")), node("b", "Identity", input("a:0")), node("a", "StringJoin", input("f", "g")), text("f", "/home"), text("g", "/x")), Worst: malicious},
		{Name: "path as an argument of a function", Data: graph(text("f", "/etc/passwd"), node("d", "TextLineDataset", input("z")), function(node("i", "Identity"))), Worst: malicious},
		{Name: "dataset of a system file", Data: graph(text("f", "/etc/passwd"), node("d", "TextLineDataset", input("f"))), Worst: malicious},
		{Name: "dataset in a function, path outside", Data: graph(text("f", "/proc/self/environ"), node("c", "PartitionedCall", input("f")), function(node("d", "FixedLengthRecordDatasetV2", input("arg")))), Worst: malicious},
		{Name: "table of a system file", Data: graph(text("f", "/root/.ssh/id_rsa"), node("t", "InitializeTableFromTextFileV2", input("h", "f"))), Worst: malicious},
		{Name: "list of files", Data: graph(honest, node("m", "MatchingFiles", input("x"))), Worst: suspicious},
		{Name: "save to a fixed place", Data: save("/home/u/x"), Worst: suspicious},
		{Name: "save over a start-up file", Data: save("/home/u/.bashrc"), Worst: malicious},
		{Name: "restore of a system file", Data: graph(text("f", "/etc/shadow"), node("r", "RestoreV2", input("f"))), Worst: malicious},
		{Name: "print to a file", Data: graph(node("p", "PrintV2", attr("output_stream", Str(2, "file:///tmp/x")))), Worst: malicious},
		{Name: "debug sink", Data: graph(node("d", "DebugIdentityV2", attr("debug_urls", Sub(1, Str(2, "grpc://host:1"))))), Worst: malicious},
		{Name: "constant in a file", Data: graph(node("c", "ImmutableConst", attr("memory_region_name", Str(2, "/etc/passwd")))), Worst: malicious},
		{Name: "Python", Data: graph(honest, node("p", "PyFunc", attr("token", Str(2, "pyfunc_0")))), Worst: suspicious},
		{Name: "Python, stateless", Data: graph(honest, node("p", "PyFuncStateless")), Worst: suspicious},
		{Name: "Python, eager", Data: graph(honest, node("p", "EagerPyFunc")), Worst: suspicious},
		{Name: "network", Data: graph(honest, node("p", "DataServiceDatasetV4")), Worst: suspicious},
		{Name: "graph in a string", Data: graph(honest, node("p", "DatasetFromGraph")), Worst: suspicious},
		{Name: "loads a library", Data: graph(honest, node("p", "LoadLibrary")), Worst: suspicious},
		{Name: "abort", Data: graph(honest, node("p", "Abort")), Worst: suspicious},
		{Name: "overlong", Data: graph(honest, node("p", "A"+strings.Repeat("b", 5000))), Worst: suspicious},
		{Name: "unknown fields first", Data: Msg(Str(1000, strings.Repeat("x", 10_000)), graph(node("w", "WriteFile"))), Worst: malicious},

		{Name: "cut short", Data: graph(honest)[:60], Err: scan.ErrMalformed},
		{Name: "cut short behind a finding", Data: Msg(node("w", "WriteFile"), honest, Promise(1, 1000)), Worst: malicious, Err: scan.ErrMalformed},
		{Name: "vocabulary of sentencepiece", Data: Msg(Sub(1, Str(1, "<unk>"), Fixed32(2, 0)), Sub(1, Str(1, "a"), Fixed32(2, 1))), Err: scan.ErrForeign},
		{Name: "map of strings, cut short", Data: Msg(Sub(1, Str(1, "key"), Str(2, "value")), Promise(1, 100)), Err: scan.ErrForeign},
	})
}

func TestMetaGraph(t *testing.T) {
	collection := func(key, value string) []byte { return Sub(4, Str(1, key), Sub(2, Sub(2, Str(1, value)))) }
	scantest.Run(t, by(t, "metagraph"), []scantest.Sample{
		{Name: "plain", Data: meta(graph(honest))},
		{Name: "collections", Data: meta(graph(honest), collection("variables", "\x0a\x01w"), collection("notes", "python script, see train.sh"))},
		{Name: "asset", Data: meta(graph(honest), asset("vocab.txt"))},
		{Name: "operation", Data: meta(graph(node("w", "WriteFile"))), Worst: malicious},
		{Name: "asset elsewhere", Data: meta(graph(honest), asset("../../../../etc/passwd")), Worst: malicious},
		{Name: "asset at the root", Data: meta(graph(honest), asset("/data/vocab.txt")), Worst: suspicious},
		{Name: "command", Data: meta(graph(honest), collection("runtime_hook", `python -c 'import os; os.system("id")'`)), Worst: suspicious},
		{Name: "graph in two parts", Data: Msg(meta(graph(honest)), Sub(2, node("w", "WriteFile"))), Worst: malicious},
		{Name: "a graph", Data: graph(honest), Err: scan.ErrForeign},
		{Name: "a saved model", Data: saved(meta(graph(honest))), Err: scan.ErrForeign},
	})
}

func TestSavedModel(t *testing.T) {
	scantest.Run(t, by(t, "savedmodel"), []scantest.Sample{
		{Name: "plain", Data: saved(meta(graph(honest, function(matmul)), asset("vocab.txt")))},
		{Name: "in the second graph", Data: Msg(saved(meta(graph(honest))), Sub(2, meta(graph(node("w", "WriteFile"))))), Worst: malicious},
		{Name: "in the library", Data: saved(meta(graph(honest, function(node("w", "WriteFile"))))), Worst: malicious},
		{Name: "asset", Data: saved(meta(graph(honest), asset("../x"))), Worst: malicious},
		{Name: "cut short", Data: saved(meta(graph(honest)))[:100], Err: scan.ErrMalformed},
		{Name: "a meta graph", Data: meta(graph(honest)), Err: scan.ErrForeign},
	})
}

func TestChunked(t *testing.T) {
	data := append([]byte("\x83\xaf\x70\xd1\x0d\x88\x4a\x3f"), make([]byte, 100)...)
	s := by(t, "riegeli")
	if !s.Match(scantest.Probe("saved_model.cpb", data)) || s.Match(scantest.Probe("x", data[1:])) {
		t.Error("recognised by something else than its header")
	}
	if _, err := scantest.Scan(s, "x", data); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("error = %v, want a limit: nothing was examined", err)
	}
}

// What others judge is handed on: Keras's configurations and objects in
// strings.
func TestMembers(t *testing.T) {
	const config = `{"class_name": "Lambda", "config": {}}`
	const pickle = "\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x05hello\x94."
	keras := Msg(Sub(1, Int(2, 0), Str(3, "root"), Str(4, "_tf_keras_network"), Str(5, config)))
	objects := Sub(7, Sub(1, Sub(4, Str(1, "_tf_keras_layer"), Str(3, config))), Sub(1, Sub(4, Str(1, "trackable_list_wrapper"), Str(3, ""))))
	for _, c := range []struct {
		format, member, want string
		data                 []byte
	}{
		{"keras-metadata", "metadata", config, keras},
		{"savedmodel", "metadata", config, saved(meta(graph(honest), objects))},
		{"graphdef", "string", pickle, graph(honest, text("c", pickle))},
		{"graphdef", "string", pickle, graph(honest, node("c", "X", attr("a", Sub(1, Str(2, "x"), Str(2, pickle)))))},
		{"graphdef", "string", pickle, graph(honest, node("c", "X", attr("a", Sub(8, Sub(15, Str(1, "t"), Str(2, pickle))))))},
	} {
		s := by(t, c.format)
		if !s.Match(scantest.Probe("x", c.data)) {
			t.Errorf("%s is not matched", c.format)
		}
		r, err := scantest.Scan(s, "x", c.data)
		if err != nil || len(r.Members) != 1 || r.Members[0].Name != c.member || string(r.Members[0].Data) != c.want {
			t.Errorf("%s: members %q, error %v", c.format, r.Members, err)
		}
	}
	if _, err := scantest.Scan(by(t, "keras-metadata"), "x", graph(honest)); !errors.Is(err, scan.ErrForeign) {
		t.Errorf("a graph is Keras's metadata: %v", err)
	}
}

// TensorFlow reads graphs as text as well.
func TestText(t *testing.T) {
	const info = `meta_info_def { tags: "serve" tensorflow_version: "2.15.0" } `
	const read = `node { name: "r" op: "ReadFile" input: "f" attr { key: "dtype" value { type: DT_FLOAT } } } `
	constant := func(value string) string {
		return `node { name: "f" op: "Const" attr { key: "value" value { tensor { dtype: DT_STRING ` + value + ` } } } } `
	}
	scantest.Run(t, by(t, "savedmodel"), []scantest.Sample{
		{Name: "plain", Data: []byte("# x\nsaved_model_schema_version: 1\nmeta_graphs {" + info + "graph_def { node { name: 'x' op: 'Placeholder' } } }")},
		{Name: "write", Data: []byte("meta_graphs <" + info + "graph_def { library { function { node_def { op: 'Write' \"File\" } } } } >"), Worst: malicious},
		{Name: "asset", Data: []byte("meta_graphs {" + info + `asset_file_def { filename: "\056\x2e/x" } }`), Worst: malicious},
		{Name: "cut short", Data: []byte("meta_graphs {" + info + "graph_def { node { op: 'Const"), Err: scan.ErrMalformed},
	})
	scantest.Run(t, by(t, "metagraph"), []scantest.Sample{
		{Name: "plain", Data: []byte(info + "graph_def { node { name: 'x' op: 'Placeholder' } }")},
		{Name: "fixed path", Data: []byte(info + "graph_def { " + read + constant(`string_val: "/home/u/x"`) + "}"), Worst: malicious},
		{Name: "packed path", Data: []byte(info + "graph_def { " + read + constant(`tensor_content: "\t/home/u/x"`) + "}"), Worst: malicious},
		{Name: "collection", Data: []byte(info + "collection_def { key: 'k' value { bytes_list { value: 'bash -c \\'id\\'' } } }"), Worst: suspicious},
	})
	r, err := scantest.Scan(by(t, "keras-metadata"), "x", []byte(`nodes { identifier: "_tf_keras_layer" metadata: "{\"class_name\": \"Lambda\"}" }`))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != `{"class_name": "Lambda"}` {
		t.Errorf("members %q, error %v", r.Members, err)
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

// Of a frozen graph of 2 GB the nodes are read and no tensor.
func TestReads(t *testing.T) {
	const size = 2<<30 - 1000
	value := Msg(Int(1, 1), Promise(4, size))
	for _, num := range []protowire.Number{8, 2, 5, 1} { // tensor, value, attr, node
		value = append(Promise(num, uint64(len(value))+size), value...)
	}
	head := Msg(bytes.Repeat(matmul, 1000), value)
	r := &counting{head: head}
	rec := &scantest.Record{}
	err := by(t, "graphdef").Scan(context.Background(), scan.File{Size: int64(len(head)) + size, ReaderAt: r}, rec)
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
	formats := map[string]string{"tf-savedmodel": "savedmodel", "meta": "metagraph"}
	seen := map[string]int{}
	for _, e := range scantest.Corpus(t, corpus) {
		format, ok := formats[e.Format]
		if !ok {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen[e.Label]++
		for _, s := range tensorflow.New() {
			name := filepath.Base(e.Path) + " by " + s.Format()
			r, err := scantest.Scan(s, e.Path, data)
			if s.Format() == "riegeli" {
				continue
			}
			if s.Format() != format {
				if !errors.Is(err, scan.ErrForeign) || len(r.Findings) > 0 {
					t.Errorf("%s: findings %+v, error %v", name, r.Findings, err)
				}
				continue
			}
			if !s.Match(scantest.Probe(e.Path, data)) || err != nil || (r.Worst() >= suspicious) != (e.Label != "benign") {
				t.Errorf("%s is %s: findings %+v, error %v", name, e.Label, r.Findings, err)
			}
		}
	}
	if seen["benign"] < 3 || seen["malicious"] < 5 {
		t.Errorf("samples: %v", seen)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(saved(meta(graph(honest, text("f", "/etc/passwd"), node("r", "ReadFile", input("f")), function(node("w", "WriteFile"))), asset("../x"))))
	f.Add(graph(node("p", "PrintV2", attr("output_stream", Str(2, "file:///tmp/x"))), packed("f", "/x", "y")))
	f.Add([]byte("meta_graphs { graph_def { node { op: 'ReadFile' input: 'f' } } }"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range tensorflow.New() {
			scantest.Fuzz(t, s, data)
		}
	})
}
