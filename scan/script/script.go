// Package script judges text that something executes or follows, other than
// Python:
//
//	shell         scripts for sh, bash, zsh, PowerShell and cmd; Dockerfiles,
//	              whose RUN lines are commands
//	requirements  lists for pip: a package from another index or a URL runs
//	              its setup.py on the machine that installs it
//	pth           path files of Python's site module, which executes their
//	              lines that begin with "import" at every start
//	desktop       .desktop launchers and Windows' .lnk and .url shortcuts
//	html          HTML and SVG, whose scripts run where they are looked at
//
// Scripts in a repository run when somebody runs them, so what a script can do
// counts for nothing and what it does counts for all: package shell has the
// list of attacks. Launchers and path files have no place in a model.
//
// A script is known by its interpreter line, a launcher by its first bytes,
// a list by its lines. A name with the usual suffix has a file read as a
// script that gives no other sign.
//
// POSIX.1-2017 has the shell, https://pip.pypa.io/en/stable/reference/requirements-file-format/
// the lists, https://docs.python.org/3/library/site.html the path files, the
// Desktop Entry Specification and [MS-SHLLINK] the launchers, the HTML Living
// Standard and SVG 2 the rest.
package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"modelwall/scan"
)

// Scanner claims one kind of file.
type Scanner struct{ kind kind }

// kind is one row of the table of kinds.
type kind struct {
	name  string
	match func(p scan.Probe) bool
	scan  func(ctx context.Context, in *input) error
}

// New returns one scanner for each kind.
func New() []scan.Scanner {
	kinds := []kind{
		{"shell", matchShell, scanShell},
		{"requirements", matchRequirements, scanRequirements},
		{"pth", matchPth, scanPth},
		{"desktop", matchDesktop, scanDesktop},
		{"html", matchMarkup, scanMarkup},
	}
	scanners := make([]scan.Scanner, len(kinds))
	for i, k := range kinds {
		scanners[i] = &Scanner{k}
	}
	return scanners
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.kind.name }

// Version implements scan.Scanner.
func (s *Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool { return p.Size > 0 && s.kind.match(p) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return s.kind.scan(ctx, &input{File: f, sink: sink})
}

// input is the file under inspection with what it is reported to.
type input struct {
	scan.File
	sink scan.Sink
}

func (in *input) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	in.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

func (in *input) member(ctx context.Context, name, text string) error {
	return in.sink.Member(ctx, scan.Member{Name: name, At: strings.NewReader(text), Size: int64(len(text))})
}

// read fills b from off. The error is the reader's own.
func (in *input) read(b []byte, off int64) error {
	n, err := in.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is shorter than its size says
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}

// segment is how much of a text is judged at a time, in bytes.
const segment = 1 << 20

// segments calls do with the text piece by piece, cut at the ends of lines
// where that can be. UTF-16, which Windows writes, becomes UTF-8. The last
// back bytes of a piece come again with the next one.
func (in *input) segments(ctx context.Context, back int, do func(text []byte, off int64) error) error {
	buf := make([]byte, min(in.Size, segment))
	for off := int64(0); off < in.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), in.Size-off)]
		if err := in.read(b, off); err != nil {
			return err
		}
		last := off+int64(len(b)) == in.Size
		if !last {
			if n := bytes.LastIndexByte(b, '\n'); n > len(b)/2 {
				b = b[:n+1]
			}
		}
		if err := do(narrow(b), off); err != nil {
			return err
		}
		if last {
			return nil
		}
		off += int64(max(1, len(b)-back))
	}
	return nil
}

// narrow drops the NULs of UTF-16 text in the Latin range, and a mark.
func narrow(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.Count(b[:min(len(b), 512)], []byte{0}) > min(len(b), 512)/3 {
		return bytes.ReplaceAll(bytes.TrimLeft(b, "\xff\xfe"), []byte{0}, nil)
	}
	return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
}

// textual reports that a file begins like text.
func textual(head []byte) bool {
	return bytes.IndexByte(narrow(head), 0) < 0
}

func ext(name string) string { return strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))) }

func base(name string) string {
	return strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
}

func foreign(why string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: errors.New(why)}
}
