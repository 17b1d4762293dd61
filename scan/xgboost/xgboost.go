// Package xgboost inspects boosted trees as three libraries write them:
// XGBoost's UBJSON and its older binary format, LightGBM's text and CatBoost's
// binary format. XGBoost's JSON is judged as JSON.
//
// All of them are numbers with names around them, and none of their loaders
// executes anything. Names, attributes and parameters are strings of the
// author's, though: tools log, show and sometimes evaluate them, and a command
// has no other reason to be there. Counts are checked against the bytes that
// are left.
//
// Specified by XGBoost's doc/tutorials/saving_model.rst and https://ubjson.org,
// LightGBM's GBDT::SaveModelToString and CatBoost's model_core flat buffer.
package xgboost

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects the trees of one library. It is safe for concurrent use.
type Scanner struct {
	format  string
	match   func(p scan.Probe) bool
	scan    func(s *Scanner, ctx context.Context, f scan.File, sink scan.Sink) error
	phrases *phrase.Finder
}

// New returns the scanners.
func New() []scan.Scanner {
	p := phrase.NewFinder()
	return []scan.Scanner{
		&Scanner{"xgboost", matchXGBoost, (*Scanner).xgboost, p},
		&Scanner{"lightgbm", matchLightGBM, (*Scanner).text, p},
		&Scanner{"catboost", matchCatBoost, (*Scanner).catBoost, p},
	}
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.format }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool { return s.match(p) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return s.scan(s, ctx, f, sink)
}

func (s *Scanner) finding(sink scan.Sink, what string, sev scan.Severity, off int64, message string) {
	sink.Finding(scan.Finding{Rule: s.format + "." + what, Severity: sev, Message: message, Offset: off, Technique: "code-execution"})
}

func (s *Scanner) command(sink scan.Sink, off int64, text string) {
	s.finding(sink, "command", scan.SeveritySuspicious, off, "a string with a command or code that starts programs: "+scan.Quote(text, 160))
}

func matchXGBoost(p scan.Probe) bool { return matchUBJSON(p.Head) || binary(p.Head) }

func (s *Scanner) xgboost(ctx context.Context, f scan.File, sink scan.Sink) error {
	head := make([]byte, min(f.Size, 256))
	if err := phrase.Read(f, head, 0); err != nil {
		return err
	}
	if matchUBJSON(head) {
		return s.ubjson(ctx, f, sink)
	}
	return s.text(ctx, f, sink)
}

// binary reports XGBoost's older format: maybe a mark, 136 bytes of
// parameters, and the name of an objective with its length.
func binary(head []byte) bool {
	rest, marked := bytes.CutPrefix(head, []byte("binf"))
	const parameters = 136
	if len(rest) < parameters+16 {
		return false
	}
	rest = rest[parameters:]
	n := rest[0]
	if n == 0 || n > 64 || !bytes.Equal(rest[1:8], make([]byte, 7)) || int(n) > len(rest)-8 {
		return false
	}
	objective := string(rest[8 : 8+n])
	for _, family := range [...]string{"reg:", "binary:", "multi:", "rank:", "survival:", "count:"} {
		if strings.HasPrefix(objective, family) {
			return true
		}
	}
	return marked && strings.Contains(objective, ":")
}

// matchLightGBM: the first lines of a model, or the mark of a data set.
func matchLightGBM(p scan.Probe) bool {
	head := strings.ReplaceAll(string(p.Head[:min(len(p.Head), 64)]), "\r\n", "\n")
	return strings.HasPrefix(head, "tree\nversion=v") || strings.HasPrefix(head, "______LightGBM_Binary_File_Token______")
}

// maxCommands bounds what is told of one file.
const maxCommands = 8

// text looks for commands in all printable text.
func (s *Scanner) text(ctx context.Context, f scan.File, sink scan.Sink) error {
	n := 0
	return s.phrases.Search(ctx, f, 0, f.Size, func(h phrase.Hit) bool {
		s.command(sink, h.Off, h.Text)
		n++
		return n < maxCommands
	})
}

func matchCatBoost(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("CBM1")) && p.Size >= 8 }

// catBoost checks the length of the core, a flat buffer with the metadata.
// What follows it are parts that the core describes.
func (s *Scanner) catBoost(ctx context.Context, f scan.File, sink scan.Sink) error {
	if f.Size < 8 {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no core")}
	}
	var head [8]byte
	if err := phrase.Read(f, head[:], 0); err != nil {
		return err
	}
	if err := s.text(ctx, f, sink); err != nil {
		return err
	}
	if n := int64(le.Uint32(head[4:])); n > f.Size-8 {
		s.finding(sink, "broken", scan.Low, 4, "the core is cut off")
		return scan.Malformed(4, "a core of %d bytes with %d bytes left", n, f.Size-8)
	}
	return nil
}
