package tar_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
	scanner "modelwall/scan/tar"
)

const hello = "hello, world"

// raw is a header as the tests want it, right or wrong.
type raw struct {
	name, link string
	flag       byte
	size       int
	v7         bool
}

// block writes a header with a valid checksum.
func (r raw) block() []byte {
	b := make([]byte, 512)
	copy(b, r.name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00", r.size))
	b[156] = r.flag
	copy(b[157:], r.link)
	if !r.v7 {
		copy(b[257:], "ustar\x0000")
	}
	return sealed(b)
}

func sealed(b []byte) []byte {
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// file is a header and its content.
func file(name, body string) []byte { return member(raw{name: name, flag: '0', size: len(body)}, body) }

func member(r raw, body string) []byte {
	b := append(r.block(), body...)
	return append(b, make([]byte, -len(b)&511)...)
}

// pax are extension records for the next member.
func pax(flag byte, records ...string) []byte {
	var b strings.Builder
	for _, r := range records {
		n := len(r) + 3
		for len(fmt.Sprintf("%d %s\n", n, r)) != n {
			n++
		}
		fmt.Fprintf(&b, "%d %s\n", n, r)
	}
	return member(raw{name: "pax", flag: flag, size: b.Len()}, b.String())
}

func end() []byte { return make([]byte, 1024) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

type sample struct {
	name    string
	data    []byte
	rule    string // that must be found, "" for none at all
	worst   scan.Severity
	err     error
	members map[string]string // that must be among the members
}

func samples() []sample {
	sus, mal := scan.SeveritySuspicious, scan.SeverityMalicious
	plain := map[string]string{"a.bin": hello}
	long := strings.Repeat("d/", 80) + "a.bin"
	link := func(flag byte, name, to string) []byte {
		return join(raw{name: name, link: to, flag: flag}.block(), end())
	}
	return []sample{
		{"ustar", join(file("a.bin", hello), end()), "", scan.Info, nil, plain},
		{"v7", join(member(raw{name: "a.bin", size: 12, v7: true}, hello), end()), "", scan.Info, nil, plain},
		{"no end mark", file("a.bin", hello), "", scan.Info, nil, plain},
		{"folder", join(raw{name: "./d/", flag: '5'}.block(), file("./d/b", "b"), end()), "", scan.Info, nil, map[string]string{"./d/b": "b"}},
		{"pax path", join(pax('x', "path="+long, "mtime=1.5"), file("short", hello), end()), "", scan.Info, nil, map[string]string{long: hello}},
		{"pax size", join(pax('x', "size=12"), raw{name: "a.bin", flag: '0'}.block(), []byte(hello), make([]byte, 500), end()), "", scan.Info, nil, plain},
		{"GNU long name", join(member(raw{name: "././@LongLink", flag: 'L', size: len(long) + 1}, long+"\x00"), file("short", hello), end()), "", scan.Info, nil, map[string]string{long: hello}},
		{"global comment", join(pax('g', "comment=0123456789abcdef"), file("a.bin", hello), end()), "", scan.Info, nil, plain},
		{"base-256 size", join(base256("a.bin", hello), end()), "", scan.Info, nil, plain},
		{"link inside", link('2', "d/l", "../a.bin"), "tar.link", scan.Low, nil, nil},
		{"unknown type", join(member(raw{name: "a.bin", flag: 'Z', size: 12}, hello), end()), "", scan.Info, nil, plain},
		{"blocking factor", join(file("a.bin", hello), make([]byte, 10240)), "", scan.Info, nil, plain},

		{"slip", join(file("../a.bin", hello), end()), "tar.path", mal, nil, map[string]string{"../a.bin": hello}},
		{"absolute", join(file("/etc/cron.d/x", hello), end()), "tar.path", mal, nil, nil},
		{"windows slip", join(file(`a\..\..\b`, hello), end()), "tar.path", mal, nil, nil},
		{"drive", join(file(`C:\b`, hello), end()), "tar.path", mal, nil, nil},
		{"slip by pax", join(pax('x', "path=../../x"), file("x", hello), end()), "tar.path", mal, nil, nil},
		{"link to outside", link('2', "d/l", "../../x"), "tar.link", mal, nil, nil},
		{"link to a root", link('2', "l", "/etc/passwd"), "tar.link", mal, nil, nil},
		{"hard link to outside", link('1', "l", "../x"), "tar.link", mal, nil, nil},
		{"device", link('3', "dev/null", ""), "tar.device", sus, nil, nil},
		{"pipe", link('6', "p", ""), "tar.device", sus, nil, nil},
		{"two sizes", join(pax('x', "size=512"), member(raw{name: "a.bin", flag: '0', size: 12}, hello), end()), "tar.size", sus, nil, plain},
		{"global path", join(pax('g', "path=x"), file("a.bin", hello), end()), "tar.global", sus, nil, plain},
		{"member after the end", join(file("a.bin", hello), end(), file("h", "hid"), end()), "tar.hidden", sus, nil, map[string]string{"a.bin": hello, "h": "hid"}},
		{"member after one zero block", join(file("a.bin", hello), make([]byte, 512), file("h", "hid")), "tar.hidden", sus, nil, map[string]string{"h": "hid"}},
		{"member behind a bad header", join(file("a.bin", hello), bytes.Repeat([]byte("bad!"), 128), file("h", "hid"), end()), "tar.hidden", sus, scan.ErrMalformed, map[string]string{"h": "hid"}},
		{"first header damaged", join(bent(), file("h", "hid"), end()), "tar.broken", sus, scan.ErrMalformed, map[string]string{"h": "hid"}},
		{"cut off", join(file("a.bin", strings.Repeat("x", 2000)))[:1000], "tar.broken", sus, scan.ErrMalformed, map[string]string{"a.bin": strings.Repeat("x", 488)}},
		{"bad size", join(badSize(), file("a.bin", hello), end()), "tar.broken", sus, scan.ErrMalformed, plain},
		{"bad pax", join(member(raw{name: "pax", flag: 'x', size: 9}, "12 nothing"), file("a.bin", hello), end()), "tar.broken", sus, scan.ErrMalformed, plain},
		{"sparse", join(pax('x', "GNU.sparse.major=1", "GNU.sparse.name=real"), file("a.bin", hello), end()), "tar.sparse", scan.Low, scan.ErrLimit, map[string]string{"real": hello}},
		{"old sparse", join(member(raw{name: "a.bin", flag: 'S', size: 12}, hello), end()), "tar.sparse", scan.Low, scan.ErrLimit, plain},
		{"global sparse", join(pax('g', "GNU.sparse.map=600,512,0,12"), file("a.bin", hello), end()), "tar.sparse", scan.Low, scan.ErrLimit, plain},
		{"pax size that readers differ in", join(pax('x', "size= 512"), file("a.bin", strings.Repeat("#", 512)+string(file("h", "hid"))), end()), "tar.broken", sus, scan.ErrMalformed, nil},
		{"pax size of nothing", join(pax('x', "size="), file("a.bin", hello), end()), "tar.broken", sus, scan.ErrMalformed, nil},
		{"trailing", join(file("a.bin", hello), end(), []byte("more")), "tar.trailing", scan.Low, nil, map[string]string{"(trailing data)": "more"}},
		{"trailing blocks", join(file("a.bin", hello), end(), bytes.Repeat([]byte("more"), 256)), "tar.trailing", scan.Low, nil, map[string]string{"(trailing data)": strings.Repeat("more", 256)}},
		{"huge extension", join(raw{name: "pax", flag: 'x', size: 2 << 20}.block(), make([]byte, 2<<20), file("a.bin", hello)), "", scan.Info, scan.ErrLimit, plain},
	}
}

func base256(name, body string) []byte {
	b := file(name, body)
	copy(b[124:], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0c")
	copy(b, sealed(b[:512]))
	return b
}

func bent() []byte {
	b := file("a.bin", hello)
	b[0] ^= 1
	return b
}

func badSize() []byte {
	b := raw{name: "b", flag: '0'}.block()
	copy(b[124:], "twelve bytes")
	return sealed(b)
}

// TestNumbers: the checksum and the sizes in every spelling that Python takes.
func TestNumbers(t *testing.T) {
	for _, form := range []string{"%06o\x00 ", "%o", "+%o", "0o%o", "0O%o ", "\t%o\n", "\v%o\r", " %o"} {
		b := v7(form)
		if !scanner.New().Match(scantest.Probe("x", b)) {
			t.Errorf("%q: Match = false", form)
		}
		if r, err := scantest.Scan(scanner.New(), "x", b); err != nil || !has(r, "a.bin", hello) {
			t.Errorf("%q: error %v, members %q", form, err, r.Members)
		}
	}
	if scanner.New().Match(scantest.Probe("x", v7("-%o"))) {
		t.Error("Match = true for a negative checksum")
	}
}

// v7 is an archive without a magic, its checksum written by form.
func v7(form string) []byte {
	b := member(raw{name: "a.bin", size: 12, v7: true}, hello)
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	clear(b[148:156])
	copy(b[148:156], fmt.Sprintf(form, sum))
	return append(b, end()...)
}

func TestSamples(t *testing.T) {
	for _, c := range samples() {
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
	for _, c := range samples() {
		if len(c.data) < 64<<10 {
			all = append(all, scantest.Sample{Name: c.name, Data: c.data, Worst: c.worst, Err: c.err})
		}
	}
	scantest.Run(t, scanner.New(), all)
}

// TestEveryPrefix: a cut inside of a header or of content is noticed, and what
// stands before the cut comes out.
func TestEveryPrefix(t *testing.T) {
	data := join(file("a.bin", hello), file("b.bin", strings.Repeat("b", 700)))
	for n := 513; n < len(data); n++ {
		r, err := scantest.Scan(scanner.New(), "x", data[:n])
		padding := n >= 512+len(hello) && n <= 1024 || n >= 1024+512+700 && n <= 1024+512+1024
		if !errors.Is(err, scan.ErrMalformed) && !padding {
			t.Errorf("%d of %d bytes: error = %v", n, len(data), err)
		}
		if n >= 524 && !has(r, "a.bin", hello) {
			t.Errorf("%d of %d bytes: the first member is lost", n, len(data))
		}
	}
}

func TestMatch(t *testing.T) {
	for name, data := range map[string][]byte{
		"zeros":  make([]byte, 4096),
		"text":   bytes.Repeat([]byte("just a text "), 200),
		"short":  []byte("ustar"),
		"binary": bytes.Repeat([]byte{0x80, 2, 7, 0}, 400),
	} {
		if scanner.New().Match(scantest.Probe("x.tar", data)) {
			t.Errorf("%s: Match = true", name)
		}
	}
}

// TestAgainstStandardLibrary compares archives that Go writes.
func TestAgainstStandardLibrary(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		want := map[string]string{}
		for i, name := range []string{"a", "dir/b", strings.Repeat("long/", 30) + "name", "empty"} {
			body := strings.Repeat(name, i*700%2800)
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(body)), Format: format}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(body)); err != nil {
				t.Fatal(err)
			}
			want[name] = body
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := scantest.Scan(scanner.New(), "x", b.Bytes())
		if err != nil || len(r.Findings) > 0 {
			t.Errorf("%v: error %v, findings %+v", format, err, r.Findings)
		}
		got := map[string]string{}
		for _, m := range r.Members {
			got[m.Name] = string(m.Data)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: members (-want +got):\n%s", format, diff)
		}
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	tars := 0
	for _, e := range scantest.Corpus(t, corpus) {
		data, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !scanner.New().Match(scantest.Probe(e.Path, data)) {
			continue
		}
		tars++
		r, err := scantest.Scan(scanner.New(), e.Path, data)
		if err != nil || len(r.Members) == 0 && len(r.Findings) == 0 {
			t.Errorf("%s: %v, %d members", e.Path, err, len(r.Members))
		}
		if e.Label == "benign" && r.Worst() > scan.Info {
			t.Errorf("%s: %+v", e.Path, r.Findings)
		}
		if strings.HasPrefix(e.Technique, "tar ") && r.Worst() != scan.SeverityMalicious {
			t.Errorf("%s (%s): %+v", e.Path, e.Technique, r.Findings)
		}
	}
	if tars < 4 {
		t.Errorf("only %d tar archives in the corpus", tars)
	}
}

func FuzzScan(f *testing.F) {
	for _, c := range samples() {
		if len(c.data) < 16<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, scanner.New(), data) })
}

// TestPaddedPax: records before much padding are read in one pass. Reading the
// padding again for each takes minutes.
func TestPaddedPax(t *testing.T) {
	records := strings.Repeat("5 a=\n", 100_000)
	body := records + strings.Repeat("\x00", 1<<20-len(records))
	data := join(member(raw{name: "pax", flag: 'x', size: len(body)}, body), file("a.bin", hello), end())
	if r, err := scantest.Scan(scanner.New(), "x", data); err != nil || !has(r, "a.bin", hello) {
		t.Errorf("error %v, members %q", err, r.Members)
	}
}
