package all

import (
	"context"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
)

// corpus lies beside the project where it is at hand.
const corpus = "../../../shared/corpus"

// TestCorpus runs every scanner over the samples: no benign file is condemned,
// and what breaks on purpose is malicious all the same.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no corpus here")
	}
	// An executable is suspicious, one with a model inside too.
	executable := map[string]bool{"llamafile": true}
	e := engine.New(Scanners(), engine.Limits{TempDir: t.TempDir()})
	benign, broken := 0, 0
	for _, sample := range scantest.Corpus(t, corpus) {
		f, err := os.Open(sample.Path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Inspect(context.Background(), scan.File{Name: sample.Path, Size: info.Size(), ReaderAt: f})
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", sample.Path, err)
			continue
		}
		name := strings.TrimPrefix(sample.Path, corpus+"/")
		technique := strings.ToLower(sample.Technique)
		switch {
		case sample.Label == "benign" && !executable[sample.Format]:
			benign++
			if r.Worst() >= scan.SeveritySuspicious {
				t.Errorf("%s is benign, and %v: %+v", name, r.Verdict, r.Findings)
			}
		case sample.Label == "malicious" && (strings.Contains(technique, "nullif") || strings.Contains(technique, "broken") ||
			strings.Contains(technique, "truncated") || sample.Format == "7z"):
			if info.Size() == 0 {
				continue // a sample that lost its content
			}
			broken++
			if r.Verdict != scan.Malicious {
				t.Errorf("%s (%s) is malicious, and %v: %s", name, sample.Technique, r.Verdict, r.Error)
			}
		}
	}
	if benign < 100 || broken < 3 {
		t.Errorf("only %d benign and %d broken samples: is that the corpus?", benign, broken)
	}
}
