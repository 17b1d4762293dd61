package yaml

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// report gathers what a document holds until it is known whether the document
// is whole.
type report struct {
	refs.Judge
	ctx        context.Context //nolint:containedctx // one Scan is this value's whole life
	sink       scan.Sink
	structured bool // there was a mapping or a sequence
	widened    bool // there are characters that end a line for some loaders
	torn       bool // there are tags that end at different places

	pending []scan.Finding
	worst   scan.Severity // of pending
	over    error         // a bound that was met
	members []scan.Member
	held    int // bytes of members
	seed    maphash.Seed
	handed  map[uint64]bool

	interpolated int64 // offset of a _target_ made of other values, 0 for none
	dangerous    []string
	bundle       bool // keys of a MONAI bundle
	expressions  []fact
	bombed       bool
}

// Bounds of what is held back for one document.
const (
	maxPending   = 2000
	maxHeld      = 8 << 20
	maxTemplates = 10_000
	maxRepeats   = 4
	maxFact      = 1 << 10
	maxWatched   = 16
)

func newReport(ctx context.Context, names *pyname.Judge, sink scan.Sink) *report {
	r := &report{ctx: ctx, sink: sink, seed: maphash.MakeSeed(), handed: map[uint64]bool{}}
	r.Judge = refs.Judge{Names: names, Report: r.finding}
	return r
}

func (r *report) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	// The worst one is never lost.
	if len(r.pending) >= maxPending && sev <= r.worst || sev < scan.SeveritySuspicious && len(r.pending) >= maxPending/2 {
		return
	}
	r.worst = max(r.worst, sev)
	r.pending = append(r.pending, scan.Finding{Rule: "yaml." + rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// document reports what a whole document holds.
func (r *report) document() error {
	if r.interpolated > 0 && len(r.dangerous) > 0 {
		r.finding("target", scan.SeverityMalicious, refs.TechExecution, r.interpolated,
			"a _target_ is put together from other values, and "+scan.Quote(r.dangerous[0], 100)+" is one of them: it runs code")
	}
	if r.bundle {
		for _, x := range r.expressions {
			r.Expression(x.value, x.off)
		}
	}
	for _, f := range r.pending {
		r.sink.Finding(f)
	}
	for _, m := range r.members {
		if err := r.sink.Member(r.ctx, m); err != nil {
			return err
		}
	}
	over := r.over
	r.clear()
	return over
}

func (r *report) clear() {
	r.worst, r.over = scan.Info, nil
	r.pending, r.members, r.held = r.pending[:0], nil, 0
	r.interpolated, r.dangerous, r.bundle, r.expressions, r.bombed = 0, nil, false, nil, false
}

// disarmed reports what a document held that no parser accepts; reserved says
// that it has a character which no author of YAML writes there, as Markdown
// does.
func (r *report) disarmed(why string, reserved bool) {
	for _, f := range r.pending {
		if f.Severity < scan.SeveritySuspicious {
			continue
		}
		f.Severity = scan.SeveritySuspicious
		if reserved {
			f.Severity = scan.Low
		}
		f.Message += " (in a document that no parser accepts: " + why + ")"
		r.sink.Finding(f)
	}
	r.clear()
}

func (r *report) bomb(nodes, off int64) {
	if !r.bombed {
		r.bombed = true
		r.finding("bomb", scan.SeverityMalicious, "bomb", off, fmt.Sprintf("aliases of aliases stand for %d nodes and more: made to exhaust memory", nodes))
	}
}

// deep is told of flow collections that no parser follows.
func (r *report) deep(off int64) {
	r.finding("depth", scan.SeveritySuspicious, "bomb", off, "flow collections nest deeper than any parser goes: made to exhaust a stack")
}

func (r *report) structure() { r.structured = true }

// key sees every key.
func (r *report) key(key string) {
	r.structured = true
	r.bundle = r.bundle || refs.BundleKey(key)
}

// value judges a scalar as the value of a key; in a sequence that is the key
// of the sequence.
func (r *report) value(t *tree, key string, text []byte, off int64) {
	if len(t.frames) == 0 {
		return // the text as a whole, which others judge
	}
	r.template(key, text, off)
	r.hidden(text, off)
	if len(text) > 4<<10 {
		return
	}
	v := string(text)
	if f := t.top(); f.kind != '-' && f.kind != '[' && len(v) <= maxFact && isFact(key) {
		f.put(fact{key, v, off})
	}
	r.byKey(t, key, v, off)
	r.byValue(key, v, off)
}

func isFact(key string) bool {
	switch key {
	case "target", "params", "kwargs", "init_args", "args", "_target_", "path", "loader_module", "code", "python_function":
		return true
	}
	return false
}

func (r *report) byKey(t *tree, key, v string, off int64) {
	switch key {
	case "_target_", "class_path", "_component_":
		if strings.Contains(v, "${") {
			r.interpolated = max(off, 1)
			r.finding("target", scan.Low, refs.TechCustom, off, key+" is put together from other values: "+scan.Quote(v, 100))
			return
		}
		r.Call("target", key, v, off)
	case "target":
		// NeMo imports the target of a whole model.
		if len(t.frames) == 1 && strings.Contains(v, ".") && r.Names.Call(v).Level == pyname.Dangerous {
			r.Call("target", key, v, off)
		}
	case "loader_module":
		r.LoaderModule(v, off)
	case "model_code_path":
		r.finding("custom_code", scan.Low, refs.TechCustom, off, "MLflow runs "+scan.Quote(v, 100)+" to make the model")
	case "auto_map":
		r.Reference(key, v, off)
	case "trust_remote_code":
		if strings.EqualFold(v, "true") || strings.EqualFold(v, "yes") || strings.EqualFold(v, "on") {
			nested := false
			for i := range t.frames {
				nested = nested || refs.Nested(t.frames[i].parent)
			}
			r.Trusts(nested, off)
		}
	case "pip", "dependencies":
		if strings.Contains(v, "://") || strings.HasPrefix(v, "-") {
			r.finding("requirement", scan.Low, refs.TechNetwork, off, "a package is installed from elsewhere: "+scan.Quote(v, 200))
		}
	}
	f := t.top()
	switch {
	case f != nil && f.parent == "auto_map" && key != "auto_map":
		r.Reference("auto_map", v, off)
	case refs.Attention(key) || f != nil && refs.Attention(f.parent):
		r.Kernel(key, v, off)
	case f != nil && f.parent == "weight_map":
		r.Weight(v, off)
	}
	if refs.OpensFile(key) && refs.Secret(v) {
		r.finding("path", scan.SeveritySuspicious, refs.TechFile, off, scan.Quote(key, 60)+" opens "+scan.Quote(v, 200))
	}
}

func (r *report) byValue(key, v string, off int64) {
	if refs.IsExpression(v) && len(r.expressions) < maxWatched {
		r.expressions = append(r.expressions, fact{"", v, off})
	}
	r.Library(key, v, off)
	if len(v) <= 64 && len(r.dangerous) < maxWatched && strings.IndexByte(v, '.') > 0 && r.Names.Stdlib(v) && r.Names.Call(v).Level == pyname.Dangerous {
		r.dangerous = append(r.dangerous, v)
	}
}

// put adds a fact. Of a key that is there too often, the last one is kept: it
// is the one that PyYAML takes.
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

func (f *frame) all(key string) []fact {
	var out []fact
	for _, x := range f.facts {
		if x.key == key {
			out = append(out, x)
		}
	}
	return out
}

func (f *frame) has(key string) bool {
	return slices.ContainsFunc(f.facts, func(x fact) bool { return x.key == key })
}

// mapping judges a collection that ends.
func (r *report) mapping(t *tree, f *frame) {
	if p := t.under(1); p != nil && isFact(f.parent) && p.kind != '-' && p.kind != '[' {
		p.put(fact{key: f.parent})
	}
	if len(f.facts) == 0 {
		return
	}
	if len(t.frames) > 1 && (f.has("params") || f.has("kwargs") || f.has("init_args") || f.has("args")) {
		for _, x := range f.all("target") {
			if r.Names.Call(x.value).Level == pyname.Dangerous {
				r.Call("target", "target", x.value, x.off)
			}
		}
	}
	for _, x := range f.all("_target_") {
		for _, p := range f.all("path") {
			if strings.HasPrefix(x.value, "hydra.") {
				r.Call("target", "path of "+scan.Quote(x.value, 60), p.value, p.off)
			}
		}
	}
	for _, c := range f.all("code") {
		if f.has("loader_module") && c.value != "" && c.value != "null" && c.value != "~" {
			r.finding("custom_code", scan.Low, refs.TechCustom, c.off, "MLflow adds "+scan.Quote(c.value, 100)+" of the model to what can be imported")
		}
	}
}

// under returns the collection n levels around the innermost one.
func (t *tree) under(n int) *frame {
	if i := len(t.frames) - 1 - n; i >= 0 {
		return &t.frames[i]
	}
	return nil
}

// template holds a template back to be handed on.
func (r *report) template(key string, text []byte, off int64) {
	s := string(text[:min(len(text), 4<<10)])
	if !strings.Contains(s, "{{") && !strings.Contains(s, "{%") && len(text) <= 4<<10 {
		return
	}
	if !strings.Contains(strings.ToLower(key), "template") && !refs.Reaches([]byte(s)) {
		return
	}
	if len(text) >= maxText {
		r.limit(off, "bytes of one template")
	}
	h := maphash.Bytes(r.seed, text)
	if r.handed[h] {
		return
	}
	if len(r.handed) >= maxTemplates {
		r.limit(off, "templates")
		return
	}
	r.handed[h] = true
	r.member("chat_template", string(text), off)
}

// limit notes that not all of the document is looked at.
func (r *report) limit(off int64, what string) {
	if r.over == nil {
		r.over = scan.Limit(off, "too many %s in one document", what)
	}
}

// hidden looks into text that encodes bytes.
func (r *report) hidden(text []byte, off int64) {
	h := refs.FindHidden(text[:min(len(text), 4<<10)], int64(len(text)))
	switch {
	case h == nil:
	case !h.Whole():
		r.finding("encoded", scan.SeveritySuspicious, refs.TechObfuscate, off, "encoded text holds "+h.What+": "+scan.Quote(string(h.Head), 120))
	default:
		if len(text) >= maxText {
			r.limit(off, "bytes of one encoded file")
		}
		r.finding("encoded", scan.Low, refs.TechObfuscate, off, "an encoded "+h.What)
		decoded, _ := io.ReadAll(h.Decode(strings.NewReader(string(text[h.Skip:])))) // it ends where its alphabet does
		r.member("encoded", string(decoded), off)
	}
}

// member holds a file back until its document is whole.
func (r *report) member(name, body string, off int64) {
	if r.held += len(body); r.held > maxHeld {
		r.limit(off, "bytes of templates and encoded files")
		return
	}
	r.members = append(r.members, scan.Member{Name: name, At: strings.NewReader(body), Size: int64(len(body))})
}
