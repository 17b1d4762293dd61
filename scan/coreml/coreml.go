// Package coreml inspects Apple's Core ML models (.mlmodel, and the same
// protocol buffer inside of an .mlpackage) and the manifest of a package.
//
// A file is one message, Model: a specification version, a description with
// metadata, and one of some thirty kinds: a neural network made of layers, an
// ML program (MIL) made of operations, a pipeline of further models, a tree
// ensemble and so on. Core ML computes with them and executes nothing else.
// What is dangerous:
//
//   - Custom layers (NeuralNetworkLayer.custom), custom operations of MIL and
//     custom models name a class of the application that loads the model. The
//     class is instantiated with parameters from the file.
//   - A linked model names a file and a search path that are opened.
//   - Values of ML programs lie in files: "@model_path/weights/weight.bin".
//     Another path opens another file.
//   - A serialized model is a blob that nobody specifies.
//   - Metadata are strings that tools read back; Ultralytics's YOLO loaders
//     handed names, imgsz and kpt_shape to Python's eval.
//
// Specified at https://github.com/apple/coremltools/tree/main/mlmodel/format.
package coreml

import (
	"context"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects Core ML models. It is safe for concurrent use.
type Scanner struct {
	model *pb.Message
	texts *clue.Reader
}

// New returns the scanners of models and of the manifests of packages.
func New() []scan.Scanner {
	return []scan.Scanner{&Scanner{model: schema(), texts: clue.NewReader()}, manifest{}}
}

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "coreml" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return pb.Plausible(p.Head, p.Size) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	v := &visitor{Scanner: s, ctx: ctx, sink: sink, said: map[string]bool{}}
	err := pb.Walk(f, s.model, v)
	return pb.Settle(err, v.known())
}

// The messages, for the visitor.
const (
	idOther = iota
	idModel
	idMetadata
	idUserDefined
	idLayer
	idCustomLayer
	idParameter
	idCustomModel
	idLinked
	idOperation
	idBlobFile
)

// The fields of Model that say what kind it is: from the first to the last.
const firstKind, lastKind = 200, 3000

// schema is the part of Core ML's .proto files that matters here.
func schema() *pb.Message {
	scalar, text, blob := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}, pb.Field{Kind: pb.Blob}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	type fields = map[pb.Number]pb.Field

	// CustomModel and NeuralNetworkLayer.custom have the same fields.
	parameter := &pb.Message{ID: idParameter, Fields: fields{1: text, 2: sub(&pb.Message{ID: idParameter, Fields: fields{20: text, 60: text}})}}
	customLayer := &pb.Message{ID: idCustomLayer, Fields: fields{10: text, 30: sub(parameter)}}
	customModel := &pb.Message{ID: idCustomModel, Fields: fields{10: text, 30: sub(parameter)}}

	// NeuralNetwork.proto: networks nest in branches and loops.
	network := &pb.Message{}
	branch := &pb.Message{Fields: fields{1: sub(network), 2: sub(network)}}
	loop := &pb.Message{Fields: fields{3: sub(network), 4: sub(network)}}
	layer := &pb.Message{ID: idLayer, Fields: fields{1: text, 500: sub(customLayer), 605: sub(branch), 615: sub(loop)}}
	network.Fields = fields{1: sub(layer)}

	// MIL.proto: blocks nest in operations, values in values.
	value, block := &pb.Message{}, &pb.Message{}
	file := &pb.Message{ID: idBlobFile, Fields: fields{1: text}}
	values := &pb.Message{Fields: fields{1: sub(value)}}
	pair := &pb.Message{Fields: fields{1: sub(value), 2: sub(value)}}
	dictionary := &pb.Message{Fields: fields{1: sub(pair)}}
	immediate := &pb.Message{Fields: fields{2: sub(values), 3: sub(values), 4: sub(dictionary)}}
	value.Fields = fields{3: sub(immediate), 5: sub(file)}
	attributes := &pb.Message{Fields: fields{2: sub(value)}}
	argument := &pb.Message{Fields: fields{1: sub(&pb.Message{Fields: fields{2: sub(value)}})}}
	inputs := &pb.Message{Fields: fields{2: sub(argument)}}
	operation := &pb.Message{ID: idOperation, Fields: fields{1: text, 2: sub(inputs), 4: sub(block), 5: sub(attributes)}}
	block.Fields = fields{3: sub(operation), 4: sub(attributes)}
	blocks := &pb.Message{Fields: fields{2: sub(block)}}
	function := &pb.Message{Fields: fields{3: sub(blocks), 4: sub(attributes)}}
	functions := &pb.Message{Fields: fields{2: sub(function)}}
	program := &pb.Message{Fields: fields{2: sub(functions), 4: sub(attributes)}}

	// LinkedModel.proto
	name := &pb.Message{ID: idLinked, Fields: fields{1: text}}
	linked := &pb.Message{Fields: fields{1: sub(&pb.Message{Fields: fields{1: sub(name), 2: sub(name)}})}}

	// Model.proto
	model := &pb.Message{ID: idModel}
	pipeline := &pb.Message{Fields: fields{1: sub(model)}}
	pipelines := &pb.Message{Fields: fields{1: sub(pipeline)}}
	metadata := &pb.Message{ID: idMetadata, Fields: fields{
		1: text, 2: text, 3: text, 4: text,
		100: sub(&pb.Message{ID: idUserDefined, Fields: fields{1: text, 2: text}}),
	}}
	description := &pb.Message{Fields: fields{100: sub(metadata)}}
	model.Fields = fields{
		1: scalar, 2: sub(description),
		200: sub(pipelines), 201: sub(pipelines), 202: sub(pipeline),
		303: sub(network), 403: sub(network), 500: sub(network), 502: sub(program),
		555: sub(customModel), 556: sub(linked), 3000: blob,
	}
	for _, kind := range []pb.Number{
		300, 301, 302, 304, 400, 401, 402, 404, 501, 560, 600, 601, 602, 603, 604, 606, 607, 609, 610, 900,
		2000, 2001, 2002, 2003, 2004, 2005, 2006,
	} {
		model.Fields[kind] = blob
	}
	return model
}
