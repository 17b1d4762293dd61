// Package tensorflow inspects TensorFlow's graphs: SavedModel
// (saved_model.pb), MetaGraph (.meta beside a checkpoint), GraphDef (a frozen
// graph, .pb) and Keras's metadata of a SavedModel (keras_metadata.pb). All of
// them are protocol buffers; the weights lie in checkpoints beside them, which
// are tables of raw tensors and execute nothing.
//
//	SavedModel  schema version, MetaGraphs
//	MetaGraph   tags and version, a GraphDef, signatures, assets, objects
//	GraphDef    nodes (an operation, inputs, attributes), a function library
//
// Loading a SavedModel runs its initializers, using it runs the rest, and a
// graph is a program: the runtime has some 1,400 operations, and whoever
// writes the graph chooses. Nearly all of them compute. Some do not:
//
//   - WriteFile, PrintV2 with a file as its stream, debug operations with a
//     file or gRPC sink: they write or send what the author wants.
//   - ReadFile, MatchingFiles, datasets and readers: they put files of the
//     user's machine into the outputs.
//   - PyFunc, PyFuncStateless, EagerPyFunc: they call a Python function of
//     the process by a token.
//   - Save and Restore with a path that is a constant of the graph.
//   - DatasetFromGraph and RemoteFusedGraphExecute: a graph inside a string.
//
// They count wherever they stand, in the graph, in the function library, and
// whether a signature reaches them or not. What an operation opens is found by
// following its inputs to string constants. Assets are files below assets/
// that loading copies and hands to initializers by name: a name with ".."
// leaves the folder. Keras keeps the configuration of its layers, Lambda
// layers with their code included, as JSON in strings of the object graph or
// of keras_metadata.pb: it is handed on as a member called "metadata".
//
// The runtime refuses operations that are not registered in it, so the
// dangerous ones are those of its own list (see operations.go); an operation
// that is not on it needs a library that the file does not bring along.
//
// TensorFlow takes the text format too: saved_model.pbtxt where there is no
// saved_model.pb, and MetaGraphs that do not parse as binary ones.
//
// SavedModels over 2 GB are split into chunks of a Riegeli file
// (saved_model.cpb), which is recognised and not read.
//
// Specified by the .proto files in tensorflow/core/framework and
// tensorflow/core/protobuf.
package tensorflow

import (
	"context"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects one kind of file. It is safe for concurrent use.
type Scanner struct {
	format string
	root   *pb.Message
	ops    map[string]operation
	texts  *clue.Reader
}

// New returns the scanners of the family.
func New() []scan.Scanner {
	m := schema()
	ops, texts := operations(), clue.NewReader()
	return []scan.Scanner{
		&Scanner{"savedmodel", m.savedModel, ops, texts},
		&Scanner{"metagraph", m.metaGraph, ops, texts},
		&Scanner{"graphdef", m.graph, ops, texts},
		&Scanner{"keras-metadata", m.kerasMetadata, ops, texts},
		chunked{},
	}
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.format }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool {
	return pb.Plausible(p.Head, p.Size) || pb.PlausibleText(p.Head, s.root)
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return pb.Read(f, s.root, func() pb.Judge {
		return &visitor{
			Scanner: s, ctx: ctx, file: f, sink: sink, scopes: []*scope{newScope()},
			said: map[string]bool{}, custom: map[string]int64{},
		}
	})
}

// chunked recognises a SavedModel in chunks.
type chunked struct{}

// riegeliMagic begins every Riegeli file: the header of its first block, with
// the hash of what follows.
const riegeliMagic = "\x83\xaf\x70\xd1\x0d\x88\x4a\x3f"

// Format implements scan.Scanner.
func (chunked) Format() string { return "riegeli" }

// Version implements scan.Scanner.
func (chunked) Version() int { return 1 }

// Match implements scan.Scanner.
func (chunked) Match(p scan.Probe) bool { return strings.HasPrefix(string(p.Head), riegeliMagic) }

// Scan implements scan.Scanner.
func (chunked) Scan(_ context.Context, _ scan.File, sink scan.Sink) error {
	sink.Finding(scan.Finding{
		Rule: "tensorflow.chunked", Severity: scan.Low, Technique: "unsupported-format",
		Message: "a Riegeli file: a SavedModel in chunks can carry operations that read and write files, and is not examined",
	})
	return scan.Limit(0, "a SavedModel in chunks is not examined")
}
