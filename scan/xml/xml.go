// Package xml inspects XML that loaders of models read: OpenVINO's
// intermediate representation (<net>), PMML, OpenVINO's plugin and custom
// kernel configurations, and any other XML for what harms its parser.
//
// XML is data, yet a parser that follows the standard does three things for
// the author of a document: it reads files and URLs that an external entity
// or document type names (XXE), it expands entities that are made of entities
// (a few hundred bytes become gigabytes), and tools around it act on what
// elements say:
//
//   - OpenVINO: an attribute "library" or "location" names a shared library,
//     layers of version "extension" need a library that the user loads.
//   - PMML: a function name with dots is a Java class to JPMML; extensions
//     carry scripts for the tools that know them.
//   - XSLT, XMLDecoder and Spring configurations call Java or scripts.
//
// No honest model declares entities. Namespaces, schema locations and the
// document types of the W3C, Apple and DMG are names that nobody fetches.
//
// The tokenizer is our own: it goes on behind damage, as tolerant parsers do,
// and reads UTF-8, UTF-16 and UTF-32, so that an encoding hides nothing. It
// keeps one attribute or piece of text at a time.
//
// Specified by W3C's XML 1.0, OpenVINO's "Operation Sets" and DMG's PMML 4.4.
package xml

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects XML. It is safe for concurrent use.
type Scanner struct{ phrases *phrase.Finder }

// New returns the scanner.
func New() *Scanner { return &Scanner{phrase.NewFinder()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "xml" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: an XML declaration, a document type that is
// not HTML's, or the beginning of a document that is known here.
func (*Scanner) Match(p scan.Probe) bool {
	head := p.Head
	if e := encodingOf(head); e.unit > 1 {
		head = e.narrow(head)
	}
	if bytes.HasPrefix(head, []byte(ebcdic)) {
		return true
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	for {
		switch {
		case bytes.HasPrefix(head, []byte("<?xml")):
			return true
		case prefixFold(head, "<!doctype"):
			kind := strings.TrimLeft(string(head[9:min(len(head), 200)]), " \t\r\n")
			return !prefixFold([]byte(kind), "html")
		case bytes.HasPrefix(head, []byte("<!--")), bytes.HasPrefix(head, []byte("<?")):
			end := []byte("-->")
			if head[1] == '?' {
				end = []byte("?>")
			}
			_, rest, ok := bytes.Cut(head, end)
			if !ok {
				return p.Size > int64(len(p.Head))
			}
			head = bytes.TrimLeft(rest, " \t\r\n")
		case len(head) > 1 && head[0] == '<':
			n := 1
			for n < len(head) && isName(head[n]) {
				n++
			}
			return rootOf(string(head[1:n])) != otherRoot
		default:
			return false
		}
	}
}

func prefixFold(b []byte, lower string) bool {
	return len(b) >= len(lower) && strings.EqualFold(string(b[:len(lower)]), lower)
}

// root is what kind of document the outermost element makes.
type root uint8

const (
	otherRoot root = iota
	openVINO
	pmml
	plugins // OpenVINO's list of plugins
	kernels // OpenVINO's custom kernels for GPUs
	stylesheet
	javaBeans
)

func rootOf(name string) root {
	switch local(name) {
	case "net", "Net":
		return openVINO
	case "PMML":
		return pmml
	case "ie":
		return plugins
	case "CustomLayer":
		return kernels
	case "stylesheet", "transform":
		return stylesheet
	case "java", "beans":
		return javaBeans
	}
	return otherRoot
}

// local is a name without its namespace.
func local(name string) string { return name[strings.LastIndexByte(name, ':')+1:] }

// ebcdic is "<?xm" in the encoding of IBM's mainframes, which Java's parsers
// read.
const ebcdic = "\x4c\x6f\xa7\x94"

// Scan implements scan.Scanner.
func (x *Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	d := &document{Scanner: x, ctx: ctx, sink: s, entities: map[string]entity{}, uses: map[string]int64{}, told: map[string]int{}}
	t := &tokenizer{src: newSource(f), doc: d}
	if b, ok := t.src.peek(); ok && b == ebcdic[0] && bytes.HasPrefix(t.src.buf, []byte(ebcdic)) {
		d.finding("xml.encoding", scan.SeveritySuspicious, "obfuscation", 0, "XML in EBCDIC: nothing on the Hub is written so")
		return scan.Limit(0, "XML in EBCDIC is not read")
	}
	if err := t.run(ctx); err != nil {
		return err
	}
	d.expand()
	if d.err != nil {
		return d.err
	}
	if !d.begun && len(d.told) == 0 {
		return &scan.Error{Class: scan.ErrForeign, Reason: errors.New("no element")}
	}
	if t.broken && d.root != otherRoot {
		d.finding("xml.broken", scan.Low, "broken-file", t.brokenAt, "not well-formed: strict parsers stop here")
	}
	return nil
}
