package pickle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"modelwall/scan"
)

// Scanner inspects pickles. It is safe for concurrent use.
type Scanner struct {
	lib *library
	// forced takes every file for a pickle; only tests set it.
	forced bool
	spare  spare
}

// New returns the scanner with the built-in tables of importable names.
func New() *Scanner {
	lib, err := loadLibrary()
	if err != nil {
		// The tables are compiled in and every build loads them in a test.
		panic(fmt.Sprintf("pickle: %v", err))
	}
	return &Scanner{lib: lib}
}

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "pickle" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 3 }

// Match implements scan.Scanner: any loader may call pickle.load on a file of
// any name, so only a first byte that no pickle can have excludes a file, and
// not even that one that ends like a pickle: see behindJunk.
func (*Scanner) Match(p scan.Probe) bool {
	return len(p.Head) > 0 && (canStart(p.Head[0]) || endsLikePickle(p.Tail))
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	in := session{Scanner: s, ctx: ctx, file: f, sink: sink, budget: maxNestedTime}
	return in.scan()
}

// session is one Scan call.
type session struct {
	*Scanner
	ctx    context.Context //nolint:containedctx // one Scan call is this value's whole life
	file   scan.File
	sink   scan.Sink
	depth  int // of pickles inside constants
	budget int // bytes of such pickles that may still be looked at
	out    *report
	spent  int64      // opcodes executed in vain, while looking for pickles
	kept   *kept      // of an unpickler that read the pickles so far, nil if it stopped
	steps  func(step) // takes the steps of an explanation, may be nil
}

// What it takes to call a file that breaks a pickle.
const (
	strongOps = 4 // opcodes executed after a PROTO at the very beginning
	// restOps is how many opcodes a file may cost per byte while pickles are
	// looked for behind the first one.
	restOps = 4
)

func (s *session) scan() error {
	if s.file.Size > maxOffset {
		return scan.Limit(0, "larger than %d bytes", maxOffset)
	}
	a := s.spare.get()
	err := s.scanBy(a)
	s.spare.put(a)
	return err
}

func (s *session) scanBy(a *arena) error {
	s.out = newReport(s.sink)
	s.out.steps = s.steps
	source := &watched{r: s.file.ReaderAt}
	s.file.ReaderAt = source
	m := &machine{
		window: newWindow(s.ctx, s.file, buffer(&a.window, int(min(maxWindow, s.file.Size)))), arena: a,
		lib: s.lib, names: newNames(), explain: s.steps != nil,
	}
	defer func() {
		s.giveUp(m)
		m.drop(&m.thread)
	}()
	err := s.pass(m)
	for r := dropRest; r <= lastReading && m.err == nil && !errors.Is(err, scan.ErrLimit); r++ {
		if !r.settles(m.disputed) {
			continue
		}
		m.reading = r
		switch again := s.pass(m); {
		case errors.Is(again, scan.ErrForeign):
		case errors.Is(err, scan.ErrForeign) || again != nil:
			err = again
		}
	}
	if m.err == nil && errors.Is(err, scan.ErrForeign) && s.behindJunk(m) {
		err = nil
	}
	if m.err != nil || errors.Is(err, scan.ErrForeign) {
		return cmp.Or(m.err, err)
	}
	m.out = s.out
	m.idle()
	if nested := s.nestedPickles(m); nested != nil {
		return nested
	}
	if source.err != nil {
		return source.err
	}
	return err
}

// pass follows every pickle of the file in one reading.
func (s *session) pass(m *machine) error {
	m.seek(0)
	head := m.peek(0, 2)
	strong := len(head) == 2 && head[0] == opProto && head[1] <= maxProto
	m.out = s.out.child()
	m.out.sure = func() bool { return strong && m.ops >= strongOps }
	if s.forced {
		m.out.decide()
	}
	m.fork = func() { s.speculate(m) }
	m.list, m.storages, m.collect = nil, nil, false
	s.giveUp(m)

	var broke error
	o := s.load(m, thread{})
	// "N." is a pickle: such bytes count for nothing, and neither do they hide
	// what a loader that reads one pickle after the other comes to next.
	for o == ended && !m.out.decided() && !strong && m.thread.globals == 0 && m.pos() < m.file.Size && !m.plausible() {
		head = m.peek(m.pos(), 2)
		strong = len(head) == 2 && head[0] == opProto && head[1] <= maxProto
		o = s.load(m, thread{})
	}
	switch {
	case o == failed:
		if m.suspicious() {
			m.out.decide()
		}
		return m.err
	case o == ended:
		if !m.out.decided() && !strong && m.thread.globals == 0 && !m.plausible() {
			return foreign(m.stopped)
		}
		m.out.decide()
	case m.out.decided() || m.suspicious() || strong && (m.ops > strongOps || m.thread.globals > 0):
		m.out.decide()
		if m.limit != nil {
			return m.limit
		}
		broke = m.breakage()
	default:
		m.limit = nil
		return foreign(m.stopped)
	}
	rest, err := s.rest(m, broke == nil)
	if err != nil {
		return err
	}
	if broke == nil {
		broke = rest
	}
	return broke
}

// foreign is the answer for what no loader executes anything of.
func foreign(why error) error {
	if why == nil {
		why = errors.New("a few harmless bytes, not a pickle")
	}
	return &scan.Error{Class: scan.ErrForeign, Reason: why}
}

// idle reports functions that pickles import for one call only, and that this
// file hands to its user instead. With getattr, who calls it reaches anything.
func (m *machine) idle() {
	for id, g := range m.names.list {
		switch g.use {
		case useGetattr, useApply, useLoader, usePartial:
			if m.out.uncalled(id) {
				severity := scan.SeveritySuspicious
				if g.use == useGetattr {
					severity = scan.SeverityMalicious
				}
				m.out.finding(scan.Finding{
					Rule: "pickle.import", Severity: severity, Technique: techImport,
					Message: "imports " + g.String() + " and does not call it, but keeps it",
				})
			}
		}
	}
}

// suspicious reports whether an undecided pickle imported something dangerous
// and went on, or did so by a name that can not be a coincidence.
func (m *machine) suspicious() bool {
	return m.dangerAt != 0 && (m.dangerCall || m.ops > m.dangerAt+1)
}

// plausible reports whether a pickle without PROTO and without imports that
// has just ended is more than a few bytes of something else: it fills the
// file, and is more than one number.
func (m *machine) plausible() bool {
	tail := m.peek(m.pos(), 3)
	if len(bytes.Trim(tail, "\r\n")) > 0 || m.pos()+3 <= m.file.Size {
		return false
	}
	head := m.peek(0, 1)
	return m.ops > 2 || len(head) == 1 && head[0] != opInt && m.file.Size > 2
}

// breakage reports that the pickle does not reach its end.
func (m *machine) breakage() error {
	m.tell("stop: %v", m.stopped)
	m.out.finding(scan.Finding{
		Rule: "pickle.broken", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techBroken,
		Message: "broken or truncated pickle: " + m.stopped.Error() + "; a loader executes what stands before the break",
	})
	return scan.Malformed(m.opAt, "%w", m.stopped)
}

// speculate follows the reading of a loader that does not know joblib's raw
// arrays and goes on with the bytes of the array as opcodes. Only what is
// hostile counts: random data is not.
func (s *session) speculate(m *machine) {
	const depth = 256
	saved := m.bookmark()
	m.thread = thread{proto: saved.proto, memo: saved.memo.fork(), aside: true, stack: m.values()}
	m.stack = append(m.stack, saved.stack[max(0, len(saved.stack)-depth):]...)
	for i, v := range m.stack {
		if v.p != nil {
			own := *v.p // what happens aside stays aside
			own.items = slices.Clone(own.items)
			for _, item := range own.items {
				if item.p != nil {
					item.p.pinned = true
				}
			}
			m.stack[i].p = &own
		}
	}
	base := len(saved.stack) - len(m.stack)
	for _, mark := range saved.marks {
		if mark >= base {
			m.marks = append(m.marks, mark-base)
			if m.reading != cPickle {
				m.thread.fence = mark - base
			}
		}
	}
	m.suspended, m.below = nil, 0
	m.fork = nil
	m.out = saved.out.child()
	m.run()
	s.spent += m.ops
	if m.suspicious() {
		m.out.decide()
	}
	m.back(saved, m.out.decided())
	m.fork = func() { s.speculate(m) }
	if s.exhausted() {
		m.fork = nil
		m.out.finding(scan.Finding{
			Rule: "pickle.limit", Severity: scan.SeveritySuspicious, Offset: saved.at, Technique: techExhaustion,
			Message: "raw arrays that look like opcodes again and again",
		})
	}
}

func (s *session) exhausted() bool { return s.spent > restOps*s.file.Size+1<<20 }
