package pickle

import (
	"bytes"

	"modelwall/scan"
)

// rest looks on behind the first pickle: for pickles in a row, torch's raw
// storages, and pickles after anything else. whole is false when the first
// one broke; what follows is then searched from the break on.
func (s *session) rest(m *machine, whole bool) (broke error, err error) {
	main := m.out
	defer func() { m.out = main }()
	at := m.pos()
	if !whole {
		at = m.opAt + 1
	}
	search := newSearch(s, m)
	for count := 1; at < s.file.Size; {
		adjacent := whole
		if !whole {
			if at, err = search.next(at); err != nil || at >= s.file.Size {
				return broke, err
			}
		}
		if count == torchPickles && adjacent && m.collect {
			m.seek(at)
			if m.skipStorages() {
				at, m.collect = m.pos(), false
				continue
			}
		}
		head := m.peek(at, 2)
		strong := len(head) == 2 && head[0] == opProto && head[1] <= maxProto
		if m.err != nil {
			return broke, m.err
		}
		// The search also finds INST, whose mark stands somewhere before.
		// Python's own loader imports even without one.
		inst := len(head) > 0 && head[0] == opInst
		if !strong && !inst && (len(head) == 0 || !canStart(head[0]) && !(s.kept != nil && adjacent && recalls(head[0]))) {
			if !adjacent {
				at++
			}
			whole = false
			continue
		}
		m.noteTorch(count)
		m.out = main.child()
		begin := thread{}
		if inst && !adjacent {
			begin.marks = []int{0}
		}
		m.out.sure = func() bool { return strong && adjacent && m.ops >= strongOps }
		nested, members, limit, disputed := len(m.nested), len(m.members), m.limit, m.disputed
		m.seek(at)
		o := s.load(m, begin)
		if o == failed {
			if m.suspicious() {
				m.out.decide()
			}
			return broke, m.err
		}
		counts := m.out.decided() || m.suspicious() || o == ended && (strong || m.thread.globals > 0) ||
			strong && adjacent && (m.ops > strongOps || m.thread.globals > 0) || s.forced && adjacent
		if !counts {
			if s.spent += m.ops; s.exhausted() {
				return broke, s.overspent(main, at)
			}
			m.nested, m.members, m.limit = m.nested[:nested], m.members[:members], limit
			if !adjacent {
				m.disputed = disputed
				at++
			}
			whole = false
			continue
		}
		m.out.decide()
		count++
		if o == ended {
			at, whole = m.pos(), true
			continue
		}
		if m.limit != nil {
			return m.limit, nil
		}
		if b := m.breakage(); broke == nil {
			broke = b
		}
		at, whole = m.opAt+1, false
	}
	return broke, nil
}

func (s *session) overspent(out *report, at int64) error {
	out.finding(scan.Finding{
		Rule: "pickle.limit", Severity: scan.SeveritySuspicious, Offset: at, Technique: techExhaustion,
		Message: "bytes behind the pickle that look like the beginning of another one again and again",
	})
	return scan.Limit(at, "too many beginnings of pickles that lead nowhere")
}

// noteTorch prepares for the pickles of torch's older format; count is how
// many came before.
func (m *machine) noteTorch(count int) {
	m.list = m.list[:0]
	switch count {
	case 1:
		m.collect = len(m.stack) == 1 && m.stack[0].p != nil && bytes.Equal(m.stack[0].p.data, torchMagic[:])
	case 2:
		m.collect = m.collect && len(m.stack) == 1 && m.stack[0].kind() == kindInt && m.stack[0].int() == torchVersion
	}
}

// search finds where a pickle may begin in arbitrary bytes.
type search struct {
	s     *session
	lib   *library
	arena *arena
	buf   []byte
	base  int64
	// proto is how far the bytes are known to hold no likely PROTO, so that
	// many other candidates do not make it search again and again.
	proto int64
}

const (
	searchSize    = 256 << 10
	searchOverlap = 256 // what a candidate needs to be judged by
)

func newSearch(s *session, m *machine) *search {
	return &search{s: s, lib: m.lib, base: -1, arena: m.arena}
}

// next returns the offset of the next candidate at or after at, the file's
// size when there is none.
func (f *search) next(at int64) (int64, error) {
	size := f.s.file.Size
	for at < size {
		end := f.base + int64(len(f.buf))
		if f.base < 0 || at < f.base || at >= end || end < size && end-at <= searchOverlap {
			if err := f.read(at); err != nil {
				return size, err
			}
			end = f.base + int64(len(f.buf))
		}
		last := end < size // more follows: leave what needs its neighbours
		data := f.buf[at-f.base:]
		limit := len(data)
		if last {
			limit -= searchOverlap
		}
		if i := f.candidate(data, limit); i >= 0 {
			return at + int64(i), nil
		}
		at += int64(limit)
	}
	return size, nil
}

func (f *search) read(at int64) error {
	if err := f.s.ctx.Err(); err != nil {
		return err
	}
	if f.buf == nil {
		f.buf = buffer(&f.arena.search, int(min(searchSize, f.s.file.Size-at)))
	}
	f.base = at
	f.buf = f.buf[:min(int64(cap(f.buf)), f.s.file.Size-at)]
	n, err := readAt(f.s.file, f.buf, at)
	f.buf = f.buf[:n]
	return err
}

// candidate returns the first offset below limit where data looks like the
// beginning of a pickle: PROTO 2 to 5 before a likely opcode, or GLOBAL or INST
// of a dangerous name.
func (f *search) candidate(data []byte, limit int) int {
	at := f.base + int64(len(f.buf)) - int64(len(data))
	best, end := -1, limit
	for i := int(max(0, min(f.proto-at, int64(limit)))); ; i++ {
		n := bytes.IndexByte(data[i:limit], opProto)
		if n < 0 {
			f.proto = at + int64(limit)
			break
		}
		if i += n; likelyStart(data[i:]) {
			f.proto = at + int64(i)
			best, end = i, i
			break
		}
	}
	for i := 0; ; {
		n := bytes.IndexByte(data[i:], '\n')
		if n < 0 {
			return best
		}
		i += n + 1
		if i-searchOverlap/2 >= end {
			return best
		}
		if at := f.dangerousLines(data, i); at >= 0 && at < end {
			return at
		}
	}
}

// likelyStart reports whether head begins with PROTO 2 to 5 and an opcode that
// picklers write next.
func likelyStart(head []byte) bool {
	if len(head) < 3 || head[1] < 2 || head[1] > maxProto {
		return false
	}
	switch op := head[2]; {
	case op == opFrame:
		return len(head) >= 11 && head[9] == 0 && head[10] == 0
	case op == opStop, op == opProto:
		return false
	default:
		return canStart(op)
	}
}

// dangerousLines looks at the two lines around a newline that ends before i: a
// GLOBAL or INST of a dangerous name. It returns where its opcode stands.
func (f *search) dangerousLines(data []byte, i int) int {
	const longest = searchOverlap / 2
	start := i - 1
	for start > 0 && i-start < longest && nameByte(data[start-1]) {
		start--
	}
	module := data[start : i-1]
	if len(module) < 2 {
		return -1
	}
	n := bytes.IndexByte(data[i:min(len(data), i+longest)], '\n')
	if n <= 0 {
		return -1
	}
	name := string(data[i : i+n])
	if !identifier(name) {
		return -1
	}
	for j, c := range module {
		if c != opGlobal && c != opInst {
			continue
		}
		if mod := string(module[j+1:]); identifier(mod) && f.lib.judge(mod, name).use == useDanger {
			return start + j
		}
	}
	return -1
}

func nameByte(c byte) bool {
	return c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
