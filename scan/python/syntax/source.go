package syntax

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Encoding is how a source file says its text is encoded (PEP 263).
type Encoding struct {
	Name string // as the file spells it, "" when it says nothing
	Off  int64  // where it says so
	// Hides is true for encodings in which ASCII bytes do not stand for
	// themselves: text that looks like a comment may be code.
	Hides bool
	// Wide is true for UTF-16 and UTF-32, which Python refuses.
	Wide bool
}

// HeadSize is how much of a file Decode wants to see, in bytes. Python looks
// at the first two lines however long they are; nobody writes longer ones.
const HeadSize = 4 << 10

// Decode returns the text of r, which begins with head, as UTF-8 without a
// mark.
func Decode(r io.Reader, head []byte) (io.Reader, Encoding) {
	bom := bytes.HasPrefix(head, []byte("\xef\xbb\xbf"))
	e := declared(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")) {
		e.Wide = true
	}
	if bom {
		// Python takes such a file for UTF-8 and refuses another declaration.
		_, _ = io.CopyN(io.Discard, r, 3) // an error comes again with the next read
		return r, Encoding{Name: e.Name, Wide: e.Wide}
	}
	if d := decoder(e.Name); d != nil {
		r = d.NewDecoder().Reader(r)
	}
	e.Hides = hides(e.Name)
	return r, e
}

// declaration is the pattern of the language reference, 2.1.4.
var declaration = regexp.MustCompile(`^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)`)

// blank is a line that may stand before the declaration.
var blank = regexp.MustCompile(`^[ \t\f]*(?:#.*)?$`)

func declared(head []byte) Encoding {
	off := 0
	for range 2 {
		line := head
		rest := []byte(nil)
		if i := bytes.IndexAny(head, "\r\n"); i >= 0 {
			line, rest = head[:i], head[i+1:]
			if head[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		if m := declaration.FindSubmatchIndex(line); m != nil {
			return Encoding{Name: string(line[m[2]:m[3]]), Off: int64(off + m[2])}
		}
		if !blank.Match(line) {
			break
		}
		off += len(head) - len(rest)
		head = rest
	}
	return Encoding{}
}

func canonical(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == '.' || r == ' ':
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// decoder returns the decoder of an encoding that keeps ASCII as it is, nil
// for UTF-8 and for those that are not known.
func decoder(name string) encoding.Encoding {
	switch c := canonical(name); {
	case c == "gbk" || c == "gb2312" || c == "gb18030" || c == "cp936" || c == "936" || c == "euccn" || c == "chinese":
		return simplifiedchinese.GB18030
	case c == "big5" || c == "cp950" || c == "big5hkscs":
		return traditionalchinese.Big5
	case strings.Contains(c, "shiftjis") || c == "sjis" || c == "cp932" || c == "932" || c == "ms932" || c == "mskanji" || c == "windows31j":
		return japanese.ShiftJIS
	case strings.HasPrefix(c, "eucj") || c == "ujis":
		return japanese.EUCJP
	case c == "euckr" || c == "cp949" || c == "949" || c == "uhc" || c == "ms949" || c == "korean":
		return korean.EUCKR
	case strings.HasPrefix(c, "latin") || strings.HasPrefix(c, "iso8859") || strings.HasPrefix(c, "windows12") || c == "l1" ||
		strings.HasPrefix(c, "cp125") || strings.HasPrefix(c, "cp85") || strings.HasPrefix(c, "cp86") || strings.HasPrefix(c, "koi8") ||
		c == "cp437" || c == "macroman" || c == "mbcs":
		return charmap.ISO8859_1 // which letter a byte stands for does not matter
	}
	return nil
}

// hides reports encodings of some Python in which ASCII bytes are code for
// something else. Those of bytes (rot13, hex, base64…) work in Python 2.
func hides(name string) bool {
	switch c := canonical(name); c {
	case "utf7", "u7", "unicode11utf7", "unicodeescape", "rawunicodeescape", "unicodeinternal", "stringescape",
		"rot13", "hex", "hexcodec", "base64", "base64codec", "bz2", "bz2codec", "zip", "zlib", "zlibcodec",
		"uu", "uucodec", "quopri", "quotedprintable", "punycode", "idna",
		"hz", "hzgb", "hzgb2312", "utf16", "utf16le", "utf16be", "u16", "utf32", "utf32le", "utf32be", "u32":
		return true
	default:
		return strings.HasPrefix(c, "iso2022") || strings.HasPrefix(c, "cp037") || strings.HasPrefix(c, "cp500") ||
			strings.HasPrefix(c, "ebcdic") || c == "cp1140" || c == "cp1026" || c == "cp273" || c == "cp424" || c == "cp875"
	}
}
