package cntk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// maxFindings bounds the user functions that are told one by one.
const maxFindings = 100

// visitor judges what a walk meets. Dictionaries nest, and each has a key
// being walked.
type visitor struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink scan.Sink

	dictionaries []dictionary
	functions    int // what only a CNTK model has
	told         int
}

// dictionary is what a dictionary says about a user function.
type dictionary struct {
	key                   string // of the entry being walked
	module, class, method string
	off                   int64
}

// Enter implements pb.Visitor.
func (v *visitor) Enter(_, m *pb.Message, val pb.Value) error {
	switch m.ID {
	case idDictionary:
		v.dictionaries = append(v.dictionaries, dictionary{off: val.Start})
		return v.ctx.Err()
	case idEntry:
		v.top().key = ""
	}
	return nil
}

func (v *visitor) top() *dictionary { return &v.dictionaries[len(v.dictionaries)-1] }

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	d := v.top()
	text := string(val.Text[:min(len(val.Text), 1024)])
	switch {
	case m.ID == idEntry:
		d.key = text
		if text == "primitive_functions" {
			v.functions++
		}
	case m.ID != idValue:
	case d.key == "module":
		d.module = text
	case d.key == "class":
		d.class = text
	case d.key == "deserialize_method":
		d.method = text
	}
	return nil
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	if m.ID != idDictionary {
		return nil
	}
	d := *v.top()
	v.dictionaries = v.dictionaries[:len(v.dictionaries)-1]
	if d.module == "" {
		return nil
	}
	v.functions++
	quoted := scan.Quote(d.module, 120)
	switch {
	case d.class != "" && (!name(d.module) || !name(d.class)):
		v.finding("cntk.code", scan.SeverityMalicious, d.off,
			"a user function has code in place of a name: loading executes "+scan.Quote("from "+d.module+" import "+d.class, 160))
	case d.class != "":
		v.finding("cntk.user_function", scan.SeveritySuspicious, d.off,
			"loading imports "+scan.Quote(d.class, 60)+" from the Python module "+quoted+" and calls it")
	case strings.ContainsAny(d.module, `/\`) || clue.WhichPath(d.module) != clue.Inside:
		v.finding("cntk.library", scan.SeverityMalicious, d.off, "loading loads the shared library "+quoted+" and calls "+scan.Quote(d.method, 60))
	case d.method != "" || clue.Library(d.module):
		v.finding("cntk.library", scan.SeveritySuspicious, d.off, "loading loads the shared library "+quoted+" and calls "+scan.Quote(d.method, 60))
	}
	return nil
}

// name reports whether s is a dotted name of Python.
func name(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsAny(part, ":/->@$") || !pb.Word(part) && strings.Trim(part, "_0123456789") != "" {
			return false
		}
	}
	return true
}

// maxText is how much of a model is searched for commands, in bytes.
const maxText = 1 << 20

// command searches the first bytes of a model, which is a net of built-in
// nodes or too damaged to be one, for command lines.
func (v *visitor) command(f scan.File) error {
	b, err := first(f, maxText)
	if err != nil {
		return err
	}
	// UTF-16 with a NUL behind each string becomes words.
	text := strings.NewReplacer("\x00\x00", " ", "\x00", "").Replace(string(b))
	if c := v.texts.Command(text); c != "" {
		v.finding("cntk.command", scan.SeveritySuspicious, 0, "holds a command, which a model has no use for: "+scan.Quote(c, 120))
	}
	return nil
}

func (v *visitor) finding(rule string, sev scan.Severity, off int64, message string) {
	if v.told++; v.told > maxFindings {
		return
	}
	v.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: "code-execution"})
}

// first returns the first bytes of f, at most n.
func first(f scan.File, n int64) ([]byte, error) {
	b := make([]byte, min(f.Size, n))
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the file is shorter than its size says
		}
		return nil, fmt.Errorf("read %d bytes at 0: %w", len(b), err)
	}
	return b, nil
}
