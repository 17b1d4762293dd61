package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// fake is a scanner made of two functions.
type fake struct {
	name  string
	match func(scan.Probe) bool
	scan  func(context.Context, scan.File, scan.Sink) error
}

func (f fake) Format() string { return f.name }
func (f fake) Version() int   { return 1 }
func (f fake) Match(p scan.Probe) bool {
	return f.match == nil || f.match(p)
}

func (f fake) Scan(ctx context.Context, file scan.File, s scan.Sink) error {
	return f.scan(ctx, file, s)
}

func finds(s scan.Severity) fake {
	return fake{name: s.String(), scan: func(_ context.Context, _ scan.File, sink scan.Sink) error {
		sink.Finding(scan.Finding{Rule: "fake." + s.String(), Severity: s, Message: s.String()})
		return nil
	}}
}

func fails(err error) fake {
	return fake{name: "fails", scan: func(context.Context, scan.File, scan.Sink) error { return err }}
}

func TestVerdict(t *testing.T) {
	ok := fake{name: "ok", scan: func(context.Context, scan.File, scan.Sink) error { return nil }}
	boom := errors.New("connection reset")
	for name, c := range map[string]struct {
		scanners  []scan.Scanner
		want      scan.Verdict
		wantErr   error
		wantInMsg string
	}{
		"nobody claims it":            {nil, scan.Undetermined, nil, "no known format"},
		"only a foreign scanner":      {[]scan.Scanner{fails(scan.ErrForeign)}, scan.Undetermined, nil, "no known format"},
		"clean":                       {[]scan.Scanner{ok}, scan.Clean, nil, ""},
		"foreign beside clean":        {[]scan.Scanner{fails(scan.ErrForeign), ok}, scan.Clean, nil, ""},
		"low is clean":                {[]scan.Scanner{finds(scan.Low)}, scan.Clean, nil, ""},
		"suspicious":                  {[]scan.Scanner{ok, finds(scan.SeveritySuspicious)}, scan.Suspicious, nil, ""},
		"malicious":                   {[]scan.Scanner{finds(scan.SeverityMalicious), finds(scan.SeveritySuspicious)}, scan.Malicious, nil, ""},
		"malformed is not clean":      {[]scan.Scanner{fails(scan.Malformed(7, "torn")), ok}, scan.Undetermined, nil, "malformed at byte 7: torn"},
		"malformed and suspicious":    {[]scan.Scanner{fails(scan.Malformed(7, "torn")), finds(scan.SeveritySuspicious)}, scan.Undetermined, nil, "torn"},
		"malformed and malicious":     {[]scan.Scanner{fails(scan.Malformed(7, "torn")), finds(scan.SeverityMalicious)}, scan.Malicious, nil, "torn"},
		"limit":                       {[]scan.Scanner{fails(scan.Limit(0, "deep")), ok}, scan.Undetermined, nil, "limit reached"},
		"the reader fails":            {[]scan.Scanner{fails(boom), ok}, scan.Undetermined, boom, "connection reset"},
		"reader fails after malice":   {[]scan.Scanner{finds(scan.SeverityMalicious), fails(boom)}, scan.Malicious, boom, "connection reset"},
		"severity beyond the highest": {[]scan.Scanner{finds(200)}, scan.Malicious, nil, ""},
		"panic": {[]scan.Scanner{fake{name: "p", scan: func(context.Context, scan.File, scan.Sink) error {
			panic("index out of range")
		}}, ok}, scan.Undetermined, nil, "scanner panicked: index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := New(c.scanners, Limits{}).Inspect(context.Background(), scantest.Bytes("f", []byte("hello")))
			if r.Verdict != c.want {
				t.Errorf("verdict = %v, want %v", r.Verdict, c.want)
			}
			if !errors.Is(err, c.wantErr) || (c.wantErr == nil) != (err == nil) {
				t.Errorf("error = %v, want %v", err, c.wantErr)
			}
			if (c.wantInMsg == "") != (r.Error == "") || !strings.Contains(r.Error, c.wantInMsg) {
				t.Errorf("report error = %q, want it to contain %q", r.Error, c.wantInMsg)
			}
		})
	}
}

// box is a toy container: what follows its first line is its one member.
var box = fake{
	name:  "box",
	match: func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("box\n")) },
	scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		b, err := io.ReadAll(f.Section(4, f.Size-4))
		if err != nil {
			return err
		}
		return s.Member(ctx, scan.Member{Name: "in", At: bytes.NewReader(b), Size: int64(len(b))})
	},
}

func TestNesting(t *testing.T) {
	leaf := fake{
		name:  "leaf",
		match: func(p scan.Probe) bool { return !bytes.HasPrefix(p.Head, []byte("box\n")) },
		scan: func(_ context.Context, _ scan.File, s scan.Sink) error {
			s.Finding(scan.Finding{Rule: "leaf.here", Severity: scan.Low, Message: "here"})
			s.Import(scan.Import{Module: "os", Name: "system", Offset: 3})
			s.Import(scan.Import{Module: "os", Name: "system", Offset: 9, Called: true})
			return nil
		},
	}
	for _, c := range []struct {
		depth int
		want  scan.Verdict
	}{{1, scan.Clean}, {2, scan.Clean}, {3, scan.Clean}, {4, scan.Undetermined}} {
		data := strings.Repeat("box\n", c.depth) + "x"
		r, err := New([]scan.Scanner{box, leaf}, Limits{Depth: 3}).Inspect(context.Background(), scantest.Bytes("f", []byte(data)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != c.want {
			t.Errorf("depth %d: verdict = %v (%s), want %v", c.depth, r.Verdict, r.Error, c.want)
		}
		if c.want != scan.Clean {
			continue
		}
		member := strings.TrimSuffix(strings.Repeat("in!", c.depth), "!")
		want := []scan.Import{{Module: "os", Name: "system", Member: member, Offset: 3, Called: true}}
		if diff := cmp.Diff(want, r.Imports); diff != "" {
			t.Errorf("imports (-want +got):\n%s", diff)
		}
		if r.Findings[0].Member != member {
			t.Errorf("finding in %q, want %q", r.Findings[0].Member, member)
		}
		if diff := cmp.Diff([]string{"box"}, r.Formats); diff != "" {
			t.Errorf("formats (-want +got):\n%s", diff)
		}
	}
}

// unpacker hands the whole file on as one gzip stream, many times over.
func unpacker(times int) fake {
	return fake{
		name:  "unpacker",
		match: func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte{0x1f, 0x8b}) },
		scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
			for range times {
				z, err := gzip.NewReader(f.Section(0, f.Size))
				if err != nil {
					return scan.Malformed(0, "%w", err)
				}
				if err := s.Member(ctx, scan.Member{Stream: z, Packed: f.Size}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func gz(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestBudgets(t *testing.T) {
	content := bytes.Repeat([]byte("modelwall"), 1000)
	var got [][]byte
	leaf := fake{
		name:  "leaf",
		match: func(p scan.Probe) bool { return !bytes.HasPrefix(p.Head, []byte{0x1f, 0x8b}) },
		scan: func(_ context.Context, f scan.File, _ scan.Sink) error {
			b, err := io.ReadAll(f.Section(0, f.Size))
			got = append(got, b)
			return err
		},
	}
	n := int64(len(content))
	for name, c := range map[string]struct {
		limits Limits
		times  int
		want   scan.Verdict
		files  int
	}{
		"in memory":         {Limits{}, 1, scan.Clean, 1},
		"on disk":           {Limits{Memory: 16}, 1, scan.Clean, 1},
		"bytes, exactly":    {Limits{Bytes: 3 * n}, 3, scan.Clean, 3},
		"bytes, one short":  {Limits{Bytes: 3*n - 1}, 3, scan.Undetermined, 3},
		"members, exactly":  {Limits{Members: 3}, 3, scan.Clean, 3},
		"members, one more": {Limits{Members: 3}, 4, scan.Undetermined, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			c.limits.TempDir = t.TempDir()
			r, err := New([]scan.Scanner{unpacker(c.times), leaf}, c.limits).
				Inspect(context.Background(), scantest.Bytes("f", gz(t, content)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != c.want || len(got) != c.files {
				t.Errorf("verdict = %v, %d files read (%s), want %v and %d", r.Verdict, len(got), r.Error, c.want, c.files)
			}
			if !bytes.Equal(got[0], content) {
				t.Error("the member differs from what was packed")
			}
		})
	}
}

func TestRatioCountsOnlyPastTheFloor(t *testing.T) {
	leaf := fake{
		name: "leaf", match: func(p scan.Probe) bool { return len(p.Head) > 0 && p.Head[0] == 0 },
		scan: func(context.Context, scan.File, scan.Sink) error { return nil },
	}
	for _, c := range []struct {
		size int
		want scan.Verdict
	}{{ratioFloor, scan.Clean}, {ratioFloor + 2*spoolChunk, scan.Undetermined}} {
		r, err := New([]scan.Scanner{unpacker(1), leaf}, Limits{Ratio: 100, TempDir: t.TempDir()}).
			Inspect(context.Background(), scantest.Bytes("f", gz(t, make([]byte, c.size))))
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict != c.want {
			t.Errorf("%d zeros: verdict = %v (%s), want %v", c.size, r.Verdict, r.Error, c.want)
		}
	}
}

func TestDamagedMemberIsStillInspected(t *testing.T) {
	data := gz(t, bytes.Repeat([]byte("payload "), 100_000))
	torn := fake{
		name:  "torn",
		match: func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte{0x1f, 0x8b}) },
		scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
			return s.Member(ctx, scan.Member{Name: "m", Stream: io.MultiReader(strings.NewReader("payload"), errReader{scan.Malformed(7, "torn")})})
		},
	}
	payload := fake{
		name:  "payload",
		match: func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("payload")) },
		scan: func(_ context.Context, _ scan.File, s scan.Sink) error {
			s.Finding(scan.Finding{Rule: "payload", Severity: scan.SeverityMalicious})
			return nil
		},
	}
	r, err := New([]scan.Scanner{torn, payload}, Limits{}).Inspect(context.Background(), scantest.Bytes("f", data))
	if err != nil || r.Verdict != scan.Malicious || !strings.Contains(r.Error, "torn") {
		t.Errorf("verdict = %v, error %q, %v; want malicious and the damage named", r.Verdict, r.Error, err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestTimeLimit(t *testing.T) {
	slow := fake{name: "slow", scan: func(ctx context.Context, _ scan.File, _ scan.Sink) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	r, err := New([]scan.Scanner{slow}, Limits{Time: time.Nanosecond}).Inspect(context.Background(), scantest.Bytes("f", []byte("x")))
	if err != nil || r.Verdict != scan.Undetermined || !strings.Contains(r.Error, "took longer than 1ns") {
		t.Errorf("verdict = %v, error %q, %v; want undetermined by the time limit", r.Verdict, r.Error, err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = New([]scan.Scanner{slow}, Limits{}).Inspect(ctx, scantest.Bytes("f", []byte("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the caller's cancellation: it says nothing about the file", err)
	}
}

func TestFindingsLimitNeverChangesTheVerdict(t *testing.T) {
	noisy := fake{name: "noisy", scan: func(_ context.Context, _ scan.File, s scan.Sink) error {
		for i := range 100 {
			s.Finding(scan.Finding{Rule: "n", Severity: scan.Low, Message: strings.Repeat("x", i)})
		}
		s.Finding(scan.Finding{Rule: "bad", Severity: scan.SeverityMalicious})
		return nil
	}}
	r, err := New([]scan.Scanner{noisy}, Limits{Findings: 5}).Inspect(context.Background(), scantest.Bytes("f", []byte("x")))
	if err != nil || r.Verdict != scan.Malicious || len(r.Findings) != 6 {
		t.Errorf("verdict %v with %d findings, %v; want malicious with 6", r.Verdict, len(r.Findings), err)
	}
}

func TestImportsLimitIsNotClean(t *testing.T) {
	greedy := fake{name: "greedy", scan: func(_ context.Context, _ scan.File, s scan.Sink) error {
		for i := range 11 {
			s.Import(scan.Import{Module: "m", Name: strings.Repeat("x", i)})
		}
		return nil
	}}
	for limit, want := range map[int]scan.Verdict{10: scan.Undetermined, 11: scan.Clean} {
		r, err := New([]scan.Scanner{greedy}, Limits{Imports: limit}).Inspect(context.Background(), scantest.Bytes("f", []byte("x")))
		if err != nil || r.Verdict != want {
			t.Errorf("limit %d: %v, %v; want %v", limit, r.Verdict, err, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	a := New([]scan.Scanner{finds(scan.Low)}, Limits{})
	if b := New([]scan.Scanner{finds(scan.Low)}, Limits{Depth: 8}); a.Fingerprint() != b.Fingerprint() {
		t.Error("spelling out a default changes the fingerprint")
	}
	for name, b := range map[string]*Engine{
		"another scanner": New([]scan.Scanner{finds(scan.Info)}, Limits{}),
		"another limit":   New([]scan.Scanner{finds(scan.Low)}, Limits{Depth: 3}),
	} {
		if a.Fingerprint() == b.Fingerprint() {
			t.Errorf("%s keeps the fingerprint", name)
		}
	}
}
