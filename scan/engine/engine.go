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
	"io"
	"strings"
	"time"

	"modelwall/scan"
)

// Limits bound the work on one file with all its members. A zero field takes
// its default.
type Limits struct {
	Depth    int           // levels of nesting; default 8
	Members  int           // members over all levels; default 100 000
	Bytes    int64         // bytes decoded from compressed members; default 64 GiB
	Ratio    int64         // decoded bytes per packed byte once 64 MiB are decoded; default 2000
	Findings int           // findings kept for each severity; default 200
	Imports  int           // distinct imports kept; default 10 000
	Time     time.Duration // default 30 min
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
	defInt(&l.Findings, 200)
	defInt(&l.Imports, 10_000)
	def((*int64)(&l.Time), int64(30*time.Minute))
	def(&l.Memory, 4<<20)
	return l
}

// ratioFloor is how many bytes a file may expand to before its ratio counts:
// a few zeroed tensors compress a thousandfold without being a bomb.
const ratioFloor = 64 << 20

// Engine inspects files. It is safe for concurrent use.
type Engine struct {
	scanners    []scan.Scanner
	limits      Limits
	fingerprint string
}

// New returns an engine over the given scanners, which it asks in this order.
func New(scanners []scan.Scanner, limits Limits) *Engine {
	e := &Engine{scanners: scanners, limits: limits.withDefaults()}
	h := sha256.New()
	l := e.limits
	fmt.Fprintln(h, "engine 1", l.Depth, l.Members, l.Bytes, l.Ratio, l.Time)
	for _, s := range scanners {
		fmt.Fprintln(h, s.Format(), s.Version())
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
	in := newInspection(e, limited)
	formats := in.file(f, 0)
	return in.report(formats), in.transport
}

// inspection is the state of one Inspect call.
type inspection struct {
	*Engine
	ctx  context.Context //nolint:containedctx // one Inspect call is this value's whole life
	log  ledger
	left struct {
		members int
		bytes   int64
	}
	problems  []string // why the tree was not examined whole
	transport error    // the first error of the reader's own or of the context
}

// maxProblems bounds the reasons kept for Report.Error.
const maxProblems = 8

func newInspection(e *Engine, ctx context.Context) *inspection { //nolint:revive // ctx belongs to the value that is made
	in := &inspection{Engine: e, ctx: ctx, log: newLedger(e.limits)}
	in.left.members = e.limits.Members
	in.left.bytes = e.limits.Bytes
	return in
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
	if len(in.problems) >= maxProblems {
		return
	}
	var b strings.Builder
	if member != "" {
		b.WriteString(scan.Quote(member, 200) + ": ")
	}
	if format != "" {
		b.WriteString(format + ": ")
	}
	b.WriteString(err.Error())
	in.problems = append(in.problems, b.String())
}

var (
	errInternal  = errors.New("internal error")
	errUnclaimed = errors.New("no known format")
)

// file examines f and returns the formats that claimed it.
func (in *inspection) file(f scan.File, depth int) []string {
	probe, err := probe(f)
	if err != nil {
		in.problem(f.Member, "", err)
		return nil
	}
	var formats []string
	claimed := false
	for _, s := range in.scanners {
		if !s.Match(probe) {
			continue
		}
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
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: scanner panicked: %v", errInternal, r)
		}
	}()
	return s.Scan(in.ctx, f, &sink{in: in, file: f, depth: depth})
}

func (in *inspection) report(formats []string) scan.Report {
	r := scan.Report{
		Formats:  formats,
		Findings: in.log.findings,
		Imports:  in.log.imports,
		Error:    strings.Join(in.problems, "; "),
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

// probe reads the two ends of f.
func probe(f scan.File) (scan.Probe, error) {
	p := scan.Probe{Name: f.Name, Size: f.Size}
	read := func(off, n int64) ([]byte, error) {
		b := make([]byte, n)
		m, err := f.ReadAt(b, off)
		if int64(m) < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read %d bytes at %d: %w", n, off, err)
		}
		return b, nil
	}
	var err error
	if p.Head, err = read(0, min(f.Size, scan.HeadSize)); err != nil {
		return p, err
	}
	if f.Size <= scan.HeadSize {
		p.Tail = p.Head
		return p, nil
	}
	n := min(f.Size, scan.TailSize)
	p.Tail, err = read(f.Size-n, n)
	return p, err
}
