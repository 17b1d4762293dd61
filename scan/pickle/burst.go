package pickle

import (
	"encoding/binary"
	"slices"
)

const (
	// burstMargin is what the longest opcode of a burst needs, bodies aside.
	burstMargin = 16
	// burstBytes is where a burst begins its last opcode at the latest. Each
	// has at least a byte and pushes at most one value.
	burstBytes = 1 << 10
)

// burst executes a run of opcodes that push constants, use the memo and fill
// containers, as long as everything they need is at hand. It stops before the
// first opcode that is anything else, that fails, or that could be reported:
// those are step's. Most bytes of a dense pickle go through here.
func (m *machine) burst() {
	end := len(m.buf) - burstMargin
	if m.frameEnd != 0 {
		end = int(min(int64(end), m.frameEnd-m.base-burstMargin))
	}
	if m.reading != readOn || m.collect || m.aside || end <= m.i ||
		len(m.stack)+burstBytes > m.maxStack() || len(m.marks)+burstBytes > maxMarks {
		return
	}
	m.stack = slices.Grow(m.stack, burstBytes)
	buf, i := m.buf[:end+burstMargin], m.i
	stack, sp := m.stack[:cap(m.stack)], len(m.stack)
	last := min(end, i+burstBytes)
loop:
	for i < last {
		op := buf[i]
		switch op {
		case opBinInt1:
			stack[sp] = number(int64(buf[i+1]))
			sp++
			i += 2
		case opBinInt2:
			stack[sp] = number(int64(binary.LittleEndian.Uint16(buf[i+1:])))
			sp++
			i += 3
		case opBinInt:
			stack[sp] = number(int64(int32(binary.LittleEndian.Uint32(buf[i+1:]))))
			sp++
			i += 5
		case opBinFloat:
			stack[sp] = plain(kindFloat)
			sp++
			i += 9
		case opNone:
			stack[sp] = plain(kindNone)
			sp++
			i++
		case opNewTrue:
			stack[sp] = indexed(kindBool, 1)
			sp++
			i++
		case opNewFalse:
			stack[sp] = plain(kindBool)
			sp++
			i++
		case opEmptyTuple:
			stack[sp] = plain(kindTuple)
			sp++
			i++
		case opEmptyList:
			stack[sp] = m.container(kindList)
			sp++
			i++
		case opEmptyDict:
			stack[sp] = m.container(kindDict)
			sp++
			i++
		case opMark:
			m.fence = sp
			m.marks = append(m.marks, sp)
			i++
		case opMemoize:
			if sp <= m.fence || !m.quickPut(m.memo.count, &stack[sp-1]) {
				break loop
			}
			i++
		case opBinPut:
			if sp <= m.fence || !m.quickPut(uint64(buf[i+1]), &stack[sp-1]) {
				break loop
			}
			i += 2
		case opLongBinPut:
			if sp <= m.fence || !m.quickPut(uint64(binary.LittleEndian.Uint32(buf[i+1:])), &stack[sp-1]) {
				break loop
			}
			i += 5
		case opBinGet:
			v, ok := m.memo.get(uint64(buf[i+1]))
			if !ok || v.kind() == kindMark {
				break loop
			}
			stack[sp] = v
			sp++
			i += 2
		case opLongBinGet:
			v, ok := m.memo.get(uint64(binary.LittleEndian.Uint32(buf[i+1:])))
			if !ok || v.kind() == kindMark {
				break loop
			}
			stack[sp] = v
			sp++
			i += 5
		case opTuple1, opTuple2, opTuple3, opTuple:
			at := sp - 1 - int(op-opTuple1)
			if op == opTuple {
				if len(m.marks) == 0 {
					break loop
				}
				at = m.fence
				m.popMark()
			}
			if at < m.fence {
				break loop
			}
			m.opAt = m.base + int64(i)
			stack[at] = m.made(kindTuple, stack[at:sp])
			sp = at + 1
			i++
		case opAppend:
			at := sp - 1
			if at <= m.fence || !stack[at-1].fresh(kindList) {
				break loop
			}
			m.opAt = m.base + int64(i)
			m.extend(stack[at-1].p, stack[at:sp])
			sp = at
			i++
		case opSetItem:
			at := sp - 2
			if at <= m.fence || !stack[at-1].fresh(kindDict) {
				break loop
			}
			m.opAt = m.base + int64(i)
			m.update(stack[at-1].p, stack[at:sp])
			sp = at
			i++
		case opAppends, opSetItems:
			n, at := len(m.marks), m.fence
			if n == 0 || at == 0 || n > 1 && m.marks[n-2] == at {
				break loop
			}
			m.opAt = m.base + int64(i)
			switch below := &stack[at-1]; {
			case op == opAppends && below.fresh(kindList):
				m.extend(below.p, stack[at:sp])
			case op == opSetItems && below.fresh(kindDict) && (sp-at)%2 == 0:
				m.update(below.p, stack[at:sp])
			default:
				break loop
			}
			m.popMark()
			sp = at
			i++
		case opShortBinUnicode, opBinUnicode:
			head, n := 2, int(buf[i+1])
			if op == opBinUnicode {
				head, n = 5, int(min(binary.LittleEndian.Uint32(buf[i+1:]), maxWindow))
			}
			if n > end-i-head {
				break loop
			}
			v, ok := m.shortText(buf[i+head:], n, m.base+int64(i))
			if !ok {
				break loop
			}
			stack[sp] = v
			sp++
			i += head + n
		case opStop, opPop, opPopMark, opDup, opReduce, opBuild, opGlobal, opNewObj, opStackGlobal:
			break loop // listed to make the switch a table
		default:
			break loop
		}
		m.ops++
	}
	m.i, m.stack = i, stack[:sp]
}

// shortText makes a string of the n bytes at the beginning of b, which is at
// least eight bytes longer, unless it has to be looked at more closely.
func (m *machine) shortText(b []byte, n int, off int64) (value, bool) {
	const high = 0x8080808080808080
	v := str(kindStr, off, int64(n))
	x := binary.LittleEndian.Uint64(b)
	if n < 8 {
		x &= 1<<(8*n) - 1
	}
	for j := 8; j < n; j += 8 {
		x |= binary.LittleEndian.Uint64(b[min(j, n-8):])
	}
	if x&high != 0 && !validText(b[:n]) {
		return v, false
	}
	if n < 4 {
		return v, true
	}
	switch b[0] {
	case '_':
		if b[1] == '_' {
			v = v.with(flagDunder)
		}
	case 'g', 'H', 'e', 'Y', 'K', 0xc2:
		return v, !looksPacked(kindStr, b[:n])
	}
	return v, true
}

// fresh reports whether v is a container of that kind that nothing but the
// stack and the memo has.
func (v *value) fresh(k kind) bool { return v.kind() == k && v.p != nil && !v.p.held }

// quickPut stores v at i if that is all there is to do, and reports whether
// it did.
func (m *machine) quickPut(i uint64, v *value) bool {
	s := &m.memo
	if i -= s.first; i >= memoPage || s.recent == nil {
		return false
	}
	slot := &s.recent[i]
	if *slot != absent || v.w == absent {
		return false
	}
	s.count++
	if v.p == nil && v.kind() != kindObject {
		*slot = v.w
	} else {
		*slot = s.pack(*v, m.bytes < maxKept)
	}
	return true
}
