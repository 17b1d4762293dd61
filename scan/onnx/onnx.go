// Package onnx inspects models in the Open Neural Network Exchange format.
//
// A file is one protocol buffer, a ModelProto: a graph of nodes, each an
// operator of a domain with attributes, plus initializers, the tensors.
// Attributes hold tensors, strings and whole graphs (the branches of If, the
// body of Loop); functions are further graphs. The operators of the standard
// domains compute and nothing else. What is dangerous:
//
//   - A tensor may say that its data lie in another file (external_data). The
//     loader joins that location with the model's folder, reads the file, and
//     saving the model writes it: an absolute path or one with ".." reaches
//     every file of the user (CVE-2022-25882, CVE-2024-27318, CVE-2025-51480).
//     Tensors stand in initializers, in attributes and in every nested graph.
//   - ONNX Runtime takes the location */_ORT_MEM_ADDR_/* for a memory address.
//   - The keys of external_data become attributes of a Python object.
//   - Operators outside of the standard domains are somebody's code. The file
//     does not bring it along, with few exceptions: PyOp and PythonOp call
//     Python functions, EPContext loads a compiled blob from a path, the
//     operators of com.microsoft.extensions send data to a URL.
//   - Metadata are strings that tools read back. Ultralytics's YOLO loaders
//     handed names, imgsz and kpt_shape to eval.
//
// The onnx package loads the text format as well, by the file's extension.
//
// Nothing marks the beginning of a protocol buffer: a file is ONNX if it is
// one from end to end and has a graph (field 7) with operators or tensors.
//
// Specified at https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
package onnx

import (
	"context"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects ONNX models. It is safe for concurrent use.
type Scanner struct {
	model *pb.Message
	texts *clue.Reader
}

// New returns a scanner.
func New() scan.Scanner { return &Scanner{model: schema(), texts: clue.NewReader()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "onnx" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool {
	return pb.Plausible(p.Head, p.Size) || pb.PlausibleText(p.Head, s.model)
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return pb.Read(f, s.model, func() pb.Judge {
		return &visitor{Scanner: s, ctx: ctx, file: f, sink: sink, said: map[string]bool{}, domains: map[string]use{}, local: map[string]bool{}}
	})
}

// The messages, for the visitor.
const (
	idModel = iota
	idGraph
	idNode
	idAttribute
	idTensor
	idExternal // an entry of external_data
	idMetadata // an entry of the model's metadata
	idFunction
	idOther
)

// schema is the part of onnx.proto that matters here.
func schema() *pb.Message {
	scalar, text := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	model, graph, node, attr := &pb.Message{ID: idModel}, &pb.Message{ID: idGraph}, &pb.Message{ID: idNode}, &pb.Message{ID: idAttribute}
	function := &pb.Message{ID: idFunction}
	entry := map[pb.Number]pb.Field{1: text, 2: text}
	pair := map[string]pb.Number{"key": 1, "value": 2}
	external := &pb.Message{ID: idExternal, Fields: entry, Names: pair}
	metadata := &pb.Message{ID: idMetadata, Fields: entry, Names: pair}
	tensor := &pb.Message{ID: idTensor, Fields: map[pb.Number]pb.Field{6: text, 8: text, 13: sub(external)}}
	tensor.Names = map[string]pb.Number{"string_data": 6, "name": 8, "external_data": 13}
	sparse := &pb.Message{ID: idOther, Fields: map[pb.Number]pb.Field{1: sub(tensor), 2: sub(tensor)}, Names: map[string]pb.Number{"values": 1, "indices": 2}}
	training := &pb.Message{ID: idOther, Fields: map[pb.Number]pb.Field{1: sub(graph), 2: sub(graph)}, Names: map[string]pb.Number{"initialization": 1, "algorithm": 2}}
	model.Fields = map[pb.Number]pb.Field{1: scalar, 7: sub(graph), 14: sub(metadata), 20: sub(training), 25: sub(function)}
	model.Names = map[string]pb.Number{
		"ir_version": 1, "producer_name": 2, "producer_version": 3, "domain": 4, "model_version": 5, "doc_string": 6, "graph": 7,
		"opset_import": 8, "metadata_props": 14, "training_info": 20, "functions": 25, "configuration": 26,
	}
	graph.Names = map[string]pb.Number{"node": 1, "initializer": 5, "sparse_initializer": 15}
	node.Names = map[string]pb.Number{"name": 3, "op_type": 4, "attribute": 5, "domain": 7}
	attr.Names = map[string]pb.Number{
		"name": 1, "i": 3, "s": 4, "t": 5, "g": 6, "strings": 9, "tensors": 10, "graphs": 11, "sparse_tensor": 22, "sparse_tensors": 23,
	}
	function.Names = map[string]pb.Number{"name": 1, "node": 7, "domain": 10, "attribute_proto": 11}
	graph.Fields = map[pb.Number]pb.Field{1: sub(node), 5: sub(tensor), 15: sub(sparse)}
	node.Fields = map[pb.Number]pb.Field{3: text, 4: text, 5: sub(attr), 7: text}
	attr.Fields = map[pb.Number]pb.Field{
		1: text, 3: scalar, 4: text, 5: sub(tensor), 6: sub(graph), 9: text, 10: sub(tensor), 11: sub(graph),
		22: sub(sparse), 23: sub(sparse),
	}
	function.Fields = map[pb.Number]pb.Field{1: text, 7: sub(node), 10: text, 11: sub(attr)}
	return model
}
