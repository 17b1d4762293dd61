package data

import (
	"strconv"
	"strings"
)

// dict and list are what literals of those kinds become; tuples are lists.
type (
	dict map[string]any
	list []any
)

// parseLiteral parses a Python literal of strings, integers, booleans, None,
// tuples, lists and dictionaries with string keys.
func parseLiteral(s string) (any, bool) {
	p := &literal{s: strings.TrimRight(s, " \n\x00")}
	v, ok := p.value(0)
	p.blanks()
	return v, ok && p.s == ""
}

type literal struct{ s string }

func (p *literal) blanks() { p.s = strings.TrimLeft(p.s, " \t\r\n") }

func (p *literal) eat(c byte) bool {
	p.blanks()
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

// maxLiteralDepth bounds the recursion of the parser; dtypes nest a few levels.
const maxLiteralDepth = 32

func (p *literal) value(depth int) (any, bool) {
	p.blanks()
	if p.s == "" || depth > maxLiteralDepth {
		return nil, false
	}
	for _, w := range [...]struct {
		word string
		v    any
	}{{"True", true}, {"False", false}, {"None", nil}} {
		if rest, ok := strings.CutPrefix(p.s, w.word); ok {
			p.s = rest
			return w.v, true
		}
	}
	switch c := p.s[0]; {
	case p.eat('{'):
		return p.dict(depth)
	case p.eat('('):
		return p.list(')', depth)
	case p.eat('['):
		return p.list(']', depth)
	case c == '\'' || c == '"' || c == 'u' || c == 'b':
		return p.str()
	}
	n := 0
	for n < len(p.s) && (p.s[n] >= '0' && p.s[n] <= '9' || n == 0 && p.s[n] == '-') {
		n++
	}
	v, err := strconv.ParseInt(p.s[:n], 10, 64)
	p.s = strings.TrimPrefix(p.s[n:], "L") // as Python 2 wrote long integers
	return v, err == nil
}

func (p *literal) list(end byte, depth int) (any, bool) {
	out := list{}
	for !p.eat(end) {
		v, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		out = append(out, v)
		if p.eat(',') {
			continue
		}
		if !p.eat(end) {
			return nil, false
		}
		if end == ')' && len(out) == 1 {
			return v, true // parentheses, no tuple
		}
		break
	}
	return out, true
}

func (p *literal) dict(depth int) (any, bool) {
	out := dict{}
	for !p.eat('}') {
		k, ok := p.value(depth + 1)
		key, isString := k.(string)
		if !ok || !isString || !p.eat(':') {
			return nil, false
		}
		if out[key], ok = p.value(depth + 1); !ok {
			return nil, false
		}
		if !p.eat(',') {
			return out, p.eat('}')
		}
	}
	return out, true
}

func (p *literal) str() (any, bool) {
	p.s = strings.TrimLeft(p.s, "ub")
	if p.s == "" || p.s[0] != '\'' && p.s[0] != '"' {
		return nil, false
	}
	body, rest, ok := strings.Cut(p.s[1:], p.s[:1])
	if !ok || strings.ContainsAny(body, "\\\n") {
		return nil, false // NumPy writes no escapes in what matters here
	}
	p.s = rest
	return body, true
}
