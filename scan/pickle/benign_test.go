package pickle

import (
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// What popular libraries write, next to what only looks like it.
func TestLibrariesAndLookAlikes(t *testing.T) {
	global := func(module, name string) string { return "c" + module + "\n" + name + "\n" }
	// An instance made without arguments and filled with one attribute.
	filled := func(module, name, attribute, value string) string {
		return "\x80\x02" + global(module, name) + ")\x81}X" + string(rune(len(attribute))) + "\x00\x00\x00" + attribute + value + "sb."
	}
	text := func(s string) string { return "X" + string(rune(len(s))) + "\x00\x00\x00" + s }
	member := func(module, enum, name string) string {
		return "\x80\x02" + global("__builtin__", "getattr") + global(module, enum) + text(name) + "\x86R."
	}
	// Numpy's functions go by a function that imports them.
	ufunc := global("numpy.core", "_ufunc_reconstruct") + text("numpy.core._multiarray_umath") + text("log1p") + "\x86R"
	const clean = scan.Info
	for _, c := range []struct {
		name, data string
		least      scan.Severity
	}{
		{"word vectors hide their class methods", filled("gensim.models.word2vec", "Word2Vec", "load", global("gensim.utils", "call_on_class_only")), clean},
		{"word vectors with a loader", filled("gensim.models.word2vec", "Word2Vec", "load", global("gensim.utils", "unpickle")), scan.SeverityMalicious},
		{"transformer by a universal function", filled("sklearn.preprocessing._function_transformer", "FunctionTransformer", "func", ufunc), clean},
		{"transformer by eval", filled("sklearn.preprocessing._function_transformer", "FunctionTransformer", "func", global("builtins", "eval")), scan.SeverityMalicious},
		{"vectorizer that lowers", filled("sklearn.feature_extraction.text", "TfidfVectorizer", "preprocessor", global("__builtin__", "getattr")+global("__builtin__", "unicode")+text("lower")+"\x86R"), clean},
		{"vectorizer that formats", filled("sklearn.feature_extraction.text", "TfidfVectorizer", "preprocessor", global("__builtin__", "getattr")+global("__builtin__", "unicode")+text("format")+"\x86R"), scan.SeveritySuspicious},
		{"module with torch.relu", filled("torch.nn.modules.transformer", "TransformerEncoderLayer", "activation", global("__builtin__", "getattr")+global("torch._C", "_VariableFunctionsClass")+text("relu")+"\x86R"), clean},
		{"module with torch.from_file", filled("torch.nn.modules.transformer", "TransformerEncoderLayer", "activation", global("__builtin__", "getattr")+global("torch._C", "_VariableFunctionsClass")+text("from_file")+"\x86R"), scan.SeverityMalicious},
		{"member of an enum", member("transformers.trainer_utils", "IntervalStrategy", "STEPS"), clean},
		{"method of an enum", member("transformers.trainer_utils", "IntervalStrategy", "_missing_"), scan.SeveritySuspicious},
		{"graph", filled("networkx.classes.graph", "Graph", "_adj", "}"), clean},
		{"sentence splitter", filled("nltk.tokenize.punkt", "PunktSentenceTokenizer", "_params", "N"), clean},
		{"loader of sentence splitters", "\x80\x02" + global("nltk.data", "load") + text("x.pickle") + "\x85R.", scan.SeverityMalicious},

		// Both run the text they are filled with.
		{"distribution", filled("scipy.stats._continuous_distns", "norm_gen", "_parse_arg_template", text("import os")), scan.SeveritySuspicious},
		{"distribution by another module", filled("scipy.stats.distributions", "norm_gen", "_parse_arg_template", text("import os")), scan.SeveritySuspicious},
		{"model data", filled("statsmodels.base.data", "ModelData", "restore_design_info", "\x88"), scan.SeveritySuspicious},
		{"model data by another module", filled("statsmodels.tsa.base.tsa_model", "PandasData", "restore_design_info", "\x88"), scan.SeveritySuspicious},

		{"array in a file", filled("numpy", "memmap", "mode", text("r")), clean},
		{"array over a file", "\x80\x02" + global("numpy", "memmap") + text("/etc/passwd") + "\x85\x81.", scan.SeveritySuspicious},
	} {
		r, err := scantest.Scan(New(), "x", []byte(c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if worst := r.Worst(); worst < c.least || c.least == clean && worst > scan.Low {
			t.Errorf("%s: %v, want %v\n%+v", c.name, worst, c.least, r.Findings)
		}
	}
}
