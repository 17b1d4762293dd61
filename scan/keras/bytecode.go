package keras

import (
	"errors"
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/keras/marshal"
)

// bytecode judges marshalled code, and tells whether it was any.
func (j *judge) bytecode(n *node, raw []byte, where string) bool {
	codes, err := marshal.Parse(raw)
	if errors.Is(err, marshal.ErrNotCode) {
		return false
	}
	if err != nil {
		j.lambdaFinding(n, scan.SeveritySuspicious, where+" has more code than is looked at")
	}
	var c capabilities
	for _, code := range codes {
		c.add(j.names, code)
	}
	switch {
	case len(c.harm) > 0:
		j.lambdaFinding(n, scan.SeverityMalicious, where+" runs code that uses "+list(c.harm))
	case !c.sound:
		j.lambdaFinding(n, scan.SeveritySuspicious, where+" runs code whose instructions can not be followed; it names "+list(c.unknown))
	case len(c.unknown) > 0:
		j.lambdaFinding(n, scan.SeveritySuspicious, where+" runs code that uses "+list(c.unknown)+", which is not known to be computation on tensors")
	case len(c.custom) > 0:
		j.lambdaFinding(n, scan.Low, where+" runs code that computes on tensors and uses "+list(c.custom)+", which has to be there")
	default:
		j.lambdaFinding(n, scan.Low, where+" runs code that computes on tensors and does nothing else")
	}
	return true
}

// capabilities are the names that code uses, by what they are known for.
type capabilities struct {
	harm    []string
	unknown []string
	custom  []string // variables that only their author's program has
	sound   bool
	seen    bool
}

func (c *capabilities) add(known *names, code marshal.Code) {
	u := code.Uses()
	c.sound = u.Sound && (c.sound || !c.seen)
	c.seen = true
	for _, name := range code.Names {
		if known.danger[name] || known.modules[root(name)] && slices.Contains(u.Imports, name) || strings.HasPrefix(name, "__") && name != "__len__" && name != "__name__" {
			c.harm = append(c.harm, name)
		}
	}
	for _, text := range code.Strings {
		if word := harmful.FindString(text); word != "" && len(text) < 4096 {
			c.unknown = append(c.unknown, text)
		}
	}
	for _, name := range slices.Concat(u.Attributes, u.Imports) {
		if !harmless(known, name) {
			c.unknown = append(c.unknown, name)
		}
	}
	for _, name := range u.Globals {
		switch {
		case known.tensor[name]:
		case known.stdlib[name], known.libraries[name], builtin(name):
			c.unknown = append(c.unknown, name)
		default:
			c.custom = append(c.custom, name)
		}
	}
	if !u.Sound {
		for _, name := range code.Names {
			if !harmless(known, name) {
				c.unknown = append(c.unknown, name)
			}
		}
	}
}

// harmless reports whether all parts of a dotted name are known for computing.
func harmless(known *names, name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if !known.tensor[part] {
			return false
		}
	}
	return true
}

// builtin are the functions of Python that reach further than their arguments.
func builtin(name string) bool {
	switch name {
	case "getattr", "setattr", "delattr", "hasattr", "dir", "locals", "input", "raw_input", "memoryview", "callable", "super", "object", "help", "id", "hash", "classmethod", "staticmethod", "property", "bytes", "bytearray", "file", "apply", "intern":
		return true
	}
	return false
}

// list quotes the first of some names, each once.
func list(all []string) string {
	const most = 8
	var seen, out []string
	for _, s := range all {
		if slices.Contains(seen, s) {
			continue
		}
		if len(out) == most {
			out = append(out, "...")
			break
		}
		seen = append(seen, s)
		out = append(out, scan.Quote(s, 60))
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}
