package pickle

import (
	"testing"

	"modelwall/scan"
)

var _ scan.Scanner = (*Scanner)(nil)

func TestJudge(t *testing.T) {
	l, err := loadLibrary()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		module, name string
		want         use
	}{
		{"os", "system", useDanger},
		{"os.path", "join", useDanger},
		{"posix", "system", useDanger},
		{"os\r", "system\r", useDanger},
		{"commands", "getoutput", useDanger},
		{"__builtin__", "eval", useDanger},
		{"__builtin__", "set", useClass},
		{"copy_reg", "_reconstructor", useOfClass},
		{"itertools", "imap", useDanger},
		{"urllib", "urlopen", useDanger},
		{"random", "_os.system", useDanger},
		{"sklearn.utils", "os.system", useDanger},
		{"torch.hub", "load", useDanger},
		{"torch", "load", useDanger},
		{"torch", "hub.load", useDanger},
		{"torch", "serialization.load", useDanger},
		{"torch._utils", "_rebuild_tensor_v2", useFunc},
		{"torch._utils", "_rebuild_tensor_v2.__globals__.get", useDanger},
		{"torch.nn.modules.conv", "Conv2d", useModule},
		{"transformers.configuration_utils", "PretrainedConfig", useState},
		{"transformers.trainer_utils", "IntervalStrategy.STEPS", useValue},
		{"transformers.trainer_utils", "IntervalStrategy.from_x", useSuspect},
		{"__main__", "Color.RED", useLib},
		{"subprocess", "Popen.PIPE", useDanger},
		{"os", "Thing.SYSTEM", useDanger},
		{"scipy.stats._continuous_distns", "norm_gen", useDistribution},
		{"scipy.stats._continuous_distns", "vectorize", useSuspect},
		{"scipy.stats.distributions", "norm_gen", useLib},
		{"statsmodels.tsa.statespace.mlemodel", "PandasData", useFormula},
		{"nltk.stem.snowball", "EnglishStemmer.stem", useValue},
		{"nltk.stem.snowball", "EnglishStemmer.load", useSuspect},
		{"nltk.stem.snowball", "os.system", useDanger},
		{"ultralytics.utils.files", "JSONDict", useDanger},
		{"transformers.trainer", "Popen", useSuspect},
		{"builtins", "object.__new__", useNew},
		{"numpy", "ndarray.__new__", useNew},
		{"numpy", "load.__new__", useDanger},
		{"sklearn.metrics.pairwise", "rbf_kernel", useValue},
		{"sklearn.metrics.pairwise", "delayed", useLib},
		{"torch.nn.modules.conv", "Conv2d.forward", useSuspect},
		{"torch.nn.modules.conv", "helper", useLib},
		{"numpy", "__builtins__", useDanger},
		{"numpy", "ndarray", useAlloc},
		{"numpy.testing._private.utils", "runstring", useDanger},
		{"pandas", "DataFrame.query", useDanger},
		{"pandas.io.pickle", "read_pickle", useDanger},
		{"builtins", "eval.__call__", useDanger},
		{"builtins", "dict.get", useSuspect},
		{"collections", "OrderedDict", useClass},
		{"collections", "_sys.modules", useDanger},
		{"anything", "system", useSuspect},
		{"anything", "Class", useUnknown},
		{"osx", "system_name", useUnknown},
		{"__main__", "Net", useLib},
	} {
		if e := l.judge(c.module, c.name); e.use != c.want {
			t.Errorf("%s %s: use %d (%s), want %d", c.module, c.name, e.use, e.why, c.want)
		}
	}
}

func TestLibraryRefusesBadLines(t *testing.T) {
	for _, line := range []string{"os system", "os system nonsense # why", "os.* system,system nonsense # why"} {
		l := &library{exact: map[symbol]entry{}, below: map[symbol]entry{}, patterns: map[string][]pattern{}, single: map[string][]pattern{}}
		if l.add(line) == nil {
			t.Errorf("add(%q) succeeds", line)
		}
	}
}

func TestCapWords(t *testing.T) {
	for name, want := range map[string]bool{
		"Linear": true, "_Loss": true, "LSTM": true, "BatchNorm2d": true, "C2f": true, "relu": false,
		"_private": false, "LSTMCRF": true, "DDPMSCHEDULER2": true, "Linear.forward": false, "": false, "__init__": false, "SOME_CONSTANT": false,
	} {
		if capWords(name) != want {
			t.Errorf("capWords(%q) = %v, want %v", name, !want, want)
		}
	}
}
