// Package msgpack inspects MessagePack documents, in which Flax and Orbax keep
// checkpoints (.msgpack, .flax, .orbax): maps of names to arrays.
//
// MessagePack is data. What a loader makes of it can be more:
//
//   - Extension types are the application's. Flax has 1 for an array (itself
//     MessagePack: shape, type, bytes), 2 for a complex number and 3 for a
//     scalar; none of them is code.
//   - msgpack-numpy unpickles the "data" of a map whose "kind" is "O".
//   - Values that are themselves pickles, archives or programs are handed on.
//   - Names such as "__reduce__" and strings of code are there for a restore
//     function that evaluates them.
//
// Arrays are skipped. Specified by https://github.com/msgpack/msgpack,
// flax/serialization.py and msgpack-numpy.
package msgpack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/cursor"
	"modelwall/scan/internal/phrase"
)

// Scanner inspects MessagePack. It is safe for concurrent use.
type Scanner struct{ phrases *phrase.Finder }

// New returns the scanner.
func New() *Scanner { return &Scanner{phrase.NewFinder()} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "msgpack" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// Match implements scan.Scanner: a map whose first key is a short text.
func (*Scanner) Match(p scan.Probe) bool {
	b := p.Head
	switch {
	case len(b) < 3:
		return false
	case b[0] > 0x80 && b[0] <= 0x8f:
		b = b[1:]
	case b[0] == 0xde:
		b = b[3:]
	case b[0] == 0xdf && len(b) > 5:
		b = b[5:]
	default:
		return false
	}
	if len(b) < 3 {
		return false
	}
	n := 0
	switch {
	case b[0] > 0xa0 && b[0] <= 0xbf:
		n, b = int(b[0]&31), b[1:]
	case b[0] == 0xd9 || b[0] == 0xc4:
		n, b = int(b[1]), b[2:]
	case b[0] == 0xda || b[0] == 0xc5:
		n, b = int(b[1])<<8|int(b[2]), b[3:]
	}
	if n == 0 || n >= len(b) || b[n] == 0xc1 {
		return false
	}
	for _, r := range string(b[:n]) {
		if r < ' ' || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// Bounds of one file.
const (
	maxDepth    = 1 << 10
	minNames    = 3 // keys that are names, before damage is worth a word
	maxMembers  = 1 << 10
	maxText     = 4 << 10   // bytes of one string that are looked at
	maxMatched  = 512 << 10 // and of all
	maxFindings = 20        // of each rule
)

// level is a map or an array that is being read.
type level struct {
	left   int64 // values that are still due, keys included
	isMap  bool
	key    string // of the value that comes next
	object bool   // the map's "kind" is "O"
	data   extent // the map's "data"
}

// extent is a part of the file.
type extent struct{ at, n int64 }

// walk is the state of one Scan.
type walk struct {
	*Scanner
	*cursor.Cursor
	ctx     context.Context //nolint:containedctx // one Scan call is this value's whole life
	f       scan.File
	sink    scan.Sink
	open    []level
	values  int
	names   int // keys that are printable text
	matched int
	members int
	told    map[string]int
}

// Scan implements scan.Scanner.
func (s *Scanner) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	w := &walk{Scanner: s, Cursor: cursor.New(f), ctx: ctx, f: f, sink: sink, told: map[string]int{}}
	w.value()
	for len(w.open) > 0 && w.Err() == nil {
		if w.values&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		top := &w.open[len(w.open)-1]
		if top.left == 0 {
			w.close()
			continue
		}
		if top.left--; top.isMap && top.left&1 == 1 {
			w.key(top)
			continue
		}
		w.value()
	}
	for i := len(w.open) - 1; i >= 0 && w.Err() != nil; i-- {
		w.object(w.open[i]) // what was there before the break
	}
	if err := w.Err(); err != nil {
		// Weights begin like a map by chance. A map of names is none.
		if w.names < minNames && len(w.told) == 0 && w.members == 0 && errors.Is(err, scan.ErrMalformed) {
			return &scan.Error{Class: scan.ErrForeign, Offset: w.Off(), Reason: errors.New("no MessagePack")}
		}
		return err
	}
	if w.Left() == 0 {
		return nil
	}
	w.finding("trailing", scan.Low, "obfuscation", w.Off(), fmt.Sprintf("%d bytes follow the document", w.Left()))
	return w.sink.Member(ctx, scan.Member{Name: "(trailing data)", At: f.Section(w.Off(), w.Left()), Size: w.Left()})
}

func (w *walk) finding(what string, sev scan.Severity, technique string, off int64, message string) {
	if w.told[what]++; w.told[what] <= maxFindings {
		w.sink.Finding(scan.Finding{Rule: "msgpack." + what, Severity: sev, Message: message, Offset: off, Technique: technique})
	}
}

// key reads a key of a map, which may be of any type.
func (w *walk) key(top *level) {
	top.key = ""
	at := w.Off()
	n, ok := w.text(w.head())
	if !ok {
		return
	}
	top.key = w.Text(n, 256)
	w.values++
	if top.key != "" && clue.Printable([]byte(top.key)) {
		w.names++
	}
	switch top.key {
	case "__reduce__", "__reduce_ex__", "__setstate__", "__globals__", "__builtins__", "__code__":
		w.finding("key", scan.SeveritySuspicious, "code-execution", at,
			"the name "+scan.Quote(top.key, 40)+" is for a loader that rebuilds Python objects, which no checkpoint needs")
	}
}

// head reads the byte that says what follows.
func (w *walk) head() byte {
	b := w.Take(1)
	if b == nil {
		return 0xc0
	}
	return b[0]
}

var be = binary.BigEndian

// text reads the length of a string or of bytes. Anything else is read whole.
func (w *walk) text(c byte) (int64, bool) {
	switch {
	case c >= 0xa0 && c <= 0xbf:
		return int64(c & 31), true
	case c == 0xc4 || c == 0xd9:
		return w.Length(1, be, 1), true
	case c == 0xc5 || c == 0xda:
		return w.Length(2, be, 1), true
	case c == 0xc6 || c == 0xdb:
		return w.Length(4, be, 1), true
	}
	w.other(c)
	return 0, false
}

// value reads a value, of a map or an array only the beginning.
func (w *walk) value() {
	at := w.Off()
	n, ok := w.text(w.head())
	w.values++
	if !ok || w.Err() != nil {
		return
	}
	w.bytes(at, extent{w.Off(), n})
	w.Skip(n)
}

// bytes looks at a string or bytes, which lie ahead.
func (w *walk) bytes(at int64, e extent) {
	handed := clue.Serialized(w.Peek(int(min(e.n, 256))))
	if handed {
		w.member(e)
	}
	if len(w.open) > 0 {
		switch top := &w.open[len(w.open)-1]; {
		case top.key == "kind" && e.n == 1 && string(w.Peek(1)) == "O":
			top.object = true
		case top.key == "data" && !handed:
			top.data = e
		}
	}
	if handed || e.n < 8 || w.matched >= maxMatched {
		return
	}
	b := w.Peek(int(min(e.n, maxText)))
	if !clue.Printable(b) {
		return
	}
	text := string(b)
	if !phrase.Worth(text) {
		return
	}
	w.matched += len(text)
	if m := w.phrases.Match(text); m != "" {
		w.finding("command", scan.SeveritySuspicious, "code-execution", at, "a string with a command or code that starts programs: "+scan.Quote(m, 160))
	}
}

func (w *walk) member(e extent) {
	if w.members++; w.members > maxMembers || w.Err() != nil {
		return
	}
	w.Stop(w.sink.Member(w.ctx, scan.Member{Name: fmt.Sprintf("value@%d", e.at), At: w.f.Section(e.at, e.n), Size: e.n}))
}

// other reads a value that is neither a string nor bytes.
func (w *walk) other(c byte) {
	switch {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
	case c >= 0x80 && c <= 0x8f:
		w.push(2*int64(c&15), true)
	case c >= 0x90 && c <= 0x9f:
		w.push(int64(c&15), false)
	case c == 0xcc || c == 0xd0:
		w.Skip(1)
	case c == 0xcd || c == 0xd1:
		w.Skip(2)
	case c == 0xca || c == 0xce || c == 0xd2:
		w.Skip(4)
	case c == 0xcb || c == 0xcf || c == 0xd3:
		w.Skip(8)
	case c >= 0xd4 && c <= 0xd8:
		w.extension(1 << (c - 0xd4))
	case c == 0xc7:
		w.extension(w.Length(1, be, 1))
	case c == 0xc8:
		w.extension(w.Length(2, be, 1))
	case c == 0xc9:
		w.extension(w.Length(4, be, 1))
	case c == 0xdc:
		w.push(w.Length(2, be, 1), false)
	case c == 0xdd:
		w.push(w.Length(4, be, 1), false)
	case c == 0xde:
		w.push(2*w.Length(2, be, 2), true)
	case c == 0xdf:
		w.push(2*w.Length(4, be, 2), true)
	default:
		w.Fail("there is no type %#x", c)
	}
}

// extension reads a value of an application's own type.
func (w *walk) extension(n int64) {
	at := w.Off()
	kind := int8(w.head())
	if w.Err() != nil {
		return
	}
	switch kind {
	case 1, 2, 3: // Flax
	case -1: // a time
	default:
		w.finding("extension", scan.Low, "code-execution", at, fmt.Sprintf("a value of extension type %d, which an application has to know", kind))
	}
	if n > w.Left() {
		w.Fail("%d bytes are announced and %d are left", n, w.Left())
	}
	if w.Err() != nil {
		return
	}
	if clue.Serialized(w.Peek(int(min(n, 256)))) {
		w.member(extent{w.Off(), n})
	}
	w.Skip(n)
}

func (w *walk) push(n int64, isMap bool) {
	if len(w.open) >= maxDepth {
		w.Stop(scan.Limit(w.Off(), "nested more than %d levels deep", maxDepth))
		return
	}
	w.open = append(w.open, level{left: n, isMap: isMap})
}

// close ends a map or an array.
func (w *walk) close() {
	top := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.object(top)
}

// object hands on what msgpack-numpy unpickles.
func (w *walk) object(l level) {
	if !l.object {
		return
	}
	w.finding("object", scan.Low, "code-execution", l.data.at, "an array of objects, which msgpack-numpy unpickles")
	if l.data.n > 0 {
		w.Stop(w.sink.Member(w.ctx, scan.Member{Name: "data", At: w.f.Section(l.data.at, l.data.n), Size: l.data.n}))
	}
}
