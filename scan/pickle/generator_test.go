package pickle

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator makes streams that are mostly well-formed pickles, in every way
// of spelling them, and partly any opcodes in any order.
type generator struct {
	*rand.Rand
	b     []byte
	depth int // values above the topmost mark
	marks []int
	memo  int
	next  int
	old   bool // protocols 0 to 2 only, which Python 2 reads
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.old = g.IntN(6) == 0
	return g
}

// protocol is the argument of PROTO.
func (g *generator) protocol() byte {
	if g.old {
		return byte(g.IntN(3))
	}
	return byte(g.IntN(6))
}

func (g *generator) raw(s string, v ...byte) { g.b = append(append(g.b, s...), v...) }

func (g *generator) name() (string, string) {
	g.next++
	m, n := fmt.Sprintf("m%d", g.next), fmt.Sprintf("n%d", g.IntN(9))
	switch g.IntN(40) {
	case 0:
		n += strings.Repeat("x", 100+g.IntN(1000))
	case 1:
		m += strings.Repeat(".x", 50+g.IntN(200))
	case 2:
		n += ".y"
	}
	return m, n
}

// pick chooses one of several spellings.
func pick(g *generator, of ...string) string {
	s := of[g.IntN(len(of))]
	for i := range len(s) {
		if g.old && (s[i] >= opShortBinUnicode || s[i] == opBinBytes || s[i] == opShortBinBytes) {
			return of[0]
		}
	}
	return s
}

func (g *generator) str(s string) {
	k := g.IntN(12)
	if len(s) > 255 && k != 1 && k != 2 && k != 3 && k != 5 {
		k = 0
	}
	if g.old && (k == 3 || k > 9) {
		k = 4 * g.IntN(2)
	}
	switch k {
	case 0:
		g.raw("S'" + s + "'" + pick(g, "", "", "", " ", "\t ") + "\n")
	case 1:
		g.raw("V" + fmt.Sprintf("\\u%04x", s[0]) + s[1:] + "\n")
	case 2:
		g.raw("X", binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
		g.raw(s)
	case 3:
		g.raw("\x8d", binary.LittleEndian.AppendUint64(nil, uint64(len(s)))...)
		g.raw(s)
	case 4:
		g.raw("U", byte(len(s)))
		g.raw(s)
	case 5:
		g.raw("T", binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
		g.raw(s)
	case 6:
		g.raw(fmt.Sprintf("S\"\\x%02x\\%03o%s\"\n", s[0], s[1], s[2:]))
	case 7:
		g.raw(fmt.Sprintf("V\\U%08X\\u%04X%s\n", s[0], s[1], s[2:]))
	case 8: // octal digits in excess, escapes that are none
		g.raw(fmt.Sprintf("S'\\%o\\%s%s'\n", 0o400+int(s[0]), pick(g, "q", "%", " "), s[1:]))
	case 9: // backslashes before u
		g.raw("V" + s + strings.Repeat("\\", g.IntN(4)) + "u0041\n")
	default:
		g.raw("\x8c", byte(len(s)))
		g.raw(s)
	}
	g.depth++
}

func (g *generator) constant() {
	switch g.IntN(16) {
	case 0:
		g.raw("N")
	case 1:
		g.raw("K", byte(g.IntN(256)))
	case 2:
		g.raw("M", byte(g.IntN(256)), 1)
	case 3:
		g.raw("J", 1, 2, 3, byte(g.IntN(256)))
	case 4:
		g.raw("I" + pick(g, "1", "01", "00", "-5", "010", "0x1f", " 7 ", "1_000", "99999999999999999999", "5\x00junk", "+3", "0o17", "1L", "\x00x", "\v5", "5 \x00y", "0b1", "-0x_f", "\x1c4") + "\n")
	case 5:
		g.raw("L" + pick(g, "1L", "12", "-3L", "0x10L", "L", " 4L ", "12 L", "7LL", "5\x00xL", "1_0L") + "\n")
	case 6:
		g.raw("F" + pick(g, "1.5", "nan", "-inf", "1e400", " 2.5", "1_0.5", "infinity", "0x1p3", "-nan", "+nan", "+Infinity", "\v1", "1\x00x", "nan ", ".5", "1_0") + "\n")
	case 7:
		g.raw("G", make([]byte, 8)...)
	case 8:
		g.raw(")")
	case 9:
		g.raw("]")
	case 10:
		g.raw("}")
	case 11:
		g.raw(pick(g, "N", "\x8f"))
	case 12:
		g.raw("\x8a", 2, 1, 0)
	case 13:
		g.raw(pick(g, "N", "C\x03abc"))
	case 14:
		g.raw(pick(g, "N", "B\x02\x00\x00\x00xy"))
	default:
		g.str("text")
		return
	}
	g.depth++
}

func (g *generator) step() {
	k := g.IntN(40)
	if g.old && (k >= 9 && k < 12 || k >= 35 && k < 37) {
		k = 6
	}
	switch {
	case k < 6:
		g.constant()
	case k < 9:
		m, n := g.name()
		g.raw("c" + m + "\n" + n + "\n")
		g.depth++
	case k < 12:
		m, n := g.name()
		g.str(m)
		g.put()
		g.str(n)
		g.put()
		g.raw("\x93")
		g.depth--
	case k < 14:
		g.marks = append(g.marks, g.depth)
		g.depth = 0
		g.raw("(")
	case k == 14 && len(g.marks) > 0:
		m, n := g.name()
		g.raw("i" + m + "\n" + n + "\n")
		g.closeMark(1)
	case k < 18 && len(g.marks) > 0:
		g.raw(pick(g, "t", "l", "1", "\x91"))
		g.closeMark(1)
	case k == 18 && len(g.marks) > 0 && g.depth%2 == 0:
		g.raw("d")
		g.closeMark(1)
	case k == 19 && len(g.marks) > 0 && g.depth > 0:
		g.raw("o")
		g.closeMark(1)
	case k == 20 && len(g.marks) > 0:
		g.raw(pick(g, "e", "u", "\x90"))
		g.closeMark(0)
	case k < 24 && g.depth > 0:
		g.put()
	case k < 28 && g.memo > 0:
		g.get(g.IntN(g.memo))
	case k < 30 && g.depth > 0:
		g.raw(pick(g, "2", "\x85", "Q", "0"))
	case k == 30 && g.depth > 1:
		g.raw(")R")
	case k == 31 && g.depth > 1:
		g.raw(pick(g, "R", "\x81", "b", "a", "\x86"))
		g.depth--
	case k == 32 && g.depth > 2:
		g.raw(pick(g, "s", "\x87", "\x92"))
		g.depth -= 2
	case k == 33:
		g.raw(pick(g, "Ppid\n", "P\n", "P\xff\n"))
		g.depth++
	case k == 38:
		g.compound()
	case k == 34:
		g.raw("\x80", g.protocol())
	case k == 35:
		n := [8]byte{byte(g.IntN(40))}
		if g.IntN(8) == 0 {
			n[g.IntN(8)] = byte(g.IntN(256))
		}
		g.raw("\x95", n[:]...)
	case k == 36:
		m, n := g.name()
		g.str(m)
		g.str(n)
		g.raw("\x93)R")
		g.depth--
	case k == 37:
		m, n := g.name()
		g.raw("(c" + m + "\n" + n + "\nK\x01o")
		g.depth++
	default:
		g.constant()
	}
}

// compound spells what a loader does to an object that it got by a global.
func (g *generator) compound() {
	m, n := g.name()
	object := "c" + m + "\n" + n + "\n"
	if g.IntN(2) == 0 {
		object += pick(g, ")R", ")\x81", ")}\x92", "N\x85R", "(t}(X\x01\x00\x00\x00aK\x01u\x92", "]R", "]\x81")
	}
	g.raw(object)
	g.raw(pick(g, "K\x01K\x02s", "(K\x01K\x02u", "(K\x01e", "K\x01a", "(K\x01\x90", "}b", "N}\x86b", "}(K\x01K\x02ub",
		"(u", "(e", "(\x90", "(K\x01u", "2b", "Q", "\x97", "\x98", "(lb", "NN\x87"))
	g.depth++
}

func (g *generator) closeMark(result int) {
	g.depth = g.marks[len(g.marks)-1] + result
	g.marks = g.marks[:len(g.marks)-1]
}

func (g *generator) put() {
	switch g.IntN(5) {
	case 0, 1:
		if g.old || g.IntN(2) == 0 {
			g.raw("q", byte(g.memo))
		} else {
			g.raw("\x94")
		}
	case 2:
		g.raw("r", byte(g.memo), 0, 0, 0)
	case 3:
		g.raw("p" + pick(g, "", "0", "+", " ", "-", "0_") + strconv.Itoa(g.memo) + pick(g, "", "", " ") + "\n")
	default:
		return
	}
	g.memo++
}

func (g *generator) get(i int) {
	switch g.IntN(3) {
	case 0:
		g.raw("h", byte(i))
	case 1:
		g.raw("j", byte(i), 0, 0, 0)
	default:
		g.raw("g" + pick(g, "", "", "0", "-", "+", "\t") + strconv.Itoa(i) + pick(g, "", "", "", "\x00z", " ") + "\n")
	}
	g.depth++
}

// stream returns a whole stream, one in three of them damaged.
func (g *generator) stream() []byte {
	count := 1
	if g.IntN(4) == 0 {
		count += 1 + g.IntN(3)
	}
	for range count {
		if g.IntN(2) == 0 {
			g.memo = 0 // else as one unpickler goes on
		}
		if g.IntN(3) > 0 {
			g.wellFormed()
		} else {
			g.any()
		}
	}
	if g.IntN(3) == 0 {
		g.damage()
	}
	return g.b
}

// any makes a pickle of opcodes as they come.
func (g *generator) any() {
	g.depth, g.marks = 0, nil
	if g.IntN(3) > 0 {
		g.raw("\x80", g.protocol())
	}
	for range 3 + g.IntN(40) {
		g.step()
	}
	if g.depth == 0 {
		g.raw("N")
	}
	g.raw(".")
}

func (g *generator) damage() {
	for range 1 + g.IntN(3) {
		at := g.IntN(len(g.b))
		switch g.IntN(4) {
		case 0:
			g.b[at] = byte(g.IntN(256))
		case 1:
			g.b = append(g.b[:at:at], g.b[at+1:]...)
		case 2:
			g.b = append(append(g.b[:at:at], byte(g.IntN(256))), g.b[at:]...)
		default:
			g.b = g.b[:at]
		}
		if len(g.b) == 0 {
			break
		}
	}
}
