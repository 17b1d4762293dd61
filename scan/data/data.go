// Package data knows the files that no loader executes, so that the engine
// can call them clean, and the files that some loader may execute but that
// nothing here can judge, so that it does not.
//
// What is data, and why nothing in it runs:
//
//	empty          no bytes
//	text           UTF-8 without NUL from end to end, or UTF-16/32 with a mark
//	json           text that is one JSON value; parsers build plain values
//	npy            a NumPy array of plain numbers; an array of objects is a
//	               pickle, which is handed to the engine
//	sentencepiece  a tokenizer's vocabulary, as a protobuf
//	image          PNG, JPEG, GIF, WebP, TIFF, ICO
//	audio, video   WAV, FLAC, Ogg, MP3 with ID3, MP4, Matroska
//	document       PDF
//	data           any other binary without a known signature
//
// What is not judged yet ("unsupported"): formats that can carry code, paths
// or configuration that a loader acts on. They are recognised by signature
// (see carriers). The answer is a limit, which makes the file undetermined.
//
// Opaque data shorter or longer than it should be is still data; only formats
// with a header of their own are checked for it.
package data

import (
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// Scanner claims one kind of file.
type Scanner struct{ kind kind }

// kind is one row of the table of kinds.
type kind struct {
	name  string
	match func(p scan.Probe) bool
	scan  func(ctx context.Context, in *input) error // nil: nothing to look at
}

// New returns one scanner for each kind.
func New() []scan.Scanner {
	kinds := []kind{
		{"empty", func(p scan.Probe) bool { return p.Size == 0 }, nil},
		{"text", matchText, scanText},
		{"json", matchJSON, scanJSON},
		{"npy", matchNPY, scanNPY},
		{"sentencepiece", matchSentencePiece, scanSentencePiece},
		{"unsupported", matchUnsupported, scanUnsupported},
		{"data", matchOpaque, scanOpaque},
	}
	for _, name := range mediaKinds() {
		kinds = append(kinds, kind{name, matchMedia(name), nil})
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
func (s *Scanner) Match(p scan.Probe) bool { return s.kind.match(p) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	if s.kind.scan == nil {
		return nil
	}
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

// read fills b from off. The error is the reader's own; the caller has checked
// that the file is long enough.
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

// head returns the first bytes of the file, at most n.
func (in *input) head(n int64) ([]byte, error) {
	b := make([]byte, max(0, min(n, in.Size)))
	return b, in.read(b, 0)
}

// chunks calls do with the content of [from, to) piece by piece, until it
// answers false.
func (in *input) chunks(ctx context.Context, from, to int64, do func([]byte) bool) error {
	buf := make([]byte, max(0, min(64<<10, to-from)))
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), to-from)]
		if err := in.read(b, from); err != nil {
			return err
		}
		if !do(b) {
			return nil
		}
		from += int64(len(b))
	}
	return nil
}

func foreign(off int64, what string) error {
	return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New(what)}
}
