package pickle

import (
	"bytes"
	"context"
	"fmt"

	"modelwall/scan"
)

// Bounds of what stands around a pickle that no loader gets to.
const (
	maxJunk  = 256 // bytes before it
	maxBlank = 16  // white space behind it
)

// endsLikePickle reports whether the last byte that is not white space is STOP.
func endsLikePickle(tail []byte) bool {
	tail = bytes.TrimRight(tail[max(0, len(tail)-maxBlank):], " \t\r\n")
	return len(tail) > 0 && tail[len(tail)-1] == opStop
}

// behindJunk looks for a pickle behind a comment or a few stray bytes. A
// loader stops at those, but nobody has such a file by accident, and whoever
// strips its first line has a weapon. To be no text about pickles it has to
// fill the rest of the file, make a call, and be worth a quarantine.
func (s *session) behindJunk(m *machine) bool {
	if !endsLikePickle(m.peek(max(0, m.file.Size-maxBlank), maxBlank)) {
		return false
	}
	head := bytes.Clone(m.peek(0, int(min(maxJunk, m.file.Size))))
	out, fork := m.out, m.fork
	defer func() { m.out, m.fork = out, fork }()
	m.fork, m.reading = nil, readOn
	for at := 1; at < len(head) && m.err == nil && !s.exhausted(); at++ {
		if !canStart(head[at]) {
			continue
		}
		found := &heldSink{}
		m.out, m.thread, m.limit = newReport(found), thread{}, nil
		m.out.steps = found.step
		nested, members := len(m.nested), len(m.members)
		m.seek(int64(at))
		o := m.run()
		s.spent += m.ops
		if o == ended && found.called && m.file.Size-m.pos() <= maxBlank {
			if !found.hostile {
				return false
			}
			found.finding(scan.Finding{
				Rule: "pickle.junk", Severity: scan.SeveritySuspicious, Offset: int64(at), Technique: techObfuscated,
				Message: fmt.Sprintf("a pickle behind %d bytes that are none", at),
			})
			found.release(s.out)
			return true
		}
		m.nested, m.members, m.limit = m.nested[:nested], m.members[:members], nil
	}
	return false
}

// heldSink keeps what is reported until it counts.
type heldSink struct {
	findings []scan.Finding
	imports  []scan.Import
	steps    []step
	called   bool
	hostile  bool // something that is imported or called is worth a quarantine
}

func (h *heldSink) finding(f scan.Finding) { h.findings = append(h.findings, f) }

func (h *heldSink) step(st step) {
	if len(h.steps) < maxSteps {
		h.steps = append(h.steps, st)
	}
}

// Finding implements scan.Sink. Odd opcodes alone do not count: the header of
// a NumPy array reads like a persistent object.
func (h *heldSink) Finding(f scan.Finding) {
	h.finding(f)
	if f.Severity >= scan.SeveritySuspicious && (f.Technique == techExecution || f.Technique == techImport) {
		h.hostile = true
	}
}

// Import implements scan.Sink.
func (h *heldSink) Import(i scan.Import) {
	h.imports = append(h.imports, i)
	h.called = h.called || i.Called
}

// Member implements scan.Sink; machines hand over nothing themselves.
func (*heldSink) Member(context.Context, scan.Member) error { return nil }

func (h *heldSink) release(to *report) {
	for _, i := range h.imports {
		to.sink.Import(i)
	}
	for _, f := range h.findings {
		to.finding(f)
	}
	for _, st := range h.steps {
		to.note(note{step: &st})
	}
}
