package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

const corpus = "../../../shared/corpus"

// templates returns the strings of a JSON file that can be templates, or the
// file itself.
func templates(data []byte) [][]byte {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return [][]byte{data}
	}
	var out [][]byte
	for waiting := []any{v}; len(waiting) > 0; {
		last := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		switch x := last.(type) {
		case string:
			if hasDelimiter([]byte(x)) {
				out = append(out, []byte(x))
			}
		case []any:
			waiting = append(waiting, x...)
		case map[string]any:
			for _, e := range x {
				waiting = append(waiting, e)
			}
		}
	}
	return out
}

// TestCorpus: every malicious template is malicious, and nothing benign is
// flagged, whatever it is.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	met := map[string]int{}
	for _, e := range scantest.Corpus(t, corpus) {
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		isTemplate := e.Format == "chat_template" || e.Format == "jinja" || e.Format == "j2" || strings.Contains(e.Path, "jinja2_template__")
		worst := scan.Info
		for _, text := range templates(b) {
			if !New().Match(scantest.Probe("x", text)) {
				continue
			}
			r, err := scantest.Scan(New(), "x", text)
			if err != nil && !errors.Is(err, scan.ErrForeign) {
				t.Errorf("%s: %v", e.Path, err)
			}
			worst = max(worst, r.Worst())
		}
		if isTemplate {
			met[e.Label]++
		}
		if e.Label == "benign" && worst > scan.Low || isTemplate && e.Label != "benign" && worst != scan.SeverityMalicious {
			t.Errorf("%s, %s: %v", e.Path, e.Label, worst)
		}
	}
	if met["benign"] == 0 || met["malicious"] == 0 {
		t.Errorf("met %v", met)
	}
	t.Log(met)
}
