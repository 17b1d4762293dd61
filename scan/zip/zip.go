// Package zip walks zip archives the way all their readers do at once.
//
// A zip file names every member twice: in a local header before its bytes and
// in the central directory at the end of the file, which an end record points
// to. PyTorch's reader (miniz) and Python's zipfile go by the directory, with
// different checks; streaming readers take the local headers in order; none
// has to agree with another, and each difference lets an attacker show one
// payload to a scanner and another to a loader. Flag bits, checksums and
// methods can be set so that one reader refuses what another runs.
//
// So this package trusts neither list. It takes every end record in the tail,
// every directory that one of them can mean, every local header that a
// directory names and every further one that stands in the way. All readings
// of the bytes go back to the engine as members, checksums and flags are
// ignored for decoding, and each disagreement is a finding. Prefixed data (a
// self-extracting archive), zip64 and data descriptors are ordinary.
//
// Only headers are read: for a checkpoint of any size a kilobyte for each
// member, plus the tail.
//
// The format is PKWARE's APPNOTE.TXT; PyTorch's layout is caffe2/serialize.
package zip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"

	"modelwall/scan"
)

// The signatures of the records.
const (
	sigLocal      = "PK\x03\x04"
	sigCentral    = "PK\x01\x02"
	sigEnd        = "PK\x05\x06"
	sigEnd64      = "PK\x06\x06"
	sigLocator64  = "PK\x06\x07"
	sigDescriptor = "PK\x07\x08"
	sigSpanned    = "PK00" // precedes the first header of a split archive
)

var le = binary.LittleEndian

// Scanner inspects zip archives.
type Scanner struct{ pool pool }

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "zip" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: a local header at the start, or an end record
// in the tail, where a zip appended to another file has it.
func (*Scanner) Match(p scan.Probe) bool {
	return startsLocal(p.Head) || bytes.Contains(p.Tail, []byte(sigEnd))
}

func startsLocal(b []byte) bool { return headLen(b) >= 0 }

// headLen returns how many bytes of split-archive mark precede the local
// header that b starts with, or -1 when it starts with none.
func headLen(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte(sigLocal)):
		return 0
	case bytes.HasPrefix(b, []byte(sigDescriptor+sigLocal)), bytes.HasPrefix(b, []byte(sigSpanned+sigLocal)):
		return 4
	}
	return -1
}

// Scan implements scan.Scanner.
func (z *Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	w := newWalk(f, s, &z.pool)
	if err := w.run(ctx); err != nil {
		return err
	}
	return w.problem
}

// walk is the state of one Scan.
type walk struct {
	sink    scan.Sink
	r       *window
	pool    *pool
	size    int64
	given   map[given]bool // members handed over
	locals  map[int64]bool // offsets of local headers that were judged
	spans   []span         // what is accounted for
	entries int            // central records read
	claimed int64          // sum of the members' packed sizes
	crcLeft int64          // stored bytes that may still be read for a checksum
	resume  []int64        // where a reader that believes a local header goes on
	doubts  int            // things in gaps that look like local headers
	problem error          // why the archive was not examined whole
}

func newWalk(f scan.File, s scan.Sink, p *pool) *walk {
	return &walk{
		sink:    s,
		r:       &window{f: f},
		pool:    p,
		size:    f.Size,
		given:   map[given]bool{},
		locals:  map[int64]bool{},
		crcLeft: maxCRCTotal,
	}
}

func (w *walk) run(ctx context.Context) error {
	head, err := w.r.upTo(0, 8)
	if err != nil {
		return err
	}
	start := headLen(head)
	ends, err := w.findEnds()
	if err != nil {
		return err
	}
	dirs, usable, err := w.directories(ctx, ends)
	if err != nil {
		return err
	}
	if !usable {
		if start < 0 {
			return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no local header at the start and no directory at the end")}
		}
		return w.withoutDirectory(ctx, int64(start))
	}
	w.expect(dirs)
	var members []member
	for i := range dirs {
		found, err := w.reconcile(ctx, &dirs[i])
		if err != nil {
			return err
		}
		members = append(members, found...)
	}
	for _, m := range members {
		if err := w.deliver(ctx, m); err != nil {
			return err
		}
	}
	return w.unaccounted(ctx, int64(start))
}

// Looks implements scan.Looker. Behind 4 GiB the old end record names a place
// that no archive means, and that is looked at all the same.
func (*Scanner) Looks(size int64) [][2]int64 {
	const nowhere = math.MaxUint32
	if size <= nowhere {
		return nil
	}
	return [][2]int64{{nowhere, nowhere + ahead}, {size - endLen - nowhere, size - endLen - nowhere + ahead}}
}

// expect announces what reconcile and deliver are going to read: each local
// header with what the window reads behind it and with a data descriptor of
// the member before, and members that are no tensors.
func (w *walk) expect(dirs []directory) {
	far, ok := w.r.f.ReaderAt.(scan.Expecter)
	if !ok {
		return
	}
	const (
		descriptor = 24
		program    = 1 << 20 // a member up to this size is read whole, likely
	)
	var runs [][2]int64
	for i := range dirs {
		roots := torchRoots(&dirs[i])
		for j := range dirs[i].entries {
			e := &dirs[i].entries[j]
			end := e.local + ahead
			if !isStorage(e.name, roots) && e.packed <= program {
				end += e.packed
			}
			runs = append(runs, [2]int64{e.local - descriptor, end})
		}
	}
	far.Expect(runs)
}

// withoutDirectory walks an archive that has no usable directory, as a
// streaming reader does.
func (w *walk) withoutDirectory(ctx context.Context, start int64) error {
	w.malformed(0, "zip.broken", "there is no central directory: cut off or destroyed")
	_, err := w.follow(ctx, start, false)
	return err
}

func (w *walk) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	w.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// confusion reports that readers of the archive disagree.
func (w *walk) confusion(rule string, off int64, message string) {
	w.finding(rule, scan.SeveritySuspicious, "archive-confusion", off, message)
}

// malformed reports damage and remembers the first of it.
func (w *walk) malformed(off int64, rule, message string) {
	w.finding(rule, scan.SeveritySuspicious, "broken-file", off, message)
	if w.problem == nil {
		w.problem = scan.Malformed(off, "%s", message)
	}
}

// unexamined remembers that something can not be looked into.
func (w *walk) unexamined(off int64, message string) {
	if w.problem == nil {
		w.problem = scan.Limit(off, "%s", message)
	}
}
