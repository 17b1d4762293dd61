// Package notebook judges Jupyter notebooks (.ipynb).
//
// A notebook is a JSON object with a list of cells; code cells hold Python in
// the dialect of IPython: a line that begins with "!" is a command for the
// shell, one with "%" a magic, and a cell that begins with "%%bash" is a
// script. Nothing runs when a notebook is opened, but people press "run all",
// so what the cells do together is judged as one program that runs from top to
// bottom. Commands for the shell are part of every other notebook: of them only
// attacks count. Outputs are pages that were drawn once; Jupyter shows their scripts in
// notebooks that the reader trusts, which is told and no more.
//
// A key that stands twice in an object counts both times: readers differ in
// which one they take.
//
// The format is https://nbformat.readthedocs.io, versions 3 and 4; the dialect
// is described in the IPython documentation, "Built-in magic commands".
package notebook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"modelwall/scan"
	"modelwall/scan/python/program"
	"modelwall/scan/script/shell"
)

// Scanner inspects notebooks.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "notebook" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: a JSON object with a notebook's keys at one of
// its ends, or the name.
func (*Scanner) Match(p scan.Probe) bool {
	head := bytes.TrimLeft(bytes.TrimPrefix(p.Head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) == 0 || head[0] != '{' {
		return false
	}
	if strings.EqualFold(path.Ext(p.Name), ".ipynb") {
		return true
	}
	for _, key := range [...]string{`"cell_type"`, `"cells"`, `"nbformat"`, `"nbformat_minor"`, `"worksheets"`} {
		if bytes.Contains(p.Head, []byte(key)) || bytes.Contains(p.Tail, []byte(key)) {
			return true
		}
	}
	return false
}

// maxCode bounds the code that is kept of one notebook, in bytes.
const maxCode = 8 << 20

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	r := &reader{ctx: ctx, r: f.Section(0, f.Size), left: f.Size}
	readErr := r.run()
	if r.cells == 0 && readErr == nil {
		return foreign("no cells")
	}
	var malformed *syntaxError
	if readErr != nil && !errors.As(readErr, &malformed) {
		return readErr
	}
	if r.scripts {
		s.Finding(scan.Finding{Rule: "notebook.output", Severity: scan.Low, Technique: "code-execution", Message: "an output has a script, which runs in the reader's browser once the notebook is trusted"})
	}
	if err := judge(ctx, s, r); err != nil {
		return err
	}
	if r.over {
		return scan.Limit(0, "more than %d bytes of code in the cells", maxCode)
	}
	if malformed != nil {
		return foreign(malformed.Error()) // no reader gets as far as a cell
	}
	return nil
}

// judge looks at what all cells do together.
func judge(ctx context.Context, s scan.Sink, r *reader) error {
	var code, commands strings.Builder
	for _, c := range r.code {
		translate(c, &code, &commands)
	}
	find := func(what string, sev scan.Severity, technique, message string) {
		s.Finding(scan.Finding{Rule: "notebook." + what, Severity: sev, Technique: technique, Message: message})
	}
	python := func(text string) error {
		p, err := program.ReadString(ctx, text, program.Options{})
		if err != nil {
			return err
		}
		for _, f := range p.Facts {
			find(f.What, f.Severity, f.Technique, "a cell "+f.Message)
		}
		for _, m := range p.Members {
			if err := s.Member(ctx, scan.Member{Name: m.Name, At: bytes.NewReader(m.Data), Size: int64(len(m.Data))}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := python(code.String()); err != nil {
		return err
	}
	report := shell.Read(commands.String())
	for _, f := range report.Facts {
		find(f.What, f.Severity, f.Technique, "a cell's command "+f.Message)
	}
	for _, p := range report.Programs {
		if err := python(p.Text); err != nil {
			return err
		}
	}
	return nil
}

func foreign(why string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: errors.New(why)}
}

// syntaxError is a place where the text is no JSON.
type syntaxError struct {
	off  int64
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("not JSON at byte %d: %s", e.off, e.what) }
