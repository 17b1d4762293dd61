package all

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every package of a format is in the list: one that is not would be a blind
// spot that nobody notices.
func TestEveryFormatIsListed(t *testing.T) {
	source, err := os.ReadFile("all.go")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	formats := 0
	for _, d := range dirs {
		switch {
		case !d.IsDir(), d.Name() == "all", d.Name() == "engine", d.Name() == "scantest", d.Name() == "internal":
			continue
		}
		if files, _ := filepath.Glob(filepath.Join("..", d.Name(), "*.go")); len(files) == 0 {
			continue
		}
		formats++
		if !strings.Contains(string(source), "\"modelwall/scan/"+d.Name()+"\"") {
			t.Errorf("package scan/%s is not in the list", d.Name())
		}
	}
	if formats == 0 {
		t.Error("no formats found")
	}
}

func TestFormatsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Scanners() {
		if s.Format() == "" || s.Version() < 1 || seen[s.Format()] {
			t.Errorf("scanner %T: format %q, version %d", s, s.Format(), s.Version())
		}
		seen[s.Format()] = true
	}
}
