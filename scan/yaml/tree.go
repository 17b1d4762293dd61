package yaml

import (
	"strings"
)

// events takes what a tree finds out.
type events interface {
	tag(tag string, off int64)
	key(key string)
	value(t *tree, key string, text []byte, off int64)
	mapping(t *tree, f *frame) // or a sequence, that ends
	structure()                // there is a mapping or a sequence
	bomb(nodes, off int64)
	deep(off int64)
	limit(off int64, what string)
	document() error
}

// tree follows the structure of one document: which scalar is the key of
// which value, and how much every anchor stands for.
type tree struct {
	out    events
	err    error // of the sink
	frames []frame
	last   scalar // the last node, which a colon may yet make a key
	props  props  // before the next node
	outer  props  // before the collection that the next key begins
	start  int64  // of the flow collection that begins
	closed int64  // where the flow collection began that was closed last
	done   bool   // the document has its root
	begun  bool
	tags   map[string]string // handles of this document
	known  map[string]anchor
	nodes  int64
}

// scalar is a scalar or an alias.
type scalar struct {
	is    bool
	start int64 // of its properties, or of itself
	off   int64
	text  []byte
	props props
	weigh int64
}

// props are what stands before a node.
type props struct {
	is     bool
	start  int64
	anchor string
	tag    string
}

// frame is an open collection.
type frame struct {
	kind     byte // '-', ':' or '?' for block collections, '[' or '{'
	start    int64
	explicit bool // a "?" waits for its key
	key      string
	parent   string // the key of this value in the collection around it
	anchor   string
	weight   int64
	facts    []fact
}

// fact is a member of a mapping that a rule about the whole mapping needs.
type fact struct {
	key, value string
	off        int64
}

// anchor is what an alias stands for.
type anchor struct {
	text   string
	weight int64
}

// Bounds of what is kept.
const (
	maxAnchors    = 50_000
	maxAnchorText = 256
	maxKey        = 128
	maxTags       = 100
)

// Bounds beyond which aliases make a bomb: nodes, and nodes for each one that
// is spelled out.
const (
	bombNodes = 10_000_000
	bombRatio = 100
)

func newTree(out events) *tree {
	t := &tree{out: out}
	t.clear()
	return t
}

// clear begins a document.
func (t *tree) clear() {
	t.frames = t.frames[:0]
	t.last.is, t.props, t.outer = false, props{}, props{}
	t.done, t.begun, t.closed, t.nodes = false, false, -1, 0
	t.tags = nil
	t.known = nil
}

// empty reports whether directives may stand here.
func (t *tree) empty() bool {
	return !t.begun && !t.done && len(t.frames) == 0 && !t.last.is && !t.props.is
}

func (t *tree) begin() { t.begun = true }

// document ends the document.
func (t *tree) document() {
	t.flush()
	tags := t.tags
	if t.done || t.begun {
		tags = nil // directives are of one document
	}
	t.err = t.out.document()
	t.clear()
	t.tags = tags
}

func (t *tree) directive(line string) {
	f := strings.Fields(line)
	if len(f) >= 3 && f[0] == "%TAG" && len(t.tags) < maxTags {
		if t.tags == nil {
			t.tags = map[string]string{}
		}
		t.tags[f[1]] = unescape([]byte(f[2]))
	}
}

func (t *tree) top() *frame {
	if len(t.frames) == 0 {
		return nil
	}
	return &t.frames[len(t.frames)-1]
}

// property begins the properties of the next node.
func (t *tree) property(off int64, fresh bool) {
	t.flush()
	if fresh && t.props.is {
		t.outer, t.props = t.props, props{}
	}
	if !t.props.is {
		t.props = props{is: true, start: off}
	}
}

// handle reports whether tags may begin with a handle.
func (t *tree) handle(handle string) bool {
	_, declared := t.tags[handle]
	return declared || handle == "!!"
}

func (t *tree) tag(handle, suffix string, off int64, fresh bool) {
	t.property(off, fresh)
	full := suffix
	if handle != "" {
		prefix, ok := t.tags[handle]
		if !ok && handle == "!!" {
			prefix, ok = "tag:yaml.org,2002:", true
		}
		if !ok {
			prefix = handle
		}
		full = prefix + suffix
	}
	t.props.tag = full
	t.out.tag(full, off)
}

func (t *tree) anchor(name string, off int64, fresh bool) {
	t.property(off, fresh)
	t.props.anchor = name
}

// another begins a document of its own where a node follows the root, as
// ruamel.yaml does; to others that is an error behind a whole document.
func (t *tree) another() {
	if len(t.frames) > 0 || !t.done {
		return
	}
	own := t.props
	t.document()
	t.props = own
}

// node begins a flow collection.
func (t *tree) node(off int64, fresh bool) {
	t.flush()
	t.another()
	t.start = off
	if t.props.is && !fresh {
		t.start = t.props.start
	}
}

// alias takes an alias.
func (t *tree) alias(name string, off int64, fresh bool) {
	a := t.known[name]
	t.leaf([]byte(a.text), off, fresh, max(1, a.weight))
}

// leaf takes a scalar, or an alias with what it stands for.
func (t *tree) leaf(text []byte, off int64, fresh bool, weight int64) {
	t.flush()
	t.another()
	if fresh && t.props.is {
		t.outer, t.props = t.props, props{}
	}
	s := &t.last
	s.is, s.off, s.start, s.weigh = true, off, off, weight
	s.text = append(s.text[:0], text...)
	if t.props.is {
		s.start = t.props.start
	}
	s.props, t.props = t.props, props{}
}

// flush takes the last node for a value, since nothing made it a key.
func (t *tree) flush() {
	s := &t.last
	if !s.is {
		return
	}
	s.is = false
	t.remember(s.props.anchor, s.text, s.weigh)
	f := t.top()
	if f == nil {
		t.done = true
		t.weigh(nil, s.weigh)
		t.out.value(t, "", s.text, s.off)
		return
	}
	t.weigh(f, s.weigh)
	if f.explicit {
		f.explicit = false
		f.key = string(s.text[:min(len(s.text), maxKey)])
		return
	}
	t.out.value(t, f.name(), s.text, s.off)
}

// name is the key of the values in a collection: the current one in a
// mapping, that of the whole sequence in a sequence.
func (f *frame) name() string {
	if f.key == "" && (f.kind == '-' || f.kind == '[') {
		return f.parent
	}
	return f.key
}

func (t *tree) remember(name string, text []byte, weight int64) {
	if name == "" {
		return
	}
	if len(t.known) >= maxAnchors {
		t.out.limit(t.last.off, "anchors")
		return
	}
	if t.known == nil {
		t.known = map[string]anchor{}
	}
	if len(text) > maxAnchorText {
		text = nil
	}
	t.known[name] = anchor{string(text), weight}
}

// weigh adds the nodes that a value stands for.
func (t *tree) weigh(f *frame, n int64) {
	t.nodes++
	if f == nil {
		return
	}
	f.weight = min(f.weight+n, 1<<60)
	if f.weight > bombNodes && f.weight/bombRatio > t.nodes {
		t.out.bomb(f.weight, t.last.off)
	}
}

// push opens a collection.
func (t *tree) push(kind byte, off int64) {
	// The key of a mapping that begins with it stays open.
	first := kind == ':' && (t.last.is && t.last.start == off || !t.last.is && t.closed == off)
	if !first {
		t.flush()
	} else if len(t.frames) == 0 {
		t.done = false
	}
	f := frame{kind: kind, start: off}
	if kind == '[' || kind == '{' {
		f.start = t.start
	}
	if p := t.top(); p != nil {
		f.parent = p.name()
	}
	own := &t.props
	if kind == ':' {
		own = &t.outer
		if !first {
			own = &t.props
		}
	}
	f.anchor = own.anchor
	*own = props{}
	if n := len(t.frames); n < cap(t.frames) {
		f.facts = t.frames[:n+1][n].facts[:0]
	}
	t.frames = append(t.frames, f)
}

// pop closes a collection.
func (t *tree) pop() {
	t.flush()
	n := len(t.frames)
	if n == 0 {
		return
	}
	f := &t.frames[n-1]
	t.props, t.outer = props{}, props{}
	t.out.mapping(t, f)
	weight := f.weight + 1
	t.remember(f.anchor, nil, weight)
	t.frames = t.frames[:n-1]
	t.closed = -1
	if f.kind == '[' || f.kind == '{' {
		t.closed = f.start
	}
	p := t.top()
	t.weigh(p, weight)
	if p == nil {
		t.done = true
	} else if p.explicit {
		p.explicit, p.key = false, ""
	}
}

// key says that the node that began at off is a key, -1 for one that was
// announced by a question mark or is empty.
func (t *tree) key(off int64) {
	s := &t.last
	if off < 0 || !s.is || s.start != off {
		t.flush()
		if f := t.top(); f != nil {
			f.explicit = false
			if off >= 0 {
				f.key = ""
			}
		}
		t.out.structure()
		return
	}
	s.is = false
	t.remember(s.props.anchor, s.text, 1)
	if f := t.top(); f != nil {
		f.key = string(s.text[:min(len(s.text), maxKey)])
		t.out.key(f.key)
	}
}

// mark takes "-" or "?".
func (t *tree) mark(c byte) {
	t.flush()
	t.out.structure()
	if f := t.top(); f != nil && c == '?' {
		f.explicit, f.key = true, ""
	}
}

// entry takes a comma.
func (t *tree) entry() {
	t.flush()
	if f := t.top(); f != nil {
		f.key, f.explicit = "", false
	}
}
