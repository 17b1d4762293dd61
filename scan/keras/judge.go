package keras

import (
	"context"
	"fmt"
	"strings"

	"modelwall/scan"
)

// judge looks at every object of a configuration when it is complete, the
// inner ones first.
type judge struct {
	names   *names
	sink    scan.Sink
	ctx     context.Context //nolint:containedctx // one Scan call is this value's whole life
	objects int             // of Keras
	waiting []scan.Finding  // before the first one; not about Keras without any
	coded   int             // bytes of code looked at
	stopped error           // the inspection has to end
}

// maxWaiting bounds the findings that wait.
const maxWaiting = 1000

func (j *judge) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	f := scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique}
	if j.objects > 0 {
		j.sink.Finding(f)
	} else if len(j.waiting) < maxWaiting {
		j.waiting = append(j.waiting, f)
	}
}

// claim counts an object of Keras, and reports what waited for the first.
func (j *judge) claim() {
	if j.objects++; j.objects > 1 {
		return
	}
	for _, f := range j.waiting {
		j.sink.Finding(f)
	}
	j.waiting = nil
}

func quote(s string) string { return scan.Quote(s, 120) }

// container judges an object or a list that is complete.
func (j *judge) container(n *node) {
	if n.kind != object || j.stopped != nil {
		return
	}
	class := n.get("class_name")
	switch {
	case class != nil && class.kind == text && (n.has("config") || n.has("module") || n.has("registered_name")):
		j.claim()
		j.keras(n, class.text)
	case n.has("optimizer_config"), n.has("loss") && (n.has("metrics") || n.has("loss_weights")):
		j.claim()
	}
	j.training(n)
	j.gadget(n)
	j.modules(n)
}

// keras judges an object of Keras.
func (j *judge) keras(n *node, class string) {
	if n.twice != "" {
		j.finding("keras.duplicate_key", scan.SeveritySuspicious, "evasion", n.off,
			fmt.Sprintf("an object %s has the key %s twice: readers differ in which one counts", quote(class), quote(n.twice)))
	}
	config := n.get("config")
	module := n.str("module")
	switch class {
	case "Lambda":
		j.lambda(n, config)
	case "__lambda__":
		j.dictLambda(n, config)
		return
	case "TorchModuleWrapper":
		j.torch(n, config)
	case "TFSMLayer":
		j.savedModel(n, config)
	case "TFOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty":
		j.operation(n, config)
	case "TensorFlowOpLayer":
		j.graphNode(n, config)
	case "function":
		if config != nil && config.kind == text {
			j.reference(n, module, config.text, true)
		}
		return
	case "__typespec__":
		j.reference(n, module, n.str("spec_name"), false)
		return
	}
	j.files(n, class, config)
	j.reference(n, module, class, false)
}

// training judges the functions of a compiled model, which may go by their
// names alone.
func (j *judge) training(n *node) {
	for _, key := range [...]string{"loss", "metrics", "weighted_metrics", "activation", "optimizer", "registered_name"} {
		v := n.get(key)
		if v == nil {
			continue
		}
		all := []string{v.text}
		if v.kind == object || v.kind == array {
			all = v.texts()
		}
		for _, name := range all {
			if j.hostile(name) {
				j.finding("keras.custom_object", scan.SeveritySuspicious, "code-execution", n.off,
					fmt.Sprintf("the %s %s is no function of Keras, and its name is that of an attack", key, quote(name)))
			}
		}
	}
}

// hostile reports whether a name of a custom object is one that no honest
// object has.
func (j *judge) hostile(name string) bool {
	if !identifier(name) {
		return false
	}
	if threat(name) {
		return true
	}
	first, rest, dotted := strings.Cut(name, ".")
	if dotted {
		return j.names.modules[first] && !strings.Contains(rest, ">")
	}
	switch name {
	case "eval", "exec", "system", "popen", "__import__", "execfile":
		return true
	}
	return false
}

// unsafe are the functions of Keras that are no part of a model: they touch
// files, the network or Keras itself. Keras refuses them since 3.11.
func unsafe(name string) bool {
	switch name {
	case "get_file", "load_model", "load_weights", "save_model", "save_weights", "model_from_json", "model_from_yaml", "model_from_config",
		"enable_unsafe_deserialization", "deserialize_keras_object", "func_load", "func_dump", "load_img", "save_img",
		"load_data", "plot_model", "audio_dataset_from_directory", "image_dataset_from_directory",
		"text_dataset_from_directory", "extract_archive", "extract_open_archive", "run_script", "from_preset", "load_from_saved_model":
		return true
	}
	return false
}

// gadget looks for a function of Keras that is no part of a model where the
// names are not in their usual places: beside an address, or below a module of
// Keras.
func (j *judge) gadget(n *node) {
	all := n.texts()
	url := ""
	for _, s := range all {
		if strings.Contains(s, "://") {
			url = s
		}
	}
	below := n.get("config")
	part, keras := inKeras(n.str("module"))
	keras = keras && !modeling(root(part))
	for _, s := range all {
		place := strings.LastIndexByte(s, '.')
		name := s[place+1:]
		if !unsafe(name) {
			continue
		}
		dotted := false
		if place > 0 && identifier(s) {
			_, dotted = inKeras(s[:place])
		}
		switch {
		case name == "get_file" && url != "" && (place < 0 || dotted):
			j.finding("keras.get_file", scan.SeverityMalicious, "network", n.off, "get_file beside "+quote(url)+": downloads a file when the model is built")
		case dotted, keras && place < 0 && s != n.str("name"):
			j.unsafe(n, name, s)
		}
	}
	if !keras || below == nil || below.kind != object {
		return
	}
	for i, v := range below.items {
		if v.kind == text && unsafe(v.text) && below.keys[i] != "name" {
			j.unsafe(n, v.text, n.str("module")+"."+v.text)
		}
	}
}

// unsafe reports a function of Keras that is no part of a model.
func (j *judge) unsafe(n *node, name, full string) {
	rule, what := "keras.gadget", "is no part of a model: it touches files, the network or Keras itself"
	switch name {
	case "get_file":
		rule, what = "keras.get_file", "downloads a file, and unpacks it, when the model is built"
	case "enable_unsafe_deserialization":
		rule, what = "keras.unsafe", "turns off the protection against code in models"
	}
	j.finding(rule, scan.SeverityMalicious, "code-execution", n.off, quote(full)+" "+what)
}

// modules judges the keys that name the module of a function, wherever they
// are.
func (j *judge) modules(n *node) {
	for _, key := range [...]string{"fn_module", "function_module", "output_shape_module", "mask_module"} {
		module := n.str(key)
		if module == "" {
			continue
		}
		if j.names.modules[root(module)] {
			j.finding("keras.module", scan.SeverityMalicious, "code-execution", n.off,
				fmt.Sprintf("%s is the module %s, whose functions run code or reach files", key, quote(module)))
		}
	}
}
