// Package scan is the vocabulary of inspection: what a file, a finding, a
// verdict and a scanner are. It depends on the standard library only; formats,
// the engine and everything in the proxy depend on it, never the reverse.
//
// A scanner answers two questions about a file. Match: could a loader treat
// this as mine, judging by its first and last bytes (the name is a hint that
// may widen the answer and never narrow it)? Scan: what would that loader
// execute? It reads through io.ReaderAt, so the file may lie on disk, inside
// another file, or still be arriving from the network.
//
// Two rules hold everywhere. A finding is reported the moment it is seen, so
// that an error later in the file can not lose it. And the zero Verdict is
// Undetermined: an error, a limit, a time-out or a file that nobody claims
// never becomes Clean by accident.
package scan

import (
	"context"
	"fmt"
	"io"
)

// File is the content under inspection.
type File struct {
	// Name is how whoever handed over the file calls it: a path on disk or in
	// a repository. It is a hint and comes from an attacker.
	Name string
	// Member is the path of this file inside the outermost one, "" for the
	// outermost itself. Levels of nesting are joined with "!":
	// "inner.zip!archive/data.pkl".
	Member string
	// Size is the length in bytes, always known and never negative.
	Size int64
	// ReaderAt reads the content. It may block while bytes arrive, and its
	// errors other than io.EOF are the transport's: pass them on unchanged.
	io.ReaderAt
}

// Expecter is what a File's ReaderAt may be besides, where pieces that are far
// apart come faster together: from a server, a request brings many.
type Expecter interface {
	// Expect announces that the bytes of some runs, each [first byte, byte
	// behind the last), will be read soon. It does not block and promises
	// nothing: reads wait for their bytes as ever. Runs may overlap and reach
	// past the end.
	Expect(runs [][2]int64)
}

// Section returns a reader over the n bytes of f at off.
func (f File) Section(off, n int64) *io.SectionReader {
	return io.NewSectionReader(f.ReaderAt, off, n)
}

// How much of a file's two ends a Probe holds, in bytes. The tail is where a
// zip's end record can stand: before the longest comment, and as far further
// as PyTorch's reader looks, which goes by blocks.
const (
	HeadSize = 4 << 10
	TailSize = 68 << 10
)

// Probe is what Match decides on. Its bytes are valid until Match returns.
type Probe struct {
	Name string // a hint, as File.Name or the member's own name
	Size int64
	Head []byte // the first min(Size, HeadSize) bytes
	Tail []byte // the last min(Size, TailSize) bytes
}

// Scanner inspects one format.
type Scanner interface {
	// Format is the format's short name as it appears in a Report: "pickle".
	Format() string
	// Version grows with every change that can alter a verdict. It is part of
	// the engine's fingerprint, so cached verdicts of older versions expire.
	Version() int
	// Match reports whether a loader could take the file for this format. It
	// errs on the side of true: Scan may still answer ErrForeign.
	Match(p Probe) bool
	// Scan reports to s what a loader of this format would execute. The error
	// is nil when everything a loader would do was seen, or of one of the
	// classes of this package, or the reader's own. Scan must end for every
	// input, must not allocate what a header announces, and starts no
	// goroutine that outlives it.
	Scan(ctx context.Context, f File, s Sink) error
}

// Looker is what a Scanner may be besides, if it looks into files of every
// kind at fixed places.
type Looker interface {
	// Looks returns the runs, as for Expecter, that Scan reads first of a file
	// of this size, besides those of its Probe.
	Looks(size int64) [][2]int64
}

// Sink takes what a scanner finds, as it finds it. It is not safe for
// concurrent use.
type Sink interface {
	Finding(f Finding)
	Import(i Import)
	// Member hands a file inside this one back to the engine, which matches,
	// scans and accounts for it before Member returns. What is wrong with the
	// member is the engine's to remember; the error says that inspection of
	// the whole file has to end here (a budget is used up, the context is
	// done), and the scanner returns it as it is.
	Member(ctx context.Context, m Member) error
}

// Member is a file inside a file. Exactly one of At and Stream is set.
type Member struct {
	// Name is the member's own name inside its direct container; "" names a
	// single wrapped stream (gzip, for one).
	Name string
	// At and Size give random access when the member lies in its container as
	// it is.
	At   io.ReaderAt
	Size int64
	// Stream yields the member decoded. The engine reads it at most to the end
	// and under its byte budget; an error of class ErrMalformed marks damage
	// at that place, and what came before it is inspected all the same.
	Stream io.Reader
	// Packed is how many bytes of the container hold the member, for the
	// ratio budget; 0 when unknown.
	Packed int64
	// Reserves is how many bytes a decoder that can not be used again has to
	// clear for Stream, however short that is. They count as decoded.
	Reserves int64
}

// Severity orders findings.
type Severity uint8

// The severities, weakest first. Suspicious and Malicious decide verdicts;
// Info and Low never do.
const (
	Info Severity = iota
	Low
	SeveritySuspicious
	SeverityMalicious
)

var severityNames = [...]string{"info", "low", "suspicious", "malicious"}

// String returns the lower-case name used in reports.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q (have info, low, suspicious, malicious)", b)
}

// Finding is one observed fact.
type Finding struct {
	// Rule names the kind of fact, "<format>.<what>": "pickle.call".
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Message is one line for a person: what it is and what it would do. Text
	// taken from the file is quoted (see Quote).
	Message string `json:"message"`
	// Member is filled in by the engine.
	Member string `json:"member"`
	// Offset is the byte position inside the member, 0 for the whole of it.
	Offset int64 `json:"offset"`
	// Technique groups findings by what an attacker is doing:
	// "code-execution", "broken-file", "archive-confusion", "bomb"…
	Technique string `json:"technique"`
}

// Import is a global that a file makes its loader look up, spelled exactly as
// the file spells it.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Member string `json:"member"` // filled in by the engine
	Offset int64  `json:"offset"` // of the opcode that imports it first
	Called bool   `json:"called"` // some opcode calls it
}

// Verdict is what an inspection came to.
type Verdict uint8

// The verdicts. The zero value is Undetermined on purpose.
const (
	Undetermined Verdict = iota
	Clean
	Suspicious
	Malicious
)

var verdictNames = [...]string{"undetermined", "clean", "suspicious", "malicious"}

// String returns the lower-case name used in reports and in the store.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(b []byte) error {
	for i, n := range verdictNames {
		if n == string(b) {
			*v = Verdict(i)
			return nil
		}
	}
	return fmt.Errorf("unknown verdict %q (have undetermined, clean, suspicious, malicious)", b)
}

// Report is the outcome of inspecting one file with everything inside it.
type Report struct {
	Verdict  Verdict   `json:"verdict"`
	Formats  []string  `json:"formats"` // of the file itself, not of its members
	Findings []Finding `json:"findings"`
	Imports  []Import  `json:"imports"`
	// Error says why a file is Undetermined, or what else could not be
	// examined in a Malicious one; "" otherwise.
	Error string `json:"error,omitempty"`
}

// Worst returns the highest severity among the findings, Info without any.
func (r Report) Worst() Severity {
	worst := Info
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst
}
