package pickle

import (
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// writer spells values as the pickler of one protocol does.
type writer int

var protocols = []writer{0, 2, 4}

func (w writer) file(body string) string {
	if w == 0 {
		return body + "."
	}
	return proto(int(w)) + body + "."
}

func (w writer) text(s string) string {
	switch {
	case w == 0:
		return "V" + s + "\n"
	case w == 2, len(s) > 255:
		return bu(s)
	}
	return sbu(s)
}

// builtin is the module that protocols below 3 know as __builtin__.
func (w writer) builtin() string {
	if w < 3 {
		return "__builtin__"
	}
	return "builtins"
}

func (w writer) global(path string) string {
	dot := strings.LastIndexByte(path, '.')
	module, name := path[:dot], path[dot+1:]
	if w < 3 {
		return glob(module, name)
	}
	return stackGlob(module, name)
}

func (w writer) tuple(parts ...string) string { return tuple(parts...) }

func (w writer) list(parts ...string) string { return "(l(" + strings.Join(parts, "") + "e" }

func (w writer) call(path string, args ...string) string {
	return w.global(path) + w.tuple(args...) + "R"
}

// dict takes names and values in turn.
func (w writer) dict(pairs ...string) string {
	return "(d(" + w.pairs(pairs) + "u"
}

func (w writer) pairs(pairs []string) string {
	var b strings.Builder
	for i, p := range pairs {
		if i%2 == 0 {
			p = w.text(p)
		}
		b.WriteString(p)
	}
	return b.String()
}

func (w writer) ordered(pairs ...string) string {
	made := w.call("collections.OrderedDict")
	if len(pairs) > 0 {
		made += "(" + w.pairs(pairs) + "u"
	}
	return made
}

// empty makes an instance of a class without arguments.
func (w writer) empty(path string) string {
	if w < 2 {
		return w.call("copy_reg._reconstructor", w.global(path), w.global(w.builtin()+".object"), "N")
	}
	return w.global(path) + ")\x81"
}

// object makes an instance with attributes.
func (w writer) object(path string, pairs ...string) string {
	return w.empty(path) + w.dict(pairs...) + "b"
}

// member makes the member of an enumeration by its value.
func (w writer) member(path, value string) string { return w.call(path, w.text(value)) }

// constant takes the member of an enumeration by its name, as Python 3.11.0 to
// 3.11.3 write it.
func (w writer) constant(path, name string) string {
	return w.call(w.builtin()+".getattr", w.global(path), w.text(name))
}

func (w writer) tensor() string {
	id := w.tuple(w.text("storage"), w.global("torch.FloatStorage"), w.text("0"), w.text("cpu"), "I4\n")
	return w.call("torch._utils._rebuild_tensor_v2", id+"Q", "I0\n", "(I4\nt", "(I1\nt", "I00\n", w.ordered())
}

func (w writer) parameter() string {
	return w.call("torch._utils._rebuild_parameter", w.tensor(), "I01\n", w.ordered())
}

// module makes a module of torch with parameters, buffers and parts.
func (w writer) module(path string, pairs ...string) string {
	return w.object(path, append([]string{
		"training", "I00\n", "_parameters", w.ordered("weight", w.parameter()), "_buffers", w.ordered("mean", w.tensor()),
		"_backward_hooks", w.ordered(), "_forward_hooks", w.ordered(), "_modules", w.ordered(),
	}, pairs...)...)
}

func (w writer) namespace(pairs ...string) string {
	return w.object("argparse.Namespace", pairs...)
}

func (w writer) path(s string) string { return w.call("pathlib.PosixPath", w.text("/"), w.text(s)) }

// partial makes a function with named arguments.
func (w writer) partial(path string, pairs ...string) string {
	f := w.global(path)
	return w.call("functools.partial", f) + w.tuple(f, ")", w.dict(pairs...), "N") + "b"
}

// checkpoints are what popular libraries write, by the shape that their sources
// give it.
func checkpoints(w writer) map[string]string {
	state := w.ordered("layer.weight", w.tensor(), "layer.bias", w.tensor())
	training := []string{
		"output_dir", w.text("out"), "evaluation_strategy", w.member("transformers.trainer_utils.IntervalStrategy", "steps"),
		"save_strategy", w.constant("transformers.trainer_utils.SaveStrategy", "EPOCH"),
		"lr_scheduler_type", w.member("transformers.trainer_utils.SchedulerType", "cosine"),
		"optim", w.constant("transformers.training_args.OptimizerNames", "ADAMW_TORCH"),
		"hub_strategy", w.constant("transformers.trainer_utils.HubStrategy", "EVERY_SAVE"),
		"fsdp", w.list(w.constant("transformers.trainer_utils.FSDPOption", "FULL_SHARD")), "report_to", w.list(w.text("wandb")),
		"accelerator_config", w.object("transformers.trainer_pt_utils.AcceleratorConfig", "split_batches", "I00\n"),
		"distributed_state", w.object("accelerate.state.PartialState", "backend", "N",
			"distributed_type", w.constant("accelerate.utils.dataclasses.DistributedType", "NO"),
			"device", w.call("torch.device", w.text("cuda"), "I0\n")),
		"deepspeed_plugin", w.object("accelerate.utils.dataclasses.DeepSpeedPlugin", "zero_stage", "I2\n"), "_n_gpu", "I1\n",
	}
	adam := w.object("torch.optim.adamw.AdamW", "defaults", w.dict("lr", "F0.1\n"), "param_groups", w.list(w.dict("params", w.list(w.parameter()))))
	files := map[string]string{
		"state dict": state, "optimizer": adam, "tensor": w.tensor(),
		"peft": w.object("peft.tuners.lora.config.LoraConfig", "r", "I8\n", "peft_type", w.constant("peft.utils.peft_types.PeftType", "LORA"),
			"task_type", w.member("peft.utils.peft_types.TaskType", "CAUSAL_LM"), "target_modules", w.call(w.builtin()+".set", w.list(w.text("q"), w.text("v")))),
		"lightning": w.dict("epoch", "I3\n", "pytorch-lightning_version", w.text("1.9.0"), "state_dict", state,
			"callbacks", w.dict("ModelCheckpoint{}", w.dict("best_model_path", w.text("x.ckpt"), "best_model_score", w.tensor(), "best_k_models", w.dict())),
			"loops", w.dict("fit_loop", w.dict("state_dict", w.dict())),
			"hyper_parameters", w.empty("pytorch_lightning.utilities.parsing.AttributeDict")+"("+w.pairs([]string{"lr", "F0.1\n"})+"u"),
		"lightning before 1.5": w.dict("callbacks", "(d("+w.global("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")+w.dict("monitor", w.text("loss"))+"u",
			"hparams_type", w.global("lightning_fabric.utilities.data.AttributeDict")),
		"stable diffusion": w.dict("state_dict", state, "global_step", "I470000\n", "epoch", "I1\n", "callbacks", w.dict("ModelCheckpoint", w.dict()),
			"optimizer_states", w.list(w.dict("state", w.dict(), "param_groups", w.list())), "lr_schedulers", w.list(w.dict("last_lr", w.list("F0.1\n")))),
		"diffusion with its configuration": w.dict("hyper_parameters", w.object("omegaconf.dictconfig.DictConfig",
			"_metadata", w.object("omegaconf.base.ContainerMetadata", "ref_type", w.global("typing.Any"), "object_type", w.global(w.builtin()+".dict")),
			"_parent", "N", "_content", w.dict("lr", w.object("omegaconf.nodes.AnyNode", "_val", "F0.1\n",
				"_metadata", w.object("omegaconf.base.Metadata", "ref_type", w.global("typing.Any"))))), "state_dict", state),
		"ultralytics": w.dict("epoch", "I-1\n", "model", w.module("ultralytics.nn.tasks.DetectionModel",
			"args", w.object("ultralytics.utils.IterableSimpleNamespace", "box", "F7.5\n"), "yaml", w.dict("nc", "I80\n"),
			"model", w.module("torch.nn.modules.container.Sequential", "_modules", w.ordered("0", w.module("ultralytics.nn.modules.conv.Conv",
				"act", w.module("torch.nn.modules.activation.SiLU")), "1", w.module("ultralytics.nn.modules.block.C2f"), "2", w.module("ultralytics.nn.modules.head.Detect"))),
			"criterion", w.object("ultralytics.utils.loss.v8DetectionLoss", "assigner", w.module("ultralytics.utils.tal.TaskAlignedAssigner"))),
			"train_args", w.dict("model", w.path("yolov8n.pt"), "mode", w.text("train")), "date", w.text("2024-01-01"), "version", w.text("8.0.0")),
		"yolo 5": w.dict("model", w.module("models.yolo.DetectionModel", "m", w.module("models.common.C3"), "d", w.module("models.yolo.Detect")), "ema", "N", "opt", w.dict()),
		"timm": w.module("timm.models.vision_transformer.VisionTransformer", "norm_layer", w.partial("torch.nn.modules.normalization.LayerNorm", "eps", "F1e-6\n"),
			"patch", w.module("timm.layers.patch_embed.PatchEmbed"), "drop", w.module("timm.layers.drop.DropPath")),
		"fairseq": w.dict("args", w.namespace("arch", w.text("roberta"), "lr", w.list("F0.1\n")), "model", state, "extra_state",
			w.dict("train_meters", w.dict("loss", w.object("fairseq.meters.AverageMeter", "val", "F1\n", "count", "I1\n")), "epoch", "I1\n"),
			"optimizer_history", w.list(w.dict("criterion_name", w.text("cross_entropy")))),
		"fairseq with its configuration": w.dict("cfg", w.dict("common", w.dict("seed", "I1\n"),
			"hook", w.constant("fairseq.dataclass.constants.DDP_COMM_HOOK_CHOICES", "NONE")), "model", state),
		"espnet":     w.dict("model", w.module("espnet2.asr.espnet_model.ESPnetASRModel"), "args", w.namespace("odim", "I5\n")),
		"nemo":       w.dict("state_dict", state, "encoder", w.module("nemo.collections.asr.modules.conformer_encoder.ConformerEncoder")),
		"detectron2": w.dict("model", state, "iteration", "I100\n", "trainer", w.dict("hooks", w.dict()), "boxes", w.object("detectron2.structures.boxes.Boxes", "tensor", w.tensor())),
		"mmengine": w.dict("meta", w.dict("mmengine_version", w.text("0.7"), "time", w.text("x")), "state_dict", state, "message_hub",
			w.dict("log_scalars", w.ordered("loss", w.object("mmengine.logging.history_buffer.HistoryBuffer", "_max_length", "I3\n", "_log_history", w.list("F1\n"))))),
		"spacy": w.object("spacy.lang.en.English", "_meta", w.dict("lang", w.text("en"))),
		"gensim": w.object("gensim.models.word2vec.Word2Vec", "wv", w.object("gensim.models.keyedvectors.KeyedVectors", "key_to_index", w.dict("a", "I0\n")),
			"load", w.global("gensim.utils.call_on_class_only")),
		"flair": w.dict("state_dict", state, "embeddings", w.module("flair.embeddings.token.StackedEmbeddings", "embeddings", w.list(w.module("flair.embeddings.token.WordEmbeddings"))),
			"tag_dictionary", w.object("flair.data.Dictionary", "idx2item", w.list(w.text("O")), "add_unk", "I01\n")),
		"xgboost": w.object("xgboost.sklearn.XGBClassifier", "_Booster", w.object("xgboost.core.Booster", "feature_names", "N"), "n_estimators", "I2\n"),
		"lightgbm": w.object("lightgbm.sklearn.LGBMClassifier", "_Booster", w.object("lightgbm.basic.Booster", "_handle", w.text("tree"), "params", w.dict()),
			"_best_score", w.call("collections.defaultdict", w.global("collections.OrderedDict"))),
		"catboost":  w.object("catboost.core.CatBoostClassifier", "_random_seed", "I1\n"),
		"tokenizer": w.object("transformers.models.bert.tokenization_bert_fast.BertTokenizerFast", "init_kwargs", w.dict(), "_tokenizer", w.call("tokenizers.Tokenizer", w.empty("tokenizers.models.WordPiece"))),
		"transformer": w.module("transformers.models.bert.modeling_bert.BertModel", "config", w.object("transformers.models.bert.configuration_bert.BertConfig", "hidden_size", "I8\n"),
			"act", w.module("transformers.activations.GELUActivation", "act", w.global("torch.nn.functional.gelu"))),
		"pyannote": w.dict("spec", w.object("pyannote.audio.core.task.Specifications", "problem", w.constant("pyannote.audio.core.task.Problem", "MONO_LABEL_CLASSIFICATION"),
			"resolution", w.constant("pyannote.audio.core.task.Resolution", "FRAME")), "state_dict", state),
		"deepspeed": w.dict("loss_scaler", w.object("deepspeed.runtime.fp16.loss_scaler.LossScaler", "cur_scale", "I1\n"), "zero_stage", w.constant("deepspeed.runtime.zero.config.ZeroStageEnum", "GRADIENTS"), "module", state),
		"megatron":  w.dict("args", w.namespace("model_type", w.constant("megatron.core.enums.ModelType", "ENCODER_OR_DECODER")), "model", state),
		"torchvision": w.module("torchvision.models.resnet.ResNet", "weights", w.constant("torchvision.models.resnet.ResNet50_Weights", "IMAGENET1K_V2"),
			"norm", w.partial("torchvision.ops.misc.FrozenBatchNorm2d", "eps", "F1e-5\n")),
		"metric": w.module("torchmetrics.classification.accuracy.Accuracy", "_reductions", w.dict("tp", w.global("torchmetrics.utilities.data.dim_zero_sum"))),
		"averages": w.call("collections.defaultdict", w.global("functools.partial")+w.tuple(w.global("collections.defaultdict"))+
			"R"+w.tuple(w.global("collections.defaultdict"), w.tuple(w.global(w.builtin()+".int")), "N", "N")+"b"),
		"lazy module": w.module("torch.nn.modules.linear.LazyLinear", "in_features", "I0\n", "_forward_pre_hooks",
			w.ordered()+"(I0\n"+w.object("torch.nn.modules.module._WrappedHook", "with_module", "I00\n", "hook",
				w.call(w.builtin()+".getattr", w.module("torch.nn.modules.linear.LazyLinear"), w.text("_infer_parameters")))+"u"),
		"radial basis functions": w.object("scipy.interpolate._rbf.Rbf", "_function",
			w.call(w.builtin()+".getattr", w.object("scipy.interpolate._rbf.Rbf", "epsilon", "F1\n"), w.text("_h_multiquadric"))),
		"stemmer": w.object("nltk.stem.snowball.SnowballStemmer", "stemmer", w.object("nltk.stem.snowball.EnglishStemmer"),
			"stem", w.call(w.builtin()+".getattr", w.object("nltk.stem.snowball.EnglishStemmer"), w.text("stem"))),
		"regular expression": w.call("re._compile", w.text("a+"), w.call("_operator.or_", w.constant("re.RegexFlag", "UNICODE"), w.constant("re.RegexFlag", "DOTALL"))),
		"types":              w.list(w.call("_operator.getitem", w.global("typing.Dict"), w.tuple(w.global(w.builtin()+".str"), w.global(w.builtin()+".int")))),
		"signature": w.object("transformers.trainer.Trainer", "_signature", w.call("inspect.Signature", w.tuple(w.call("inspect.Parameter", w.text("x"), w.call("inspect._ParameterKind", "I1\n")))+
			w.dict("_return_annotation", w.global("inspect._empty"))+"b")),
		"arrays by dill": w.call("dill._dill._create_array", w.global("numpy.core.multiarray._reconstruct"), w.tuple(w.global("numpy.ndarray"), "(I0\nt", w.text("b")),
			w.tuple("I1\n", "(I3\nt", w.call("numpy.dtype", w.text("f8"), "I00\n", "I01\n"), "I00\n", w.text("x")), "N"),
		"slice by dill": w.tuple(w.call("dill._dill._load_type", w.text("slice"))+w.tuple("I0\n", "I2\n", "N")+"R",
			w.call("collections.defaultdict", w.call("dill._dill._load_type", w.text("list")))),
		"hidden Markov model": w.module("flair.models.LSTMCRF"),
	}
	for _, path := range []string{
		"transformers.training_args.TrainingArguments", "transformers.training_args_seq2seq.Seq2SeqTrainingArguments", "trl.trainer.sft_config.SFTConfig",
		"trl.trainer.dpo_config.DPOConfig", "trl.trainer.grpo_config.GRPOConfig", "sentence_transformers.training_args.SentenceTransformerTrainingArguments",
		"setfit.training_args.TrainingArguments", "llamafactory.hparams.training_args.TrainingArguments", "axolotl.core.training_args.AxolotlTrainingArguments",
		"unsloth.trainer.UnslothTrainingArguments", "UnslothSFTTrainer.UnslothSFTConfig", "optimum.habana.transformers.training_args.GaudiTrainingArguments",
		"adapters.training.AdapterTrainingArguments", "alignment.configs.SFTConfig", "open_r1.configs.GRPOConfig",
	} {
		files[path] = w.object(path, training...)
	}
	return files
}

func TestPopularCheckpoints(t *testing.T) {
	s, n := New(), 0
	for _, w := range protocols {
		for name, body := range checkpoints(w) {
			n++
			r, err := scantest.Scan(s, "x", []byte(w.file(body)))
			if err != nil || r.Worst() > scan.Low {
				t.Errorf("%s, protocol %d: %v, %v\n%+v", name, w, err, r.Worst(), r.Findings)
			}
		}
	}
	t.Log(n, "checkpoints")
}

// Each of these differs from a checkpoint above in one thing that matters.
func TestUnpopularCheckpoints(t *testing.T) {
	s := New()
	get := func(w writer, of, name string) string { return w.call(w.builtin()+".getattr", of, w.text(name)) }
	for _, w := range protocols {
		for name, c := range map[string]struct {
			body  string
			least scan.Severity
		}{
			"file that is written with each item":   {w.call("ultralytics.utils.JSONDict") + "(" + w.pairs([]string{"a", "I1\n"}) + "u", mal},
			"settings that are written":             {w.object("ultralytics.utils.SettingsManager", "file", w.path("x")), mal},
			"initialiser of a model":                {w.call("ultralytics.nn.tasks.DetectionModel"), sus},
			"model by its file":                     {w.call("ultralytics.models.yolo.model.YOLO", w.text("evil.pt")), sus},
			"model by its file, later":              {w.call("collections.defaultdict", w.partial("ultralytics.nn.tasks.DetectionModel", "cfg", w.text("evil.yaml"))), sus},
			"array over a file, later":              {w.partial("numpy.memmap", "filename", w.text("/etc/passwd")), sus},
			"metric that calls":                     {w.module("torchmetrics.classification.accuracy.Accuracy", "_reductions", w.dict("tp", w.global("torchmetrics.utilities.checks._something"))), sus},
			"kernel that runs functions":            {w.object("sklearn.svm._classes.SVC", "kernel", w.global("sklearn.metrics.pairwise.Parallel")), sus},
			"special function that runs tests":      {w.object("sklearn.svm._classes.SVC", "kernel", w.global("scipy.special.test")), sus},
			"module that imports modules":           {w.object("transformers.utils.import_utils._LazyModule", "_modules", w.list()), mal},
			"environments out of a pickle":          {w.object("stable_baselines3.common.vec_env.base_vec_env.CloudpickleWrapper", "var", "N"), mal},
			"data set over a file":                  {w.object("nemo.collections.nlp.data.language_modeling.megatron.indexed_dataset.MMapIndexedDataset", "path", w.text("x")), mal},
			"modules that render and import code":   {w.module("torch_geometric.nn.conv.gcn_conv.GCNConv"), sus},
			"configuration that imports":            {w.object("mmengine.config.lazy.LazyObject", "_module", w.text("os")), sus},
			"class of another library":              {w.empty("monai.data.thread_buffer.Thread"), sus},
			"tokenizer out of a file":               {w.call("tokenizers.models.BPE", w.text("/etc/passwd"), w.text("x")), sus},
			"method of an enumeration":              {get(w, w.global("transformers.trainer_utils.IntervalStrategy"), "_missing_"), sus},
			"constant of a dangerous module":        {get(w, w.global("subprocess.Popen"), "PIPE"), mal},
			"private method of a module":            {w.object("torch.nn.modules.module._WrappedHook", "hook", get(w, w.module("torch.nn.modules.linear.LazyLinear"), "load_state_dict")), sus},
			"downloader of corpora":                 {w.empty("nltk.downloader.Downloader"), mal},
			"method of a class that is no stemmer":  {get(w, w.empty("nltk.downloader.Downloader"), "stem"), mal},
			"reconstructor that is none":            {w.call("dill._dill._create_array", w.global("os.system"), w.tuple(w.text("id")), "N", "N"), mal},
			"reconstructor that is another":         {w.call("dill._dill._create_array", w.global("numpy.array"), w.tuple("I1\n"), "N", "N"), sus},
			"attributes of an array":                {w.call("dill._dill._create_array", w.global("numpy.core.multiarray._reconstruct"), w.tuple(w.global("numpy.ndarray"), "(I0\nt", w.text("b")), "N", w.dict("__array_finalize__", w.global("numpy.sum"))), sus},
			"item of what is no type":               {w.call("_operator.getitem", w.dict("a", "I1\n"), w.text("a")), sus},
			"function by value":                     {w.call("cloudpickle.cloudpickle._make_function", w.call("cloudpickle.cloudpickle._builtin_type", w.text("CodeType"))+w.tuple("I1\n", w.text("code"), w.tuple(w.text("x")))+"R", w.dict(), "N", "N", "N"), sus},
			"function by value that is called":      {w.call("dill._dill._create_function", w.call("dill._dill._create_code", "I1\n", w.text("code")), w.dict()) + ")R", mal},
			"function by value that names commands": {w.call("dill._dill._create_code", "I1\n", w.text("code"), w.tuple(w.text("os"), w.text("system"))), mal},
			"type by dill that is none":             {w.call("dill._dill._load_type", w.text("CodeType")) + w.tuple("I1\n") + "R", sus},
			"partial by dill":                       {w.call("dill._dill._load_type", w.text("PartialType")) + w.tuple(w.global("os.system"), w.text("id")) + "R", mal},
			"name of a type that is none":           {w.call("_operator.or_", w.global("numpy.sum"), w.global("numpy.sum")), sus},
			"vectorised code":                       {w.object("numpy.vectorize", "pyfunc", w.global("torch.hub.load")), mal},
			"vectorised unknown":                    {w.object("numpy.vectorize", "pyfunc", w.global("some.module.function")), sus},
			"time zone out of a file":               {w.call("dateutil.tz.tz.tzfile", w.text("/etc/passwd")), sus},
			"constants in capitals that are called": {w.call("transformers.models.auto.MODEL_MAPPING", w.text("x")), sus},
			"method of a class by its constructor":  {w.call("functools.partial", get(w, w.global("some.module.Class"), "__new__")), sus},
		} {
			r, err := scantest.Scan(s, "x", []byte(w.file(c.body)))
			if err != nil || r.Worst() < c.least {
				t.Errorf("%s, protocol %d: %v, %v, want %v\n%+v", name, w, err, r.Worst(), c.least, r.Findings)
			}
		}
	}
}
