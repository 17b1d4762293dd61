package program

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
)

// codec tells what an encoding's name undoes, "" for those of plain text.
func codec(name string) string {
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
	case "rot13":
		return "rot13"
	case "hex", "hexcodec":
		return "hex"
	case "base64", "base64codec":
		return "base64"
	case "zlib", "zlibcodec", "zip":
		return "zlib"
	case "bz2", "bz2codec":
		return "bz2"
	case "unicodeescape", "rawunicodeescape", "stringescape":
		return "escape"
	case "uu", "uucodec", "quopri", "punycode", "utf7", "idna":
		return "other"
	}
	return ""
}

// decode calls a decoder.
func (m *machine) decode(how, name string, args []arg) *value {
	t, p := gather(args)
	a := first(args)
	if how == "codecs" {
		enc := positional(args, 1, "encoding")
		if enc == nil || !enc.known() {
			return of(t, p)
		}
		if how = codec(enc.text); how == "" {
			if a.kind == str || a.kind == bytesKind {
				return a
			}
			return of(t, p)
		}
		if strings.HasSuffix(name, "encode") && how != "rot13" {
			return of(t, p)
		}
	}
	return m.decodeText(how, a, t, p)
}

// decodeText undoes an encoding, as far as the text is known. A text with
// holes is only marked.
func (m *machine) decodeText(how string, v *value, t taint, p uint64) *value {
	if v.kind == union {
		var out *value
		for _, i := range v.items {
			out = merge(out, m.decodeText(how, i, t, p))
		}
		return out
	}
	if how == "escape" {
		return of(t|built, p)
	}
	if len(v.text) >= longLiteral && (v.kind == str || v.kind == bytesKind) {
		t |= literal
	}
	t |= decoded
	if !v.known() || !m.spend(len(v.text)) {
		return of(t, p)
	}
	s, ok := undo(how, v.text)
	if !ok || !m.spend(len(s)) {
		return of(t, p)
	}
	kind := bytesKind
	if how == "rot13" {
		kind = str
	}
	return &value{kind: kind, text: s, taint: t, params: p}
}

// undo decodes a text; the result is bounded.
func undo(how, s string) (string, bool) {
	clean := func() string {
		return strings.Map(func(r rune) rune {
			if r == '\n' || r == '\r' || r == ' ' || r == '\t' {
				return -1
			}
			return r
		}, s)
	}
	var r io.Reader
	var err error
	switch how {
	case "base64", "base64url":
		c := strings.TrimRight(clean(), "=")
		enc := base64.RawStdEncoding
		if how == "base64url" {
			enc = base64.RawURLEncoding
		}
		b, err := enc.DecodeString(c)
		return string(b), err == nil || len(b) > 16
	case "base32":
		b, err := base32.StdEncoding.DecodeString(clean())
		return string(b), err == nil
	case "hex":
		b, err := hex.DecodeString(clean())
		return string(b), err == nil
	case "rot13":
		return strings.Map(rot13, s), true
	case "zlib":
		r, err = zlib.NewReader(strings.NewReader(s))
	case "gzip":
		r, err = gzip.NewReader(strings.NewReader(s))
	case "bz2":
		r = bzip2.NewReader(strings.NewReader(s))
	default:
		return "", false
	}
	if err != nil {
		return "", false
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(r, maxText))
	return b.String(), err == nil || b.Len() > 0
}

func rot13(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case r >= 'A' && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	}
	return r
}
