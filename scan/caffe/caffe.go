// Package caffe inspects Caffe models: nets (.prototxt) and weights
// (.caffemodel).
//
// Both are a NetParameter: layers with a type, parameters and blobs, the
// weights. A net is text; loading it creates the layers. Weights are binary;
// loading them copies the blobs into the layers of the same name of a net and
// creates none, but who writes a net from them (upgrading, conversion) gets
// what they say. Layers compute, with exceptions:
//
//   - A Python layer imports a module from where Python looks for them and
//     runs a class of it. Detection nets such as py-faster-rcnn have those, so
//     that they are told and not blocked, unless the module is a name that no
//     import statement takes or the parameters hold a command.
//   - HDF5Output writes its input to a file.
//
// Specified by src/caffe/proto/caffe.proto.
package caffe

import (
	"context"
	"fmt"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects Caffe models. It is safe for concurrent use.
type Scanner struct {
	net   *pb.Message
	texts *clue.Reader
}

// New returns a scanner.
func New() scan.Scanner { return &Scanner{schema(), clue.NewReader()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "caffe" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool {
	return pb.Plausible(p.Head, p.Size) || pb.PlausibleText(p.Head, s.net)
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return pb.Read(f, s.net, func() pb.Judge { return &visitor{Scanner: s, ctx: ctx, sink: sink} })
}

// The messages, for the visitor.
const (
	idOther = iota
	idLayer
	idOldLayer
	idPython
	idOutput
)

func schema() *pb.Message {
	scalar, text, blob := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}, pb.Field{Kind: pb.Blob}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	type (
		fields = map[pb.Number]pb.Field
		names  = map[string]pb.Number
	)
	python := &pb.Message{ID: idPython, Fields: fields{1: text, 2: text, 3: text}, Names: names{"module": 1, "layer": 2, "param_str": 3}}
	output := &pb.Message{ID: idOutput, Fields: fields{1: text}, Names: names{"file_name": 1}}
	layer := &pb.Message{ID: idLayer, Fields: fields{1: text, 2: text, 7: blob, 113: sub(output), 130: sub(python)}}
	layer.Names = names{"name": 1, "type": 2, "hdf5_output_param": 113, "python_param": 130}
	old := &pb.Message{ID: idOldLayer, Fields: fields{4: text, 5: scalar, 6: blob, 14: sub(output)}}
	old.Names = names{"name": 4, "type": 5, "hdf5_output_param": 14}
	return &pb.Message{
		Fields: fields{1: text, 2: sub(old), 100: sub(layer)},
		Names: names{
			"name": 1, "layers": 2, "input": 3, "input_dim": 4, "force_backward": 5, "state": 6, "debug_info": 7, "input_shape": 8, "layer": 100,
		},
	}
}

// maxPython bounds the Python layers that are told one by one.
const maxPython = 50

// visitor judges what a walk meets.
type visitor struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink scan.Sink

	layers, python, written int
	name                    string // of the layer being walked
	typed                   bool   // it has a type
	blobs                   int

	module, class, param string // of a Python layer
	off                  int64
}

// Enter implements pb.Visitor.
func (v *visitor) Enter(_, m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idLayer, idOldLayer:
		v.name, v.typed, v.blobs = "", false, 0
		return v.ctx.Err()
	case idPython:
		v.module, v.class, v.param, v.off = "", "", "", val.Start
	}
	return nil
}

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	switch {
	case m.ID == idLayer && val.Number == 1, m.ID == idOldLayer && val.Number == 4:
		v.name = string(val.Text)
	case m.ID == idLayer && val.Number == 2:
		v.typed = pb.Word(string(val.Text)) && val.Len < 64
	case m.ID == idOldLayer && val.Number == 5:
		v.typed = val.Int <= 64
	case m.ID == idLayer, m.ID == idOldLayer:
		v.blobs++
	case m.ID == idOutput:
		v.output(string(val.Text), val.Start)
	case m.ID == idPython && val.Number == 1:
		v.module = string(val.Text)
	case m.ID == idPython && val.Number == 2:
		v.class = string(val.Text)
	case m.ID == idPython:
		v.param = string(val.Text)
	}
	return nil
}

// Known implements pb.Judge.
func (v *visitor) Known(error) bool { return v.layers > 0 }

// Finish implements pb.Judge.
func (v *visitor) Finish() {}

// output judges the file that a layer of type HDF5Output writes.
func (v *visitor) output(file string, off int64) {
	if v.written++; v.written > maxPython {
		return
	}
	sev := scan.SeveritySuspicious
	if which := clue.WhichPath(file); clue.Sensitive(file) || which == clue.Absolute || which == clue.Escapes {
		sev = scan.SeverityMalicious
	}
	v.sink.Finding(scan.Finding{
		Rule: "caffe.output_file", Severity: sev, Technique: "file-access", Offset: off,
		Message: "a net with layer " + scan.Quote(v.name, 60) + " writes its input to the file " + scan.Quote(file, 120),
	})
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	switch m.ID {
	case idLayer, idOldLayer:
		if v.typed && pb.Word(v.name) {
			v.layers++
		}
	case idPython:
		if v.python++; v.python <= maxPython {
			v.judge()
		}
	}
	return nil
}

// judge judges a Python layer.
func (v *visitor) judge() {
	sev := scan.Low
	if c := v.texts.Command(v.param); c != "" || !pb.Word(v.module) || !pb.Word(v.class) {
		sev = scan.SeveritySuspicious
	}
	v.sink.Finding(scan.Finding{
		Rule: "caffe.python_layer", Severity: sev, Technique: "custom-code", Offset: v.off,
		Message: fmt.Sprintf("layer %s is a Python one: a net with it imports %s and runs its %s with %s",
			scan.Quote(v.name, 60), scan.Quote(v.module, 60), scan.Quote(v.class, 60), scan.Quote(v.param, 120)),
	})
}
