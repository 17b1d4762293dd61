package keras

import (
	"strings"

	"modelwall/scan"
)

// operation judges a layer of Keras 2 that calls a function of TensorFlow by
// its public name. It can be any, and is called with what the file says.
func (j *judge) operation(n, config *node) {
	for _, key := range [...]string{"function", "cls_symbol", "method_name", "attr_name"} {
		name := config.str(key)
		plain := strings.TrimPrefix(strings.TrimPrefix(name, "io.decode_"), "io.parse_")
		switch {
		case name == "":
		case j.dangerous(name):
			j.finding("keras.operation", scan.SeverityMalicious, "code-execution", n.off, "a layer calls the function "+quote(name)+" of TensorFlow, which runs code or reaches files")
		case plain == name && !harmless(j.names, strings.TrimPrefix(name, "__operators__.")) && !operator(name):
			j.finding("keras.operation", scan.SeveritySuspicious, "code-execution", n.off, "a layer calls the function "+quote(name)+" of TensorFlow, which is not known to be computation on tensors")
		}
	}
}

// dangerous reports whether a part of a dotted name does harm.
func (j *judge) dangerous(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if j.names.danger[part] {
			return true
		}
	}
	return false
}

// operator reports whether a name is one of the operators of tensors.
func operator(name string) bool {
	last, ok := strings.CutPrefix(name, "__operators__.")
	if !ok {
		return false
	}
	switch strings.TrimPrefix(last, "r") {
	case "getitem", "add", "sub", "mul", "truediv", "floordiv", "div", "mod", "pow", "matmul", "neg", "abs", "and", "or", "xor", "invert",
		"eq", "ne", "lt", "le", "gt", "ge", "bool", "len", "nonzero", "ragged_getitem", "agged_getitem":
		return true
	}
	return last == "or" || last == "rpow"
}

// graphNode judges a layer of Keras 2 that holds a node of a TensorFlow graph,
// as an object or as the text of one.
func (j *judge) graphNode(n, config *node) {
	def := config.get("node_def")
	name := def.str("op")
	if def != nil && def.kind == text {
		for word := range strings.FieldsFuncSeq(def.text, func(r rune) bool {
			return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' && (r < '0' || r > '9')
		}) {
			if graphHarm(word) {
				name = word
			}
		}
	}
	if graphHarm(name) {
		j.finding("keras.operation", scan.SeverityMalicious, "code-execution", n.off, "a layer runs the operation "+quote(name)+" of TensorFlow, which runs code or reaches files")
	}
}

// graphHarm reports whether an operation of a graph does more than compute.
func graphHarm(op string) bool {
	switch op {
	case "ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "WholeFileReader", "WholeFileReaderV2",
		"TextLineReader", "TextLineReaderV2", "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "TFRecordReader", "TFRecordReaderV2", "Save", "SaveV2", "SaveSlices", "Restore", "RestoreV2", "RestoreSlice",
		"MergeV2Checkpoints", "PrintV2", "TextLineDataset", "TFRecordDataset", "FixedLengthRecordDataset", "DebugIdentity", "DebugIdentityV2",
		"InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "ShardedFilename", "LMDBDataset", "SqlDataset", "CSVDataset":
		return true
	}
	return false
}
