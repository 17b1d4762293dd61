package gguf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// Scanner implements scan.Scanner.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "gguf" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

const magic = "GGUF"

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool {
	return bytes.HasPrefix(p.Head, []byte(magic)) || legacy(p.Head) != ""
}

// legacy names the container before GGUF that head begins, "" for none.
func legacy(head []byte) string {
	if len(head) < 8 {
		return ""
	}
	var name string
	switch string(head[:4]) {
	case "lmgg", "ggml", "GGML":
		name = "ggml"
	case "fmgg", "ggmf", "GGMF":
		name = "ggmf"
	case "tjgg", "ggjt", "GGJT":
		name = "ggjt"
	case "algg", "ggla", "GGLA":
		name = "ggla"
	default:
		return ""
	}
	// A version or a small number comes next; in a text it would be letters.
	if n := min(binary.LittleEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[4:])); n >= 1<<24 {
		return ""
	}
	return name
}

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	r := &reader{ctx: ctx, f: f, sink: s, order: binary.LittleEndian, said: map[string]bool{}}
	head, err := r.peek(8)
	if err != nil {
		return err
	}
	if name := legacy(head); name != "" {
		r.finding("legacy", scan.Info, "", 0, "a model in the "+name+" container, which came before GGUF: numbers and a vocabulary")
		return nil
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no magic number")}
	}
	return r.file()
}

// reader goes through a header.
type reader struct {
	ctx   context.Context //nolint:containedctx // one Scan is this value's whole life
	f     scan.File
	sink  scan.Sink
	order binary.ByteOrder
	v1    bool // lengths have 32 bits

	buf   []byte
	base  int64 // file offset of buf[0]
	off   int64 // file offset of what comes next
	chunk int

	alignment int64
	keys      map[uint64]bool // hashes of the keys that were met
	tensors   []tensor
	said      map[string]bool // rules of small findings: one of each is enough
	attacked  bool            // a count or a length is past belief
}

// errAttack ends the reading of a header in which a length is past belief.
// What there is to say was reported.
var errAttack = errors.New("a length past belief")

// file reads a whole GGUF file.
func (r *reader) file() error {
	err := r.header()
	if errors.Is(err, errAttack) {
		return nil
	}
	return err
}

func (r *reader) header() error {
	r.off = int64(len(magic))
	version, err := r.u32()
	if err != nil {
		return err
	}
	if version&0xffff == 0 {
		r.order = binary.BigEndian
		version = binary.BigEndian.Uint32(binary.LittleEndian.AppendUint32(nil, version))
	}
	if version < 1 || version > 3 {
		return r.broken(4, "there is no version %d", version)
	}
	r.v1 = version == 1
	at := r.off
	tensors, err := r.length()
	if err != nil {
		return err
	}
	pairs, err := r.length()
	if err != nil {
		return err
	}
	if tensors >= absurd {
		err = r.attack(at, "counts %d tensors", tensors)
	}
	if pairs >= absurd {
		err = r.attack(at, "counts %d pairs", pairs)
	}
	// Whatever the counts say, what there is gets read.
	if err := r.pairs(pairs); err != nil {
		return err
	}
	if err := r.table(tensors); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return r.layout()
}

// absurd is a count or a length that no file can have and no download that
// broke off explains.
const absurd = 1 << 40

// attack reports a number that readers in C multiply until it overflows.
func (r *reader) attack(at int64, format string, args ...any) error {
	if !r.attacked {
		r.finding("overflow", scan.SeveritySuspicious, "broken-file", at,
			"the header "+fmt.Sprintf(format, args...)+": readers that believe it overflow their memory")
	}
	r.attacked = true
	return errAttack
}

// broken reports damage that every reader stops at.
func (r *reader) broken(at int64, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	r.finding("broken", scan.Low, "broken-file", at, what)
	return scan.Malformed(at, "%s", what)
}

func (r *reader) finding(rule string, sev scan.Severity, technique string, at int64, message string) {
	if sev <= scan.Low {
		if r.said[rule] {
			return
		}
		r.said[rule] = true
	}
	r.sink.Finding(scan.Finding{Rule: "gguf." + rule, Severity: sev, Message: message, Offset: at, Technique: technique})
}

// Sizes of reads, in bytes: small files cost little, long headers few reads.
const (
	minChunk = 64 << 10
	maxChunk = 1 << 20
)

// peek returns the next n bytes, fewer only at the end of the file. They are
// valid until the next call.
func (r *reader) peek(n int) ([]byte, error) {
	if have := r.base + int64(len(r.buf)) - r.off; r.off >= r.base && have >= int64(n) {
		at := r.off - r.base
		return r.buf[at : at+int64(n)], nil
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	r.chunk = min(max(2*r.chunk, minChunk), maxChunk)
	size := int(max(0, min(int64(max(n, r.chunk)), r.f.Size-r.off)))
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.buf, r.base = r.buf[:size], r.off
	if err := readFull(r.f, r.buf, r.off); err != nil {
		r.buf = r.buf[:0]
		return nil, err
	}
	return r.buf[:min(n, size)], nil
}

func readFull(f io.ReaderAt, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is shorter than its size says
	}
	return fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}

// take is peek that moves on and fails at the end of the file.
func (r *reader) take(n int) ([]byte, error) {
	b, err := r.peek(n)
	if err != nil {
		return nil, err
	}
	if len(b) < n {
		if r.attacked {
			return nil, errAttack
		}
		return nil, r.broken(r.off, "the header is cut off")
	}
	r.off += int64(n)
	return b, nil
}

func (r *reader) u32() (uint32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return r.order.Uint32(b), nil
}

func (r *reader) u64() (uint64, error) {
	b, err := r.take(8)
	if err != nil {
		return 0, err
	}
	return r.order.Uint64(b), nil
}

// length reads a count or a length of the version's width.
func (r *reader) length() (uint64, error) {
	if r.v1 {
		n, err := r.u32()
		return uint64(n), err
	}
	return r.u64()
}

// room checks that n things of size bytes are left in the file.
func (r *reader) room(at int64, what string, n, size uint64) error {
	switch {
	case n <= uint64(r.f.Size-r.off)/size:
		return nil
	case n >= absurd:
		return r.attack(at, "announces %d %s", n, what)
	}
	return r.broken(at, "%d %s do not fit into the file", n, what)
}
