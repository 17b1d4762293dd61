package keras

import (
	"fmt"
	"strings"

	"modelwall/scan"
)

// reference judges what a module and a name lead to. Keras up to 3.8 imports
// any module, takes any attribute, and returns it when it is a function.
func (j *judge) reference(n *node, module, name string, function bool) {
	place, keras := inKeras(module)
	if module != "" && !keras {
		j.sink.Import(scan.Import{Module: module, Name: name, Offset: n.off})
	}
	full := name
	if module != "" {
		full = module + "." + name
	}
	if j.hostile(name) && !j.names.classes[name] {
		j.finding("keras.custom_object", scan.SeveritySuspicious, "code-execution", n.off, quote(full)+" is no object of Keras, and its name is that of an attack")
	}
	switch {
	case keras:
		j.builtin(n, place, name, full)
	case module == "builtins" || module == "__builtin__":
		j.python(n, name, full, function)
	case j.names.modules[root(module)]:
		j.finding("keras.module", scan.SeverityMalicious, "code-execution", n.off,
			quote(full)+" is not of Keras: the loader imports the module and calls what it finds there")
	case j.names.stdlib[root(module)] && (function || lower(name)):
		j.finding("keras.module", scan.SeveritySuspicious, "code-execution", n.off, quote(full)+" is a function of Python, not of Keras")
	case j.names.libraries[root(module)] && (function || lower(name)):
		if !j.names.tensor[name] {
			j.finding("keras.module", scan.SeveritySuspicious, "code-execution", n.off, quote(full)+" is a function of a library that a model has no use for")
		}
	case module == "" && (function || !j.legacy(n, name)), module != "" && root(module) != "tensorflow" && !companion(module):
		j.custom(n, full)
	}
}

// legacy reports whether an object without a module is one of Keras's, or one
// of the marks of its serialization.
func (j *judge) legacy(n *node, name string) bool {
	return j.names.classes[name] || strings.HasPrefix(name, "__") || name == "Lambda" || name == "TorchModuleWrapper" || name == "TFSMLayer" ||
		lower(name) // functions of the older form
}

func lower(name string) bool {
	return name != "" && (name[0] >= 'a' && name[0] <= 'z' || name[0] == '_')
}

// custom remarks on an object whose code is not in the file.
func (j *judge) custom(n *node, full string) {
	j.finding("keras.custom_object", scan.Low, "code-execution", n.off, quote(full)+" is not of Keras: whoever loads the model has to bring its code")
}

// builtin judges an object of Keras by its place inside of it.
func (j *judge) builtin(n *node, place, name, full string) {
	part := root(place)
	switch {
	case unsafe(name):
		j.unsafe(n, name, full)
	case !lower(name):
		switch part {
		case "callbacks", "saving", "export", "wrappers", "distribution", "visualization", "datasets", "preprocessing":
			j.outside(n, full)
		}
	default:
		if modeling(part) {
			return
		}
		switch part {
		case "", "backend", "utils", "nn", "applications", "engine", "legacy":
			if !j.names.tensor[name] && name != "to_categorical" && name != "pad_sequences" && name != "img_to_array" && name != "array_to_img" {
				j.outside(n, full)
			}
		default:
			j.outside(n, full)
		}
	}
}

// modeling reports whether a part of Keras has nothing but what models are made
// of.
func modeling(part string) bool {
	switch part {
	case "activations", "losses", "metrics", "initializers", "regularizers", "constraints", "ops", "random", "optimizers", "layers", "dtype_policies":
		return true
	}
	return false
}

func (j *judge) outside(n *node, full string) {
	j.finding("keras.gadget", scan.SeveritySuspicious, "code-execution", n.off, quote(full)+" is of Keras, but no part of a model")
}

// python judges a name in the module builtins. Keras up to 3.6 put its own and
// custom functions there, too.
func (j *judge) python(n *node, name, full string, function bool) {
	switch {
	case j.names.danger[name], name == "getattr", name == "setattr", name == "print", name == "input", name == "type", name == "object":
		j.finding("keras.module", scan.SeverityMalicious, "code-execution", n.off, quote(full)+" is a function of Python: the loader calls it with what the file says")
	case !function:
		j.finding("keras.module", scan.SeveritySuspicious, "code-execution", n.off, quote(full)+": Keras has no classes in the module builtins")
	case !j.names.tensor[name]:
		j.custom(n, name)
	}
}

// files judges the paths that an object names.
func (j *judge) files(n *node, class string, config *node) {
	if config == nil || config.kind != object {
		return
	}
	lookup := class == "StringLookup" || class == "IntegerLookup" || class == "TextVectorization" || class == "IndexLookup" ||
		class == "VocabularyFileCategoricalColumn"
	for _, key := range [...]string{"vocabulary", "idf_weights", "vocabulary_file", "vocab_file", "filepath", "file_path", "proto", "merges", "cache_dir"} {
		path := config.str(key)
		if path == "" || len(path) > 4096 {
			continue
		}
		sev := severityOf(path)
		if !lookup || key != "vocabulary" && key != "idf_weights" && key != "vocabulary_file" {
			if sev < scan.SeverityMalicious { // may be no path at all
				continue
			}
		}
		rule := "keras.file"
		if lookup {
			rule = "keras." + class
		}
		j.finding(rule, sev, "file-access", n.off, fmt.Sprintf("the %s of a layer %s is the file %s, which the loader reads", key, quote(class), quote(path)))
	}
}

// severityOf judges the path of a file that a loader reads.
func severityOf(path string) scan.Severity {
	s := strings.ToLower(strings.ReplaceAll(path, `\`, "/"))
	for _, prefix := range [...]string{"/etc/", "/proc/", "/sys/", "/dev/", "/root/", "/var/", "/run/", "//", "file:", "~", "c:/windows", "c:/users"} {
		if strings.HasPrefix(s, prefix) {
			return scan.SeverityMalicious
		}
	}
	for _, part := range [...]string{"/.ssh", "/.aws", "/.kube", "/.netrc", "/.git-credentials", "/.cache/huggingface/token", "/.docker", "/.gnupg"} {
		if strings.Contains(s, part) {
			return scan.SeverityMalicious
		}
	}
	if strings.HasPrefix(s, "/") || len(s) > 1 && s[1] == ':' || strings.Contains("/"+s+"/", "/../") || strings.Contains(s, "://") {
		return scan.SeveritySuspicious
	}
	return scan.Low
}
