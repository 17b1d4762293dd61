package xml

import (
	"context"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// document is what the tokens add up to.
type document struct {
	*Scanner
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	sink scan.Sink
	err  error // of Sink.Member

	begun bool
	root  root
	depth int

	// The element whose start tag is being read.
	name string
	at   int64
	layer

	extension int // depth of the outermost PMML Extension around, 0 for none
	script    int // depth of the script element around
	info      int // depth of OpenVINO's rt_info around
	searched  int // bytes of values searched for commands

	entities    map[string]entity
	uses        map[string]int64 // references to them in the body
	firstEntity int64
	told        map[string]int
}

// layer is what a layer of OpenVINO says about itself.
type layer struct{ kind, version string }

// Bounds of one file.
const (
	maxFindings = 20      // of each rule
	maxSearched = 2 << 20 // bytes of values searched for commands
	maxUses     = 4 << 10 // names of entities that the body refers to
)

func (d *document) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	if d.told[rule]++; d.told[rule] > maxFindings {
		return
	}
	d.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// begin takes the name of a start tag.
func (d *document) begin(at int64, name string) {
	d.depth++
	d.name, d.at, d.layer = local(name), at, layer{}
	if !d.begun {
		d.begun, d.root = true, rootOf(name)
	}
	switch {
	case d.root == pmml && d.name == "Extension" && d.extension == 0:
		d.extension = d.depth
	case d.root == openVINO && d.name == "rt_info" && d.info == 0:
		d.info = d.depth
	}
	if d.name == "include" && strings.Contains(name, ":") && d.root != stylesheet {
		d.finding("xml.include", scan.SeveritySuspicious, "file-access", at, "includes another document (XInclude)")
	}
	switch script := strings.EqualFold(d.name, "script"); {
	case script && d.root == pmml:
		d.script = max(d.script, d.depth)
		d.finding("xml.script", scan.SeveritySuspicious, "code-execution", at, "a script in a PMML model: tools that know the extension run it")
	case script && d.root == stylesheet:
		d.finding("xml.script", scan.SeveritySuspicious, "code-execution", at, "a script in a style sheet, which runs when it is applied")
	}
}

// attribute takes an attribute of that tag.
func (d *document) attribute(at int64, name, value string) {
	plain := local(name)
	switch d.root {
	case openVINO:
		d.openVINO(at, plain, value)
	case pmml:
		d.pmml(at, plain, value)
	case plugins:
		if plain == "location" {
			d.finding("openvino.library", scan.SeveritySuspicious, "code-execution", at,
				"an OpenVINO plugin list that makes its reader load the library "+scan.Quote(value, 160))
		}
	case kernels:
		if plain == "filename" {
			d.path(at, "openvino.kernel", "a custom GPU kernel", value)
		}
	case stylesheet, javaBeans, otherRoot:
	}
	if d.root == stylesheet && (strings.HasPrefix(name, "xmlns:") && javaSpace(value)) {
		d.finding("xml.script", scan.SeveritySuspicious, "code-execution", at,
			"a style sheet that can call Java: "+scan.Quote(value, 120))
	}
	d.search(at, value)
}

// javaSpace reports the namespaces by which XSLT processors call Java.
func javaSpace(value string) bool {
	return strings.HasPrefix(value, "java:") || strings.Contains(value, "xml.apache.org/xalan/java") ||
		strings.Contains(value, "xml.apache.org/xslt/java") || strings.Contains(value, "saxon.sf.net/java-type")
}

// opened says that the start tag is over.
func (d *document) opened() {
	if d.root == openVINO && d.name == "layer" {
		d.judgeLayer()
	}
}

// end takes an end tag.
func (d *document) end(string) {
	for _, p := range [...]*int{&d.extension, &d.script, &d.info} {
		if *p >= d.depth {
			*p = 0
		}
	}
	d.depth = max(0, d.depth-1)
}

// text takes a piece of text.
func (d *document) text(at int64, b []byte) {
	s := string(b)
	if len(d.entities) > 0 {
		d.references(s)
	}
	if d.extension > 0 && (scripted(s) || strings.Contains(strings.ToLower(s), "eval(")) {
		d.finding("xml.script", scan.SeveritySuspicious, "code-execution", at,
			"a PMML extension with a script: "+scan.Quote(strings.TrimSpace(s), 120))
	}
	d.search(at, s)
}

// references counts uses of entities.
func (d *document) references(s string) {
	for {
		_, rest, ok := strings.Cut(s, "&")
		if !ok {
			return
		}
		s = rest
		name, _, ok := strings.Cut(rest[:min(len(rest), maxName)], ";")
		if !ok {
			continue
		}
		if _, declared := d.entities["&"+name]; declared && len(d.uses) < maxUses {
			d.uses["&"+name]++
		}
	}
}

func scripted(s string) bool {
	low := strings.ToLower(s)
	return strings.Contains(low, "<script") || strings.Contains(low, "javascript:")
}

// search looks for commands in a value.
func (d *document) search(at int64, s string) {
	if d.searched += len(s); d.searched > maxSearched {
		return
	}
	for len(s) >= minSearch {
		piece := s[:min(len(s), 4<<10)]
		s = s[len(piece):]
		if !phrase.Worth(piece) {
			continue
		}
		d.searched += 4 * len(piece) // patterns cost more than a look
		if m := d.phrases.Match(piece); m != "" {
			d.finding("xml.command", scan.SeveritySuspicious, "code-execution", at, "a command or code that starts programs: "+scan.Quote(m, 160))
			return
		}
	}
}

// minSearch is the length of the shortest command worth a look, in bytes.
const minSearch = 8

// instruction takes a processing instruction without its marks.
func (d *document) instruction(at int64, body string) {
	target, rest, _ := strings.Cut(body, " ")
	switch {
	case strings.EqualFold(target, "xml"):
		if enc := strings.ToLower(declared(rest)); foreignEncoding(enc) {
			d.finding("xml.encoding", scan.SeveritySuspicious, "obfuscation", at,
				"declares an encoding that hides markup from those who do not read it: "+scan.Quote(enc, 40))
		}
	case strings.EqualFold(target, "xml-stylesheet"):
		d.finding("xml.stylesheet", scan.Low, "network", at, "names a style sheet, which browsers apply: "+scan.Quote(rest, 120))
	}
}

// declared returns the encoding that an XML declaration names.
func declared(attributes string) string {
	_, rest, ok := strings.Cut(attributes, "encoding")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n=")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := strings.Cut(rest[1:], rest[:1])
	return name
}

// foreignEncoding reports encodings in which ASCII text may be markup or the
// other way round.
func foreignEncoding(enc string) bool {
	for _, part := range [...]string{"utf-7", "utf7", "ebcdic", "cp037", "ibm", "iso-2022", "hz-gb", "scsu", "bocu"} {
		if strings.Contains(enc, part) {
			return enc != "ibm850" && enc != "ibm852" && enc != "ibm437"
		}
	}
	return false
}
