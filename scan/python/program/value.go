package program

import "modelwall/scan/python/syntax"

// kind tells values apart.
type kind uint8

const (
	unknown   kind = iota
	str            // text
	bytesKind      // text
	integer        // num
	ref            // text is the full name of something imported or built in
	inst           // an instance; text is the full name of its class or maker
	seq            // items: list, tuple, set
	mapping        // items: key, value, key, value…
	function       // fn
	class          // cls
	method         // text is the name, recv the object
	partial        // recv is the callable, items the arguments
	union          // items: any of them
	none
)

// taint is where a value came from and what was done to it.
type taint uint32

const (
	decoded    taint = 1 << iota // base64, zlib, a cipher…
	built                        // put together from numbers, reversed, xor-ed
	literal                      // from a long constant of this file
	net                          // came over the network
	fromFile                     // was read from a file
	secret                       // a key, a token file, all of the environment
	token                        // an environment variable that holds a token
	hostInfo                     // who and where
	compiled                     // a code object
	dropped                      // a path that something from the network was written to
	program                      // output of a process
	sourceFile                   // read from a file whose name says it is source code
	dataFile                     // read from a file whose name says it is not
	wire                         // a connection, or what came over one
	everywhere                   // a path found by walking all files
	fromHub                      // a file of another repository
)

// value is what an expression may come to. Values are shared: only taint may
// be added to one after it was made.
type value struct {
	kind   kind
	text   string
	holes  bool // parts of text are not known and stand as $_
	num    int64
	items  []*value
	fn     *fun
	cls    *cls
	recv   *value
	taint  taint
	params uint64 // parameters of the function at hand that it depends on
}

func of(t taint, params uint64) *value {
	return &value{taint: t, params: params}
}

func text(k kind, s string) *value { return &value{kind: k, text: s} }

func number(n int64) *value { return &value{kind: integer, num: n} }

func global(name string) *value { return &value{kind: ref, text: name} }

// known reports a constant string without holes.
func (v *value) known() bool { return (v.kind == str || v.kind == bytesKind) && !v.holes }

// merge is a value that may be either.
func merge(a, b *value) *value {
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	case a.kind == unknown && b.kind == unknown:
		return of(a.taint|b.taint, a.params|b.params)
	case a.kind == b.kind && a.kind == ref && a.text == b.text:
		return a
	case a.kind == none:
		return b
	case b.kind == none:
		return a
	}
	u := &value{kind: union, taint: a.taint | b.taint, params: a.params | b.params}
	for _, v := range []*value{a, b} {
		if v.kind == union {
			u.items = append(u.items, v.items...)
		} else {
			u.items = append(u.items, v)
		}
	}
	if len(u.items) > maxUnion {
		u.items = u.items[len(u.items)-maxUnion:]
	}
	return u
}

// each calls do with every value that v may be.
func (v *value) each(do func(*value)) {
	if v.kind != union {
		do(v)
		return
	}
	for _, i := range v.items {
		do(i)
	}
}

// all gathers taint and parameters from a value and what it contains.
func (v *value) all() (taint, uint64) {
	t, p := v.taint, v.params
	if v.kind != seq && v.kind != mapping && v.kind != inst && v.kind != union {
		return t, p
	}
	for i, k := range v.items {
		if k == nil || i > 256 {
			continue
		}
		t |= k.taint
		p |= k.params
		for j, l := range k.items {
			if l != nil && j < 64 {
				t |= l.taint
				p |= l.params
			}
		}
	}
	return t, p
}

// fun is a function or lambda of the file.
type fun struct {
	name    string
	params  []string
	deflt   []*value
	star    int // index of the first parameter that takes several arguments, -1
	ret     *value
	cls     *cls
	parent  *fun
	calls   map[*fun]bool
	named   map[string]bool // methods called on objects of unknown class
	facts   []int
	sinks   []sinkUse
	entry   bool
	applies uint64       // parameters that it calls
	value   *syntax.Node // of a lambda, its body
	reached bool
	scope   *scope
	sockets bool // opens a connection
	dups    bool // redirects descriptors to something
	spawns  bool // starts a shell
	body    bool // its calls are those of the module: class bodies
}

// sinkUse says that a parameter ends in a sink.
type sinkUse struct {
	param int
	sink  string
	off   int64
	part  bool // together with other text
}

// cls is a class of the file.
type cls struct {
	name    string
	bases   []*value
	methods map[string]*fun
	attrs   map[string]*value
}

// scope binds names.
type scope struct {
	names  map[string]*value
	parent *scope
	fn     *fun
	cls    *cls
	stars  []string // modules of "from m import *"
	global map[string]bool
	comp   bool // of a comprehension
}
