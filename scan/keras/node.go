package keras

import "slices"

// kind of a value.
type kind uint8

const (
	other  kind = iota // a number, true, false, null
	text               // a string
	object             // {}
	array              // []
)

// node is a value of a configuration.
type node struct {
	kind   kind
	text   string   // of a text; of others as it is written
	cut    bool     // the text was longer
	keys   []string // of an object
	items  []*node  // of an object or an array
	known  []int    // where the keys that matter are
	twice  string   // a key that matters and that an object has more than once
	weight int      // of this and everything below, about 64 bytes each
	off    int64
}

// get returns the value of a key that matters, nil without one.
func (n *node) get(key string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	for _, i := range n.known {
		if n.keys[i] == key {
			return n.items[i]
		}
	}
	return nil
}

func (n *node) has(key string) bool { return n.get(key) != nil }

// str returns the text of a key that matters, "" without one.
func (n *node) str(key string) string {
	if v := n.get(key); v != nil && v.kind == text {
		return v.text
	}
	return ""
}

// matters reports whether a key is one that the judgement asks for.
func matters(key string) bool {
	switch key {
	case "class_name", "config", "module", "registered_name", "spec_name", "name",
		"function", "function_type", "fn", "fn_module", "function_module", "arguments", "code", "value", "defaults", "closure",
		"output_shape", "output_shape_type", "output_shape_module", "mask", "mask_type", "mask_module",
		"vocabulary", "idf_weights", "filepath", "file_path", "proto", "merges", "vocab_file", "cache_dir",
		"loss", "metrics", "weighted_metrics", "optimizer_config", "optimizer", "loss_weights", "activation",
		"url", "origin", "args", "call_fn", "init_fn", "node_def", "op", "vocabulary_file", "cls_symbol", "method_name", "attr_name":
		return true
	}
	return false
}

// Bounds of what is kept of one container while it is read; everything is
// judged, but of long lists only the beginning stays for what encloses them.
const (
	maxItems  = 4096
	fewItems  = 16 // when much is kept already, or when shrunk
	heavy     = 8 << 10
	crowded   = 300_000 // nodes of about 64 bytes
	overfull  = 1_000_000
	shortText = 1 << 10
)

// add appends a value, and returns by how much the weight of everything grew:
// less than nothing when the value was not kept.
func (n *node) add(key string, v *node, most int) (dropped int) {
	if n.kind == array {
		if len(n.items) >= most {
			return v.weight
		}
		n.items = append(n.items, v)
		n.weight += v.weight
		return 0
	}
	if matters(key) {
		for _, i := range n.known {
			if n.keys[i] == key { // the last one counts, as in Python
				n.twice = key
				dropped = n.items[i].weight
				n.weight += v.weight - dropped
				n.items[i] = v
				return dropped
			}
		}
		n.known = append(n.known, len(n.keys))
	} else if len(n.keys) >= most {
		return v.weight
	}
	n.keys = append(n.keys, key)
	n.items = append(n.items, v)
	n.weight += v.weight
	return 0
}

// shrink returns what has to stay of a judged value for those that enclose it:
// the keys that matter and the beginnings of lists, down to a depth.
func (n *node) shrink(depth int) *node {
	s := &node{kind: n.kind, text: n.text, cut: n.cut, twice: n.twice, off: n.off, weight: 1}
	if len(s.text) > shortText && depth == 0 {
		s.text, s.cut = s.text[:shortText], true
	}
	s.weight += len(s.text) / 64
	if depth == 0 || n.kind != object && n.kind != array {
		return s
	}
	for i, v := range n.items {
		if n.kind == object {
			if slices.Contains(n.known, i) {
				s.add(n.keys[i], v.shrink(depth-1), maxItems)
			}
		} else if i < fewItems {
			s.add("", v.shrink(depth-1), fewItems)
		}
	}
	return s
}

// texts returns the texts directly in an object or in a list directly in it.
func (n *node) texts() []string {
	var all []string
	for _, v := range n.items {
		switch v.kind {
		case text:
			all = append(all, v.text)
		case array:
			for _, e := range v.items {
				if e.kind == text {
					all = append(all, e.text)
				}
			}
		}
	}
	return all
}
