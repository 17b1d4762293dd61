package config

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// object judges an object that ends.
func (w *walk) object() {
	f := w.top()
	if len(f.facts) == 0 {
		return
	}
	w.module(f)
	w.handler(f)
	w.diffusion(f)
	w.instantiated(f)
	w.adapter(f)
}

// module judges an entry of modules.json.
func (w *walk) module(f *frame) {
	typ, ok := f.get("type")
	_, idx := f.get("idx")
	if !ok || !idx || len(w.stack) != 2 || !w.stack[0].array || !strings.Contains(typ.value, ".") {
		return
	}
	if p, ok := f.get("path"); ok && (refs.Escapes(p.value) || refs.Rooted(p.value)) {
		w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, p.off, "a module is loaded from outside of the model: "+scan.Quote(p.value, 200))
	}
	if strings.Contains(typ.value, "--") {
		w.Reference("type", typ.value, typ.off)
		return
	}
	w.Call("module", "sentence-transformers imports a module's type: it", typ.value, typ.off)
}

// handler judges the manifest of a TorchServe archive.
func (w *walk) handler(f *frame) {
	h, ok := f.get("handler")
	_, name := f.get("modelName")
	_, file := f.get("serializedFile")
	if !ok || !name && !file {
		return
	}
	for _, key := range []string{"handler", "serializedFile", "modelFile", "requirementsFile"} {
		if p, ok := f.get(key); ok && (refs.Escapes(p.value) || refs.Rooted(p.value)) {
			w.finding("config.path", scan.SeverityMalicious, refs.TechTraversal, p.off, "the manifest's "+key+" lies outside of the archive: "+scan.Quote(p.value, 200))
		}
	}
	switch h.value {
	case "", "image_classifier", "image_segmenter", "object_detector", "text_classifier":
		return
	}
	module, function, _ := strings.Cut(h.value, ":")
	if w.Names.Call(strings.TrimSuffix(module, ".py")+"."+function).Level == pyname.Dangerous {
		w.finding("config.handler", scan.SeverityMalicious, refs.TechExecution, h.off, "TorchServe serves with "+scan.Quote(h.value, 100))
		return
	}
	w.finding("config.handler", scan.Low, refs.TechCustom, h.off, "TorchServe runs the handler "+scan.Quote(h.value, 100)+" of the archive")
}

// pair gives a list of strings in the outermost object to that object, the
// way model_index.json names its components: "unet": ["diffusers", "UNet"].
func (w *walk) pair() {
	if len(w.stack) != 2 || w.stack[0].array {
		return
	}
	f := w.top()
	p := &w.stack[0]
	if len(f.facts) == 0 || len(f.facts) != f.items || len(f.facts) > 2 || len(p.facts) >= maxFacts {
		return
	}
	v := f.facts[0].value
	if len(f.facts) == 2 {
		v += "\x00" + f.facts[1].value
	}
	if len(v) <= maxFact {
		p.facts = append(p.facts, fact{"\x00" + string(p.last), v, f.facts[0].off})
	}
}

// diffusion judges the model_index.json of a pipeline.
func (w *walk) diffusion(f *frame) {
	_, class := f.get("_class_name")
	_, version := f.get("_diffusers_version")
	if len(w.stack) != 1 || !version && !class {
		return
	}
	for _, x := range f.facts {
		name, pair := strings.CutPrefix(x.key, "\x00")
		library, class, two := strings.Cut(x.value, "\x00")
		if !pair || !two {
			continue
		}
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
	if t, ok := f.get("target"); ok {
		for _, key := range []string{"params", "kwargs", "init_args"} {
			if _, with := f.get(key); with && w.Names.Call(t.value).Level == pyname.Dangerous {
				w.Call("target", "target", t.value, t.off)
				break
			}
		}
	}
	t, ok := f.get("_target_")
	p, with := f.get("path")
	if ok && with && strings.HasPrefix(t.value, "hydra.") {
		w.Call("target", "path of "+scan.Quote(t.value, 60), p.value, p.off)
	}
}

// adapter judges the modules that PEFT imports by name.
func (w *walk) adapter(f *frame) {
	if p, ok := f.get("parent_library"); ok {
		c, _ := f.get("base_model_class")
		if v := w.Names.Call(p.value + "." + c.value); v.Level >= pyname.Risky {
			w.Call("adapter", "PEFT imports the base model's class: it", p.value+"."+c.value, p.off)
		} else if !strings.HasPrefix(p.value, "transformers.") {
			w.finding("config.custom_code", scan.Low, refs.TechCustom, p.off, "PEFT imports "+scan.Quote(p.value, 100)+" for the base model")
		}
	}
	if m, ok := f.get("megatron_core"); ok && m.value != "megatron.core" && m.value != "null" && m.value != "" {
		if _, peft := f.get("peft_type"); peft {
			w.finding("config.adapter", scan.SeveritySuspicious, refs.TechExecution, m.off, "PEFT imports "+scan.Quote(m.value, 100)+" in place of megatron.core")
		}
	}
}
