// Package executable recognises programs: for a processor (ELF, PE, Mach-O),
// for several systems at once (Actually Portable Executables, APE), for a
// virtual machine (WebAssembly, JVM classes, Android's dex, Lua bytecode) and
// scripts with an interpreter line.
//
// A model is data, so a program beside or inside it is either by mistake or
// for harm: whatever names it as a custom operator, a plugin or a library
// hands it the user's rights. What it would do can not be told from its bytes;
// that it is one can. The exceptions:
//
//   - A llamafile is a runtime of llama.cpp as an APE with a GGUF model in a
//     zip archive behind it. It runs when its user starts it, which is what
//     they downloaded it for. It has to be all of that: the runtime's text, and
//     a model among the members; the zip and its members go their own way
//     through the engine. The same program without a model is a program.
//   - Code for a GPU or a DSP, and WebAssembly, which reaches nothing that its
//     host does not give it.
//   - A script runs when its user runs it; many repositories carry theirs.
//   - An ELF header without segments and sections: nothing loads that.
//
// Specified by the System V ABI, Microsoft's PE format, Apple's
// mach-o/loader.h, the WebAssembly core specification, the JVM specification
// (4.1), Android's dex format and https://justine.lol/ape.html.
package executable

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects programs. It is safe for concurrent use.
type Scanner struct{ phrases *phrase.Finder }

// New returns the scanner.
func New() *Scanner { return &Scanner{phrase.NewFinder()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "executable" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return identify(p.Head).kind != none }

// Scan implements scan.Scanner.
func (x *Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	head := make([]byte, min(f.Size, scan.HeadSize))
	if err := phrase.Read(f, head, 0); err != nil {
		return err
	}
	p := identify(head)
	if p.kind == dos {
		ok, err := isPE(f, head)
		if err != nil {
			return err
		}
		if !ok {
			return foreign("no PE header")
		}
	}
	switch p.kind {
	case none:
		return foreign("no program")
	case harmless:
		finding(s, "executable.code", scan.Low, 0, p.what)
		return nil
	case code:
		finding(s, "executable.program", scan.SeveritySuspicious, 0, p.what+": nothing that a model needs")
		return nil
	}
	return x.program(ctx, f, s, p)
}

// program judges a program for a processor, which may be a llamafile.
func (x *Scanner) program(ctx context.Context, f scan.File, s scan.Sink, p program) error {
	t, err := x.runtime(ctx, f)
	if err != nil {
		return err
	}
	for _, h := range t.commands {
		finding(s, "executable.command", scan.SeveritySuspicious, h.Off,
			"a command that fetches or connects in the text of "+p.what+": "+scan.Quote(h.Text, 160))
	}
	llamafile := t.marker && (t.members || t.model > 0 && p.kind == hollow)
	switch {
	case llamafile:
		finding(s, "executable.llamafile", scan.Low, 0, p.what+" with a model inside (llamafile): runs with its user's rights when it is started")
	case p.kind == hollow:
		finding(s, "executable.broken", scan.Low, 0, p.what+" without segments and sections: nothing can run it")
	default:
		finding(s, "executable.program", scan.SeveritySuspicious, 0, p.what+": nothing that a model needs")
	}
	for _, a := range t.args {
		finding(s, "executable.args", scan.SeveritySuspicious, t.argsAt, "the llamafile's arguments name a place that no model needs: "+scan.Quote(a, 120))
	}
	if t.model == 0 {
		return nil
	}
	return s.Member(ctx, scan.Member{Name: "model.gguf", At: f.Section(t.model, f.Size-t.model), Size: f.Size - t.model})
}

func finding(s scan.Sink, rule string, sev scan.Severity, off int64, message string) {
	s.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: "executable"})
}

func foreign(why string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: errors.New(why)}
}

// isPE follows the DOS header to the PE header.
func isPE(f scan.File, head []byte) (bool, error) {
	const pointer = 0x3c
	if len(head) < pointer+4 {
		return false, nil
	}
	at := int64(binary.LittleEndian.Uint32(head[pointer:]))
	if at > f.Size-4 {
		return false, nil
	}
	var sig [4]byte
	err := phrase.Read(f, sig[:], at)
	return bytes.Equal(sig[:], []byte("PE\x00\x00")), err
}
