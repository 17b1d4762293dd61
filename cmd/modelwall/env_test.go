package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostile is a folder name with everything that means something to a shell.
const hostile = "/a b/$HOME `id` \"q\" 'p' \\ %PATH% !x! ; & | < > * ? ~ # ‘’‚‛ é"

// TestQuotingInRealShells lets each shell that is installed read what env
// prints and pass it on to a program.
func TestQuotingInRealShells(t *testing.T) {
	programs := map[string][]string{
		"sh":         {"sh", "-c", `eval "$(cat "$1")"; exec env -0`, "sh"},
		"bash":       {"bash", "-c", `eval "$(cat "$1")"; exec env -0`, "bash"},
		"zsh":        {"zsh", "-f", "-c", `eval "$(cat "$1")"; exec env -0`, "zsh"},
		"fish":       {"fish", "--no-config", "-c", `source $argv[1]; exec env -0`},
		"powershell": {"pwsh", "-NoProfile", "-Command", `param($f) Get-Content -Raw $f | Invoke-Expression; env -0`},
	}
	for _, s := range shells() {
		t.Run(s.name, func(t *testing.T) {
			program, ok := programs[s.name]
			if !ok {
				t.Skip("read by no shell of this system")
			}
			if _, err := exec.LookPath(program[0]); err != nil {
				t.Skipf("%s is not installed", program[0])
			}
			r := route{proxy: "http://127.0.0.1:1", ca: hostile + "/ca.pem", bundle: hostile + "/bundle.pem"}
			nothing := func(string) string { return "" }
			text, err := export(s, r, nothing)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "lines")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), program[0], append(program[1:], file)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for pair := range strings.SplitSeq(string(out), "\x00") {
				name, value, _ := strings.Cut(pair, "=")
				got[name] = value
			}
			for _, v := range variables() {
				if want := v.value(r, nothing); got[v.name] != want {
					t.Errorf("%s = %q, want %q", v.name, got[v.name], want)
				}
			}
		})
	}
}

func TestQuoting(t *testing.T) {
	tests := []struct{ shell, value, want string }{
		{"bash", `it's`, `export X='it'\''s';`},
		{"fish", `it's \`, `set -gx X 'it\'s \\';`},
		{"powershell", `it's ’ $x`, `$env:X = 'it''s ’’ $x'`},
		{"cmd", `50% & more`, `set "X=50%% & more"`},
		{"dotenv", `/plain/path-1.pem`, `X=/plain/path-1.pem`},
		{"dotenv", `::1,localhost`, `X=::1,localhost`},
		{"dotenv", `with $x`, `X='with $x'`},
		{"dotenv", `it's $x "y" \`, `X="it's \$x \"y\" \\"`},
		{"github", `with $x 'y'`, `X=with $x 'y'`},
	}
	for _, test := range tests {
		for _, s := range shells() {
			if s.name != test.shell {
				continue
			}
			if got := s.line("X", test.value); got != test.want {
				t.Errorf("%s: %s, want %s", test.shell, got, test.want)
			}
		}
	}
}

func TestWhatCanNotBeWritten(t *testing.T) {
	nothing := func(string) string { return "" }
	for _, s := range shells() {
		if _, err := export(s, route{ca: "a\nexport EVIL=1"}, nothing); err == nil {
			t.Errorf("%s takes a line break", s.name)
		}
		if _, err := export(s, route{ca: `a"b`}, nothing); (err != nil) != (s.name == "cmd") {
			t.Errorf("%s: quotation mark: error %v", s.name, err)
		}
	}
}

func TestBypasses(t *testing.T) {
	intercept := []string{"huggingface.co", "hf.co"}
	tests := []struct {
		noProxy, endpoint string
		want              int // warnings
	}{
		{"", "", 0},
		{"corp.example,10.0.0.0/8", "https://huggingface.co", 0},
		{"example.co", "https://hub-ci.huggingface.co/", 0},
		{"*", "", 1},
		{"huggingface.co", "", 1},
		{".HF.co", "", 1},
		{"*.hf.co:443", "", 1},
		{"cdn-lfs.hf.co", "", 1},
		{"co", "", 1},
		{"hf.co,huggingface.co", "https://hf-mirror.com", 3},
		{"nothf.co", "http://127.0.0.1:8080", 1},
		{"", "::", 1},
	}
	for _, test := range tests {
		env := map[string]string{"no_proxy": test.noProxy, "HF_ENDPOINT": test.endpoint}
		got := bypasses(func(name string) string { return env[name] }, intercept)
		if len(got) != test.want {
			t.Errorf("NO_PROXY %q, HF_ENDPOINT %q: %q, want %d", test.noProxy, test.endpoint, got, test.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"plain, é, 漢字 and \"quotes\" \\": "plain, é, 漢字 and \"quotes\" \\",
		"a\nb\tc\x1b[31m":                `a\nb\tc\x1b[31m`,
		"not \xff UTF-8":                 `not \xff UTF-8`,
		"\u202egnp.exe":                  `\u202egnp.exe`,
		"\ufffd":                         `\ufffd`,
		"\u00a0":                         `\u00a0`,
		"":                               "",
	}
	for in, want := range tests {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestReportNamesTheProgramOnEachLine(t *testing.T) {
	var b bytes.Buffer
	report(&b, usagef("one\ntwo\x1b\n"))
	if diff := cmp.Diff("modelwall: one\nmodelwall: two\\x1b\n", b.String()); diff != "" {
		t.Error(diff)
	}
}
