package pickle

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"modelwall/scan"
)

// Bounds of looking for pickles inside the constants of a pickle.
const (
	minNested     = 6
	maxNested     = 4096     // constants looked at
	maxNestedTime = 16 << 20 // decoded bytes looked at
	nestedDepth   = 3
)

// looksPacked reports whether a string constant may hold a pickle, as it is or
// encoded, by its first bytes.
func looksPacked(k kind, head []byte) bool {
	if len(head) < minNested {
		return false
	}
	if k == kindStr {
		// Bytes as text, one character per byte: the file spells 0x80 in two.
		if head[0] == 0xc2 && head[1] == opProto {
			return head[2] <= maxProto
		}
		return looksBase64(head) || looksHex(head)
	}
	switch {
	case head[0] == opProto && head[1] <= maxProto:
		return true
	case head[0] == 0x1f && head[1] == 0x8b, head[0] == 'B' && head[1] == 'Z' && head[2] == 'h':
		return true
	case head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0:
		return true
	case head[0] == opGlobal || head[0] == opMark && head[1] != opMark:
		return identifier(string(head[1:2])) || head[1] == opInst || head[1] == opGlobal
	}
	return looksBase64(head) || looksHex(head)
}

// looksHex recognises PROTO 2 to 5 in hexadecimal digits.
func looksHex(head []byte) bool {
	return bytes.HasPrefix(head, []byte("800")) && head[3] >= '2' && head[3] <= '0'+maxProto
}

// looksBase64 recognises the encoded beginnings of pickles: PROTO 2 to 5, and
// gzip, zlib.
func looksBase64(head []byte) bool {
	switch head[0] {
	case 'g':
		return head[1] == 'A' && head[2] >= 'I' && head[2] <= 'X'
	case 'H':
		return head[1] == '4' && head[2] == 's'
	case 'e':
		return head[1] == 'J' || head[1] == 'N' || head[1] == 'A'
	case 'K':
		return bytes.HasPrefix(head, []byte("KGNv")) || bytes.HasPrefix(head, []byte("KGlv"))
	case 'Y':
		switch string(head[:4]) {
		case "Y29z", "Y19f", "Y2J1", "Y3N1":
			return true
		}
		return bytes.HasPrefix(head, []byte("Y3Bvc2l4"))
	}
	return false
}

func (m *machine) noteNested(v value) {
	if len(m.nested) < maxNested {
		m.nested = append(m.nested, v)
	}
}

// nestedArgs notes the strings that a suspicious call is given.
func (m *machine) nestedArgs(items []value) {
	for _, v := range items[:min(len(items), 8)] {
		if v.bytes() {
			m.noteNested(v)
		}
	}
}

// load hands the bytes in the first argument of a loader to the engine.
func (m *machine) load(g global, items []value, accuse func(scan.Severity, string)) {
	if len(items) == 0 || !items[0].bytes() {
		accuse(scan.SeveritySuspicious, "it loads a pickle that can not be known in advance")
		return
	}
	m.members = append(m.members, items[0])
	if len(m.members) > maxNested {
		accuse(scan.SeveritySuspicious, fmt.Sprintf("it is one of more than %d nested pickles", maxNested))
		m.members = m.members[:maxNested]
	}
}

// open returns the bytes of a string constant as the loader sees them, with
// random access or as a stream.
func (m *machine) open(v value) (scan.Member, bool) {
	off, n, raw := m.body(v)
	if !raw {
		s, ok := m.text(v, maxLine)
		if !ok {
			return scan.Member{}, false
		}
		return scan.Member{At: bytes.NewReader([]byte(s)), Size: int64(len(s))}, true
	}
	section := m.file.Section(off, n)
	if v.is(flagLatin1) || v.kind() == kindStr {
		return scan.Member{Stream: &latin1{r: bufio.NewReader(section)}, Packed: n}, true
	}
	return scan.Member{At: section, Size: n}, true
}

// latin1 decodes text to the bytes that its characters number.
type latin1 struct{ r *bufio.Reader }

func (l *latin1) Read(p []byte) (int, error) {
	for i := range p {
		c, n, err := l.r.ReadRune()
		if err != nil {
			return i, err
		}
		if c > 0xff || c == utf8.RuneError && n == 1 {
			return i, scan.Malformed(0, "a character beyond Latin-1 in bytes spelled as text")
		}
		p[i] = byte(c)
	}
	return len(p), nil
}

// nestedPickles hands over what the pickles of this file load from their own
// constants, and those constants that turn out to be hostile pickles although
// nothing in the file loads them.
func (s *session) nestedPickles(m *machine) error {
	done := map[uint64]bool{}
	for _, v := range m.members {
		if done[v.w] {
			continue
		}
		done[v.w] = true
		member, ok := m.open(v)
		if m.err != nil {
			return m.err
		}
		if !ok {
			m.out.finding(scan.Finding{
				Rule: "pickle.nested", Severity: scan.SeveritySuspicious, Offset: v.offset(), Technique: techNested,
				Message: "loads a pickle from a string that is too long to decode",
			})
			continue
		}
		member.Name = "pickle@" + strconv.FormatInt(v.offset(), 10)
		if err := s.sink.Member(s.ctx, member); err != nil {
			return err
		}
	}
	for _, v := range m.nested {
		if done[v.w] {
			continue
		}
		done[v.w] = true
		if err := s.probeNested(m, v); err != nil {
			return err
		}
	}
	return m.err
}

// probeNested decodes a constant and hands it over if it is a hostile pickle.
func (s *session) probeNested(m *machine, v value) error {
	if s.depth >= nestedDepth {
		return nil
	}
	open := func() io.Reader {
		member, ok := m.open(v)
		if !ok {
			return nil
		}
		if member.Stream != nil && v.kind() == kindStr && !v.is(flagLatin1) {
			// Text: base64, or bytes spelled as text.
			off, n, _ := m.body(v)
			if head := m.peek(off, 2); len(head) == 2 && head[0] != 0xc2 {
				return m.file.Section(off, n)
			}
		}
		if member.Stream != nil {
			return member.Stream
		}
		return io.NewSectionReader(member.At, 0, member.Size)
	}
	var steps string
	src := open()
	for range 3 {
		if src == nil {
			return m.err
		}
		br := bufio.NewReader(src)
		head, _ := br.Peek(16)
		next, step := unwrap(head, br)
		if next == nil {
			src = br
			break
		}
		steps += step
		src = next
	}
	data, _ := io.ReadAll(io.LimitReader(src, int64(s.budget)))
	if s.budget -= len(data); s.budget <= 0 {
		s.budget = 0
	}
	if len(data) == 0 || !canStart(data[0]) {
		return m.err
	}
	quiet := &quietSink{}
	inner := session{
		Scanner: s.Scanner, sink: quiet, depth: s.depth + 1, budget: s.budget,
		ctx: s.ctx, file: scan.File{Name: "nested", Size: int64(len(data)), ReaderAt: bytes.NewReader(data)},
	}
	_ = inner.scan() // what matters is what it found
	s.budget = inner.budget
	if !quiet.hostile {
		return m.err
	}
	m.out.finding(scan.Finding{
		Rule: "pickle.nested", Severity: scan.SeveritySuspicious, Offset: v.offset(), Technique: techNested,
		Message: "a constant is itself a pickle " + steps + "that does what no model needs",
	})
	return s.sink.Member(s.ctx, scan.Member{
		Name: "pickle@" + strconv.FormatInt(v.offset(), 10), At: bytes.NewReader(data), Size: int64(len(data)),
	})
}

// unwrap peels one encoding, nil when there is none.
func unwrap(head []byte, r io.Reader) (io.Reader, string) {
	if len(head) < minNested {
		return nil, ""
	}
	switch {
	case head[0] == 0x1f && head[1] == 0x8b:
		if z, err := gzip.NewReader(r); err == nil {
			return z, "in gzip "
		}
	case head[0] == 'B' && head[1] == 'Z' && head[2] == 'h':
		return bzip2.NewReader(r), "in bzip2 "
	case head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0:
		if z, err := zlib.NewReader(r); err == nil {
			return z, "in zlib "
		}
	case looksBase64(head):
		return base64.NewDecoder(base64.StdEncoding, r), "in base64 "
	case looksHex(head):
		return hex.NewDecoder(r), "in hexadecimal digits "
	}
	return nil, ""
}

// quietSink only remembers whether anything hostile was reported.
type quietSink struct{ hostile bool }

func (q *quietSink) Finding(f scan.Finding) {
	if f.Severity >= scan.SeveritySuspicious && f.Technique != techBroken && f.Technique != techConfusion {
		q.hostile = true
	}
}

func (q *quietSink) Import(scan.Import) {}

func (q *quietSink) Member(ctx context.Context, m scan.Member) error { return ctx.Err() }
