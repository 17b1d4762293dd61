// Package tar walks tape archives: v7, ustar, GNU and pax.
//
// A tar file is a sequence of 512-byte headers, each followed by the member's
// bytes padded to 512; two zero blocks end it. Old PyTorch checkpoints
// (.pth.tar up to 0.1), NeMo models and many Hub repositories' data are tars.
//
// What is dangerous: a member name or a link that leads out of the folder the
// archive is unpacked in writes or reads anywhere (tar slip); device members;
// and that readers disagree. Python stops at the first zero block or bad
// header, GNU tar looks further; a pax record and the header can give one
// member two sizes. So whatever any of them would extract is handed over, and
// the disagreement is a finding.
//
// The format is POSIX.1-1988 and -2001 (pax) with the GNU extensions of the
// tar manual's chapter "Basic Tar Format".
package tar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// Scanner inspects tar archives.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "tar" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner. A header is recognised as Python's tarfile
// does it, by its checksum, or by the ustar magic should that be damaged.
func (*Scanner) Match(p scan.Probe) bool {
	if len(p.Head) < blockSize {
		return false
	}
	block := (*block)(p.Head)
	return block.valid() || bytes.HasPrefix(block[257:], []byte("ustar"))
}

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	w := &walk{f: f, sink: s}
	return w.run(ctx)
}

// walk is the state of one Scan.
type walk struct {
	f       scan.File
	sink    scan.Sink
	members int
	ended   bool // an end mark was seen
	problem error
}

// run goes from header to header. It goes on after an end mark and after a
// bad header, because some readers do.
func (w *walk) run(ctx context.Context) error {
	off, skipped := int64(0), int64(-1) // skipped: where foreign bytes begin
	var next overrides
	for off < w.f.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.f.Size-off < blockSize {
			if err := w.rest(ctx, off, skipped); err != nil {
				return err
			}
			break
		}
		var b block
		if err := w.read(b[:], off); err != nil {
			return err
		}
		if b == (block{}) {
			w.ended = true
			off += blockSize
			continue
		}
		if !b.valid() {
			if off == 0 {
				w.malformed(off, "the first header's checksum is wrong")
			}
			if skipped < 0 {
				skipped = off
			}
			off += blockSize
			continue
		}
		if err := w.resumed(ctx, skipped, off); err != nil {
			return err
		}
		skipped = -1
		end, err := w.member(ctx, &b, off, &next)
		if err != nil {
			return err
		}
		off = end
	}
	if skipped >= 0 && w.f.Size-skipped >= blockSize && (w.f.Size-skipped)%blockSize == 0 {
		if err := w.foreign(ctx, skipped, w.f.Size); err != nil {
			return err
		}
	}
	if w.members == 0 && w.problem == nil {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no tar header")}
	}
	return w.problem
}

// rest judges the last bytes when they are less than a block.
func (w *walk) rest(ctx context.Context, off, skipped int64) error {
	if skipped < 0 {
		skipped = off
	}
	return w.foreign(ctx, skipped, w.f.Size)
}

// resumed reports a valid header that stands after an end mark or after bytes
// that are no header.
func (w *walk) resumed(ctx context.Context, skipped, off int64) error {
	if skipped >= 0 {
		if err := w.foreign(ctx, skipped, off); err != nil {
			return err
		}
	}
	if w.ended || skipped >= 0 {
		w.finding("tar.hidden", scan.SeveritySuspicious, "archive-confusion", off,
			"members follow the place where some readers take the archive to end")
		w.ended = false
	}
	return nil
}

// foreign hands over bytes that belong to no member.
func (w *walk) foreign(ctx context.Context, from, to int64) error {
	if !w.ended {
		w.malformed(from, "no header where one has to be")
	}
	zero, err := w.allZero(ctx, from, to)
	if err != nil || zero {
		return err
	}
	w.finding("tar.trailing", scan.Low, "archive-confusion", from,
		fmt.Sprintf("%d bytes belong to no member", to-from))
	return w.sink.Member(ctx, scan.Member{Name: "(trailing data)", At: w.f.Section(from, to-from), Size: to - from})
}

// malformed notes damage once; the walk goes on.
func (w *walk) malformed(off int64, what string) {
	if w.problem == nil {
		w.problem = scan.Malformed(off, "%s", what)
	}
	w.finding("tar.broken", scan.SeveritySuspicious, "broken-file", off, what)
}

func (w *walk) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	w.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// read fills b from off; the caller has checked that the file is long enough.
func (w *walk) read(b []byte, off int64) error {
	n, err := w.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (w *walk) allZero(ctx context.Context, from, to int64) (bool, error) {
	buf := make([]byte, 32<<10)
	for from < to {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		b := buf[:min(int64(len(buf)), to-from)]
		if err := w.read(b, from); err != nil {
			return false, err
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			return false, nil
		}
		from += int64(len(b))
	}
	return true, nil
}
