package safetensors

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"unicode/utf8"

	"modelwall/scan"
)

// maxText is how much of one metadata text is looked at, in bytes. Training
// tools write some megabytes of statistics.
const maxText = 8 << 20

// metadata reads {"key": "text"}. Values that are no texts are skipped; the
// reference implementation refuses them.
func (h *header) metadata() error {
	r := h.json
	if c, err := r.peek(); err != nil {
		return err
	} else if c != '{' {
		h.finding("metadata", scan.Low, "", r.offset(), "the metadata are no object")
		return h.skip()
	}
	h.entries++
	r.pos++
	if c, err := r.peek(); err != nil {
		return err
	} else if c == '}' {
		r.pos++
		return nil
	}
	var keys []uint64
	for {
		key, err := r.str(maxName)
		if err != nil {
			return err
		}
		if keys = append(keys, key.hash); len(keys) > maxTensors {
			return scan.Limit(key.off, "more than %d metadata", maxTensors)
		}
		if err := r.take(':'); err != nil {
			return err
		}
		if c, err := r.peek(); err != nil {
			return err
		} else if c == '"' {
			value, err := r.str(maxText)
			if err != nil {
				return err
			}
			if err := h.text(string(key.kept), value); err != nil {
				return err
			}
		} else {
			h.finding("metadata", scan.Low, "", r.offset(), "metadata that are no text")
			if err := h.skip(); err != nil {
				return err
			}
		}
		more, err := r.either(',', '}')
		if err != nil {
			return err
		}
		if !more {
			h.unique(keys, "a metadata entry")
			return nil
		}
	}
}

// patterns are what metadata that are code look like. Texts about code lack
// the call.
type patterns struct{ code, markup, shell *regexp.Regexp }

func newPatterns() patterns {
	return patterns{
		code: regexp.MustCompile(`(?i)\b(os\.(system|popen|exec[lv]\w*|spawn\w*)|subprocess\.\w+|__import__|pickle\.loads?|marshal\.loads|pty\.spawn|socket\.socket)\s*\(` +
			`|\b(exec|eval)\s*\(\s*(compile|base64|b64decode|bytes|zlib|codecs|__import__|requests|urllib|open)\b`),
		markup: regexp.MustCompile(`(?i)<script[\s>]|javascript:\s*\w+\s*\(`),
		shell: regexp.MustCompile(`\brm\s+-[rf]{2}\s+[/~*.]` +
			`|\b(curl|wget)\b[^\n|;&]{0,200}(\||;|&&)\s*(sudo\s+)?(ba|z|da)?sh\b` +
			`|\b(ba|z|da)?sh\s+-c\b|/dev/tcp/|\bnc\s+-e\b`),
	}
}

// text judges one text of the metadata.
func (h *header) text(key string, t text) error {
	b := t.kept
	name := metadataKey + "/" + key
	if !t.whole() {
		h.finding("metadata-size", scan.Low, "", t.off, "a text of "+scan.Quote(key, 60)+" in the metadata is longer than is looked at")
	}
	for _, p := range []struct {
		re   *regexp.Regexp
		what string
	}{{h.patterns.code, "Python code that runs programs or code"}, {h.patterns.markup, "a script for a web page"}, {h.patterns.shell, "shell commands"}} {
		if at := p.re.FindIndex(b); at != nil {
			h.finding("metadata-code", scan.SeveritySuspicious, "code-execution", t.off,
				"the metadata "+scan.Quote(key, 60)+" hold "+p.what+", which nothing in a model file needs: "+scan.Quote(string(b[at[0]:min(len(b), at[1]+40)]), 100))
		}
	}
	if bytes.Contains(b, []byte("https://")) || bytes.Contains(b, []byte("http://")) {
		h.finding("metadata-url", scan.Info, "network", t.off, "the metadata "+scan.Quote(key, 60)+" name an address on the web, which nothing opens by itself")
	}
	if file := packed(b); file != nil {
		h.finding("metadata-file", scan.SeveritySuspicious, "obfuscation", t.off, "the metadata "+scan.Quote(key, 60)+" hold a file as text")
		return h.memberBytes(name, file)
	}
	if bytes.Contains(b, []byte("{{")) || bytes.Contains(b, []byte("{%")) ||
		bytes.HasPrefix(b, []byte("{")) && (bytes.Contains(b, []byte(`"auto_map"`)) || bytes.Contains(b, []byte(`"chat_template"`))) {
		return h.memberBytes(name, b)
	}
	return nil
}

// packed returns the file that a text holds, one byte for each character or in
// base 64; nil when it holds none.
func packed(b []byte) []byte {
	if signature(latin1(b[:min(len(b), 64)])) {
		return latin1(b)
	}
	text := bytes.TrimSpace(b)
	for _, prefix := range []string{"data:application/octet-stream;base64,", "base64:", "base64,"} {
		text = bytes.TrimPrefix(text, []byte(prefix))
	}
	const probe = 16
	if len(text) < probe {
		return nil
	}
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	head := make([]byte, probe)
	if n, err := enc.Decode(head, text[:probe]); err != nil || !signature(head[:n]) {
		return nil
	}
	text = bytes.TrimRight(text, "=")
	out := make([]byte, enc.DecodedLen(len(text)))
	n, _ := enc.Decode(out, text) // what can be decoded is enough
	return out[:n]
}

// latin1 returns text as bytes, up to the first character that is none.
func latin1(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r > 0xff {
			break
		}
		out = append(out, byte(r))
		b = b[n:]
	}
	return out
}

// signature knows the beginnings of files that can be executed or unpacked.
func signature(b []byte) bool {
	for _, magic := range [...]string{"PK\x03\x04", "\x7fELF", "MZ\x90\x00", "7z\xbc\xaf\x27\x1c", "\x1f\x8b\x08", "\x89HDF\r\n", "\x93NUMPY"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	// A pickle, or one of protocol 0 that imports.
	return len(b) > 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 ||
		bytes.HasPrefix(b, []byte("cos\n")) || bytes.HasPrefix(b, []byte("cposix\n")) || bytes.HasPrefix(b, []byte("c__builtin__\n")) || bytes.HasPrefix(b, []byte("cbuiltins\n"))
}
