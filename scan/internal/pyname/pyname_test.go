package pyname

import (
	"os"
	"strings"
	"testing"
)

func TestCall(t *testing.T) {
	j := New()
	for level, names := range map[Level]string{
		Harmless: `torch.nn.Linear torch.optim.AdamW torch.optim.lr_scheduler.CosineAnnealingLR nemo.collections.asr.modules.ConformerEncoder
			nemo.collections.nlp.eval_utils.EvalModule pytorch_lightning.Trainer lightning.pytorch.callbacks.ModelCheckpoint
			omegaconf.OmegaConf.create builtins.dict collections.OrderedDict pathlib.PosixPath functools.partial argparse.Namespace
			transformers.AutoModel.from_pretrained torch.nn.functional.relu torch.manual_seed random.seed numpy.float64
			numpy.core.multiarray.scalar stable_baselines3.ppo.policies.MlpPolicy os.path.join torch.device int
			io.BytesIO _io.BytesIO _io.StringIO _pyio.BytesIO hydra.utils.get_method diffusers.UNet2DConditionModel torch.utils.data.DataLoader speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
			pymdownx.superfences.fence_code_format materialx.emoji.twemoji os.cpu_count numpy.random.RandomState speechbrain.utils.fetching.FetchSource huggingface_hub.constants.HF_HUB_CACHE`,
		Custom: `evil_pkg.Evil src.models.mnist_module.MNISTLitModule custom_package.builders.SafeFactory my.utils.evaluate train.pesq_eval`,
		Risky: `custom_module.eval_function operator.attrgetter datasets.load_dataset base64.b64decode builtins.getattr
			nemo.utils.run_command torch.compile pandas.read_csv os.makedirs torch.optim.__getattribute__ my.safe_eval`,
		Dangerous: `os.system posix.system nt.system subprocess.Popen builtins.eval builtins.exec __builtin__.eval builtins.__import__
			_io.open _io.FileIO torch.os.system nemo.utils.os.system torch.hub.load torch.load numpy.load pickle.loads importlib.import_module pydoc.locate
			shutil.rmtree runpy.run_path code.interact torch.utils.collect_env.run numpy.f2py.crackfortran.myeval eval exec builtins.type
			a.b.__globals__.c os.path.os.system torch.serialization.os.system yaml.unsafe_load IPython.get_ipython pdb.run
			cProfile.run timeit.timeit types.FunctionType builtins.open urllib.request.urlopen torch.jit.load joblib.load logging.config.dictConfig
			random._os.system collections.abc.sys.modules.clear pip.main os.popen webbrowser.open ctypes.CDLL pandas.read_pickle`,
	} {
		for name := range strings.FieldsSeq(names) {
			if got := j.Call(name); got.Level != level {
				t.Errorf("Call(%s) = %v %q, want %v", name, got.Level, got.Why, level)
			}
		}
	}
}

// TestKinds: a kind with a typing error would make its names custom.
func TestKinds(t *testing.T) {
	for p, e := range New().entries {
		switch e.kind {
		case "harmless", "lib", "risky", "danger":
		default:
			t.Errorf("%s has the kind %q", p, e.kind)
		}
		if e.why == "" {
			t.Errorf("%s has no reason", p)
		}
	}
	for line := range strings.Lines(namesText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && len(strings.Fields(strings.SplitN(line, "#", 2)[0])) != 2 {
			t.Errorf("not a rule: %s", line)
		}
	}
}

// TestKnownDangers: what the pickle tables call dangerous in the standard
// library is not harmless here either, but for names that are only looked at.
func TestKnownDangers(t *testing.T) {
	text, err := os.ReadFile("../../pickle/tables/danger-python.txt")
	if err != nil {
		t.Fatal(err)
	}
	looks := map[string]bool{
		"functools.lru_cache": true, "functools.cache": true, "functools.cmp_to_key": true, "operator.contains": true,
	}
	j, checked := New(), 0
	for line := range strings.Lines(string(text)) {
		rule, _, _ := strings.Cut(line, "#")
		f := strings.Fields(rule)
		if len(f) != 3 || f[2] != "danger" {
			continue
		}
		module := strings.TrimSuffix(f[0], ".*")
		for name := range strings.SplitSeq(f[1], ",") {
			if name == "*" {
				name = "unlisted_name"
			}
			checked++
			path := module + "." + name
			if got := j.Call(path); got.Level < Risky && !looks[path] && got.Level != Custom {
				t.Errorf("%s is harmless here", path)
			}
		}
	}
	if checked < 300 {
		t.Errorf("only %d names", checked)
	}
}
