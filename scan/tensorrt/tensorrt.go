// Package tensorrt inspects TensorRT engines (.engine, .plan, .trt).
//
// An engine is a network compiled for one GPU: kernels as CUDA binaries, which
// are ELF files for that processor, weights, and the names of the plugins that
// have to be registered to load it. Its layout is NVIDIA's own and undocumented
// but for the mark. Two things reach the host:
//
//   - A version-compatible engine brings the code of a lean runtime along, and
//     since TensorRT 10 plugin libraries can be serialized too. Both are shared
//     libraries that run when the engine is loaded with host code allowed.
//   - Strings are the author's, and tools show them.
//
// So an engine is searched from end to end: for ELF programs that are not for a
// GPU and PE programs, and for commands in its text.
//
// Described by NVIDIA's TensorRT developer guide, "Version Compatibility" and
// "Plugin Shared Libraries".
package tensorrt

import (
	"bytes"
	"context"
	"encoding/binary"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects TensorRT engines. It is safe for concurrent use.
type Scanner struct{ phrases *phrase.Finder }

// New returns the scanner.
func New() *Scanner { return &Scanner{phrase.NewFinder()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "tensorrt" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool {
	return bytes.HasPrefix(p.Head, []byte("ptrt")) || bytes.HasPrefix(p.Head, []byte("ftrt"))
}

// Bounds of one file.
const (
	chunk       = 256 << 10
	header      = 512 // bytes of a program that are looked at
	maxPrograms = 8
	maxCommands = 8
)

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	buf := make([]byte, min(chunk, f.Size))
	programs := 0
	for off := int64(0); off < f.Size && programs < maxPrograms; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), f.Size-off)]
		if err := phrase.Read(f, b, off); err != nil {
			return err
		}
		last := off+int64(len(b)) == f.Size
		for _, magic := range [...]string{"\x7fELF", "MZ"} {
			for at := 0; programs < maxPrograms; at++ {
				i := bytes.Index(b[at:], []byte(magic))
				if i < 0 {
					break
				}
				if at += i; at > len(b)-header && !last {
					break // comes again with the next piece
				}
				if forHost(b[at:]) {
					programs++
					sink.Finding(scan.Finding{
						Rule: "tensorrt.program", Severity: scan.SeveritySuspicious, Offset: off + int64(at), Technique: "executable",
						Message: "a shared library for the host inside of the engine: a runtime or plugin that runs when it is loaded",
					})
				}
			}
		}
		if off += int64(len(b)); !last {
			off -= header - 1
		}
	}
	commands := 0
	return s.phrases.Search(ctx, f, 0, f.Size, func(h phrase.Hit) bool {
		commands++
		sink.Finding(scan.Finding{
			Rule: "tensorrt.command", Severity: scan.SeveritySuspicious, Offset: h.Off, Technique: "code-execution",
			Message: "a string with a command or code that starts programs: " + scan.Quote(h.Text, 160),
		})
		return commands < maxCommands
	})
}

// forHost reports whether b begins an ELF program that is for no GPU, or a PE
// program, whose new header has to be near.
func forHost(b []byte) bool {
	if len(b) < 64 {
		return false
	}
	if b[0] == 'M' {
		at := int64(binary.LittleEndian.Uint32(b[60:]))
		return at >= 64 && at < int64(min(len(b), header)) && bytes.HasPrefix(b[at:], []byte("PE\x00\x00"))
	}
	if b[4] < 1 || b[4] > 2 || b[5] < 1 || b[5] > 2 || b[6] != 1 {
		return false
	}
	machine := binary.LittleEndian.Uint16(b[18:])
	if b[5] == 2 {
		machine = binary.BigEndian.Uint16(b[18:])
	}
	switch machine {
	case 3, 8, 21, 40, 62, 183, 243: // x86, MIPS, POWER, ARM, x86-64, AArch64, RISC-V
		return true
	}
	return false // 190 is CUDA
}
