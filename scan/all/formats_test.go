package all

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
)

// update rewrites the README's table: go test ./scan/all -run README -update.
var update = flag.Bool("update", false, "write the table of formats into the README")

// TestRows: every scanner is in the table once, and the table has nothing else.
func TestRows(t *testing.T) {
	var want, got []string
	for _, s := range Scanners() {
		want = append(want, s.Format())
	}
	for _, r := range Formats() {
		got = append(got, r.Formats...)
		for _, text := range []string{r.Title, r.Recognised, r.Checked, r.Read} {
			if text == "" || strings.ContainsAny(text, "|\n") {
				t.Errorf("row %q: a column is empty or breaks the table: %q", r.Title, text)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("formats.go has no row for a scanner, or one too many (-scanners +rows):\n%s", diff)
	}
}

// Where the table stands in the README.
const (
	readme = "../../README.md"
	begin  = "<!-- formats: go generate ./scan/all -->\n"
	end    = "<!-- /formats -->\n"
)

func TestREADME(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the README has no %q … %q", begin, end)
	}
	want := Markdown(Formats())
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the README's table of formats is not that of formats.go; go generate ./scan/all writes it (-want +got):\n%s", diff)
	}
}

func TestMisnamed(t *testing.T) {
	for _, c := range []struct {
		name    string
		formats string
		want    string
	}{
		{"model.safetensors", "safetensors", ""},
		{"model.safetensors", "pickle", `is called ".safetensors" and is pickle`},
		{"MODEL.SAFETENSORS", "zip executable", `is called ".safetensors" and is zip, executable`},
		{"a/b.json", "text json config", ""},
		{"a/b.json", "pickle text", ""},
		{`a\b.json`, "zip", `is called ".json" and is zip`},
		{"model.pt", "zip", ""},
		{"model.pt", "tar", ""},
		{"model.pt", "pickle", ""},
		{"model.pt", "safetensors", `is called ".pt" and is safetensors`},
		{"model.pkl", "gzip", ""},
		{"model.bin", "zip", ""},
		{"LICENSE", "text", ""},
		{"", "zip", ""},
		{"model.onnx", "", ""}, // not known: that is said already
	} {
		got, odd := Misnamed(c.name, strings.Fields(c.formats))
		if got.Message != c.want || odd != (c.want != "") || odd && got.Severity != scan.Low {
			t.Errorf("%s is %s: %+v, want %q", c.name, c.formats, got, c.want)
		}
	}
}
