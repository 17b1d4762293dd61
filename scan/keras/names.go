package keras

import (
	_ "embed"
	"strings"
)

//go:embed tables/tensor.txt
var tensorTable string

//go:embed tables/classes.txt
var classTable string

//go:embed tables/stdlib.txt
var stdlibTable string

//go:embed tables/danger.txt
var dangerTable string

//go:embed tables/modules.txt
var moduleTable string

//go:embed tables/libraries.txt
var libraryTable string

// names are the tables.
type names struct {
	tensor    set // computation on tensors
	classes   set // that Keras makes by itself
	stdlib    set // modules of Python
	danger    set // names in code that do harm
	modules   set // modules that do
	libraries set // that are on many machines
}

type set map[string]bool

func readNames() *names {
	return &names{
		tensor: table(tensorTable), classes: table(classTable), stdlib: table(stdlibTable),
		danger: table(dangerTable), modules: table(moduleTable), libraries: table(libraryTable),
	}
}

// table reads words, and lines of comment.
func table(text string) set {
	s := set{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, word := range strings.Fields(line) {
			s[word] = true
		}
	}
	return s
}

func root(module string) string {
	first, _, _ := strings.Cut(module, ".")
	return first
}

// inKeras returns a module's place inside of Keras, however it is reached:
// "layers" for tensorflow.keras.layers.
func inKeras(module string) (string, bool) {
	for _, prefix := range [...]string{
		"tensorflow.python.keras", "tensorflow.keras", "tensorflow_core.python.keras", "tf_keras.src", "tf_keras.api._v2.keras", "tf_keras",
		"keras.api._v2.keras", "keras.api._tf_keras.keras", "keras.api", "keras.src", "keras", "keras_core.src", "keras_core", "tf.keras",
	} {
		if module == prefix {
			return "", true
		}
		if rest, ok := strings.CutPrefix(module, prefix+"."); ok {
			return rest, true
		}
	}
	return "", false
}

// companion reports whether a module is of a library of Keras's own makers.
func companion(module string) bool {
	switch root(module) {
	case "keras_hub", "keras_nlp", "keras_cv", "keras_tuner", "tensorflow_addons", "tensorflow_probability", "tensorflow_hub",
		"tensorflow_recommenders", "tensorflow_model_optimization", "tensorflow_text", "tensorflow_decision_forests", "transformers":
		return true
	}
	return false
}

// identifier reports whether s is a dotted name of Python.
func identifier(s string) bool {
	if s == "" || len(s) > 200 {
		return false
	}
	for i, r := range s {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r > 0x7f:
		case i > 0 && (r == '.' || r == '>' || r >= '0' && r <= '9'):
		default:
			return false
		}
	}
	return true
}

// threat reports whether a name calls itself an attack. Nothing runs because of
// it, but honest models have no such names.
func threat(name string) bool {
	s := strings.ToLower(name)
	for _, word := range [...]string{"malicious", "malware", "backdoor", "payload", "exploit", "pwned", "reverse_shell", "reverseshell", "revshell", "exfiltrat", "trojan"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	return strings.HasPrefix(s, "evil")
}
