package skops

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// n makes a node as skops writes it; more are further members of it.
func n(loader, module, class string, content any, more ...any) map[string]any {
	m := map[string]any{"__class__": class, "__module__": module, "__loader__": loader, "__id__": 140000000}
	if content != nil {
		m["content"] = content
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

func js(v string) map[string]any {
	return n("JsonNode", "builtins", "str", v, "is_json", true)
}

func dict(kv ...any) map[string]any {
	content := map[string]any{}
	var types []any
	for i := 0; i+1 < len(kv); i += 2 {
		content[kv[i].(string)] = kv[i+1]
		types = append(types, n("TypeNode", "builtins", "str", nil))
	}
	return n("DictNode", "builtins", "dict", content, "key_types", n("ListNode", "builtins", "list", types))
}

func schema(root map[string]any) []byte {
	root["protocol"], root["_skops_version"] = 2, "0.13.0"
	b, err := json.Marshal(root)
	if err != nil {
		panic(err)
	}
	return b
}

func TestScanner(t *testing.T) {
	estimator := func(more ...any) map[string]any {
		return n("ObjectNode", "sklearn.pipeline", "Pipeline", dict(append([]any{"verbose", js("false")}, more...)...))
	}
	samples := []scantest.Sample{
		{Name: "pipeline", Worst: scan.Info, Data: schema(estimator(
			"steps", n("ListNode", "builtins", "list", []any{n("TupleNode", "builtins", "tuple", []any{js(`"a"`), n("ObjectNode", "sklearn.preprocessing._data", "StandardScaler", dict(
				"mean_", n("NdArrayNode", "numpy", "ndarray", nil, "type", "numpy", "file", "1.npy"),
				"n", n("NdArrayNode", "numpy", "int64", nil, "type", "numpy", "file", "2.npy")))})}),
			"tree_", n("TreeNode", "sklearn.tree._tree", "Tree", dict(), "__reduce__", map[string]any{"args": n("TupleNode", "builtins", "tuple", []any{})}),
			"loss_", n("LossNode", "sklearn._loss._loss", "CyHalfBinomialLoss", dict(), "__reduce__", map[string]any{"args": n("TupleNode", "builtins", "tuple", []any{})}),
			"link", n("ObjectNode", "sklearn._loss.link", "LogitLink", dict()),
			"ufunc", n("FunctionNode", "numpy", "sqrt", nil), "special", n("FunctionNode", "scipy.special._ufuncs", "expit", nil),
			"dtype", n("TypeNode", "numpy", "float64", nil), "dtype2", n("DTypeNode", "numpy", "dtype", n("NdArrayNode", "numpy", "ndarray", nil, "type", "numpy", "file", "3.npy")),
			"sparse", n("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", nil, "type", "scipy", "file", "4.npz"),
			"rng", n("RandomGeneratorNode", "numpy.random._generator", "Generator", map[string]any{"bit_generator": dict("bit_generator", js(`"PCG64"`), "state", js("1")), "seed_seq": dict()}),
			"default", n("DefaultDictNode", "collections", "defaultdict", map[string]any{"main": dict(), "default_factory": n("TypeNode", "builtins", "list", nil)}),
			"partial", n("PartialNode", "functools", "partial", map[string]any{"func": n("FunctionNode", "numpy", "log1p", nil), "args": n("TupleNode", "builtins", "tuple", []any{})}),
			"item", n("OperatorFuncNode", "operator", "itemgetter", nil, "attrs", n("TupleNode", "builtins", "tuple", []any{js("0")})),
			"slice", n("SliceNode", "builtins", "slice", map[string]any{"start": nil, "stop": 3, "step": nil}),
			"func", js(`"__import__"`), "obj", js(`"x"`),
		))},
		{Name: "boosters", Worst: scan.Info, Data: schema(n("ListNode", "builtins", "list", []any{
			n("ObjectNode", "xgboost.sklearn", "XGBClassifier", dict()), n("ObjectNode", "xgboost.core", "Booster", dict("handle", n("BytearrayNode", "builtins", "bytearray", nil, "file", "a.bin"))),
			n("ObjectNode", "lightgbm.sklearn", "LGBMClassifier", dict()), n("ObjectNode", "catboost.core", "CatBoostClassifier", dict()),
			n("ObjectNode", "quantile_forest._quantile_forest", "RandomForestQuantileRegressor", dict()),
		})), Err: nil},
		{Name: "bare", Worst: scan.Info, Data: []byte(`{"__class__":"sklearn.ensemble._forest.RandomForestClassifier","__module__":"sklearn.ensemble._forest","content":{"n":{"__class__":"int","content":100}}}`)},
		{Name: "custom", Worst: scan.Low, Data: schema(n("ObjectNode", "my.transformers", "Cleaner", dict()))},
		{Name: "schema.json", Worst: scan.Info, Err: scan.ErrForeign, Data: []byte(`{"version":"1.0","protocol":"3"}`)},

		{Name: "system", Worst: scan.SeverityMalicious, Data: schema(estimator("x", n("FunctionNode", "os", "system", nil)))},
		{Name: "system v0", Worst: scan.SeverityMalicious, Data: schema(estimator("x", n("FunctionNode", "builtins", "function", map[string]any{"module_path": "os", "function": "system"})))},
		{Name: "system by way", Worst: scan.SeverityMalicious, Data: schema(n("TypeNode", "numpy.os", "system", nil))},
		{Name: "key type", Worst: scan.SeverityMalicious, Data: schema(n("DictNode", "builtins", "dict", map[string]any{"1": js("1")}, "key_types", n("ListNode", "builtins", "list", []any{n("TypeNode", "builtins", "eval", nil)})))},
		{Name: "list of eval", Worst: scan.SeverityMalicious, Data: schema(n("ListNode", "builtins", "exec", []any{}))},
		{Name: "operator", Worst: scan.SeverityMalicious, Data: schema(n("OperatorFuncNode", "builtins", "call", nil, "attrs", n("TupleNode", "builtins", "tuple", []any{})))},
		{Name: "operator call", Worst: scan.SeverityMalicious, Data: schema(n("OperatorFuncNode", "operator", "call", nil))},
		{Name: "operator method", Worst: scan.SeveritySuspicious, Data: schema(n("OperatorFuncNode", "operator", "methodcaller", nil))},
		{Name: "method", Worst: scan.SeverityMalicious, Data: schema(n("MethodNode", "builtins", "int", map[string]any{"func": "predict", "obj": n("ObjectNode", "sklearn.svm._classes", "SVC", dict())}))},
		{Name: "method dunder", Worst: scan.SeverityMalicious, Data: schema(n("MethodNode", "sklearn.svm._classes", "SVC", map[string]any{"func": "__getattribute__", "obj": n("ObjectNode", "sklearn.svm._classes", "SVC", dict())}))},
		{Name: "method inherited", Worst: scan.SeveritySuspicious, Data: schema(n("MethodNode", "sklearn.base", "SVC", map[string]any{"func": "fit", "obj": n("ObjectNode", "sklearn.svm._classes", "SVC", dict())}))},
		{Name: "loss", Worst: scan.SeverityMalicious, Data: schema(n("LossNode", "my", "Loss", dict()))},
		{Name: "tree", Worst: scan.SeveritySuspicious, Data: schema(n("TreeNode", "sklearn.svm", "Tree", dict()))},
		{Name: "loader", Worst: scan.SeveritySuspicious, Data: schema(n("JoblibNode", "sklearn.svm", "SVC", dict()))},
		{Name: "file", Worst: scan.SeveritySuspicious, Data: schema(n("BytesNode", "builtins", "bytes", nil, "file", "../../x.bin"))},
		{Name: "bit generator", Worst: scan.SeveritySuspicious, Data: schema(dict("bit_generator", js(`"test"`)))},
		{Name: "duplicate", Worst: scan.SeverityMalicious, Data: []byte(`{"__class__":"system","__class__":"int","__module__":"os","__module__":"builtins","__loader__":"TypeNode"}`)},
		{Name: "stray", Worst: scan.SeveritySuspicious, Data: []byte(`{"type":"MethodNode","method":"__getattr__"}`)},
		{Name: "wide", Worst: scan.SeverityMalicious, Data: wide(string(schema(n("FunctionNode", "os", "system", nil))))},
	}
	scantest.Run(t, New(), samples)
}

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// TestNames: what a member is called counts, what a file is called does not.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		name, member, body string
		worst              scan.Severity
		match              bool
	}{
		{"OperatorFuncNode.json", "OperatorFuncNode.json", `{"exploit": true}`, scan.SeveritySuspicious, true},
		{"__getattr__hook.py", "a.zip!__getattr__hook.py", "x", scan.SeveritySuspicious, true},
		{"OperatorFuncNode.json", "", `{"exploit": true}`, scan.Info, true},
		{"org/objectweb/asm/tree/MethodNode.class", "org/objectweb/asm/tree/MethodNode.class", "x", scan.Info, false},
		{"pkg/__init__.py", "pkg/__init__.py", "x", scan.Info, false},
	} {
		p := scantest.Probe(c.name, []byte(c.body))
		if got := New().Match(p); got != c.match {
			t.Errorf("%s: Match = %v, want %v", c.name, got, c.match)
		}
		if !c.match {
			continue
		}
		f := scantest.Bytes(c.name, []byte(c.body))
		f.Member = c.member
		r := &scantest.Record{}
		err := New().Scan(context.Background(), f, r)
		if r.Worst() != c.worst || !errors.Is(err, scan.ErrForeign) {
			t.Errorf("%s as %q: %v, %v, want %v and foreign", c.name, c.member, r.Worst(), err, c.worst)
		}
	}
	if big := []byte(`{"x":"` + strings.Repeat("a", 10_000) + `","__loader__":"TypeNode"}`); !New().Match(scantest.Probe("a/schema.json", big)) || New().Match(scantest.Probe("a/config.json", big)) {
		t.Error("the schema's name has to widen the match")
	}
}

func FuzzScan(f *testing.F) {
	f.Add(schema(n("MethodNode", "builtins", "int", map[string]any{"func": "predict", "obj": n("ObjectNode", "sklearn.svm._classes", "SVC", dict())})))
	f.Add([]byte(`{"__class__":"a","__class__":"b","__module__":"os","__loader__":"OperatorFuncNode"}`))
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, s, data) })
}
