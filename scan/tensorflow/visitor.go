package tensorflow

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// Bounds of what is remembered and handed on, so that a hostile file costs no
// more than an honest one.
const (
	maxSaid    = 1000   // distinct findings
	maxCustom  = 50     // custom operations that are named
	maxAttrs   = 32     // strings kept of a node's attributes
	maxInputs  = 8      // inputs kept of a node
	maxValues  = 16     // strings of a constant; a longer one is a vocabulary
	maxPath    = 512    // bytes of a string that may be a path
	maxMembers = 10_000 // configurations and objects handed on
)

// visitor judges what a walk meets.
type visitor struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	file scan.File
	sink scan.Sink

	node       node
	key        string // of the attribute of node that is being walked
	entries    int    // how deep attributes nest
	tensors    []tensor
	collection string
	scopes     []*scope
	members    int

	operations int  // nodes that name one
	sure       bool // something that only TensorFlow writes

	said   map[string]bool
	custom map[string]int64 // operations of libraries, and where the first one stands
	places places
}

// node is a NodeDef. They do not nest.
type node struct {
	name, op string
	off      int64
	inputs   []string
	attrs    []attr
	values   []string // of a constant, as far as they may be paths
}

type attr struct{ name, value string }

// tensor is a TensorProto; variants nest them.
type tensor struct {
	dtype   uint64
	strings int
	values  []string
	content string // tensor_content
}

// dtString is TensorFlow's DT_STRING.
const dtString = 7

// Known implements pb.Judge. In a damaged file it takes more.
func (v *visitor) Known(err error) bool {
	return v.sure || v.operations >= 8 || err == nil && v.operations > 0
}

// Enter implements pb.Visitor.
func (v *visitor) Enter(_, m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idGraph, idFunction:
		v.scopes = append(v.scopes, newScope())
	case idNode:
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.node = node{off: val.Start, inputs: v.node.inputs[:0], attrs: v.node.attrs[:0]}
	case idAttrEntry:
		v.entries++
		if v.entries == 1 {
			v.key = ""
		}
	case idTensor:
		v.tensors = append(v.tensors, tensor{})
	case idCollectionEntry:
		v.collection = ""
	}
	return nil
}

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idMetaInfo:
		s := string(val.Text)
		v.sure = v.sure || s != "" && s[0] >= '0' && s[0] <= '9' && pb.Word("v"+s)
	case idNode:
		v.nodeField(val)
	case idAttrEntry:
		if v.entries == 1 {
			v.key = short(val.Text)
		}
	case idAttrValue, idAttrList:
		return v.attrText(val)
	case idTensor:
		return v.tensorField(val)
	case idVariant:
		return v.object(val)
	case idCollectionEntry:
		v.collection = short(val.Text)
	case idBytesList:
		return v.collectionText(val)
	case idAsset:
		v.asset(val)
	case idUserObject:
		if val.Number == 3 {
			return v.metadata(val)
		}
	case idKerasObject:
		switch val.Number {
		case 4:
			keras := strings.HasPrefix(string(val.Text), "_tf_keras")
			v.sure = v.sure || keras
		case 5:
			return v.metadata(val)
		}
	}
	return nil
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	switch m.ID {
	case idGraph, idFunction:
		s := v.scopes[len(v.scopes)-1]
		v.scopes = v.scopes[:len(v.scopes)-1]
		v.resolve(s)
	case idNode:
		v.judge()
	case idAttrEntry:
		v.entries--
	case idTensor:
		t := v.tensors[len(v.tensors)-1]
		v.tensors = v.tensors[:len(v.tensors)-1]
		v.constant(t)
	}
	return nil
}

func (v *visitor) nodeField(val pb.Value) {
	switch val.Number {
	case 1:
		v.node.name = short(val.Text)
	case 2:
		v.node.op = short(val.Text)
		if pb.Word(v.node.op) {
			v.operations++
		}
		if val.Overlong() {
			v.finding("tensorflow.overlong", scan.SeveritySuspicious, "obfuscation", val.Start,
				"an operation has a name beyond any length that is registered: "+scan.Quote(v.node.op, 60))
		}
	case 3:
		if len(v.node.inputs) < maxInputs {
			v.node.inputs = append(v.node.inputs, short(val.Text))
		}
	}
}

// attrText takes a string of an attribute.
func (v *visitor) attrText(val pb.Value) error {
	if v.entries == 1 && len(v.node.attrs) < maxAttrs && len(val.Text) > 0 {
		v.node.attrs = append(v.node.attrs, attr{v.key, short(val.Text)})
	}
	return v.object(val)
}

func (v *visitor) tensorField(val pb.Value) error {
	t := &v.tensors[len(v.tensors)-1]
	switch val.Number {
	case 1:
		if t.dtype = val.Int; string(val.Text) == "DT_STRING" {
			t.dtype = dtString
		}
	case 4:
		if len(val.Text) <= maxPath*2 {
			t.content = string(val.Text)
		}
		return nil
	case 8:
		t.strings++
		if s := val.Text; len(s) <= maxPath && t.strings <= maxValues && place(string(s)) {
			t.values = append(t.values, string(s))
		}
		return v.object(val)
	}
	return nil
}

// constant takes the strings of a tensor that ends here, as far as they can be
// paths. A string tensor may be packed: the lengths of all, then all bytes.
func (v *visitor) constant(t tensor) {
	if t.dtype == dtString && t.content != "" {
		t.values = append(t.values, unpack(t.content)...)
	}
	if t.strings > maxValues {
		return
	}
	for _, s := range t.values {
		if len(v.node.values) < maxValues {
			v.node.values = append(v.node.values, s)
		}
	}
}

// unpack returns what may be paths among the strings in a tensor's content.
func unpack(content string) []string {
	var lengths []uint64
	rest, sum := []byte(content), uint64(0)
	for len(lengths) < maxValues && sum < uint64(len(rest)) {
		n, k := binary.Uvarint(rest)
		if k <= 0 || n > uint64(len(content)) {
			return nil
		}
		rest, sum = rest[k:], sum+n
		lengths = append(lengths, n)
	}
	if sum != uint64(len(rest)) {
		return nil
	}
	var values []string
	for _, n := range lengths {
		if s := string(rest[:n]); place(s) {
			values = append(values, s)
		}
		rest = rest[n:]
	}
	return values
}

// metadata hands on what Keras configures an object with, as JSON.
func (v *visitor) metadata(val pb.Value) error {
	if val.Len == 0 {
		return nil
	}
	return v.member("metadata", val)
}

// object hands on a string that is a serialized object of its own.
func (v *visitor) object(val pb.Value) error {
	if !clue.Serialized(val.Text) {
		return nil
	}
	return v.member("string", val)
}

func (v *visitor) member(name string, val pb.Value) error {
	if v.members++; v.members > maxMembers {
		return scan.Limit(val.Start, "more than %d objects in strings", maxMembers)
	}
	return v.sink.Member(v.ctx, pb.Member(v.file, name, val))
}

// Finish implements pb.Judge: it reports what only the whole file tells, and what a damaged one left
// open.
func (v *visitor) Finish() {
	for len(v.scopes) > 0 {
		s := v.scopes[len(v.scopes)-1]
		v.scopes = v.scopes[:len(v.scopes)-1]
		v.resolve(s)
	}
	v.together()
	for _, op := range slices.Sorted(maps.Keys(v.custom)) {
		v.finding("tensorflow.custom_op", scan.Low, "custom-code", v.custom[op],
			"the operation "+scan.Quote(op, 80)+" needs a library that is not part of the model")
	}
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

func short(b []byte) string { return string(b[:min(len(b), maxPath)]) }
