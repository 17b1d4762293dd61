package scantest

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Entry is one line of a corpus manifest.
type Entry struct {
	Path      string // on disk
	Label     string // benign, suspicious or malicious
	Format    string
	Technique string
}

// Corpus reads <dir>/manifest.tsv (tab-separated: path, sha256, label, origin,
// format, technique, expected finding). It fails the test when the manifest
// lists nothing or a listed file is missing.
func Corpus(t testing.TB, dir string) []Entry {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "manifest.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []Entry
	for lines := bufio.NewScanner(f); lines.Scan(); {
		col := strings.Split(lines.Text(), "\t")
		if len(col) < 6 || col[0] == "path" {
			continue
		}
		e := Entry{Path: filepath.Join(dir, col[0]), Label: col[2], Format: col[4], Technique: col[5]}
		if _, err := os.Stat(e.Path); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		t.Fatalf("no entries in %s", dir)
	}
	return entries
}
