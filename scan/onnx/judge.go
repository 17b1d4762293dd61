package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

func count(n int64) string { return strconv.FormatInt(n, 10) }

func serialized(b []byte) bool { return clue.Serialized(b) }

// memoryAddress is the location that ONNX Runtime takes for an address in its
// own memory, the offset being the address.
const memoryAddress = "_ORT_MEM_ADDR_"

// external judges an entry of a tensor's external_data.
func (v *visitor) external() {
	e := v.entry
	name := ""
	if len(v.tensors) > 0 {
		name = v.tensors[len(v.tensors)-1]
	}
	switch e.key {
	case "location":
		v.location("tensor "+scan.Quote(name, 60), e)
	case "offset", "length", "checksum", "basepath":
	default:
		if strings.HasPrefix(e.key, "__") {
			v.finding("onnx.external_key", scan.SeveritySuspicious, "code-execution", e.off,
				"external data of a tensor sets "+scan.Quote(e.key, 60)+", an attribute of the loader's own object")
		}
	}
}

// location judges a path that a loader joins with the model's folder.
func (v *visitor) location(who string, e entry) {
	quoted := scan.Quote(e.value, 120)
	if strings.Contains(e.value, memoryAddress) {
		v.finding("onnx.memory_address", scan.SeverityMalicious, "memory-access", e.off,
			who+" is to be read from a memory address of the loading process ("+quoted+")")
		return
	}
	if e.overlong {
		v.finding("onnx.overlong", scan.SeveritySuspicious, "obfuscation", e.off,
			who+" is in a file whose path is longer than any system takes: "+quoted)
		return
	}
	bad := func(what string) {
		v.finding("onnx.external_data", scan.SeverityMalicious, "path-traversal", e.off,
			who+" is in "+quoted+", "+what+": loading the model reads that file, saving it writes there")
	}
	switch clue.WhichPath(e.value) {
	case clue.Absolute:
		bad("an absolute path")
	case clue.Escapes:
		bad("a path out of the model's folder")
	case clue.Broken:
		bad("a path with control characters")
	case clue.Remote:
		v.finding("onnx.external_data", scan.SeveritySuspicious, "network", e.off, who+" is at "+quoted+", a URL and no file beside the model")
	case clue.Roundabout:
		v.finding("onnx.external_data", scan.Low, "path-traversal", e.off, who+" is in "+quoted+", a path with \"..\" that stays in the model's folder")
	}
}

// evaluated are the keys of metadata that loaders of YOLO models have handed
// to Python's eval.
var evaluated = []string{"names", "imgsz", "kpt_shape", "kpt_names", "stride", "batch", "args", "channels", "end2end"}

// metadata judges an entry of the model's metadata.
func (v *visitor) metadata() {
	e := v.entry
	if slices.Contains(evaluated, e.key) {
		if call := v.texts.Evaluated(e.value); call != "" {
			v.finding("onnx.metadata_code", scan.SeverityMalicious, "code-execution", e.off,
				"the metadata "+scan.Quote(e.key, 40)+" is no literal but code for loaders that evaluate it: "+scan.Quote(e.value, 120))
			return
		}
	}
	if c := v.texts.Command(e.value); c != "" {
		v.finding("onnx.metadata_code", scan.SeveritySuspicious, "code-execution", e.off,
			"the metadata "+scan.Quote(e.key, 40)+" holds a command: "+scan.Quote(c, 120))
	}
	if e.key == "ort_config" {
		v.finding("onnx.ort_config", scan.Low, "configuration", e.off,
			"the model brings a configuration of ONNX Runtime, which is used where ORT_LOAD_CONFIG_FROM_MODEL is set")
	}
}

// standard are the domains whose operators compute and nothing else, the
// runtimes' own ones among them.
func standard(domain string) bool {
	switch domain {
	case "", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training",
		"com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "com.microsoft.dml",
		"com.ms.internal.nhwc", "com.microsoft.internal.nhwc", "org.pytorch.aten", "org.pytorch.prim":
		return true
	}
	return false
}

// node judges a node, when all of it is known.
func (v *visitor) node(n node) {
	who := "node " + scan.Quote(n.name, 60)
	switch {
	case strings.Contains(strings.ToLower(n.op), "python") || n.op == "PyOp" || strings.HasPrefix(n.op, "PyCustomOp") || strings.Contains(n.op, "PyFunc"):
		v.finding("onnx.python_op", scan.SeveritySuspicious, "code-execution", n.off,
			fmt.Sprintf("%s is %s of domain %s, an operator that calls Python functions", who, scan.Quote(n.op, 60), scan.Quote(n.domain, 60)))
	case n.op == "EPContext":
		v.context(who, n)
	case n.domain == "com.microsoft.extensions" || n.strings["model_uri"] != "":
		v.finding("onnx.network_op", scan.SeveritySuspicious, "network", n.off,
			fmt.Sprintf("%s is %s, an operator that sends its inputs to %s", who, scan.Quote(n.op, 60), scan.Quote(n.strings["model_uri"], 120)))
	case n.op == "ATen" && (n.strings["operator"] == "from_file" || n.strings["operator"] == "save"):
		v.finding("onnx.aten_op", scan.SeveritySuspicious, "file-access", n.off,
			who+" runs the PyTorch operator "+scan.Quote(n.strings["operator"], 60)+", which opens files")
	}
	if standard(n.domain) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.strings)) {
		s := n.strings[name]
		if clue.Library(s) || clue.Sensitive(s) {
			v.finding("onnx.custom_path", scan.SeveritySuspicious, "file-access", n.off,
				fmt.Sprintf("%s hands %s = %s to a custom operator", who, scan.Quote(name, 40), scan.Quote(s, 120)))
		}
	}
	u, ok := v.domains[n.domain]
	if !ok {
		if len(v.domains) >= maxDomains {
			return
		}
		u = use{op: n.op, off: n.off}
	}
	u.count++
	v.domains[n.domain] = u
}

// context judges an EPContext: with embed_mode 0 the compiled model lies in a
// file beside this one.
func (v *visitor) context(who string, n node) {
	if mode, ok := n.ints["embed_mode"]; ok && mode != 0 {
		v.finding("onnx.compiled", scan.Low, "native-code", n.off, who+" holds a model compiled for a device, which is not examined")
		return
	}
	path := n.strings["ep_cache_context"]
	v.location(who, entry{value: path, off: n.off})
	v.finding("onnx.compiled", scan.Low, "native-code", n.off, who+" loads a model compiled for a device from "+scan.Quote(path, 120))
}

// Finish implements pb.Judge: it reports operators whose code neither the file nor the
// standard brings along, one finding for each domain.
func (v *visitor) Finish() {
	for _, d := range slices.Sorted(maps.Keys(v.domains)) {
		u := v.domains[d]
		if v.local[d] {
			continue
		}
		v.finding("onnx.custom_op", scan.Low, "custom-code", u.off,
			fmt.Sprintf("%d operators of domain %s, beginning with %s, need a library that is not part of the model", u.count, scan.Quote(d, 60), scan.Quote(u.op, 60)))
	}
}
