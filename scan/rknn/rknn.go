// Package rknn recognises models compiled for Rockchip's neural processors
// (.rknn).
//
// A file begins with "RKNN" and holds a net compiled for one processor: a
// header, a description as JSON and blobs of weights and register values. The
// format is Rockchip's own and not published. The runtime loads it into the
// processor and executes nothing of it on the CPU; operators of the user's own
// are registered by the program, not by the file. Text in the description that
// is a command line has no use there and is told.
package rknn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// Scanner recognises RKNN models. It is safe for concurrent use.
type Scanner struct{ texts *clue.Reader }

// New returns a scanner.
func New() scan.Scanner { return &Scanner{clue.NewReader()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "rknn" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

const magic = "RKNN"

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte(magic)) }

// maxText is how much of either end of a model is searched, in bytes: the
// description lies in one of them.
const maxText = 512 << 10

// Scan implements scan.Scanner.
func (s *Scanner) Scan(_ context.Context, f scan.File, sink scan.Sink) error {
	for _, off := range ends(f.Size) {
		b := make([]byte, min(f.Size-off, maxText))
		if n, err := f.ReadAt(b, off); n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // the file is shorter than its size says
			}
			return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
		}
		if c := s.texts.Command(string(b)); c != "" {
			sink.Finding(scan.Finding{
				Rule: "rknn.command", Severity: scan.SeveritySuspicious, Technique: "code-execution", Offset: off,
				Message: "holds a command, which a model has no use for: " + scan.Quote(c, 120),
			})
			return nil
		}
	}
	return nil
}

func ends(size int64) []int64 {
	if size <= maxText {
		return []int64{0}
	}
	return []int64{0, size - maxText}
}
