package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxJSONDepth is how deep arrays and objects may be nested in what CleanJSON
// takes. The Hub's answers stay below twenty.
const MaxJSONDepth = 512

// ErrJSON is the class of CleanJSON's errors: the text is not JSON, or nested
// too deeply. A client might still read what this package can not, so do not
// pass it on.
var ErrJSON = errors.New("not acceptable JSON")

// CleanJSON removes the members that make a client use Xet (xetHash,
// xetEnabled) from a JSON text, at any depth. Everything else keeps its bytes:
// numbers, the order of members, duplicate members, escapes and white space.
// When there is nothing to remove it returns body itself. It takes one pass
// and, besides the result, memory for the removed places and the depth.
func CleanJSON(body []byte) ([]byte, error) {
	out, _, err := CleanJSONUpTo(body, math.MaxInt64)
	return out, err
}

// CleanJSONUpTo is CleanJSON for the descriptions of files of at most size
// bytes: an object whose own member "size" is more keeps its xetHash. It reports
// whether there was such an object, and takes a second pass then.
func CleanJSONUpTo(body []byte, size int64) (out []byte, large bool, err error) {
	c := jsonCleaner{in: body, limit: size, large: map[int]bool{}}
	if err := c.run(); err != nil {
		return nil, false, err
	}
	if len(c.large) > 0 {
		c = jsonCleaner{in: body, limit: size, large: c.large}
		if err := c.run(); err != nil {
			return nil, false, err
		}
	}
	return c.rest(), len(c.large) > 0, nil
}

// rest returns the text without the cuts.
func (c *jsonCleaner) rest() []byte {
	body := c.in
	if len(c.cuts) == 0 {
		return body
	}
	removed := 0
	for _, cut := range c.cuts {
		removed += cut.end - cut.start
	}
	out := make([]byte, 0, len(body)-removed)
	at := 0
	for _, cut := range c.cuts {
		out = append(out, body[at:cut.start]...)
		at = cut.end
	}
	return append(out, body[at:]...)
}

// longestXetMember has room for an underscore before each letter.
const longestXetMember = 2 * len("xetEnabled")

// xetMember reports whether key names a member that tells a client to use
// Xet. Some decoders ignore case, and some clients spell names with
// underscores.
func xetMember(key string) bool {
	if len(key) < len("xetHash") || len(key) > longestXetMember {
		return false
	}
	key = strings.ReplaceAll(key, "_", "")
	return strings.EqualFold(key, "xetHash") || strings.EqualFold(key, "xetEnabled")
}

// jsonCleaner walks over a JSON text with a stack of its own.
type jsonCleaner struct {
	in     []byte
	i      int
	stack  []jsonFrame
	hidden bool // inside a member that is removed
	cuts   []jsonCut
	limit  int64        // what describes a larger file keeps its xetHash
	large  map[int]bool // where the objects start that do
}

// jsonFrame is an open array or object.
type jsonFrame struct {
	object bool
	kept   bool // a member before this one stays
	remove bool // this member is removed
	size   bool // this member is called "size"
	start  int  // where this member starts, directly after '{' or ','
	opened int  // where the array or object starts
}

// jsonCut is a half-open range of bytes to leave out.
type jsonCut struct{ start, end int }

func (c *jsonCleaner) run() error {
	for {
		c.space()
		opened, err := c.value()
		if err != nil {
			return err
		}
		if opened {
			continue // at the first value inside
		}
		// A value ended. Close whatever ends with it.
		for {
			c.space()
			if len(c.stack) == 0 {
				if c.i != len(c.in) {
					return c.fail("text after the end")
				}
				return nil
			}
			more, err := c.afterValue()
			if err != nil {
				return err
			}
			if more {
				break
			}
		}
	}
}

// value reads a scalar, an empty array or object, or the opening of one that
// has something inside; for the latter it returns true.
func (c *jsonCleaner) value() (opened bool, err error) {
	if c.i >= len(c.in) {
		return false, c.fail("unexpected end")
	}
	switch b := c.in[c.i]; b {
	case '{', '[':
		if len(c.stack) >= MaxJSONDepth {
			return false, c.fail("nested too deeply")
		}
		c.i++
		frame := jsonFrame{object: b == '{', start: c.i, opened: c.i}
		c.space()
		if c.i < len(c.in) && c.in[c.i] == b+2 { // '}' and ']' follow two after
			c.i++
			return false, nil
		}
		c.stack = append(c.stack, frame)
		if frame.object {
			return true, c.key()
		}
		return true, nil
	case '"':
		_, err := c.str()
		return false, err
	case 't':
		return false, c.literal("true")
	case 'f':
		return false, c.literal("false")
	case 'n':
		return false, c.literal("null")
	default:
		from := c.i
		if err := c.number(); err != nil {
			return false, err
		}
		if n := len(c.stack); n > 0 && c.stack[n-1].size {
			if size, err := strconv.ParseInt(string(c.in[from:c.i]), 10, 64); err == nil && size > c.limit {
				c.large[c.stack[n-1].opened] = true
			}
		}
		return false, nil
	}
}

// key reads a member's key and colon and decides whether the member stays.
func (c *jsonCleaner) key() error {
	c.space()
	if c.i >= len(c.in) || c.in[c.i] != '"' {
		return c.fail("expected a key")
	}
	start := c.i
	escaped, err := c.str()
	if err != nil {
		return err
	}
	key := c.in[start+1 : c.i-1]
	top := &c.stack[len(c.stack)-1]
	top.size = string(key) == "size"
	kept := c.large[top.opened] && string(key) == "xetHash"
	if !c.hidden && !kept && (escaped || len(key) <= longestXetMember && bytes.ContainsAny(key, "xX")) {
		if escaped {
			var name string
			if err := json.Unmarshal(c.in[start:c.i], &name); err != nil {
				return c.fail("bad key")
			}
			key = []byte(name)
		}
		if xetMember(string(key)) {
			c.hidden = true
			top.remove = true
		}
	}
	c.space()
	if c.i >= len(c.in) || c.in[c.i] != ':' {
		return c.fail("expected ':'")
	}
	c.i++
	return nil
}

// afterValue handles what follows a value inside an array or object: true if
// there is another one, false if the container ended, which is itself a value
// that ended.
func (c *jsonCleaner) afterValue() (more bool, err error) {
	if c.i >= len(c.in) {
		return false, c.fail("unexpected end")
	}
	top := &c.stack[len(c.stack)-1]
	b := c.in[c.i]
	if b == ',' {
		c.i++
		if !top.object {
			return true, nil
		}
		c.endMember(top, true)
		return true, c.key()
	}
	if top.object && b != '}' || !top.object && b != ']' {
		return false, c.fail("expected ',' or the end of an array or object")
	}
	if top.object {
		c.endMember(top, false)
	}
	c.i++
	c.stack = c.stack[:len(c.stack)-1]
	return false, nil
}

// endMember records the cut for a member that is removed. It is called with
// the position after the comma if there is one, else at the closing brace.
func (c *jsonCleaner) endMember(top *jsonFrame, comma bool) {
	start, end := top.start, c.i
	if !top.remove {
		top.kept = true
		top.start = c.i
		return
	}
	if top.kept {
		start-- // the comma before goes, the one after stays
		if comma {
			end--
		}
	}
	c.cuts = append(c.cuts, jsonCut{start, end})
	top.remove, c.hidden = false, false
	top.start = c.i
}

// str reads a string and reports whether it has escapes.
func (c *jsonCleaner) str() (escaped bool, err error) {
	for i := c.i + 1; i < len(c.in); i++ {
		switch b := c.in[i]; {
		case b > '\\':
		case b == '"':
			c.i = i + 1
			return escaped, nil
		case b == '\\':
			escaped = true
			i++
			if i >= len(c.in) {
				return false, c.fail("unexpected end")
			}
			if strings.IndexByte(`"\/bfnrt`, c.in[i]) >= 0 {
				continue
			}
			if c.in[i] != 'u' || i+4 >= len(c.in) {
				return false, c.fail("bad escape")
			}
			for range 4 {
				i++
				if !isHexDigit(c.in[i]) {
					return false, c.fail("bad escape")
				}
			}
		case b < ' ':
			return false, c.fail("control character in a string")
		}
	}
	return false, c.fail("unexpected end")
}

// number reads a number.
func (c *jsonCleaner) number() error {
	i := c.i
	digits := func() bool {
		from := i
		for i < len(c.in) && '0' <= c.in[i] && c.in[i] <= '9' {
			i++
		}
		return i > from
	}
	at := func(chars string) bool {
		if i < len(c.in) && strings.IndexByte(chars, c.in[i]) >= 0 {
			i++
			return true
		}
		return false
	}
	at("-")
	ok := at("0") || digits()
	if ok && at(".") {
		ok = digits()
	}
	if ok && at("eE") {
		at("+-")
		ok = digits()
	}
	if !ok {
		return c.fail("unexpected character")
	}
	c.i = i
	return nil
}

func (c *jsonCleaner) literal(word string) error {
	if len(c.in)-c.i < len(word) || string(c.in[c.i:c.i+len(word)]) != word {
		return c.fail("unexpected character")
	}
	c.i += len(word)
	return nil
}

func (c *jsonCleaner) space() {
	for c.i < len(c.in) {
		switch c.in[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

func (c *jsonCleaner) fail(reason string) error {
	if c.i < len(c.in) {
		r, _ := utf8.DecodeRune(c.in[c.i:])
		return fmt.Errorf("%w: %s at byte %d, near %+q", ErrJSON, reason, c.i, r)
	}
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, reason, c.i)
}
