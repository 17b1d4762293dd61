package pickle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"modelwall/scan"
)

// step executes any opcode but STOP and reports whether some loader goes on.
func (m *machine) step(op byte) bool {
	switch op {
	case opBinInt1:
		b := m.arg(1)
		return b != nil && m.push(number(int64(b[0])))
	case opBinInt2:
		b := m.arg(2)
		return b != nil && m.push(number(int64(binary.LittleEndian.Uint16(b))))
	case opBinInt:
		b := m.arg(4)
		return b != nil && m.push(number(int64(int32(binary.LittleEndian.Uint32(b)))))
	case opBinFloat:
		return m.arg(8) != nil && m.push(plain(kindFloat))
	case opNone:
		return m.push(plain(kindNone))
	case opNewTrue:
		return m.push(indexed(kindBool, 1))
	case opNewFalse:
		return m.push(plain(kindBool))
	case opShortBinUnicode:
		return m.sized(kindStr, 1)
	case opBinUnicode:
		return m.sized(kindStr, 4)
	case opBinUnicode8:
		return m.sized(kindStr, 8)
	case opShortBinBytes:
		return m.sized(kindBytes, 1)
	case opBinBytes:
		return m.sized(kindBytes, 4)
	case opBinBytes8, opByteArray8:
		return m.sized(kindBytes, 8)
	case opShortBinString:
		return m.sized(kindText8, 1)
	case opBinString:
		return m.sized(kindText8, 4)
	case opMemoize:
		return m.binPut(m.memo.count)
	case opBinPut:
		b := m.arg(1)
		return b != nil && m.binPut(uint64(b[0]))
	case opLongBinPut:
		b := m.arg(4)
		return b != nil && m.binPut(uint64(binary.LittleEndian.Uint32(b)))
	case opBinGet:
		b := m.arg(1)
		return b != nil && m.binGet(uint64(b[0]))
	case opLongBinGet:
		b := m.arg(4)
		return b != nil && m.binGet(uint64(binary.LittleEndian.Uint32(b)))
	case opMark:
		return m.setMark()
	case opEmptyTuple:
		return m.push(plain(kindTuple))
	case opTuple1:
		return m.tupleOf(1)
	case opTuple2:
		return m.tupleOf(2)
	case opTuple3:
		return m.tupleOf(3)
	case opTuple:
		return m.gather(kindTuple)
	case opEmptyList:
		return m.push(m.container(kindList))
	case opEmptyDict:
		return m.push(m.container(kindDict))
	case opEmptySet:
		return m.push(m.container(kindSet))
	case opList:
		return m.gather(kindList)
	case opDict:
		return m.gather(kindDict)
	case opFrozenSet:
		return m.gather(kindSet)
	case opAppend:
		v, ok := m.pop()
		if !ok {
			return false
		}
		m.scratch[0] = v
		return m.insert(m.scratch[:1], false)
	case opAppends, opAddItems:
		items, ok := m.sinceMark()
		return ok && (m.nothingBelow() || m.insert(items, false))
	case opSetItem:
		v, ok := m.pop()
		if !ok {
			return false
		}
		k, ok := m.pop()
		m.scratch = [2]value{k, v}
		return ok && m.insert(m.scratch[:], true)
	case opSetItems:
		items, ok := m.sinceMark()
		return ok && (m.nothingBelow() || m.insert(items, true))
	}
	// A name that could not be read must not pass for a computed one.
	return m.rare(op) && m.err == nil && m.namesFit()
}

// rare executes the opcodes that tensors and lists of numbers do not need.
func (m *machine) rare(op byte) bool {
	switch op {
	case opGlobal:
		return m.global()
	case opStackGlobal:
		return m.pathFits() && m.stackGlobal()
	case opReduce:
		return m.reduce()
	case opBuild:
		return m.build()
	case opNewObj:
		return m.newObj(false)
	case opNewObjEx:
		return m.newObj(true)
	case opInst:
		return m.inst()
	case opObj:
		return m.obj()
	case opPersID:
		line, ok := m.argLine()
		if !ok {
			return false
		}
		if m.opAt == m.start && bytes.HasPrefix(line, []byte("K\x03\x04")) {
			// "PK\x03\x04" begins a zip. The loaders that know persistent ids
			// open it as one, and take no text for an id.
			return m.fail("local header of a zip")
		}
		m.out.finding(scan.Finding{
			Rule: "pickle.persid", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techObfuscated,
			Message: "asks the loader for an object by the text " + scan.Quote(string(line), 80),
		})
		return m.push(plain(kindPersistent))
	case opBinPersID:
		id, ok := m.pop()
		if !ok {
			return false
		}
		return m.push(m.persistent(id))
	case opProto:
		return m.protocol()
	case opFrame:
		return m.frame()
	case opPop:
		return m.discard()
	case opPopMark:
		items, ok := m.sinceMark()
		for _, v := range items {
			m.release(v)
		}
		return ok
	case opDup:
		v := m.top()
		if m.dups++; m.dups == maxDups {
			m.out.finding(scan.Finding{
				Rule: "pickle.bomb", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techExhaustion,
				Message: fmt.Sprintf("doubles values on the stack %d times, which no pickler does", maxDups),
			})
		}
		if v == nil {
			return false
		}
		if v.p != nil {
			v.p.pinned = true
		}
		*v = v.shared()
		return m.pushAgain(*v)
	case opInt, opLong:
		return m.textInt()
	case opFloat:
		return m.textFloat()
	case opString:
		return m.textString(kindText8)
	case opUnicode:
		return m.textString(kindStr)
	case opLong1:
		b := m.arg(1)
		return b != nil && m.long(int64(b[0]))
	case opLong4:
		b := m.arg(4)
		if b == nil {
			return false
		}
		n := int64(int32(binary.LittleEndian.Uint32(b)))
		if n < 0 {
			return m.fail("LONG4 with a negative length")
		}
		return m.long(n)
	case opPut:
		return m.textPut()
	case opGet:
		return m.textGet()
	case opExt1, opExt2, opExt4:
		b := m.arg(1 << (op - opExt1))
		if b == nil {
			return false
		}
		var code [4]byte
		copy(code[:], b)
		return m.extension(int64(binary.LittleEndian.Uint32(code[:])))
	case opNextBuffer:
		return m.push(plain(kindUnknown).with(flagForgot))
	case opReadonlyBuffer:
		return m.top() != nil
	}
	return m.fail("0x%02x is no opcode", op)
}

// protocol executes PROTO. Every CPython refuses a protocol it does not know;
// torch's weights-only loader only warns.
func (m *machine) protocol() bool {
	b := m.arg(1)
	if b == nil {
		return false
	}
	m.proto = int(b[0])
	if m.proto > maxProto || m.ops > 1 && m.out.decided() {
		m.out.finding(scan.Finding{
			Rule: "pickle.proto", Severity: scan.Low, Offset: m.opAt,
			Message:   fmt.Sprintf("PROTO %d at an unusual place or of an unknown version", m.proto),
			Technique: techConfusion,
		})
	}
	return true
}

// frame executes FRAME.
func (m *machine) frame() bool {
	b := m.arg(8)
	if b == nil {
		return false
	}
	n := binary.LittleEndian.Uint64(b)
	if n > math.MaxInt64 {
		return m.fail("FRAME of %d bytes", n)
	}
	// Old and new C loaders make sure that the whole frame is there before
	// they go on; Python's own takes what there is.
	if m.frameEnd != 0 && m.pos() < m.frameEnd {
		m.straddle()
		if m.reading.drops() {
			if int64(n) <= m.frameEnd-m.pos() {
				return true // all of it is in the loader's buffer
			}
			m.seek(m.frameEnd)
		}
	}
	if n > 0 {
		m.frameEnd = m.pos() + min(int64(n), math.MaxInt64-m.pos())
	}
	return true
}
