package zip_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
	scanner "modelwall/scan/zip"
)

const corpus = "../../../shared/corpus"

// spy claims every file and remembers what reached it.
type spy struct{ seen map[string][]byte }

func (*spy) Format() string        { return "spy" }
func (*spy) Version() int          { return 1 }
func (*spy) Match(scan.Probe) bool { return true }

func (s *spy) Scan(_ context.Context, f scan.File, _ scan.Sink) error {
	b, err := io.ReadAll(f.Section(0, f.Size))
	s.seen[f.Member] = b
	return err
}

// tricks are the corpus's archives whose trick is a finding by itself.
var tricks = map[string]string{
	"malicious/gen/zip_abs.zip":  "zip.path",
	"malicious/gen/zip_slip.zip": "zip.path",
	"suspicious/gen/zip_slip.pt": "zip.path",
	"malicious/modelaudit-tests/zip__test_windows_traversal_detection.zip":                         "zip.path",
	"malicious/gen/zip_bad_first_entry.pt":                                                         "zip.name",
	"malicious/picklescan/malicious1_central_directory.zip":                                        "zip.name",
	"malicious/gen/zip_crc_zero.pt":                                                                "zip.crc",
	"malicious/picklescan/malicious1_crc.zip":                                                      "zip.crc",
	"malicious/gen/zip_dup_entries_last_benign.pt":                                                 "zip.duplicate",
	"suspicious/gen/zip_case_dup.pt":                                                               "zip.duplicate",
	"malicious/gen/zip_flag_encrypted_both.pt":                                                     "zip.flags",
	"malicious/gen/zip_flag_strong_masked.pt":                                                      "zip.flags",
	"malicious/picklescan/malicious1_0x1.zip":                                                      "zip.flags",
	"malicious/gen/zip_method_lie_local.pt":                                                        "zip.method",
	"suspicious/gen/zip_comment_fake_eocd.pt":                                                      "zip.end_record",
	"suspicious/gen/zip_two_archives.pt":                                                           "zip.end_record",
	"malicious/modelaudit-tests/torchserve_mar__test_scan_detects_path_traversal_member_names.mar": "zip.path",
}

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	zips := 0
	for _, e := range scantest.Corpus(t, corpus) {
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !scanner.New().Match(scantest.Probe(e.Path, data)) {
			continue
		}
		name, err := filepath.Rel(corpus, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		s := &spy{seen: map[string][]byte{}}
		eng := engine.New([]scan.Scanner{scanner.New(), s}, engine.Limits{TempDir: t.TempDir()})
		r, err := eng.Inspect(context.Background(), scantest.Bytes(name, data))
		if err != nil {
			t.Fatal(err)
		}
		if r.Formats[0] != "zip" {
			continue
		}
		zips++
		if e.Label == "benign" && (r.Worst() >= scan.SeveritySuspicious || r.Error != "") {
			t.Errorf("%s: %v %+v %s", name, r.Verdict, r.Findings, r.Error)
		}
		rule, trick := tricks[name]
		if trick {
			delete(tricks, name)
			if !reported(r, rule) {
				t.Errorf("%s: findings %+v, want %s", name, r.Findings, rule)
			}
		}
		if trick && strings.HasPrefix(e.Technique, "os.system") && !reached(s, "system") {
			t.Errorf("%s: the payload did not come out; members: %q", name, s.seen)
		}
	}
	if zips < 50 || len(tricks) > 0 {
		t.Errorf("%d zip archives in the corpus; tricks not met: %v", zips, tricks)
	}
}

func reported(r scan.Report, rule string) bool {
	for _, f := range r.Findings {
		if f.Rule == rule && f.Severity >= scan.SeveritySuspicious {
			return true
		}
	}
	return false
}

func reached(s *spy, what string) bool {
	for name, b := range s.seen {
		if name != "" && bytes.Contains(b, []byte(what)) {
			return true
		}
	}
	return false
}
