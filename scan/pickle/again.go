package pickle

import "slices"

// kept is what an unpickler has when load() is called again.
type kept struct {
	memo  memo
	frame int64 // where the frame ends in which STOP stood, 0 if it is left
}

// keep notes what the unpickler has that executed STOP.
func (s *session) keep(m *machine) {
	s.kept = &kept{m.memo, m.leftFrame()}
	m.memo.lent = true
}

// giveUp forgets what an unpickler kept.
func (s *session) giveUp(m *machine) {
	if s.kept != nil {
		m.drop(&thread{memo: s.kept.memo})
		s.kept = nil
	}
}

// leftFrame is where the frame ends that STOP leaves to the next pickle.
func (m *machine) leftFrame() int64 {
	if m.reading.stays() && m.pos() < m.frameEnd {
		return m.frameEnd
	}
	return 0
}

// recalls reports whether op fetches from the memo, with which a pickle can
// only begin for an unpickler that has read another one.
func recalls(op byte) bool { return op == opGet || op == opBinGet || op == opLongBinGet }

// load follows one pickle as two loaders do: one that makes a new unpickler
// for each pickle, and one that calls load() again and again on one object,
// whose memo stays. There MEMOIZE goes on counting, so that one of several
// pickles in a row can say something else, and GET finds what those before put.
//
// The second reading of what was written for the first is mostly nonsense: it
// counts if it does something malicious, or goes on where the first stops.
func (s *session) load(m *machine, begin thread) outcome {
	again := thread{marks: slices.Clone(begin.marks)}
	at := m.pos()
	m.drop(&m.thread)
	m.begin(begin)
	o := m.run()
	old := s.kept
	switch {
	case o == failed:
		return o
	case old == nil:
		if o == ended {
			s.keep(m)
		}
		return o
	case m.memo.count == 0 && !m.missed && old.frame == 0:
		// It has no use for a memo.
		old.frame = m.leftFrame()
		return o
	}
	first := m.bookmark()
	again.memo, again.frameEnd = old.memo, old.frame
	m.out = first.out.child()
	m.out.grave = !s.forced
	m.out.decide()
	o2 := s.resume(m, at, again)
	if first.missed && (o2 == ended || m.opAt > first.opAt) {
		m.out.grave = false
		m.out.decide()
		m.out = first.out
		m.drop(&first.thread)
		return o2
	}
	for o2 == ended && (o != ended || m.pos() != first.at) && !s.exhausted() && m.pos() < m.file.Size {
		// What it reads next lies elsewhere.
		again = thread{memo: s.kept.memo, frameEnd: s.kept.frame}
		o2 = s.resume(m, m.pos(), again)
		s.spent += m.ops
	}
	if o2 == failed {
		return o2
	}
	m.back(first, m.out.decided())
	return o
}

// begin forgets what the pickle before left.
func (m *machine) begin(t thread) {
	t.stack = m.values()
	if t.memo.kept == nil && t.memo.base == nil {
		t.memo.kept = m.values()
	}
	m.thread, m.suspended, m.below, m.bytes = t, nil, 0, 0
}

func (s *session) resume(m *machine, at int64, t thread) outcome {
	s.kept = nil
	m.begin(t)
	m.seek(at)
	o := m.run()
	if o == ended {
		s.keep(m)
	}
	return o
}

// bookmark is where a machine leaves off to follow a second reading.
type bookmark struct {
	thread
	out             *report
	suspended       []thread
	below, bytes    int
	stopped, limit  error
	disputed        dispute
	at, opAt, start int64
	nested, members int
}

func (m *machine) bookmark() bookmark {
	return bookmark{
		thread: m.thread, out: m.out, suspended: m.suspended, below: m.below, bytes: m.bytes,
		stopped: m.stopped, limit: m.limit,
		disputed: m.disputed, at: m.pos(), opAt: m.opAt, start: m.start,
		nested: len(m.nested), members: len(m.members),
	}
}

// back goes on where the second reading began. If that counts, what it came
// upon stays.
func (m *machine) back(b bookmark, counts bool) {
	if !counts {
		m.nested, m.members = m.nested[:b.nested], m.members[:b.members]
		m.limit, m.disputed = b.limit, b.disputed
	}
	m.drop(&m.thread)
	m.thread, m.out, m.suspended, m.stopped = b.thread, b.out, b.suspended, b.stopped
	m.opAt, m.start, m.below, m.bytes = b.opAt, b.start, b.below, b.bytes
	m.seek(b.at)
}
