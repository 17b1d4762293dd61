package safetensors

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
type Scanner struct{ patterns patterns }

// New returns the scanner.
func New() *Scanner { return &Scanner{newPatterns()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "safetensors" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Bounds of a header, in bytes.
const (
	lengthSize = 8
	maxHeader  = 100_000_000 // what the reference implementation takes
	// absurd is a size that no file has and no download that broke off
	// explains.
	absurd = 1 << 44
)

// Match implements scan.Scanner: a JSON object behind eight bytes.
func (*Scanner) Match(p scan.Probe) bool {
	if len(p.Head) < lengthSize+2 {
		return false
	}
	if len(bytes.TrimLeft(p.Head[:lengthSize], " \t\r\n")) == 0 {
		return false // JSON that is indented; no file is as long as that would say
	}
	text := bytes.TrimLeft(p.Head[lengthSize:], " \t\r\n")
	if len(text) == 0 { // blanks as far as the eye reaches
		n := binary.LittleEndian.Uint64(p.Head)
		return n <= maxHeader && int64(n) <= p.Size-lengthSize
	}
	if text[0] != '{' {
		return false
	}
	text = bytes.TrimLeft(text[1:], " \t\r\n")
	return len(text) == 0 || text[0] == '"' || text[0] == '}'
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	if f.Size < lengthSize+2 {
		return foreign(0, "shorter than a header")
	}
	var length [lengthSize]byte
	if err := readFull(f, length[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(length[:])
	end := min(n, uint64(f.Size-lengthSize), maxHeader)
	h := &header{
		ctx: ctx, f: f, sink: sink, patterns: s.patterns, said: map[string]bool{},
		json: newJSON(ctx, f, lengthSize, lengthSize+int64(end)),
	}
	return h.judge(n)
}

// header is the state of one Scan.
type header struct {
	ctx      context.Context //nolint:containedctx // one Scan is this value's whole life
	f        scan.File
	sink     scan.Sink
	patterns patterns
	json     *jsonReader
	tensors  []tensor
	names    []uint64 // hashes
	said     map[string]bool
	entries  int // tensors and metadata that were read whole
	problem  error
}

// judge reads the header, which says it has n bytes.
func (h *header) judge(n uint64) error {
	err := h.object()
	var bad *syntaxError
	switch {
	case errors.As(err, &bad) && h.entries == 0:
		return foreign(bad.off, "no JSON header: "+bad.what)
	case errors.As(err, &bad) && bad.end && n > uint64(h.f.Size-lengthSize):
		return h.broken(bad.off, "the header is cut off")
	case errors.As(err, &bad):
		return h.broken(bad.off, "the header is not JSON: "+bad.what)
	case err != nil:
		return err
	case h.entries == 0 && h.problem != nil:
		return foreign(lengthSize, "a JSON object without tensors")
	}
	if n > maxHeader || n > uint64(h.f.Size-lengthSize) {
		// The JSON is whole, the length is not its own.
		if h.entries == 0 {
			return foreign(0, "a length that no header has")
		}
		h.finding("header-length", scan.SeveritySuspicious, "broken-file", 0,
			fmt.Sprintf("the header says it has %d bytes and does not: readers disagree where the tensors begin, or overflow", n))
		return nil
	}
	if err := h.behindJSON(); err != nil {
		return err
	}
	if err := h.layout(lengthSize + int64(n)); err != nil {
		return err
	}
	return h.problem
}

// behindJSON looks at what the header holds after its JSON: blanks, as a rule.
func (h *header) behindJSON() error {
	at, err := h.json.rest()
	if err != nil || at == h.json.end {
		return err
	}
	h.finding("header-trailing", scan.SeveritySuspicious, "archive-confusion", at, "bytes in the header behind its JSON: readers refuse or skip them")
	if h.problem == nil {
		h.problem = scan.Malformed(at, "bytes in the header behind its JSON")
	}
	return h.member("header", at, h.json.end-at)
}

// broken reports damage that every reader stops at.
func (h *header) broken(at int64, what string) error {
	h.finding("broken", scan.Low, "broken-file", at, what)
	return scan.Malformed(at, "%s", what)
}

func (h *header) finding(rule string, sev scan.Severity, technique string, at int64, message string) {
	if h.said[rule+message] {
		return
	}
	if len(h.said) < 1000 {
		h.said[rule+message] = true
	}
	h.sink.Finding(scan.Finding{Rule: "safetensors." + rule, Severity: sev, Message: message, Offset: at, Technique: technique})
}

func (h *header) member(name string, at, size int64) error {
	return h.sink.Member(h.ctx, scan.Member{Name: name, At: io.NewSectionReader(h.f, at, size), Size: size})
}

func (h *header) memberBytes(name string, b []byte) error {
	return h.sink.Member(h.ctx, scan.Member{Name: name, At: bytes.NewReader(b), Size: int64(len(b))})
}

func foreign(off int64, what string) error {
	return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New(what)}
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
