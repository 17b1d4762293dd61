package config

import (
	"maps"
	"slices"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// object judges an object that ends.
func (w *walk) object() {
	f := w.top()
	if len(w.stack) == 1 && len(w.pairs) > 0 {
		w.diffusion(f)
		clear(w.pairs)
	}
	if len(f.facts) == 0 {
		return
	}
	w.module(f)
	w.handler(f)
	w.instantiated(f)
	w.adapter(f)
}

// module judges an entry of modules.json.
func (w *walk) module(f *frame) {
	if len(w.stack) != 2 || !w.stack[0].array || !f.has("idx") {
		return
	}
	for _, typ := range f.all("type") {
		if !strings.Contains(typ.value, ".") {
			continue
		}
		for _, p := range f.all("path") {
			if refs.Escapes(p.value) || refs.Rooted(p.value) {
				w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, p.off, "a module is loaded from outside of the model: "+scan.Quote(p.value, 200))
			}
		}
		if strings.Contains(typ.value, "--") {
			w.Reference("type", typ.value, typ.off)
			continue
		}
		w.Call("module", "sentence-transformers imports a module's type: it", typ.value, typ.off)
	}
}

// handler judges the manifest of a TorchServe archive.
func (w *walk) handler(f *frame) {
	if !f.has("modelName") && !f.has("serializedFile") {
		return
	}
	for _, key := range []string{"handler", "serializedFile", "modelFile", "requirementsFile"} {
		for _, p := range f.all(key) {
			if refs.Escapes(p.value) || refs.Rooted(p.value) {
				w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, p.off, "the manifest's "+key+" lies outside of the archive: "+scan.Quote(p.value, 200))
			}
		}
	}
	for _, h := range f.all("handler") {
		switch h.value {
		case "", "image_classifier", "image_segmenter", "object_detector", "text_classifier":
			continue
		}
		module, function, _ := strings.Cut(h.value, ":")
		if w.Names.Call(strings.TrimSuffix(module, ".py")+"."+function).Level == pyname.Dangerous {
			w.finding("config.handler", scan.SeverityMalicious, refs.TechExecution, h.off, "TorchServe serves with "+scan.Quote(h.value, 100))
			continue
		}
		w.finding("config.handler", scan.Low, refs.TechCustom, h.off, "TorchServe runs the handler "+scan.Quote(h.value, 100)+" of the archive")
	}
}

// pair gives a list of strings in the outermost object to that object, the
// way model_index.json names its components: "unet": ["diffusers", "UNet"].
func (w *walk) pair() {
	if len(w.stack) != 2 || w.stack[0].array {
		return
	}
	f := w.top()
	p := &w.stack[0]
	if len(f.facts) != 2 || f.items != 2 {
		return
	}
	v := f.facts[0].value + "\x00" + f.facts[1].value
	if _, again := w.pairs[string(p.last)]; !again && len(w.pairs) >= maxPairs || len(v) > maxFact {
		return
	}
	if w.pairs == nil {
		w.pairs = map[string]fact{}
	}
	w.pairs[string(p.last)] = fact{"", v, f.facts[0].off} // the last one counts in Python
}

// diffusion judges the model_index.json of a pipeline.
func (w *walk) diffusion(f *frame) {
	_, custom := w.pairs["_class_name"]
	if len(w.stack) != 1 || !custom && !f.has("_class_name") && !f.has("_diffusers_version") {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.pairs)) {
		x := w.pairs[name]
		library, class, _ := strings.Cut(x.value, "\x00")
		if name == "_class_name" {
			if refs.Escapes(library) || refs.Rooted(library) {
				w.finding("config.code_path", scan.SeverityMalicious, refs.TechTraversal, x.off, "the pipeline lies outside of the repository: "+scan.Quote(library, 100))
				continue
			}
			w.finding("config.custom_code", scan.Low, refs.TechCustom, x.off, "the pipeline is "+scan.Quote(class, 60)+" of the repository's "+scan.Quote(library, 60))
			continue
		}
		w.component(name, library, class, x.off)
	}
}

// component judges one part of a pipeline.
func (w *walk) component(name, library, class string, off int64) {
	if refs.Escapes(name) || refs.Rooted(name) || refs.Escapes(library) || refs.Rooted(library) {
		w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, off,
			"a component is loaded from outside of the model: "+scan.Quote(name, 100)+" of "+scan.Quote(library, 100))
		return
	}
	if !strings.Contains(library, ".") && library == strings.ToLower(library) && !w.Names.Stdlib(library) {
		// A module of the repository, or a folder of pipelines in diffusers.
		if library != "stable_diffusion" && !w.Names.Known(library+"."+class) {
			w.finding("config.custom_code", scan.Low, refs.TechCustom, off,
				"the component "+scan.Quote(name, 60)+" is "+scan.Quote(class, 60)+" of "+scan.Quote(library, 60)+", which may be code of the repository")
		}
		return
	}
	w.Call("component", "the component "+scan.Quote(name, 60), library+"."+class, off)
}

// instantiated judges "target" with parameters, as latent diffusion has it,
// and what Hydra's helpers look up.
func (w *walk) instantiated(f *frame) {
	if f.has("params") || f.has("kwargs") || f.has("init_args") {
		for _, t := range f.all("target") {
			if w.Names.Call(t.value).Level == pyname.Dangerous {
				w.Call("target", "target", t.value, t.off)
			}
		}
	}
	for _, t := range f.all("_target_") {
		for _, p := range f.all("path") {
			if strings.HasPrefix(t.value, "hydra.") {
				w.Call("target", "path of "+scan.Quote(t.value, 60), p.value, p.off)
			}
		}
	}
}

// adapter judges the modules that PEFT imports by name.
func (w *walk) adapter(f *frame) {
	for _, p := range f.all("parent_library") {
		for _, c := range append(f.all("base_model_class"), fact{value: "Model"}) {
			if w.Names.Call(p.value+"."+c.value).Level >= pyname.Risky {
				w.Call("adapter", "PEFT imports the base model's class: it", p.value+"."+c.value, p.off)
			}
		}
		if !strings.HasPrefix(p.value, "transformers.") {
			w.finding("config.custom_code", scan.Low, refs.TechCustom, p.off, "PEFT imports "+scan.Quote(p.value, 100)+" for the base model")
		}
	}
	for _, m := range f.all("megatron_core") {
		if f.has("peft_type") && m.value != "megatron.core" && m.value != "null" && m.value != "" {
			w.finding("config.adapter", scan.SeveritySuspicious, refs.TechExecution, m.off, "PEFT imports "+scan.Quote(m.value, 100)+" in place of megatron.core")
		}
	}
}
