package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/scan"
)

const hash64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParsePointer(t *testing.T) {
	const good = "version https://git-lfs.github.com/spec/v1\noid sha256:" + hash64 + "\nsize 4947802324\n"
	for text, want := range map[string]int64{
		good:                                   4947802324,
		strings.ReplaceAll(good, "\n", "\r\n"): 4947802324,
		strings.Replace(good, "\noid", "\next-0-x sha256:"+hash64+"\noid", 1): 4947802324,
		strings.Replace(good, "git-lfs.github", "hawser.github", 1):           4947802324,
		strings.Replace(good, "size 4947802324", "size 0", 1):                 0,
		strings.Replace(good, "size 4947802324", "size -1", 1):                -1,
		strings.Replace(good, "sha256:0", "sha256:g", 1):                      -1,
		strings.Replace(good, "sha256:", "md5:", 1):                           -1,
		strings.Replace(good, "https://git-lfs", "https://git-ofs", 1):        -1,
		"# about " + good: -1,
		"":                -1,
	} {
		got := int64(-1)
		if p := parsePointer([]byte(text)); p != nil {
			got = p.size
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestScanTree: what a folder lacks is told, and a pointer is never clean.
func TestScanTree(t *testing.T) {
	hubEnvironment(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pointer/model.bin":          "version https://git-lfs.github.com/spec/v1\noid sha256:" + hash64 + "\nsize 5000000000\n",
		"a/m.safetensors.index.json": `{"metadata": {"weight_map": "x"}, "weight_map": {"l.0": "m-1.txt", "l.1": "m-2.txt", "l.2": "sub/m-3.txt", "l.3": 4, "l.4": "m-2.txt"}, "x": ["no.txt"]}`,
		"a/m-1.txt":                  "here",
		"b/m-00002-of-00004.txt":     "here",
		"b/m-00004-of-00004.txt":     "here",
		"c/m-00001-of-00002.txt":     "here",
		"c/m-00002-of-00002.txt":     "here",
		"d/names.safetensors":        "text and nothing else",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte(text), 0o600))
	}
	code, files := scanJSON(t, dir)
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	for name, want := range map[string]string{
		"a/m.safetensors.index.json": `"m-2.txt", "sub/m-3.txt"`,
		"a/m-1.txt":                  "",
		"b/m-00002-of-00004.txt":     `"m-00001-of-00004.txt", "m-00003-of-00004.txt"`,
		"b/m-00004-of-00004.txt":     "",
		"c/m-00001-of-00002.txt":     "",
		"d/names.safetensors":        `is called ".safetensors" and is text`,
	} {
		f := files[filepath.Join(dir, filepath.FromSlash(name))]
		got := ""
		for _, finding := range f.Findings {
			if finding.Rule == "shards.missing" || finding.Rule == "name.mismatch" {
				got += finding.Message
				if finding.Severity != scan.Low {
					t.Errorf("%s: %v", name, finding.Severity)
				}
			}
		}
		if !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if f.Verdict != scan.Clean {
			t.Errorf("%s: %v: %s", name, f.Verdict, f.Error)
		}
	}
	p := files[filepath.Join(dir, "pointer", "model.bin")]
	if p.Verdict != scan.Undetermined || !strings.Contains(p.Error, "Git LFS pointer") || !strings.Contains(p.Error, "4.7 GiB") {
		t.Errorf("pointer: %v, %q", p.Verdict, p.Error)
	}
}
