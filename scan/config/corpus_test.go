package config_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/all"
	"modelwall/scan/config"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
	"modelwall/scan/skops"
	"modelwall/scan/yaml"
)

const corpus = "../../../shared/corpus"

// others judge these: templates that are handed on, handlers in Python, models
// that happen to be JSON, lists of packages.
func others(e scantest.Entry) bool {
	switch e.Format {
	case "chat_template", "keras-json", "text":
		return true
	}
	for _, s := range []string{"jinja2_template__", "torchserve_mar__", "xgboost__", "model.mar"} {
		if strings.Contains(e.Path, s) {
			return true
		}
	}
	return false
}

// modest are samples labelled suspicious that show nothing but custom code, a
// name, or a script which others judge.
func modest(path string) bool {
	for _, s := range []string{"config_blacklisted.json", "gen/modules.json", "chatglm3-6b__config.json", "skops__bomb.skops", "test_executable_file_in_archive"} {
		if strings.Contains(path, s) {
			return true
		}
	}
	return false
}

// engineWith returns an engine with the scanners of configurations and all
// others.
func engineWith(t *testing.T) *engine.Engine {
	scanners := all.Scanners()
	for _, s := range []scan.Scanner{config.New(), yaml.New(), skops.New()} {
		if !slices.ContainsFunc(scanners, func(l scan.Scanner) bool { return l.Format() == s.Format() }) {
			scanners = append(scanners, s)
		}
	}
	return engine.New(scanners, engine.Limits{TempDir: t.TempDir()})
}

// ours are the findings of the three scanners.
func ours(r scan.Report) (found []scan.Finding, worst scan.Severity) {
	for _, f := range r.Findings {
		switch rule, _, _ := strings.Cut(f.Rule, "."); rule {
		case "config", "yaml", "skops":
			found = append(found, f)
			worst = max(worst, f.Severity)
		}
	}
	return found, worst
}

// TestCorpus runs configurations of every syntax through the engine as a whole.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no corpus here")
	}
	e := engineWith(t)
	formats := map[string]bool{"config": true, "json": true, "nemo": true, "skops": true, "yaml": true, "mar": true}
	count := map[string]int{}
	for _, sample := range scantest.Corpus(t, corpus) {
		b, err := os.ReadFile(sample.Path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Inspect(context.Background(), scantest.Bytes("x", b))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(sample.Path, corpus+"/")
		found, worst := ours(r)
		for _, format := range []string{"config:", "yaml:", "skops:"} {
			if strings.Contains(r.Error, format) {
				t.Errorf("%s: %s", name, r.Error)
			}
		}
		if sample.Label == "benign" && worst >= scan.SeveritySuspicious {
			t.Errorf("%s is benign, and %+v", name, found)
		}
		if !formats[sample.Format] {
			continue
		}
		count[sample.Label+" "+worst.String()]++
		if sample.Label != "benign" && worst < scan.SeveritySuspicious && !others(sample) && !modest(name) {
			t.Errorf("%s is %s, and %+v (%v, %s)", name, sample.Label, found, r.Verdict, r.Error)
		}
	}
	t.Log(count)
	if count["malicious malicious"] < 5 || count["benign info"] < 15 {
		t.Error("few samples: is that the corpus?")
	}
}
