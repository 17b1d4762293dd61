package script

import (
	"bytes"
	"context"
	"regexp"

	"modelwall/scan"
)

// matchMarkup: a first tag of HTML or SVG, or a name.
func matchMarkup(p scan.Probe) bool {
	head := bytes.ToLower(bytes.TrimLeft(narrow(p.Head), " \t\r\n"))
	for _, tag := range [...]string{"<!doctype html", "<html", "<svg", "<script", "<head", "<body", "<!doctype svg", "<hta:", "<iframe"} {
		if bytes.HasPrefix(head, []byte(tag)) {
			return true
		}
	}
	if bytes.HasPrefix(head, []byte("<?xml")) || bytes.HasPrefix(head, []byte("<!--")) || bytes.HasPrefix(head, []byte("<!doctype")) {
		return bytes.Contains(head, []byte("<svg")) || bytes.Contains(head, []byte("<html")) || bytes.Contains(head, []byte("<!doctype svg"))
	}
	switch ext(p.Name) {
	case ".html", ".htm", ".xhtml", ".svg", ".hta", ".mht", ".mhtml":
		return textual(p.Head)
	}
	return false
}

// pattern is text that does something when the page is opened.
type pattern struct {
	words     []string // one of them is in every match
	re        *regexp.Regexp
	what      string
	sev       scan.Severity
	technique string
	message   string
	svg       bool // in SVG only
}

// patterns match text in lower case.
func patterns() []pattern {
	const low, odd, bad = scan.Low, scan.SeveritySuspicious, scan.SeverityMalicious
	re := regexp.MustCompile
	return []pattern{
		{
			[]string{"<script"},
			re(`<script[\s>]`),
			"script", low, "code-execution", "has a script, which runs where the page is looked at", false,
		}, {
			[]string{"hta:application"},
			re(`<hta:application`),
			"hta", odd, "code-execution", "an HTML application, which Windows runs outside of the browser", false,
		}, {
			[]string{"activexobject", "createobject"},
			re(`(activexobject|createobject)\s*\(\s*["'](wscript\.shell|shell\.application|scripting\.filesystemobject|msxml2\.xmlhttp|adodb\.stream)`),
			"activex", bad, "code-execution", "starts programs or writes files through ActiveX", false,
		}, {
			[]string{"atob", "unescape"},
			re(`\b(eval|function|settimeout|setinterval)\s*\(\s*(window\.)?(atob|unescape)\s*\(`),
			"decode_exec", odd, "obfuscation", "decodes a text and executes it", false,
		}, {
			[]string{"atob", "unescape"},
			re(`document\.write(ln)?\s*\(\s*(window\.)?(atob|unescape)\s*\(\s*["'\x60]`),
			"decode_exec", odd, "obfuscation", "decodes a text and makes it the page", false,
		}, {
			[]string{"document.cookie"},
			re(`(fetch|sendbeacon|\.open)\s*\([^;]{0,200}document\.cookie|\.src\s*=[^;]{0,200}document\.cookie|location(\.href)?\s*=[^;=]{0,200}document\.cookie`),
			"exfiltration", odd, "exfiltration", "sends the reader's cookies away", false,
		}, {
			[]string{"refresh"},
			re(`<meta[^>]{0,100}http-equiv\s*=\s*["']?refresh[^>]{0,200}url\s*=\s*["']?\s*(javascript|data):`),
			"redirect", odd, "code-execution", "sends the reader to a script", false,
		}, {
			[]string{"<!entity"},
			re(`<!entity\s+(%\s+)?[\w.-]+\s+system\s+["'](file:|https?:|ftp:|php:|expect:|\\\\|/)`),
			"entity", odd, "file-access", "has an external entity: an XML reader opens the file or address it names", false,
		}, {
			[]string{"="},
			re(`\son(load|error|click|mouseover|begin|end|focus|activate)\s*=`),
			"handler", low, "code-execution", "has an event handler, which runs where the image is looked at", true,
		}, {
			[]string{"location"},
			re(`(window|document|top|parent|self)\.location(\.href)?\s*=\s*["'\x60](https?:)?//|location\.(replace|assign)\s*\(\s*["'\x60](https?:)?//`),
			"redirect", odd, "network", "an image that sends the reader to another site", true,
		}, {
			[]string{"<foreignobject"},
			re(`<foreignobject[^>]{0,200}>\s*<(iframe|body[^>]{0,100}>\s*<iframe|script)`),
			"frame", odd, "code-execution", "an image with a page inside", true,
		},
	}
}

func containsAny(b []byte, words []string) bool {
	for _, w := range words {
		if bytes.Contains(b, []byte(w)) {
			return true
		}
	}
	return false
}

func scanMarkup(ctx context.Context, in *input) error {
	const back = 4 << 10 // a pattern may lie across two pieces
	all := patterns()
	done := map[string]bool{}
	svg, first := false, true
	return in.segments(ctx, back, func(b []byte, off int64) error {
		lower := bytes.ToLower(b)
		if first {
			i := bytes.Index(lower, []byte("<svg"))
			h := bytes.Index(lower, []byte("<html"))
			svg, first = i >= 0 && i < 8<<10 && (h < 0 || h > i), false
		}
		for _, p := range all {
			key := p.what + p.message
			if done[key] || p.svg && !svg || !containsAny(lower, p.words) {
				continue
			}
			if loc := p.re.FindIndex(lower); loc != nil {
				done[key] = true
				in.finding("html."+p.what, p.sev, p.technique, off+int64(loc[0]), p.message)
			}
		}
		return nil
	})
}
