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
		{"torch.nn.modules.conv", "Conv2d", useState},
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
	for _, line := range []string{"os system", "os system nonsense # why", "os.* system danger # why"} {
		l := &library{exact: map[symbol]entry{}, patterns: map[string][]pattern{}, single: map[string][]pattern{}}
		if l.add(line) == nil {
			t.Errorf("add(%q) succeeds", line)
		}
	}
}

func TestCapWords(t *testing.T) {
	for name, want := range map[string]bool{
		"Linear": true, "_Loss": true, "LSTM": true, "BatchNorm2d": true, "C2f": true, "relu": false,
		"_private": false, "Linear.forward": false, "": false, "__init__": false, "SOME_CONSTANT": false,
	} {
		if capWords(name) != want {
			t.Errorf("capWords(%q) = %v, want %v", name, !want, want)
		}
	}
}
