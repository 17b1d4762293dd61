// Package config judges JSON by what the loaders of model hubs do with it.
//
// JSON itself executes nothing, but its readers act on it: they import what it
// names, open the files and repositories that it points to, and render the
// templates that it holds. Any JSON file is looked at, whatever it is called,
// for keys that some loader acts on:
//
//	auto_map, custom_pipelines,         transformers, diffusers and PEFT import
//	  model_index.json, auto_mapping      a module of the repository, or of
//	                                      another one ("org/repo--module.Class"),
//	                                      if the user allows custom code
//	_attn_implementation_internal       transformers before 5.3 fetches a kernel
//	                                      of that name and runs it, unasked
//	model_file                          mlx-lm runs the Python file, unasked
//	modules.json                        sentence-transformers imports "type"
//	_target_, class_path, _component_   Hydra, Lightning and torchtune call it
//	loader_module                       MLflow imports it
//	py/object, py/reduce, py/repr       jsonpickle makes it
//	"$…" with _target_                  MONAI evaluates it as Python
//	chat_template and other templates   Jinja renders it (handed to the engine)
//	weight_map, modules.json, …         names of files that are opened
//	handler of a TorchServe manifest    the file that serves
//	base64 or hexadecimal text          hidden pickles, archives and programs
//	                                      (handed to the engine), hidden code
//
// Custom code is frequent in honest repositories and needs the user's consent:
// it is a fact of low severity. A reference is an attack when it leaves the
// repository, when it is acted on without consent, or when what it names runs
// commands.
//
// The text is read as a stream (see jsontext), so that a tokenizer of 100 MB
// costs linear time and constant memory. Every occurrence of a duplicate key
// is judged. Where the text breaks, no parser has returned anything, so what
// follows is not looked at and the file is not this format.
package config

import (
	"bytes"
	"context"
	"errors"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// Scanner is the scanner of JSON.
type Scanner struct{ names *pyname.Judge }

// New returns the scanner.
func New() *Scanner { return &Scanner{pyname.New()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "config" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: after blanks, a bracket or a comment.
func (*Scanner) Match(p scan.Probe) bool {
	b := bytes.TrimLeft(jsontext.Head(p.Head, jsontext.ByZeros), " \t\r\n")
	if len(b) == 0 {
		return p.Size > int64(len(p.Head))
	}
	if b[0] != '{' && b[0] != '[' && b[0] != '/' {
		return false
	}
	// Numbers of two bytes can look like a bracket in UTF-16, once.
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	return len(rest) == 0 || rest[0] > ' ' && rest[0] < 0x7f
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	at, size, err := jsontext.Transcode(f, jsontext.ByZeros)
	if err != nil {
		return err
	}
	w := &walk{ctx: ctx, src: at, sink: sink, handed: map[uint64]bool{}}
	w.Judge = refs.Judge{Names: s.names, Report: func(rule string, sev scan.Severity, technique string, off int64, message string) {
		w.finding("config."+rule, sev, technique, off, message)
	}}
	r := jsontext.NewReader(ctx, at, size)
	for {
		t, err := r.Next()
		if err != nil {
			return w.broken(err)
		}
		if t.Kind == jsontext.End {
			w.finish()
			return nil
		}
		if err := w.token(t); err != nil {
			return err
		}
	}
}

// broken ends the walk where the text does.
func (w *walk) broken(err error) error {
	switch {
	case errors.Is(err, scan.ErrMalformed):
		w.finish()
		return &scan.Error{Class: scan.ErrForeign, Reason: err}
	case errors.Is(err, scan.ErrLimit):
		w.finish()
		w.finding("config.depth", scan.SeveritySuspicious, "bomb", 0, "nested deeper than any parser of Python goes: made to exhaust a stack")
	}
	return err
}

func (w *walk) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	w.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}
