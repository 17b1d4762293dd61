package config_test

import (
	"context"
	"os"
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

// elsewhere are formats whose samples other scanners judge: templates that
// are handed on, handlers in Python, models that happen to be JSON.
func elsewhere(e scantest.Entry) bool {
	switch e.Format {
	case "chat_template", "keras-json":
		return true
	}
	return strings.Contains(e.Path, "jinja2_template__") || strings.Contains(e.Path, "torchserve_mar__") || strings.Contains(e.Path, "xgboost__") ||
		strings.Contains(e.Path, "exploit") || strings.HasSuffix(e.Path, "model.mar")
}

// modest are samples labelled suspicious which show nothing but custom code,
// a name or nothing at all.
var modest = []string{"config_blacklisted.json", "gen/modules.json", "chatglm3-6b__config.json", "skops__bomb.skops", "test_executable_file_in_archive"}

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no corpus here")
	}
	scanners := []scan.Scanner{config.New(), yaml.New(), skops.New()}
	listed := map[string]bool{}
	for _, s := range all.Scanners() {
		listed[s.Format()] = true
	}
	own := scanners[:0:0]
	for _, s := range scanners {
		if !listed[s.Format()] {
			own = append(own, s)
		}
	}
	e := engine.New(append(own, all.Scanners()...), engine.Limits{TempDir: t.TempDir()})
	formats := map[string]bool{"config": true, "json": true, "nemo": true, "skops": true, "yaml": true, "mar": true, "chat_template": true, "text": true, "csv": true}
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
		var own []scan.Finding
		worst := scan.Info
		for _, f := range r.Findings {
			if rule, _, _ := strings.Cut(f.Rule, "."); rule == "config" || rule == "yaml" || rule == "skops" {
				own = append(own, f)
				worst = max(worst, f.Severity)
			}
		}
		if sample.Label == "benign" {
			count["benign"]++
			if worst >= scan.SeveritySuspicious {
				t.Errorf("%s is benign, and %+v", name, own)
			}
		}
		if !formats[sample.Format] {
			continue
		}
		count[sample.Label+" "+r.Verdict.String()]++
		t.Logf("%-11s %-12s %s %+v %s", sample.Label, r.Verdict, name, own, r.Error)
		switch {
		case sample.Label == "benign":
			if r.Verdict != scan.Clean {
				t.Errorf("%s is benign, and %v: %s %+v", name, r.Verdict, r.Error, r.Findings)
			}
		case elsewhere(sample):
		case sample.Label == "malicious" && r.Worst() < scan.SeveritySuspicious:
			t.Errorf("%s is malicious, and %v", name, r.Verdict)
		case sample.Label == "suspicious" && r.Worst() < scan.SeveritySuspicious && sample.Format != "text":
			known := false
			for _, m := range modest {
				known = known || strings.Contains(name, m)
			}
			if !known {
				t.Errorf("%s is suspicious, and %v", name, r.Verdict)
			}
		}
	}
	t.Log(count)
	if count["benign"] < 100 {
		t.Errorf("only %d benign samples: is that the corpus?", count["benign"])
	}
}
