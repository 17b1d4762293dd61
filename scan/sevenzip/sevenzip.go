// Package sevenzip looks into 7z archives.
//
// A 7z file begins with 32 bytes that say where its header is, at the end. The
// header, often compressed itself, lists folders (chains of coders over packed
// streams) and the files cut from what each folder decodes to. No model loader
// reads 7z by itself; the danger is in what it hides: the nullifAI models were
// pickles in 7z containers under PyTorch's names, which scanners that wanted a
// zip gave up on, and which are unpacked by hand or by a helper script.
//
// A header of a hundred bytes can ask for gigabytes, by a dictionary size or a
// count. So the header is parsed here with every number checked, and only a
// new one, written from what was understood, goes to the library that decodes.
// What is encrypted can not be examined, and is said to be so.
//
// The format is described in 7zFormat.txt of the LZMA SDK.
package sevenzip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"modelwall/scan"
)

const signature = "7z\xbc\xaf\x27\x1c"

// signatureLen is the length of the header at the start: signature, version,
// CRC-32 of the rest, then the next header's offset, length and CRC-32.
const signatureLen = 32

var le = binary.LittleEndian

// Scanner inspects 7z archives.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "sevenzip" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte(signature)) }

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	a := &archive{r: &source{f: f}, size: f.Size, sink: s}
	err := a.run(ctx)
	if a.r.err != nil {
		return a.r.err
	}
	if errors.Is(err, scan.ErrMalformed) {
		a.finding("sevenzip.broken", scan.SeveritySuspicious, "broken-file", err.Error())
	}
	if err == nil {
		err = a.problem
	}
	return err
}

// source is the file; it remembers the reader's own failure.
type source struct {
	f   scan.File
	err error
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.f.ReadAt(p, off)
	switch {
	case n == len(p):
		return n, nil
	case err != nil && !errors.Is(err, io.EOF):
		s.err = err
	case off+int64(n) < s.f.Size:
		s.err = io.ErrUnexpectedEOF // the file is shorter than its size says
		return n, s.err
	}
	return n, err
}

// archive is the state of one Scan.
type archive struct {
	r       *source
	size    int64
	sink    scan.Sink
	problem error // why the archive was not examined whole
}

func (a *archive) finding(rule string, sev scan.Severity, technique, message string) {
	a.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Technique: technique})
}

// unexamined remembers that something can not be looked into.
func (a *archive) unexamined(format string, args ...any) {
	if a.problem == nil {
		a.problem = scan.Limit(0, format, args...)
	}
}

func (a *archive) run(ctx context.Context) error {
	packedEnd, head, err := a.nextHeader()
	if err != nil || head == nil {
		return err
	}
	h, err := a.header(head, packedEnd)
	if err != nil || h == nil {
		return err
	}
	return a.files(ctx, h, packedEnd)
}

// maxHeader is the longest header that is read, in bytes, packed or not.
const maxHeader = 16 << 20

// nextHeader returns the header that the start of the file points to, and
// where the packed streams end. An empty archive has none.
func (a *archive) nextHeader() (int64, []byte, error) {
	if a.size < signatureLen {
		return 0, nil, scan.Malformed(a.size, "cut off in the first header")
	}
	b := make([]byte, signatureLen)
	if _, err := a.r.ReadAt(b, 0); err != nil {
		return 0, nil, err
	}
	off, size, sum := le.Uint64(b[12:]), le.Uint64(b[20:]), le.Uint32(b[28:])
	switch {
	case crc32.ChecksumIEEE(b[12:]) != le.Uint32(b[8:]):
		return 0, nil, scan.Malformed(8, "the checksum of the first header is wrong")
	case size == 0 && a.size == signatureLen:
		return 0, nil, nil
	case size == 0:
		return 0, nil, scan.Malformed(12, "there is no list of files: the archive was not finished")
	case off > uint64(a.size-signatureLen), size > uint64(a.size-signatureLen)-off:
		return 0, nil, scan.Malformed(12, "the list of files lies beyond the end: cut off")
	case size > maxHeader:
		return 0, nil, scan.Limit(20, "a header of %d bytes", size)
	}
	at := signatureLen + int64(off)
	head := make([]byte, size)
	if _, err := a.r.ReadAt(head, at); err != nil {
		return 0, nil, err
	}
	if crc32.ChecksumIEEE(head) != sum {
		return 0, nil, scan.Malformed(at, "the checksum of the list of files is wrong")
	}
	return at, head, nil
}

// maxEncodings bounds how often a header may be packed in a header.
const maxEncodings = 4

// header parses head, unpacking it as often as needed. It returns nil after
// it has reported an encrypted one.
func (a *archive) header(head []byte, packedEnd int64) (*header, error) {
	for range maxEncodings {
		c := &cursor{b: head}
		switch id := c.byte(); id {
		case idHeader:
			h := c.header()
			if c.err != nil {
				return nil, c.fail(packedEnd)
			}
			return h, nil
		case idEncodedHeader:
			st := c.streams()
			if c.err != nil {
				return nil, c.fail(packedEnd)
			}
			if len(st.folders) != 1 || len(st.folders[0].sizes) == 0 {
				return nil, scan.Malformed(packedEnd, "a packed header of %d folders", len(st.folders))
			}
			f := &st.folders[0]
			if f.encrypted() {
				a.finding("sevenzip.encrypted", scan.SeveritySuspicious, "evasion", "the list of files is encrypted: nothing can be examined")
				a.unexamined("the list of files is encrypted")
				return nil, nil
			}
			if _, err := f.decodable(sum(st.packSizes)); err != nil {
				return nil, scan.Limit(packedEnd, "the packed list of files: %w", err)
			}
			if f.unpacked() > maxHeader {
				return nil, scan.Limit(packedEnd, "a header of %d bytes", f.unpacked())
			}
			var err error
			if head, err = a.unpackHeader(st, packedEnd); err != nil {
				return nil, err
			}
		default:
			return nil, scan.Malformed(packedEnd, "the list of files begins with %#02x", id)
		}
	}
	return nil, scan.Limit(packedEnd, "the header is packed more than %d times", maxEncodings)
}

func (a *archive) unpackHeader(st *streams, packedEnd int64) ([]byte, error) {
	st.cut = [][]uint64{{st.folders[0].unpacked()}}
	d, err := a.decoder(st, packedEnd)
	if err != nil {
		return nil, err
	}
	s := d.open(0)
	head, err := io.ReadAll(io.LimitReader(s, maxHeader))
	if err != nil {
		return nil, err
	}
	if uint64(len(head)) != st.folders[0].unpacked() {
		return nil, scan.Malformed(packedEnd, "the packed list of files ends early")
	}
	if f := st.folders[0]; f.hasCRC && crc32.ChecksumIEEE(head) != f.crc {
		return nil, scan.Malformed(packedEnd, "the checksum of the packed list of files is wrong")
	}
	return head, nil
}

func (c *cursor) fail(off int64) error {
	if errors.Is(c.err, errTooMany) {
		return scan.Limit(off, "the list of files: %w", c.err)
	}
	return scan.Malformed(off, "the list of files: %w", fmt.Errorf("at its byte %d: %w", c.at, c.err))
}
