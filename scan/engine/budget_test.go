package engine

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// quiet is a scanner that claims everything but the toy containers.
var quiet = fake{
	name: "quiet",
	match: func(p scan.Probe) bool {
		return !bytes.HasPrefix(p.Head, []byte("many\n")) && !bytes.HasPrefix(p.Head, []byte{0x1f, 0x8b})
	},
	scan: func(context.Context, scan.File, scan.Sink) error { return nil },
}

// many is a toy container that gives its content as a member so many times.
func many(times int) fake {
	return fake{
		name:  "many",
		match: func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("many\n")) },
		scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
			for range times {
				if err := s.Member(ctx, scan.Member{Name: "m", At: f.Section(5, f.Size-5), Size: f.Size - 5}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func inspect(t *testing.T, l Limits, data []byte, scanners ...scan.Scanner) scan.Report {
	t.Helper()
	l.TempDir = t.TempDir()
	r, err := New(scanners, l).Inspect(context.Background(), scantest.Bytes("f", data))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExpansion: many small streams add up to a bomb as one big one does.
func TestExpansion(t *testing.T) {
	const streams = 100
	for _, c := range []struct {
		size, expansion, each int64
		ok                    bool
	}{
		{1 << 20, 200, 200 << 20 / streams, true},
		{1 << 20, 200, 201 << 20 / streams, false},
		{1 << 20, 199, 200 << 20 / streams, false},
		{1 << 20, 201, 200 << 20 / streams, true},
		{10, 200, ratioFloor / streams, true}, // below the floor
		{10, 200, ratioFloor/streams + 1, false},
		{0, 1, 1, true},
	} {
		b := budget{limits: Limits{Expansion: c.expansion}.withDefaults(), size: c.size}
		var err error
		for range streams {
			if err == nil {
				err = b.decode(c.each, 0)
			}
		}
		if (err == nil) != c.ok {
			t.Errorf("%d streams of %d bytes in %d at %d times: %v", streams, c.each, c.size, c.expansion, err)
		}
	}
}

// TestReserves: what a decoder clears counts as decoded, however little comes
// out of it.
func TestReserves(t *testing.T) {
	const reserves = ratioFloor / 64
	for _, c := range []struct {
		members int
		want    scan.Verdict
	}{{64, scan.Clean}, {65, scan.Undetermined}} {
		thirsty := fake{name: "thirsty", match: many(1).match, scan: func(ctx context.Context, _ scan.File, s scan.Sink) error {
			for range c.members {
				if err := s.Member(ctx, scan.Member{Name: "m", Stream: strings.NewReader(""), Reserves: reserves}); err != nil {
					return err
				}
			}
			return nil
		}}
		if r := inspect(t, Limits{}, []byte("many\nx"), thirsty, quiet); r.Verdict != c.want {
			t.Errorf("%d members: verdict = %v (%s), want %v", c.members, r.Verdict, r.Error, c.want)
		}
	}
}

// TestPasses: members that share their bytes multiply with every level.
func TestPasses(t *testing.T) {
	leaf := strings.Repeat("x", passFloor/4)
	for _, c := range []struct {
		times, levels int
		want          scan.Verdict
	}{{16, 1, scan.Clean}, {17, 1, scan.Undetermined}, {1, 8, scan.Clean}, {2, 3, scan.Clean}, {8, 8, scan.Undetermined}} {
		data := strings.Repeat("many\n", c.levels) + leaf
		read := 0
		counting := fake{name: "counting", match: quiet.match, scan: func(_ context.Context, f scan.File, _ scan.Sink) error {
			read += int(f.Size)
			return nil
		}}
		r := inspect(t, Limits{}, []byte(data), many(c.times), counting)
		if r.Verdict != c.want {
			t.Errorf("%d times on %d levels: verdict = %v (%s), want %v", c.times, c.levels, r.Verdict, r.Error, c.want)
		}
		if read > (maxPasses+1)*len(data) {
			t.Errorf("%d times on %d levels: %d bytes were read of %d", c.times, c.levels, read, len(data))
		}
	}
}

func TestReportStaysSmall(t *testing.T) {
	greedy := fake{name: "greedy", match: quiet.match, scan: func(_ context.Context, f scan.File, s scan.Sink) error {
		for i := range 5000 {
			s.Finding(scan.Finding{Rule: "r", Severity: scan.Low, Message: strings.Repeat("x", i%300)})
			s.Import(scan.Import{Module: "m", Name: strings.Repeat("x", i)})
		}
		return nil
	}}
	deep := fake{name: "deep", match: many(1).match, scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		return s.Member(ctx, scan.Member{Name: strings.Repeat("n", 60_000), At: f.Section(5, f.Size-5), Size: f.Size - 5})
	}}
	r := inspect(t, Limits{}, []byte("many\nmany\nx"), deep, greedy)
	total := len(r.Error)
	for _, i := range r.Imports {
		total += len(i.Module) + len(i.Name) + len(i.Member)
	}
	for _, f := range r.Findings {
		total += len(f.Message) + len(f.Member)
	}
	if total > 8<<20 || r.Verdict != scan.Undetermined || len(r.Imports) < 100 {
		t.Errorf("%d bytes of names, %d imports, verdict %v", total, len(r.Imports), r.Verdict)
	}
}

// TestNothingTurnsIntoAPass: mistakes of a scanner that must not.
func TestNothingTurnsIntoAPass(t *testing.T) {
	ignoring := fake{name: "ignoring", match: many(1).match, scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		for range 3 {
			_ = s.Member(ctx, scan.Member{Name: "m", At: f.Section(5, f.Size-5), Size: f.Size - 5})
		}
		return nil
	}}
	foreign := fake{name: "foreign", match: many(1).match, scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		_ = ignoring.Scan(ctx, f, s)
		return scan.ErrForeign
	}}
	torn := fake{name: "torn", match: many(1).match, scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		return s.Member(ctx, scan.Member{Name: "m", Stream: errReader{scan.Malformed(7, "torn: %w", io.EOF)}})
	}}
	claims := fake{name: "claims", scan: func(context.Context, scan.File, scan.Sink) error { return nil }}
	panics := fake{name: "panics", match: func(scan.Probe) bool { panic("index out of range") }}
	crumbling := fake{name: "crumbling", match: many(1).match, scan: func(ctx context.Context, f scan.File, s scan.Sink) error {
		return s.Member(ctx, scan.Member{Name: "m", Stream: panicReader{}})
	}}
	for name, c := range map[string]struct {
		scanner scan.Scanner
		says    string
	}{
		"the end of the budget is ignored":        {ignoring, "more than 2 members"},
		"the end of the budget in a foreign file": {foreign, "more than 2 members"},
		"damage that wraps the end of a file":     {torn, "torn"},
		"a panic in Match":                        {panics, "index out of range"},
		"a panic in the stream of a member":       {crumbling, "index out of range"},
	} {
		r := inspect(t, Limits{Members: 2}, []byte("many\nx"), c.scanner, claims)
		if r.Verdict != scan.Undetermined || strings.Count(r.Error, c.says) != 1 {
			t.Errorf("%s: verdict = %v, error %q", name, r.Verdict, r.Error)
		}
	}
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("index out of range") }

// shortReader breaks the contract of io.ReaderAt.
type shortReader struct{ io.ReaderAt }

func (s shortReader) ReadAt(p []byte, off int64) (int, error) {
	return s.ReaderAt.ReadAt(p[:min(len(p), 3)], off)
}

func TestShortReadIsTheTransports(t *testing.T) {
	f := scantest.Bytes("f", []byte("some text"))
	f.ReaderAt = shortReader{f.ReaderAt}
	r, err := New([]scan.Scanner{quiet}, Limits{}).Inspect(context.Background(), f)
	if err == nil || r.Verdict != scan.Undetermined {
		t.Errorf("verdict = %v, error %v; want undetermined by an error", r.Verdict, err)
	}
}
