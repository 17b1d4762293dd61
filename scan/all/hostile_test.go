package all

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"modelwall/scan"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
)

var le = binary.LittleEndian

// evil is a pickle of protocol 0 that calls a function of the system: text
// from end to end, without a signature.
const evil = "cposix\nsystem\n(S'echo this is a sample'\ntR."

// evil2 is the same in protocol 2.
const evil2 = "\x80\x02" + evil

func inspect(t testing.TB, name string, data []byte) scan.Report {
	t.Helper()
	r, err := engine.New(Scanners(), engine.Limits{TempDir: t.TempDir()}).Inspect(context.Background(), scantest.Bytes(name, data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func written(t testing.TB, w io.WriteCloser, err error, b *bytes.Buffer, body string) string {
	t.Helper()
	if err == nil {
		_, err = io.WriteString(w, body)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gz(t testing.TB, body string) string {
	var b bytes.Buffer
	return written(t, gzip.NewWriter(&b), nil, &b, body)
}

func zl(t testing.TB, body string) string {
	var b bytes.Buffer
	return written(t, zlib.NewWriter(&b), nil, &b, body)
}

func xzStream(t testing.TB, body string) string {
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	return written(t, w, err, &b, body)
}

func alone(t testing.TB, body string) string {
	var b bytes.Buffer
	w, err := lzma.NewWriter(&b)
	return written(t, w, err, &b, body)
}

func zst(t testing.TB, body string) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	return written(t, w, err, &b, body)
}

func lz(t testing.TB, legacy bool, body string) string {
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	err := w.Apply(lz4.LegacyOption(legacy))
	return written(t, w, err, &b, body)
}

// zipped has the members name, body, name, body...
func zipped(t testing.TB, method uint16, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
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
	return b.String()
}

func tarred(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		err := w.WriteHeader(&tar.Header{Name: members[i], Size: int64(len(members[i+1])), Mode: 0o644})
		if err == nil {
			_, err = io.WriteString(w, members[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// v7 is a tar member without a magic; fields replaces parts of the header.
func v7(name, body string, fields map[int]string) string {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00", len(body)))
	b[156] = '0'
	for at, s := range fields {
		if at != 148 {
			copy(b[at:], s)
		}
	}
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	form := "%06o\x00 "
	if f, ok := fields[148]; ok {
		form = f
	}
	clear(b[148:156])
	copy(b[148:156], fmt.Sprintf(form, sum))
	return string(b) + body + strings.Repeat("\x00", -len(body)&511)
}

func paxed(flag, key, value string) string {
	rec := key + "=" + value
	n := len(rec) + 3
	for len(fmt.Sprintf("%d %s\n", n, rec)) != n {
		n++
	}
	return v7("pax", fmt.Sprintf("%d %s\n", n, rec), map[int]string{156: flag})
}

var endMark = strings.Repeat("\x00", 1024)

func npy(descr, shape, body string) string {
	h := fmt.Sprintf("{'descr': %s, 'fortran_order': False, 'shape': %s, }", descr, shape)
	h += strings.Repeat(" ", 63-(len(h)+10)%64) + "\n"
	return "\x93NUMPY\x01\x00" + string(le.AppendUint16(nil, uint16(len(h)))) + h + body
}

func tensorsOf(header, body string) string {
	return string(le.AppendUint64(nil, uint64(len(header)))) + header + body
}

// TestHostile: files that run a function of the system in some loader. None of
// them is clean, and where all of it can be read it is malicious.
func TestHostile(t *testing.T) {
	const text = "# just some notes about the model, nothing to see here\n"
	const skippable = "\x50\x2a\x4d\x18\x04\x00\x00\x00junk" // a frame of zstd and lz4
	objects := npy("'|O'", "(1,)", evil)
	inTar := strings.Repeat("#", 512) + v7("pickle", evil, nil)
	half, rest := evil[:4], evil[4:]
	archive := zipped(t, 0, "a/data.pkl", evil2, "a/version", "3\n")
	tensors := tensorsOf(`{"__metadata__":{"format":"pt"}}`, "")
	for want, cases := range map[scan.Verdict]map[string]string{
		scan.Malicious: {
			"pickle":                       evil,
			"pickle then zip":              evil + zipped(t, 8, "a", "b"),
			"text then zip":                text + archive,
			"text then deflated zip":       text + zipped(t, 8, "x", evil),
			"safetensors then zip":         tensors + archive,
			"gguf then zip":                "GGUF\x03\x00\x00\x00" + strings.Repeat("\x00", 16) + archive,
			"npy then zip":                 npy("'<f4'", "(2,)", "aaaabbbb") + archive,
			"npy then npy of objects":      npy("'<f4'", "(2,)", "aaaabbbb") + objects,
			"npy then pickle":              npy("'<f4'", "(2,)", "aaaabbbb") + evil,
			"png then zip":                 "\x89PNG\r\n\x1a\n" + archive,
			"pdf then zip":                 "%PDF-1.4\n" + archive,
			"wav then zip":                 "RIFF\x00\x00\x00\x00WAVE" + archive,
			"json then zip":                "{}" + archive,
			"zip then 66 KB":               text + archive + strings.Repeat("x", 65530),
			"npz without extension":        zipped(t, 0, "weights", objects),
			"npy objects":                  objects,
			"npy duplicate key":            npy("'<f4', 'descr': '|O'", "(1,)", evil),
			"npy struct objects":           npy("[('a', '<i4'), ('b', '|O')]", "(1,)", evil),
			"tar in gz in zip":             zipped(t, 8, "x", gz(t, tarred(t, "y", evil))),
			"gzip members, last":           gz(t, "") + gz(t, "") + gz(t, evil),
			"gzip members, split":          gz(t, half) + gz(t, rest),
			"gzip padding split":           gz(t, half) + "\x00\x00" + gz(t, rest),
			"xz streams, split":            xzStream(t, half) + xzStream(t, rest),
			"xz padding":                   xzStream(t, half) + "\x00\x00\x00\x00" + xzStream(t, rest),
			"zstd frames, split":           zst(t, half) + zst(t, rest),
			"zstd skippable first":         skippable + zst(t, evil),
			"zstd skippable between":       zst(t, half) + skippable + zst(t, rest),
			"lz4":                          lz(t, false, evil),
			"lz4 split":                    lz(t, false, half) + lz(t, false, rest),
			"lz4 skippable first":          skippable + lz(t, false, evil),
			"lz4 skippable between":        lz(t, false, half) + skippable + lz(t, false, rest),
			"lz4 legacy":                   lz(t, true, evil),
			"lz4 legacy split":             lz(t, true, half) + lz(t, true, rest),
			"lz4 frame then legacy":        lz(t, false, half) + lz(t, true, rest),
			"zfile":                        fmt.Sprintf("ZF%-19s", fmt.Sprintf("%#x", len(evil))) + zl(t, evil),
			"zfile, bare digits":           fmt.Sprintf("ZF%-19s", fmt.Sprintf("%x", len(evil))) + zl(t, evil),
			"zfile, blanks first":          fmt.Sprintf("ZF%19s", fmt.Sprintf("%#x", len(evil))) + zl(t, evil),
			"zfile, 0X":                    fmt.Sprintf("ZF%-19s", fmt.Sprintf("%#X", len(evil))) + zl(t, evil),
			"zfile, plus":                  fmt.Sprintf("ZF%-19s", "+"+fmt.Sprintf("%#x", len(evil))) + zl(t, evil),
			"zlib":                         zl(t, evil),
			"zlib damaged":                 zl(t, evil)[:len(zl(t, evil))-4] + "zzzz",
			"tar":                          v7("pickle", evil, nil) + endMark,
			"tar, checksum with a plus":    v7("pickle", evil, map[int]string{148: "+%o"}) + endMark,
			"tar, checksum with a 0o":      v7("pickle", evil, map[int]string{148: "0o%o"}) + endMark,
			"tar, checksum with a tab":     v7("pickle", evil, map[int]string{148: "\t%o\n"}) + endMark,
			"tar, pax size plain":          paxed("x", "size", "512") + v7("a.txt", inTar, nil) + endMark,
			"tar, pax size no number":      paxed("x", "size", "abc") + v7("a.txt", v7("pickle", evil, nil), nil) + endMark,
			"tar, size with a plus":        v7("a.txt", strings.Repeat("#", 512), map[int]string{124: "+1000\x00\x00\x00\x00\x00\x00\x00"}) + v7("pickle", evil, nil) + endMark,
			"tar, dir with content":        v7("d/", v7("pickle", evil, nil), map[int]string{156: "\x00"}) + endMark,
			"tar, link with content":       v7("l", v7("pickle", evil, nil), map[int]string{156: "1"}) + endMark,
			"stored zip in a zip":          zipped(t, 0, "x", text+archive),
			"storage is a pickle":          zipped(t, 0, "a/data.pkl", "\x80\x02}.", "a/data/0", evil2),
			"storage is npy":               zipped(t, 0, "a/data.pkl", "\x80\x02}.", "a/data/0", objects),
			"data.pkl twice":               zipped(t, 0, "a/data.pkl", evil2, "a/data.pkl", "\x80\x02}."),
			"shebang then zip":             "#!/bin/sh\n" + archive,
			"safetensors that is a pickle": pickled(evil),
		},
		scan.Undetermined: {
			"tar, pax size with a plus":  paxed("x", "size", "+512") + v7("a.txt", inTar, nil) + endMark,
			"tar, pax size with a blank": paxed("x", "size", " 512") + v7("a.txt", inTar, nil) + endMark,
			"lzma streams, split":        alone(t, half) + alone(t, rest),
			"lzma then xz, split":        alone(t, half) + xzStream(t, rest),
			"xz then lzma, split":        xzStream(t, half) + alone(t, rest),
			"lz4 legacy then frame":      lz(t, true, half) + lz(t, false, rest),
			"tar, global sparse":         paxed("g", "GNU.sparse.map", "99999,512,0,40") + v7("a.txt", strings.Repeat("#", 512)+evil, nil) + endMark,
			"tar, sparse":                paxed("x", "GNU.sparse.map", "99999,512,0,40") + v7("a.txt", strings.Repeat("#", 512)+evil, nil) + endMark,
			"deep gz":                    deep(t, 12),
		},
	} {
		for name, data := range cases {
			if r := inspect(t, "x", []byte(data)); r.Verdict != want {
				t.Errorf("%s: verdict = %v by %v (%s), want %v", name, r.Verdict, r.Formats, r.Error, want)
			}
		}
	}
}

// pickled is a safetensors file whose length begins with BINUNICODE; behind
// that string, inside of the metadata, stand further opcodes.
func pickled(ops string) string {
	const n = 40 // bytes of the string, from the fifth on
	header := `{"__metadata__":{"x":"`
	header += strings.Repeat("A", n-3-len(header)) + "0" + ops + `"}}`
	header += strings.Repeat(" ", 'X'+n<<8-len(header))
	return tensorsOf(header, "")
}

func deep(t *testing.T, n int) string {
	s := evil
	for range n {
		s = gz(t, s)
	}
	return s
}
