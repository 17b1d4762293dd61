package jinja

import (
	"strings"

	"modelwall/scan"
)

// textFilter returns what a filter or a method without arguments makes of a
// string, nil for those that do something else.
func textFilter(name string) func(string) string {
	switch name {
	case "lower", "casefold":
		return strings.ToLower
	case "upper":
		return strings.ToUpper
	case "capitalize":
		return capitalize
	case "title":
		return title
	case "swapcase":
		return swapCase
	case "trim", "strip", "lstrip", "rstrip":
		return strings.TrimSpace
	case "string", "safe", "e", "escape", "forceescape", "striptags":
		return func(s string) string { return s }
	}
	return nil
}

// filter is v|name(args).
func (j *judge) filter(off int64, name string, v value, args *arguments) value {
	if f := textFilter(name); f != nil && len(args.list) == 0 && v.shape == plain {
		out := apply(v, f)
		out.path = v.path
		if len(v.texts) == 0 && !v.isNum && v.own { // the text of a function, of which letters can be taken
			out.own = true
		}
		return out
	}
	first := args.at(0, "")
	switch name {
	case "attr":
		return j.attr(off, v, args.at(0, "name"))
	case "join":
		sep := args.at(0, "d")
		if a := args.at(1, "attribute"); len(a.texts) > 0 {
			j.attributePaths(off, v, a)
		}
		return j.built(off, join(v, sep), append(v.items, sep)...)
	case "replace":
		return j.replace(off, v, first, args.at(1, ""))
	case "strip", "lstrip", "rstrip", "removeprefix", "removesuffix":
		return j.stripped(off, name, v, first)
	case "format":
		if len(v.texts) > 0 {
			return j.formatted(off, v, args.list)
		}
	case "reverse":
		if v.shape == list {
			return slice(v, [3]value{2: numValue(-1)}, [3]bool{2: true})
		}
		if len(v.texts) > 0 {
			return j.built(off, apply(v, reverse), v)
		}
	case "list", "split":
		if name == "split" {
			return split(v, first)
		}
		return characters(v)
	case "first", "last":
		l := v
		if v.shape == plain {
			l = characters(v)
		}
		if len(l.items) > 0 {
			n := int64(0)
			if name == "last" {
				n = -1
			}
			return item(l, n)
		}
	case "default", "d":
		return union(v, first)
	case "center", "indent", "wordwrap":
		if w := args.at(0, "width"); w.isNum && w.num > maxRepeats {
			j.find("bomb", scan.SeveritySuspicious, "bomb", off, "a string is padded to %d characters", w.num)
		}
	}
	if readsAttribute(name) {
		return j.filterAttributes(off, name, v, args)
	}
	switch name {
	case "items", "dictsort", "slice", "batch":
		if v.shape != plain {
			v.shape = shuffled
			return v
		}
	case "length", "count", "wordcount", "int", "float", "abs", "round":
		if len(v.texts) == 1 && v.known() {
			return value{}
		}
		return unknown()
	}
	out := derived(append(args.all(), v)...)
	out.walked, out.path = v.walked, step(v.path, "|"+name)
	return out
}

// attr is v|attr(name): an attribute and nothing else, so a name that comes
// from anywhere but the template's text is a question of its own.
func (j *judge) attr(off int64, v, name value) value {
	if name.known() {
		out := j.key(off, v, name, "|attr")
		return out
	}
	out := j.key(off, v, name, "|attr")
	if !name.own {
		j.find("computed-name", scan.SeveritySuspicious, "obfuscation", off, "an attribute of %s is looked up by a name that is only known when the template runs", scan.Quote(v.path, maxPath))
	}
	out.walked++
	return out
}

// attributePaths judges 'a.b,c' as the filters read it.
func (j *judge) attributePaths(off int64, v, name value) {
	for _, t := range name.texts {
		base := value{path: v.path}
		for _, part := range strings.FieldsFunc(t, func(r rune) bool { return r == '.' || r == ',' }) {
			base = j.attribute(off, base, part, "|attr")
		}
		if holed(t) {
			j.computed(off, v, t)
		}
	}
}

// filterAttributes judges the filters that look up attributes of items.
func (j *judge) filterAttributes(off int64, name string, v value, args *arguments) value {
	for _, a := range args.all() {
		for _, part := range append([]value{a}, a.items...) {
			j.attributePaths(off, v, part)
		}
	}
	inner := args.at(0, "")
	out := value{shape: v.shape, items: v.items, weight: v.weight, own: v.own, open: v.open, walked: v.walked, path: step(v.path, "|"+name)}
	if v.shape != plain && name != "map" {
		if name == "sort" || name == "groupby" || name == "unique" {
			out.shape = shuffled
		}
		if name == "min" || name == "max" || name == "sum" {
			return v.any()
		}
		return out
	}
	if name == "map" && len(inner.texts) > 0 && v.shape == list {
		rest := arguments{named: args.named, more: args.more}
		if len(args.list) > 0 {
			rest.list = args.list[1:]
		}
		mapped := value{shape: list, own: v.own, open: v.open}
		for _, i := range v.items {
			mapped.addItem(j.filter(off, inner.texts[0], i, &rest))
		}
		return mapped
	}
	if name == "map" && len(inner.texts) > 0 && inner.texts[0] == "attr" {
		j.attr(off, v, args.at(1, "name"))
	}
	if v.template() { // a generator that nothing but the template made
		out.own = true
	}
	return out
}

// replace is v.replace(old, new).
func (j *judge) replace(off int64, v, old, with value) value {
	if len(v.texts) == 0 || len(old.texts) != 1 || len(with.texts) != 1 {
		out := derived(v, old, with)
		if len(v.texts) > 0 && (len(old.texts) > 0 || len(with.texts) > 0) {
			out.texts = []string{holeText}
		}
		return out
	}
	return j.built(off, apply(v, func(s string) string {
		if old.texts[0] == "" && len(s)*len(with.texts[0]) > maxText {
			return holeText
		}
		return strings.ReplaceAll(s, old.texts[0], with.texts[0])
	}), v, with)
}

// stripped is v.strip(characters) and its like.
func (j *judge) stripped(off int64, name string, v, set value) value {
	if len(set.texts) != 1 {
		return derived(v, set)
	}
	cut := set.texts[0]
	f := map[string]func(string) string{
		"strip":        func(s string) string { return strings.Trim(s, cut) },
		"lstrip":       func(s string) string { return strings.TrimLeft(s, cut) },
		"rstrip":       func(s string) string { return strings.TrimRight(s, cut) },
		"removeprefix": func(s string) string { return strings.TrimPrefix(s, cut) },
		"removesuffix": func(s string) string { return strings.TrimSuffix(s, cut) },
	}[name]
	return j.built(off, apply(v, f), v)
}

// split is v.split(sep).
func split(v, sep value) value {
	if !v.known() || len(v.texts) != 1 {
		out := derived(v, sep)
		out.shape = shuffled
		out.open = !out.own
		return out
	}
	parts := strings.Fields(v.texts[0])
	if len(sep.texts) == 1 && sep.texts[0] != "" {
		parts = strings.Split(v.texts[0], sep.texts[0])
	}
	out := value{shape: list}
	for _, p := range parts {
		out.addItem(textValue(p))
	}
	return out
}
