// Package rdata reads R's serialization: what saveRDS, save and serialize
// write (.rds, .rda, .RData), versions 2 and 3, as XDR, ASCII or native
// binary. The usual compression around it is taken off by other scanners.
//
// The stream is a tree of R's own objects, code included: calls, closures,
// byte code, environments and promises. Reading it runs none of that by
// itself. What runs then:
//
//   - A promise is code that R evaluates when its value is first looked at.
//     R never leaves one as an element, an attribute or a saved variable, and
//     before 4.4.0 it accepted such a file: the code ran as soon as the object
//     was touched (CVE-2024-27322). In environments, where R does keep
//     promises (arguments that a function has not used), and in active
//     bindings, code runs when the variable is used.
//   - load() puts functions into the workspace by name: .First and .Last run
//     with the session, a function called "print" or "library" hides R's own.
//   - The closures of a model (a glm's link functions, say) run when the model
//     is used, a saved call when it is updated.
//   - Vectors of class mmap_* map the file they name.
//
// Fitted models honestly contain formulas, calls, closures and whole
// environments, so that is not a finding. Judged is what the code calls, by
// where it stands: see judge.go.
//
// Only the structure is read: numbers are skipped. Specified by R Internals,
// "Serialization Formats", and R's src/main/serialize.c.
package rdata

import (
	"bytes"
	"context"
	"errors"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects R's serialization. It is safe for concurrent use.
type Scanner struct {
	phrases *phrase.Finder
	table   []name
	names   map[string]nameID // places in table
}

// New returns the scanner.
func New() *Scanner {
	s := &Scanner{phrases: phrase.NewFinder(), table: names(), names: map[string]nameID{}}
	for i, n := range s.table {
		s.names[n.text] = nameID(i)
	}
	return s
}

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "rdata" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return workspace(p.Head) || stream(p.Head) }

// workspace reports the line that save puts first.
func workspace(head []byte) bool {
	return len(head) >= 5 && head[0] == 'R' && head[1] == 'D' && bytes.IndexByte([]byte("XAB"), head[2]) >= 0 &&
		(head[3] == '2' || head[3] == '3') && head[4] == '\n'
}

// stream reports the beginning of a serialized object.
func stream(head []byte) bool {
	for _, s := range [...]string{
		"X\n\x00\x00\x00\x02", "X\n\x00\x00\x00\x03", "A\n2\n", "A\n3\n",
		"B\n\x02\x00\x00\x00", "B\n\x03\x00\x00\x00", "B\n\x00\x00\x00\x02", "B\n\x00\x00\x00\x03",
	} {
		if bytes.HasPrefix(head, []byte(s)) {
			return true
		}
	}
	return false
}

// Bounds of one file.
const (
	maxTasks   = 1 << 16 // levels of nesting, several for each object
	maxRefs    = 1 << 24 // symbols and environments that can be referred to
	maxRaw     = 1 << 10 // raw vectors that are handed on
	maxFinding = 20      // of each rule
	maxText    = 1 << 20 // bytes searched for commands in what is no stream
)

// Scan implements scan.Scanner.
func (z *Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	in := &input{f: f}
	first := in.peek(5)
	if in.err != nil {
		return in.err
	}
	rda := workspace(first)
	if rda {
		in.skip(5)
	}
	for {
		m := &machine{Scanner: z, in: in, sink: s, rda: rda, told: map[string]int{}}
		begin := in.off
		if !stream(in.peek(6)) {
			if in.err != nil {
				return in.err
			}
			return z.noStream(ctx, f, s, begin, rda)
		}
		if err := m.object(ctx); err != nil {
			return err
		}
		rda = false
		if in.in == ascii {
			in.blanks()
		}
		if in.off >= f.Size {
			return nil
		}
	}
}

// noStream ends a file at a place where no object begins: R stops there.
func (z *Scanner) noStream(ctx context.Context, f scan.File, s scan.Sink, off int64, rda bool) error {
	if off > 5 || off > 0 && !rda {
		s.Finding(scan.Finding{
			Rule: "rdata.trailing", Severity: scan.Low, Offset: off, Technique: "obfuscation",
			Message: "data follows the object: R does not read it",
		})
		return s.Member(ctx, scan.Member{Name: "(trailing data)", At: f.Section(off, f.Size-off), Size: f.Size - off})
	}
	err := z.phrases.Search(ctx, f, off, off+maxText, func(h phrase.Hit) bool {
		s.Finding(scan.Finding{
			Rule: "rdata.command", Severity: scan.SeveritySuspicious, Offset: h.Off, Technique: "code-execution",
			Message: "the text behind an R header is a command: " + scan.Quote(h.Text, 160),
		})
		return false
	})
	if err != nil {
		return err
	}
	return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New("no serialized object, R refuses it")}
}
