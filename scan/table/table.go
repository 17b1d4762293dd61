// Package table inspects files of rows and columns: Parquet, Arrow and Feather,
// SQLite and LMDB.
//
// Reading rows executes nothing, with two exceptions, and a third that readers
// add themselves:
//
//   - Arrow extension types: a schema can say that a column is of type
//     "arrow.py_extension_type", whose parameters are a pickle. PyArrow before
//     14.0.1 unpickled it when the file was opened (CVE-2023-47248), later
//     versions if they are asked to. Types of other libraries (Ray's) do the
//     same once that library is imported. Parquet files carry such a schema
//     in their footer, in base64.
//   - SQLite triggers and views are run by the queries of whoever opens the
//     file; load_extension in one loads a library where that is switched on.
//   - Values that are pickles, as caches and data sets in LMDB and SQLite have
//     them, are unpickled by whatever reads them. Those that can be told from
//     chance are handed on.
//
// Of Parquet and Arrow the schema is read; of SQLite and LMDB the first 64 MiB.
//
// Specified by the Apache Parquet and Arrow formats, https://sqlite.org/fileformat.html
// and LMDB's mdb.c.
package table

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"

	"modelwall/scan"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects one kind of file. It is safe for concurrent use.
type Scanner struct {
	format string
	match  func(p scan.Probe) bool
	scan   func(s *Scanner, ctx context.Context, f scan.File, sink scan.Sink) error
}

// New returns the scanners.
func New() []scan.Scanner {
	return []scan.Scanner{
		&Scanner{"parquet", func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("PAR1")) }, (*Scanner).parquet},
		&Scanner{"arrow", matchArrow, (*Scanner).arrow},
		&Scanner{"sqlite", func(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte("SQLite format 3\x00")) }, (*Scanner).values},
		&Scanner{"lmdb", matchLMDB, (*Scanner).values},
	}
}

// Format implements scan.Scanner.
func (s *Scanner) Format() string { return s.format }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 2 }

// Match implements scan.Scanner.
func (s *Scanner) Match(p scan.Probe) bool { return s.match(p) }

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	return s.scan(s, ctx, f, sink)
}

var le = binary.LittleEndian

// matchArrow: a file, the older Feather, or a stream, which begins with a
// message: a mark, the length of its metadata and a flat buffer.
func matchArrow(p scan.Probe) bool {
	h := p.Head
	if bytes.HasPrefix(h, []byte("ARROW1")) || bytes.HasPrefix(h, []byte("FEA1")) {
		return true
	}
	if len(h) < 16 || le.Uint32(h) != 1<<32-1 {
		return false
	}
	n, root := le.Uint32(h[4:]), le.Uint32(h[8:])
	return n > 0 && n&7 == 0 && int64(n) <= p.Size-8 && root > 0 && root < 64 && root&3 == 0
}

// matchLMDB: the mark of a meta page behind the page's header.
func matchLMDB(p scan.Probe) bool {
	return len(p.Head) >= 20 && le.Uint32(p.Head[16:]) == 0xbeefc0de
}

// Bounds of what is read, in bytes.
const (
	maxSchema  = 16 << 20
	maxValues  = 64 << 20
	maxMembers = 64
	chunk      = 256 << 10
	maxFrame   = 1 << 20
)

// parquet reads the footer.
func (s *Scanner) parquet(ctx context.Context, f scan.File, sink scan.Sink) error {
	const ends = 8 // length and mark
	if f.Size < 2*ends {
		return footless(sink)
	}
	var tail [ends]byte
	if err := phrase.Read(f, tail[:], f.Size-ends); err != nil {
		return err
	}
	n := int64(le.Uint32(tail[:]))
	switch {
	case string(tail[4:]) == "PARE":
		sink.Finding(scan.Finding{Rule: "parquet.encrypted", Severity: scan.Low, Technique: "obfuscation", Message: "the footer is encrypted"})
		return nil
	case string(tail[4:]) != "PAR1" || n > f.Size-ends-4:
		return footless(sink)
	case n > maxSchema:
		return scan.Limit(f.Size-ends, "a footer of %d bytes", n)
	}
	footer := make([]byte, n)
	at := f.Size - ends - n
	if err := phrase.Read(f, footer, at); err != nil {
		return err
	}
	if err := s.schema(ctx, sink, footer, at); err != nil {
		return err
	}
	for i := 0; i < len(footer); {
		n := runOfBase64(footer[i:])
		if err := s.encoded(ctx, sink, footer[i:i+n], at+int64(i)); err != nil {
			return err
		}
		i += n + 1
	}
	return nil
}

// footless reports a file that no reader opens, because all begin at the footer.
func footless(sink scan.Sink) error {
	sink.Finding(scan.Finding{Rule: "parquet.truncated", Severity: scan.Low, Message: "there is no footer, without which no reader opens it"})
	return nil
}

// runOfBase64 returns how many characters of base64 b begins with.
func runOfBase64(b []byte) int {
	for i, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return i
		}
	}
	return len(b)
}

// encoded decodes a run of base64, which a schema is in. A length or a type
// that looks like a character may stand ahead of it.
func (s *Scanner) encoded(ctx context.Context, sink scan.Sink, run []byte, at int64) error {
	const shortest = 64 // characters; a schema with a type of its own is longer
	if len(run) < shortest {
		return nil
	}
	plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(run)))
	for skip := range 4 {
		text := run[skip:]
		if len(text)%4 == 1 {
			text = text[:len(text)-1]
		}
		n, err := base64.RawStdEncoding.Decode(plain, text)
		if err != nil {
			continue
		}
		if err := s.schema(ctx, sink, plain[:n], at); err != nil {
			return err
		}
	}
	return nil
}

// arrow reads both ends of a file, where the schema stands.
func (s *Scanner) arrow(ctx context.Context, f scan.File, sink scan.Sink) error {
	const end = 1 << 20
	head := make([]byte, min(end, f.Size))
	if err := phrase.Read(f, head, 0); err != nil {
		return err
	}
	if err := s.schema(ctx, sink, head, 0); err != nil || f.Size <= end {
		return err
	}
	tail := make([]byte, min(end, f.Size-end))
	at := f.Size - int64(len(tail))
	if err := phrase.Read(f, tail, at); err != nil {
		return err
	}
	return s.schema(ctx, sink, tail, at)
}

// schema looks for a type whose parameters are a pickle.
func (s *Scanner) schema(ctx context.Context, sink scan.Sink, b []byte, at int64) error {
	if !bytes.Contains(b, []byte("ARROW:extension:")) && !bytes.Contains(b, []byte("arrow.py_extension_type")) {
		return nil
	}
	named := bytes.Contains(b, []byte("arrow.py_extension_type"))
	if named {
		sink.Finding(scan.Finding{
			Rule: s.format + ".pickle", Severity: scan.SeveritySuspicious, Offset: at, Technique: "code-execution",
			Message: "a column type that PyArrow unpickles when the file is opened (CVE-2023-47248)",
		})
	}
	for n := 0; n < maxMembers; {
		j := pickleHead(b)
		if j < 0 {
			return nil
		}
		// The parameters have their length ahead of them.
		p, known := b[j:], false
		if j >= 4 {
			if l := int64(le.Uint32(b[j-4:])); l > 2 && l <= int64(len(p)) {
				p, known = p[:l], p[l-1] == '.'
			}
		}
		if !named && !known { // other types seldom have a pickle, and bytes that look like one are no news
			b = b[j+2:]
			continue
		}
		n++
		if err := sink.Member(ctx, scan.Member{Name: "extension.pkl", At: bytes.NewReader(p), Size: int64(len(p))}); err != nil {
			return err
		}
		b = b[j+2:]
	}
	return nil
}

// pickleHead returns where a pickle of protocol 2 or later may begin, or -1.
func pickleHead(b []byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], 0x80)
		if j < 0 {
			return -1
		}
		if i += j; i+2 < len(b) && b[i+1] >= 2 && b[i+1] <= 5 && bytes.IndexByte([]byte("\x95c(])}\x8c"), b[i+2]) >= 0 {
			return i
		}
		i++
	}
}

// values looks for pickles among the values, wherever they lie.
func (s *Scanner) values(ctx context.Context, f scan.File, sink scan.Sink) error {
	buf := make([]byte, min(chunk, f.Size))
	members, told, done := 0, false, int64(0)
	const across = 4 << 10
	for off := int64(0); off < min(f.Size, maxValues); {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), f.Size-off)]
		if err := phrase.Read(f, b, off); err != nil {
			return err
		}
		for i := 0; members < maxMembers; i += 2 {
			j := pickleHead(b[i:])
			if j < 0 {
				break
			}
			i += j
			if off+int64(i) < done {
				continue
			}
			done = off + int64(i) + 1
			if m := imports(b[i:]); m != "" {
				members++
				sink.Finding(scan.Finding{
					Rule: s.format + ".pickle", Severity: scan.SeveritySuspicious, Offset: done - 1, Technique: "code-execution",
					Message: "a value is a pickle that imports from " + m,
				})
			}
			n, err := s.frame(f, off+int64(i))
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			members++
			if err := sink.Member(ctx, scan.Member{Name: "value.pkl", At: f.Section(off+int64(i), n), Size: n}); err != nil {
				return err
			}
		}
		if !told && s.format == "sqlite" {
			told = s.trigger(sink, b, off)
		}
		if off += int64(len(b)); off < f.Size && len(b) > across {
			off -= across
		}
	}
	return nil
}

// trigger reports a trigger or view that reaches out of the database.
func (s *Scanner) trigger(sink scan.Sink, b []byte, off int64) bool {
	const back = 1 << 10 // bytes of a statement that may come before the call
	low := bytes.ToLower(b)
	for _, call := range [...]string{"load_extension", "writefile", "fts3_tokenizer"} {
		for at := 0; ; {
			i := bytes.Index(low[at:], []byte(call))
			if i < 0 {
				break
			}
			at += i + len(call)
			if !bytes.HasPrefix(bytes.TrimLeft(low[at:min(len(low), at+16)], " \t\r\n"), []byte("(")) {
				continue
			}
			before := low[max(0, at-back):at]
			begin := bytes.LastIndex(before, []byte("create"))
			if begin < 0 || bytes.IndexByte(before[begin:], 0) >= 0 {
				continue
			}
			words := bytes.Fields(before[begin:])
			for _, w := range words[:min(len(words), 3)] {
				if string(w) == "trigger" || string(w) == "view" {
					sink.Finding(scan.Finding{
						Rule: "sqlite.trigger", Severity: scan.SeveritySuspicious, Offset: off + int64(at), Technique: "code-execution",
						Message: "a trigger or view that calls " + call + ": " + scan.Quote(string(before[begin:]), 160),
					})
					return true
				}
			}
		}
	}
	return false
}

// imports returns the module that a pickle of protocol 2 or 3 begins by
// importing, if no stored value needs it.
func imports(b []byte) string {
	for i := 2; i < min(len(b), 32); i++ {
		switch b[i] {
		case ']', '}', '(', ')':
		case 'q': // memo
			i++
		case 'c':
			module, _, ok := bytes.Cut(b[i+1:min(len(b), i+32)], []byte("\n"))
			if !ok {
				return ""
			}
			switch m := string(module); m {
			case "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "runpy", "pty", "socket", "shutil", "importlib", "ctypes":
				return m
			}
			return ""
		default:
			return ""
		}
	}
	return ""
}

// frame returns the length of a pickle of protocol 4 or 5 that is one frame
// with its end where the frame says, 0 for none.
func (*Scanner) frame(f scan.File, off int64) (int64, error) {
	const head = 11 // PROTO and FRAME with their arguments
	if f.Size-off < head+1 {
		return 0, nil
	}
	var b [head]byte
	if err := phrase.Read(f, b[:], off); err != nil {
		return 0, err
	}
	n := le.Uint64(b[3:])
	if b[1] < 4 || b[2] != 0x95 || n == 0 || n > maxFrame || int64(n) > f.Size-off-head {
		return 0, nil
	}
	var last [1]byte
	if err := phrase.Read(f, last[:], off+head+int64(n)-1); err != nil {
		return 0, err
	}
	if last[0] != '.' {
		return 0, nil
	}
	return head + int64(n), nil
}
