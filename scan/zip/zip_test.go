package zip_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
	scanner "modelwall/scan/zip"
)

const hello = "hello, world"

// one makes an archive of a plain member that change has been at.
func one(change func(*item)) []byte {
	it := stored("a.bin", hello)
	change(&it)
	return archive(it)
}

// sample is an archive with what has to come out of it.
type sample struct {
	name    string
	data    []byte
	rule    string // that must be found, "" for none at all
	worst   scan.Severity
	err     error
	members map[string]string // that must be among the members
}

func samples(t testing.TB) []sample {
	both := func(f func(*header)) func(*item) {
		return func(it *item) { f(&it.local); f(&it.central) }
	}
	only := map[string]string{"a.bin": hello}
	sus, mal := scan.SeveritySuspicious, scan.SeverityMalicious
	return []sample{
		{"plain", archive(stored("a.bin", hello), stored("dir/", ""), stored("dir/b", "b")), "", scan.Info, nil, map[string]string{"a.bin": hello, "dir/b": "b"}},
		{"empty archive", endRecord(nil, 0, 0, 0, ""), "", scan.Info, nil, nil},
		{"comment", endRecord(nil, 0, 0, 0, "nothing here"), "", scan.Info, nil, nil},
		{"deflate", archive(packed(t, "a.bin", hello, 8)), "", scan.Info, nil, only},
		{"bzip2", archive(packed(t, "a.bin", hello, 12)), "", scan.Info, nil, only},
		{"lzma", archive(packed(t, "a.bin", hello, 14)), "", scan.Info, nil, only},
		{"zstd", archive(packed(t, "a.bin", hello, 93)), "", scan.Info, nil, only},
		{"xz", archive(packed(t, "a.bin", hello, 95)), "", scan.Info, nil, only},
		{"data descriptors of macOS", archive(halfStreamed(packed(t, "b", hello, 8), len(hello)), stored("a.bin", hello)), "", scan.Info, nil, map[string]string{"a.bin": hello, "b": hello}},
		{"data descriptor and another size", archive(halfStreamed(packed(t, "b", hello, 8), 1)), "zip.size", scan.SeveritySuspicious, nil, map[string]string{"b": hello}},
		{"data descriptors", archive(streamed(stored("a.bin", hello)), streamed(packed(t, "b", hello, 8))), "", scan.Info, nil, map[string]string{"a.bin": hello, "b": hello}},
		{"prefix", prefixed("#!/bin/sh\nexit\n", stored("a.bin", hello)), "", scan.Info, nil, only},
		{"prefix, offsets moved", moved("MZ stub", stored("a.bin", hello)), "", scan.Info, nil, only},
		{"zip64 sizes", one(both(func(h *header) { h.packed, h.size, h.extra = 1<<32-1, 1<<32-1, zip64(12, 12) })), "", scan.Info, nil, only},
		{"zip64 end record", wide(false, stored("a.bin", hello)), "", scan.Info, nil, only},
		{"zip64 end record only", wide(true, stored("a.bin", hello)), "", scan.Info, nil, only},
		{"zip64 as long as a central record", echoed(false), "", scan.Info, nil, map[string]string{strings.Repeat("n", 30): "first", "b": "second"}},
		{"zip in a zip", archive(stored("inner.zip", string(archive(stored("x", "y"))))), "", scan.Info, nil, nil},
		{"split mark", splitMark(stored("a.bin", hello)), "", scan.Info, nil, only},
		{"symlink inside", one(func(it *item) { *it = stored("d/l", "../a.bin"); it.mode = 0o120777 }), "zip.symlink", scan.Low, nil, nil},
		{"backslash", archive(stored(`d\a.bin`, hello)), "zip.path", scan.Low, nil, nil},
		{"trailing zeros", append(archive(stored("a.bin", hello)), make([]byte, 100)...), "", scan.Info, nil, only},
		{"gap of text", one(func(it *item) { it.tail = []byte("nobody reads this") }), "zip.gap", scan.Low, nil, only},

		{"local name differs", one(func(it *item) { it.local.name = "b.bin" }), "zip.name", sus, nil, map[string]string{"a.bin": hello, "b.bin": hello}},
		{"unicode name differs", one(both(func(h *header) { h.extra = unicodePath("a.bin", "x.pkl") })), "zip.name", sus, nil, map[string]string{"a.bin": hello, "x.pkl": hello}},
		{"zero byte in name", archive(stored("a.pkl\x00.txt", hello)), "zip.name", sus, nil, nil},
		{"local method differs", one(func(it *item) { it.local.method = 8 }), "zip.method", sus, scan.ErrMalformed, only},
		{"central method differs", methodLie(t), "zip.method", sus, nil, map[string]string{"a.bin": hello}},
		{"local size shorter", one(func(it *item) { it.local.packed, it.local.size = 5, 5 }), "zip.size", sus, nil, map[string]string{"a.bin": "hello"}},
		{"central size shorter", one(func(it *item) { it.central.packed, it.central.size = 5, 5 }), "zip.size", sus, nil, map[string]string{"a.bin": hello}},
		{"stored with two sizes", one(both(func(h *header) { h.size = 5 })), "zip.size", sus, nil, map[string]string{"a.bin": "hello"}},
		{"deflate size lies", archive(sizeLie(t)), "zip.size", sus, nil, only},
		{"checksum differs", one(func(it *item) { it.local.crc++ }), "zip.crc", sus, nil, only},
		{"checksum wrong", one(both(func(h *header) { h.crc = 0 })), "zip.crc", sus, nil, only},
		{"checksum of deflate wrong", archive(crcLie(t)), "zip.crc", sus, nil, only},
		{"encrypted bit in the local header", one(func(it *item) { it.local.flags = 1 }), "zip.flags", sus, nil, only},
		{"encrypted bit in both, plain body", one(both(func(h *header) { h.flags = 1 })), "zip.flags", sus, nil, only},
		{"strong and masked bits", one(both(func(h *header) { h.flags = 0x2060 })), "zip.flags", sus, nil, only},
		{"encrypted", one(func(it *item) { it.local.flags, it.central.flags = 1, 1; it.body = []byte("\x13\x37zzzzzzzzzz") }), "zip.encrypted", sus, scan.ErrLimit, nil},
		{"AES", one(both(func(h *header) { h.flags, h.method = 1, 99 })), "zip.encrypted", sus, scan.ErrLimit, nil},
		{"unknown method", one(both(func(h *header) { h.method = 9 })), "zip.method", scan.Low, scan.ErrLimit, nil},
		{"duplicate", archive(stored("a", "first"), stored("a", "second")), "zip.duplicate", sus, nil, map[string]string{"a": "first"}},
		{"duplicate by case", archive(stored("a", "first"), stored("A", "second")), "zip.duplicate", sus, nil, map[string]string{"a": "first", "A": "second"}},
		{"duplicate by spelling", archive(stored("d/a", "first"), stored("d//a", "second")), "zip.duplicate", sus, nil, map[string]string{"d/a": "first", "d//a": "second"}},
		{"hidden first", archive(hide(stored("h", "hid")), stored("a.bin", hello)), "zip.hidden", sus, nil, map[string]string{"a.bin": hello, "h": "hid"}},
		{"hidden between", archive(stored("a.bin", hello), hide(stored("h", "hid")), stored("b", "b")), "zip.hidden", sus, nil, map[string]string{"h": "hid", "b": "b"}},
		{"hidden last", archive(stored("a.bin", hello), hide(stored("h", "hid"))), "zip.hidden", sus, nil, map[string]string{"h": "hid"}},
		{"hidden deflated and streamed", archive(hide(streamed(packed(t, "h", "hid", 8))), stored("a.bin", hello)), "zip.hidden", sus, nil, map[string]string{"h": "hid"}},
		{"hidden in a gap", hiddenInGap(), "zip.hidden", sus, nil, map[string]string{"h": "hid"}},
		{"hidden in a member", hiddenInMember(), "zip.hidden", sus, nil, map[string]string{"h": "hid"}},
		{"hidden behind a deflate stream", hiddenInSlack(t), "zip.hidden", sus, nil, map[string]string{"a.bin": hello, "h": "hid"}},
		{"two archives", twoArchives(), "zip.end_record", sus, nil, map[string]string{"evil": "evil", "good": "good"}},
		{"end record in the comment", endInComment(), "zip.end_record", sus, nil, map[string]string{"a.bin": hello}},
		{"comment longer than the file", longComment(), "zip.end_record", sus, nil, only},
		{"two directories", twoDirectories(), "zip.directory", sus, nil, map[string]string{"evil": "evil", "good": "good"}},
		{"zip64 and old record differ", wideLie(), "zip.directory", sus, nil, map[string]string{"evil": "evil", "good": "good"}},
		{"zip64 elsewhere, old record without a count", maxedCount(), "zip.directory", sus, nil, map[string]string{"evil": "evil"}},
		{"zip64 as long as a central record, with a local header", echoed(true), "zip.directory", sus, nil, map[string]string{"evil": "evil"}},
		{"entry count wrong", counted(2, stored("a.bin", hello)), "zip.directory", sus, nil, only},
		{"entry count zero", counted(0, stored("a.bin", hello)), "zip.directory", sus, nil, only},
		{"same local header twice", overlapping(2, hello), "zip.overlap", sus, nil, map[string]string{"m0": hello, "m1": hello}},
		{"reaches into the directory", one(func(it *item) { it.local.packed, it.local.size, it.central.packed, it.central.size = 20, 20, 20, 20 }), "zip.overlap", sus, nil, nil},
		{"bomb of overlaps", overlapping(2000, strings.Repeat("x", 2000)), "zip.overlap", sus, scan.ErrLimit, nil},
		{"no signature on the local header", badSignature(), "zip.local", sus, nil, only},
		{"local header beyond the end", one(func(it *item) { at := uint32(1 << 30); it.at = &at }), "zip.broken", sus, scan.ErrMalformed, nil},
		{"trailing data", append(archive(stored("a.bin", hello)), "more"...), "zip.trailing", sus, nil, map[string]string{"(trailing data)": "more"}},
		{"damaged deflate", archive(damaged(t)), "zip.data", sus, scan.ErrMalformed, nil},
		{
			"no directory", headless(stored("a.bin", hello), streamed(packed(t, "b", hello, 8)), streamed(stored("c", "see"))), "zip.broken", sus, scan.ErrMalformed,
			map[string]string{"a.bin": hello, "b": hello, "c": "see"},
		},

		{"slip", archive(stored("../a.bin", hello)), "zip.path", mal, nil, nil},
		{"slip below", archive(stored("a/../../b", hello)), "zip.path", mal, nil, nil},
		{"absolute", archive(stored("/etc/passwd", hello)), "zip.path", mal, nil, nil},
		{"windows slip", archive(stored(`..\a.bin`, hello)), "zip.path", mal, nil, nil},
		{"drive", archive(stored(`C:\a.bin`, hello)), "zip.path", mal, nil, nil},
		{"slip in the local name", one(func(it *item) { it.local.name = "../x" }), "zip.path", mal, nil, nil},
		{"up and down", archive(stored("a/../b", hello)), "zip.path", sus, nil, nil},
		{"symlink to outside", one(func(it *item) { *it = stored("d/l", "../../x"); it.mode = 0o120777 }), "zip.symlink", mal, nil, nil},
		{"symlink to a root", one(func(it *item) { *it = stored("l", "/etc/passwd"); it.mode = 0o120777 }), "zip.symlink", mal, nil, nil},
	}
}

func TestSamples(t *testing.T) {
	for _, c := range samples(t) {
		t.Run(c.name, func(t *testing.T) {
			s := scanner.New()
			if !s.Match(scantest.Probe("x", c.data)) {
				t.Fatal("Match = false")
			}
			r, err := scantest.Scan(s, "x", c.data)
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
		if c.name == "bomb of overlaps" {
			continue // the suite would cut it up a hundred times
		}
		all = append(all, scantest.Sample{Name: c.name, Data: c.data, Worst: c.worst, Err: c.err})
	}
	scantest.Run(t, scanner.New(), all)
}

// TestEveryPrefix cuts an archive at every byte: no prefix may pass as whole,
// and members that lie before the cut come out.
func TestEveryPrefix(t *testing.T) {
	data := archive(stored("a.bin", hello), packed(t, "b", strings.Repeat(hello, 9), 8), streamed(stored("c", "see")))
	for n := 4; n < len(data); n++ {
		r, err := scantest.Scan(scanner.New(), "x", data[:n])
		if !errors.Is(err, scan.ErrMalformed) {
			t.Errorf("%d of %d bytes: error = %v, want malformed", n, len(data), err)
		}
		if n >= 47 && !has(r, "a.bin", hello) {
			t.Errorf("%d of %d bytes: the first member is lost", n, len(data))
		}
	}
}

// TestFarEnd: PyTorch's reader finds an end record up to 69 584 bytes before the
// end of the file.
func TestFarEnd(t *testing.T) {
	data := prefixed("text", stored("a.bin", hello))
	data = append(data, strings.Repeat("x", 69_584-22)...)
	s := scanner.New()
	if r, err := scantest.Scan(s, "x", data); !s.Match(scantest.Probe("x", data)) || err != nil || !has(r, "a.bin", hello) {
		t.Errorf("error %v, members %q", err, r.Members)
	}
}

func TestForeign(t *testing.T) {
	for name, data := range map[string]string{
		"mentions the signatures": strings.Repeat("PK\x05\x06 PK\x01\x02 PK\x03\x04 ", 9) + strings.Repeat("x", 40),
		"text":                    "PK is short for Phil Katz",
		"random end record":       "\x01\x02PK\x05\x06" + strings.Repeat("\xaa", 40),
	} {
		if _, err := scantest.Scan(scanner.New(), "x", []byte(data)); !errors.Is(err, scan.ErrForeign) {
			t.Errorf("%s: error = %v, want foreign", name, err)
		}
	}
	if scanner.New().Match(scantest.Probe("model.zip", []byte("some PK\x03\x04 inside"))) {
		t.Error("Match = true for a local header in the middle")
	}
}

// TestAgainstStandardLibrary compares plain archives with what Go reads.
func TestAgainstStandardLibrary(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	want := map[string]string{}
	for i, name := range []string{"a", "b/c.txt", "ünïcode", "empty"} {
		body := strings.Repeat(name, i*1000%3000)
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: uint16(i % 2 * 8)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		want[name] = body
	}
	if err := w.SetComment("a comment"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := scantest.Scan(scanner.New(), "x", b.Bytes())
	if err != nil || len(r.Findings) > 0 {
		t.Errorf("error %v, findings %+v", err, r.Findings)
	}
	got := map[string]string{}
	for _, m := range r.Members {
		got[m.Name] = string(m.Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func FuzzScan(f *testing.F) {
	for _, c := range samples(f) {
		if len(c.data) < 4<<10 {
			f.Add(c.data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, scanner.New(), data) })
}
