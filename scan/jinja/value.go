package jinja

import (
	"slices"
	"strings"
)

// hole stands in a string for a part that is not known.
const hole = '\uffff'

const holeText = string(hole)

// value is what an expression can come to, as far as the template decides it.
type value struct {
	// texts are the strings it can be, with holes; nil when it is no string
	// that is known at all.
	texts []string
	// open: it can be something else as well, which comes from the caller.
	open bool
	// own: nothing but the template and Jinja's own globals goes into it, and
	// still it could not be worked out.
	own bool

	num   int64
	isNum bool

	items []value  // of a list, a tuple, or a mapping's values
	keys  []string // of a mapping
	shape shape
	// weight counts the values in items, at all depths.
	weight int

	// path is how the template spells it, for messages and for namespaces.
	path string
	// name is the variable it is, when it is nothing else.
	name string
	// method is the attribute that was looked up last, on recv.
	method string
	recv   *value
	off    int64 // where it became an internal of Python
	// walked counts Python internals on the path.
	walked int
	// twice names the variable that was appended to itself.
	twice string
	// span is how many steps a loop over it takes.
	span int64
}

// shape tells containers apart.
type shape uint8

const (
	plain shape = iota
	list
	mapping
	shuffled // a list in an order that is not known
)

// Bounds of what is kept of one value.
const (
	maxTexts = maxItems
	maxPairs = 48  // of texts that are put together
	maxText  = 200 // bytes
	maxItems = 64
	maxGrown = 24  // texts of a variable that came one after another
	maxPath  = 120 // bytes
	// maxWeight is how many values one value or one call's arguments hold.
	maxWeight = 160
)

func unknown() value { return value{} }

// ownValue is a value that is made of the template alone.
func ownValue() value { return value{own: true} }

func textValue(s string) value {
	if len(s) > maxText {
		return value{texts: []string{holeText}, own: true}
	}
	return value{texts: []string{s}}
}

func numValue(n int64) value { return value{num: n, isNum: true} }

func textsValue(texts []string, like ...value) value {
	v := value{}
	for _, t := range texts {
		v.addText(t)
	}
	for _, l := range like {
		v.open = v.open || l.open
		v.own = v.own || l.own
	}
	return v
}

// addText appends to a slice that has to be v's own, as do addItem and addKey.
func (v *value) addText(s string) {
	if len(s) > maxText {
		s = holeText
		v.own = true
	}
	switch {
	case slices.Contains(v.texts, s):
	case len(v.texts) < maxTexts:
		v.texts = append(v.texts, s)
	default:
		v.own = true // one of more than are followed
	}
}

// known reports whether v is one of its texts and nothing else.
func (v value) known() bool { return len(v.texts) > 0 && !v.open && !v.own && !v.holes() }

func (v value) holes() bool {
	return slices.ContainsFunc(v.texts, func(s string) bool { return strings.ContainsRune(s, hole) })
}

// template reports whether nothing but the template goes into v.
func (v value) template() bool {
	if v.own || v.isNum {
		return true
	}
	if v.shape != plain {
		return !v.open && !slices.ContainsFunc(v.items, func(i value) bool {
			return !i.own && !i.isNum && (len(i.texts) == 0 || i.open || i.holes())
		})
	}
	return v.known()
}

// pieces returns what v is as a string: its texts, or a hole.
func (v value) pieces() []string {
	switch {
	case len(v.texts) > 0:
		return v.texts
	case v.isNum:
		return []string{itoa(v.num)}
	}
	return []string{holeText}
}

// fresh returns v without what is true of the expression rather than of its
// value.
func (v value) fresh() value {
	v.name, v.twice = "", ""
	return v
}

// union returns what is either a or b.
func union(a, b value) value {
	v := a.fresh()
	v.texts, v.items, v.keys = slices.Clone(a.texts), slices.Clone(a.items), slices.Clone(a.keys)
	v.merge(b)
	return v
}

// merge makes v what is either v or b. The slices have to be v's own.
func (v *value) merge(b value) {
	v.open = v.open || b.open || v.bare() || b.bare()
	v.own = v.own || b.own
	v.walked = max(v.walked, b.walked)
	v.isNum = v.isNum && b.isNum
	v.num = max(v.num, b.num)
	v.span = max(v.span, b.span)
	for _, t := range b.texts {
		v.addText(t)
	}
	if b.shape != plain {
		if v.shape != b.shape && v.shape != plain {
			v.shape = shuffled
		} else {
			v.shape = b.shape
		}
		for _, i := range b.items {
			v.addItem(i)
		}
		for _, k := range b.keys {
			v.addKey(k)
		}
	}
	if v.method == "" && b.method != "" {
		v.method, v.recv, v.path = b.method, b.recv, b.path
	}
}

// bare reports that nothing is known of v.
func (v value) bare() bool {
	return len(v.texts) == 0 && !v.own && !v.isNum && v.shape == plain
}

// bareText reports that nothing is known of v as a string.
func (v value) bareText() bool { return len(v.texts) == 0 && !v.isNum }

// stored returns v as a variable keeps it.
func (v value) stored() value {
	if v.recv != nil {
		r := *v.recv
		r.recv = nil
		v.recv = &r
	}
	return v.fresh()
}

func (v *value) addItem(i value) {
	i.recv = nil
	if len(v.items) >= maxItems {
		v.own = true
		return
	}
	if v.weight+1+i.weight > maxWeight {
		i = i.light()
	}
	v.weight += 1 + i.weight
	v.items = append(v.items, i)
}

// light returns v without what it holds.
func (v value) light() value {
	if v.shape == plain {
		return v
	}
	own := v.template()
	return value{own: own, open: !own, path: v.path}
}

func (v *value) addKey(k string) {
	if len(v.keys) < maxItems && !slices.Contains(v.keys, k) {
		v.keys = append(v.keys, k)
	}
}

// any returns what any of v's items can be.
func (v value) any() value {
	if len(v.items) == 0 {
		if v.own {
			return ownValue()
		}
		return unknown()
	}
	u := v.items[0]
	if len(v.items) > 1 {
		u = union(u, v.items[1])
		for _, i := range v.items[2:] {
			u.merge(i)
		}
	}
	u.own = u.own || v.own
	u.open = u.open || v.open
	return u
}

// step adds to a path.
func step(path, more string) string {
	if len(path)+len(more) > maxPath {
		if strings.HasSuffix(path, "...") {
			return path
		}
		return path + "..."
	}
	return path + more
}
