package clue

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reader recognises code in text. It is safe for concurrent use.
type Reader struct{ call *regexp.Regexp }

// NewReader returns a Reader.
func NewReader() *Reader {
	return &Reader{call: regexp.MustCompile(`[\pL_][\pL\pN_]*\s*[(.]|\blambda\b|\b(for|if)\b|\bimport\b|__`)}
}

// Command returns the beginning of a part of text that is a command line or
// code which starts programs, "" for none. One layer of base64 is looked
// through.
func (r *Reader) Command(text string) string {
	if c := command(text); c != "" {
		return c
	}
	plain := text
	if strings.ContainsAny(text, " \t\r\n") {
		plain = strings.Join(strings.Fields(text), "")
	}
	if len(plain) < 16 || len(plain) > 64<<10 {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		if decoded, err = base64.RawStdEncoding.DecodeString(plain); err != nil {
			return ""
		}
	}
	if !utf8.Valid(decoded) {
		return ""
	}
	return command(string(decoded))
}

// Evaluated returns the part of text that calls something if text is handed
// to Python's eval, "" if it is a literal.
func (r *Reader) Evaluated(text string) string {
	return r.call.FindString(unquoted(text))
}

// unquoted is text with the content of Python's string literals taken out.
// A string that does not end is left in.
func unquoted(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		q := text[i]
		if q != '\'' && q != '"' {
			b.WriteByte(q)
			continue
		}
		end := i + 1
		for end < len(text) && text[end] != q {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			b.WriteString(text[i:])
			break
		}
		b.WriteByte(q)
		b.WriteByte(q)
		i = end
	}
	return b.String()
}

// Printable reports whether b is text: valid but for its end, which may be
// cut, and without control characters.
func Printable(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return len(b) < utf8.UTFMax
		}
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		b = b[n:]
	}
	return true
}

// Serialized reports whether b begins like an object, archive or program that
// another scanner judges: a pickle, a zip, a compressed stream, ELF, PE, HDF5.
func Serialized(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	if b[0] == 0x80 && b[1] >= 1 && b[1] <= 5 {
		return bytes.IndexByte([]byte("\x95(])}cKXUVqJGTMC\x8c\x8a\x8e"), b[2]) >= 0
	}
	for _, magic := range []string{
		"PK\x03\x04", "\x1f\x8b\x08", "BZh", "\xfd7zXZ", "7z\xbc\xaf\x27\x1c", "\x28\xb5\x2f\xfd", "\x7fELF",
		"MZ\x90\x00", "\x89HDF", "#!/", "Rar!", "\xfe\xed\xfa", "\xcf\xfa\xed\xfe",
	} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	// Protocols 0 and 1 have no mark: an import is what makes one harmful.
	i := bytes.IndexByte(b, 'c')
	return i >= 0 && i < 8 && protocol0(b[:i], b[i+1:])
}

// protocol0 reports whether rest, behind a GLOBAL opcode, is a module and a
// name, and before, what comes ahead of it, has opcodes without arguments.
func protocol0(before, rest []byte) bool {
	for _, c := range before {
		if bytes.IndexByte([]byte("(])}l"), c) < 0 {
			return false
		}
	}
	module, rest, ok := bytes.Cut(rest[:min(len(rest), 256)], []byte("\n"))
	if !ok {
		return false
	}
	name, _, ok := bytes.Cut(rest, []byte("\n"))
	return ok && dotted(module) && dotted(name)
}

func dotted(b []byte) bool {
	for _, c := range b {
		if !isLetter(c) && c != '_' && c != '.' && (c < '0' || c > '9') {
			return false
		}
	}
	return len(b) > 0
}
