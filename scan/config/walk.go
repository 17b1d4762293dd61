package config

import (
	"context"
	"io"
	"slices"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/refs"
)

// walk is the state of one pass over a text.
type walk struct {
	ctx context.Context //nolint:containedctx // one Scan is this value's whole life
	refs.Judge
	src    io.ReaderAt
	sink   scan.Sink
	stack  []frame
	handed map[uint64]bool // templates that were handed on, by hash
	pairs  map[string]fact // lists of two strings in the outermost object

	interpolated int64    // offset of a _target_ made of other values, 0 for none
	dangerous    []string // values that would be a dangerous _target_

	bundle      bool // keys of a MONAI bundle
	expressions []fact
}

// frame is an open object or array.
type frame struct {
	array bool
	items int    // values so far
	key   string // of this value in the nearest object; kept if known
	last  []byte // the current key of an object
	known string // last, if a rule asks for it
	facts []fact
}

// fact is a member of an object that a rule about the whole object needs.
type fact struct {
	key   string
	value string
	off   int64
}

// Bounds of what is kept.
const (
	maxRepeats = 4
	maxPairs   = 1000
	maxFact    = 1 << 10 // bytes of a value
	maxKey     = 128     // bytes of a key
	maxWatched = 16
)

// facts are the keys whose values are kept until their object ends.
func isFact(key []byte) bool {
	switch string(key) {
	case "type", "path", "idx", "name", "_class_name", "_diffusers_version", "handler", "modelName", "serializedFile", "modelFile",
		"requirementsFile", "target", "params", "kwargs", "init_args", "_target_", "parent_library", "base_model_class",
		"megatron_core", "peft_type", "python_function", "code", "runOn", "op", "library":
		return true
	}
	return false
}

func (w *walk) top() *frame {
	if len(w.stack) == 0 {
		return nil
	}
	return &w.stack[len(w.stack)-1]
}

// token takes the next token. The error is the sink's.
func (w *walk) token(t jsontext.Token) error {
	switch t.Kind {
	case jsontext.Object, jsontext.Array:
		w.open(t.Kind == jsontext.Array)
	case jsontext.ObjectEnd:
		w.object()
		w.stack = w.stack[:len(w.stack)-1]
	case jsontext.ArrayEnd:
		w.pair()
		w.stack = w.stack[:len(w.stack)-1]
	case jsontext.Key:
		f := w.top()
		f.last = append(f.last[:0], t.Text[:min(len(t.Text), maxKey)]...)
		f.known = ""
		w.bundle = w.bundle || refs.BundleKey(string(t.Text))
	case jsontext.String:
		return w.str(t)
	default:
		w.literal(t)
	}
	return nil
}

func (w *walk) open(array bool) {
	key := ""
	if p := w.top(); p != nil {
		p.items++
		key = p.key
		if !p.array {
			key = string(p.last)
			w.keep("", 0)
		}
	}
	n := len(w.stack)
	if n < cap(w.stack) {
		w.stack = w.stack[:n+1]
		old := w.stack[n]
		w.stack[n] = frame{last: old.last[:0], facts: old.facts[:0]}
	} else {
		w.stack = append(w.stack, frame{})
	}
	f := &w.stack[n]
	f.array, f.key = array, key
}

// keep remembers a member of the current object.
func (w *walk) keep(value string, off int64) {
	if f := w.top(); f != nil && !f.array && len(value) <= maxFact && isFact(f.last) {
		f.put(fact{string(f.last), value, off})
	}
}

// put adds a fact. Of a key that is there too often, the last one is kept: it
// is the one that most parsers take.
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

// key is the name of the current value: its own in an object, that of its
// array in an array.
func (w *walk) key() string {
	f := w.top()
	switch {
	case f == nil:
		return ""
	case f.array:
		return f.key
	}
	if f.known == "" {
		f.known = string(f.last)
	}
	return f.known
}

// under reports whether the current value, or something around it, has a key
// that test accepts.
func (w *walk) under(test func(key string) bool) bool {
	if test(w.key()) {
		return true
	}
	// What matters stands near: bounded, so that deep texts stay linear.
	for i := len(w.stack) - 1; i > 0 && i > len(w.stack)-16; i-- {
		if test(w.stack[i].key) {
			return true
		}
	}
	return false
}

func is(key string) func(string) bool { return func(k string) bool { return k == key } }

// all returns the facts of one key of an object, one for most.
func (f *frame) all(key string) []fact {
	var out []fact
	for _, x := range f.facts {
		if x.key == key {
			out = append(out, x)
		}
	}
	return out
}

// has reports whether an object has a key.
func (f *frame) has(key string) bool {
	return slices.ContainsFunc(f.facts, func(x fact) bool { return x.key == key })
}

// literal takes a number, true, false or null.
func (w *walk) literal(t jsontext.Token) {
	f := w.top()
	if f == nil {
		return
	}
	f.items++
	if f.array {
		return
	}
	if isFact(f.last) {
		w.keep(string(t.Text), t.Off)
	}
	if string(f.last) == "trust_remote_code" && string(t.Text) == "true" {
		w.Trusts(w.under(refs.Nested), t.Off)
	}
}

// finish judges what only the whole text shows.
func (w *walk) finish() {
	if w.interpolated > 0 && len(w.dangerous) > 0 {
		w.finding("config.target", scan.SeverityMalicious, "code-execution", w.interpolated,
			"a _target_ is put together from other values, and "+scan.Quote(w.dangerous[0], 100)+" is one of them: it runs code")
	}
	if w.bundle {
		for _, x := range w.expressions {
			w.Expression(x.value, x.off)
		}
	}
}
