package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// problem is one thing that is wrong with a configuration.
type problem struct {
	where string // file, variable or flag
	line  int    // in the file, 0 elsewhere
	what  string
}

func (p problem) Error() string {
	if p.line > 0 {
		return fmt.Sprintf("%s:%d: %s", p.where, p.line, p.what)
	}
	return p.where + ": " + p.what
}

// document is what the shape check leaves of a YAML file: known keys, each
// once, with a value of the right YAML type.
type document struct {
	values   map[string]any // by full key
	lines    map[string]int
	problems []problem
}

// shape checks the text of the file called name against the known keys. It
// works on YAML's node tree, because once a document is a Go map, duplicate
// keys and line numbers are gone.
func shape(name string, text []byte) document {
	d := document{values: map[string]any{}, lines: map[string]int{}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return d // nothing but comments
	}
	if err != nil {
		d.problems = append(d.problems, problem{where: name, what: "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")})
		return d
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		d.problems = append(d.problems, problem{where: name, line: second.Line, what: "a second YAML document: one file is one configuration"})
	}
	w := walker{document: &d, file: name, keys: map[string]key{}, sections: map[string]bool{}}
	for _, k := range keys() {
		w.keys[k.name] = k
		w.names = append(w.names, k.name)
		if section, _, ok := strings.Cut(k.name, "."); ok && !w.sections[section] {
			w.sections[section] = true
			w.names = append(w.names, section)
		}
	}
	w.section("", root.Content[0])
	return d
}

type walker struct {
	*document
	file     string
	keys     map[string]key
	sections map[string]bool
	names    []string // of keys and sections, for suggestions
}

func (w *walker) problem(n *yaml.Node, format string, args ...any) {
	w.problems = append(w.problems, problem{where: w.file, line: n.Line, what: fmt.Sprintf(format, args...)})
}

// section checks the mapping n, whose keys all start with prefix. It calls
// itself for known sections only, so the schema bounds the depth.
func (w *walker) section(prefix string, n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		return // all its keys are commented out
	}
	if n.Kind != yaml.MappingNode {
		what := "the file"
		if prefix != "" {
			what = strings.TrimSuffix(prefix, ".")
		}
		w.problem(n, "%s: %s where keys with values are expected", what, describe(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		name := prefix + at.Value
		if at.Kind != yaml.ScalarNode {
			w.problem(at, "%s where the name of a key is expected", describe(at))
			continue
		}
		if line, dup := first[name]; dup {
			w.problem(at, "duplicate key %s: it is set on line %d already", strconv.Quote(name), line)
			continue
		}
		first[name] = at.Line
		k, known := w.keys[name]
		switch {
		case strings.Contains(at.Value, "."):
			w.problem(at, "unknown key %s: write sections as nested keys, not with dots", strconv.Quote(name))
		case known:
			w.lines[name] = at.Line
			w.leaf(k, value)
		case w.sections[name]:
			w.section(name+".", value)
		default:
			w.problem(at, "%s", unknown("key", name, w.names))
		}
	}
}

// leaf checks that the YAML type of n is the key's.
func (w *walker) leaf(k key, n *yaml.Node) {
	n = resolve(n)
	if isNull(n) {
		w.problem(n, "%s: no value: expected %s", k.name, expected(k.typ))
		return
	}
	var value any
	if !fits(k.typ, n) || n.Decode(&value) != nil {
		shown := describe(n)
		if k.secret() {
			shown = "the value"
		}
		w.problem(n, "%s: %s is not %s", k.name, shown, expected(k.typ))
		return
	}
	w.values[k.name] = value
}

// fits reports whether a key of type t can take n.
func fits(t reflect.Type, n *yaml.Node) bool {
	if t.Kind() == reflect.Slice {
		if n.Kind != yaml.SequenceNode {
			return false
		}
		for _, item := range n.Content {
			if !fits(t.Elem(), resolve(item)) {
				return false
			}
		}
		return true
	}
	if n.Kind != yaml.ScalarNode {
		return false
	}
	switch expected(t) {
	case "a whole number":
		var i int
		return n.ShortTag() == "!!int" && n.Decode(&i) == nil
	case "true or false":
		return n.ShortTag() == "!!bool"
	case "true, false or auto":
		return n.ShortTag() == "!!bool" || n.ShortTag() == "!!str"
	case "a size such as 64GiB":
		var i int64
		return n.ShortTag() == "!!str" || n.ShortTag() == "!!int" && n.Decode(&i) == nil && i >= 0
	}
	return n.ShortTag() == "!!str"
}

// resolve follows an alias; YAML has no alias of an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe names a node in an error message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		items := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			items = append(items, describe(resolve(item)))
		}
		return shorten("[" + strings.Join(items, ", ") + "]")
	}
	if n.ShortTag() == "!!str" {
		return shorten(strconv.Quote(n.Value))
	}
	return shorten(n.Value)
}

// shorten keeps a value from flooding a message.
func shorten(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// unknown words the error for a name that means nothing.
func unknown(what, name string, candidates []string) string {
	text := fmt.Sprintf("unknown %s %s", what, strconv.Quote(name))
	if near := nearest(name, candidates); near != "" {
		text += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return text
}
