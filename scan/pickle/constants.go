package pickle

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
)

// sized pushes a string whose length stands in a little-endian field.
func (m *machine) sized(k kind, field int) bool {
	b := m.arg(field)
	if b == nil {
		return false
	}
	var n int64
	switch field {
	case 1:
		n = int64(b[0])
	case 4:
		n = int64(binary.LittleEndian.Uint32(b))
		if k == kindText8 && n > math.MaxInt32 {
			return m.fail("BINSTRING with a negative length")
		}
	default:
		u := binary.LittleEndian.Uint64(b)
		if u > math.MaxInt64 {
			return m.fail("a string of %d bytes", u)
		}
		n = int64(u)
	}
	if at := m.pos(); k == kindBytes && at < m.frameEnd && at+min(n, m.file.Size) > m.frameEnd {
		m.disputed |= onBytes
	}
	if m.reading.drops() && (k != kindBytes || m.reading.old()) {
		m.cross(n)
	}
	at := m.pos()
	if n > m.file.Size-at {
		// Every loader meets the end of the file, and asks for no more.
		m.seek(m.file.Size)
		return m.fail("a string of %d bytes where %d are left", n, m.file.Size-at)
	}
	v := str(k, m.opAt, n)
	if m.collect && len(m.list) < maxStorages {
		m.list = append(m.list, v)
	}
	if m.base+int64(m.i) != m.opAt+1+int64(field) {
		// The body does not follow its header, keep what may be a name.
		v = m.detached(v, m.peek(at, int(min(n, longLen))))
	}
	if n <= int64(len(m.buf)-m.i) || n <= minWindow && m.fill(int(n)) {
		body := m.buf[m.i : m.i+int(n)]
		m.i += int(n)
		if k == kindStr && !validText(body) {
			return m.fail("text that is not UTF-8")
		}
		if n > 4 && body[0] == '_' && body[1] == '_' {
			v = v.with(flagDunder)
		}
		if n >= minNested && looksPacked(k, body) {
			m.noteNested(v)
		}
		return m.push(v)
	}
	if m.err != nil {
		return false
	}
	if looksPacked(k, m.peek(at, 16)) {
		m.noteNested(v)
	}
	m.seek(at + n)
	return m.push(v)
}

// detached gives a string its own bytes, which do not lie where its opcode is.
func (m *machine) detached(v value, data []byte) value {
	if m.bytes >= maxNodes {
		return plain(kindUnknown).with(flagForgot)
	}
	m.bytes += nodeSize + len(data)
	v.p = &node{data: bytes.Clone(data)}
	return v
}

// validText reports whether b is UTF-8 as Python's surrogatepass takes it.
func validText(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for len(b) > 0 {
		_, n := utf8.DecodeRune(b)
		if n == 1 && b[0] >= utf8.RuneSelf {
			if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2]&0xc0 != 0x80 {
				return false
			}
			n = 3
		}
		b = b[n:]
	}
	return true
}

// long pushes an integer of n bytes.
func (m *machine) long(n int64) bool {
	if m.reading.drops() {
		m.cross(n)
	}
	if n > m.file.Size-m.pos() {
		m.seek(m.file.Size)
		return m.fail("an integer of %d bytes where fewer are left", n)
	}
	m.costlyInteger(n)
	if n > 8 {
		v := number(math.MaxInt64)
		if n == 10 {
			if b := m.peek(m.pos(), 10); bytes.Equal(b, torchMagic[:]) {
				m.magic.data = torchMagic[:]
				v.p = &m.magic
			}
		}
		m.seek(m.pos() + n)
		return m.push(v)
	}
	b := m.arg(int(n))
	if b == nil && n > 0 {
		return false
	}
	var u uint64
	for i, c := range b {
		u |= uint64(c) << (8 * i)
	}
	if n > 0 && n < 8 && b[n-1]&0x80 != 0 {
		u |= math.MaxUint64 << (8 * n)
	}
	return m.push(number(int64(u)))
}

func (m *machine) costlyInteger(n int64) {
	if n < bigInteger {
		return
	}
	m.out.finding(scan.Finding{
		Rule: "pickle.integer", Severity: scan.SeveritySuspicious, Offset: m.opAt,
		Message:   "an integer of " + strconv.FormatInt(n, 10) + " bytes, which costs much time to read or use",
		Technique: techExhaustion,
	})
}

// textInt executes INT and LONG. The loaders differ in what they take for a
// number (octal, underscores, what follows a NUL byte); the union goes on.
func (m *machine) textInt() bool {
	line, ok := m.argLine()
	if !ok {
		return false
	}
	if nul := bytes.IndexByte(line, 0); nul >= 0 {
		if line = line[:nul]; nul == 0 {
			line = []byte("0") // what strtol makes of nothing
		}
	}
	text := strings.TrimSpace(string(line))
	m.costlyInteger(int64(len(text)))
	text = strings.TrimSpace(strings.TrimSuffix(text, "L"))
	if text == "00" || text == "01" {
		return m.push(indexed(kindBool, int(text[1]-'0')))
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return m.push(number(n))
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return m.push(number(n))
	}
	if !numeric(text, "0123456789abcdefABCDEFxXoO_") {
		return m.fail("%s is no number", scan.Quote(text, 40))
	}
	return m.push(number(math.MaxInt64))
}

// textFloat executes FLOAT.
func (m *machine) textFloat() bool {
	line, ok := m.argLine()
	if !ok {
		return false
	}
	if nul := bytes.IndexByte(line, 0); nul > 0 {
		line = line[:nul]
	}
	text := strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		text = text[1:]
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil && !numeric(text, "0123456789.eE+-_") {
		return m.fail("%s is no number", scan.Quote(text, 40))
	}
	return m.push(plain(kindFloat))
}

// numeric reports whether text, after a sign, has only these characters.
func numeric(text, of string) bool {
	text = strings.TrimLeft(text, "+-")
	return text != "" && strings.Trim(text, of) == "" && strings.ContainsAny(text, "0123456789")
}

// textString executes STRING and UNICODE.
func (m *machine) textString(k kind) bool {
	if m.reading.drops() {
		// Make sure that a line which crosses a frame's end is seen.
		if m.frameEnd != 0 && m.pos() < m.frameEnd {
			n := int(min(m.frameEnd-m.pos(), maxLine))
			if m.fill(n); indexNewline(m.buf[m.i:], n) < 0 {
				m.straddle()
				m.seek(m.frameEnd)
			}
		}
	}
	at := m.pos()
	line, whole, long := m.line(maxLine)
	if m.err != nil {
		return false
	}
	v := str(k, m.opAt, longLen)
	if long {
		m.noteNested(v)
		return m.push(v)
	}
	if !whole {
		if len(line) == 0 {
			return m.truncated()
		}
		line = line[:len(line)-1]
	}
	if len(line) > 0 && len(line) < longLen {
		v = str(k, m.opAt, int64(len(line)))
	}
	var text string
	var ok bool
	if k == kindText8 {
		text, ok = unquote(line)
	} else {
		text, ok = unescape(line)
	}
	if !ok {
		return m.fail("%s is no string literal", scan.Quote(string(line), 40))
	}
	if at != m.opAt+1 {
		v = str(k, m.opAt, int64(len(text)))
		v = m.detached(v, []byte(text[:min(len(text), longLen)]))
	}
	if strings.HasPrefix(text, "__") {
		v = v.with(flagDunder)
	}
	if len(text) >= minNested && looksPacked(k, []byte(text[:min(len(text), 16)])) {
		m.noteNested(v)
	}
	return m.push(v)
}

func indexNewline(b []byte, n int) int { return bytes.IndexByte(b[:min(n, len(b))], '\n') }

func (m *machine) binPut(i uint64) bool {
	v := m.top()
	if m.memo.texts {
		m.disputed |= onPython2
	}
	return v != nil && m.remember(i, *v)
}

func (m *machine) remember(i uint64, v value) bool {
	if !m.memo.put(i, v, m.arena) {
		return m.exceed("more memo slots than there is room for")
	}
	if m.memo.keys != nil && i <= math.MaxInt64 && m.reading != cPickle {
		// Python 2's pickle.py keys by the number's text.
		m.memo.keys[strconv.FormatUint(i, 10)] = v
	}
	return true
}

func (m *machine) binGet(i uint64) bool {
	v, ok := m.memo.get(i)
	if !ok {
		m.missed = true
		return m.fail("the memo has no value %d", i)
	}
	return m.pushAgain(v)
}

// textPut executes PUT, whose key is text in Python 2 and a number since.
func (m *machine) textPut() bool {
	line, ok := m.argLine()
	if !ok {
		return false
	}
	v := m.top()
	if v == nil {
		return false
	}
	i, canonical, ok := memoKey(line)
	switch {
	case m.reading == cPickle:
		canonical, ok = false, false // all keys of PUT are text
	case m.reading == textKeys && !canonical:
		ok = false
	}
	if m.memo.count > 0 && !m.memo.texts {
		m.disputed |= onPython2
	}
	m.memo.texts, m.memo.recent = true, nil
	if !canonical {
		if m.memo.keys == nil {
			m.memo.keys = map[string]value{}
		}
		if m.memo.keyBytes += keySize + len(line); m.memo.keyBytes > maxKeyBytes {
			return m.exceed("more than %d bytes of memo keys that are not numbers", maxKeyBytes)
		}
		m.memo.keys[string(line)] = *v
		if m.reading != cPickle {
			m.oddKey(line)
		}
	}
	return !ok || m.remember(i, *v)
}

// textGet executes GET.
func (m *machine) textGet() bool {
	line, ok := m.argLine()
	if !ok {
		return false
	}
	i, canonical, ok := memoKey(line)
	if ok && m.reading != cPickle && (canonical || m.reading != textKeys) {
		if v, found := m.memo.get(i); found {
			if !canonical {
				m.oddKey(line)
			}
			return m.pushAgain(v)
		}
	}
	if v, found := m.memo.key(line); found {
		return m.pushAgain(v)
	}
	m.missed = true
	return m.fail("the memo has no value %s", scan.Quote(string(line), 40))
}

func (m *machine) oddKey(line []byte) {
	m.disputed |= onKeys
	m.out.finding(scan.Finding{
		Rule: "pickle.memo", Severity: scan.SeveritySuspicious, Offset: m.opAt,
		Message:   "memo key " + scan.Quote(string(line), 40) + " names different slots in Python 2 and 3",
		Technique: techConfusion,
	})
}

// memoKey reads a memo index. It is canonical when Python 2 and 3 agree on
// the slot.
func memoKey(line []byte) (i uint64, canonical, ok bool) {
	text := string(line)
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return n, strconv.FormatUint(n, 10) == text, true
	}
	if nul := strings.IndexByte(text, 0); nul > 0 {
		text = text[:nul]
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "_", "")
	n, err := strconv.ParseInt(text, 10, 64) // "-0" is a key as well
	return uint64(n), false, err == nil && n >= 0
}
