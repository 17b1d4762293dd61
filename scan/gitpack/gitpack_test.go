package gitpack

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// pack writes packs as a test wants them, right or wrong.
type pack struct {
	bytes.Buffer
	n uint32
}

func (p *pack) header(k kind, size int) {
	c := byte(k)<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	p.WriteByte(c)
}

func (p *pack) deflate(b []byte) {
	z := zlib.NewWriter(p)
	z.Write(b)
	z.Close()
}

// object appends a whole object and returns its offset in the pack.
func (p *pack) object(k kind, content []byte) int64 {
	at := int64(p.Len()) + 12
	p.n++
	p.header(k, len(content))
	p.deflate(content)
	return at
}

// delta appends a delta against the object at base.
func (p *pack) delta(base int64, d []byte) int64 {
	at := int64(p.Len()) + 12
	p.n++
	p.header(ofsDelta, len(d))
	back := at - base
	enc := []byte{byte(back & 0x7f)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		enc = append([]byte{byte(back&0x7f) | 0x80}, enc...)
	}
	p.Write(enc)
	p.deflate(d)
	return at
}

func (p *pack) ref(base id, d []byte) {
	p.n++
	p.header(refDelta, len(d))
	p.Write(base[:])
	p.deflate(d)
}

func (p *pack) bytes() []byte {
	out := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), p.n)
	out = append(out, p.Bytes()...)
	sum := sha1.Sum(out)
	return append(out, sum[:]...)
}

// insert is a delta that ignores its base and makes content.
func insert(base int, content string) []byte {
	d := append(varint(base), varint(len(content))...)
	for len(content) > 0 {
		n := min(len(content), 127)
		d = append(append(d, byte(n)), content[:n]...)
		content = content[n:]
	}
	return d
}

func varint(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// wire frames a pack as a server sends it, in pieces of n bytes.
func wire(data []byte, n int) []byte {
	var b bytes.Buffer
	pkt := func(s string) { fmt.Fprintf(&b, "%04x%s", len(s)+4, s) }
	pkt("acknowledgments\n")
	pkt("NAK\n")
	b.WriteString("0001")
	pkt("packfile\n")
	for len(data) > 0 {
		pkt("\x02counting objects\r")
		piece := data[:min(n, len(data))]
		pkt("\x01" + string(piece))
		data = data[len(piece):]
	}
	b.WriteString("0000")
	return b.Bytes()
}

func members(r *scantest.Record) []string {
	var out []string
	for _, m := range r.Members {
		out = append(out, string(m.Data))
	}
	sort.Strings(out)
	return out
}

func sample() (*pack, []string) {
	p := &pack{}
	base := p.object(blob, []byte("first version"))
	p.object(commit, []byte("tree 0\n"))
	second := p.delta(base, insert(13, "second version"))
	p.delta(second, append(append(varint(14), varint(7)...), 0x80|0x01|0x10, 7, 7)) // copy 7 bytes at 7
	p.ref(identify(blob, []byte("second version")), insert(14, strings.Repeat("by id ", 100)))
	return p, []string{strings.Repeat("by id ", 100), "first version", "second version", "version"}
}

func TestScan(t *testing.T) {
	p, want := sample()
	for name, data := range map[string][]byte{
		"pack":                  p.bytes(),
		"side-band":             wire(p.bytes(), 1000),
		"side-band, tiny piece": wire(p.bytes(), 1),
		"without side-band":     append([]byte("0008NAK\n"), p.bytes()...),
	} {
		t.Run(name, func(t *testing.T) {
			s := New()
			if !s.Match(scantest.Probe("pack", data)) {
				t.Fatal("Match = false")
			}
			r, err := scantest.Scan(s, "pack", data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, members(r)); diff != "" {
				t.Errorf("blobs (-want +got):\n%s", diff)
			}
			scantest.Properties(t, s, data)
		})
	}
}

func TestAcceptance(t *testing.T) {
	p, _ := sample()
	bad := &pack{}
	bad.object(blob, []byte("first version"))
	bad.ref(id{1}, insert(13, "of an object that only the receiver has"))
	scantest.Run(t, New(), []scantest.Sample{
		{Name: "pack", Data: p.bytes()},
		{Name: "side-band", Data: wire(p.bytes(), 1000)},
		{Name: "thin pack", Data: bad.bytes(), Err: scan.ErrLimit},
	})
}

func TestNames(t *testing.T) {
	content := []byte("weights")
	name := identify(blob, content)
	p := &pack{}
	p.object(blob, content)
	p.object(tree, append([]byte("100644 model.pkl\x00"), name[:]...))
	r, err := scantest.Scan(New(), "pack", p.bytes())
	if err != nil || len(r.Members) != 1 || r.Members[0].Name != "model.pkl" {
		t.Errorf("members = %+v, %v; want one called model.pkl", r.Members, err)
	}
}

func TestBroken(t *testing.T) {
	whole, _ := sample()
	good := whole.bytes()
	cycle := &pack{}
	cycle.ref(id{1}, insert(0, "x"))
	outside := &pack{}
	outside.object(blob, []byte("a"))
	outside.ref(id{}, insert(5, "thin"))
	lies := &pack{}
	lies.n++
	lies.header(blob, 100)
	lies.deflate([]byte("short"))
	greedy := &pack{}
	at := greedy.object(blob, []byte("base"))
	greedy.delta(at, append(append(varint(4), varint(1<<40)...), 1, 'x'))
	overrun := &pack{}
	at = overrun.object(blob, []byte("base"))
	overrun.delta(at, append(append(varint(4), varint(9)...), 0x80|0x10, 9))
	self := &pack{}
	self.delta(0, insert(0, "x"))
	more := bytes.Clone(good)
	more[11]++
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"cut in the header":        {good[:10], scan.ErrMalformed},
		"cut in an object":         {good[:30], scan.ErrMalformed},
		"cut in the hash":          {good[:len(good)-1], scan.ErrMalformed},
		"junk at the end":          {append(bytes.Clone(good), 1), scan.ErrMalformed},
		"more objects than there":  {more, scan.ErrMalformed},
		"a version nobody reads":   {append([]byte("PACK\x00\x00\x00\x09"), good[8:]...), scan.ErrMalformed},
		"only a delta":             {cycle.bytes(), scan.ErrLimit},
		"a thin pack":              {outside.bytes(), scan.ErrLimit},
		"a size that lies":         {lies.bytes(), scan.ErrMalformed},
		"a delta of a terabyte":    {greedy.bytes(), scan.ErrLimit},
		"a copy past the base":     {overrun.bytes(), scan.ErrMalformed},
		"a delta against a header": {self.bytes(), scan.ErrMalformed},
		"a pkt-line past the end":  {[]byte("0008NAK\nffff\x01PACK"), scan.ErrMalformed},
		"no pkt-line":              {[]byte("0008NAK\nzzzz"), scan.ErrMalformed},
	} {
		if _, err := scantest.Scan(New(), "pack", c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
	}
}

// What came before the damage is still looked at.
func TestBrokenPackDeliversItsObjects(t *testing.T) {
	p := &pack{}
	p.object(blob, []byte("payload"))
	cut := p.bytes()
	cut = append(cut[:len(cut)-sha1.Size], 0x35, 0xff, 0xff)
	binary.BigEndian.PutUint32(cut[8:], 2)
	r, err := scantest.Scan(New(), "pack", cut)
	if !errors.Is(err, scan.ErrMalformed) {
		t.Errorf("error = %v, want malformed", err)
	}
	if got := members(r); len(got) == 0 || !strings.Contains(strings.Join(got, " "), "payload") {
		t.Errorf("blobs = %q, want payload among them", got)
	}
}

func TestNoPack(t *testing.T) {
	for name, data := range map[string]string{
		"error":      "0019ERR access denied so\n",
		"up-to-date": "0014acknowledgments\n0008NAK\n0000",
	} {
		if !New().Match(scantest.Probe("x", []byte(data))) {
			t.Errorf("%s: Match = false", name)
		}
		if r, err := scantest.Scan(New(), "x", []byte(data)); err != nil || len(r.Members) != 0 {
			t.Errorf("%s: %+v, %v; want nothing", name, r.Members, err)
		}
	}
	for _, other := range []string{"", "PK\x03\x04", "001e# service=git-upload-pack\n", "hello world", "0000"} {
		if New().Match(scantest.Probe("x", []byte(other))) {
			t.Errorf("Match(%q) = true", other)
		}
	}
}

// A pack made by git itself, with deltas as git chooses them.
func TestGit(t *testing.T) {
	scantest.Tool(t, "git")
	dir := t.TempDir()
	git := func(stdin string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return out
	}
	git("", "init", "-q")
	rnd := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 40_000)
	for i := range text {
		text[i] = byte('a' + rnd.IntN(26))
	}
	var want []string
	for i := range 8 {
		copy(text[rnd.IntN(30_000):], fmt.Sprintf("change %d", i))
		want = append(want, string(text))
		if err := os.WriteFile(filepath.Join(dir, "vocab.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		git("", "add", "-A")
		git("", "commit", "-q", "-m", "x")
	}
	sort.Strings(want)
	for _, flags := range [][]string{nil, {"--delta-base-offset"}} {
		data := git("HEAD\n", append([]string{"pack-objects", "--revs", "--stdout", "-q"}, flags...)...)
		if len(data) > 3*len(text) {
			t.Fatalf("pack of %d bytes has no deltas", len(data))
		}
		r, err := scantest.Scan(New(), "pack", wire(data, 65515))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, members(r)); diff != "" {
			t.Errorf("%v: the blobs differ from what was committed", flags)
		}
		if r.Members[0].Name != "vocab.json" {
			t.Errorf("blob is called %q, want vocab.json", r.Members[0].Name)
		}
	}
}

func FuzzScan(f *testing.F) {
	p, _ := sample()
	f.Add(p.bytes())
	f.Add(wire(p.bytes(), 50))
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, New(), data) })
}
