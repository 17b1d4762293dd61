// Package engine runs scanners over a file and over everything inside it, and
// folds what they found into one verdict.
//
// For each file it reads the two ends, asks every scanner whether a loader
// could take the file for its format, and runs all that say yes: a file that
// is several things is judged as each of them. Members come back through
// scan.Sink and go the same way. One budget of depth, members, expanded bytes
// and time covers the whole tree, a panic in a scanner becomes an error of the
// file it was scanning, and nothing is executed or loaded, ever.
//
// The verdict is Malicious if any finding is, else Undetermined if anything
// could not be examined or no scanner knows the file, else Suspicious if any
// finding is, else Clean.
package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"modelwall/scan"
)

// Limits bound the work on one file with all its members. A zero field takes
// its default.
type Limits struct {
	Depth   int   // levels of nesting; default 8
	Members int   // members over all levels; default 100 000
	Bytes   int64 // bytes decoded from compressed members; default 64 GiB
	Ratio   int64 // decoded bytes of a member per packed byte once 64 MiB are decoded; default 2000
	// Expansion is decoded bytes of all members per byte of the file, once
	// 64 MiB are decoded: what the sender of a small file can make us work.
	// Default 200.
	Expansion int64
	Findings  int           // findings kept for each severity; default 200
	Imports   int           // distinct imports kept; default 10 000
	Time      time.Duration // default 30 min
	// Memory is how much of a decoded member stays in memory before it moves
	// to a file in TempDir; default 4 MiB.
	Memory  int64
	TempDir string // default os.TempDir()
}

func (l Limits) withDefaults() Limits {
	def := func(p *int64, v int64) {
		if *p <= 0 {
			*p = v
		}
	}
	defInt := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	defInt(&l.Depth, 8)
	defInt(&l.Members, 100_000)
	def(&l.Bytes, 64<<30)
	def(&l.Ratio, 2000)
	def(&l.Expansion, 200)
	defInt(&l.Findings, 200)
	defInt(&l.Imports, 10_000)
	def((*int64)(&l.Time), int64(30*time.Minute))
	def(&l.Memory, 4<<20)
	return l
}

// Engine inspects files. It is safe for concurrent use.
type Engine struct {
	scanners    []scan.Scanner
	lookers     []scan.Looker
	limits      Limits
	fingerprint string
}

// New returns an engine over the given scanners, which it asks in this order.
func New(scanners []scan.Scanner, limits Limits) *Engine {
	e := &Engine{scanners: scanners, limits: limits.withDefaults()}
	h := sha256.New()
	l := e.limits
	fmt.Fprintln(h, "engine 1", l.Depth, l.Members, l.Bytes, l.Ratio, l.Expansion, l.Time)
	for _, s := range scanners {
		fmt.Fprintln(h, s.Format(), s.Version())
		if l, ok := s.(scan.Looker); ok {
			e.lookers = append(e.lookers, l)
		}
	}
	e.fingerprint = hex.EncodeToString(h.Sum(nil)[:8])
	return e
}

// Fingerprint names what decides a verdict: the scanners with their versions
// and the limits. Verdicts of another fingerprint are out of date.
func (e *Engine) Fingerprint() string { return e.fingerprint }

// Inspect examines f. The error is not nil when the reader or ctx failed; the
// report then holds what was found until that moment and says nothing durable
// about the content unless it is Malicious.
func (e *Engine) Inspect(ctx context.Context, f scan.File) (scan.Report, error) {
	limited, cancel := context.WithTimeoutCause(ctx, e.limits.Time,
		scan.Limit(0, "inspection took longer than %v", e.limits.Time))
	defer cancel()
	in := newInspection(e, limited, f.Size)
	e.expect(f)
	formats := in.file(f, 0)
	return in.report(formats), in.transport
}

// expect announces what is read of a file before anything is known of it, where
// that is worth something.
func (e *Engine) expect(f scan.File) {
	far, ok := f.ReaderAt.(scan.Expecter)
	if !ok {
		return
	}
	const search = 4 << 10 // what is looked at before a tail
	runs := [][2]int64{{0, scan.HeadSize}, {f.Size - scan.TailSize - search, f.Size}}
	for _, l := range e.lookers {
		runs = append(runs, l.Looks(f.Size)...)
	}
	far.Expect(runs)
}

// inspection is the state of one Inspect call.
type inspection struct {
	*Engine
	ctx       context.Context //nolint:containedctx // one Inspect call is this value's whole life
	log       ledger
	budget    budget
	ends      ends
	chunk     []byte    // for decoding members, one after another
	problems  []problem // why the tree was not examined whole
	transport error     // the first error of the reader's own or of the context
}

// maxProblems bounds the reasons kept for Report.Error.
const maxProblems = 8

func newInspection(e *Engine, ctx context.Context, size int64) *inspection { //nolint:revive // ctx belongs to the value that is made
	return &inspection{Engine: e, ctx: ctx, log: newLedger(e.limits), budget: budget{limits: e.limits, size: size}}
}

// problem records that something in member could not be examined.
func (in *inspection) problem(member, format string, err error) {
	if cause := context.Cause(in.ctx); cause != nil {
		err = cause
	}
	known := errors.Is(err, scan.ErrMalformed) || errors.Is(err, scan.ErrLimit) ||
		errors.Is(err, errInternal) || errors.Is(err, errUnclaimed)
	if !known && in.transport == nil {
		in.transport = err
	}
	// What ended a scanner's run was remembered before it came back from there.
	p := problem{member, format, err.Error()}
	again := slices.ContainsFunc(in.problems, func(q problem) bool { return q.member == p.member && q.reason == p.reason })
	if len(in.problems) < maxProblems && !again {
		in.problems = append(in.problems, p)
	}
}

// problem is one reason why a file was not examined whole.
type problem struct{ member, format, reason string }

func (p problem) String() string {
	var b strings.Builder
	if p.member != "" {
		b.WriteString(scan.Quote(p.member, 200) + ": ")
	}
	if p.format != "" {
		b.WriteString(p.format + ": ")
	}
	b.WriteString(p.reason)
	return b.String()
}

var (
	errInternal  = errors.New("internal error")
	errUnclaimed = errors.New("no known format")
)

// file examines f and returns the formats that claimed it.
func (in *inspection) file(f scan.File, depth int) []string {
	claims, err := in.claims(f)
	if err != nil {
		in.problem(f.Member, "", err)
		return nil
	}
	var formats []string
	claimed := false
	for _, s := range claims {
		if in.ctx.Err() != nil {
			in.problem(f.Member, s.Format(), in.ctx.Err())
			return formats
		}
		err := in.run(s, f, depth)
		if errors.Is(err, scan.ErrForeign) {
			continue
		}
		claimed = true
		formats = append(formats, s.Format())
		if err != nil {
			in.problem(f.Member, s.Format(), err)
		}
	}
	if !claimed {
		in.problem(f.Member, "", errUnclaimed)
	}
	return formats
}

// run calls one scanner and turns a panic into an error of this file.
func (in *inspection) run(s scan.Scanner, f scan.File, depth int) (err error) {
	defer contain(&err)
	return s.Scan(in.ctx, f, &sink{in: in, file: f, depth: depth})
}

// contain turns a panic into an error.
func contain(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: scanner panicked: %v", errInternal, r)
	}
}

func (in *inspection) report(formats []string) scan.Report {
	reasons := make([]string, len(in.problems))
	for i, p := range in.problems {
		reasons[i] = p.String()
	}
	r := scan.Report{
		Formats:  formats,
		Findings: in.log.findings,
		Imports:  in.log.imports,
		Error:    strings.Join(reasons, "; "),
	}
	switch worst := r.Worst(); {
	case worst == scan.SeverityMalicious:
		r.Verdict = scan.Malicious
	case len(in.problems) > 0:
		r.Verdict = scan.Undetermined
	case worst == scan.SeveritySuspicious:
		r.Verdict = scan.Suspicious
	default:
		r.Verdict = scan.Clean
	}
	return r
}
