package xml

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// openVINO judges an attribute of OpenVINO's intermediate representation.
func (d *document) openVINO(at int64, name, value string) {
	low := strings.ToLower(name)
	switch {
	case d.name == "layer" && low == "type":
		d.kind = value
	case d.name == "layer" && low == "version":
		d.version = value
	case d.info > 0:
		d.runtime(at, name, value)
	case name != "name" && clue.Library(value) && (d.name == "layer" || d.name == "data" || low == "library" || low == "location"):
		d.finding("openvino.library", scan.SeverityMalicious, "code-execution", at,
			fmt.Sprintf("%s %s names a shared library, which runs when it is loaded: %s", d.name, scan.Quote(name, 40), scan.Quote(value, 160)))
	case low == "library" && value != "":
		d.finding("openvino.library", scan.SeveritySuspicious, "code-execution", at, "names a library: "+scan.Quote(value, 160))
	case low == "implementation" && strings.EqualFold(value, "python"):
		d.finding("openvino.python", scan.SeveritySuspicious, "code-execution", at, "a layer that is implemented in Python")
	}
}

// judgeLayer judges a layer by its type and version.
func (d *document) judgeLayer() {
	switch low := strings.ToLower(d.kind); {
	case low == "python" || low == "pythonop" || low == "pyop" || low == "pyfunc":
		d.finding("openvino.python", scan.SeveritySuspicious, "code-execution", d.at, "a layer of type "+scan.Quote(d.kind, 60)+", which runs Python")
	case strings.EqualFold(d.version, "extension"):
		d.finding("openvino.extension", scan.Low, "code-execution", d.at,
			"layer "+scan.Quote(d.kind, 60)+" needs an extension, a library that its user loads")
	}
}

// runtime takes what OpenVINO keeps beside a model. A tokenizer's chat template
// is among it, and tools render it.
func (d *document) runtime(at int64, name, value string) {
	if name != "value" || d.err != nil || !strings.Contains(value, "{{") && !strings.Contains(value, "{%") {
		return
	}
	d.err = d.sink.Member(d.ctx, scan.Member{Name: "chat_template.jinja", At: strings.NewReader(value), Size: int64(len(value))})
}

// pmml judges an attribute of PMML.
func (d *document) pmml(at int64, name, value string) {
	switch {
	case d.name == "Apply" && name == "function" && strings.Contains(value, "."):
		severity := scan.Low
		for _, system := range [...]string{"java.", "javax.", "sun.", "com.sun.", "jdk.", "javascript:"} {
			if strings.HasPrefix(value, system) {
				severity = scan.SeveritySuspicious
			}
		}
		d.finding("pmml.function", severity, "code-execution", at, "calls a function that is a Java class to JPMML: "+scan.Quote(value, 120))
	case d.extension > 0 && scripted(value):
		d.finding("xml.script", scan.SeveritySuspicious, "code-execution", at, "a PMML extension with a script: "+scan.Quote(value, 120))
	case clue.WhichPath(value) == clue.Remote && !strings.HasPrefix(name, "xmlns") && name != "schemaLocation":
		d.finding("pmml.url", scan.Low, "network", at, "names a URL: "+scan.Quote(value, 160))
	}
}

// path reports a file outside of the model's folder.
func (d *document) path(at int64, rule, what, value string) {
	switch where := clue.WhichPath(value); {
	case where == clue.Inside && !clue.Sensitive(value):
	default:
		d.finding(rule, scan.SeveritySuspicious, "path-traversal", at, what+" is read from "+scan.Quote(value, 160))
	}
}
