package safetensors

import (
	"bytes"
	"context"
	"hash/maphash"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// jsonReader reads JSON front to back, as strictly as the reference
// implementation does, and keeps nothing but what it is asked for.
type jsonReader struct {
	ctx  context.Context //nolint:containedctx // one Scan is this value's whole life
	f    scan.File
	buf  []byte
	pos  int   // in buf
	base int64 // file offset of buf[0]
	end  int64 // of the header in the file
	size int   // of the next read
	seed maphash.Seed
}

// syntaxError is what is wrong with the JSON. The reader's own errors come
// back as they are.
type syntaxError struct {
	off  int64
	what string
	end  bool // the header ends in the middle
}

func (e *syntaxError) Error() string { return e.what }

func newJSON(ctx context.Context, f scan.File, from, to int64) *jsonReader {
	return &jsonReader{ctx: ctx, f: f, base: from, end: to, seed: maphash.MakeSeed()}
}

func (r *jsonReader) offset() int64 { return r.base + int64(r.pos) }

func (r *jsonReader) bad(what string) error { return &syntaxError{off: r.offset(), what: what} }

// Sizes of reads, in bytes: small headers cost little, long ones few reads.
const (
	minChunk = 16 << 10
	maxChunk = 1 << 20
)

// ensure makes up to n bytes available and returns how many there are.
func (r *jsonReader) ensure(n int) (int, error) {
	for len(r.buf)-r.pos < n {
		at := r.base + int64(len(r.buf))
		if at >= r.end {
			break
		}
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		rest := copy(r.buf, r.buf[r.pos:])
		r.base += int64(r.pos)
		r.pos = 0
		r.size = min(max(2*r.size, minChunk), maxChunk)
		size := int(min(int64(r.size), r.end-at))
		if cap(r.buf) < rest+size {
			grown := make([]byte, rest, rest+size)
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:rest+size]
		if err := readFull(r.f, r.buf[rest:], at); err != nil {
			r.buf = r.buf[:rest]
			return 0, err
		}
	}
	return len(r.buf) - r.pos, nil
}

// peek skips blanks and returns the next byte.
func (r *jsonReader) peek() (byte, error) {
	for {
		for r.pos < len(r.buf) {
			switch c := r.buf[r.pos]; c {
			case ' ', '\t', '\r', '\n':
				r.pos++
			default:
				return c, nil
			}
		}
		n, err := r.ensure(1)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, &syntaxError{off: r.offset(), what: "it ends in the middle", end: true}
		}
	}
}

// rest skips blanks and returns where something else begins, or the end.
func (r *jsonReader) rest() (int64, error) {
	_, err := r.peek()
	if bad, ok := err.(*syntaxError); ok && bad.end { //nolint:errorlint // its own, not wrapped
		return r.end, nil
	}
	return r.offset(), err
}

// take moves over one byte that has to be c.
func (r *jsonReader) take(c byte) error {
	got, err := r.peek()
	if err != nil {
		return err
	}
	if got != c {
		return r.bad("something else than " + string(c))
	}
	r.pos++
	return nil
}

// either moves over one byte and reports whether it is a; else it has to be b.
func (r *jsonReader) either(a, b byte) (bool, error) {
	got, err := r.peek()
	if err != nil {
		return false, err
	}
	if got != a && got != b {
		return false, r.bad("something else than " + string(a) + " or " + string(b))
	}
	r.pos++
	return got == a, nil
}

// text is a string of which the beginning was kept.
type text struct {
	kept []byte
	size int64 // in bytes, decoded
	hash uint64
	off  int64
}

func (t text) whole() bool { return int64(len(t.kept)) == t.size }

// str reads a string and keeps at most limit bytes of it.
func (r *jsonReader) str(limit int) (text, error) {
	if err := r.take('"'); err != nil {
		return text{}, err
	}
	t := text{off: r.offset()}
	var h maphash.Hash
	h.SetSeed(r.seed)
	add := func(b []byte) {
		_, _ = h.Write(b)
		t.size += int64(len(b))
		t.kept = append(t.kept, b[:max(0, min(len(b), limit-len(t.kept)))]...)
	}
	for {
		n, err := r.ensure(utf8.UTFMax)
		if err != nil {
			return t, err
		}
		if n == 0 {
			return t, &syntaxError{off: r.offset(), what: "it ends in a string", end: true}
		}
		b := r.buf[r.pos:]
		plain := bytes.IndexFunc(b, func(c rune) bool { return c == '"' || c == '\\' || c < ' ' || c == utf8.RuneError })
		if plain < 0 {
			plain = len(b)
		}
		if plain > 0 {
			add(b[:plain])
			r.pos += plain
			continue
		}
		switch c := b[0]; {
		case c == '"':
			r.pos++
			t.hash = h.Sum64()
			return t, nil
		case c == '\\':
			if err := r.escape(add); err != nil {
				return t, err
			}
		case c < ' ':
			return t, r.bad("a control character in a string")
		default: // U+FFFD itself, half a character, or no character
			_, n := utf8.DecodeRune(b)
			if n == 1 {
				return t, r.bad("a string is not UTF-8")
			}
			add(b[:n])
			r.pos += n
		}
	}
}

// escape decodes what a backslash begins.
func (r *jsonReader) escape(add func([]byte)) error {
	const pair = len(`\ud800\udc00`)
	n, err := r.ensure(pair)
	if err != nil {
		return err
	}
	b := r.buf[r.pos : r.pos+min(n, pair)]
	if len(b) < 2 {
		return &syntaxError{off: r.offset(), what: "it ends in a string", end: true}
	}
	if b[1] != 'u' {
		at := bytes.IndexByte([]byte(`"\/bfnrt`), b[1])
		if at < 0 {
			return r.bad("an escape that JSON does not have")
		}
		add([]byte{"\"\\/\b\f\n\r\t"[at]})
		r.pos += 2
		return nil
	}
	c, ok := quad(b[2:])
	if !ok {
		return r.bad("an escape of less than four digits")
	}
	r.pos += 6
	if utf16.IsSurrogate(c) {
		low, ok := rune(0), false
		if len(b) == pair && b[6] == '\\' && b[7] == 'u' {
			low, ok = quad(b[8:])
		}
		if c = utf16.DecodeRune(c, low); !ok || c == utf8.RuneError {
			return r.bad("half a surrogate pair")
		}
		r.pos += 6
	}
	add(utf8.AppendRune(nil, c))
	return nil
}

func quad(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// whole reads a number that has to be whole, not negative and of 64 bits.
func (r *jsonReader) whole() (uint64, error) {
	if _, err := r.peek(); err != nil {
		return 0, err
	}
	n, digits := uint64(0), 0
	for {
		have, err := r.ensure(1)
		if err != nil {
			return 0, err
		}
		if have == 0 || r.buf[r.pos] < '0' || r.buf[r.pos] > '9' {
			break
		}
		d := uint64(r.buf[r.pos] - '0')
		if n > (1<<64-1-d)/10 {
			return 0, r.bad("a number of more than 64 bits")
		}
		n = 10*n + d
		digits++
		r.pos++
	}
	if digits == 0 {
		return 0, r.bad("no whole number")
	}
	if have, _ := r.ensure(1); have > 0 && bytes.IndexByte([]byte(".eE"), r.buf[r.pos]) >= 0 {
		return 0, r.bad("no whole number")
	}
	return n, nil
}

// maxNesting is how deeply the reference implementation reads JSON.
const maxNesting = 128

// skip moves over any value.
func (r *jsonReader) skip() error {
	var open []byte
	for {
		c, err := r.peek()
		if err != nil {
			return err
		}
		switch {
		case c == '{' || c == '[':
			if len(open) == maxNesting {
				return r.bad("it nests deeper than readers go")
			}
			open = append(open, c)
			r.pos++
			if c, err = r.peek(); err != nil {
				return err
			}
			if c == open[len(open)-1]+2 { // empty
				break
			}
			if open[len(open)-1] == '{' {
				if err := r.key(); err != nil {
					return err
				}
			}
			continue
		case c == '"':
			if _, err := r.str(0); err != nil {
				return err
			}
		default:
			if err := r.word(); err != nil {
				return err
			}
		}
		// A value is over: what is around it goes on or ends.
		for {
			if len(open) == 0 {
				return nil
			}
			top := open[len(open)-1]
			c, err := r.peek()
			if err != nil {
				return err
			}
			if c == top+2 {
				r.pos++
				open = open[:len(open)-1]
				continue
			}
			if err := r.take(','); err != nil {
				return err
			}
			if top == '{' {
				if err := r.key(); err != nil {
					return err
				}
			}
			break
		}
	}
}

func (r *jsonReader) key() error {
	if _, err := r.str(0); err != nil {
		return err
	}
	return r.take(':')
}

// word moves over a number, true, false or null. Which of them is not its
// question.
func (r *jsonReader) word() error {
	at := r.pos
	for {
		have, err := r.ensure(1)
		if err != nil {
			return err
		}
		if have == 0 {
			break
		}
		c := r.buf[r.pos]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '-' && c != '.' {
			if r.pos == at {
				return r.bad("no value")
			}
			break
		}
		r.pos++
		at = -1
	}
	return nil
}
