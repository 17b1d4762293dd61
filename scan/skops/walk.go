package skops

import (
	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/pyname"
)

const techExecution = "code-execution"

// walk is the state of one pass over a schema.
type walk struct {
	names *pyname.Judge
	sink  scan.Sink
	stack []frame
	nodes int
}

// frame is an open object or array.
type frame struct {
	array bool
	key   string // under which this value stands, kept if it matters
	last  []byte
	facts []fact
}

// fact is a member of an object that tells what node it is.
type fact struct {
	key   string
	value string
	off   int64
}

// maxRepeats bounds what is kept of an object: duplicates of a key.
const maxRepeats = 4

func (w *walk) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	w.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

func (w *walk) top() *frame {
	if len(w.stack) == 0 {
		return nil
	}
	return &w.stack[len(w.stack)-1]
}

// known returns a key that matters, "" for others.
func known(key []byte) string {
	switch string(key) {
	case "__class__":
		return "__class__"
	case "__module__":
		return "__module__"
	case "__loader__":
		return "__loader__"
	case "content":
		return "content"
	case "obj":
		return "obj"
	case "func":
		return "func"
	case "file":
		return "file"
	case "bit_generator":
		return "bit_generator"
	case "module_path":
		return "module_path"
	case "function":
		return "function"
	}
	return ""
}

func (w *walk) token(t jsontext.Token) {
	switch t.Kind {
	case jsontext.Object, jsontext.Array:
		w.open(t.Kind == jsontext.Array)
	case jsontext.ObjectEnd:
		w.node()
		w.stack = w.stack[:len(w.stack)-1]
	case jsontext.ArrayEnd:
		w.stack = w.stack[:len(w.stack)-1]
	case jsontext.Key:
		f := w.top()
		f.last = append(f.last[:0], t.Text...)
	case jsontext.String:
		w.str(t)
	}
}

func (w *walk) open(array bool) {
	key := ""
	if p := w.top(); p != nil && !p.array {
		key = known(p.last)
	}
	n := len(w.stack)
	if n < cap(w.stack) {
		w.stack = w.stack[:n+1]
		old := w.stack[n]
		w.stack[n] = frame{last: old.last[:0], facts: old.facts[:0]}
	} else {
		w.stack = append(w.stack, frame{})
	}
	w.stack[n].array, w.stack[n].key = array, key
}

func (w *walk) str(t jsontext.Token) {
	f := w.top()
	if f == nil {
		return
	}
	key := ""
	if !f.array {
		key = known(f.last)
	}
	if key == "" || key[0] != '_' {
		w.stray(f, t)
	}
	if key != "" {
		f.put(fact{key, string(t.Text), t.Off})
	}
}

// put adds a fact. Of a key that is there too often, the last one is kept: it
// is the one that Python takes.
func (f *frame) put(x fact) {
	last, n := -1, 0
	for i := range f.facts {
		if f.facts[i].key == x.key {
			last = i
			n++
		}
	}
	if n >= maxRepeats {
		f.facts[last] = x
		return
	}
	f.facts = append(f.facts, x)
}

// stray reports the name of a node that calls where skops has no such names.
func (w *walk) stray(f *frame, t jsontext.Token) {
	switch string(t.Text) {
	case "OperatorFuncNode", "MethodNode":
		if !f.array {
			w.finding("skops.node", scan.SeveritySuspicious, techExecution, t.Off,
				scan.Quote(string(f.last), 60)+" names "+string(t.Text)+", a node that looks up attributes, outside of a skops tree")
			w.nodes++
		}
	}
}

// all returns the values of one key, one for most.
func (f *frame) all(key string) []fact {
	var out []fact
	for _, x := range f.facts {
		if x.key == key {
			out = append(out, x)
		}
	}
	return out
}

// get returns the last value of a key, as Python's parser does.
func (f *frame) get(key string) fact {
	for i := len(f.facts) - 1; i >= 0; i-- {
		if f.facts[i].key == key {
			return f.facts[i]
		}
	}
	return fact{}
}
