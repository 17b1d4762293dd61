package keras_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/all"
	"modelwall/scan/engine"
	"modelwall/scan/hdf5"
	"modelwall/scan/keras"
	"modelwall/scan/scantest"
)

// corpus lies beside the project where it is at hand.
const corpus = "../../../shared/corpus"

// TestCorpus: every model of Keras comes out right, whatever it is wrapped in.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	scanners := []scan.Scanner{hdf5.New(), keras.New()}
	for _, s := range all.Scanners() {
		switch s.Format() {
		case "hdf5", "keras", "unsupported":
		default:
			scanners = append(scanners, s)
		}
	}
	e := engine.New(scanners, engine.Limits{TempDir: t.TempDir()})
	count := map[string]int{}
	for _, sample := range scantest.Corpus(t, corpus) {
		mine := strings.Contains(sample.Format, "keras") || sample.Format == "h5"
		data, err := os.ReadFile(sample.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !mine && sample.Label != "benign" {
			continue
		}
		r, err := e.Inspect(context.Background(), scantest.Bytes(sample.Path, data))
		if err != nil {
			t.Fatal(err)
		}
		worst := scan.Info
		for _, f := range r.Findings {
			if strings.HasPrefix(f.Rule, "keras.") || strings.HasPrefix(f.Rule, "hdf5.") {
				worst = max(worst, f.Severity)
			}
		}
		if mine {
			count[sample.Label+" "+r.Verdict.String()]++
		}
		switch {
		case sample.Label == "benign" && (worst > scan.Low || mine && r.Verdict != scan.Clean):
			t.Errorf("%s is benign, and %v: %s %+v", sample.Path, r.Verdict, r.Error, r.Findings)
		case sample.Label != "benign" && worst < scan.SeveritySuspicious:
			t.Errorf("%s (%s) is %s, and %v: %s %+v", sample.Path, sample.Technique, sample.Label, r.Verdict, r.Error, r.Findings)
		}
	}
	if len(count) < 3 {
		t.Errorf("only %v: is that the corpus?", count)
	}
	t.Log(count)
}
