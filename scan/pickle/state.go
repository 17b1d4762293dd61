package pickle

import "strings"

// stateWhy says what is wrong with the state of an instance whose class
// computes with it while it is filled, "" when nothing is.
func (m *machine) stateWhy(u use, state value) string {
	switch u {
	case useDistribution:
		return m.distributionWhy(state)
	case useFormula:
		return m.formulaWhy(state)
	case useCodegen:
		return m.codegenWhy(state)
	case useEmbedding:
		return m.embeddingWhy(state)
	case useScript:
		return m.scriptWhy(state)
	}
	return ""
}

// Bounds of looking into states.
const (
	maxStateText = 16 << 10 // bytes of a text that is looked at
	maxStateWork = 32 << 20 // bytes of texts of one file, a key counts as keyWork
	keyWork      = 64
)

// entry returns the value of a key in a dict, and whether all of the
// dict's keys could be read.
func (m *machine) entry(state value, key string) (value, bool) {
	items, whole := state.items()
	if state.kind() != kindDict || !whole || !m.stateWork(keyWork*len(items)/2) {
		return value{}, false
	}
	if m.aside && state.p != nil && state.p.pinned {
		return value{}, false // a second reading does not change what the first one has
	}
	var found value
	for i := 0; i+1 < len(items); i += 2 {
		k, ok := m.text(items[i], maxName)
		if !ok {
			return value{}, false
		}
		if k == key {
			found = items[i+1]
		}
	}
	return found, true
}

// stateText returns the text of a value of a state.
func (m *machine) stateText(v value) (string, bool) {
	text, ok := m.text(v, maxStateText)
	return text, ok && v.text() && m.stateWork(len(text))
}

// stateWork counts what looking into states takes, and reports whether there
// is some left.
func (m *machine) stateWork(n int) bool {
	m.stateCost += n
	return m.stateCost <= maxStateWork
}

// distributionWhy judges the state of a distribution of scipy.stats, whose
// __setstate__ calls methods of the instance, which execute the text of its
// argument parser. An attribute with the name of one of those methods would
// take its place.
func (m *machine) distributionWhy(state value) string {
	if items, whole := state.items(); state.kind() == kindTuple && whole && len(items) == 2 {
		// Before scipy 1.6: arguments of __init__, and a generator.
		if items[0].kind() == kindDict && (items[1].kind() == kindNone || m.generator(items[1])) {
			return ""
		}
	}
	template, ok := m.entry(state, "_parse_arg_template")
	if !ok {
		return "it executes a text of its state, which lies out of sight"
	}
	items, _ := state.items()
	for i := 0; i+1 < len(items); i += 2 {
		if k, _ := m.text(items[i], maxName); !distributionKey(k) {
			return "it executes a text of its state, and has the attribute " + quoteName(k) + " that no distribution has"
		}
	}
	if template.w == 0 {
		return ""
	}
	if text, ok := m.stateText(template); !ok || !parserTemplate(text) {
		return "it executes a text of its state, which is not the one that scipy writes"
	}
	return ""
}

// generator reports whether v is one of numpy's random generators, which no
// loader takes apart.
func (m *machine) generator(v value) bool {
	if v.kind() != kindObject || v.is(flagTaint) {
		return false
	}
	g := m.names.list[v.index()]
	return g.use.allowed() && (g.module == "numpy.random" || strings.HasPrefix(g.module, "numpy.random.")) &&
		(g.name == "__randomstate_ctor" || g.name == "__generator_ctor" || g.name == "__RandomState_ctor")
}

// distributionKey reports whether distributions have an attribute of that
// name, none of which is one of the methods that filling them calls.
func distributionKey(name string) bool {
	switch name {
	case "__doc__", "_cdfvec", "_ctor_param", "_density", "_hbin_widths", "_hbins", "_hcdf", "_histogram", "_hpdf",
		"_parse_arg_template", "_ppfvec", "_random_state", "_stats_has_moments", "a", "b", "badvalue", "extradoc",
		"generic_moment", "inc", "moment_tol", "moment_type", "name", "numargs", "pk", "qvals", "shapes",
		"vecentropy", "xa", "xb", "xk", "xtol", "m", "longname", "return_integers":
		return true
	}
	return false
}

// parserTemplate reports whether text is the source of the three functions
// that every distribution of scipy executes, for some names of parameters.
func parserTemplate(text string) bool {
	names, _, ok := strings.Cut(strings.TrimPrefix(text, "\ndef _parse_args(self, "), " loc=0")
	if !ok {
		return false
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(names, ", "), ", ") {
		if names != "" && (!identifier(name) || strings.Contains(name, ".") || !isASCII(name)) {
			return false
		}
	}
	for _, scale := range [][2]string{{"loc=0, scale=1", "loc, scale"}, {"loc=0", "loc, 1"}} {
		in, out := scale[0], scale[1]
		if text == "\ndef _parse_args(self, "+names+" "+in+"):\n    return ("+names+"), "+out+
			"\n\ndef _parse_args_rvs(self, "+names+" "+in+", size=None):\n    return self._argcheck_rvs("+names+" "+out+
			", size=size)\n\ndef _parse_args_stats(self, "+names+" "+in+", moments='mv'):\n    return ("+names+"), "+out+", moments\n" {
			return true
		}
	}
	return false
}

// formulaWhy judges the state of the data behind a model of statsmodels, whose
// __setstate__ evaluates the formula as Python once more, with the columns of
// the frame as variables.
func (m *machine) formulaWhy(state value) string {
	const evaluates = "it evaluates the formula of its state as Python"
	restore, ok := m.entry(state, "restore_design_info")
	if !ok {
		return evaluates + ", and the state lies out of sight"
	}
	spec, _ := m.entry(state, "restore_model_spec")
	if restore.w == 0 && spec.w == 0 {
		return ""
	}
	frame, _ := m.entry(state, "frame")
	if frame.kind() != kindObject || frame.is(flagTaint) || !m.names.list[frame.index()].table() {
		return evaluates + " on something else than a table"
	}
	formula, _ := m.entry(state, "formula")
	text, ok := m.stateText(formula)
	if !ok {
		return evaluates + ", which is no text"
	}
	if bad := impure(text); bad != "" {
		return evaluates + ", which has " + quoteName(bad)
	}
	return ""
}

// codegenWhy judges the state of a module of e3nn, which brings its compiled
// parts along as bytes: TorchScript, or a pickle that is loaded.
func (m *machine) codegenWhy(state value) string {
	parts, ok := m.entry(state, "__codegen__")
	if !ok {
		return "it loads compiled modules or pickles from its state, which lies out of sight"
	}
	if parts.w == 0 {
		return ""
	}
	items, whole := parts.items()
	if parts.kind() != kindDict || !whole {
		return "it loads compiled modules or pickles from its state, which lies out of sight"
	}
	for i := 0; i+1 < len(items); i += 2 {
		if k := items[i+1].kind(); k == kindBytes || k == kindText8 {
			m.hand(items[i+1]) // before e3nn 0.6: TorchScript and nothing else
			continue
		}
		part, whole := items[i+1].items()
		if items[i+1].kind() != kindTuple || !whole || len(part) != 2 {
			return "it loads compiled modules or pickles from its state, in a form that is unknown"
		}
		if kind, ok := m.text(part[0], 32); !ok || kind != "torchscript" {
			return "it loads a pickle from its state"
		}
		m.hand(part[1])
	}
	return ""
}

// hand gives bytes of a state to the engine, which knows what they are.
func (m *machine) hand(v value) {
	if v.bytes() && len(m.members) < maxNested {
		m.members = append(m.members, v)
	}
}

// embeddingWhy judges the state of transformer embeddings of flair, which
// calls their initialiser with it. That makes the model from the settings in
// the state, or downloads the one it names; what the initialiser does not know
// goes to transformers, which takes "trust_remote_code" among others.
func (m *machine) embeddingWhy(state value) string {
	settings, ok := m.entry(state, "config_state_dict")
	saved, _ := m.entry(state, "saved_config")
	if !ok {
		return "it makes a model from its state, which lies out of sight"
	}
	if empty := func(v value) bool { return v.w == 0 || v.empty() }; empty(settings) && empty(saved) {
		return "it downloads the model that its state names"
	}
	items, _ := state.items()
	for i := 0; i+1 < len(items); i += 2 {
		if k, _ := m.text(items[i], maxName); !embeddingKey(k) {
			return "it makes a model with the option " + quoteName(k) + " that no embedding has"
		}
	}
	return ""
}

// embeddingKey reports whether flair writes a key of that name.
func embeddingKey(name string) bool {
	switch name {
	case "allow_long_sentences", "base_model_name", "batch_size", "cls_pooling", "config_state_dict", "context_dropout",
		"context_length", "embedding_length", "embedding_length_internal", "feature_extractor_data", "fine_tune",
		"force_max_length", "is_document_embedding", "is_token_embedding", "layer_indexes", "layer_mean", "layers",
		"memory_effective_training", "model", "model_state_dict", "name", "needs_manual_ocr", "pooling",
		"pooling_operation", "respect_document_boundaries", "saved_config", "static_embeddings", "subtoken_pooling",
		"tokenizer_data", "use_context", "use_context_separator", "use_lang_emb", "use_scalar_mix":
		return true
	}
	return false
}

// scriptWhy judges the state of a native object of torch: its parts, and the
// name of its class. Those of quantised layers hold numbers.
func (m *machine) scriptWhy(state value) string {
	items, whole := state.items()
	if state.kind() == kindTuple && whole && len(items) == 2 {
		name, _ := m.text(items[1], 128)
		for _, of := range []string{"__torch__.torch.classes.quantized.", "__torch__.torch.classes.rnn."} {
			if strings.HasPrefix(name, of) {
				return ""
			}
		}
	}
	return "it makes a native object of a class that is not on the list"
}
