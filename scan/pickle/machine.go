package pickle

import (
	"errors"
	"fmt"

	"modelwall/scan"
)

// Bounds of one pickle's stacks.
const (
	maxStack = 1 << 20
	maxMarks = 1 << 19
	// maxSuspended bounds pickles inside raw regions of pickles (joblib).
	maxSuspended = 64
	// maxStraddled is how many frames are reported that end inside an opcode.
	maxStraddled = 16
	// maxDups is how often DUP may occur before it is reported: picklers
	// never write it.
	maxDups = 64
	// bigInteger is the length in bytes from which an integer is there to
	// cost time: int() of decimal text is quadratic, and arithmetic on the
	// result is slow.
	bigInteger = 64 << 10
)

// reading is one way in which loaders take frames, see the package comment.
type reading uint8

const (
	readOn      reading = iota // a frame is a hint: loads, peekable files
	dropRest                   // an argument that crosses a frame's end starts after it
	dropRestOld                // the same, for bytes bodies too: Python 3.4 to 3.7
	dropStay                   // as dropRest, and STOP leaves the frame to the next load()
	dropStayOld                // as dropRestOld, the same
	cPickle                    // Python 2's C loader: marks are kept apart from the values, and PUT's keys from BINPUT's
	textKeys                   // Python 2's own loader: PUT's keys are texts, "00" is not "0"
	lastReading = textKeys
)

// old reports whether bytes bodies that cross a frame's end start after it.
func (r reading) old() bool { return r == dropRestOld || r == dropStayOld }

// stays reports whether the next pickle of the same unpickler begins in the
// frame that holds STOP.
func (r reading) stays() bool { return r == dropStay || r == dropStayOld }

// drops reports whether the rest of a frame may be dropped.
func (r reading) drops() bool { return r >= dropRest && r <= dropStayOld }

// dispute is what loaders were found to disagree on in a file.
type dispute uint8

const (
	onFrames  dispute = 1 << iota // a frame's end
	onBytes                       // a frame that ends inside bytes
	onStops                       // what follows STOP inside a frame
	onPython2                     // marks and memo keys
	onKeys                        // whether a memo key is the number it spells
)

// settles reports whether a reading has to be followed because of d.
func (r reading) settles(d dispute) bool {
	want := onFrames
	switch r {
	case cPickle:
		want = onPython2
	case textKeys:
		want = onKeys
	}
	if r.old() {
		want |= onBytes
	}
	if r.stays() {
		want |= onStops
	}
	return d&want == want
}

// thread is the state of one unpickler at work.
type thread struct {
	stack []value
	marks []int
	fence int // the stack's length at the topmost mark
	memo  memo
	proto int
	// frameEnd is where the current frame ends, 0 outside of frames.
	frameEnd int64
	ops      int64
	globals  int // globals imported with names a module can have
	// dangerAt is the count of opcodes at the first dangerous import, and
	// dangerCall whether its name alone is proof enough.
	dangerAt   int64
	dangerCall bool
	dups       int
	aside      bool // what runs is a second reading, see speculate
	missed     bool // it stopped because the memo lacks what an opcode asks for
}

// machine executes pickles on abstract values.
type machine struct {
	window
	thread
	*arena
	out       *report
	lib       *library
	names     names
	reading   reading
	start     int64 // of the pickle that runs
	opAt      int64 // of the opcode that runs
	suspended []thread
	below     int                // values on their stacks
	measured  int                // how many globals nameBytes is about
	nameBytes int                // of their names
	paths     int                // what it took to judge them
	stateCost int                // what it took to judge states
	storages  map[string]storage // torch storages by key
	keys      int                // bytes of those keys
	list      []value            // strings of a pickle that may be torch's key list
	collect   bool
	disputed  dispute
	straddled int
	nested    []value // string constants that may be pickles
	members   []value // string constants that the pickles load
	fork      func()  // follows a second reading of what comes next
	scratch   [2]value
	magic     node  // torch's magic number
	mark      value // what top gives when Python 2 gives a mark
	explain   bool
	stopped   error // why all loaders stop here
	limit     error
}

// outcome is how a pickle ended.
type outcome uint8

const (
	ended  outcome = iota // STOP
	broken                // every loader gives up: stopped says why
	failed                // the reader or the context did: window.err says why
)

var errTruncated = errors.New("the pickle ends in the middle")

// fail notes that no loader goes on. It always returns false.
func (m *machine) fail(format string, args ...any) bool {
	if m.stopped == nil {
		m.stopped = fmt.Errorf(format, args...)
	}
	return false
}

func (m *machine) truncated() bool {
	if m.stopped == nil {
		m.stopped = errTruncated
	}
	return false
}

// exceed notes that a bound of the machine is used up: nobody can say what
// follows, so it is a finding as well as an error.
func (m *machine) exceed(format string, args ...any) bool {
	if m.limit == nil {
		m.limit = scan.Limit(m.opAt, format, args...)
		m.out.finding(scan.Finding{
			Rule: "pickle.limit", Severity: scan.SeveritySuspicious, Offset: m.opAt,
			Message: "exceeds what the scanner follows: " + fmt.Sprintf(format, args...), Technique: techExhaustion,
		})
	}
	m.stopped = m.limit
	return false
}

// run executes one pickle from the current position.
func (m *machine) run() outcome {
	m.start = m.pos()
	m.stopped = nil
	m.paged = 0
	for s := &m.memo; s != nil; s = s.base {
		m.paged += s.held
	}
	for {
		if len(m.buf)-m.i < burstMargin {
			m.fill(burstMargin)
		}
		m.burst()
		if m.i >= len(m.buf) {
			if m.err != nil {
				return failed
			}
			if m.frameEnd != 0 && m.pos() > m.frameEnd {
				m.straddle()
			}
			m.stopped = errTruncated
			return broken
		}
		m.opAt = m.base + int64(m.i)
		if m.frameEnd != 0 && m.opAt >= m.frameEnd {
			if m.opAt > m.frameEnd {
				m.straddle()
			}
			m.frameEnd = 0
		}
		op := m.buf[m.i]
		m.i++
		m.ops++
		if op == opStop {
			if m.stop() {
				return ended
			}
			if m.stopped != nil {
				return broken
			}
			continue
		}
		if !m.step(op) {
			if m.err != nil {
				return failed
			}
			if m.frameEnd != 0 && m.pos() > m.frameEnd {
				m.straddle()
			}
			return broken
		}
		if len(m.stack) > m.maxStack() || len(m.marks) > maxMarks {
			m.exceed("more than %d values or %d marks on the stack", maxStack, maxMarks)
			return broken
		}
	}
}

// stop executes STOP and reports whether the outermost pickle is done.
func (m *machine) stop() bool {
	if len(m.stack) <= m.fence {
		if len(m.marks) == 0 {
			return m.fail("STOP with nothing on the stack")
		}
		m.oddMark()
	}
	if m.frameEnd != 0 && m.opAt+1 < m.frameEnd {
		m.straddle()
		m.disputed |= onStops
		if m.reading.drops() && !m.reading.stays() {
			m.seek(m.frameEnd)
		}
	}
	if n := len(m.suspended); n > 0 {
		ops := m.ops
		globals := m.globals
		m.paged -= m.memo.held
		m.drop(&m.thread)
		m.thread = m.suspended[n-1]
		m.suspended = m.suspended[:n-1]
		m.below -= len(m.stack)
		m.ops += ops
		m.globals += globals
		return false
	}
	return true
}

// straddle notes that a frame does not end where an opcode does.
func (m *machine) straddle() {
	m.disputed |= onFrames
	if m.straddled++; m.straddled > maxStraddled {
		return
	}
	m.out.finding(scan.Finding{
		Rule: "pickle.frame", Severity: scan.SeveritySuspicious, Offset: m.opAt,
		Message:   fmt.Sprintf("the frame that ends at byte %d ends inside an opcode, where loaders disagree on what comes next", m.frameEnd),
		Technique: techConfusion,
	})
}

// cross does what a reading that drops the rest of a frame does before it
// reads n bytes.
func (m *machine) cross(n int64) {
	if at := m.pos(); m.frameEnd != 0 && at < m.frameEnd && at+n > m.frameEnd {
		m.straddle()
		m.seek(m.frameEnd)
	}
}

// arg consumes n bytes, nil when the file ends first; n is at most 8.
func (m *machine) arg(n int) []byte {
	if m.reading.drops() {
		m.cross(int64(n))
	}
	w := &m.window
	if len(w.buf)-w.i < n && !w.fill(n) {
		m.truncated()
		return nil
	}
	b := w.buf[w.i : w.i+n]
	w.i += n
	return b
}

// textLine consumes a line that names a module or an attribute.
func (m *machine) textLine() ([]byte, bool) {
	text, ok := m.argLine()
	return text, ok && m.nameFits(text)
}

// argLine consumes the line argument of a text opcode. Python's own loader
// takes a last line without a newline and drops its last byte.
func (m *machine) argLine() ([]byte, bool) {
	if m.reading.drops() && m.frameEnd != 0 && m.pos() < m.frameEnd {
		n := int(min(m.frameEnd-m.pos(), maxLine))
		if m.fill(n); indexNewline(m.buf[m.i:], n) < 0 {
			m.straddle()
			m.seek(m.frameEnd)
		}
	}
	text, whole, long := m.line(maxLine)
	if m.err != nil {
		return nil, false
	}
	if long {
		return nil, m.exceed("a line of more than %d bytes", maxLine)
	}
	if !whole {
		if len(text) == 0 {
			return nil, m.truncated()
		}
		text = text[:len(text)-1]
	}
	return text, true
}

// maxStack is how many values the stack may hold beside those of suspended
// pickles.
func (m *machine) maxStack() int { return maxStack - m.below }

func (m *machine) push(v value) bool {
	m.stack = append(m.stack, v)
	return true
}

// pop takes the topmost value. Python 2's own loader keeps marks among the
// values, so a pop takes the mark there; its C loader keeps them apart, see
// reading, and takes what is below; new ones stop.
func (m *machine) pop() (value, bool) {
	if n := len(m.stack); n > m.fence {
		v := m.stack[n-1]
		m.stack = m.stack[:n-1]
		return v, true
	}
	if m.reading == cPickle || !m.popMark() {
		return value{}, m.fail("an opcode needs more values than the stack holds")
	}
	m.oddMark()
	return plain(kindMark), true
}

func (m *machine) oddMark() {
	m.disputed |= onPython2
	m.out.finding(scan.Finding{
		Rule: "pickle.mark", Severity: scan.SeveritySuspicious, Offset: m.opAt,
		Message:   "an opcode takes a mark for a value: Python 2 goes on here, later loaders stop",
		Technique: techConfusion,
	})
}

// discard executes POP.
func (m *machine) discard() bool {
	n := len(m.stack)
	if m.reading == cPickle {
		if k := len(m.marks); k > 0 && m.marks[k-1] == n {
			return m.popMark()
		}
	}
	if n > m.fence {
		m.release(m.stack[n-1])
		m.stack = m.stack[:n-1]
		return true
	}
	return m.popMark() || m.fail("POP of an empty stack")
}

// pushAgain pushes what the memo or the stack holds already. In Python 2 that
// may be a mark, and works as one.
func (m *machine) pushAgain(v value) bool {
	if v.kind() == kindMark {
		return m.setMark()
	}
	return m.push(v)
}

func (m *machine) setMark() bool {
	m.marks = append(m.marks, len(m.stack))
	if m.reading != cPickle {
		m.fence = len(m.stack)
	}
	return true
}

// popMark forgets the topmost mark and leaves the values above it.
func (m *machine) popMark() bool {
	n := len(m.marks)
	if n == 0 {
		return false
	}
	m.marks = m.marks[:n-1]
	m.fence = 0
	if n > 1 && m.reading != cPickle {
		m.fence = m.marks[n-2]
	}
	return true
}

// top returns the topmost value, to be changed in place, nil if there is none.
func (m *machine) top() *value {
	if n := len(m.stack); n > m.fence {
		return &m.stack[n-1]
	}
	if len(m.marks) == 0 || m.reading == cPickle {
		m.fail("an opcode needs more values than the stack holds")
		return nil
	}
	m.oddMark()
	m.mark = plain(kindMark)
	return &m.mark
}

// sinceMark takes the values above the topmost mark, and the mark. The slice
// is valid until the next push.
func (m *machine) sinceMark() ([]value, bool) {
	if len(m.marks) == 0 {
		return nil, m.fail("an opcode needs a mark and there is none")
	}
	at := min(m.marks[len(m.marks)-1], len(m.stack))
	items := m.stack[at:]
	m.popMark()
	m.stack = m.stack[:at]
	return items, true
}
