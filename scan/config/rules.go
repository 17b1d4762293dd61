package config

import (
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/jsontext"
	"modelwall/scan/internal/pyname"
	"modelwall/scan/internal/refs"
)

// str takes a string as a value.
func (w *walk) str(t jsontext.Token) error {
	f := w.top()
	if f == nil {
		return w.blob(t)
	}
	f.items++
	key := w.key()
	if err := w.template(key, t); err != nil {
		return err
	}
	if t.Cut {
		return w.blob(t)
	}
	v := string(t.Text)
	if !f.array {
		w.keep(v, t.Off)
	} else if len(w.stack) == 2 && len(f.facts) < 3 {
		f.facts = append(f.facts, fact{"", v, t.Off})
	}
	w.byKey(key, v, t.Off)
	w.byContext(v, t.Off)
	w.byValue(key, v, t.Off)
	return w.blob(t)
}

// byKey judges a value by the key it stands under.
func (w *walk) byKey(key, v string, off int64) {
	switch key {
	case "_target_", "class_path", "_component_":
		w.target(key, v, off)
	case "loader_module":
		w.LoaderModule(v, off)
	case "model_file":
		if len(w.stack) == 1 && strings.HasSuffix(strings.ToLower(v), ".py") {
			w.finding("config.model_file", scan.SeveritySuspicious, refs.TechExecution, off,
				"model_file has mlx-lm run "+scan.Quote(v, 100)+" of the repository, older versions without asking")
		}
	case "py/object", "py/type", "py/class", "py/function", "py/method", "py/mod", "py/newobj":
		w.Call("jsonpickle", key+" of jsonpickle", v, off)
	case "py/repr":
		w.finding("config.jsonpickle", scan.SeverityMalicious, refs.TechExecution, off, "py/repr has jsonpickle evaluate "+scan.Quote(v, 100))
	case "trust_remote_code":
		if strings.EqualFold(v, "true") {
			w.Trusts(w.under(refs.Nested), off)
		}
	case "runOn":
		if v == "folderOpen" {
			w.finding("config.autorun", scan.SeveritySuspicious, refs.TechExecution, off, "a task that an editor runs when the folder is opened")
		}
	}
	if refs.OpensFile(key) {
		w.opened(key, v, off)
	}
}

// byContext judges a value by what it stands in.
func (w *walk) byContext(v string, off int64) {
	for i := max(0, len(w.stack)-3); i <= len(w.stack); i++ {
		key := w.key()
		if i < len(w.stack) {
			key = w.stack[i].key
		}
		switch key {
		case "auto_map":
			w.Reference(key, v, off)
			return
		case "custom_pipelines":
			if w.key() == "impl" {
				w.Reference(key, v, off)
			}
			return
		case "weight_map":
			w.Weight(v, off)
			return
		}
		if refs.Attention(key) {
			w.Kernel(key, v, off)
			return
		}
	}
}

// byValue judges a value wherever it stands.
func (w *walk) byValue(key, v string, off int64) {
	if refs.IsExpression(v) && len(w.expressions) < maxWatched {
		w.expressions = append(w.expressions, fact{"", v, off})
	}
	w.Library(key, v, off)
	if len(v) <= 64 && len(w.dangerous) < maxWatched && strings.IndexByte(v, '.') > 0 && w.Names.Stdlib(v) &&
		w.Names.Call(v).Level == pyname.Dangerous {
		w.dangerous = append(w.dangerous, v)
	}
}

// target judges what Hydra and its like instantiate.
func (w *walk) target(key, v string, off int64) {
	if strings.Contains(v, "${") {
		w.interpolated = max(off, 1)
		w.finding("config.target", scan.Low, refs.TechCustom, off, key+" is put together from other values: "+scan.Quote(v, 100))
		return
	}
	w.Call("target", key, v, off)
}

// opened judges the name of a file that a loader may open. Paths of the
// author's machine are frequent leftovers; those of secrets are not.
func (w *walk) opened(key, v string, off int64) {
	if refs.Secret(v) {
		w.finding("config.path", scan.SeveritySuspicious, refs.TechFile, off, scan.Quote(key, 60)+" opens "+scan.Quote(v, 200))
	}
}
