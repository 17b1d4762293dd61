// Package torch7 inspects what Lua Torch's torch.save writes (.t7, .th, .net),
// binary and ASCII.
//
// The file is one object: numbers, strings, tables, tensors, instances of
// classes, and functions. A function is stored as what string.dump made of it,
// and torch.load gives that to loadstring, which takes source text just as
// well; byte code is not verified, so a damaged one breaks out of the virtual
// machine. The function runs when whoever loaded the model calls it, and a
// table in place of a module has its own "forward". Models that were saved
// after clearState have none.
//
// Instances of a class are created by name and filled from a table; tensors
// and storages have layouts of their own. Numbers are skipped.
//
// Specified by torch7's File.lua, Tensor.c and Storage.c.
package torch7

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/cursor"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects Torch7 files. It is safe for concurrent use.
type Scanner struct{ phrases *phrase.Finder }

// New returns the scanner.
func New() *Scanner { return &Scanner{phrase.NewFinder()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "torch7" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

var le = binary.LittleEndian

// The types of objects.
const (
	typeNil = iota
	typeNumber
	typeString
	typeTable
	typeTorch
	typeBoolean
	typeFunction
	typeOldClosure
	typeClosure
)

// Match implements scan.Scanner: an instance of a class or a table, the first
// object; or "T7", which some tools write ahead.
func (*Scanner) Match(p scan.Probe) bool {
	h := p.Head
	switch {
	case bytes.HasPrefix(h, []byte("T7\x00\x00")), bytes.HasPrefix(h, []byte("4\n1\n3\nV 1\n")):
		return true
	case len(h) < 16 || le.Uint32(h[4:]) != 1:
		return false
	case le.Uint32(h) == typeTorch:
		return bytes.HasPrefix(h[8:], []byte("\x03\x00\x00\x00V "))
	}
	return le.Uint32(h) == typeTable && table(h[8:], p.Size)
}

// table reports the beginning of a table that is no chance: few entries, and a
// first key that is a short name or the number 1.
func table(h []byte, size int64) bool {
	n := int64(le.Uint32(h))
	if n == 0 || n > size/8 || len(h) < 16 {
		return false
	}
	switch le.Uint32(h[4:]) {
	case typeString:
		n := int(le.Uint32(h[8:]))
		return n > 0 && n < 128 && len(h) >= 12+n && clue.Printable(h[12:12+n])
	case typeNumber:
		return le.Uint64(h[8:]) == 0x3ff0000000000000
	}
	return false
}

// Bounds of one file.
const (
	maxDepth    = 1 << 14
	maxOdd      = 1 << 20 // objects with indices out of order
	maxName     = 256
	maxText     = 4 << 10
	maxFindings = 20
	maxFake     = 4 << 20 // bytes searched for commands in what is no Torch7 file
)

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	w := &walk{Cursor: cursor.New(f), s: s, sink: sink, told: map[string]int{}, odd: map[int64]bool{}}
	if string(w.Peek(4)) == "T7\x00\x00" {
		return w.fake(ctx, f)
	}
	w.text = len(w.Peek(2)) == 2 && w.Peek(2)[1] == '\n'
	w.due = []int64{1}
	for n := 0; len(w.due) > 0 && w.Err() == nil; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		top := len(w.due) - 1
		if w.due[top] == 0 {
			w.due = w.due[:top]
			continue
		}
		w.due[top]--
		w.object()
	}
	if err := w.Err(); err != nil {
		if errors.Is(err, scan.ErrMalformed) && w.objects < 4 && len(w.told) == 0 {
			return &scan.Error{Class: scan.ErrForeign, Offset: w.Off(), Reason: errors.New("no Torch7 object")}
		}
		return err
	}
	return nil
}

// walk is the state of one Scan. After the first error it reads zeros.
type walk struct {
	*cursor.Cursor
	s       *Scanner
	sink    scan.Sink
	text    bool           // ASCII
	due     []int64        // objects that are still to be read, of each level
	seen    int64          // objects have the indices from 1 to here
	odd     map[int64]bool // and these
	objects int
	matched int
	told    map[string]int
}

func (w *walk) finding(what string, sev scan.Severity, off int64, message string) {
	if w.told[what]++; w.told[what] <= maxFindings {
		w.sink.Finding(scan.Finding{Rule: "torch7." + what, Severity: sev, Message: message, Offset: off, Technique: "code-execution"})
	}
}

// fake looks for commands in a file that has the mark and no objects.
func (w *walk) fake(ctx context.Context, f scan.File) error {
	return w.s.phrases.Search(ctx, f, 0, maxFake, func(h phrase.Hit) bool {
		w.command(h.Off, h.Text)
		return w.told["command"] < maxFindings
	})
}

func (w *walk) command(off int64, m string) {
	w.finding("command", scan.SeveritySuspicious, off, "a string with a command or code that starts programs: "+scan.Quote(m, 160))
}

func (w *walk) push(n int64) {
	if len(w.due) >= maxDepth {
		w.Stop(scan.Limit(w.Off(), "nested more than %d levels deep", maxDepth))
		return
	}
	w.due = append(w.due, n)
}

// object reads one object, of a table or an instance only the beginning.
func (w *walk) object() {
	at := w.Off()
	kind := w.int()
	if w.Err() != nil {
		return
	}
	w.objects++
	switch kind {
	case typeNil:
	case typeNumber:
		w.skip(1, 8)
	case typeBoolean:
		w.int()
	case typeString:
		w.string(at)
	case typeTable:
		if w.first() {
			if n := w.count(2); w.Err() == nil {
				w.push(2 * n)
			}
		}
	case typeTorch:
		if w.first() {
			w.instance(at)
		}
	case typeFunction:
		w.function(at)
	case typeOldClosure, typeClosure:
		if w.first() {
			w.function(at)
		}
	default:
		w.Fail("there is no type %d", kind)
	}
}

// first reads the index of an object and reports whether it comes for the
// first time: only then its content follows.
func (w *walk) first() bool {
	i := w.int()
	if w.Err() != nil || i > 0 && i <= w.seen || w.odd[i] {
		return false
	}
	if i != w.seen+1 { // torch.save counts them
		if len(w.odd) >= maxOdd {
			w.Stop(scan.Limit(w.Off(), "more than %d objects out of order", maxOdd))
			return false
		}
		w.odd[i] = true
		return true
	}
	for w.seen++; w.odd[w.seen+1]; w.seen++ {
		delete(w.odd, w.seen+1)
	}
	return true
}

// function reads a function, whose upvalues are an object.
func (w *walk) function(at int64) {
	n := w.length()
	if w.Err() != nil {
		return
	}
	what := "source text"
	head := w.peek(n, maxText)
	switch {
	case strings.HasPrefix(head, "\x1bLua"):
		what = "Lua byte code"
	case strings.HasPrefix(head, "\x1bLJ"):
		what = "LuaJIT byte code"
	}
	w.finding("function", scan.SeveritySuspicious, at, "a function ("+what+"), which torch.load makes runnable")
	if m := w.s.phrases.Match(head); m != "" {
		w.command(at, m)
	}
	w.chars(n)
	w.push(1)
}

// string reads a string and looks for a command in it.
func (w *walk) string(at int64) {
	n := w.length()
	text := w.peek(n, maxText)
	w.chars(n)
	if len(text) < 8 || w.Err() != nil || w.matched > 512<<10 || !phrase.Worth(text) {
		return
	}
	w.matched += len(text)
	if m := w.s.phrases.Match(text); m != "" {
		w.command(at, m)
	}
}

// instance reads an instance of a class.
func (w *walk) instance(at int64) {
	name := w.name()
	if strings.HasPrefix(name, "V ") {
		name = w.name()
	}
	if w.Err() != nil {
		return
	}
	switch {
	case strings.HasSuffix(name, "Tensor") && strings.HasPrefix(name, "torch."):
		n := w.int()
		if n < 0 || n > 64 {
			w.Fail("a tensor of %d dimensions", n)
			return
		}
		w.skip(2*n+1, 8) // sizes, strides, offset
		w.push(1)        // storage
	case strings.HasSuffix(name, "Storage") && strings.HasPrefix(name, "torch."):
		size := storage(name)
		n := w.long()
		if size == 0 {
			w.Stop(scan.Limit(at, "a storage of class %s", scan.Quote(name, 60)))
			return
		}
		w.skip(n, size)
	case name == "tds.Hash" || name == "tds.hash":
		if n := w.long(); n >= 0 && n <= w.Left() {
			w.push(2 * n)
		} else {
			w.Fail("%d entries", n)
		}
	case name == "tds.Vec" || name == "tds.vec":
		if n := w.long(); n >= 0 && n <= w.Left() {
			w.push(n)
		} else {
			w.Fail("%d entries", n)
		}
	case name == "":
		w.Fail("a class without a name")
	default:
		w.push(1) // a table of its fields
	}
}

// storage returns the size of a storage's numbers in bytes.
func storage(class string) int64 {
	kind := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(class, "torch."), "Cuda"), "Storage")
	switch kind {
	case "Byte", "Char":
		return 1
	case "Short", "Half":
		return 2
	case "Int", "Float", "": // CudaStorage is float
		return 4
	case "Long", "Double":
		return 8
	}
	return 0
}

// name reads a string of at most maxName bytes.
func (w *walk) name() string {
	n := w.length()
	if n > maxName {
		w.Fail("a name of %d bytes", n)
		return ""
	}
	s := w.peek(n, maxName)
	w.chars(n)
	return s
}

// length reads the length of a string.
func (w *walk) length() int64 {
	n := w.int()
	if n < 0 || n > w.Left() {
		w.Fail("a string of %d bytes with %d left", n, w.Left())
		return 0
	}
	return n
}

// count reads a number of things that take at least so many bytes each.
func (w *walk) count(each int64) int64 {
	n := w.int()
	if n < 0 || n > w.Left()/each {
		w.Fail("%d entries with %d bytes left", n, w.Left())
		return 0
	}
	return n
}

// peek returns the beginning of a string of n bytes that follows.
func (w *walk) peek(n int64, limit int) string {
	skip := 0
	if w.text { // it is on a line of its own
		skip = 1
	}
	b := w.Peek(int(min(n, int64(limit))) + skip)
	return string(b[min(skip, len(b)):])
}

// chars passes a string.
func (w *walk) chars(n int64) {
	if w.text {
		n++ // the end of the line with its length
	}
	w.Skip(n)
}

func (w *walk) int() int64 {
	if w.text {
		return w.number()
	}
	return int64(int32(w.Uint(4, le)))
}

func (w *walk) long() int64 {
	if w.text {
		return w.number()
	}
	return int64(w.Uint(8, le))
}

// skip passes n numbers of so many bytes, or words.
func (w *walk) skip(n, size int64) {
	if n < 0 || n > w.Left() {
		w.Fail("%d numbers with %d bytes left", n, w.Left())
		return
	}
	if !w.text {
		w.Skip(n * size)
		return
	}
	for ; n > 0 && w.Err() == nil; n-- {
		w.word()
	}
}

func (w *walk) number() int64 {
	s := w.word()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		w.Fail("%s where a number has to be", scan.Quote(s, 20))
	}
	return v
}

// word reads a word of an ASCII file.
func (w *walk) word() string {
	for w.Err() == nil {
		b := w.Peek(64)
		rest := bytes.TrimLeft(b, " \t\r\n")
		if len(b) > 0 && len(rest) == 0 {
			w.Skip(int64(len(b)))
			continue
		}
		w.Skip(int64(len(b) - len(rest)))
		b = w.Peek(64)
		n := bytes.IndexAny(b, " \t\r\n")
		if n < 0 {
			n = len(b)
		}
		if n == 0 || n == 64 {
			w.Fail("no word")
			return ""
		}
		s := string(b[:n])
		w.Skip(int64(n))
		return s
	}
	return ""
}
