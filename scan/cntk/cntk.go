// Package cntk inspects models of Microsoft's Cognitive Toolkit: CNTK v2
// (.cmf, .dnn, .model), a protocol buffer, and recognises those of v1, which
// begin with "BCN" in UTF-16 and hold a net of built-in nodes.
//
// A v2 file is a Dictionary: a version and a map from names to values, which
// may be dictionaries and vectors again. The root is a CompositeFunction whose
// "primitive_functions" are dictionaries with the code of an operation, which
// compute. What is dangerous are user-defined functions:
//
//   - In Python: a dictionary with "class", "module", "op_name" and "state".
//     Function.load executes the statement "from module import class" with
//     both as they stand in the file and calls deserialize of what it got, so
//     that code in place of a name runs.
//   - Native: "module" is a shared library, which is loaded, and
//     "deserialize_method" the function of it that is called.
//
// Specified by Source/CNTKv2LibraryDll/proto/CNTK.proto.
package cntk

import (
	"bytes"
	"context"
	"errors"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects CNTK models. It is safe for concurrent use.
type Scanner struct {
	dictionary *pb.Message
	texts      *clue.Reader
}

// New returns a scanner.
func New() scan.Scanner { return &Scanner{schema(), clue.NewReader()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "cntk" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// legacy begins a model of CNTK v1: section marks are UTF-16 text.
const legacy = "B\x00C\x00N\x00\x00\x00"

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool {
	return bytes.HasPrefix(p.Head, []byte(legacy)) || marked(p.Head) || pb.Plausible(p.Head, p.Size)
}

// marked reports whether a file begins like a Dictionary of CNTK: its version,
// then the entries "version" and "uid", sorted or not.
func marked(head []byte) bool {
	return len(head) > 4 && head[0] == 0x08 && head[2] == 0x12 &&
		bytes.Contains(head, []byte("\x0a\x07version\x12")) && bytes.Contains(head, []byte("\x0a\x03uid\x12"))
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	head, err := first(f, scan.HeadSize)
	if err != nil {
		return err
	}
	v := &visitor{Scanner: s, ctx: ctx, sink: sink}
	if bytes.HasPrefix(head, []byte(legacy)) {
		return v.command(f)
	}
	err = pb.Walk(f, s.dictionary, v)
	if errors.Is(err, pb.ErrWire) && marked(head) {
		// What stands behind the damage is no model; it may still say what it
		// was meant for.
		if err := v.command(f); err != nil {
			return err
		}
	}
	return pb.Settle(err, v.functions > 0)
}

// The messages, for the visitor.
const (
	idDictionary = iota
	idEntry
	idValue
	idOther
)

func schema() *pb.Message {
	scalar, text := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	dictionary, value := &pb.Message{ID: idDictionary}, &pb.Message{ID: idValue}
	vector := &pb.Message{ID: idOther, Fields: map[pb.Number]pb.Field{1: sub(value)}}
	entry := &pb.Message{ID: idEntry, Fields: map[pb.Number]pb.Field{1: text, 2: sub(value)}}
	value.Fields = map[pb.Number]pb.Field{8: text, 11: sub(vector), 12: sub(dictionary)}
	dictionary.Fields = map[pb.Number]pb.Field{1: scalar, 2: sub(entry)}
	return dictionary
}
