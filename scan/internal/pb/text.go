package pb

import (
	"bytes"
	"errors"
	"strconv"

	"modelwall/scan"
)

// The text format spells the same messages as
//
//	node { name: "x" op: "Const" attr { key: "value" value { i: 1 } } }
//
// with braces or angle brackets, colons that messages may do without, lists
// in brackets, commas and semicolons between fields, strings of C that stand
// next to each other and make one, and comments from # to the end of a line.
// It is specified at https://protobuf.dev/reference/protobuf/textformat-spec/.

// maxString bounds what is held of one string of the text format, in bytes.
const maxString = 1 << 20

// WalkText reports the message root that f is in the text format, like Walk.
// It goes by Message.Names; fields with other names are skipped. Of a string,
// Value.Data has the content decoded.
func WalkText(f scan.File, root *Message, v Visitor) error {
	w := &textWalk{lexer: lexer{r: newWindow(f), size: f.Size}, v: v}
	if err := v.Enter(nil, root, Value{Len: f.Size}); err != nil {
		return err
	}
	w.stack = append(w.stack, textFrame{msg: root})
	for len(w.stack) > 0 {
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// textFrame is a message or a list that is open.
type textFrame struct {
	msg   *Message // nil: unknown, everything in it is skipped
	close byte     // what ends it; 0 for the outermost, ']' for a list
	field textField
}

// textField is the field whose value comes next.
type textField struct {
	known Field
	ok    bool
	num   Number
}

type textWalk struct {
	lexer
	v     Visitor
	stack []textFrame
}

// step handles one field, one element of a list, or the end of either.
func (w *textWalk) step() error {
	top := w.stack[len(w.stack)-1]
	if err := w.next(); err != nil {
		return err
	}
	switch {
	case w.kind == tokenEnd && top.close == 0, w.kind == tokenSign && top.close != 0 && w.sign == top.close:
		w.stack = w.stack[:len(w.stack)-1]
		if top.msg != nil && top.close != ']' {
			return w.v.Leave(top.msg)
		}
		return nil
	case w.kind == tokenSign && (w.sign == ',' || w.sign == ';'):
		return nil
	case top.close == ']':
		return w.value(top, top.field)
	case w.kind == tokenSign && w.sign == '[': // an extension or the type of an Any
		return w.extension()
	case w.kind != tokenWord:
		return w.bad("a field has no name")
	}
	var field textField
	if top.msg != nil {
		if num, ok := top.msg.Names[string(w.word)]; ok {
			field.num = num
			field.known, field.ok = top.msg.Fields[num]
		}
	}
	return w.fieldValue(top, field)
}

// fieldValue reads what stands behind the name of a field.
func (w *textWalk) fieldValue(top textFrame, field textField) error {
	if err := w.next(); err != nil {
		return err
	}
	if w.kind == tokenSign && w.sign == ':' {
		if err := w.next(); err != nil {
			return err
		}
	} else if w.kind != tokenSign || w.sign != '{' && w.sign != '<' {
		return w.bad("a field has no value")
	}
	if w.kind == tokenSign && w.sign == '[' {
		return w.push(textFrame{msg: top.msg, close: ']', field: field})
	}
	return w.value(top, field)
}

// extension skips a name in brackets, and takes its value for unknown.
func (w *textWalk) extension() error {
	for {
		if err := w.next(); err != nil {
			return err
		}
		if w.kind == tokenSign && w.sign == ']' {
			return w.fieldValue(textFrame{}, textField{})
		}
		if w.kind != tokenWord && (w.kind != tokenSign || w.sign != '/') {
			return w.bad("an extension has no name")
		}
	}
}

// value handles the value that begins with the current token.
func (w *textWalk) value(top textFrame, field textField) error {
	val := Value{Number: field.num, Start: w.start, Off: w.start}
	switch w.kind {
	case tokenSign:
		closing := map[byte]byte{'{': '}', '<': '>'}[w.sign]
		if closing == 0 {
			return w.bad("a value is missing")
		}
		sub := textFrame{close: closing}
		if field.ok && field.known.Kind == Sub {
			sub.msg = field.known.Sub
			if err := w.v.Enter(top.msg, sub.msg, val); err != nil {
				return err
			}
		}
		return w.push(sub)
	case tokenString:
		if !field.ok || field.known.Kind != Text && field.known.Kind != Blob {
			return nil
		}
		val.Data, val.Len = w.text, w.textLen
		if field.known.Kind == Text {
			val.Text = w.text[:min(len(w.text), MaxText)]
		} else if w.textLen > maxString {
			return scan.Limit(w.start, "a string of %d bytes", w.textLen)
		}
		return w.v.Value(top.msg, val)
	case tokenWord:
		if !field.ok || field.known.Kind != Scalar {
			return nil
		}
		val.Int, _ = strconv.ParseUint(string(w.word), 0, 64) // of a name: 0
		val.Text, val.Len = w.word, int64(len(w.word))
		return w.v.Value(top.msg, val)
	}
	return w.bad("a value is missing")
}

func (w *textWalk) push(f textFrame) error {
	if len(w.stack) >= maxDepth {
		return scan.Limit(w.start, "%w: %d levels of messages", errDepth, maxDepth)
	}
	w.stack = append(w.stack, f)
	return nil
}

// PlausibleText reports whether head can be the beginning of root in the text
// format: behind blanks and comments stands the name of one of its fields.
// Parsers refuse other names.
func PlausibleText(head []byte, root *Message) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for {
		head = bytes.TrimLeft(head, " \t\r\n\v\f")
		if len(head) == 0 || head[0] != '#' {
			break
		}
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	n := 0
	for n < len(head) && isWord(head[n]) {
		n++
	}
	if n == len(head) {
		return true // there was no room for more
	}
	_, ok := root.Names[string(head[:n])]
	behind := bytes.TrimLeft(head[n:], " \t\r\n\v\f")
	return ok && (len(behind) == 0 || bytes.IndexByte([]byte(":{<#"), behind[0]) >= 0)
}

// Judge is a Visitor of one walk that answers for a format.
type Judge interface {
	Visitor
	// Known reports whether what was met is what a loader of the format would
	// use; err is how the walk ended.
	Known(err error) bool
	// Finish is called when the walk is over, however it ended.
	Finish()
}

// Read walks f in the form that its first bytes allow, or in one after the
// other, each with a new Judge, and settles the outcome.
func Read(f scan.File, root *Message, judge func() Judge) error {
	head, err := newWindow(f).read(nil, int(min(f.Size, scan.HeadSize)))
	if err != nil {
		return err
	}
	text := PlausibleText(head, root)
	if Plausible(head, f.Size) || !text {
		j := judge()
		err := Walk(f, root, j)
		j.Finish()
		if err = Settle(err, j.Known(err)); !text || !errors.Is(err, scan.ErrForeign) {
			return err
		}
	}
	j := judge()
	err = WalkText(f, root, j)
	j.Finish()
	return Settle(err, j.Known(err))
}
