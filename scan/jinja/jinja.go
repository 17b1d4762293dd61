package jinja

import (
	"bytes"
	"context"
	"errors"
	"unicode/utf8"

	"modelwall/scan"
)

// Scanner implements scan.Scanner.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "jinja" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// maxBinary is the largest file with NUL bytes at its start that is still read
// as text, in bytes. Jinja lexes more than that for hours.
const maxBinary = 256 << 20

// Match implements scan.Scanner: UTF-8 with a delimiter, or with a middle that
// the probe does not show.
func (*Scanner) Match(p scan.Probe) bool {
	if !utf8Start(p.Head) || p.Size > maxBinary && bytes.IndexByte(p.Head, 0) >= 0 {
		return false
	}
	if p.Size <= int64(len(p.Head)) {
		return hasDelimiter(p.Head)
	}
	if !utf8Start(trimContinuation(p.Tail)) {
		return false
	}
	return p.Size > int64(len(p.Tail)) || hasDelimiter(p.Tail)
}

func hasDelimiter(b []byte) bool {
	return bytes.Contains(b, []byte("{{")) || bytes.Contains(b, []byte("{%"))
}

// utf8Start reports whether b is UTF-8, the last character perhaps cut off.
func utf8Start(b []byte) bool {
	if !utf8.Valid(b) {
		for cut := 1; cut < utf8.UTFMax && cut <= len(b); cut++ {
			if rest := b[len(b)-cut:]; utf8.RuneStart(rest[0]) {
				return !utf8.FullRune(rest) && utf8.Valid(b[:len(b)-cut])
			}
		}
		return false
	}
	return true
}

// trimContinuation drops the rest of a character that begins before b.
func trimContinuation(b []byte) []byte {
	for i := 0; i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	return b
}

// maxPasses is how often a template is gone through: values that a loop or a
// macro hands to what stands before it need more than one pass.
const maxPasses = 4

// maxTokens is the length of the longest template that is gone through again,
// in tokens. The longest of known models have 10 000.
const maxTokens = 60_000

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	j := newJudge()
	err := j.run(ctx, f)
	j.report(s, errors.Is(err, scan.ErrForeign))
	return err
}

// run goes through the template until its values stand still.
func (j *judge) run(ctx context.Context, f scan.File) error {
	for pass := range maxPasses {
		j.env.changed, j.env.settled = false, pass >= 2
		in := &interpreter{judge: j, lex: newLexer(ctx, f)}
		err := in.run()
		if err != nil {
			return err
		}
		if pass == 0 && in.sections == 0 {
			return foreign(0, "no expression and no statement")
		}
		if !j.env.changed || in.tokens >= maxTokens {
			break
		}
	}
	return nil
}

func foreign(off int64, what string) error {
	return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New(what)}
}
