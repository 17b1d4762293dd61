package pickle

import "encoding/binary"

// burstMargin is what the longest opcode of a burst needs, bodies aside.
const burstMargin = 16

// burst executes a run of opcodes that only push constants, set marks and use
// the memo, as long as everything they need is at hand. It stops before the
// first opcode that is anything else, that fails, or that could be reported:
// those are step's. Most bytes of a dense pickle go through here.
func (m *machine) burst() {
	buf, i, stack := m.buf, m.i, m.stack
	end := len(buf) - burstMargin
	if m.frameEnd != 0 {
		end = int(min(int64(end), m.frameEnd-m.base-burstMargin))
	}
	// An opcode of a burst pushes at most one value and has at least a byte.
	if m.reading != readOn || m.collect || len(stack)+len(m.marks)+maxWindow > min(maxStack, maxMarks) {
		return
	}
	ops := int64(0)
loop:
	for ; i < end; ops++ {
		switch op := buf[i]; op {
		case opBinInt1:
			stack = append(stack, number(int64(buf[i+1])))
			i += 2
		case opBinInt2:
			stack = append(stack, number(int64(binary.LittleEndian.Uint16(buf[i+1:]))))
			i += 3
		case opBinInt:
			stack = append(stack, number(int64(int32(binary.LittleEndian.Uint32(buf[i+1:])))))
			i += 5
		case opBinFloat:
			stack = append(stack, plain(kindFloat))
			i += 9
		case opNone:
			stack = append(stack, plain(kindNone))
			i++
		case opNewTrue:
			stack = append(stack, indexed(kindBool, 1))
			i++
		case opNewFalse:
			stack = append(stack, plain(kindBool))
			i++
		case opEmptyTuple:
			stack = append(stack, plain(kindTuple))
			i++
		case opEmptyList:
			stack = append(stack, m.container(kindList))
			i++
		case opEmptyDict:
			stack = append(stack, m.container(kindDict))
			i++
		case opMark:
			m.fence = len(stack)
			m.marks = append(m.marks, m.fence)
			i++
		case opMemoize:
			n := len(stack) - 1
			if n < m.fence || !m.memo.quick(m.memo.count, stack[n]) {
				break loop
			}
			i++
		case opBinPut:
			n := len(stack) - 1
			if n < m.fence || !m.memo.quick(uint64(buf[i+1]), stack[n]) {
				break loop
			}
			i += 2
		case opBinGet:
			v, ok := m.memo.get(uint64(buf[i+1]))
			if !ok || v.kind() == kindMark {
				break loop
			}
			stack = append(stack, v)
			i += 2
		case opLongBinGet:
			v, ok := m.memo.get(uint64(binary.LittleEndian.Uint32(buf[i+1:])))
			if !ok || v.kind() == kindMark {
				break loop
			}
			stack = append(stack, v)
			i += 5
		case opShortBinUnicode, opBinUnicode:
			head, n := 2, int(buf[i+1])
			if op == opBinUnicode {
				head, n = 5, int(min(binary.LittleEndian.Uint32(buf[i+1:]), maxWindow))
			}
			if n > end-i-head {
				break loop
			}
			body := buf[i+head : i+head+n]
			v := str(kindStr, m.base+int64(i), int64(n))
			if !validText(body) {
				break loop
			}
			if n >= 4 {
				if body[0] == '_' && body[1] == '_' {
					v = v.with(flagDunder)
				} else if looksPacked(kindStr, body) {
					break loop
				}
			}
			stack = append(stack, v)
			i += head + n
		default:
			break loop
		}
	}
	m.i, m.stack = i, stack
	m.ops += ops
}

// quick stores v at i if that is all there is to do, and reports whether it did.
func (m *memo) quick(i uint64, v value) bool {
	if m.keys != nil || m.base != nil || i/memoPage >= uint64(len(m.pages)) || v.w == absent {
		return false
	}
	page := m.pages[i/memoPage]
	if page == nil {
		return false
	}
	slot := &page[i%memoPage]
	if *slot == absent {
		m.count++
	} else if v.p != nil {
		return false
	}
	*slot = m.pack(v)
	return true
}
