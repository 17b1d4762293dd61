// Package compress looks inside files that are one compressed stream: gzip,
// bzip2, xz, lzma (alone), zlib, zstd, lz4 (frame and legacy) and joblib's
// old ZF wrapper.
//
// Python's model loaders unwrap these without being asked: joblib.load and
// pandas.read_pickle choose the decompressor by the first bytes or by the
// name, and a pickle inside runs as if it stood in the file itself. The
// wrapper executes nothing; its danger is what it hides. So the decoded stream
// goes back to the engine as a member, and three things are watched on the way:
//
//   - Damage. A loader that decodes while it unpickles has executed the front
//     by the time it meets the damage. What decodes is inspected, and the
//     damage is a finding and an error.
//   - Data after the end. gzip, bzip2, xz, zstd and lz4 files may hold several
//     streams, which the Python modules join. Whatever else follows, padding
//     apart, is handed over as a member of its own. Python's lzma joins xz,
//     lzma and lzip with each other, which no tool writes; a file that has
//     anything behind xz or lzma is not examined whole.
//   - Memory. A header of a few bytes can ask for gigabytes of dictionary. No
//     decoder gets more than 64 MiB; a stream that needs more is a limit.
//
// gzip is RFC 1952, zlib RFC 1950, zstd RFC 8878; xz and lzma are described by
// XZ Utils (xz-file-format.txt, lzma-file-format.txt), lz4 by its frame format
// document, ZF by joblib.numpy_pickle_compat.
package compress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// Scanner inspects one wrapper format.
type Scanner struct {
	format format
	pool   pool
}

// format is one row of the table of wrappers.
type format struct {
	name  string
	match func(head []byte) bool
	open  func(src *source) (decoder, error)
	// weak signatures occur in arbitrary data; the stream must prove itself by
	// decoding a little.
	weak bool
	// joins says that what follows the last stream may go on with the data,
	// should it be of a related format.
	joins bool
	// reserves is what a decoder clears, where that is much, in bytes.
	reserves int64
}

// decoder yields the decoded bytes of all joined streams up to io.EOF. After
// that, end is the offset in the file of the first byte that belongs to none.
type decoder interface {
	io.Reader
	end() int64
}

// New returns one scanner for each wrapper format.
func New() []scan.Scanner {
	formats := [...]format{
		{name: "gzip", match: prefix("\x1f\x8b\x08"), open: openGzip},
		{name: "bzip2", match: matchBzip2, open: openBzip2, reserves: 900_000},
		{name: "xz", match: prefix(xzMagic), open: openXZ, joins: true},
		{name: "zstd", match: matchZstd, open: openZstd},
		{name: "lz4", match: matchLZ4, open: openLZ4},
		{name: "lzma", match: matchLZMA, open: openLZMA, weak: true, joins: true},
		{name: "zlib", match: matchZlib, open: openZlib, weak: true},
		{name: "zfile", match: prefix("ZF"), open: openZFile, weak: true},
	}
	scanners := make([]scan.Scanner, len(formats))
	for i, f := range formats {
		scanners[i] = &Scanner{format: f}
	}
	return scanners
}

const xzMagic = "\xfd7zXZ\x00"

func prefix(magic string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.format.name }

// Version implements scan.Scanner.
func (s *Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool { return s.format.match(p.Head) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	if s.format.weak {
		if err := s.confirm(ctx, f, sink); err != nil {
			return err
		}
	}
	st := s.stream(f)
	defer st.close()
	if err := sink.Member(ctx, scan.Member{Stream: st, Packed: f.Size, Reserves: s.format.reserves}); err != nil {
		return err
	}
	switch {
	case st.Err() == nil: // a budget ended it; the engine knows
		return nil
	case errors.Is(st.Err(), io.EOF):
		return s.trailing(ctx, f, st.tail, s.format.joins && st.Decoded() > 0, sink)
	case errors.Is(st.Err(), scan.ErrMalformed):
		sink.Finding(scan.Finding{
			Rule:      s.format.name + ".broken",
			Severity:  scan.SeveritySuspicious,
			Message:   fmt.Sprintf("the %s stream is damaged after %d decoded bytes; a loader has used those by then", s.format.name, st.Decoded()),
			Offset:    st.src.offset(),
			Technique: "broken-file",
		})
	}
	return st.Err()
}

// proof is how many bytes a stream of a weak signature has to decode to count
// as one. Random bits behind a zlib header practically never get this far.
const proof = 512

// confirm decodes the first bytes of a stream whose signature is weak. A
// stream that breaks before it has proved itself is not of this format, yet
// what it decoded to is handed over: it may be all that an attacker needs.
func (s *Scanner) confirm(ctx context.Context, f scan.File, sink scan.Sink) error {
	st := s.stream(f)
	defer st.close()
	head, err := io.ReadAll(io.LimitReader(st, proof))
	switch {
	case err == nil, len(head) == proof, errors.Is(err, io.ErrUnexpectedEOF):
		return nil // proved, whole, or cut off: Scan says which
	case !errors.Is(err, scan.ErrMalformed):
		return err
	}
	if len(head) > 0 {
		m := scan.Member{At: bytes.NewReader(head), Size: int64(len(head))}
		if err := sink.Member(ctx, m); err != nil {
			return err
		}
	}
	return &scan.Error{Class: scan.ErrForeign, Offset: st.src.offset(), Reason: errors.New("does not decode")}
}

// trailing hands over what follows the last stream, unless it is zeros. What
// is joined to nothing is seen whole that way: weights of zeros begin like an
// empty lzma file.
func (s *Scanner) trailing(ctx context.Context, f scan.File, end int64, joined bool, sink scan.Sink) error {
	src := &source{f: f, next: end}
	if err := src.skipZeros(); err != nil {
		return err
	}
	off := src.offset()
	if off >= f.Size {
		return nil
	}
	if s.format.joins && !joined { // each of these streams of zeros has 18 bytes
		off = end + (off-end)/18*18
	}
	severity := scan.Low
	if joined {
		severity = scan.SeveritySuspicious
	}
	sink.Finding(scan.Finding{
		Rule:      s.format.name + ".trailing",
		Severity:  severity,
		Message:   fmt.Sprintf("%d bytes follow the end of the %s data", f.Size-off, s.format.name),
		Offset:    off,
		Technique: "archive-confusion",
	})
	m := scan.Member{Name: "(trailing data)", At: f.Section(off, f.Size-off), Size: f.Size - off}
	if err := sink.Member(ctx, m); err != nil {
		return err
	}
	if joined {
		return scan.Limit(off, "Python may join what follows to the %s data", s.format.name)
	}
	return nil
}
