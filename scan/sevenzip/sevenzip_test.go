package sevenzip_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"modelwall/scan"
	"modelwall/scan/scantest"
	scanner "modelwall/scan/sevenzip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hello = "hello, world"

type sample struct {
	name    string
	data    []byte
	rule    string // that must be found, "" for none at all
	worst   scan.Severity
	err     error
	members map[string]string // that must be among the members
}

func samples(t testing.TB) []sample {
	sus, mal := scan.SeveritySuspicious, scan.SeverityMalicious
	two := []entry{{name: "a.pkl", body: hello}, {name: "d", dir: true}, {name: "d/empty"}, {name: "d/b", body: "second"}}
	both := map[string]string{"a.pkl": hello, "d/b": "second", "d/empty": ""}
	one := func(name string) []entry { return []entry{{name: name, body: hello}} }
	link := func(to string) []entry { return []entry{{name: "d/l", body: to, attrs: 0o120777<<16 | 0x8000}} }
	whole := build{entries: two, method: "lzma"}.write(t)
	bad := bytes.Clone(whole)
	bad[34] ^= 0xff
	return []sample{
		{"copy", build{entries: two, method: "copy"}.write(t), "", scan.Info, nil, both},
		{"lzma", whole, "", scan.Info, nil, both},
		{"lzma2", build{entries: two, method: "lzma2"}.write(t), "", scan.Info, nil, both},
		{"packed header", build{entries: two, method: "lzma2", packed: true}.write(t), "", scan.Info, nil, both},
		{"checksums", build{entries: two, method: "lzma", sums: true}.write(t), "", scan.Info, nil, both},
		{"empty", seal(nil, nil), "", scan.Info, nil, nil},
		{"trailing data", append(build{entries: two, method: "copy"}.write(t), "more"...), "", scan.Info, nil, both},
		{"two folders", folders(), "", scan.Info, nil, map[string]string{"a": "first", "b": "second"}},
		{"link inside", build{entries: link("../a"), method: "copy"}.write(t), "sevenzip.symlink", scan.Low, nil, nil},

		{"slip", build{entries: one("../x"), method: "copy"}.write(t), "sevenzip.path", mal, nil, map[string]string{"../x": hello}},
		{"absolute", build{entries: one("/etc/x"), method: "copy"}.write(t), "sevenzip.path", mal, nil, nil},
		{"windows", build{entries: one(`..\x`), method: "copy"}.write(t), "sevenzip.path", mal, nil, nil},
		{"drive", build{entries: one(`C:\x`), method: "copy"}.write(t), "sevenzip.path", mal, nil, nil},
		{"link to outside", build{entries: link("../../x"), method: "copy"}.write(t), "sevenzip.symlink", mal, nil, nil},
		{"link to a root", build{entries: link("/etc/passwd"), method: "copy"}.write(t), "sevenzip.symlink", mal, nil, nil},
		{"wrong checksum", build{entries: two, method: "lzma", sums: true, badSum: true}.write(t), "sevenzip.crc", sus, nil, both},
		{"encrypted", build{entries: two, method: "copy", coder: "\x06\xf1\x07\x01", props: []byte{0x53, 7}}.write(t), "sevenzip.encrypted", sus, scan.ErrLimit, nil},
		{"encrypted in part", mixed(), "sevenzip.encrypted", sus, scan.ErrLimit, map[string]string{"p": "plain"}},
		{"unknown coder", build{entries: two, method: "copy", coder: "\x04\xf7\x11\x01"}.write(t), "sevenzip.method", scan.Low, scan.ErrLimit, nil},
		{"damaged", bad, "sevenzip.data", sus, scan.ErrMalformed, nil},
		{"one file more", build{entries: two, method: "copy", extra: 1}.write(t), "sevenzip.broken", sus, scan.ErrMalformed, both},
		{
			"one file less", build{entries: two, method: "lzma2", unnamed: 1}.write(t), "sevenzip.hidden", sus, nil,
			map[string]string{"a.pkl": hello, "(stream without a name)": "second"},
		},
		{"wrong end header", wrongEnd(whole), "sevenzip.broken", sus, scan.ErrMalformed, nil},
		{"not finished", unfinished(whole), "sevenzip.broken", sus, scan.ErrMalformed, nil},
		{"first header damaged", firstDamaged(whole), "sevenzip.broken", sus, scan.ErrMalformed, nil},
		{"dictionary of 3 GiB", build{entries: two, method: "lzma", props: []byte{0x5d, 0, 0, 0, 0xc0}}.write(t), "sevenzip.method", scan.Low, scan.ErrLimit, nil},
		{"dictionary of 3 GiB, lzma2", build{entries: two, method: "lzma2", props: []byte{39}}.write(t), "sevenzip.method", scan.Low, scan.ErrLimit, nil},
		{"model of 128 MiB for a few bytes", build{entries: two, method: "copy", coder: "\x03\x04\x01", props: []byte{6, 0, 0, 0, 8}}.write(t), "sevenzip.method", scan.Low, scan.ErrLimit, nil},
		{"a thousand million files", build{entries: two, method: "copy", count: 1_000_000_000}.write(t), "", scan.Info, scan.ErrLimit, nil},
		{"garbage header", seal([]byte("packed"), bytes.Repeat([]byte{1, 4, 6, 0xff}, 9)), "sevenzip.broken", sus, scan.ErrMalformed, nil},
	}
}

func wrongEnd(whole []byte) []byte {
	b := bytes.Clone(whole)
	b[len(b)-5] ^= 0xff
	return b
}

func unfinished(whole []byte) []byte {
	b := bytes.Clone(whole)
	copy(b, seal(nil, nil))
	return b
}

func firstDamaged(whole []byte) []byte {
	b := bytes.Clone(whole)
	b[20] ^= 1
	return b
}

func TestSamples(t *testing.T) {
	for _, c := range samples(t) {
		t.Run(c.name, func(t *testing.T) {
			r, err := scantest.Scan(scanner.New(), "x", c.data)
			if !errors.Is(err, c.err) {
				t.Errorf("error = %v, want class %v", err, c.err)
			}
			if r.Worst() != c.worst {
				t.Errorf("worst finding = %v, want %v", r.Worst(), c.worst)
			}
			if c.rule == "" != (len(r.Findings) == 0) || c.rule != "" && !found(r, c.rule) {
				t.Errorf("findings = %+v, want %q", r.Findings, c.rule)
			}
			for name, body := range c.members {
				if !has(r, name, body) {
					t.Errorf("no member %q with %q; members: %q", name, body, r.Members)
				}
			}
		})
	}
}

func found(r *scantest.Record, rule string) bool {
	for _, f := range r.Findings {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

func has(r *scantest.Record, name, body string) bool {
	for _, m := range r.Members {
		if m.Name == name && string(m.Data) == body {
			return true
		}
	}
	return false
}

func TestAcceptance(t *testing.T) {
	var all []scantest.Sample
	for _, c := range samples(t) {
		all = append(all, scantest.Sample{Name: c.name, Data: c.data, Worst: c.worst, Err: c.err})
	}
	scantest.Run(t, scanner.New(), all)
}

// TestEveryPrefix: an archive that was cut off anywhere is malformed, since
// what it holds is listed at its end.
func TestEveryPrefix(t *testing.T) {
	data := build{entries: []entry{{name: "a", body: hello}}, method: "lzma", packed: true}.write(t)
	for n := 6; n < len(data); n++ {
		if _, err := scantest.Scan(scanner.New(), "x", data[:n]); !errors.Is(err, scan.ErrMalformed) {
			t.Errorf("%d of %d bytes: error = %v", n, len(data), err)
		}
	}
}

// TestDamage: what decodes before damage comes out, and the damage ends the
// files of that folder only once.
func TestDamage(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 4000)
	for _, method := range []string{"lzma", "copy"} {
		data := build{entries: []entry{{name: "a", body: "front"}, {name: "b", body: body}, {name: "c", body: body}}, method: method, sums: true}.write(t)
		data[len(data)*2/3] ^= 0xff // in the packed stream or in its list
		data[60] ^= 0xff
		r, err := scantest.Scan(scanner.New(), "x", data)
		if err == nil && r.Worst() < scan.SeveritySuspicious {
			t.Errorf("%s: %v, findings %+v", method, err, r.Findings)
		}
	}
	data := build{entries: []entry{{name: "a", body: "front"}, {name: "b", body: body}}, method: "lzma"}.write(t)
	data[52] ^= 0xff
	r, err := scantest.Scan(scanner.New(), "x", data)
	if !errors.Is(err, scan.ErrMalformed) || !has(r, "a", "front") {
		t.Errorf("%v, members %q", err, r.Members)
	}
}

// TestMemory: a dictionary of 256 MiB is announced for a few bytes. Nothing of
// that size is reserved.
func TestMemory(t *testing.T) {
	for method, props := range map[string][]byte{"lzma": {0x5d, 0, 0, 0, 0x10}, "lzma2": {32}} {
		data := build{entries: []entry{{name: "a", body: hello}}, method: method, props: props}.write(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := scantest.Scan(scanner.New(), "x", data)
		runtime.ReadMemStats(&after)
		if err != nil || !has(r, "a", hello) {
			t.Errorf("%s: %v, members %q", method, err, r.Members)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
			t.Errorf("%s: %d MiB were allocated", method, got>>20)
		}
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	met := 0
	for _, e := range scantest.Corpus(t, corpus) {
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !scanner.New().Match(scantest.Probe(e.Path, data)) {
			continue
		}
		met++
		r, err := scantest.Scan(scanner.New(), e.Path, data)
		if err != nil || len(r.Members) == 0 {
			t.Errorf("%s: %v, findings %+v, %d members", e.Path, err, r.Findings, len(r.Members))
		}
	}
	if met < 2 {
		t.Errorf("only %d 7z archives in the corpus", met)
	}
}

func FuzzScan(f *testing.F) {
	for _, c := range samples(f) {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, scanner.New(), data) })
}
