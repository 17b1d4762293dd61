// Package marshal reads Python code objects from the marshal format, without
// making anything of them: which names the code uses, and which constants.
//
// marshal is what .pyc files hold and what Keras puts, in base64, into the
// configuration of a Lambda layer. It is a tree: a type byte, then the value. A
// code object is a fixed sequence of numbers and values that differs between
// versions of Python and does not say which it is; a reader of one version
// fails, or misreads, with the code of another. So every layout is tried:
//
//	2.x        argcount nlocals stacksize flags | code consts names varnames
//	           freevars cellvars filename name | firstlineno | lnotab
//	3.0-3.7    with kwonlyargcount
//	3.8-3.10   with posonlyargcount
//	3.11 on    argcount posonly kwonly stacksize flags | code consts names
//	           localsplusnames localspluskinds filename name qualname |
//	           firstlineno | linetable exceptiontable
//
// The format is that of Python/marshal.c; Python's documentation says only
// that it may change.
package marshal

import (
	"encoding/binary"
	"errors"
	"math"
)

// Code is a code object with what its instructions can refer to.
type Code struct {
	Name     string
	Filename string
	// Names are the globals, attributes and modules that the code looks up,
	// in the order of their first use.
	Names []string
	// Locals are the names of arguments, local and captured variables.
	Locals []string
	// Strings are the texts and byte strings among the constants, those in
	// tuples and sets included.
	Strings []string
	// Bytecode are the instructions.
	Bytecode []byte
	// Consts is the number of constants.
	Consts int

	layout version
}

// Errors of Parse.
var (
	ErrNotCode = errors.New("not a marshalled code object")
	ErrLimit   = errors.New("marshalled data with too many values")
)

// Parse returns the code object that data begins with, the outermost first and
// then those among its constants, at any depth. What follows is ignored, as
// Python ignores it. When several layouts fit, the answer holds the code of
// each. The error is ErrNotCode or ErrLimit; what could be read comes with it.
func Parse(data []byte) ([]Code, error) {
	if !IsCode(data) {
		return nil, ErrNotCode
	}
	var all []Code
	limited := false
	for _, l := range layouts() {
		p := &parser{data: data, layout: l}
		root, err := p.run()
		limited = limited || errors.Is(err, ErrLimit)
		if err != nil {
			continue
		}
		codes := p.codes(root)
		limited = limited || p.spent()
		all = append(all, codes...)
	}
	switch {
	case limited:
		return all, ErrLimit
	case len(all) == 0:
		return nil, ErrNotCode
	}
	return all, nil
}

// IsCode reports whether data can begin with a code object.
func IsCode(data []byte) bool { return len(data) > 20 && data[0]&^flagRef == 'c' }

// layout is the sequence of a code object's fields.
type layout struct {
	version version
	ints    int // numbers at the beginning
	objects int // values before the first line's number
	after   int // values behind it
	names   int // where the names are among the objects
	locals  []int
	file    int // where the file's name is; the code's name follows
}

// version is the first version of Python that has a layout.
type version int

const (
	python2 version = iota
	python30
	python38
	python311
)

func layouts() []layout {
	return []layout{
		{python311, 5, 8, 2, 2, []int{3}, 5},
		{python38, 6, 8, 1, 2, []int{3, 4, 5}, 6},
		{python30, 5, 8, 1, 2, []int{3, 4, 5}, 6},
		{python2, 4, 8, 1, 2, []int{3, 4, 5}, 6},
	}
}

const flagRef = 0x80

// Bounds. Python itself nests no deeper than 2000.
const (
	maxDepth  = 2000
	maxValues = 1 << 20
	maxWork   = 2 << 20  // values looked at in all constants, which can share theirs
	maxText   = 32 << 20 // bytes of all texts, which can be shared
)

// value is one of the tree; children are indexes, so that references cost
// nothing.
type value struct {
	kind  byte
	text  []byte // of strings
	items []int  // of tuples, lists, sets and code objects
}

// frame is a container that is being filled.
type frame struct {
	at   int // its index
	left int // values to come; -1 until NULL
	line int // values until the number of the first line; 0 for none
}

type parser struct {
	data   []byte
	layout layout
	values []value
	refs   []int   // what Python 3's references mean
	terned []int   // what Python 2's do
	work   int     // values looked at for the answer
	seen   []int32 // in which round of the search for constants each value was
	round  int32
	bytes  int // of text in the answer
}

var errBad = errors.New("bad data")

// run reads one value with everything in it and returns its index.
func (p *parser) run() (int, error) {
	var open []frame
	root := -1
	for root < 0 || len(open) > 0 {
		if len(p.values) >= maxValues {
			return 0, ErrLimit
		}
		at, f, err := p.value()
		if err != nil {
			return 0, err
		}
		if root < 0 {
			root = at
		}
		if len(open) > 0 {
			top := &open[len(open)-1]
			switch {
			case at == null && top.left >= 0, at == null && p.values[top.at].kind == 'c':
				return 0, errBad
			case at == null:
				top.left = 0
			default:
				p.values[top.at].items = append(p.values[top.at].items, at)
				if top.left > 0 {
					top.left--
				}
			}
		} else if at == null {
			return 0, errBad
		}
		if f != nil {
			if len(open) >= maxDepth {
				return 0, ErrLimit
			}
			open = append(open, *f)
		}
		for len(open) > 0 {
			top := &open[len(open)-1]
			if top.line > 0 && len(p.values[top.at].items) == top.line {
				if _, err := p.take(4); err != nil {
					return 0, err
				}
				top.line = 0
			}
			if top.left != 0 {
				break
			}
			open = open[:len(open)-1]
		}
	}
	if p.values[root].kind != 'c' || !p.valid(root) {
		return 0, errBad
	}
	return root, nil
}

// null is the index that stands for the end of a dictionary.
const null = -2

func (p *parser) take(n int) ([]byte, error) {
	if n < 0 || n > len(p.data) {
		return nil, errBad
	}
	b := p.data[:n]
	p.data = p.data[n:]
	return b, nil
}

func (p *parser) int32() (int, error) {
	b, err := p.take(4)
	if err != nil {
		return 0, err
	}
	return int(int32(binary.LittleEndian.Uint32(b))), nil
}

// value reads one value. For a container it returns how to fill it.
func (p *parser) value() (int, *frame, error) {
	b, err := p.take(1)
	if err != nil {
		return 0, nil, err
	}
	kind := b[0] &^ flagRef
	at := len(p.values)
	n, f := 0, (*frame)(nil)
	switch kind {
	case '0':
		return null, nil, nil
	case 'r', 'R':
		n, err = p.int32()
		table := p.refs
		if kind == 'R' {
			table = p.terned
		}
		if err != nil || n < 0 || n >= len(table) {
			return 0, nil, errBad
		}
		return table[n], nil, nil
	case 'N', 'T', 'F', 'S', '.':
	case 'i':
		n = 4
	case 'I', 'g':
		n = 8
	case 'y':
		n = 16
	case 'f', 'x':
		if err := p.oldFloat(); err != nil {
			return 0, nil, err
		}
		if kind == 'x' {
			if err := p.oldFloat(); err != nil {
				return 0, nil, err
			}
		}
	case 'l':
		if n, err = p.int32(); err != nil || n > math.MaxInt32/2 || n < -math.MaxInt32/2 {
			return 0, nil, errBad
		}
		n = max(n, -n) * 2
	case 's', 't', 'u', 'a', 'A':
		n, err = p.int32()
	case 'z', 'Z':
		n, err = p.byte()
	case '(', '[', '<', '>':
		if n, err = p.int32(); err == nil && (n < 0 || n > len(p.data)) {
			err = errBad
		}
		f = &frame{at: at, left: n}
		n = 0
	case ')':
		n, err = p.byte()
		f = &frame{at: at, left: n}
		n = 0
	case '{':
		f = &frame{at: at, left: -1}
	case ':':
		f = &frame{at: at, left: 3}
	case 'c':
		n = 4 * p.layout.ints
		f = &frame{at: at, left: p.layout.objects + p.layout.after, line: p.layout.objects}
	default:
		return 0, nil, errBad
	}
	if err != nil {
		return 0, nil, err
	}
	text, err := p.take(n)
	if err != nil {
		return 0, nil, err
	}
	p.values = append(p.values, value{kind: kind, text: text})
	if b[0]&flagRef != 0 {
		p.refs = append(p.refs, at)
	}
	if kind == 't' {
		p.terned = append(p.terned, at)
	}
	return at, f, nil
}

func (p *parser) byte() (int, error) {
	b, err := p.take(1)
	if err != nil {
		return 0, err
	}
	return int(b[0]), nil
}

// oldFloat skips a number written as text.
func (p *parser) oldFloat() error {
	n, err := p.byte()
	if err == nil {
		_, err = p.take(n)
	}
	return err
}

func (p *parser) text(at int) (string, bool) {
	v := p.values[at]
	switch v.kind {
	case 's', 't', 'u', 'a', 'A', 'z', 'Z':
		if p.work, p.bytes = p.work+1, p.bytes+len(v.text); p.spent() {
			return "", true
		}
		return string(v.text), true
	}
	return "", false
}

func (p *parser) spent() bool { return p.work > maxWork || p.bytes > maxText }

func (p *parser) sequence(at int) bool {
	k := p.values[at].kind
	return k == '(' || k == ')'
}

// valid reports whether the values of a code object are of the types that
// Python asks for.
func (p *parser) valid(at int) bool {
	items := p.values[at].items
	if len(items) != p.layout.objects+p.layout.after {
		return false
	}
	_, ok := p.text(items[0])
	ok = ok && p.sequence(items[1]) && p.sequence(items[p.layout.names])
	for _, l := range p.layout.locals {
		ok = ok && p.sequence(items[l])
	}
	for i := range 2 {
		_, text := p.text(items[p.layout.file+i])
		ok = ok && text
	}
	return ok
}
