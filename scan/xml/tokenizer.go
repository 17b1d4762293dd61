package xml

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what is kept of one token, in bytes; the rest is read and dropped.
const (
	maxName  = 256
	maxValue = 1 << 20
	maxText  = 16 << 10
)

// tokenizer splits a document and tells doc.
type tokenizer struct {
	src      *source
	doc      *document
	text     []byte
	textAt   int64
	broken   bool
	brokenAt int64
}

func (t *tokenizer) damage() {
	if !t.broken {
		t.broken, t.brokenAt = true, t.src.at()
	}
}

// run reads to the end. The error is the reader's own or the context's.
func (t *tokenizer) run(ctx context.Context) error {
	for n := 0; t.doc.err == nil; n++ {
		if n&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		c, ok := t.src.next()
		if !ok {
			break
		}
		if c != '<' {
			if len(t.text) == 0 {
				t.textAt = t.src.at() - 1
			}
			if t.text = append(t.text, c); len(t.text) >= maxText {
				t.flush()
			}
			continue
		}
		t.markup()
	}
	t.flush()
	if t.doc.depth > 0 {
		t.damage()
	}
	if t.src.err == io.EOF { //nolint:errorlint // our own value, never wrapped
		return nil
	}
	return t.src.err
}

func (t *tokenizer) flush() {
	if len(t.text) > 0 && t.doc.err == nil {
		t.doc.text(t.textAt, t.text)
	}
	t.text = t.text[:0]
}

// markup reads what follows a "<".
func (t *tokenizer) markup() {
	at := t.src.at() - 1
	c, ok := t.src.peek()
	switch {
	case !ok:
		t.damage()
	case c == '/':
		t.flush()
		t.src.next()
		t.doc.end(t.name())
		t.until(">", nil)
	case c == '?':
		t.flush()
		t.src.next()
		var body []byte
		t.until("?>", &body)
		t.doc.instruction(at, string(body))
	case c == '!':
		t.src.next()
		t.declaration(at)
	case isName(c):
		t.flush()
		t.element(at)
	default:
		t.damage()
		t.text = append(t.text, '<')
	}
}

// declaration reads a comment, CDATA or a document type.
func (t *tokenizer) declaration(at int64) {
	var word []byte
	for len(word) < 7 {
		c, ok := t.src.peek()
		if !ok || c == '>' || c == ' ' || c == '<' {
			break
		}
		t.src.next()
		if word = append(word, c); string(word) == "--" {
			t.until("-->", nil)
			return
		}
	}
	switch {
	case string(word) == "[CDATA[":
		t.until("]]>", &t.text)
		t.flush()
	case strings.EqualFold(string(word), "DOCTYPE"):
		t.flush()
		t.doctype(at)
	default:
		t.damage()
		t.until(">", nil)
	}
}

// until reads past end; what precedes it goes to out, up to maxText bytes.
func (t *tokenizer) until(end string, out *[]byte) {
	var last [4]byte
	for n := 0; ; n++ {
		c, ok := t.src.next()
		if !ok {
			t.damage()
			return
		}
		copy(last[:], last[1:])
		last[3] = c
		if out != nil && len(*out) < maxText {
			*out = append(*out, c)
		}
		if n >= len(end)-1 && string(last[4-len(end):]) == end {
			if out != nil {
				*out = bytes.TrimSuffix(*out, []byte(end))
			}
			return
		}
	}
}

// element reads a start tag.
func (t *tokenizer) element(at int64) {
	t.doc.begin(at, t.name())
	for {
		t.blanks()
		c, ok := t.src.peek()
		if !ok {
			t.damage()
			return
		}
		switch {
		case c == '>':
			t.src.next()
			t.doc.opened()
			return
		case c == '/':
			t.src.next()
			if c, _ := t.src.peek(); c == '>' {
				t.src.next()
				t.doc.opened()
				t.doc.end("")
				return
			}
			t.damage()
		case c == '<': // the tag does not end
			t.damage()
			t.doc.opened()
			return
		case !isName(c):
			t.damage()
			t.src.next()
		default:
			t.attribute()
		}
	}
}

func (t *tokenizer) attribute() {
	at := t.src.at()
	name := t.name()
	t.blanks()
	if c, _ := t.src.peek(); c != '=' {
		t.damage()
		return
	}
	t.src.next()
	t.blanks()
	value := t.value()
	t.doc.attribute(at, name, unescape(value))
}

// value reads a quoted value, or up to a blank or ">" without quotes.
func (t *tokenizer) value() string {
	quote, ok := t.src.peek()
	quoted := ok && (quote == '"' || quote == '\'')
	if quoted {
		t.src.next()
	} else {
		t.damage()
	}
	var b []byte
	for {
		c, ok := t.src.peek()
		switch {
		case !ok:
			t.damage()
			return string(b)
		case quoted && c == quote:
			t.src.next()
			return string(b)
		case !quoted && (isBlank(c) || c == '>'):
			return string(b)
		}
		t.src.next()
		if len(b) < maxValue {
			b = append(b, c)
		}
	}
}

func (t *tokenizer) blanks() {
	for {
		if c, ok := t.src.peek(); !ok || !isBlank(c) {
			return
		}
		t.src.next()
	}
}

func (t *tokenizer) name() string {
	var b []byte
	for {
		c, ok := t.src.peek()
		if !ok || !isName(c) {
			return string(b)
		}
		t.src.next()
		if len(b) < maxName {
			b = append(b, c)
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// isName reports a byte of a name; all beyond ASCII count.
func isName(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80
}

// unescape replaces references to characters and to the five entities that
// every parser knows.
func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			i = len(s)
		}
		b.WriteString(s[:i])
		if s = s[i:]; s == "" {
			break
		}
		end := strings.IndexByte(s[:min(len(s), 16)], ';')
		if r, ok := character(s[1:max(1, end)]); ok {
			b.WriteRune(r)
			s = s[end+1:]
			continue
		}
		b.WriteByte('&')
		s = s[1:]
	}
	return b.String()
}

// character returns what a reference without "&" and ";" stands for.
func character(ref string) (rune, bool) {
	switch ref {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if rest, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = rest, 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune {
		return 0, false
	}
	return rune(v), true
}
