// Package mxnet inspects the graphs of Apache MXNet (-symbol.json) and
// recognises its parameters (.params).
//
// A graph is a JSON object: "nodes", each with an operator ("op"), a name,
// inputs and attributes that are strings, and "heads", the outputs. Loading it
// builds the operators, which compute. The operator Custom runs a Python class
// that the process has registered under the name in "op_type"; libraries of
// further operators are loaded by a call (mx.library.load), which tools around
// MXNet may feed from an attribute of the graph.
//
// Parameters begin with 0x112 and hold raw arrays with names; nothing runs.
//
// Specified by nnvm/src/pass/saveload_json.cc and src/ndarray/ndarray.cc.
package mxnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// Symbol inspects graphs. It is safe for concurrent use.
type Symbol struct{ texts *clue.Reader }

// New returns the scanners of graphs and of parameters.
func New() []scan.Scanner { return []scan.Scanner{&Symbol{clue.NewReader()}, parameters{}} }

// Format implements scan.Scanner.
func (*Symbol) Format() string { return "mxnet" }

// Version implements scan.Scanner.
func (*Symbol) Version() int { return 1 }

// Match implements scan.Scanner.
func (*Symbol) Match(p scan.Probe) bool {
	head := bytes.TrimLeft(bytes.TrimPrefix(p.Head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(head) == 0 || head[0] != '{' {
		return false
	}
	has := func(key string) bool {
		return bytes.Contains(p.Head, []byte(key)) || bytes.Contains(p.Tail, []byte(key))
	}
	return has(`"nodes"`) && has(`"op"`) || has(`"arg_nodes"`)
}

// Scan implements scan.Scanner.
func (s *Symbol) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	g := &graph{Symbol: s, sink: sink, said: map[string]bool{}, text: maxText}
	dec := json.NewDecoder(&source{r: f.Section(0, f.Size)})
	for ctx.Err() == nil {
		off := dec.InputOffset()
		token, err := dec.Token()
		var syntax *json.SyntaxError
		switch {
		case err == nil:
			g.token(token, off)
			continue
		case errors.Is(err, io.EOF), errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
			if !g.nodes {
				return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: errors.New("no graph")}
			}
			if errors.Is(err, io.EOF) && len(g.levels) == 0 {
				return nil
			}
			return scan.Malformed(off, "JSON: %w", err)
		default:
			return err
		}
	}
	return ctx.Err()
}

// source is a section whose end before its time is an error of the reader's
// own, not the end of the JSON text.
type source struct{ r *io.SectionReader }

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if at, _ := s.r.Seek(0, io.SeekCurrent); errors.Is(err, io.EOF) && n == 0 && at < s.r.Size() {
		return 0, fmt.Errorf("read at %d of %d bytes: the file is shorter than its size says", at, s.r.Size())
	}
	return n, err
}

// Bounds of one file.
const (
	maxDepth = 64      // levels that are told apart
	maxSaid  = 200     // distinct findings
	maxText  = 1 << 20 // bytes of attributes that are searched for commands
)

// graph follows the tokens of a symbol.
type graph struct {
	*Symbol
	sink scan.Sink
	said map[string]bool
	text int // bytes that may still be searched

	levels []level // the first maxDepth of them
	deeper int
	nodes  bool // a node has an operator: this is a graph
}

// level is an object or an array that is open.
type level struct {
	object bool
	isKey  bool   // the next string is a key
	key    string // of the current value
	op     string // of the node that this object is
}

func (g *graph) token(token json.Token, off int64) {
	if d, ok := token.(json.Delim); ok {
		switch d {
		case '{', '[':
			if len(g.levels) == maxDepth {
				g.deeper++
				return
			}
			g.levels = append(g.levels, level{object: d == '{', isKey: d == '{'})
		default:
			if g.deeper > 0 {
				g.deeper--
				return
			}
			g.levels = g.levels[:len(g.levels)-1]
			g.value("", off)
		}
		return
	}
	if len(g.levels) == 0 || g.deeper > 0 {
		return
	}
	top := &g.levels[len(g.levels)-1]
	s, isString := token.(string)
	if top.object && top.isKey && isString {
		top.key, top.isKey = s, false
		return
	}
	g.value(s, off)
}

// value ends the current value of the innermost level; s is a string or "".
func (g *graph) value(s string, off int64) {
	if len(g.levels) == 0 {
		return
	}
	top := &g.levels[len(g.levels)-1]
	top.isKey = top.object
	if s == "" || !top.object {
		return
	}
	if top.key == "op" && len(g.levels) > 2 && g.levels[len(g.levels)-3].key == "nodes" {
		g.nodes = true
		top.op = s
		if s == "Custom" {
			g.finding("mxnet.custom_op", scan.Low, "custom-code", off, "a node is of the operator Custom, which runs a Python class registered by the process")
		}
		return
	}
	g.attribute(top.key, s, off)
}

// attribute judges a string that is no operator.
func (g *graph) attribute(key, s string, off int64) {
	quoted := scan.Quote(key, 40) + " = " + scan.Quote(s, 120)
	switch which := clue.WhichPath(s); {
	case clue.Library(s) && (which != clue.Inside || strings.ContainsAny(s, `/\`)):
		g.finding("mxnet.library", scan.SeveritySuspicious, "custom-code", off, "an attribute names a shared library: "+quoted)
		return
	case clue.Sensitive(s):
		g.finding("mxnet.path", scan.SeveritySuspicious, "file-access", off, "an attribute names a file of the system: "+quoted)
		return
	}
	if g.text -= len(s); g.text < 0 || len(s) < 8 {
		return
	}
	if c := g.texts.Command(s); c != "" {
		g.finding("mxnet.command", scan.SeveritySuspicious, "code-execution", off, "the attribute "+scan.Quote(key, 40)+" holds a command: "+scan.Quote(c, 120))
	}
}

func (g *graph) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	key := rule + "\n" + message
	if g.said[key] || len(g.said) >= maxSaid {
		return
	}
	g.said[key] = true
	g.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// parameters recognises .params.
type parameters struct{}

// Format implements scan.Scanner.
func (parameters) Format() string { return "mxnet-params" }

// Version implements scan.Scanner.
func (parameters) Version() int { return 1 }

// Match implements scan.Scanner.
func (parameters) Match(p scan.Probe) bool {
	return len(p.Head) >= 24 && binary.LittleEndian.Uint64(p.Head) == 0x112 && binary.LittleEndian.Uint64(p.Head[8:]) == 0
}

// Scan implements scan.Scanner.
func (parameters) Scan(context.Context, scan.File, scan.Sink) error { return nil }
