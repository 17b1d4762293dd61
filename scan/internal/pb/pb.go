// Package pb walks protocol buffers in their binary form, the wire format of
// ONNX, TensorFlow, Core ML, PaddlePaddle, Caffe and CNTK models.
//
// A message is a row of fields, each a tag (field number and wire type) and a
// value: a varint, four or eight bytes, or a length with that many bytes,
// which are a string, a packed array or another message. Nothing in the bytes
// says which, nor what kind of message a file is: that is up to the reader.
// Fields come in any order, unknown ones are skipped, a field that should
// stand once may stand often (strings: the last counts, messages: they are
// merged), and a known number with an unexpected wire type is an unknown
// field. Tensors, nearly all of a model, are fields with a length: a walk over
// io.ReaderAt leaps across them and reads kilobytes of a gigabyte.
//
// There is a text format as well (WalkText), which some loaders take in place
// of the binary one: saved_model.pbtxt, MetaGraphs, Caffe's prototxt.
//
// The walk goes by a table of messages (Message), reports fields as it meets
// them (Visitor), keeps its own stack instead of recursing, and holds no more
// than one window of the file and one text in memory.
//
// Specified at https://protobuf.dev/programming-guides/encoding/.
package pb

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"modelwall/scan"
)

// The shortest names for what every table of messages is made of.
type (
	// Number is a field number, 1 to 1<<29-1.
	Number = protowire.Number
	// Type is a wire type.
	Type = protowire.Type
)

// Kind is what a walk does with a field.
type Kind uint8

const (
	// Scalar reports a varint or a fixed value.
	Scalar Kind = iota
	// Text reports the first MaxText bytes of a string.
	Text
	// Blob reports where bytes lie and reads none of them.
	Blob
	// Sub enters a message.
	Sub
)

// MaxText is how much of a string is read, in bytes.
const MaxText = 4 << 10

// maxDepth bounds how deep messages and groups may nest. The parsers of the
// frameworks stop at 100.
const maxDepth = 512

// Field says how to treat one field of a message.
type Field struct {
	Kind Kind
	Sub  *Message // for Kind Sub
}

// Message is one type of message. Numbers that are not listed are skipped.
type Message struct {
	ID     int // for the visitor's switch
	Fields map[Number]Field
	// Names are the fields' names in the text format. Of a message that is a
	// file they are complete: another name is another format.
	Names map[string]Number
}

// Value is a field that a walk has met. Its slices are valid until the visitor
// returns.
type Value struct {
	Number Number
	Int    uint64 // Scalar: the varint or the fixed value
	Text   []byte // Text: the first bytes; Scalar of the text format: how it is spelled
	Data   []byte // Text and Blob of the text format: the content decoded, at most 1 MiB
	Start  int64  // where the tag stands
	Off    int64  // where the content stands
	Len    int64  // bytes of the content, which may be more than Text holds
}

// Overlong reports that Text is only the beginning.
func (v Value) Overlong() bool { return v.Len > int64(len(v.Text)) }

// Visitor takes what a walk meets, in the order of the file. An error ends
// the walk and comes back from it.
type Visitor interface {
	// Enter is called before the fields of a message, v being the field of
	// parent that holds it; for the outermost, parent is nil.
	Enter(parent, m *Message, v Value) error
	// Value reports a field of m.
	Value(m *Message, v Value) error
	// Leave is called behind the last field of m.
	Leave(m *Message) error
}

// ErrWire is wrapped by the error of a walk that met bytes which are not a
// protocol buffer, or a message that ends before its fields do.
var ErrWire = errors.New("not a protocol buffer")

// errDepth is wrapped by the error of a walk that would nest too deep.
var errDepth = errors.New("nested too deep")

// frame is a message or a group that is being walked.
type frame struct {
	msg   *Message // nil: unknown, everything in it is skipped
	end   int64
	group Number // 0 for a message
}

// walk is one walk over a file.
type walk struct {
	r     *window
	v     Visitor
	stack []frame
	text  []byte
	cut   error // a message that says it is longer than what is left
}

// Walk reports the message root that f is. The error is the visitor's, the
// reader's own, one of class scan.ErrLimit for nesting, or one that wraps
// ErrWire and is of class scan.ErrMalformed. Of a message that is cut short
// the walk reports what is there before it fails.
func Walk(f scan.File, root *Message, v Visitor) error {
	w := &walk{r: newWindow(f), v: v}
	return w.run(root, f.Size)
}

func (w *walk) run(root *Message, size int64) error {
	if err := w.v.Enter(nil, root, Value{Len: size}); err != nil {
		return err
	}
	w.stack = append(w.stack, frame{msg: root, end: size})
	for len(w.stack) > 0 {
		top := w.stack[len(w.stack)-1]
		var err error
		if top.group == 0 && w.r.off == top.end {
			w.stack = w.stack[:len(w.stack)-1]
			if top.msg != nil {
				err = w.v.Leave(top.msg)
			}
		} else {
			err = w.field(top)
		}
		if err != nil {
			return err
		}
	}
	return w.cut
}

// field handles the field that stands at the reader's offset.
func (w *walk) field(top frame) error {
	val := Value{Start: w.r.off}
	tag, err := w.r.varint(top.end)
	if err != nil {
		return err
	}
	num, typ := protowire.DecodeTag(tag)
	if num < protowire.MinValidNumber || num > protowire.MaxValidNumber || tag > 1<<32-1 {
		return w.wire(val.Start, "no field has the tag %#x", tag)
	}
	val.Number, val.Off = num, w.r.off
	known, ok := Field{}, false
	if top.msg != nil {
		known, ok = top.msg.Fields[num]
	}
	switch typ {
	case protowire.VarintType:
		val.Int, err = w.r.varint(top.end)
	case protowire.Fixed64Type:
		val.Int, err = w.r.fixed(8, top.end)
	case protowire.Fixed32Type:
		val.Int, err = w.r.fixed(4, top.end)
	case protowire.BytesType:
		return w.bytes(top, known, ok, val)
	case protowire.StartGroupType:
		return w.push(frame{end: top.end, group: num}, val.Start)
	case protowire.EndGroupType:
		if top.group != num {
			return w.wire(val.Start, "the end of a group that did not begin")
		}
		w.stack = w.stack[:len(w.stack)-1]
		return nil
	default:
		return w.wire(val.Start, "wire type %d does not exist", typ)
	}
	if err != nil {
		return err
	}
	if ok && known.Kind == Scalar {
		val.Len = w.r.off - val.Off
		return w.v.Value(top.msg, val)
	}
	return nil
}

// bytes handles a field with a length.
func (w *walk) bytes(top frame, known Field, ok bool, val Value) error {
	n, err := w.r.varint(top.end)
	if err != nil {
		return err
	}
	val.Off = w.r.off
	if left := top.end - val.Off; n > uint64(left) {
		err := w.wire(val.Start, "field %d has %d bytes where %d are left", val.Number, n, left)
		if !ok || known.Kind != Sub {
			return err
		}
		if w.cut == nil {
			w.cut = err
		}
		n = uint64(left)
	}
	val.Len = int64(n)
	end := val.Off + val.Len
	if !ok || known.Kind == Scalar {
		w.r.off = end
		return nil
	}
	switch known.Kind {
	case Sub:
		if err := w.v.Enter(top.msg, known.Sub, val); err != nil {
			return err
		}
		return w.push(frame{msg: known.Sub, end: end}, val.Start)
	case Text:
		if w.text, err = w.r.read(w.text[:0], int(min(val.Len, MaxText))); err != nil {
			return err
		}
		val.Text = w.text
	}
	w.r.off = end
	return w.v.Value(top.msg, val)
}

func (w *walk) push(f frame, off int64) error {
	if len(w.stack) >= maxDepth {
		return scan.Limit(off, "%w: %d levels of messages", errDepth, maxDepth)
	}
	w.stack = append(w.stack, f)
	return nil
}

func (w *walk) wire(off int64, format string, args ...any) error {
	return scan.Malformed(off, "%w: "+format, append([]any{ErrWire}, args...)...)
}

// Plausible reports whether head, the first bytes of size, can be the
// beginning of a protocol buffer: fields follow each other without a gap as
// far as head goes. The last one may be cut short, and behind a field that can
// hold a graph anything may follow: that is damage, for a walk to find.
func Plausible(head []byte, size int64) bool {
	left := size // bytes of the file from head on
	held := false
	for len(head) > 0 {
		tag, n := consume(head)
		if n <= 0 {
			return held || n == 0 && int64(len(head)) < left
		}
		num, typ := protowire.DecodeTag(tag)
		if num < protowire.MinValidNumber || num > protowire.MaxValidNumber || tag > 1<<32-1 {
			return held
		}
		head, left = head[n:], left-int64(n)
		skip := int64(0)
		switch typ {
		case protowire.VarintType, protowire.BytesType:
			v, n := consume(head)
			if n <= 0 {
				return held || n == 0 && int64(len(head)) < left
			}
			head, left = head[n:], left-int64(n)
			if typ == protowire.BytesType {
				if v > uint64(left) {
					return held || v < 1<<31 // no parser takes more
				}
				skip = int64(v)
				held = held || skip >= minGraph
			}
		case protowire.Fixed32Type:
			skip = 4
		case protowire.Fixed64Type:
			skip = 8
		case protowire.StartGroupType, protowire.EndGroupType:
		default:
			return held
		}
		if skip > left {
			return held
		}
		if skip >= int64(len(head)) {
			return true
		}
		head, left = head[skip:], left-skip
	}
	return size > 0
}

// minGraph is the length of a graph that does anything, in bytes.
const minGraph = 16

// consume returns the varint at the beginning of b and how many bytes it has:
// 0 if b ends before it does, -1 if it is too long. Bits beyond the 64th are
// dropped, as the frameworks' parsers do.
func consume(b []byte) (v uint64, n int) {
	for i, c := range b[:min(len(b), maxVarint)] {
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	if len(b) < maxVarint {
		return 0, 0
	}
	return 0, -1
}

// maxVarint is the length of the longest varint, in bytes.
const maxVarint = 10

// String returns a name for messages.
func (k Kind) String() string {
	switch k {
	case Scalar:
		return "scalar"
	case Text:
		return "text"
	case Blob:
		return "blob"
	case Sub:
		return "message"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}
