package tensorflow

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// Bounds of a scope: nodes that are remembered of each kind. Beyond them a
// path may stay unresolved; what an operation does is reported all the same.
const (
	maxConstants = 4096
	maxPasses    = 16_384
	maxUses      = 1024
	maxSteps     = 256 // nodes visited to resolve one path
)

// place reports whether s is a string that leads somewhere: out of the
// model's folder, or to what no model should touch.
func place(s string) bool {
	if s == "" || strings.ContainsAny(s, "\n\r\x00") {
		return false
	}
	return clue.WhichPath(s) != clue.Inside || clue.Sensitive(s)
}

// scope is a graph or a function: names of nodes are its own. A node may
// stand before its inputs, so paths are resolved at the end.
type scope struct {
	constants map[string][]string // the places in a constant, by node
	passes    map[string][]string // the inputs of nodes that hand a path on
	uses      []use
}

// use is a node that opens files.
type use struct {
	name, op string
	what     operation
	off      int64
	inputs   []string
}

func newScope() *scope {
	return &scope{constants: map[string][]string{}, passes: map[string][]string{}}
}

func (s *scope) constant(name string, values []string) {
	if len(s.constants) < maxConstants {
		s.constants[name] = values
	}
}

func (s *scope) pass(name string, inputs []string) {
	if len(s.passes) < maxPasses && len(inputs) > 0 {
		s.passes[name] = append([]string(nil), inputs...)
	}
}

func (s *scope) use(name, op string, what operation, off int64, inputs []string) {
	if len(s.uses) < maxUses {
		s.uses = append(s.uses, use{name, op, what, off, append([]string(nil), inputs...)})
	}
}

// resolve judges the operations of a scope that open files by the constants
// that reach them.
func (v *visitor) resolve(s *scope) {
	for _, u := range s.uses {
		if v.ctx.Err() != nil {
			return
		}
		for _, p := range s.paths(u.inputs) {
			v.opens(u, p)
		}
	}
}

// paths follows inputs to the places in string constants.
func (s *scope) paths(inputs []string) []string {
	if len(s.constants) == 0 {
		return nil
	}
	var found []string
	seen := map[string]bool{}
	queue := append([]string(nil), inputs...)
	for i := 0; i < len(queue) && i < maxSteps; i++ {
		name, _, _ := strings.Cut(strings.TrimPrefix(queue[i], "^"), ":")
		if seen[name] {
			continue
		}
		seen[name] = true
		found = append(found, s.constants[name]...)
		queue = append(queue, s.passes[name]...)
	}
	return found
}

// opens judges an operation that opens path.
func (v *visitor) opens(u use, path string) {
	sev := u.what.severity
	outside := false
	switch clue.WhichPath(path) {
	case clue.Absolute, clue.Escapes, clue.Broken:
		outside = true
	}
	switch {
	case clue.Sensitive(path):
		sev = scan.SeverityMalicious
	case outside && u.op == "ReadFile":
		sev = scan.SeverityMalicious
	case outside && u.what.effect == writes && u.what.does == doesCheckpoint:
		sev = max(sev, scan.SeveritySuspicious)
	}
	v.finding(rule(u.what), max(sev, scan.Low), u.what.technique, u.off,
		fmt.Sprintf("%s (node %s) %s: %s", u.op, scan.Quote(u.name, 60), u.what.does, scan.Quote(path, 120)))
}

// places are the paths and the operations of a file that are dangerous
// together, wherever they stand: a path may reach an operation as the argument
// of a function.
type places struct {
	path, op        string
	pathOff, useOff int64
	what            operation
}

func (p *places) remember(path string, off int64) {
	if p.path == "" {
		p.path, p.pathOff = path, off
	}
}

func (p *places) use(op string, what operation, off int64) {
	if p.op == "" || checkpoint(p.what) {
		p.op, p.what, p.useOff = op, what, off
	}
}

func checkpoint(o operation) bool { return o.does == doesCheckpoint || o.does == doesRestore }

// together judges a path of the system in a file that opens files.
func (v *visitor) together() {
	p := v.places
	switch {
	case p.path == "":
	case p.op != "" && !checkpoint(p.what):
		v.finding("tensorflow.sensitive_path", scan.SeverityMalicious, "file-access", p.pathOff,
			fmt.Sprintf("the graph holds the path %s, and %s %s", scan.Quote(p.path, 120), p.op, p.what.does))
	default:
		v.finding("tensorflow.sensitive_path", scan.Low, "file-access", p.pathOff, "the graph holds the path "+scan.Quote(p.path, 120))
	}
}
