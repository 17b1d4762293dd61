package coreml_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/coreml"
	. "modelwall/scan/internal/pb/pbtest"
	"modelwall/scan/scantest"
)

func by(t testing.TB, format string) scan.Scanner {
	t.Helper()
	for _, s := range coreml.New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner for %s", format)
	return nil
}

// model is a Model of some kind, with user-defined metadata.
func model(kind []byte, metadata ...[]byte) []byte {
	return Msg(Int(1, 8), Sub(2, Sub(1, Str(1, "input")), Sub(100, Str(1, "a model"), Msg(metadata...))), kind)
}

func user(key, value string) []byte { return Sub(100, Str(1, key), Str(2, value)) }

func layer(name string, more ...[]byte) []byte { return Sub(1, Str(1, name), Msg(more...)) }

func custom(class string) []byte {
	return Sub(500, Str(10, class), Sub(20, Str(2, "weights")), Sub(30, Str(1, "alpha"), Sub(2, Str(20, "1.0"))))
}

func network(layers ...[]byte) []byte { return Sub(500, layers...) }

// program is an ML program with one block of operations.
func program(operations ...[]byte) []byte {
	return Sub(502, Int(1, 1), Sub(2, Str(1, "main"), Sub(2, Str(2, "CoreML7"), Sub(3, Str(1, "CoreML7"), Sub(2, operations...)))))
}

func operation(op string, more ...[]byte) []byte { return Sub(3, Str(1, op), Msg(more...)) }

// blob is an attribute of an operation that lies in a file.
func blob(file string) []byte { return Sub(5, Str(1, "val"), Sub(2, Sub(5, Str(1, file), Int(2, 64)))) }

func linked(name, path string) []byte {
	return Sub(556, Sub(1, Sub(1, Str(1, name)), Sub(2, Str(1, path))))
}

func TestModel(t *testing.T) {
	const low, suspicious, malicious = scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	weights := operation("const", blob("@model_path/weights/weight.bin"))
	scantest.Run(t, by(t, "coreml"), []scantest.Sample{
		{Name: "network", Data: model(network(layer("conv_1"), layer("relu_1")))},
		{Name: "classifier", Data: model(Sub(403, layer("conv_1")))},
		{Name: "program", Data: model(program(weights, operation("conv")))},
		{Name: "trees", Data: model(Sub(302, Str(1, "x")))},
		{Name: "pipeline", Data: model(Sub(202, Sub(1, model(network(layer("a")))), Str(2, "a")))},
		{Name: "metadata", Data: model(network(layer("a")), user("notes", "execution benchmark, no command"), user("names", "{0: 'person'}"))},
		{Name: "linked beside", Data: model(linked("Part.mlmodelc", "$BUNDLE_MAIN:.")), Worst: low},
		{Name: "serialized", Data: model(Sub(3000, Str(1, "x"), Str(2, "y"))), Worst: low},

		{Name: "custom layer", Data: model(network(layer("a"), layer("b", custom("Evil")))), Worst: suspicious},
		{Name: "custom layer in a classifier", Data: model(Sub(403, layer("b", custom("Evil")))), Worst: suspicious},
		{Name: "custom layer in a loop", Data: model(network(layer("b", Sub(615, Sub(4, layer("c", custom("Evil"))))))), Worst: suspicious},
		{Name: "custom layer in a pipeline", Data: model(Sub(200, Sub(1, Sub(1, model(network(layer("b", custom("Evil")))))))), Worst: suspicious},
		{Name: "custom operation", Data: model(program(operation("custom_layer"))), Worst: suspicious},
		{Name: "custom operation in a block", Data: model(program(operation("cond", Sub(4, operation("custom_layer"))))), Worst: suspicious},
		{Name: "custom model", Data: model(Sub(555, Str(10, "Evil"))), Worst: suspicious},
		{Name: "linked elsewhere", Data: model(linked("../outside.mlmodel", "")), Worst: suspicious},
		{Name: "search path elsewhere", Data: model(linked("x", ".:/tmp/models")), Worst: suspicious},
		{Name: "weights elsewhere", Data: model(program(operation("const", blob("@model_path/../../x")))), Worst: malicious},
		{Name: "weights at the root", Data: model(program(operation("const", blob("/etc/passwd")))), Worst: malicious},
		{Name: "weights of an input", Data: model(program(operation("f", Sub(2, Str(1, "x"), Sub(2, Sub(1, Sub(2, Sub(5, Str(1, "../x"))))))))), Worst: malicious},
		{Name: "metadata that is evaluated", Data: model(network(layer("a")), user("names", "__import__('os').system('id')")), Worst: malicious},
		{Name: "metadata with a command", Data: model(network(layer("a")), user("postprocess", `python -c 'import os; os.system("id")'`)), Worst: suspicious},

		{Name: "cut short", Data: model(network(layer("conv_1"), layer("relu_1")))[:42], Err: scan.ErrMalformed},
		{Name: "another message", Data: Msg(Int(1, 8), Str(2, "pytorch"), Sub(7, Str(2, "g"))), Err: scan.ErrForeign},
	})
}

func TestManifest(t *testing.T) {
	manifest := func(path string) []byte {
		return []byte(`{"fileFormatVersion": "1.0.0", "itemInfoEntries": {"4D2": {"author": "com.apple.CoreML", "description": "path", "name": "model.mlmodel", "path": "` +
			path + `"}}, "rootModelIdentifier": "4D2"}`)
	}
	scantest.Run(t, by(t, "mlpackage"), []scantest.Sample{
		{Name: "plain", Data: manifest("com.apple.CoreML/model.mlmodel")},
		{Name: "traversal", Data: manifest("../../../x"), Worst: scan.SeverityMalicious},
		{Name: "escaped", Data: manifest(`\u002e\u002e/x`), Worst: scan.SeverityMalicious},
		{Name: "absolute", Data: manifest("/etc/passwd"), Worst: scan.SeverityMalicious},
		{Name: "URL", Data: manifest("https://host/x"), Worst: scan.SeveritySuspicious},
		{Name: "cut short", Data: manifest("../x")[:160], Worst: scan.SeverityMalicious, Err: scan.ErrForeign},
	})
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

// Of a network of 1 GB the weights are not read.
func TestReads(t *testing.T) {
	const size = 1 << 30
	conv := Msg(Str(1, "conv"), Promise(100, size))
	net := Msg(Promise(1, uint64(len(conv))+size), conv)
	head := Msg(Int(1, 8), Sub(2), Promise(500, uint64(len(net))+size), net)
	r := &counting{head: head}
	rec := &scantest.Record{}
	err := by(t, "coreml").Scan(context.Background(), scan.File{Size: int64(len(head)) + size, ReaderAt: r}, rec)
	if err != nil || len(rec.Findings) > 0 || r.bytes > 128<<10 {
		t.Errorf("error %v, findings %+v, %d bytes read", err, rec.Findings, r.bytes)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	seen := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "mlmodel" {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		r, err := scantest.Scan(by(t, "coreml"), e.Path, data)
		if err != nil || (r.Worst() >= scan.SeveritySuspicious) != (e.Label != "benign") {
			t.Errorf("%s is %s: findings %+v, error %v", e.Path, e.Label, r.Findings, err)
		}
	}
	if seen < 3 {
		t.Errorf("%d samples", seen)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(model(network(layer("b", custom("Evil"))), user("names", "f()")))
	f.Add(model(program(operation("const", blob("../x")))))
	f.Add([]byte(`{"itemInfoEntries": {"a": {"path": "../x"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range coreml.New() {
			scantest.Fuzz(t, s, data)
		}
	})
}

// A manifest is told by its key, wherever it stands in the two ends.
func TestManifestMatch(t *testing.T) {
	s := by(t, "mlpackage")
	for text, want := range map[string]bool{
		`{"itemInfoEntries": {}}`: true,
		"\ufeff \n{" + strings.Repeat(" ", 70_000) + `"itemInfoEntries": {}}`: true,
		`["itemInfoEntries"]`: false, `{"items": {}}`: false, "": false,
	} {
		if got := s.Match(scantest.Probe("x", []byte(text))); got != want {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
	}
	large := append([]byte(`{"itemInfoEntries": {}}`), bytes.Repeat([]byte(" "), 4<<20)...)
	if _, err := scantest.Scan(s, "x", large); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("a manifest of %d bytes: error = %v, want a limit", len(large), err)
	}
	f := scantest.Bytes("x", []byte(`{"itemInfoEntries": {}}`))
	f.Size = 1000 // longer than the reader has
	if err := s.Scan(context.Background(), f, &scantest.Record{}); err == nil || errors.Is(err, scan.ErrForeign) {
		t.Errorf("error = %v, want the reader's own", err)
	}
}
