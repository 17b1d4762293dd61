package engine

import (
	"context"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// seen is a wrapper that notes what its scanner examines.
type seen struct {
	scan.Scanner
	members map[string]bool
}

func (s seen) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	s.members[f.Member] = true
	return s.Scanner.Scan(ctx, f, sink)
}

// nest hands its file over as a member, once.
type nest struct{}

func (nest) Format() string        { return "nest" }
func (nest) Version() int          { return 1 }
func (nest) Match(scan.Probe) bool { return true }
func (nest) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	if f.Member != "" {
		return nil
	}
	return s.Member(ctx, scan.Member{Name: "inner", At: f.ReaderAt, Size: f.Size})
}

func TestWith(t *testing.T) {
	members := map[string]bool{}
	e := New([]scan.Scanner{nest{}}, Limits{Depth: 3})
	with := e.With(func(s scan.Scanner) scan.Scanner { return seen{s, members} })
	r, err := with.Inspect(context.Background(), scantest.Bytes("x", []byte("data")))
	if err != nil || r.Verdict != scan.Clean {
		t.Fatalf("%+v, %v", r, err)
	}
	if !members[""] || !members["inner"] || len(members) != 2 {
		t.Errorf("the wrapper saw %v", members)
	}
	if with.Fingerprint() != e.Fingerprint() {
		t.Error("the fingerprint changes")
	}
}
