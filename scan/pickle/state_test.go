package pickle

import (
	"fmt"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// parser is the text that scipy's distributions execute when they are filled.
func parser(names string) string {
	return fmt.Sprintf("\ndef _parse_args(self, %[1]s loc=0, scale=1):\n    return (%[1]s), loc, scale\n\n"+
		"def _parse_args_rvs(self, %[1]s loc=0, scale=1, size=None):\n    return self._argcheck_rvs(%[1]s loc, scale, size=size)\n\n"+
		"def _parse_args_stats(self, %[1]s loc=0, scale=1, moments='mv'):\n    return (%[1]s), loc, scale, moments\n", names)
}

// TestStates has instances that compute with the state they are filled with.
func TestStates(t *testing.T) {
	s := New()
	fill := func(path string, state string) []byte {
		dot := strings.LastIndexByte(path, '.')
		return cat(proto(2), glob(path[:dot], path[dot+1:]), ")\x81", state, "b.")
	}
	norm := "scipy.stats._continuous_distns.norm_gen"
	distribution := func(pairs ...string) []byte { return fill(norm, dict(pairs...)) }
	template := bu("_parse_arg_template")
	frame := glob("pandas.core.frame", "DataFrame") + ")\x81"
	formula := func(text string) []byte {
		return fill("statsmodels.base.data.PandasData", dict(bu("formula"), bu(text), bu("frame"), frame, bu("restore_design_info"), "\x88"))
	}
	irreps := "e3nn.o3._tensor_product._tensor_product.TensorProduct"
	embedding := "flair.embeddings.token.TransformerWordEmbeddings"
	settings := bu("config_state_dict") + dict(bu("model_type"), bu("bert"))
	script := func(name string) []byte { return fill("torch.ScriptObject", tuple(tuple(), bu(name))) }
	keys := func(n int) (pairs []string) {
		for i := range n {
			pairs = append(pairs, bu(fmt.Sprintf("key%d", i)), "N")
		}
		return pairs
	}
	for _, c := range []struct {
		name  string
		data  []byte
		worst scan.Severity
	}{
		{"distribution", distribution(bu("name"), bu("norm"), template, bu(parser(""))), scan.Info},
		{"distribution of parameters", distribution(template, bu(parser("df, nc, "))), scan.Info},
		{"distribution without a text", distribution(bu("name"), bu("norm")), scan.Info},
		{"distribution of long ago", fill(norm, tuple(dict(bu("name"), bu("norm")), "N")), scan.Info},
		{"distribution of long ago with a generator", fill(norm, tuple(dict(bu("name"), bu("norm")),
			glob("numpy.random", "__RandomState_ctor")+tuple(bu("MT19937"))+"R")), scan.Info},
		{"distribution from pairs", fill(norm, tuple(tuple(template, bu("import os")), tuple(bu("a"), bu("b")))), sus},
		{"distribution from a deque of a pair", fill(norm, tuple(dict(bu("a"), "N", bu("b"), "N"),
			glob("collections", "deque")+tuple("]("+template+bu("import os")+"e")+"R")), sus},
		{"distribution from an ordered dict", fill(norm, glob("collections", "OrderedDict")+")R"+template+bu("import os")+"s"), sus},
		{"distribution by another text", distribution(template, bu("import os")), sus},
		{"distribution with a default", distribution(template, bu(parser("x=print(1), "))), sus},
		{"distribution with a parameter of two lines", distribution(template, bu(parser("a,\n, "))), sus},
		{"distribution with a dotted parameter", distribution(template, bu(parser("a.b, "))), sus},
		{"distribution with more behind", distribution(template, bu(parser("")+"import os\n")), sus},
		{"distribution whose text changes", distribution(template, bu(parser("")), template, bu("import os")), sus},
		{"distribution with a method", distribution(template, bu(parser("")), bu("_attach_methods"), bu("x")), sus},
		{"distribution with a key that is no text", distribution(template, bu(parser("")),
			glob("numpy", "str_")+tuple(template)+"R", bu("import os")), sus},
		{"distribution with more than is kept", distribution(append(keys(60), template, bu(parser("")))...), sus},
		{"distribution by the memo", cat(proto(2), glob("scipy.stats._continuous_distns", "norm_gen"), ")\x81}q\x01", template, bu("import os"), "sb."), sus},

		{"formula", formula("np.log(y) ~ x + C(group, Treatment('a b')) + bs(z, df=4) + I(x**2.5) + a:b"), scan.Info},
		{"formula that imports", formula("y ~ __import__('os').system('id')"), sus},
		{"formula that is read out of sight", fill("statsmodels.base.data.PandasData", dict(append(keys(60), bu("restore_design_info"), "\x88")...)), sus},
		{"formula of something that is no table", fill("statsmodels.base.data.PandasData",
			dict(bu("formula"), bu("y ~ x"), bu("frame"), "N", bu("restore_design_info"), "\x88")), sus},
		{"data without a formula", fill("statsmodels.base.data.PandasData", dict(bu("xnames"), "]")), scan.Info},

		{"compiled module", fill(irreps, dict(bu("__codegen__"), dict(bu("f"), tuple(bu("torchscript"), bb("PK\x03\x04"))))), scan.Info},
		{"compiled module of before", fill(irreps, dict(bu("__codegen__"), dict(bu("f"), bb("PK\x03\x04")))), scan.Info},
		{"pickled module", fill(irreps, dict(bu("__codegen__"), dict(bu("f"), tuple(bu("fx"), bb("N."))))), sus},
		{"module of an unknown form", fill(irreps, dict(bu("__codegen__"), dict(bu("f"), "]"))), sus},
		{"module of parts out of sight", fill(irreps, dict(bu("__codegen__"), glob("collections", "OrderedDict")+")R")), sus},

		{"embedding", fill(embedding, dict(settings, bu("model"), bu("bert-base-cased"), bu("fine_tune"), "\x88")), scan.Info},
		{"embedding that is downloaded", fill(embedding, dict(bu("model"), bu("bert-base-cased"))), sus},
		{"embedding without settings", fill(embedding, dict(bu("config_state_dict"), "N", bu("model"), bu("bert-base-cased"))), sus},
		{"embedding that trusts", fill(embedding, dict(settings, bu("model"), bu("x/y"), bu("trust_remote_code"), "\x88")), sus},

		{"quantised layer", script("__torch__.torch.classes.quantized.LinearPackedParamsBase"), scan.Info},
		{"native object", script("__torch__.torch.classes.dist_rpc.WorkerInfo"), sus},
		{"native object without a name", fill("torch.ScriptObject", "N"), sus},
	} {
		r, err := scantest.Scan(s, "x", c.data)
		if err != nil || r.Worst() != c.worst {
			t.Errorf("%s: %v, %v, want %v\n%+v", c.name, err, r.Worst(), c.worst, r.Findings)
		}
	}
}

func TestCompiledModulesAreMembers(t *testing.T) {
	data := cat(proto(2), glob("e3nn.o3._irreps", "Irreps"), ")\x81",
		dict(bu("__codegen__"), dict(bu("f"), tuple(bu("torchscript"), bb("PK\x03\x04")), bu("g"), bb("PK\x05\x06"))), "b.")
	r, err := scantest.Scan(New(), "x", data)
	if err != nil || len(r.Members) != 2 || string(r.Members[0].Data) != "PK\x03\x04" || string(r.Members[1].Data) != "PK\x05\x06" {
		t.Errorf("%v, members %q", err, r.Members)
	}
}

func TestImpure(t *testing.T) {
	for _, pure := range []string{
		"y ~ x", "y ~ x1 + x2*x3 - 1", "np.log(y) ~ scale(x)", "y ~ C(a, Treatment(reference='b')) | g", "y ~ Q('a name')",
		"y ~ 0.5 + I((x + 1) ** 2) % z", "y ~ bs(x, df=3, degree=2)", "", "y ~ .5",
	} {
		if bad := impure(pure); bad != "" {
			t.Errorf("%q: %q", pure, bad)
		}
	}
	for _, bad := range []string{
		"os.system('id')", "eval('1')", "y ~ log.x(1)", "y ~ x.real", "(x).log(1)", "x(1)", "(x)(1)", "'a'(1)", "'a'.join(x)", "'%s' % x",
		"lambda x: x", "x if y else z", "[x]", "{x}", "x; y", "y ~ x\nz", "f'{x}'", "r'x'", "y ~ 'a\\", "log (x)\\", "x@y", "`x`", "__a", "1 .log(x)",
		"np.load('x')", "np.log.reduce(x)", "log(x)(y)", "not x", "2(x)",
	} {
		if impure(bad) == "" {
			t.Errorf("%q passes", bad)
		}
	}
}
