package coreml

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// maxSaid bounds the distinct findings of one file.
const maxSaid = 1000

// visitor judges what a walk meets.
type visitor struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink scan.Sink
	said map[string]bool

	// What tells a Core ML model from other messages.
	version, kind bool

	layer      string // the name of the layer being walked
	key, value string // of an entry of a map
	entryOff   int64
}

// known reports whether what was met is what Core ML would load.
func (v *visitor) known() bool { return v.version && v.kind }

// Enter implements pb.Visitor.
func (v *visitor) Enter(parent, m *pb.Message, val pb.Value) error {
	if parent != nil && parent.ID == idModel {
		v.met(val)
	}
	switch m.ID {
	case idModel, idLayer, idOperation:
		if err := v.ctx.Err(); err != nil {
			return err
		}
		v.layer = ""
	case idUserDefined:
		v.key, v.value, v.entryOff = "", "", val.Start
	}
	return nil
}

// met notes a field of a model.
func (v *visitor) met(val pb.Value) {
	switch {
	case val.Number == 1:
		v.version = v.version || val.Int > 0 && val.Int < 1000
	case val.Number >= firstKind && val.Number <= lastKind:
		v.kind = true
	}
}

// Value implements pb.Visitor.
func (v *visitor) Value(m *pb.Message, val pb.Value) error {
	text := string(val.Text)
	quoted := scan.Quote(text, 120)
	switch m.ID {
	case idModel:
		v.met(val)
		if val.Number == lastKind {
			v.finding("coreml.serialized", scan.Low, "native-code", val.Start, "holds a model in a serialized form that is not specified and not examined")
		}
	case idMetadata:
		v.command("the description", val)
	case idUserDefined:
		if val.Number == 1 {
			v.key = text
		} else {
			v.value = text
		}
	case idLayer:
		v.layer = text
	case idCustomLayer:
		v.finding("coreml.custom_layer", scan.SeveritySuspicious, "custom-code", val.Start,
			fmt.Sprintf("layer %s is a custom one: the class %s of the application runs it", scan.Quote(v.layer, 60), quoted))
	case idCustomModel:
		v.finding("coreml.custom_model", scan.SeveritySuspicious, "custom-code", val.Start,
			"is a custom model: the class "+quoted+" of the application runs it")
	case idParameter:
		v.command("a parameter of custom code", val)
	case idOperation:
		if strings.HasPrefix(text, "custom_layer") {
			v.finding("coreml.custom_layer", scan.SeveritySuspicious, "custom-code", val.Start,
				"an operation "+quoted+" of the program is a custom one: a class of the application runs it")
		}
	case idBlobFile:
		v.blobFile(text, val.Start)
	case idLinked:
		v.linked(text, val.Start)
	}
	return nil
}

// Leave implements pb.Visitor.
func (v *visitor) Leave(m *pb.Message) error {
	if m.ID == idUserDefined {
		v.userDefined()
	}
	return nil
}

// evaluated are the keys of metadata that loaders of YOLO models have handed
// to Python's eval.
var evaluated = []string{"names", "imgsz", "kpt_shape", "kpt_names", "stride", "batch", "args", "channels", "end2end"}

// userDefined judges an entry of the metadata.
func (v *visitor) userDefined() {
	if slices.Contains(evaluated, v.key) {
		if call := v.texts.Evaluated(v.value); call != "" {
			v.finding("coreml.metadata_code", scan.SeverityMalicious, "code-execution", v.entryOff,
				"the metadata "+scan.Quote(v.key, 40)+" is no literal but code for loaders that evaluate it: "+scan.Quote(v.value, 120))
			return
		}
	}
	if c := v.texts.Command(v.value); c != "" {
		v.finding("coreml.metadata_code", scan.SeveritySuspicious, "code-execution", v.entryOff,
			"the metadata "+scan.Quote(v.key, 40)+" holds a command: "+scan.Quote(c, 120))
	}
}

// command judges a text that nothing in Core ML executes.
func (v *visitor) command(what string, val pb.Value) {
	if !clue.Printable(val.Text) {
		return
	}
	if c := v.texts.Command(string(val.Text)); c != "" {
		v.finding("coreml.command", scan.SeveritySuspicious, "code-execution", val.Start, what+" holds a command: "+scan.Quote(c, 120))
	}
}

// blobFile judges the file of a value. @model_path is the folder of the model.
func (v *visitor) blobFile(name string, off int64) {
	inside := name
	if rest, ok := strings.CutPrefix(name, "@model_path/"); ok {
		inside = rest
	}
	switch clue.WhichPath(inside) {
	case clue.Absolute, clue.Escapes, clue.Broken:
		v.finding("coreml.weights_path", scan.SeverityMalicious, "path-traversal", off,
			"a value of the program is read from "+scan.Quote(name, 120)+", outside of the model's folder")
	case clue.Remote:
		v.finding("coreml.weights_path", scan.SeveritySuspicious, "network", off, "a value of the program is at the URL "+scan.Quote(name, 120))
	}
}

// linked judges the name or the search path of a linked model: paths with a
// colon between them, relative, absolute or in a bundle ($BUNDLE_MAIN).
func (v *visitor) linked(text string, off int64) {
	for part := range strings.SplitSeq(text, ":") {
		if strings.HasPrefix(part, "$BUNDLE") {
			continue
		}
		switch clue.WhichPath(part) {
		case clue.Absolute, clue.Escapes, clue.Broken:
			v.finding("coreml.linked_model", scan.SeveritySuspicious, "path-traversal", off,
				"links to a model at "+scan.Quote(part, 120)+", outside of the folder of this one")
		default:
			v.finding("coreml.linked_model", scan.Low, "custom-code", off, "links to another model: "+scan.Quote(part, 120))
		}
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
