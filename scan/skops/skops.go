// Package skops judges the schema of skops files.
//
// A .skops file is a zip archive of schema.json and of the arrays and bytes
// that it names (*.npy, *.npz, *.bin). The zip scanner hands each of them to
// the engine, so this package sees the schema as a JSON file: a tree of nodes
//
//	{"__class__": "Pipeline", "__module__": "sklearn.pipeline",
//	 "__loader__": "ObjectNode", "__id__": 1, "content": {…}}
//
// with "protocol" and "_skops_version" at its root. To load it is to import
// __module__, look up __class__ and to make an object of it in the way of the
// __loader__: with __new__ and a state (ObjectNode), by a call with arguments
// of the file (ConstructorFromReduceNode, ListNode and its like, NdArrayNode,
// OperatorFuncNode), or merely by naming it (FunctionNode, TypeNode,
// PartialNode, MethodNode). skops refuses types that are not on its list until
// the user trusts them, and users do: get_untrusted_types() is one line.
//
// Its audit of the tree had holes, and the shapes that go through them have no
// other use: an OperatorFuncNode whose module is not operator (CVE-2025-54412),
// a MethodNode that names another class than that of its object
// (CVE-2025-54413), a LossNode of something that is no loss of scikit-learn.
// CVE-2025-54886, a model card that loads any file with joblib, is a matter of
// the file that is loaded, which the pickle scanner judges.
//
// Types are judged by what they are: those of the libraries that the format is
// used with are harmless, unknown ones are custom code, and functions that
// run commands are malicious even though skops asks first. Specification:
// skops/io of skops-dev/skops, protocols 0 to 2.
package skops

import (
	"bytes"
	"context"
	"errors"
	"path"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/pyname"
)

// Scanner is the scanner of skops schemas.
type Scanner struct{ names *pyname.Judge }

// New returns the scanner.
func New() *Scanner { return &Scanner{pyname.New()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "skops" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: a JSON object with words of the format, or
// with the name by which skops looks for the schema; or a member of an archive
// that is called after a node.
func (*Scanner) Match(p scan.Probe) bool {
	if gadgetName(p.Name) {
		return true
	}
	b := bytes.TrimLeft(jsontext.Head(p.Head, jsontext.ByZeros), " \t\r\n")
	if len(b) > 0 && b[0] != '{' {
		return false
	}
	name := strings.ToLower(path.Base(p.Name))
	if name == "schema.json" || name == "schema" {
		return true
	}
	for _, s := range [...]string{"__loader__", "__class__", "_skops_version", "Node"} {
		if bytes.Contains(b, []byte(s)) {
			return true
		}
	}
	return false
}

// gadgetName reports a file that is named after a node which looks attributes
// up or calls, or after an attribute that does.
func gadgetName(name string) bool {
	base := path.Base(name)
	for _, s := range [...]string{"__getattr__", "__getattribute__", "__setattr__", "__reduce__", "__reduce_ex__", "__setstate__"} {
		if strings.Contains(base, s) {
			return true
		}
	}
	switch path.Ext(base) {
	case ".json", ".py", ".pkl", ".bin", ".joblib", "":
		return strings.HasPrefix(base, "OperatorFuncNode") || strings.HasPrefix(base, "MethodNode")
	}
	return false
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	w := &walk{names: s.names, sink: sink}
	// The name of a member is content of its archive, that of a file is not.
	named := f.Member != "" && gadgetName(f.Name)
	if named {
		w.finding("skops.name", scan.SeveritySuspicious, techExecution, 0,
			"a member is named after what attacks on skops' loader use: "+scan.Quote(path.Base(f.Name), 100))
	}
	at, size, err := jsontext.Transcode(f, jsontext.ByZeros)
	if err != nil {
		return err
	}
	r := jsontext.NewReader(ctx, at, size)
	r.Keep = 1 << 10
	for {
		t, err := r.Next()
		switch {
		case errors.Is(err, scan.ErrMalformed):
			return &scan.Error{Class: scan.ErrForeign, Reason: err}
		case err != nil:
			return err
		case t.Kind == jsontext.End:
			if w.nodes == 0 {
				return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no node of skops")}
			}
			return nil
		}
		w.token(t)
	}
}
