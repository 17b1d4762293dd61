package all

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
