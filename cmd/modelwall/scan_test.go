package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"modelwall/config"
	"modelwall/scan"
	"modelwall/scan/engine"
)

// meddler does something to the world in the middle of a scan.
type meddler struct {
	markScanner
	meddle func()
}

func (m meddler) Scan(context.Context, scan.File, scan.Sink) error {
	m.meddle()
	return nil
}

func TestFileThatChangesUnderTheScan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		meddle func()
		want   string
	}{
		{"not at all", func() {}, ""},
		{"longer", func() { must(os.WriteFile(file, []byte("MARK and more"), 0o600)) }, errChanged.Error()},
		{"shorter", func() { must(os.Truncate(file, 2)) }, errChanged.Error()},
		{"other time", func() { must(os.Chtimes(file, time.Time{}, time.Unix(1, 0))) }, errChanged.Error()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			must(os.WriteFile(file, []byte("MARK"), 0o600))
			e := engine.New([]scan.Scanner{meddler{meddle: test.meddle}}, engine.Limits{})
			files := targets{}
			must(files.add(t.Context(), []string{file}))
			got := inspection{engine: e}.one(t.Context(), files.list[0])
			want := scan.Undetermined
			if test.want == "" {
				want = scan.Clean
			}
			if got.Error != test.want || got.Verdict != want {
				t.Errorf("verdict %v, error %q; want %v, %q", got.Verdict, got.Error, want, test.want)
			}
		})
	}
}

func TestCancelledScan(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("MARK"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	e := engine.New([]scan.Scanner{meddler{meddle: cancel}}, engine.Limits{})
	files := targets{}
	defer files.close()
	if err := files.add(ctx, []string{dir}); err != nil {
		t.Fatal(err)
	}
	results := inspection{engine: e}.all(ctx, files.list)
	undetermined := 0
	for _, r := range results {
		if r.Verdict == scan.Undetermined && r.Error != "" {
			undetermined++
		}
	}
	if len(results) != 5 || undetermined < 3 { // two workers may have one each under way
		t.Errorf("%d results, %d undetermined", len(results), undetermined)
	}

	// The command says that it was interrupted, and prints no report that
	// somebody could take for one.
	var stdout, stderr bytes.Buffer
	root := newRootCmd(parts{newEngine: func(*config.Config) *engine.Engine { return e }})
	root.SetArgs([]string{"scan", dir})
	root.SetOut(&stdout)
	ctx, cancelled := context.WithCancel(t.Context())
	cancelled()
	if code := execute(ctx, root, &stderr); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if diff := cmp.Diff("modelwall: interrupted\n", stderr.String()); diff != "" || stdout.Len() > 0 {
		t.Errorf("stdout %q, stderr (-want +got):\n%s", &stdout, diff)
	}
}

// brokenReader fails in the middle.
type brokenReader struct{ err error }

func (b brokenReader) Read(p []byte) (int, error) { return copy(p, "MARK"), b.err }

func TestStdinThatBreaks(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	broken := errors.New("pipe broke")
	files := targets{stdin: brokenReader{broken}}
	if err := files.add(t.Context(), []string{"-"}); err != nil {
		t.Fatal(err)
	}
	files.close()
	if len(files.list) != 1 || !errors.Is(files.list[0].err, broken) {
		t.Errorf("targets %+v, want one with the error of stdin", files.list)
	}

	files = targets{stdin: bytes.NewReader([]byte("MARK"))}
	if err := files.add(t.Context(), []string{"-"}); err != nil {
		t.Fatal(err)
	}
	if r := (inspection{engine: markEngine(config.Default())}).one(t.Context(), files.list[0]); r.Verdict != scan.Clean || r.Path != "-" {
		t.Errorf("result %+v", r)
	}
	files.close()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

// A report that could not be written must not look like a clean one.
func TestReportThatCanNotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(file, []byte("MARK"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json", "sarif", "cyclonedx"} {
		root := newRootCmd(parts{newEngine: markEngine})
		root.SetArgs([]string{"scan", "--format", format, file})
		root.SetOut(fullDisk{})
		var stderr bytes.Buffer
		if code := execute(t.Context(), root, &stderr); code != exitUsage {
			t.Errorf("%s: exit code %d, want %d; stderr %s", format, code, exitUsage, &stderr)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
