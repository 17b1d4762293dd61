package pickle

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

const corpusDir = "../../../shared/corpus"

// pickles returns the pickles of a sample: itself, or the members of a zip.
func pickles(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	for _, open := range []func(io.Reader) (io.Reader, error){
		func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil },
	} {
		if r, err := open(bytes.NewReader(data)); err == nil {
			if body, err := io.ReadAll(r); err == nil {
				return map[string][]byte{"": body}
			}
		}
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || !bytes.HasPrefix(data, []byte("PK")) {
		return map[string][]byte{"": data}
	}
	members := map[string][]byte{}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".pkl") && !strings.HasSuffix(f.Name, ".npy") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			continue
		}
		body, err := io.ReadAll(r)
		if err != nil {
			continue
		}
		members[f.Name] = body
	}
	return members
}

func pickleFamily(format string) bool {
	switch format {
	case "pickle", "pkl", "joblib", "dill", "bin", "pytorch", "pytorch-legacy", "pt", "torchscript":
		return true
	}
	return false
}

// wrapped reports whether data is a container that other packages open.
func wrapped(data []byte) bool {
	for _, magic := range []string{"PK", "\x1f\x8b", "BZh", "\xfd7zXZ", "7z\xbc\xaf", "\x04\x22\x4d\x18", "\x78\x01", "\x78\x9c", "\x78\xda", "\x78\x5e", "\x5d\x00", "ZF0x"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return true
		}
	}
	return false
}

// judgeDeep scans data and what it hands over, as the engine does.
func judgeDeep(s *Scanner, data []byte, depth int) (scan.Severity, *scantest.Record, error) {
	r, err := scantest.Scan(s, "x", data)
	worst := r.Worst()
	if depth < 4 {
		for _, m := range r.Members {
			if len(m.Data) == 0 || !canStart(m.Data[0]) {
				continue
			}
			w, inner, _ := judgeDeep(s, m.Data, depth+1)
			worst = max(worst, w)
			r.Imports = append(r.Imports, inner.Imports...)
			r.Findings = append(r.Findings, inner.Findings...)
		}
	}
	return worst, r, err
}

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpusDir); errors.Is(err, os.ErrNotExist) {
		t.Skip("the corpus is not here")
	}
	s := New()
	count := map[string]int{}
	for _, e := range scantest.Corpus(t, corpusDir) {
		if !pickleFamily(e.Format) {
			continue
		}
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range pickles(t, data) {
			if wrapped(body) {
				continue
			}
			worst, r, err := judgeDeep(s, body, 0)
			count[e.Label+" "+worst.String()]++
			id := strings.TrimPrefix(e.Path, corpusDir+"/") + " " + name
			switch e.Label {
			case "benign":
				if worst >= scan.SeveritySuspicious || err != nil && !errors.Is(err, scan.ErrForeign) {
					t.Errorf("benign %s: %v, %v\n%+v", id, worst, err, r.Findings)
				}
				if errors.Is(err, scan.ErrForeign) {
					t.Logf("benign %s is foreign: %v", id, err)
				}
			case "malicious":
				// A zip keeps one member of several with a name: its own
				// package looks at all of them.
				if strings.Contains(id, "dup_entries") {
					continue
				}
				if worst < scan.SeverityMalicious {
					t.Errorf("malicious %s (%s): %v, %v\n%+v", id, e.Technique, worst, err, r.Findings)
				}
			default:
				// Many of these only hold the text of code as data, or show
				// their threat to the package of their container.
				if worst < scan.SeveritySuspicious {
					t.Logf("suspicious %s (%s): %v, %v\n%+v", id, e.Technique, worst, err, r.Findings)
				}
			}
		}
	}
	t.Log(count)
}
