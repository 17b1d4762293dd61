package keras

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
	"modelwall/scan/keras/marshal"
)

// lambda judges a Lambda layer by its functions. Those of the newer form are
// objects of their own, which are judged before.
func (j *judge) lambda(n, config *node) {
	if config == nil || config.kind != object {
		j.lambdaFinding(n, scan.SeveritySuspicious, "a Lambda layer without a configuration")
		return
	}
	name := config.str("name")
	if name == "" {
		name = n.str("name")
	}
	where := "a Lambda layer"
	if name != "" {
		where = "the Lambda layer " + quote(name)
	}
	found := false
	for _, key := range [...]string{"function", "output_shape", "mask"} {
		found = j.lambdaFunction(n, config, key, where) || found
	}
	for _, key := range [...]string{"fn_module", "function_module"} {
		module := config.str(key)
		_, keras := inKeras(module)
		switch {
		case module == "":
			continue
		case keras, root(module) == "tensorflow", module == "tf", root(module) == "numpy", module == "math":
		default:
			j.finding("keras.module", scan.SeveritySuspicious, "code-execution", n.off, where+" takes its function from the module "+quote(module))
		}
		found = true
	}
	j.globals(n, config, where)
	if !found {
		j.lambdaFinding(n, scan.SeveritySuspicious, where+" has no function that could be read")
	}
}

func (j *judge) lambdaFinding(n *node, sev scan.Severity, message string) {
	j.finding("keras.lambda", sev, "code-execution", n.off, message)
}

// lambdaFunction judges one function of a Lambda layer, and tells whether it
// is the layer's own.
func (j *judge) lambdaFunction(n, config *node, key, where string) bool {
	v, kind := config.get(key), config.str(key+"_type")
	if v == nil {
		return false
	}
	switch {
	case v.kind == object && key == "function":
		module := v.str("module")
		_, keras := inKeras(module)
		known := keras || companion(module) || module == "builtins" || module == "" || module == "__main__"
		if v.str("class_name") != "__lambda__" && !known && !j.names.tensor[v.str("config")] {
			j.finding("keras.module", scan.SeveritySuspicious, "code-execution", n.off,
				where+" calls a function of the module "+quote(module))
		}
		return v.has("class_name")
	case v.kind == array && len(v.items) > 0 && v.items[0].kind == text && (key == "function" || kind == "lambda" || len(v.items) == 3):
		j.code(n, v.items[0], where)
		return true
	case v.kind == text && kind == "lambda":
		j.code(n, v, where)
		return true
	case v.kind == text && identifier(v.text) && key == "function":
		if j.names.danger[v.text] || j.hostile(v.text) {
			j.lambdaFinding(n, scan.SeverityMalicious, where+" calls "+quote(v.text))
		} else if !j.names.tensor[v.text] {
			j.custom(n, v.text)
		}
		return true
	case v.kind == text && key == "function":
		j.code(n, v, where)
		return true
	}
	return false
}

// globals judges the modules in which the code of a Lambda layer looks up its
// variables: those of a module that is loaded, should it name one.
func (j *judge) globals(n, config *node, where string) {
	for _, key := range [...]string{"module", "output_shape_module", "mask_module"} {
		module := config.str(key)
		if module != "" && module != "__main__" && (j.names.modules[root(module)] || j.names.stdlib[root(module)]) {
			sev := scan.SeveritySuspicious
			if j.names.modules[root(module)] {
				sev = scan.SeverityMalicious
			}
			j.finding("keras.module", sev, "code-execution", n.off, where+" runs with the variables of the module "+quote(module))
		}
	}
}

// dictLambda judges a function of the newer form.
func (j *judge) dictLambda(n, config *node) {
	found := false
	for _, key := range [...]string{"code", "value"} {
		v := config.get(key)
		if v != nil && v.kind == array && len(v.items) > 0 {
			v = v.items[0]
		}
		if v != nil && v.kind == text {
			found = true
			j.code(n, v, "a function")
		}
	}
	if !found {
		j.lambdaFinding(n, scan.SeveritySuspicious, "a function whose code could not be found")
	}
}

// source of Python that does more than compute.
var harmful = regexp.MustCompile(`__\w+__|\b(eval|exec|compile|open|getattr|globals|system|popen|Popen|subprocess|socket|urlopen|requests|pickle|marshal|ctypes|importlib|base64|shutil)\b|\bos\.|/bin/\w|https?://`)

// code judges the text that holds a function's code.
func (j *judge) code(n, v *node, where string) {
	if v.cut {
		j.lambdaFinding(n, scan.SeveritySuspicious, where+" has more code than is looked at")
		return
	}
	j.coded += len(v.text)
	if j.coded > maxCode {
		j.lambdaFinding(n, scan.SeveritySuspicious, "the functions have more code than is looked at")
		return
	}
	decoded := unbase64(v.text)
	for _, raw := range [...][]byte{decoded, rawUnicodeEscape(v.text)} {
		if judged := j.bytecode(n, raw, where); judged {
			return
		}
	}
	if marshal.IsCode(decoded) {
		j.damagedCode(n, decoded, where)
		return
	}
	source := v.text
	if len(decoded) > 0 && utf8.Valid(decoded) && !bytes.ContainsFunc(decoded, func(r rune) bool { return r < '\t' }) {
		source += "\n" + string(decoded)
	}
	if word := harmful.FindString(source); word != "" {
		j.lambdaFinding(n, scan.SeverityMalicious, fmt.Sprintf("%s holds the source of a function, which uses %s: Keras writes no source", where, quote(word)))
		return
	}
	j.lambdaFinding(n, scan.SeveritySuspicious, where+": the function is neither code of Python nor the name of one: "+scan.Quote(v.text, 60))
}

// damagedCode judges what begins as marshalled code and breaks, by the names
// that are in it. Keras on Windows breaks code itself: it turns every byte of
// the value of a backslash into a slash.
func (j *judge) damagedCode(n *node, raw []byte, where string) {
	for _, word := range [...]string{"__import__", "__builtins__", "__class__", "subprocess", "urlopen", "urllib", "system", "popen", "check_output", "socket", "exec", "eval"} {
		if bytes.Contains(raw, []byte(word)) {
			j.lambdaFinding(n, scan.SeverityMalicious, where+" has damaged code that names "+quote(word))
			return
		}
	}
	j.lambdaFinding(n, scan.SeveritySuspicious, where+" has code that is damaged, or of an unknown version of Python")
}

// maxCode bounds the code of all functions of a file, in bytes of base64.
const maxCode = 32 << 20

// unbase64 decodes as Python's binascii does without strict mode: it skips what
// is no digit, and stops at the padding.
func unbase64(s string) []byte {
	out := make([]byte, 0, len(s)*3/4)
	quad, bits, pads := 0, uint32(0), 0
	for i := range len(s) {
		c := s[i]
		if c == '=' {
			if pads++; quad >= 2 && quad+pads >= 4 {
				return out
			}
			continue
		}
		d := strings.IndexByte(alphabet, c)
		if d < 0 {
			continue
		}
		pads = 0
		bits = bits<<6 | uint32(d)
		if quad++; quad > 1 {
			out = append(out, byte(bits>>(8-2*uint(quad))))
		}
		if quad == 4 {
			quad, bits = 0, 0
		}
	}
	return out
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// rawUnicodeEscape encodes as Python's codec of that name, to which Keras falls
// back: characters up to U+00FF are bytes.
func rawUnicodeEscape(s string) []byte {
	var b []byte
	for _, r := range s {
		switch {
		case r <= 0xff:
			b = append(b, byte(r))
		case r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return b
}

// torch judges a layer around a PyTorch module, which is a pickle in base64.
func (j *judge) torch(n, config *node) {
	j.finding("keras.torch_module", scan.SeveritySuspicious, "code-execution", n.off,
		"a TorchModuleWrapper layer unpickles a PyTorch module from the configuration")
	v := config.get("module")
	if v == nil || v.kind != text || v.text == "" {
		return
	}
	if v.cut {
		j.finding("keras.torch_module", scan.SeveritySuspicious, "evasion", n.off, "the PyTorch module is longer than what is looked at")
	}
	j.member("module", unbase64(v.text))
}

// member hands over bytes that were in a configuration.
func (j *judge) member(name string, b []byte) {
	if err := j.sink.Member(j.ctx, scan.Member{Name: name, At: bytes.NewReader(b), Size: int64(len(b))}); err != nil && j.stopped == nil {
		j.stopped = err
	}
}

// savedModel judges a layer that is a TensorFlow SavedModel elsewhere.
func (j *judge) savedModel(n, config *node) {
	path := config.str("filepath")
	j.finding("keras.saved_model", max(scan.SeveritySuspicious, severityOf(path)), "file-access", n.off,
		"a TFSMLayer loads the TensorFlow graph at "+quote(path)+" and runs it")
}
