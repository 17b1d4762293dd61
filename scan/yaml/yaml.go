// Package yaml judges YAML by what its loaders construct and what the programs
// that read it do with it.
//
// PyYAML's unsafe loaders, the default before version 5.1 and what ruamel.yaml
// and others still offer, construct any Python object that a tag names:
// "!!python/object/apply:os.system [id]" runs a command. The tag can be
// spelled with its handle, with a %TAG directive's, in full as
// !<tag:yaml.org,2002:python/...>, and with %XX escapes. HyperPyYAML, with
// which every SpeechBrain model is described, calls what !new: and !apply:
// name, on purpose and by default. SnakeYAML makes Java classes of global
// tags, as TorchServe's workflows did (CVE-2022-1471), and Ruby has
// !ruby/object.
//
// Without any tag, Hydra and its like call what _target_, class_path or
// _component_ name (CVE-2025-23304 in NeMo's model_config.yaml), MLflow
// imports the loader_module of MLmodel, and chat templates are rendered. See
// package config for what these mean; the same values are judged the same way
// here.
//
// Tags of harmless classes are frequent in honest files: collections.OrderedDict
// in those of Stable Baselines, tuples and enums in training configurations.
// They are judged by what they name.
//
// The file is read by a lexer of its own, in one pass and constant memory,
// with the rules of PyYAML's and libyaml's for indentation, keys, quotes and
// block scalars. A loader constructs nothing before it has composed the whole
// document, so damage inside a document disarms it: where no parser goes on,
// the lexer stops too, and what it found in that document counts as evidence
// of intent only. What it found in complete documents before stands.
// Specification: YAML 1.1 and 1.2, yaml.org/spec.
package yaml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/pyname"
)

// Scanner is the scanner of YAML.
type Scanner struct{ names *pyname.Judge }

// New returns the scanner.
func New() *Scanner { return &Scanner{pyname.New()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "yaml" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner. Any text can be YAML.
func (*Scanner) Match(p scan.Probe) bool {
	if p.Size == 0 {
		return false
	}
	b := jsontext.Head(p.Head, jsontext.ByMark)
	if len(b) > utf8.UTFMax && p.Size > int64(len(p.Head)) {
		for n := 0; n < utf8.UTFMax-1 && !utf8.Valid(b); n++ {
			b = b[:len(b)-1]
		}
	}
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	at, size, err := jsontext.Transcode(f, jsontext.ByMark)
	if err != nil {
		return err
	}
	if json, err := isJSON(ctx, at, size); err != nil || json {
		if err == nil {
			err = foreign("JSON")
		}
		return err
	}
	out := newReport(ctx, s.names, sink)
	// Loaders disagree about some characters: where they occur, the text is
	// read both ways.
	dead, first := "", true
	for _, as := range []reading{{true, true}, {false, true}, {true, false}, {false, false}} {
		if !first && (!as.wide && !out.widened || !as.greedy && !out.torn) {
			continue
		}
		l := newLexer(ctx, at, size, as, newTree(out))
		if err := l.run(); err != nil {
			return err
		}
		if l.dead != "" {
			out.disarmed(l.dead, l.reserved)
		}
		if first || l.dead == "" {
			dead = l.dead
		}
		first = false
		out.widened, out.torn = out.widened || l.widened, out.torn || l.torn
	}
	switch {
	case dead != "":
		return foreign(dead)
	case !out.structured:
		return foreign("plain text")
	}
	return nil
}

// isJSON reports whether the text is JSON, which package config judges.
func isJSON(ctx context.Context, at io.ReaderAt, size int64) (bool, error) {
	r := jsontext.NewReader(ctx, at, size)
	r.Keep = 0
	for i := 0; ; i++ {
		t, err := r.Next()
		switch {
		case errors.Is(err, scan.ErrMalformed):
			return false, nil
		case errors.Is(err, scan.ErrLimit):
			return true, nil // package config says so
		case err != nil:
			return false, err
		case i == 0 && t.Kind != jsontext.Object && t.Kind != jsontext.Array:
			return false, nil
		case t.Kind == jsontext.End:
			return true, nil
		}
	}
}

func foreign(why string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: fmt.Errorf("not YAML: %s", why)}
}
