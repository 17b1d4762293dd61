package pickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// TestOracle compares with CPython's own unpicklers, which ask an inert
// find_class for globals: every pair that one of them asks for must be an
// import here. CI installs python3. MODELWALL_ORACLE_STREAMS sets how many
// streams are run, MODELWALL_ORACLE_SEED where they begin, and
// MODELWALL_ORACLE_PYTHON another interpreter.
func TestOracle(t *testing.T) {
	python := os.Getenv("MODELWALL_ORACLE_PYTHON")
	if python == "" {
		python = "python3"
	}
	if _, err := exec.LookPath(python); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	streams, seed := envInt(t, "MODELWALL_ORACLE_STREAMS", 3000), envInt(t, "MODELWALL_ORACLE_SEED", 1)
	const batch = 10_000
	asked, missed, scanner := 0, 0, forced()
	for from := 0; from < streams && missed < 10; from += batch {
		var all [][]byte
		var in bytes.Buffer
		for i := from; i < min(from+batch, streams); i++ {
			data := newGenerator(uint64(seed + i)).stream()
			all = append(all, data)
			in.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
			in.Write(data)
		}
		cmd := exec.CommandContext(t.Context(), python, "testdata/oracle.py")
		cmd.Stdin, cmd.Stderr = &in, os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		lines.Buffer(nil, 1<<20)
		for i, data := range all {
			if !lines.Scan() {
				t.Fatalf("the oracle answers %d of %d streams", i, len(all))
			}
			var want [][2]string
			if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
				t.Fatal(err)
			}
			have := map[[2]string]bool{}
			r, _ := scantest.Scan(scanner, "x", data)
			for _, imp := range r.Imports {
				have[[2]string{imp.Module, imp.Name}] = true
				have[[2]string{bytewise(imp.Module), bytewise(imp.Name)}] = true
			}
			for _, w := range want {
				asked++
				// Without a module there is nothing to import.
				if w[0] == "" || strings.ContainsRune(w[0]+w[1], '\ufffd') {
					continue
				}
				if !have[w] {
					missed++
					t.Errorf("stream %d asks for %q, which is no import:\n%q\nhave %v\n%v", seed+from+i, w, data, r.Imports, r.Findings)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no stream asked for anything")
	}
	t.Logf("%d streams, %d globals asked for, %d missed", streams, asked, missed)
}

// bytewise shows a name as Python 2 has it, one character for each byte.
func bytewise(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// forced scans as if every stream were known to be a pickle.
func forced() scan.Scanner {
	s := New()
	s.forced = true
	return s
}

func envInt(t *testing.T, name string, def int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// generator makes streams that are mostly well-formed pickles, in every way
// of spelling them, and partly not.
type generator struct {
	*rand.Rand
	b     []byte
	depth int // values above the topmost mark
	marks []int
	memo  int
	next  int
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 0))} }

func (g *generator) raw(s string, v ...byte) { g.b = append(append(g.b, s...), v...) }

func (g *generator) name() (string, string) {
	g.next++
	return fmt.Sprintf("m%d", g.next), fmt.Sprintf("n%d", g.IntN(9))
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) str(s string) {
	switch g.IntN(9) {
	case 0:
		g.raw("S'" + s + "'\n")
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
		g.raw(fmt.Sprintf("S\"\\x%02x\\%03o%s\"\n", s[0], s[1], s[2:]+""))
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
		g.raw("I" + pick(g, "1", "01", "00", "-5", "010", "0x1f", " 7 ", "1_000", "99999999999999999999", "5\x00junk", "+3", "0o17", "1L") + "\n")
	case 5:
		g.raw("L" + pick(g, "1L", "12", "-3L", "0x10L", "L", " 4L ") + "\n")
	case 6:
		g.raw("F" + pick(g, "1.5", "nan", "-inf", "1e400", " 2.5", "1_0.5", "infinity", "0x1p3") + "\n")
	case 7:
		g.raw("G", make([]byte, 8)...)
	case 8:
		g.raw(")")
	case 9:
		g.raw("]")
	case 10:
		g.raw("}")
	case 11:
		g.raw("\x8f")
	case 12:
		g.raw("\x8a", 2, 1, 0)
	case 13:
		g.raw("C", 3)
		g.raw("abc")
	case 14:
		g.raw("B", 2, 0, 0, 0)
		g.raw("xy")
	default:
		g.str("text")
		return
	}
	g.depth++
}

func (g *generator) step() {
	switch k := g.IntN(40); {
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
		g.raw("Ppid\n")
		g.depth++
	case k == 34:
		g.raw("\x80", byte(g.IntN(6)))
	case k == 35:
		g.raw("\x95", byte(g.IntN(40)), 0, 0, 0, 0, 0, 0, 0)
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

func (g *generator) closeMark(result int) {
	g.depth = g.marks[len(g.marks)-1] + result
	g.marks = g.marks[:len(g.marks)-1]
}

func (g *generator) put() {
	switch g.IntN(5) {
	case 0:
		g.raw("\x94")
	case 1:
		g.raw("q", byte(g.memo))
	case 2:
		g.raw("r", byte(g.memo), 0, 0, 0)
	case 3:
		g.raw("p" + pick(g, "", "0", "+", " ") + strconv.Itoa(g.memo) + pick(g, "", "", " ") + "\n")
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
		g.raw("g" + pick(g, "", "", "0") + strconv.Itoa(i) + "\n")
	}
	g.depth++
}

// stream returns a whole stream, one in three of them damaged.
func (g *generator) stream() []byte {
	if g.IntN(3) > 0 {
		g.raw("\x80", byte(g.IntN(6)))
	}
	for range 3 + g.IntN(40) {
		g.step()
	}
	if g.depth == 0 {
		g.raw("N")
	}
	g.raw(".")
	if g.IntN(3) == 0 {
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
	return g.b
}
