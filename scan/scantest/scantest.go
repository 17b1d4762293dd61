// Package scantest is the acceptance suite that every scanner runs, the sink
// that unit tests read back, and the loader of sample corpora.
package scantest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
)

// Record is a scan.Sink that keeps everything, for tests.
type Record struct {
	Findings []scan.Finding
	Imports  []scan.Import
	Members  []Member
}

// Member is a member as a Record took it.
type Member struct {
	Name string
	Data []byte
	Err  error // what Stream ended with, nil for io.EOF
}

// maxMember bounds what a Record reads of one member, so that a bomb ends.
const maxMember = 64 << 20

// Finding implements scan.Sink.
func (r *Record) Finding(f scan.Finding) { r.Findings = append(r.Findings, f) }

// Import implements scan.Sink.
func (r *Record) Import(i scan.Import) { r.Imports = append(r.Imports, i) }

// Member implements scan.Sink.
func (r *Record) Member(ctx context.Context, m scan.Member) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	src := m.Stream
	if src == nil {
		src = io.NewSectionReader(m.At, 0, m.Size)
	}
	data, err := io.ReadAll(io.LimitReader(src, maxMember))
	r.Members = append(r.Members, Member{Name: m.Name, Data: data, Err: err})
	return nil
}

// Worst returns the highest severity found, scan.Info without findings.
func (r *Record) Worst() scan.Severity { return scan.Report{Findings: r.Findings}.Worst() }

// Bytes makes a scan.File of data.
func Bytes(name string, data []byte) scan.File {
	return scan.File{Name: name, Size: int64(len(data)), ReaderAt: bytes.NewReader(data)}
}

// Probe makes the scan.Probe of data that the engine would make.
func Probe(name string, data []byte) scan.Probe {
	head, tail := data, data
	if len(head) > scan.HeadSize {
		head = head[:scan.HeadSize]
		tail = tail[max(0, len(tail)-scan.TailSize):]
	}
	return scan.Probe{Name: name, Size: int64(len(data)), Head: head, Tail: tail}
}

// Scan runs s over data and returns what it reported.
func Scan(s scan.Scanner, name string, data []byte) (*Record, error) {
	r := &Record{}
	err := s.Scan(context.Background(), Bytes(name, data), r)
	return r, err
}

// Sample is one file with what a scanner has to say about it.
type Sample struct {
	Name  string
	Data  []byte
	Worst scan.Severity // the highest severity that must come out
	Err   error         // a class of package scan, nil for none
}

// Run is the acceptance suite. The samples need at least one file that must
// be caught and one look-alike that must pass.
func Run(t *testing.T, s scan.Scanner, samples []Sample) {
	t.Helper()
	if s.Format() == "" || s.Version() < 1 {
		t.Fatalf("Format %q, Version %d: want a name and a version from 1", s.Format(), s.Version())
	}
	caught, passed := 0, 0
	for _, c := range samples {
		t.Run(c.Name, func(t *testing.T) {
			if !s.Match(Probe(c.Name, c.Data)) {
				t.Fatal("Match = false")
			}
			r, err := Scan(s, c.Name, c.Data)
			if !errors.Is(err, c.Err) {
				t.Errorf("error = %v, want class %v", err, c.Err)
			}
			if r.Worst() != c.Worst {
				t.Errorf("worst finding = %v, want %v; findings: %+v", r.Worst(), c.Worst, r.Findings)
			}
			t.Run("properties", func(t *testing.T) { Properties(t, s, c.Data) })
		})
		if c.Worst >= scan.SeveritySuspicious || c.Err != nil {
			caught++
		} else {
			passed++
		}
	}
	if caught == 0 || passed == 0 {
		t.Errorf("%d samples are caught and %d pass: want at least one of each", caught, passed)
	}
}

// Properties checks what must hold for every scanner and every input: errors
// are classified, the answer does not depend on how the reader signals its
// end, a failing reader's error comes back as it is, and no prefix of the
// data makes the scanner panic or hang.
func Properties(t *testing.T, s scan.Scanner, data []byte) {
	t.Helper()
	want, err := Scan(s, "x", data)
	Classified(t, err)

	eager := &Record{}
	f := Bytes("x", data)
	f.ReaderAt = eagerEOF{data}
	eagerErr := s.Scan(context.Background(), f, eager)
	if (err == nil) != (eagerErr == nil) {
		t.Errorf("error = %v, with a reader that returns EOF with the last byte %v", err, eagerErr)
	}
	if diff := cmp.Diff(summary(want), summary(eager)); diff != "" {
		t.Errorf("answer depends on the reader (-plain +eager EOF):\n%s", diff)
	}

	for _, at := range cuts(len(data)) {
		_, err := Scan(s, "x", data[:at])
		Classified(t, err)

		f := Bytes("x", data)
		f.ReaderAt = failing{bytes.NewReader(data), int64(at)}
		err = s.Scan(context.Background(), f, &Record{})
		if errors.Is(err, scan.ErrMalformed) && errors.Is(err, errBoom) {
			t.Errorf("a reader that fails at %d is reported as damage of the file: %v", at, err)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Scan(ctx, Bytes("x", data), &Record{}); err != nil {
		Classified(t, err)
	}
}

// Classified fails the test unless err is nil, of a class of package scan, or
// the context's.
func Classified(t testing.TB, err error) {
	t.Helper()
	for _, class := range []error{nil, scan.ErrMalformed, scan.ErrLimit, scan.ErrForeign, context.Canceled} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Errorf("unclassified error %T: %v", err, err)
}

// Fuzz runs s on data under the properties that cost little: it ends, its
// error is classified, and two runs agree.
func Fuzz(t *testing.T, s scan.Scanner, data []byte) {
	t.Helper()
	s.Match(Probe("x", data))
	a, err := Scan(s, "x", data)
	Classified(t, err)
	b, _ := Scan(s, "x", data)
	if diff := cmp.Diff(summary(a), summary(b)); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
}

// summary is a Record without what go-cmp can not compare.
func summary(r *Record) any {
	type member struct {
		Name   string
		Size   int
		Broken bool
	}
	ms := make([]member, len(r.Members))
	for i, m := range r.Members {
		ms[i] = member{m.Name, len(m.Data), m.Err != nil}
	}
	return struct {
		Findings []scan.Finding
		Imports  []scan.Import
		Members  []member
	}{r.Findings, r.Imports, ms}
}

// cuts picks at most 64 places in n bytes, dense at both ends.
func cuts(n int) []int {
	var at []int
	for i := range n {
		if i < 16 || i >= n-16 || i%max(1, n/32) == 0 {
			at = append(at, i)
		}
	}
	return at
}

var errBoom = errors.New("boom")

// failing returns errBoom for every read that touches the byte at or after at.
type failing struct {
	io.ReaderAt
	at int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, errBoom
	}
	return f.ReaderAt.ReadAt(p, off)
}

// eagerEOF returns io.EOF together with the last byte, as io.ReaderAt allows.
type eagerEOF struct{ data []byte }

func (e eagerEOF) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(e.data)) {
		return 0, io.EOF
	}
	n := copy(p, e.data[off:])
	if off+int64(n) == int64(len(e.data)) {
		return n, io.EOF
	}
	return n, nil
}
