// Package python judges Python source: the modeling_*.py, tokenization_*.py,
// configuration_*.py and pipeline.py that a loader imports under
// trust_remote_code, the handler.py of model servers, setup.py, and the code
// inside PyTorch archives.
//
// All of Python's power is in such a file: importing it runs it. Nearly all of
// them are honest, and honest ones start compilers, evaluate expressions and
// download weights as well. So capabilities alone are told at low severity;
// what blocks is evidence of intent. Malicious: a text that is decoded or
// comes over the network and is executed, a command that is an attack by
// itself, a shell wired to a connection, keys that are sent away, calls by
// names that are put together to be hidden. Suspicious: a program of unknown
// effect started, or such a text executed, the moment the file is imported.
// Package program has the details, package syntax reads the language.
//
// A file is Python when it reads as Python; its name counts for nothing but a
// second look. Python compiles a file as a whole, so one error of syntax keeps
// it from running at all: prose, tables and markup are told apart by that. JSON
// and CSV are Python too, as far as the syntax goes. Nothing in them runs.
//
// TorchScript, the language of the code/ folder in a PyTorch archive, looks
// like Python and is not: it can import nothing, but some of its operators
// read and write files.
//
// The language is that of https://docs.python.org/3/reference/, source
// encodings are PEP 263.
package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
	"modelwall/scan/python/program"
	"modelwall/scan/python/syntax"
)

// Scanner inspects Python source.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "python" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// named reports the suffixes of Python source.
func named(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".py", ".pyw", ".pyi", ".py3", ".pyt":
		return true
	}
	return false
}

// Match implements scan.Scanner: text in which no error of syntax stands, or
// in which lines of Python do.
func (*Scanner) Match(p scan.Probe) bool {
	if len(p.Head) == 0 {
		return false
	}
	if named(p.Name) {
		return true
	}
	if !textual(p.Head) {
		return false
	}
	l := &look{}
	// Bytes in memory can not fail to be read.
	err := l.read(bytes.NewReader(withoutMark(p.Head)))
	return err != nil || !l.foreign()
}

func withoutMark(head []byte) []byte { return bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")) }

// textual reports bytes that source may begin with. Encodings other than UTF-8
// have to be declared in ASCII.
func textual(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	if bytes.Contains(head, []byte("coding")) {
		return true
	}
	// The last character may be cut.
	for i := 0; i < utf8.UTFMax && len(head) > 0 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1]
	}
	return utf8.Valid(head)
}

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	head := make([]byte, min(f.Size, syntax.HeadSize))
	if n, err := f.ReadAt(head, 0); n < len(head) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the file is shorter than its size says
		}
		return fmt.Errorf("read %d bytes: %w", len(head), err)
	}
	var enc syntax.Encoding
	open := func() io.Reader {
		var r io.Reader = &exact{r: f.Section(0, f.Size), left: f.Size}
		r, enc = syntax.Decode(r, head)
		return r
	}
	text := open()
	if enc.Wide {
		return foreign("UTF-16 or UTF-32, which Python does not read")
	}
	l := &look{ctx: ctx, file: f}
	if !named(f.Name) && !enc.Hides {
		if err := l.read(text); err != nil {
			return err
		}
		if l.foreign() {
			return foreign("not Python: " + l.why())
		}
	}
	if enc.Hides {
		s.Finding(scan.Finding{
			Rule: "python.encoding", Severity: scan.SeveritySuspicious, Technique: "obfuscation", Offset: enc.Off,
			Message: "declares the encoding " + scan.Quote(enc.Name, 40) + ", in which what looks like a comment may be code",
		})
	}
	r, err := program.Read(ctx, open, program.Options{})
	if err != nil {
		return err
	}
	return report(ctx, s, r, f.Name)
}

// report hands over what a program does.
func report(ctx context.Context, s scan.Sink, r *program.Result, name string) error {
	for _, f := range r.Facts {
		s.Finding(scan.Finding{Rule: "python." + f.What, Severity: f.Severity, Technique: f.Technique, Message: f.Message, Offset: f.Off})
	}
	for _, m := range r.Members {
		err := s.Member(ctx, scan.Member{Name: m.Name, At: bytes.NewReader(m.Data), Size: int64(len(m.Data))})
		if err != nil {
			return err
		}
	}
	if len(r.Facts)+len(r.Members) == 0 && r.Stats.Words == 0 && !named(name) {
		return foreign("nothing in it that Python would do")
	}
	return nil
}

func foreign(why string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: errors.New(why)}
}

// exact makes a file that ends before its size an error, and keeps the
// reader's own errors.
type exact struct {
	r    io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
