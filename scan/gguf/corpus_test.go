package gguf

import (
	"os"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

const corpus = "../../../shared/corpus"

// TestCorpus: what is broken in the corpus is seen, and the templates of the
// malicious files are handed on.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	met := 0
	for _, e := range scantest.Corpus(t, corpus) {
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !New().Match(scantest.Probe(e.Path, b)) {
			if e.Format == "gguf" {
				t.Errorf("%s: Match = false", e.Path)
			}
			continue
		}
		met++
		r, err := scantest.Scan(New(), e.Path, b)
		scantest.Classified(t, err)
		switch e.Label {
		case "benign":
			if err != nil || r.Worst() > scan.Low {
				t.Errorf("%s: %v, %+v", e.Path, err, r.Findings)
			}
		case "suspicious":
			if r.Worst() < scan.SeveritySuspicious {
				t.Errorf("%s: %v, %+v", e.Path, err, r.Findings)
			}
		case "malicious":
			if len(r.Members) == 0 {
				t.Errorf("%s: no template was handed on", e.Path)
			}
		}
	}
	if met == 0 {
		t.Error("no GGUF file in the corpus")
	}
}
