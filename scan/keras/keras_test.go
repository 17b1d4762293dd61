package keras_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/keras"
	"modelwall/scan/scantest"
)

type sample struct {
	name  string
	text  string
	rule  string // that must be found, "" for none at all
	worst scan.Severity
	err   error
}

const (
	low = scan.Low
	sus = scan.SeveritySuspicious
	mal = scan.SeverityMalicious
)

func samples() []sample {
	return slices.Concat(honest(), code2(), references(), gadgets(), forms())
}

// honest are configurations as Keras writes them, of all its versions.
func honest() []sample {
	maths := code([]string{"tf", "math", "reduce_mean"}, "axis", "keepdims")
	return []sample{
		{"sequential", model(`{"module": "keras.layers", "class_name": "Dense", "config": {"units": 4, "activation": "relu", "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null}}, "registered_name": null, "build_config": {"input_shape": [null, 5]}}`), "", scan.Info, nil},
		{"old sequential", `{"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "d", "units": 3, "activation": "softmax"}}], "keras_version": "1.2.2", "backend": "theano"}`, "", scan.Info, nil},
		{"functional", `{"class_name": "Functional", "config": {"name": "m", "layers": [{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3]}, "name": "i", "inbound_nodes": []}, {"class_name": "TFOpLambda", "config": {"name": "tf.math.multiply", "function": "math.multiply"}, "inbound_nodes": [["i", 0, 0, {"y": 2}]]}, {"class_name": "SlicingOpLambda", "config": {"name": "g", "function": "__operators__.getitem"}}]}}`, "", scan.Info, nil},
		{"training", `{"loss": "mse", "metrics": ["accuracy", "AUC"], "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.001}}, "loss_weights": null}`, "", scan.Info, nil},
		{"compiled", `{"module": "keras", "class_name": "Functional", "config": {}, "compile_config": {"optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": {}, "registered_name": null}, "loss": {"module": "builtins", "class_name": "function", "config": "binary_crossentropy", "registered_name": "function"}}}`, "", scan.Info, nil},
		{"function of Keras", layer("keras.layers", "Dense", `"activation": {"module": "keras.activations", "class_name": "function", "config": "relu", "registered_name": "relu"}`), "", scan.Info, nil},
		{"operation", calls("keras.ops", "mean"), "", scan.Info, nil},
		{"type of tensors", `{"class_name": "__typespec__", "spec_name": "TensorSpec", "module": "tensorflow.python.framework.tensor_spec", "config": [[null, 3], "float32", "x"], "registered_name": null}`, "", scan.Info, nil},
		{"vocabulary", layer("keras.layers", "TextVectorization", `"vocabulary": ["", "[UNK]", "the"]`), "", scan.Info, nil},
		{"browser", `{"format": "layers-model", "modelTopology": {"keras_version": "2.15", "model_config": {"class_name": "Sequential", "config": {"layers": []}}}, "weightsManifest": []}`, "", scan.Info, nil},
		{"KerasHub", `{"module": "keras_hub.src.models.bert.bert_backbone", "class_name": "BertBackbone", "config": {"vocabulary_size": 30522}, "registered_name": "keras_hub>BertBackbone"}`, "", scan.Info, nil},
		{"YAML", "backend: tensorflow\nclass_name: Sequential\nconfig:\n  layers:\n  - class_name: Dense\n    config: {units: 3}\nkeras_version: 2.4.0\n", "", scan.Info, nil},

		{"lambda of maths", lambda(maths), "keras.lambda", low, nil},
		{"old lambda of maths", oldLambda(maths, `, "module": "__main__"`), "keras.lambda", low, nil},
		{"lambda with a helper", lambda(code([]string{"my_distance"})), "keras.lambda", low, nil},
		{"lambda by name", model(`{"class_name": "Lambda", "config": {"function": "scaling", "function_type": "function", "module": "net"}}`), "keras.custom_object", low, nil},
		{"custom layer", layer("my_package.layers", "Attention2", `"units": 3`), "keras.custom_object", low, nil},
		{"custom layer, registered", model(`{"module": null, "class_name": "Custom", "config": {}, "registered_name": "pkg>Custom"}`), "keras.custom_object", low, nil},
		{"custom loss", `{"loss": "dice_loss", "metrics": null, "optimizer_config": {"class_name": "Adam", "config": {}}}`, "", scan.Info, nil},
		{"custom function", layer("keras.layers", "Dense", `"activation": {"module": "builtins", "class_name": "function", "config": "my_swish", "registered_name": "function"}`), "keras.custom_object", low, nil},
		{"vocabulary beside", layer("keras.layers", "StringLookup", `"vocabulary": "vocab.txt"`), "keras.StringLookup", low, nil},
		{"names of functions as texts", layer("keras.layers", "Dense", `"name": "get_file", "fn": "get_file", "notes": "about enable_unsafe_deserialization"`), "", scan.Info, nil},
	}
}

// code2 are Lambda layers whose code does more than compute.
func code2() []sample {
	system := code([]string{"__import__", "system"}, "os", "id")
	return []sample{
		{"lambda", lambda(system), "keras.lambda", mal, nil},
		{"old lambda", oldLambda(system, ""), "keras.lambda", mal, nil},
		{"lambda in lines", lambda(system[:40] + "\n" + system[40:]), "keras.lambda", mal, nil},
		{"lambda behind noise", lambda("!$%" + system[:5] + "\u0020*" + system[5:]), "keras.lambda", mal, nil},
		{"nested", model(`{"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Bidirectional", "config": {"layer": ` + lambda(system) + `}}}}`), "keras.lambda", mal, nil},
		{"lambda of a shape", model(`{"class_name": "Lambda", "config": {"function": "f", "function_type": "function", "output_shape": [` + quoted(system) + `, null, null], "output_shape_type": "lambda"}}`), "keras.lambda", mal, nil},
		{"lambda of a mask", oldLambda(code([]string{"tf", "abs"}), `, "mask": [`+quoted(system)+`, null, null], "mask_type": "lambda"`), "keras.lambda", mal, nil},
		{"lambda anywhere", `{"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__", "config": {"value": [` + quoted(system) + `, null, null]}}}}`, "keras.lambda", mal, nil},
		{"lambda in YAML", "class_name: Sequential\nconfig:\n- class_name: Lambda\n  config:\n    function: !!python/tuple [" + system + ", null, null]\n    function_type: lambda\n", "keras.lambda", mal, nil},
		{"code not in base64", model(`{"class_name": "Lambda", "config": {"function": ["` + escaped(system) + `", null, null], "function_type": "lambda"}}`), "keras.lambda", mal, nil},
		{"reads a file", lambda(code([]string{"tf", "io", "read_file"})), "keras.lambda", mal, nil},
		{"unknown attribute", lambda(code([]string{"tf", "frobnicate"})), "keras.lambda", sus, nil},
		{"getattr", lambda(code([]string{"getattr"})), "keras.lambda", sus, nil},
		{"class walk", lambda(code([]string{"x", "__class__", "__subclasses__"})), "keras.lambda", mal, nil},
		{"command in a constant", lambda(code([]string{"f"}, "/bin/sh -c id")), "keras.lambda", sus, nil},
		{"variables of os", oldLambda(code([]string{"tf", "abs"}), `, "module": "os"`), "keras.module", mal, nil},
		{"damaged code", lambda(code([]string{"__import__", "system"})[:120]), "keras.lambda", mal, nil},
		{"code of the future", lambda("4wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "keras.lambda", sus, nil},
		{"source", model(`{"class_name": "Lambda", "config": {"function": "lambda x: eval('1')"}}`), "keras.lambda", mal, nil},
		{"harmless source", model(`{"class_name": "Lambda", "config": {"function": "lambda x: x"}}`), "keras.lambda", sus, nil},
		{"source in base64", oldLambda("ZXhlYygicHJpbnQoKSIp", ""), "keras.lambda", mal, nil},
		{"nothing", model(`{"class_name": "Lambda", "config": {"name": "l"}}`), "keras.lambda", sus, nil},
		{"two functions", model(`{"class_name": "Lambda", "config": {"function": "f", "function": "f"}, "config": {"function": [` + quoted(system) + `, null, null], "function_type": "lambda"}}`), "keras.duplicate_key", mal, nil},
		{"operation of TensorFlow", `{"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}`, "keras.operation", mal, nil},
		{"unknown operation", `{"class_name": "TFOpLambda", "config": {"function": "io.gfile"}}`, "keras.operation", mal, nil},
		{"node of a graph", `{"class_name": "TensorFlowOpLayer", "config": {"node_def": {"name": "r", "op": "ReadFile"}}}`, "keras.operation", mal, nil},
		{"text of a node", `{"class_name": "TensorFlowOpLayer", "config": {"node_def": "name: \"r\"\nop: \"PyFunc\""}}`, "keras.operation", mal, nil},
	}
}

func escaped(b64 string) string {
	var b strings.Builder
	for _, c := range decode(b64) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

// references are modules and names that a loader must not follow.
func references() []sample {
	return []sample{
		{"class of os", layer("os", "Dense", `"units": 1`), "keras.module", mal, nil},
		{"class of builtins", layer("builtins", "Dense", `"units": 1`), "keras.module", sus, nil},
		{"function of subprocess", calls("subprocess", "run"), "keras.module", mal, nil},
		{"function as a class", layer("shutil", "rmtree", ``), "keras.module", mal, nil},
		{"eval", calls("builtins", "eval"), "keras.module", mal, nil},
		{"module of a function", layer("keras.layers", "Dense", `"fn_module": "subprocess"`), "keras.module", mal, nil},
		{"lambda of a module", model(`{"class_name": "Lambda", "config": {"fn_module": "mathutils.payload"}}`), "keras.module", sus, nil},
		{"lambda of an unknown function", calls("my_package.evaluate", "run"), "keras.module", sus, nil},
		{"function of Python", calls("statistics", "mean"), "keras.module", sus, nil},
		{"function of a library", calls("numpy", "load"), "keras.module", sus, nil},
		{"hub of PyTorch", calls("torch.hub", "load"), "keras.module", sus, nil},
		{"loss that says what it is", `{"loss": "malicious_loss", "metrics": null, "optimizer_config": {"class_name": "Adam", "config": {}}}`, "keras.custom_object", sus, nil},
		{"metric that says what it is", `{"loss": "mse", "metrics": ["backdoor_metric"], "loss_weights": null}`, "keras.custom_object", sus, nil},
		{"layer that says what it is", layer("", "MaliciousLayer", ``), "keras.custom_object", sus, nil},
	}
}

// gadgets are parts of Keras that do more than compute.
func gadgets() []sample {
	return []sample{
		{"get_file", calls("keras.utils", "get_file"), "keras.get_file", mal, nil},
		{"get_file as a class", layer("keras.src.utils.file_utils", "get_file", ``), "keras.get_file", mal, nil},
		{"get_file beside an address", layer("", "Dense", `"fn": "get_file", "args": ["https://host/x"]`), "keras.get_file", mal, nil},
		{"safe mode", calls("keras.config", "enable_unsafe_deserialization"), "keras.unsafe", mal, nil},
		{"safe mode of a layer", layer("keras.config", "Dense", `"fn": "enable_unsafe_deserialization"`), "keras.unsafe", mal, nil},
		{"safe mode by its full name", layer("", "Dense", `"loader": "keras.config.enable_unsafe_deserialization"`), "keras.unsafe", mal, nil},
		{"load_model", calls("tensorflow.keras.models", "load_model"), "keras.gadget", mal, nil},
		{"callback", layer("keras.callbacks", "RemoteMonitor", ``), "keras.gadget", sus, nil},
		{"function of no layer", calls("keras.utils", "unknown"), "keras.gadget", sus, nil},
		{"PyTorch module", layer("keras.layers", "TorchModuleWrapper", `"module": "gAROLg=="`), "keras.torch_module", sus, nil},
		{"SavedModel", layer("keras.layers", "TFSMLayer", `"filepath": "saved"`), "keras.saved_model", sus, nil},
		{"SavedModel of a share", layer("keras.layers", "TFSMLayer", `"filepath": "\\\\host\\share"`), "keras.saved_model", mal, nil},
		{"vocabulary of the system", layer("keras.layers", "StringLookup", `"vocabulary": "/etc/passwd"`), "keras.StringLookup", mal, nil},
		{"vocabulary of a user", layer("keras.layers", "TextVectorization", `"vocabulary": "/data/vocab.txt"`), "keras.TextVectorization", sus, nil},
		{"vocabulary above", layer("keras.layers", "IntegerLookup", `"vocabulary": "a/../../v"`), "keras.IntegerLookup", sus, nil},
		{"vocabulary far away", layer("keras.layers", "StringLookup", `"vocabulary": "gs://bucket/v"`), "keras.StringLookup", sus, nil},
	}
}

// forms are one attack in the forms that a loader takes.
func forms() []sample {
	attack := calls("os", "system")
	return []sample{
		{"blanks", strings.Repeat(" \n", 5000) + attack, "keras.module", mal, nil},
		{"byte order mark", "\ufeff" + attack, "keras.module", mal, nil},
		{"UTF-16", wide(attack, binary.LittleEndian, false), "keras.module", mal, nil},
		{"UTF-16 with a mark", wide(attack, binary.BigEndian, true), "keras.module", mal, nil},
		{"UTF-32", wide32(attack, binary.BigEndian), "keras.module", mal, nil},
		{"escaped keys", strings.NewReplacer("class_name", `cl\u0061ss_name`, "config", `c\u006fnfig`).Replace(attack), "keras.module", mal, nil},
		{"lines of JSON", `{"a": 1}` + "\n" + attack + "\n", "keras.module", mal, nil},
		{"cut off", attack[:len(attack)-3], "keras.module", mal, scan.ErrMalformed},
		{"broken behind", attack + "}", "keras.module", mal, scan.ErrMalformed},
		{"broken inside", model(`{"class_name": "Dense", "config": {}}`)[:70] + "!", "", scan.Info, scan.ErrMalformed},
		{"deep", `{"class_name": "Dense", "config": ` + strings.Repeat("[", 5000), "", scan.Info, scan.ErrLimit},
	}
}

// large are texts of which only the beginning is kept.
func large() []sample {
	attack := calls("os", "system")
	return []sample{
		{"far behind", `{"pad": [` + strings.Repeat("0, ", 200_000) + `0], "model": ` + attack + `}`, "keras.module", mal, nil},
		{"among many", `[` + strings.Repeat(`{"a": [1, 2, {"b": "c"}]}, `, 20_000) + attack + `]`, "keras.module", mal, nil},
		{"before many", `{"layers": [` + attack + strings.Repeat(`, {"class_name": "Dense", "config": {"units": 1}}`, 9000) + `]}`, "keras.module", mal, nil},
		{"function before much", `{"class_name": "Lambda", "config": {"function": [` + quoted(code([]string{"exec"})) + `, null, null], "pad": [` + strings.Repeat(`{"a": 1}, `, 100_000) + `0], "function_type": "lambda"}}`, "keras.lambda", mal, nil},
	}
}

func TestSamples(t *testing.T) {
	for _, c := range slices.Concat(samples(), large()) {
		t.Run(c.name, func(t *testing.T) {
			r, err := scantest.Scan(keras.New(), "x", []byte(c.text))
			if !errors.Is(err, c.err) {
				t.Errorf("error = %v, want class %v", err, c.err)
			}
			if r.Worst() != c.worst {
				t.Errorf("worst finding = %v, want %v", r.Worst(), c.worst)
			}
			has := slices.ContainsFunc(r.Findings, func(f scan.Finding) bool { return f.Rule == c.rule })
			if c.rule == "" != (len(r.Findings) == 0) || c.rule != "" && !has {
				t.Errorf("findings = %+v, want %q", r.Findings, c.rule)
			}
		})
	}
}

func TestAcceptance(t *testing.T) {
	var all []scantest.Sample
	for _, c := range samples() {
		all = append(all, scantest.Sample{Name: c.name, Data: []byte(c.text), Worst: c.worst, Err: c.err})
	}
	scantest.Run(t, keras.New(), all)
}

// TestMember: the pickle of a PyTorch module is handed over.
func TestMember(t *testing.T) {
	r, err := scantest.Scan(keras.New(), "x", []byte(layer("keras.layers", "TorchModuleWrapper", `"module": "gAROLg=="`)))
	if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != "\x80\x04N." {
		t.Errorf("members %q, error %v", r.Members, err)
	}
}

func TestForeign(t *testing.T) {
	for _, text := range []string{
		"", "{}", "[1, 2]", "plain text", `{"class_name": "car", "box": [1, 2, 3, 4]}`, `{"class_name": 3, "config": 4}`,
		`{"class_name": `, `{"fn": "get_file", "url": "https://host", "class_name": 1}`, "class_name: car\nconfig: [", "def f():\n  class_name = 1\n",
		"\x00\x01class_name",
	} {
		r, err := scantest.Scan(keras.New(), "config.json", []byte(text))
		if !errors.Is(err, scan.ErrForeign) || len(r.Findings) > 0 {
			t.Errorf("%q: error = %v, findings %+v; want ErrForeign", text, err, r.Findings)
		}
	}
}

// TestMemory: of a long text, only what encloses the place stays in memory.
func TestMemory(t *testing.T) {
	f := &repeated{head: `[{"class_name": "Dense", "config": {}}`, unit: `, {"class_name": "car", "box": [1, 2, 3, 4], "text": "some text that is a little longer"}`, size: 16 << 20}
	err := keras.New().Scan(t.Context(), scan.File{Name: "x", Size: f.size, ReaderAt: f}, &scantest.Record{})
	if !errors.Is(err, scan.ErrMalformed) { // it never ends
		t.Errorf("error = %v, want ErrMalformed", err)
	}
	if f.heap > 64<<20 {
		t.Errorf("%d bytes on the heap, want at most 64 MiB", f.heap)
	}
}

// repeated is a head and a unit again and again; it watches the heap.
type repeated struct {
	head, unit string
	size       int64
	heap       uint64
}

func (r *repeated) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), r.size-off))
	for i := range n {
		if at := off + int64(i); at < int64(len(r.head)) {
			p[i] = r.head[at]
		} else {
			p[i] = r.unit[(at-int64(len(r.head)))%int64(len(r.unit))]
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.heap = max(r.heap, m.HeapAlloc)
	return n, nil
}

func FuzzScan(f *testing.F) {
	for _, c := range samples() {
		if len(c.text) < 4<<10 {
			f.Add([]byte(c.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, keras.New(), data) })
}
