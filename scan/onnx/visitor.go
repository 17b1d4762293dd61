package onnx

import (
	"context"

	"modelwall/scan"
	"modelwall/scan/internal/pb"
)

// Bounds of what is remembered and handed on, so that a hostile file costs no
// more than an honest one.
const (
	maxSaid    = 1000 // distinct findings
	maxDomains = 100
	maxStrings = 32   // attributes kept of a node
	maxKept    = 1024 // bytes kept of a string
	maxMembers = 1000 // serialized objects in strings
)

// visitor judges what a walk meets. Graphs nest in attributes of nodes, so
// nodes, attributes and tensors form stacks.
type visitor struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	file scan.File
	sink scan.Sink

	version                 bool // has an ir_version
	operators, initializers int  // what tells an ONNX model from other messages
	nodes                   []node
	attrs                   []attribute
	tensors                 []string // their names
	entry                   entry
	function                string // the domain of the function being walked
	members                 int

	said    map[string]bool
	domains map[string]use  // operators outside of the standard domains
	local   map[string]bool // domains of the functions in the file
}

type node struct {
	name, op, domain string
	off              int64
	strings          map[string]string // attributes
	ints             map[string]uint64
}

type attribute struct {
	name, text string
	i          uint64
	hasText    bool
}

type entry struct {
	key, value string
	overlong   bool
	off        int64
}

// use is the first operator of a domain, and how many there are.
type use struct {
	op    string
	off   int64
	count int
}

// Known implements pb.Judge.
func (v *visitor) Known(error) bool {
	return v.operators > 0 || v.version && v.initializers > 0
}

// Enter implements pb.Visitor.
func (v *visitor) Enter(_, m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idNode:
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.nodes = append(v.nodes, node{off: val.Start})
	case idAttribute:
		v.attrs = append(v.attrs, attribute{})
	case idTensor:
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.tensors = append(v.tensors, "")
	case idExternal, idMetadata:
		v.entry = entry{off: val.Start}
	case idFunction:
		v.function = ""
	}
	return nil
}

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idModel:
		v.version = true
	case idNode:
		n := &v.nodes[len(v.nodes)-1]
		switch val.Number {
		case 3:
			n.name = kept(val.Text)
		case 4:
			n.op = kept(val.Text)
			v.operator(val)
		case 7:
			n.domain = kept(val.Text)
		}
	case idAttribute:
		a := &v.attrs[len(v.attrs)-1]
		switch val.Number {
		case 1:
			a.name = kept(val.Text)
		case 3:
			a.i = val.Int
		case 4, 9:
			a.text, a.hasText = kept(val.Text), true
			return v.object(val)
		}
	case idTensor:
		if val.Number == 6 {
			return v.object(val)
		}
		v.tensors[len(v.tensors)-1] = kept(val.Text)
	case idExternal, idMetadata:
		if val.Number == 1 {
			v.entry.key = kept(val.Text)
		} else {
			v.entry.value, v.entry.overlong = string(val.Text), val.Overlong()
		}
	case idFunction:
		if val.Number == 10 {
			v.function = kept(val.Text)
		}
	}
	return nil
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	switch m.ID {
	case idNode:
		n := v.nodes[len(v.nodes)-1]
		v.nodes = v.nodes[:len(v.nodes)-1]
		v.node(n)
	case idAttribute:
		a := v.attrs[len(v.attrs)-1]
		v.attrs = v.attrs[:len(v.attrs)-1]
		if len(v.nodes) > 0 {
			v.nodes[len(v.nodes)-1].keep(a)
		}
	case idTensor:
		v.tensors = v.tensors[:len(v.tensors)-1]
		v.initializers++
	case idExternal:
		v.external()
	case idMetadata:
		v.metadata()
	case idFunction:
		if len(v.local) < maxDomains {
			v.local[v.function] = true
		}
	}
	return nil
}

// keep remembers an attribute until the whole node is known: its operator and
// domain may stand behind the attributes.
func (n *node) keep(a attribute) {
	if len(n.strings)+len(n.ints) >= maxStrings {
		return
	}
	if !a.hasText {
		if n.ints == nil {
			n.ints = map[string]uint64{}
		}
		n.ints[a.name] = a.i
		return
	}
	if n.strings == nil {
		n.strings = map[string]string{}
	}
	n.strings[a.name] = a.text
}

// operator counts what only a model has.
func (v *visitor) operator(val pb.Value) {
	if val.Overlong() {
		v.finding("onnx.overlong", scan.SeveritySuspicious, "obfuscation", val.Start,
			"the name of an operator has "+count(val.Len)+" bytes, beginning with "+scan.Quote(string(val.Text), 60))
	}
	if pb.Word(string(val.Text)) {
		v.operators++
	}
}

// object hands on a string that is a serialized object of its own.
func (v *visitor) object(val pb.Value) error {
	if !serialized(val.Text) {
		return nil
	}
	if v.members++; v.members > maxMembers {
		return scan.Limit(val.Start, "more than %d serialized objects in strings", maxMembers)
	}
	return v.sink.Member(v.ctx, pb.Member(v.file, "string", val))
}

// finding reports a fact once.
func (v *visitor) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	key := rule + "\n" + message
	if v.said[key] || len(v.said) >= maxSaid {
		return
	}
	v.said[key] = true
	v.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

func kept(b []byte) string { return string(b[:min(len(b), maxKept)]) }
