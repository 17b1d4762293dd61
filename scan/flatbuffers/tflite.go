package flatbuffers

import (
	"encoding/binary"
	"fmt"
	"strings"

	"modelwall/scan"
)

// The fields of TensorFlow Lite's tables that matter here.
const (
	modelCodes, modelGraphs, modelBuffers     = 1, 2, 4
	codeOld, codeCustom, codeBuiltin          = 0, 1, 3
	graphTensors, graphIn, graphOut, graphOps = 0, 1, 2, 3
	opCode, opIn, opOut, opOptions            = 0, 1, 2, 5
	opIntermediates, opLargeAt, opLargeSize   = 8, 9, 10
	bufferData, bufferAt, bufferSize          = 0, 1, 2
	builtinCustom, builtinPlaceholder         = 32, 127
	maxFlex                                   = 1 << 16 // definitions that are handed on
	tensorBuffer                              = 2
)

// code is an operation code of a model.
type code struct {
	custom string // "" for one that is built in
}

// tflite walks a TensorFlow Lite model.
func tflite(m *model) {
	root := m.root()
	var codes []code
	m.each(root.vector(modelCodes, 4), func(_ int64, t table) {
		codes = append(codes, m.code(t))
	})
	var buffers int64
	m.each(root.vector(modelBuffers, 4), func(_ int64, t table) {
		buffers++
		t.vector(bufferData, 1) // checks its bounds
		m.outside(t, bufferAt, bufferSize, "a buffer")
	})
	fx := flex{f: m.f}
	m.each(root.vector(modelGraphs, 4), func(_ int64, g table) {
		m.graph(g, codes, buffers, &fx)
	})
	if len(fx.parts) > 0 {
		err := m.sink.Member(m.ctx, scan.Member{Name: "flex.pb", At: &fx, Size: fx.size})
		if m.err == nil {
			m.err = err
		}
	}
}

// outside checks a place outside of the flat buffer, as models beyond 2 GB
// have them.
func (m *model) outside(t table, at, size int, what string) {
	off, n := t.u64(at), t.u64(size)
	if off <= 1 {
		return // absent, and 1 is a placeholder
	}
	if off > uint64(m.f.Size) || n > uint64(m.f.Size)-off {
		m.fail(t.at, "%s of %d bytes at %d", what, n, off)
	}
}

// code reads an operation code and judges what it names.
func (m *model) code(t table) code {
	// Newer files have both numbers; loaders take the greater.
	builtin := max(t.int(codeBuiltin), int32(int8(t.byte(codeOld))))
	if builtin != builtinCustom && !t.has(codeCustom) {
		return code{}
	}
	name := t.string(codeCustom)
	if builtin != builtinCustom {
		return code{}
	}
	if m.err != nil {
		return code{custom: name}
	}
	op, isFlex := strings.CutPrefix(name, "Flex")
	switch {
	case isFlex:
		m.tensorflow(t.at, op)
	case name == "":
		m.finding("custom_op", scan.Low, "code-execution", t.at, "a custom operation without a name")
	case m.phrasesLibrary(name):
		m.finding("custom_op", scan.SeveritySuspicious, "code-execution", t.at, "a custom operation with the name of a library or command: "+scan.Quote(name, 120))
	case strings.HasPrefix(name, "TFLite_") || strings.HasPrefix(name, "TfLite") || strings.HasPrefix(name, "TFSentencepiece"):
	default:
		m.finding("custom_op", scan.Low, "code-execution", t.at, "needs a custom operation, code that the application brings: "+scan.Quote(name, 120))
	}
	return code{custom: name}
}

// phrasesLibrary reports names that are paths or libraries.
func (*model) phrasesLibrary(name string) bool {
	low := strings.ToLower(name)
	return strings.ContainsAny(low, "/\\ ;|$`") || strings.HasSuffix(low, ".so") || strings.HasSuffix(low, ".dll") || strings.HasSuffix(low, ".dylib")
}

// tensorflow judges an operation of TensorFlow.
func (m *model) tensorflow(off int64, op string) {
	base := strings.TrimRight(op, "0123456789")
	base = strings.TrimSuffix(base, "V")
	sev, does := scan.Info, ""
	switch base {
	case "WriteFile", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord":
		sev, does = scan.SeverityMalicious, "writes a file"
	case "PyFunc", "PyFuncStateless", "EagerPyFunc":
		sev, does = scan.SeveritySuspicious, "calls Python"
	case "ReadFile", "MatchingFiles", "LoadDataset", "SaveDataset":
		sev, does = scan.SeveritySuspicious, "reads or writes files"
	case "Rpc", "TryRpc", "RpcCall", "RpcClient", "RpcServer", "DataServiceDataset":
		sev, does = scan.SeveritySuspicious, "uses the network"
	}
	if does != "" {
		m.finding("flex_op", sev, "code-execution", off, fmt.Sprintf("runs TensorFlow's %s, which %s", scan.Quote(op, 60), does))
	}
}

// graph walks a subgraph.
func (m *model) graph(g table, codes []code, buffers int64, fx *flex) {
	tensors := g.vector(graphTensors, 4)
	m.each(tensors, func(_ int64, t table) {
		if b := int64(uint32(t.int(tensorBuffer))); m.err == nil && b > 0 && b >= buffers {
			m.fail(t.at, "a tensor in buffer %d of %d", b, buffers)
		}
	})
	m.indices(g, graphIn, tensors.n)
	m.indices(g, graphOut, tensors.n)
	m.each(g.vector(graphOps, 4), func(_ int64, op table) {
		c := int64(uint32(op.int(opCode)))
		if c >= int64(len(codes)) && m.err == nil {
			m.fail(op.at, "an operation with code %d of %d", c, len(codes))
		}
		m.indices(op, opIn, tensors.n)
		m.indices(op, opOut, tensors.n)
		m.indices(op, opIntermediates, tensors.n)
		m.outside(op, opLargeAt, opLargeSize, "options")
		if m.err == nil && strings.HasPrefix(codes[c].custom, "Flex") {
			m.definition(op, fx)
		}
	})
}

// indices checks a vector of tensors: -1 is an optional one that is not there.
func (m *model) indices(t table, field int, tensors int64) {
	v := t.vector(field, 4)
	m.spend(v.n)
	for i := int64(0); i < v.n && m.err == nil; i++ {
		if n := int32(m.u32(v.at + 4*i)); m.err == nil && (n < -1 || int64(n) >= tensors) {
			m.fail(v.at+4*i, "tensor %d of %d", n, tensors)
		}
	}
}

// definition collects the NodeDef of a Flex operation. The options are a
// FlexBuffer vector of the operation's name and the serialized definition.
func (m *model) definition(op table, fx *flex) {
	v := op.vector(opOptions, 1)
	at, n := v.at, v.n
	if n == 0 {
		at, n = int64(op.u64(opLargeAt)), int64(op.u64(opLargeSize))
	}
	if n == 0 || m.err != nil {
		return
	}
	if len(fx.parts) >= maxFlex {
		m.err = scan.Limit(at, "more than %d definitions of TensorFlow operations", maxFlex)
		return
	}
	node, ok := m.flexNode(extent{at, n})
	if m.err != nil {
		return
	}
	if !ok {
		m.finding("flex_op", scan.SeveritySuspicious, "obfuscation", at, "the definition of a TensorFlow operation can not be read")
		return
	}
	fx.add(node)
	head := make([]byte, min(node.n, maxText))
	if m.bytes(head, node.at); m.err != nil {
		return
	}
	if name, ok := nodeOp(head); ok {
		m.tensorflow(at, name)
	}
}

// flexNode returns the second item of a FlexBuffer vector of two strings. A
// FlexBuffer ends with the type of its root and the width of the offset to it;
// items are offsets back from where they stand.
func (m *model) flexNode(b extent) (extent, bool) {
	if b.n < 6 {
		return extent{}, false
	}
	var last [2]byte
	m.bytes(last[:], b.at+b.n-2)
	root, width := last[0], int64(last[1])
	at := b.n - 2 - width
	if at < 0 || root>>2 != 10 && root>>2 != 15 { // a vector, maybe of strings
		return extent{}, false
	}
	up, ok := m.number(b, at, width)
	if !ok || up > at {
		return extent{}, false
	}
	first := at - up
	width = 1 << (root & 3)
	count, ok := m.number(b, first-width, width)
	if !ok || count < 2 {
		return extent{}, false
	}
	item := first + width
	up, ok = m.number(b, item, width)
	if !ok || up > item {
		return extent{}, false
	}
	text := item - up
	wide := int64(1)
	if root>>2 == 10 { // the items' types follow them
		types := first + count*width
		if types+1 >= b.n {
			return extent{}, false
		}
		var kind [1]byte
		m.bytes(kind[:], b.at+types+1)
		wide = 1 << (kind[0] & 3)
	}
	size, ok := m.number(b, text-wide, wide)
	if !ok || size > b.n-text {
		return extent{}, false
	}
	return extent{b.at + text, size}, true
}

// number reads an unsigned integer of 1, 2, 4 or 8 bytes at a place in b. One
// that is larger than b is none.
func (m *model) number(b extent, at, width int64) (int64, bool) {
	if at < 0 || at > b.n-width {
		return 0, false
	}
	var p [8]byte
	switch width {
	case 1, 2, 4, 8:
		m.bytes(p[:width], b.at+at)
	default:
		return 0, false
	}
	v := le.Uint64(p[:])
	return int64(v), v <= uint64(b.n)
}

// nodeOp returns the operation of a NodeDef: field 2.
func nodeOp(node []byte) (string, bool) {
	for len(node) > 0 {
		tag, n := binary.Uvarint(node)
		if n <= 0 || tag&7 != 2 {
			return "", false
		}
		size, k := binary.Uvarint(node[n:])
		if k <= 0 || size > uint64(len(node)-n-k) {
			return "", false
		}
		body := node[n+k : n+k+int(size)]
		if tag>>3 == 2 {
			return string(body[:min(len(body), maxText)]), true
		}
		node = node[n+k+int(size):]
	}
	return "", false
}
