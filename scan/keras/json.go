package keras

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"modelwall/scan"
)

// Bounds of a JSON text.
const (
	maxDepth  = 4096    // Python gives up at about 1000
	maxText   = 8 << 20 // bytes kept of one string
	maxNumber = 1 << 10
)

// parser reads JSON values, one after another, and has every object judged
// when it ends. It takes what Python's json takes, and control characters in
// strings besides.
type parser struct {
	r    *bufio.Reader
	j    *judge
	off  int64
	open []frame
	live int // weight of everything that is kept
	buf  []byte
	take int // see plain
}

// frame is a container that is being read.
type frame struct {
	n    *node
	key  string
	want want
}

type want uint8

const (
	wantFirst want = iota // a value, a key, or the end
	wantNext              // a value or a key
	wantColon
	wantValue // after a colon
	wantComma // or the end
)

// parseJSON judges the objects of a text. After damage, what was open is
// judged as far as it came.
func parseJSON(r *bufio.Reader, j *judge) error {
	p := &parser{r: r, j: j}
	err := p.run()
	for len(p.open) > 0 && j.stopped == nil {
		p.close()
	}
	return err
}

func (p *parser) run() error {
	for {
		c, err := p.blank()
		if errors.Is(err, io.EOF) {
			if len(p.open) > 0 {
				return scan.Malformed(p.off, "JSON that is cut off")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.token(c); err != nil {
			return err
		}
		if p.j.stopped != nil {
			return p.j.stopped
		}
	}
}

func (p *parser) byte() (byte, error) {
	c, err := p.r.ReadByte()
	if err == nil {
		p.off++
	}
	return c, err
}

// blank returns the first byte that is no white space.
func (p *parser) blank() (byte, error) {
	for {
		c, err := p.byte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// token takes one step.
func (p *parser) token(c byte) error {
	if len(p.open) == 0 {
		return p.value(c)
	}
	top := &p.open[len(p.open)-1]
	end := byte('}')
	if top.n.kind == array {
		end = ']'
	}
	switch top.want {
	case wantComma, wantFirst:
		if c == end {
			p.close()
			return nil
		}
		if top.want == wantComma {
			if c != ',' {
				return p.bad("a comma or an end", c)
			}
			top.want = wantNext
			return nil
		}
	case wantColon:
		if c != ':' {
			return p.bad("a colon", c)
		}
		top.want = wantValue
		return nil
	}
	if top.n.kind == object && top.want != wantValue {
		if c != '"' {
			return p.bad("a key", c)
		}
		key, _, err := p.string()
		if err != nil {
			return err
		}
		top.key, top.want = key, wantColon
		return nil
	}
	top.want = wantComma
	return p.value(c)
}

func (p *parser) bad(wanted string, c byte) error {
	return scan.Malformed(p.off-1, "%s was expected, not %q", wanted, c)
}

// value reads a value that begins with c.
func (p *parser) value(c byte) error {
	n := &node{off: p.off - 1, weight: 1}
	switch c {
	case '{', '[':
		if len(p.open) >= maxDepth {
			return scan.Limit(p.off, "JSON more than %d levels deep", maxDepth)
		}
		if n.kind = object; c == '[' {
			n.kind = array
		}
		p.open = append(p.open, frame{n: n})
		p.live++
		return nil
	case '"':
		s, cut, err := p.string()
		if err != nil {
			return err
		}
		if n.kind, n.text, n.cut = text, s, cut; p.live > crowded && len(s) > shortText {
			n.text, n.cut = s[:shortText], true
		}
		n.weight += len(n.text) / 64
	default:
		s, err := p.word(c)
		if err != nil {
			return err
		}
		n.text = s
	}
	return p.attach(n)
}

// attach puts a value that is complete into the container that is open.
func (p *parser) attach(n *node) error {
	if n.kind != object && n.kind != array {
		p.live += n.weight
	}
	if len(p.open) == 0 {
		p.live = 0
		return nil
	}
	most := maxItems
	if p.live > crowded {
		most = fewItems
	}
	top := &p.open[len(p.open)-1]
	p.live -= top.n.add(top.key, n, most)
	if p.live > overfull {
		return scan.Limit(p.off, "JSON with too much in it at once")
	}
	return nil
}

// close ends the innermost container and has it judged.
func (p *parser) close() {
	n := p.open[len(p.open)-1].n
	p.open = p.open[:len(p.open)-1]
	p.j.container(n)
	if depth := 4; n.weight > heavy || p.live > crowded && n.weight > fewItems {
		if p.live > crowded {
			depth = 1
		}
		s := n.shrink(depth)
		p.live -= n.weight - s.weight
		n = s
	}
	if err := p.attach(n); err != nil && p.j.stopped == nil {
		p.j.stopped = err
	}
}

// word reads a number or a name.
func (p *parser) word(c byte) (string, error) {
	b := []byte{c}
	for {
		next, err := p.r.Peek(1)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil || strings.IndexByte(" \t\r\n,:]}[{\"", next[0]) >= 0 {
			break
		}
		if len(b) >= maxNumber {
			return "", scan.Malformed(p.off, "a number of more than %d digits", maxNumber)
		}
		d, err := p.byte()
		if err != nil {
			return "", err
		}
		b = append(b, d)
	}
	switch s := string(b); s {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return s, nil
	}
	if strings.Trim(string(b), "0123456789+-.eE") != "" || c != '-' && (c < '0' || c > '9') {
		return "", scan.Malformed(p.off, "no JSON value: %s", scan.Quote(string(b), 40))
	}
	return string(b), nil
}

// string reads to the closing quote.
func (p *parser) string() (s string, cut bool, err error) {
	b := p.buf[:0]
	defer func() { p.buf = b[:0] }()
	high := rune(0)
	for {
		plain, c, err := p.plain()
		switch {
		case errors.Is(err, io.EOF):
			return "", false, scan.Malformed(p.off, "a string that is cut off")
		case err != nil:
			return "", false, err
		}
		if len(plain) > 0 {
			high = 0
		}
		if room := maxText - len(b); len(plain) > room {
			plain, cut = plain[:room], true
		}
		b = append(b, plain...)
		if _, err := p.r.Discard(p.take); err != nil {
			return "", false, err
		}
		switch c {
		case '"':
			return string(b), cut, nil
		case 0: // the buffer ended
			continue
		}
		r, unicode, err := p.escape()
		if err != nil {
			return "", false, err
		}
		if unicode && utf16.IsSurrogate(r) {
			if full := utf16.DecodeRune(high, r); full != utf8.RuneError {
				b = b[:max(0, len(b)-len("\ufffd"))]
				r, high = full, 0
			} else {
				high = r
			}
		} else {
			high = 0
		}
		if len(b) < maxText-utf8.UTFMax {
			b = utf8.AppendRune(b, r)
		} else {
			cut = true
		}
	}
}

// plain returns the buffered bytes of a string up to a quote or a backslash,
// and which of them follows, 0 for neither. The caller discards p.take bytes.
func (p *parser) plain() ([]byte, byte, error) {
	if _, err := p.r.Peek(1); err != nil {
		return nil, 0, err
	}
	b, err := p.r.Peek(p.r.Buffered())
	if err != nil {
		return nil, 0, err
	}
	c := byte(0)
	p.take = len(b)
	if i := bytes.IndexAny(b, "\"\\"); i >= 0 {
		b, c, p.take = b[:i], b[i], i+1
	}
	p.off += int64(p.take)
	return b, c, nil
}

// escape reads what follows a backslash.
func (p *parser) escape() (r rune, unicode bool, err error) {
	c, err := p.byte()
	if errors.Is(err, io.EOF) {
		return 0, false, scan.Malformed(p.off, "a string that is cut off")
	}
	if err != nil {
		return 0, false, err
	}
	switch c {
	case '"', '\\', '/':
		return rune(c), false, nil
	case 'b':
		return '\b', false, nil
	case 'f':
		return '\f', false, nil
	case 'n':
		return '\n', false, nil
	case 'r':
		return '\r', false, nil
	case 't':
		return '\t', false, nil
	case 'u':
		for range 4 {
			c, err := p.byte()
			if errors.Is(err, io.EOF) {
				return 0, false, scan.Malformed(p.off, "a string that is cut off")
			}
			if err != nil {
				return 0, false, err
			}
			d := strings.IndexByte("0123456789abcdef", c|0x20)
			if d < 0 {
				return 0, false, p.bad("a hexadecimal digit", c)
			}
			r = r<<4 | rune(d)
		}
		return r, true, nil
	}
	return 0, false, p.bad("an escape sequence", c)
}
