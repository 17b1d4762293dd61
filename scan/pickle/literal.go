package pickle

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// maxCached is how long a text is kept that names something.
const maxCached = 256

// unquote decodes the argument of STRING: a quoted Python bytes literal.
// Python 2 ignores blanks after it, and takes bytes above ASCII for negative
// and therefore for blanks.
func unquote(line []byte) (string, bool) {
	for len(line) > 0 && (line[len(line)-1] <= ' ' || line[len(line)-1] >= utf8.RuneSelf) {
		line = line[:len(line)-1]
	}
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
		return "", false
	}
	line = line[1 : n-1]
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if i++; i == len(line) {
			return "", false
		}
		switch c = line[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a':
			b.WriteByte(7)
		case 'b':
			b.WriteByte(8)
		case 't':
			b.WriteByte(9)
		case 'n':
			b.WriteByte(10)
		case 'v':
			b.WriteByte(11)
		case 'f':
			b.WriteByte(12)
		case 'r':
			b.WriteByte(13)
		case 'x':
			n, ok := hexNumber(line[i+1:], 2)
			if !ok {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := 0
			end := min(i+3, len(line))
			for ; i < end && line[i] >= '0' && line[i] <= '7'; i++ {
				n = n*8 + int(line[i]-'0')
			}
			i--
			b.WriteByte(byte(n))
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// unescape decodes the argument of UNICODE: raw-unicode-escape, where only
// \uXXXX and \UXXXXXXXX stand for something else. Surrogates stay single, in
// the three bytes of surrogatepass.
func unescape(line []byte) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\\' || i+1 == len(line) {
			b.WriteRune(rune(c))
			continue
		}
		i++
		var digits int
		switch line[i] {
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			b.WriteByte('\\')
			b.WriteRune(rune(line[i]))
			continue
		}
		n, ok := hexNumber(line[i+1:], digits)
		if !ok || n > utf8.MaxRune {
			return "", false
		}
		i += digits
		if n >= 0xd800 && n < 0xe000 {
			b.Write([]byte{0xe0 | byte(n>>12), 0x80 | byte(n>>6&0x3f), 0x80 | byte(n&0x3f)})
			continue
		}
		b.WriteRune(rune(n))
	}
	return b.String(), true
}

func hexNumber(b []byte, digits int) (n uint32, ok bool) {
	if len(b) < digits {
		return 0, false
	}
	for _, c := range b[:digits] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(c)
	}
	return n, true
}

// body returns where the bytes of a string lie in the file: offset, length and
// whether they lie there as the loader sees them (no escapes).
func (m *machine) body(v value) (off, n int64, raw bool) {
	if v.p != nil {
		return 0, 0, false
	}
	at := v.offset()
	head := m.peek(at, 9)
	if len(head) == 0 {
		return 0, 0, false
	}
	var field [8]byte
	switch head[0] {
	case opShortBinUnicode, opShortBinBytes, opShortBinString:
		if len(head) < 2 {
			return 0, 0, false
		}
		return at + 2, int64(head[1]), true
	case opBinUnicode, opBinBytes, opBinString:
		copy(field[:4], head[1:])
		return at + 5, int64(binary.LittleEndian.Uint64(field[:])), true
	case opBinUnicode8, opBinBytes8, opByteArray8:
		copy(field[:], head[1:])
		return at + 9, int64(binary.LittleEndian.Uint64(field[:])), true
	}
	return at + 1, 0, false
}

// text returns up to limit bytes of a string constant as the loader sees
// them; ok is false when v is none, or is longer.
func (m *machine) text(v value, limit int) (string, bool) {
	if !v.text() && !v.bytes() {
		return "", false
	}
	if v.p != nil {
		return string(v.p.data), len(v.p.data) <= limit && v.length() < longLen
	}
	if v.length() == 0 {
		return "", true
	}
	if s, ok := m.names.texts[v.w]; ok {
		return s, len(s) <= limit
	}
	off, n, raw := m.body(v)
	if !raw {
		return m.literal(v, limit)
	}
	if n > int64(limit) {
		return string(m.peek(off, limit)), false
	}
	s := string(m.peek(off, int(n)))
	m.remind(v, s)
	return s, true
}

// literal decodes a string that the file spells as a line.
func (m *machine) literal(v value, limit int) (string, bool) {
	size := 1 + 4*limit + 2
	if n := int(v.length()); n < longLen {
		size = min(size, 1+n+1)
	}
	line := m.peek(v.offset(), size)
	if len(line) == 0 {
		return "", false
	}
	op := line[0]
	line = line[1:]
	n := indexNewline(line, len(line))
	if n < 0 {
		if v.length() == longLen || int(v.length()) > len(line) {
			return string(line[:min(len(line), limit)]), false
		}
		n = int(v.length())
	}
	line = line[:n]
	var s string
	var ok bool
	if op == opString {
		s, ok = unquote(line)
	} else {
		s, ok = unescape(line)
	}
	if !ok || len(s) > limit {
		return s[:min(len(s), limit)], false
	}
	m.remind(v, s)
	return s, true
}

// remind keeps a short text that may be asked for again.
func (m *machine) remind(v value, s string) {
	if len(s) <= maxCached {
		m.names.cacheText(v.w, s)
	}
}
