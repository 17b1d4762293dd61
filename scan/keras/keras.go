// Package keras judges the configuration of Keras models, wherever it lies:
// config.json of a .keras archive, the attributes model_config and
// training_config of an HDF5 file, a JSON or YAML file, TensorFlow.js's
// model.json. Archives and HDF5 files are walked by their own packages, which
// hand the configurations here.
//
// A configuration is a tree of objects {"class_name", "config", and in Keras 3
// "module", "registered_name"}, each of which the loader makes by looking up
// the class and calling its from_config. What is dangerous:
//
//   - Lambda layers carry Python code, marshalled and in base64. Keras 2 and
//     HDF5 files up to Keras 3.11.2 run it without asking (CVE-2024-3660,
//     CVE-2025-9905), others with safe_mode=False. The code is read, see
//     package marshal, and judged by the names it uses: computation on tensors
//     is a remark, anything else is not.
//   - "module" and "class_name" name anything that can be imported, and a layer
//     with a function and arguments for it calls that while the model is built
//     (CVE-2025-1550). Functions of Keras itself do: get_file downloads and
//     unpacks (CVE-2025-8747), enable_unsafe_deserialization turns safe_mode
//     off (CVE-2025-9906).
//   - TorchModuleWrapper unpickles (CVE-2025-49655), TFSMLayer loads a
//     TensorFlow graph, and both ignored safe_mode for some time.
//   - Vocabularies of look-up layers may be the path of a file of the user
//     (CVE-2025-12058).
//
// A custom object, whose code is not in the file, has to be given by whoever
// loads the model; it is a remark.
//
// Configurations are not specified outside of Keras: see
// keras/src/saving/serialization_lib.py and, for the older form,
// keras/src/legacy/saving/serialization.py.
package keras

import (
	"bytes"
	"context"
	"errors"

	"modelwall/scan"
)

// Scanner inspects configurations of Keras models.
type Scanner struct{ names *names }

// New returns the scanner.
func New() *Scanner { return &Scanner{names: readNames()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "keras" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: any text, because a configuration can begin
// with anything that JSON or YAML takes.
func (*Scanner) Match(p scan.Probe) bool {
	return p.Size >= int64(minConfig) && textual(p.Head)
}

// minConfig is shorter than any object with a class, in bytes.
const minConfig = len(`{"class_name":""}`)

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	src := &source{ctx: ctx, f: f}
	head, err := src.head()
	if err != nil {
		return err
	}
	enc := encodingOf(head)
	if enc == utf8Text {
		found, err := src.mentions()
		if err != nil {
			return err
		}
		if !found {
			return foreign("no class_name in it")
		}
	}
	j := &judge{names: s.names, sink: sink, ctx: ctx}
	if jsonText(head, enc) {
		err = parseJSON(src.decoded(enc), j)
	} else {
		err = src.yaml(j)
	}
	if j.stopped != nil {
		return j.stopped
	}
	if j.objects == 0 && (err == nil || errors.Is(err, scan.ErrMalformed) || errors.Is(err, scan.ErrForeign)) {
		return foreign("no object with a class and a configuration")
	}
	return err
}

func foreign(what string) error {
	return &scan.Error{Class: scan.ErrForeign, Reason: errors.New(what)}
}

// textual reports whether a file that begins with head can be text: no control
// characters, save for the NULs of wide characters.
func textual(head []byte) bool {
	if encodingOf(head) != utf8Text {
		return true
	}
	return !bytes.ContainsFunc(head, func(r rune) bool { return r < '\t' })
}
