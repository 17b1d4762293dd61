package pickle

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
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
