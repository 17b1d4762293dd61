package refs

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
)

// minHidden is the shortest encoded text that is looked into, in bytes.
const minHidden = 24

// Hidden is encoded text that holds something.
type Hidden struct {
	What string // "pickle", "zip archive", "code"
	Head []byte // the first decoded bytes
	Skip int64  // bytes before the encoded text: the head of a data: URI
	// Decode decodes the text that follows, to where its alphabet ends.
	Decode func(io.Reader) io.Reader
}

// Whole reports that the decoded bytes are a file, to be handed on.
func (h *Hidden) Whole() bool { return h.What != whatCode && h.What != whatMarshal }

const (
	whatCode    = "code"
	whatMarshal = "a marshalled code object"
)

// FindHidden looks into text, which begins a text of size bytes, for a file or
// code in base64 or hexadecimal digits. It returns nil for none.
func FindHidden(text []byte, size int64) *Hidden {
	if len(text) < minHidden {
		return nil
	}
	skip := 0
	if bytes.HasPrefix(text, []byte("data:")) {
		i := bytes.Index(text[:min(len(text), 100)], []byte(";base64,"))
		if i < 0 {
			return nil
		}
		skip = i + len(";base64,")
		text = text[skip:]
	}
	dec := decoder(text)
	if dec == nil {
		return nil
	}
	decode := func(r io.Reader) io.Reader { return &lenient{dec(&strip{r})} }
	head := make([]byte, 1<<10)
	n, _ := io.ReadFull(decode(bytes.NewReader(text)), head)
	what := hidden(head[:n], size)
	if what == "" {
		return nil
	}
	return &Hidden{what, head[:n], int64(skip), decode}
}

// strip leaves out what encoders add: line ends and padding.
type strip struct{ io.Reader }

func (s *strip) Read(p []byte) (int, error) {
	for {
		n, err := s.Reader.Read(p)
		kept := p[:0]
		for _, c := range p[:n] {
			if c != '=' && c != '\r' && c != '\n' {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// lenient ends a stream of encoded text where its alphabet does.
type lenient struct{ io.Reader }

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	switch err.(type) { //nolint:errorlint // the decoders return these as they are
	case base64.CorruptInputError, hex.InvalidByteError:
		err = io.EOF
	}
	if err == io.ErrUnexpectedEOF || err == hex.ErrLength { //nolint:errorlint // likewise
		err = io.EOF
	}
	return n, err
}

// decoder chooses how to decode, nil when text encodes nothing.
func decoder(text []byte) func(io.Reader) io.Reader {
	url, plain, hexa := false, false, true
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			hexa = false
		case c == '+' || c == '/':
			plain, hexa = true, false
		case c == '-' || c == '_':
			url, hexa = true, false
		case c == '\r' || c == '\n':
		case c == '=' && i >= len(text)-5: // padding, and the end of its line
			hexa = false
		default:
			return nil
		}
	}
	if url && plain {
		return nil
	}
	if hexa {
		// Checksums have these lengths.
		switch len(text) {
		case 32, 40, 56, 64, 96, 128:
			return nil
		}
		return hex.NewDecoder
	}
	enc := base64.RawStdEncoding
	if url {
		enc = base64.RawURLEncoding
	}
	return func(r io.Reader) io.Reader { return base64.NewDecoder(enc, r) }
}

// hidden names what decoded bytes are that begin size bytes, "" for nothing
// of interest.
func hidden(b []byte, size int64) string {
	for _, m := range [...]struct{ magic, what string }{
		{"PK\x03\x04", "zip archive"},
		{"\x1f\x8b\x08", "gzip stream"},
		{"\x7fELF", "ELF program"},
		{"MZ\x90\x00", "Windows program"},
		{"7z\xbc\xaf", "7z archive"},
		{"\xfd7zXZ\x00", "xz stream"},
		{"\x28\xb5\x2f\xfd", "zstd stream"},
		{"\x93NUMPY\x01\x00", "NumPy array"},
		{"\x93NUMPY\x02\x00", "NumPy array"},
	} {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return m.what
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte("BZh")) && len(b) > 10 && string(b[4:10]) == "1AY&SY":
		return "bzip2 stream"
	case deflated(b):
		return "zlib stream"
	case pickled(b, size) || protocol0(b):
		return "pickle"
	}
	if bytes.HasPrefix(b, []byte("\xe3\x00\x00\x00\x00")) {
		return whatMarshal
	}
	if printable(b) && (Runs(string(b)) != "" || shell(b)) {
		return whatCode
	}
	return ""
}

// deflated reports a zlib stream from which something comes out.
func deflated(b []byte) bool {
	if len(b) < 8 || b[0] != 'x' || (int(b[0])<<8|int(b[1]))%31 != 0 {
		return false
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return false
	}
	defer r.Close()
	n, err := io.ReadFull(r, make([]byte, 64))
	return err == nil || n > 0 && errors.Is(err, io.ErrUnexpectedEOF)
}

// protocol0 reports a pickle in text that begins with an import.
func protocol0(b []byte) bool {
	if len(b) < 6 || b[0] != 'c' && b[0] != 'i' && !bytes.HasPrefix(b, []byte("(i")) && !bytes.HasPrefix(b, []byte("(c")) {
		return false
	}
	module, rest, ok := bytes.Cut(bytes.TrimLeft(b, "(")[1:], []byte("\n"))
	name, _, ok2 := bytes.Cut(rest, []byte("\n"))
	return ok && ok2 && len(module) > 0 && len(name) > 0 && word(module) && word(name)
}

func word(b []byte) bool {
	for _, c := range b {
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return len(b) > 8
}

func shell(b []byte) bool {
	for _, s := range []string{"/bin/sh", "/bin/bash", "curl http", "curl -", "wget http", "powershell", "cmd.exe", "/dev/tcp/", "import os", "import socket", "import subprocess"} {
		if bytes.Contains(b, []byte(s)) {
			return true
		}
	}
	return false
}

// Reaches reports text that goes for the interpreter behind a template.
func Reaches(b []byte) bool {
	for _, s := range []string{"__", "|attr", "| attr", "\\x5f", "popen", "import", "cycler", "joiner", "lipsum", "self."} {
		if bytes.Contains(b, []byte(s)) {
			return true
		}
	}
	return false
}
