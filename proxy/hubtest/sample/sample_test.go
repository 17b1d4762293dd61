package sample_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bodgit/sevenzip"

	"modelwall/proxy/hubtest/sample"
)

func all() map[string]func() []byte {
	return map[string]func() []byte{
		"safetensors":          func() []byte { return sample.Safetensors(1, 1000) },
		"gguf":                 func() []byte { return sample.GGUF(1, 1000) },
		"pickle":               sample.PickleClean,
		"malicious pickle":     sample.PickleMalicious,
		"broken pickle":        sample.BrokenPickle,
		"7z":                   sample.BrokenPickleSevenZip,
		"checkpoint":           func() []byte { return sample.Checkpoint(1, 1000) },
		"malicious checkpoint": func() []byte { return sample.CheckpointMalicious(1, 1000) },
	}
}

func TestDeterministic(t *testing.T) {
	for name, make := range all() {
		if !bytes.Equal(make(), make()) {
			t.Errorf("%s differs from run to run", name)
		}
	}
	if bytes.Equal(sample.Random(1, 9), sample.Random(2, 9)) {
		t.Error("two seeds give the same bytes")
	}
}

func TestSafetensors(t *testing.T) {
	b := sample.Safetensors(1, 4001)
	n := binary.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	var tensor struct {
		Shape   []int    `json:"shape"`
		Offsets []uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(header["encoder.weight"], &tensor); err != nil {
		t.Fatal(err)
	}
	if n%8 != 0 || tensor.Shape[0] != 1000 || tensor.Offsets[1] != 4000 || uint64(len(b)) != 8+n+4000 {
		t.Errorf("header %d, %+v, %d bytes", n, tensor, len(b))
	}
}

func TestGGUF(t *testing.T) {
	b := sample.GGUF(1, 4000)
	if !bytes.HasPrefix(b, []byte("GGUF\x03\x00\x00\x00")) || (len(b)-4000)%32 != 0 {
		t.Errorf("%d bytes, %q", len(b), b[:8])
	}
}

func TestTorchZip(t *testing.T) {
	for name, b := range map[string][]byte{"clean": sample.Checkpoint(1, 8192), "malicious": sample.CheckpointMalicious(1, 8192)} {
		zr, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		members := map[string][]byte{}
		for _, f := range zr.File {
			at, err := f.DataOffset()
			if err != nil || at%64 != 0 || f.Method != zip.Store {
				t.Errorf("%s: %s at %d, method %d, %v", name, f.Name, at, f.Method, err)
			}
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if members[f.Name], err = io.ReadAll(r); err != nil {
				t.Errorf("%s: %s: %v", name, f.Name, err)
			}
		}
		if len(members["archive/data/0"]) != 8192 || len(members["archive/data/1"]) != 64 || string(members["archive/version"]) != "3\n" {
			t.Errorf("%s: members %d, %d", name, len(members["archive/data/0"]), len(members["archive/data/1"]))
		}
		if bytes.Contains(members["archive/data.pkl"], []byte("cposix\nsystem\n")) != (name == "malicious") {
			t.Errorf("%s: data.pkl %q", name, members["archive/data.pkl"])
		}
	}
}

// TestPickles compares the samples with Python's own disassembler, which
// reads opcodes and executes none.
func TestPickles(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("needs python3: %v", err)
	}
	const script = `
import pickletools, sys
names = []
try:
    for op, arg, pos in pickletools.genops(sys.stdin.buffer.read()):
        if op.name == "GLOBAL": names.append(arg.replace(" ", "."))
    print(op.name, *sorted(set(names)))
except Exception as e:
    print("broken", *sorted(set(names)))
`
	state := sample.StateDict(sample.Tensor{Name: "w", Shape: []int32{300, 300}}, sample.Tensor{Name: "b", Shape: []int32{3}})
	for name, tt := range map[string]struct {
		pickle []byte
		want   string
	}{
		"clean":      {sample.PickleClean(), "STOP"},
		"malicious":  {sample.PickleMalicious(), "STOP posix.system"},
		"broken":     {sample.BrokenPickle(), "broken posix.system"},
		"state dict": {state, "STOP collections.OrderedDict torch.FloatStorage torch._utils._rebuild_tensor_v2"},
	} {
		cmd := exec.CommandContext(t.Context(), python, "-c", script)
		cmd.Stdin = bytes.NewReader(tt.pickle)
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%s: %q, want %q, %v", name, got, tt.want, err)
		}
	}
	// dis also checks the stack and the memo.
	cmd := exec.CommandContext(t.Context(), python, "-c", "import pickletools, sys; pickletools.dis(sys.stdin.buffer.read())")
	cmd.Stdin = bytes.NewReader(state)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("state dict: %v\n%s", err, out)
	}
}

func TestSevenZip(t *testing.T) {
	members := []sample.Member{
		{Name: "a.txt", Content: []byte("a")},
		{Name: "dir/é.bin", Content: sample.Random(1, 20_000)},
		{Name: "big", Content: sample.Random(2, 3<<20)},
	}
	for n := 1; n <= len(members); n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := sample.SevenZip(members[:n]...)
			zr, err := sevenzip.NewReader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if len(zr.File) != n {
				t.Fatalf("%d members, want %d", len(zr.File), n)
			}
			for i, f := range zr.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(r)
				if err != nil {
					t.Error(err)
				}
				r.Close()
				if f.Name != members[i].Name || !bytes.Equal(content, members[i].Content) {
					t.Errorf("%s: %d bytes, want %s with %d", f.Name, len(content), members[i].Name, len(members[i].Content))
				}
			}
		})
	}
}

func TestSevenZipByItsOwnProgram(t *testing.T) {
	program, err := exec.LookPath("7z")
	if err != nil {
		t.Skipf("needs 7z of p7zip-full: %v", err)
	}
	name := filepath.Join(t.TempDir(), "x.7z")
	if err := os.WriteFile(name, sample.BrokenPickleSevenZip(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "t", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Everything is Ok") {
		t.Errorf("%v\n%s", err, out)
	}
}
