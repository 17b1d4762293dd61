package pickle

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// wellFormed makes a pickle that every loader reads to its end, so that what
// stands far behind is reached as well.
func (g *generator) wellFormed() {
	if g.IntN(4) > 0 {
		g.raw("\x80", g.protocol())
	}
	body := len(g.b)
	for range g.IntN(6) {
		g.value(3)
		g.raw("0")
	}
	g.value(4)
	g.raw(".")
	if !g.old && g.IntN(3) == 0 { // the rest of it is one frame
		size := binary.LittleEndian.AppendUint64([]byte{opFrame}, uint64(len(g.b)-body))
		g.b = slices.Insert(g.b, body, size...)
	}
}

func (g *generator) text(s string) {
	k := g.IntN(8)
	if g.old {
		k %= 5
	}
	switch k {
	case 0:
		g.raw("S'" + s + "'\n")
	case 1:
		g.raw("V" + s + "\n")
	case 2, 3:
		g.raw("X", binary.LittleEndian.AppendUint32(nil, uint32(len(s)))...)
		g.raw(s)
	case 4:
		g.raw("U", byte(len(s)))
		g.raw(s)
	case 5:
		g.raw("\x8d", binary.LittleEndian.AppendUint64(nil, uint64(len(s)))...)
		g.raw(s)
	default:
		g.raw("\x8c", byte(len(s)))
		g.raw(s)
	}
}

// memoise stores what was just pushed, as often as not.
func (g *generator) memoise() {
	k := g.IntN(8)
	if g.old && k < 2 {
		k = 2
	}
	switch k {
	case 0, 1:
		g.raw("\x94")
	case 2:
		g.raw("q", byte(g.memo))
	case 3:
		g.raw("r", byte(g.memo), 0, 0, 0)
	case 4:
		g.raw("p" + strconv.Itoa(g.memo) + "\n")
	default:
		return
	}
	g.memo++
}

func (g *generator) recall() {
	i := g.IntN(g.memo)
	switch g.IntN(3) {
	case 0:
		g.raw("h", byte(i))
	case 1:
		g.raw("j", byte(i), 0, 0, 0)
	default:
		g.raw("g" + strconv.Itoa(i) + "\n")
	}
}

// value pushes one value, of at most that many levels.
func (g *generator) value(depth int) {
	k := g.IntN(20)
	if depth == 0 {
		k %= 8
	}
	switch k {
	case 0:
		g.raw(pick(g, "N", "\x88", "\x89", ")", "]", "}", "\x8f", "(t", "(l", "(d", "(\x91"))
	case 1:
		g.raw(pick(g, "K\x07", "M\x07\x01", "J\x01\x02\x03\x04", "I7\n", "I01\n", "L7L\n", "\x8a\x01\x07", "\x8b\x02\x00\x00\x00\x07\x01"))
	case 2:
		g.raw(pick(g, "F1.5\n", "G\x00\x00\x00\x00\x00\x00\x00\x00", "C\x01a", "B\x01\x00\x00\x00a", "\x8e\x01\x00\x00\x00\x00\x00\x00\x00a", "\x96\x01\x00\x00\x00\x00\x00\x00\x00a"))
	case 3, 4:
		g.text(pick(g, "a", "text", "a.b"))
		g.memoise()
	case 5, 6, 7:
		if g.memo > 0 && g.IntN(3) > 0 {
			g.recall()
			return
		}
		g.callable()
	case 8, 9:
		g.callable()
	case 10, 11:
		g.items(depth)
	case 12:
		g.raw("(")
		for range g.IntN(4) {
			g.value(depth - 1)
		}
		g.raw("t")
		g.memoise()
	default:
		g.object(depth)
	}
}

// callable pushes a global.
func (g *generator) callable() {
	m, n := g.name()
	if g.old || g.IntN(2) == 0 {
		g.raw("c" + m + "\n" + n + "\n")
	} else {
		for _, s := range []string{m, n} {
			if len(s) > 255 {
				s = s[:255]
			}
			if g.memo > 0 && g.IntN(6) == 0 {
				g.recall() // a text if the pickle is lucky
				continue
			}
			g.text(s)
			g.memoise()
		}
		g.raw("\x93")
	}
	g.memoise()
}

// items pushes a container and what it holds.
func (g *generator) items(depth int) {
	n := g.IntN(4)
	switch g.IntN(4) {
	case 0:
		g.raw("]")
		g.memoise()
		g.raw("(")
		for range n {
			g.value(depth - 1)
		}
		g.raw("e")
	case 1:
		g.raw("]")
		g.memoise()
		g.value(depth - 1)
		g.raw("a")
	case 2:
		g.raw("}")
		g.memoise()
		g.raw("(")
		for i := range n {
			g.raw("K", byte(i))
			g.value(depth - 1)
		}
		g.raw("u")
	default:
		g.raw("}")
		g.memoise()
		g.text("k")
		g.value(depth - 1)
		g.raw("s")
	}
}

func (g *generator) arguments(depth int) {
	switch n := g.IntN(5); n {
	case 0:
		g.raw(")")
	case 1, 2, 3:
		for range n {
			g.value(depth - 1)
		}
		g.raw(string([]byte{opTuple1, opTuple2, opTuple3})[n-1 : n])
	default:
		g.raw("(")
		g.value(depth - 1)
		g.raw("t")
	}
}

// object pushes an instance, in every way to make one, and fills it.
func (g *generator) object(depth int) {
	switch g.IntN(7) {
	case 0:
		g.raw("(")
		for range g.IntN(3) {
			g.value(depth - 1)
		}
		m, n := g.name()
		g.raw("i" + m + "\n" + n + "\n")
	case 1:
		g.raw("(")
		g.callable()
		for range g.IntN(3) {
			g.value(depth - 1)
		}
		g.raw("o")
	case 2:
		g.callable()
		g.arguments(depth)
		g.raw("\x81")
	case 3:
		g.callable()
		g.arguments(depth)
		g.raw(pick(g, "R", "}\x92"))
	case 4:
		g.value(depth - 1)
		g.raw("Q")
	default:
		g.callable()
		g.arguments(depth)
		g.raw("R")
	}
	g.memoise()
	switch g.IntN(6) {
	case 0:
		g.value(depth - 1)
		g.raw("a")
	case 1:
		g.raw("(")
		for range g.IntN(3) {
			g.value(depth - 1)
		}
		g.raw(pick(g, "e", "\x90"))
	case 2:
		g.raw("(K\x01")
		g.value(depth - 1)
		g.raw("u")
	case 3:
		g.raw("K\x01")
		g.value(depth - 1)
		g.raw("s")
	case 4:
		g.raw("}(X\x01\x00\x00\x00x")
		g.value(depth - 1)
		g.raw("ub")
	}
}
