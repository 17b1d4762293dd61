// Package paddle inspects PaddlePaddle's programs (.pdmodel, __model__) and
// recognises its parameters (.pdiparams).
//
// A program is a protocol buffer, a ProgramDesc: blocks of variables and of
// operators with attributes. Running it runs the operators. They compute, with
// a few exceptions: py_func and py_layer call Python functions of the process
// by number, load and save read and write the file of their attribute,
// read_file puts a file into a tensor, send, recv and listen_and_serv talk to
// other machines, and operators that are not Paddle's own need a library.
//
// Parameters are a row of tensors, each with a version, level-of-detail
// tables, a small protocol buffer and raw values; nothing in them runs.
// (.pdparams and .pdopt are pickles, which their own scanner judges, and
// Paddle 3 writes programs as JSON.)
//
// Specified by paddle/fluid/framework/framework.proto and
// paddle/phi/core/serialization.
package paddle

import (
	"context"
	"fmt"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Scanner inspects programs. It is safe for concurrent use.
type Scanner struct{ program *pb.Message }

// New returns the scanners of programs and of parameters.
func New() []scan.Scanner { return []scan.Scanner{&Scanner{schema()}, parameters{}} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "paddle" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool { return pb.Plausible(p.Head, p.Size) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	v := &visitor{ctx: ctx, sink: sink, said: map[string]bool{}}
	err := pb.Walk(f, s.program, v)
	return pb.Settle(err, v.operators > 0 && v.variables > 0 || v.found)
}

// The messages, for the visitor.
const (
	idProgram = iota
	idBlock
	idOperator
	idAttribute
	idVariable
	idVarType
)

// schema is the part of framework.proto that matters here.
func schema() *pb.Message {
	scalar, text := pb.Field{Kind: pb.Scalar}, pb.Field{Kind: pb.Text}
	sub := func(m *pb.Message) pb.Field { return pb.Field{Kind: pb.Sub, Sub: m} }
	type fields = map[pb.Number]pb.Field
	attribute := &pb.Message{ID: idAttribute, Fields: fields{1: text, 5: text, 8: text}}
	operator := &pb.Message{ID: idOperator, Fields: fields{3: text, 4: sub(attribute)}}
	variable := &pb.Message{ID: idVariable, Fields: fields{1: text, 2: sub(&pb.Message{ID: idVarType, Fields: fields{1: scalar}})}}
	block := &pb.Message{ID: idBlock, Fields: fields{3: sub(variable), 4: sub(operator)}}
	return &pb.Message{ID: idProgram, Fields: fields{1: sub(block)}}
}

// Bounds of what is remembered of one operator and of one file.
const (
	maxAttributes = 64
	maxKept       = 1024 // bytes of a string
	maxSaid       = 1000 // distinct findings
)

// visitor judges what a walk meets. Operators do not nest: blocks refer to
// each other by number.
type visitor struct {
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink scan.Sink
	said map[string]bool

	operators, variables int
	found                bool // an operator that only Paddle has

	op    string
	off   int64
	attrs []attribute
}

type attribute struct{ name, value string }

// Enter implements pb.Visitor.
func (v *visitor) Enter(_, m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idOperator:
		v.op, v.off, v.attrs = "", val.Start, v.attrs[:0]
		return v.ctx.Err()
	case idAttribute:
		if len(v.attrs) < maxAttributes {
			v.attrs = append(v.attrs, attribute{})
		}
	}
	return nil
}

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	text := string(val.Text[:min(len(val.Text), maxKept)])
	switch m.ID {
	case idOperator:
		v.op = text
	case idAttribute:
		if len(v.attrs) == 0 {
			break
		}
		a := &v.attrs[len(v.attrs)-1]
		if val.Number == 1 {
			a.name = text
		} else if a.value == "" || clue.WhichPath(text) != clue.Inside {
			a.value = text
		}
	case idVarType:
		v.variables++
	}
	return nil
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	if m.ID == idOperator {
		if pb.Word(v.op) {
			v.operators++
		}
		v.judge()
	}
	return nil
}

// judge judges the operator that ends here.
func (v *visitor) judge() {
	o, ok := lookup(v.op)
	v.found = v.found || ok
	path := ""
	for _, a := range v.attrs {
		if clue.Sensitive(a.value) || clue.Library(a.value) {
			v.finding("paddle.path", scan.SeveritySuspicious, "file-access",
				fmt.Sprintf("operator %s has the attribute %s = %s", scan.Quote(v.op, 60), scan.Quote(a.name, 40), scan.Quote(a.value, 120)))
		}
		if a.name == "file_path" || a.name == "filename" || a.name == "file_name" {
			path = a.value
		}
	}
	if !ok {
		return
	}
	message := "operator " + scan.Quote(v.op, 60) + " " + o.does
	if path != "" {
		message += ": " + scan.Quote(path, 120)
	}
	sev := o.severity
	if o.technique == "file-access" && path != "" {
		switch which := clue.WhichPath(path); {
		case clue.Sensitive(path), o.writes && (which == clue.Absolute || which == clue.Escapes):
			sev = scan.SeverityMalicious
		case which == clue.Absolute, which == clue.Escapes, which == clue.Broken:
			sev = max(sev, scan.SeveritySuspicious)
		}
	}
	v.finding(o.rule, sev, o.technique, message)
}

// operator is one that does more than compute.
type operator struct {
	rule, technique, does string
	severity              scan.Severity
	writes                bool
}

func lookup(name string) (operator, bool) {
	switch name {
	case "py_func", "py_layer", "pylayer", "py_layer_grad":
		return operator{"paddle.python_op", "code-execution", "calls a Python function of the process that loads the model", scan.SeveritySuspicious, false}, true
	case "read_file", "create_custom_reader", "create_ctr_reader":
		return operator{"paddle.file_op", "file-access", "reads a file", scan.SeveritySuspicious, false}, true
	case "load", "load_combine", "sparse_load_op":
		return operator{"paddle.file_op", "file-access", "loads tensors from a file", scan.Low, false}, true
	case "save", "save_combine":
		return operator{"paddle.file_op", "file-access", "writes a file", scan.SeveritySuspicious, true}, true
	case "send", "recv", "send_v2", "recv_v2", "send_and_recv", "listen_and_serv", "heter_listen_and_serv", "prefetch",
		"checkpoint_notify", "gen_nccl_id", "c_gen_nccl_id", "distributed_lookup_table", "gen_bkcl_id":
		return operator{"paddle.network_op", "network", "talks to other machines", scan.SeveritySuspicious, false}, true
	case "tensorrt_engine", "lite_engine", "dlnne_engine", "openvino_engine", "cinn_launch":
		return operator{"paddle.engine", "native-code", "holds a compiled engine, which is not examined", scan.Low, false}, true
	}
	return operator{}, false
}

// finding reports a fact about the operator that ends here, once.
func (v *visitor) finding(rule string, sev scan.Severity, technique, message string) {
	key := rule + "\n" + message
	if v.said[key] || len(v.said) >= maxSaid {
		return
	}
	v.said[key] = true
	v.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: v.off, Technique: technique})
}
