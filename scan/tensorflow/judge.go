package tensorflow

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
	"modelwall/scan/internal/pb"
)

// judge judges the node that ends here.
func (v *visitor) judge() {
	n := &v.node
	v.sure = v.sure || common(n.op)
	s := v.scopes[len(v.scopes)-1]
	if len(n.values) > 0 {
		s.constant(n.name, n.values)
		for _, p := range n.values {
			if clue.Sensitive(p) {
				v.places.remember(p, n.off)
			}
		}
	}
	if passes(n.op) {
		s.pass(n.name, n.inputs)
	}
	v.attributes(n)
	if strings.Contains(n.op, ">") && len(v.custom) < maxCustom {
		if _, ok := v.custom[n.op]; !ok {
			v.custom[n.op] = n.off
		}
	}
	o, ok := find(v.ops, n.op)
	if !ok {
		return
	}
	v.sure = true
	if o.effect != other {
		v.places.use(n.op, o, n.off)
		s.use(n.name, n.op, o, n.off, n.inputs)
	}
	if o.severity > scan.Info {
		v.finding(rule(o), o.severity, o.technique, n.off, fmt.Sprintf("%s (node %s) %s", n.op, scan.Quote(n.name, 60), o.does))
	}
}

func rule(o operation) string {
	switch {
	case o.technique == "code-execution":
		return "tensorflow.python_op"
	case o.technique == "file-access" && o.effect == writes:
		return "tensorflow.write_op"
	case o.technique == "file-access":
		return "tensorflow.read_op"
	case o.technique == "network":
		return "tensorflow.network_op"
	}
	return "tensorflow.unsafe_op"
}

// attributes judges strings that are no inputs but part of a node.
func (v *visitor) attributes(n *node) {
	who := n.op + " (node " + scan.Quote(n.name, 60) + ")"
	for _, a := range n.attrs {
		quoted := scan.Quote(a.value, 120)
		switch {
		case n.op == "PrintV2" && a.name == "output_stream" && strings.HasPrefix(a.value, "file://"):
			v.finding("tensorflow.write_op", scan.SeverityMalicious, "file-access", n.off, who+" appends its input to "+quoted)
		case a.name == "debug_urls" && strings.HasPrefix(n.op, "Debug") && !strings.HasPrefix(a.value, "memcbk://"):
			v.finding("tensorflow.network_op", scan.SeverityMalicious, "network", n.off, who+" sends every value it sees to "+quoted)
		case n.op == "ImmutableConst" && a.name == "memory_region_name" && !strings.HasPrefix(a.value, "memmapped_package://"):
			v.finding("tensorflow.read_op", scan.SeverityMalicious, "file-access", n.off, who+" maps the file "+quoted+" into memory as its value")
		case clue.Sensitive(a.value):
			v.finding("tensorflow.sensitive_path", scan.SeveritySuspicious, "file-access", n.off, who+" has the attribute "+scan.Quote(a.name, 40)+" = "+quoted)
		}
	}
}

// asset judges the name of a file below assets/.
func (v *visitor) asset(val pb.Value) {
	name := string(val.Text)
	bad := func(sev scan.Severity, what string) {
		v.finding("tensorflow.asset_path", sev, "path-traversal", val.Start, "the asset "+scan.Quote(name, 120)+" "+what)
	}
	if val.Overlong() {
		bad(scan.SeveritySuspicious, "has a name longer than any system takes")
		return
	}
	switch clue.WhichPath(name) {
	case clue.Escapes:
		bad(scan.SeverityMalicious, "leaves the model's folder: initializers read that file")
	case clue.Broken:
		bad(scan.SeverityMalicious, "has control characters in its name")
	case clue.Absolute, clue.Remote:
		if clue.Sensitive(name) {
			bad(scan.SeverityMalicious, "is a file of the system")
			return
		}
		bad(scan.SeveritySuspicious, "is not below the model's folder")
	case clue.Roundabout:
		bad(scan.Low, "takes a way round")
	}
}

// collectionText judges a string of a collection, which whoever imports a
// MetaGraph reads back.
func (v *visitor) collectionText(val pb.Value) error {
	if clue.Printable(val.Text) {
		if c := v.texts.Command(string(val.Text)); c != "" {
			v.finding("tensorflow.collection_code", scan.SeveritySuspicious, "code-execution", val.Start,
				"the collection "+scan.Quote(v.collection, 60)+" holds a command: "+scan.Quote(c, 120))
		}
	}
	return v.object(val)
}
