package keras

import (
	"regexp"

	"go.yaml.in/yaml/v3"

	"modelwall/scan"
)

// maxYAML bounds a YAML text, in bytes. Keras wrote those until 2.5 and never
// put weights in.
const maxYAML = 512 << 10

// An object of Keras in YAML's block or flow form.
var (
	yamlClass  = regexp.MustCompile(`(?m)(^[ \t\-?]*|[{,][ \t]*)["']?class_name["']?[ \t]*:`)
	yamlConfig = regexp.MustCompile(`(?m)(^[ \t\-?]*|[{,][ \t]*)["']?config["']?[ \t]*:`)
)

// yaml judges the objects of a YAML text.
func (s *source) yaml(j *judge) error {
	b := make([]byte, min(s.f.Size, maxYAML))
	if err := s.raw(b, 0); err != nil {
		return err
	}
	if !yamlClass.Match(b) || !yamlConfig.Match(b) {
		return foreign("no object with a class and a configuration")
	}
	var doc yaml.Node
	err := yaml.Unmarshal(b, &doc)
	switch {
	case s.f.Size > maxYAML:
		j.claim()
		return scan.Limit(maxYAML, "a YAML text of more than %d bytes", maxYAML)
	case err != nil:
		return foreign("not YAML")
	}
	j.tree(&doc)
	return nil
}

// tree turns a document into values, the inner ones first, and judges them.
func (j *judge) tree(doc *yaml.Node) {
	type frame struct {
		y    *yaml.Node
		n    *node
		next int
	}
	done := map[*yaml.Node]*node{}
	start := func(y *yaml.Node) frame {
		n := &node{weight: 1, off: 0, text: y.Value}
		switch y.Kind {
		case yaml.MappingNode:
			n.kind = object
		case yaml.SequenceNode, yaml.DocumentNode:
			n.kind = array
		case yaml.ScalarNode:
			if y.Tag != "!!null" && y.Tag != "!!bool" && y.Tag != "!!int" && y.Tag != "!!float" {
				n.kind = text
			}
		}
		done[y] = n
		return frame{y: y, n: n}
	}
	stack := []frame{start(doc)}
	for len(stack) > 0 && j.stopped == nil {
		top := &stack[len(stack)-1]
		if top.next < len(top.y.Content) {
			c := top.y.Content[top.next]
			key := ""
			if top.y.Kind == yaml.MappingNode {
				if top.next%2 == 0 {
					top.next++
					continue
				}
				key = top.y.Content[top.next-1].Value
			}
			if c.Kind == yaml.AliasNode {
				c = c.Alias
			}
			if n, ok := done[c]; ok { // an alias, or judged just now
				top.n.add(key, n, maxItems)
				top.next++
				continue
			}
			stack = append(stack, start(c))
			continue
		}
		j.container(top.n)
		stack = stack[:len(stack)-1]
	}
}
