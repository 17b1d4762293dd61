package skops

import (
	"fmt"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// node judges an object that ends.
func (w *walk) node() {
	f := w.top()
	if len(f.facts) == 0 {
		return
	}
	classes, modules, loaders := f.all("__class__"), f.all("__module__"), f.all("__loader__")
	if f.key == "content" && len(classes) == 0 {
		w.content(f)
		return
	}
	if len(classes) == 0 || len(modules) == 0 {
		return
	}
	w.nodes++
	if differ(classes) || differ(modules) || differ(loaders) {
		w.finding("skops.duplicate", scan.SeveritySuspicious, "broken-file", f.facts[0].off,
			"a node says twice what it is: parsers disagree about which one counts")
	}
	for _, c := range classes {
		for _, m := range modules {
			if len(loaders) == 0 {
				w.bare(m.value, c)
			}
			for _, l := range loaders {
				w.judge(f, m.value, c, l.value)
			}
		}
	}
	w.tell(f, modules[len(modules)-1].value+"."+classes[len(classes)-1].value)
}

func differ(x []fact) bool {
	for i := range x {
		if x[i].value != x[0].value {
			return true
		}
	}
	return false
}

// bare judges a node without a loader, which skops can not load.
func (w *walk) bare(module string, class fact) {
	if v := w.names.Call(join(module, class.value)); v.Level == pyname.Dangerous {
		w.finding("skops.type", scan.SeveritySuspicious, techExecution, class.off, join(module, class.value)+" "+v.Why)
	}
}

func join(module, class string) string { return scan.Quote(module+"."+class, 120) }

// judge judges one reading of a node.
func (w *walk) judge(f *frame, module string, class fact, loader string) {
	name := module + "." + class.value
	if file := f.get("file"); refs.Escapes(file.value) || refs.Rooted(file.value) {
		w.finding("skops.file", scan.SeveritySuspicious, refs.TechTraversal, file.off, "a node reads a file outside of the archive: "+scan.Quote(file.value, 200))
	}
	switch loader {
	case "JsonNode":
		w.bitGenerator(f)
		return // JSON again, whatever the type says
	case "DTypeNode", "SliceNode", "CachedNode", "_DictWithDeprecatedKeysNode":
		return // the type is not looked up
	case "OperatorFuncNode":
		w.operator(module, class)
		return
	case "LossNode":
		if !strings.HasPrefix(module, "sklearn.") && module != "_loss" {
			w.finding("skops.loss", scan.SeverityMalicious, techExecution, class.off, "a LossNode makes "+scan.Quote(name, 120)+", which is no loss of scikit-learn")
			return
		}
	case "TreeNode":
		if name != "sklearn.tree._tree.Tree" {
			w.finding("skops.tree", scan.SeveritySuspicious, techExecution, class.off, "a TreeNode is "+scan.Quote(name, 120)+", which is no tree of scikit-learn")
		}
	case "MethodNode", "FunctionNode", "PartialNode", "TypeNode", "ObjectNode", "ConstructorFromReduceNode", "DictNode", "DefaultDictNode", "ListNode",
		"SetNode", "TupleNode", "BytesNode", "BytearrayNode", "NdArrayNode", "MaskedArrayNode", "RandomStateNode", "RandomGeneratorNode",
		"SparseMatrixNode", "QuantileForestNode":
	default:
		w.finding("skops.loader", scan.SeveritySuspicious, techExecution, class.off, "no version of skops has a loader "+scan.Quote(loader, 60))
	}
	w.named(name, loader, class.off)
}

// named judges the name that a node has imported.
func (w *walk) named(name, loader string, off int64) {
	v := w.names.Call(name)
	message := fmt.Sprintf("a %s has skops import %s, which %s", scan.Quote(loader, 40), scan.Quote(name, 120), v.Why)
	switch v.Level {
	case pyname.Dangerous:
		w.finding("skops.type", scan.SeverityMalicious, techExecution, off, message)
	case pyname.Risky:
		w.finding("skops.type", scan.SeveritySuspicious, techExecution, off, message)
	case pyname.Custom:
		w.finding("skops.type", scan.Low, refs.TechCustom, off, message)
	case pyname.Harmless:
	}
}

// operator judges a node that calls something of Python's operator module.
func (w *walk) operator(module string, class fact) {
	switch {
	case module != "operator":
		w.finding("skops.operator", scan.SeverityMalicious, techExecution, class.off,
			"an OperatorFuncNode calls operator."+clean(class.value)+" in the name of "+scan.Quote(module+"."+class.value, 120)+" to get past skops' audit (CVE-2025-54412)")
	case class.value == "itemgetter":
	case class.value == "attrgetter":
		w.finding("skops.operator", scan.Low, refs.TechCustom, class.off, "the model holds an attribute getter of operator")
	case class.value == "methodcaller":
		w.finding("skops.operator", scan.SeveritySuspicious, techExecution, class.off, "the model holds a method caller of operator")
	default:
		w.finding("skops.operator", scan.SeverityMalicious, techExecution, class.off, "an OperatorFuncNode calls operator."+clean(class.value))
	}
}

func clean(s string) string { return strings.Trim(scan.Quote(s, 60), `"`) }

// content judges the object under "content" that is no node itself: the
// function of a MethodNode, or of a FunctionNode of protocol 0.
func (w *walk) content(f *frame) {
	for _, x := range f.all("func") {
		if strings.HasPrefix(x.value, "__") {
			w.finding("skops.method", scan.SeverityMalicious, techExecution, x.off, "a MethodNode looks up "+scan.Quote(x.value, 60)+": it reaches into the interpreter")
		}
	}
	for _, m := range f.all("module_path") {
		for _, x := range f.all("function") {
			w.named(m.value+"."+x.value, "FunctionNode", x.off)
		}
	}
	// Hand the type of the bound object on to the MethodNode.
	if x := f.get("obj"); x.value != "" && len(w.stack) > 1 {
		w.stack[len(w.stack)-2].put(x)
	}
}

// tell has the objects around a node know what it is, and compares a
// MethodNode with the object that it is bound to.
func (w *walk) tell(f *frame, name string) {
	if f.key == "obj" && len(w.stack) > 1 {
		w.stack[len(w.stack)-2].put(fact{"obj", name, 0})
	}
	if f.get("__loader__").value != "MethodNode" {
		return
	}
	if x := f.get("obj"); x.value != "" && x.value != name {
		sev := scan.SeverityMalicious
		if last(x.value) == last(name) {
			// Older versions wrote the module of an inherited method.
			sev = scan.SeveritySuspicious
		}
		w.finding("skops.method", sev, techExecution, f.facts[0].off,
			"a MethodNode says that it is of "+scan.Quote(name, 100)+" and is bound to "+scan.Quote(x.value, 100)+", to get past skops' audit (CVE-2025-54413)")
	}
}

func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// bitGenerator judges the name that RandomGeneratorNode looks up in
// numpy.random.
func (w *walk) bitGenerator(f *frame) {
	if f.key != "bit_generator" {
		return
	}
	x := f.get("content")
	switch strings.Trim(x.value, `"`) {
	case "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64":
	default:
		w.finding("skops.random", scan.SeveritySuspicious, techExecution, x.off, "a bit generator that NumPy does not have: "+scan.Quote(x.value, 60))
	}
}
