package pickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
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
	o := newOracle(t)
	streams, seed := envInt(t, "MODELWALL_ORACLE_STREAMS", 3000), envInt(t, "MODELWALL_ORACLE_SEED", 1)
	const batch = 10_000
	asked, missed := 0, 0
	for from := seed; from < seed+streams && missed < 10; from += batch {
		var all [][]byte
		for i := from; i < min(from+batch, seed+streams); i++ {
			all = append(all, newGenerator(uint64(i)).stream())
		}
		for i, want := range o.ask(all) {
			asked += len(want)
			if miss := o.missing(all[i], want); miss != nil {
				missed++
				small := o.minimise(all[i])
				r, _ := scantest.Scan(o.scanner, "x", small)
				t.Errorf("stream %d asks for %q, which is no import; in short:\n%q\nasks for %q, have %v\n%v",
					from+i, miss, small, o.missing(small, o.ask([][]byte{small})[0]), r.Imports, r.Findings)
			}
		}
	}
	if asked == 0 {
		t.Error("no stream asked for anything")
	}
	t.Logf("%d streams from %d, %d globals asked for, %d missed", streams, seed, asked, missed)
}

// TestOracleFound has what a long run of TestOracle found, in short: the
// loaders of Python 2 ask for these pairs.
func TestOracleFound(t *testing.T) {
	for _, c := range []struct {
		stream string
		want   [2]string
	}{
		// "-0" and "00" are keys of their own where keys are texts.
		{"cx\ny\nq\x000g0\n0Np00\n0j\x00\x00\x00\x00(Neca\nb\n.", [2]string{"a", "b"}},
		{"cx\ny\nr\x00\x00\x00\x000g0\n0Np-0\n0(h\x00oca\nb\n.", [2]string{"a", "b"}},
	} {
		r, _ := scantest.Scan(forced(), "x", []byte(c.stream))
		if !slices.ContainsFunc(r.Imports, func(i scan.Import) bool { return [2]string{i.Module, i.Name} == c.want }) {
			t.Errorf("%q: %v, want %q", c.stream, r.Imports, c.want)
		}
	}
}

// oracle is CPython on the one hand and the scanner on the other.
type oracle struct {
	*testing.T
	python  string
	scanner scan.Scanner
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
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
	return &oracle{t, python, forced()}
}

// ask returns the pairs of module and name that each stream asks for.
func (o *oracle) ask(streams [][]byte) [][][2]string {
	o.Helper()
	var in bytes.Buffer
	for _, data := range streams {
		in.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(data))))
		in.Write(data)
	}
	cmd := exec.CommandContext(o.Context(), o.python, "testdata/oracle.py")
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = &in, &complaints
	out, err := cmd.Output()
	if err != nil {
		o.Fatalf("%v: %s", err, complaints.Bytes())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	asked := make([][][2]string, len(streams))
	for i := range streams {
		if !lines.Scan() {
			o.Fatalf("the oracle answers %d of %d streams", i, len(streams))
		}
		if err := json.Unmarshal(lines.Bytes(), &asked[i]); err != nil {
			o.Fatal(err)
		}
	}
	return asked
}

// missing returns those of the pairs that are no imports of the stream.
func (o *oracle) missing(data []byte, asked [][2]string) (miss [][2]string) {
	if len(asked) == 0 {
		return nil
	}
	r, _ := scantest.Scan(o.scanner, "x", data)
	have := map[[2]string]bool{}
	for _, imp := range r.Imports {
		have[[2]string{imp.Module, imp.Name}] = true
		have[[2]string{bytewise(imp.Module), bytewise(imp.Name)}] = true
	}
	for _, pair := range asked {
		// Without a module there is nothing to import.
		if pair[0] != "" && !strings.ContainsRune(pair[0]+pair[1], '\ufffd') && !have[pair] {
			miss = append(miss, pair)
		}
	}
	return miss
}

// minimise takes bytes out of a stream as long as something is missing.
func (o *oracle) minimise(data []byte) []byte {
	for size := len(data) / 2; size > 0; {
		var shorter [][]byte
		for at := 0; at+size <= len(data); at += max(1, size/2) {
			shorter = append(shorter, slices.Delete(slices.Clone(data), at, at+size))
		}
		asked := o.ask(shorter)
		found := -1
		for i := range shorter {
			if o.missing(shorter[i], asked[i]) != nil {
				found = i
				break
			}
		}
		if found < 0 {
			size /= 2
			continue
		}
		data = shorter[found]
		size = min(size, len(data)/2)
	}
	return data
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
