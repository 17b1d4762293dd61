package pickle

import (
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// attacks are streams that use harmless names only and still call something:
// each was once taken for clean.
var attacks = []scantest.Sample{
	// Numbers that a loader reads in its own way.
	{Name: "float of a signed nan", Data: cat("F-nan\n0", system, "."), Worst: mal},
	{Name: "int that begins with NUL", Data: cat("I\x00junk\n0", system, "."), Worst: mal},
	{Name: "long with a blank before its L", Data: cat("L12 L\n0", system, "."), Worst: mal},
	{Name: "memo key minus zero", Data: cat(sbu("posix"), "p-0\n0h\x00", sbu("system"), "\x93", tuple(sbu("id")), "R."), Worst: mal},
	{Name: "memo key minus zero, read", Data: cat(sbu("posix"), "q\x000g-0\n", sbu("system"), "\x93", tuple(sbu("id")), "R."), Worst: mal},
	{Name: "behind a tiny pickle", Data: cat("N.", proto(2), system, "."), Worst: mal},
	{Name: "behind tiny pickles", Data: cat("I1\n.N.", system, "."), Worst: mal},

	// A bound method of a harmless object is not harmless.
	{Name: "query of a table", Data: cat(proto(2), glob("builtins", "getattr"), tuple(glob("pandas", "DataFrame")+")R", bu("query")), "R."), Worst: mal},
	{Name: "method into a state", Data: cat(proto(2), glob("ultralytics.nn", "Loop"), ")\x81",
		dict(sbu("infer"), glob("builtins", "getattr")+tuple(glob("pathlib", "PosixPath")+tuple(bu("/tmp/x"))+"R", bu("write_text"))+"R"), "b."), Worst: sus},
	{Name: "method for a partial", Data: cat(proto(2), glob("functools", "partial"), tuple(glob("numpy", "sum")), "R",
		tuple(glob("builtins", "getattr")+tuple(glob("pathlib", "PosixPath")+tuple(bu("/tmp/x"))+"R", bu("write_text"))+"R", "(t", "}", "N"), "b."), Worst: sus},
	{Name: "getattr with a default", Data: cat(proto(2), glob("builtins", "getattr"),
		tuple(glob("collections", "OrderedDict")+")R", bu("keys"), glob("torch", "something_new")), "R."), Worst: sus},
	{Name: "keys of a dict", Data: cat(proto(2), glob("sklearn.pipeline", "Pipeline"), ")\x81",
		dict(sbu("f"), glob("builtins", "getattr")+tuple(glob("collections", "OrderedDict")+")R", bu("keys"))+"R"), "b."), Worst: scan.Info},

	// Objects that are called by what looks at them.
	{Name: "iter of a callable", Data: cat(proto(2), glob("builtins", "iter"),
		tuple(glob("functools", "partial")+tuple(glob("numpy", "sum"), "K\x01")+"R", "K\x00"), "R."), Worst: sus},
	{Name: "iterator of a list", Data: cat(proto(2), glob("builtins", "iter"), tuple("](K\x01K\x02e"), "RK\x00b."), Worst: scan.Info},
	{Name: "list of an instance", Data: cat(proto(2), glob("builtins", "list"),
		tuple(glob("ultralytics.nn", "Loop")+")\x81"+dict(sbu("infer"), glob("numpy", "sum"))+"b"), "R."), Worst: sus},
	{Name: "generator of a function", Data: cat(proto(2), glob("numpy.random._pickle", "__generator_ctor"),
		tuple(bu("x"), glob("numpy", "sum")), "R."), Worst: sus},
	{Name: "generator of a partial", Data: cat(proto(2), glob("numpy.random._pickle", "__generator_ctor"),
		tuple(bu("x"), glob("functools", "partial")+tuple(glob("numpy", "sum"))+"R"), "R."), Worst: sus},
	{Name: "generator", Data: cat(proto(2), glob("numpy.random._pickle", "__generator_ctor"),
		tuple(bu("MT19937"), glob("numpy.random._pickle", "__bit_generator_ctor")), "R."), Worst: scan.Info},
	{Name: "array of an instance", Data: cat(proto(2), glob("types", "SimpleNamespace"), ")R",
		dict(sbu("__array__"), glob("numpy", "sum")), "b."), Worst: sus},

	// Items and state in an order that no pickler writes.
	{Name: "append after the state", Data: cat(proto(2), glob("types", "SimpleNamespace"), ")R",
		dict(sbu("append"), glob("numpy", "sum")), "bK\x01a."), Worst: sus},
	{Name: "items after the state", Data: cat(proto(2), glob("ultralytics.utils", "Store"), ")\x81",
		dict(sbu("file_path"), glob("pathlib", "PosixPath")+tuple(bu("/tmp/x"))+"R"), "bK\x01K\x02s."), Worst: sus},
	{Name: "items after the state, by the memo", Data: cat(proto(2), glob("ultralytics.utils", "Store"), ")\x81q\x05",
		dict(sbu("file_path"), "N"), "b0h\x05K\x01K\x02s."), Worst: sus},
	{Name: "items after the state, by DUP", Data: cat(proto(2), glob("ultralytics.utils", "Store"), ")\x812",
		dict(sbu("file_path"), "N"), "b0K\x01K\x02s."), Worst: sus},
	{Name: "append after items", Data: cat(proto(2), glob("munch", "Munch"), ")R",
		bu("append"), glob("numpy", "sum"), "sK\x01a."), Worst: sus},
	{Name: "append to what a dict made", Data: cat(proto(2), glob("easydict", "EasyDict"),
		tuple(dict(bu("append"), glob("numpy", "sum"))), "RK\x01a."), Worst: sus},
	{Name: "items, then state", Data: cat(proto(2), glob("collections", "OrderedDict"), ")Rq\x01(K\x01K\x02K\x03K\x04u",
		dict(sbu("_metadata"), "N"), "b."), Worst: scan.Info},
	{Name: "items of a deque", Data: cat(proto(2), glob("collections", "deque"), tuple("(t", "K\x05"), "Rq\x01(K\x01K\x02e."), Worst: scan.Info},

	// Classes made by way of a helper.
	{Name: "newobj of a file", Data: cat(proto(2), glob("copyreg", "__newobj__"),
		tuple(glob("numpy", "memmap"), bu("/tmp/x"), bu("b"), bu("w+")), "R."), Worst: sus},
	{Name: "newobj_ex of a file", Data: cat(proto(2), glob("copyreg", "__newobj_ex__"),
		tuple(glob("numpy", "memmap"), tuple(bu("/tmp/x")), dict(bu("mode"), bu("w+"))), "R."), Worst: sus},
	{Name: "reconstructor of a file", Data: cat(proto(2), glob("copyreg", "_reconstructor"),
		tuple(glob("numpy", "memmap"), glob("numpy", "memmap"), bu("/tmp/x")), "R."), Worst: sus},
	{Name: "index of a file", Data: cat(proto(2), glob("pandas.core.indexes.base", "_new_Index"),
		tuple(glob("numpy", "memmap"), dict(bu("filename"), bu("/tmp/x"), bu("mode"), bu("w+"))), "R."), Worst: sus},
	{Name: "array that was a file", Data: cat(proto(2), glob("numpy.core.multiarray", "_reconstruct"),
		tuple(glob("numpy", "memmap"), tuple("K\x00"), bu("b")), "R."), Worst: scan.Info},
	{Name: "reconstructor", Data: cat(proto(0), glob("copy_reg", "_reconstructor"),
		tuple(glob("sklearn.pipeline", "Pipeline"), glob("__builtin__", "object"), "N"), "R."), Worst: scan.Info},
	{Name: "keywords that allocate", Data: cat(proto(4), glob("numpy", "ndarray"), ")",
		dict(sbu("shape"), tuple(num(1<<20), num(1<<20))), "\x92."), Worst: sus},
	{Name: "keywords that are no constants", Data: cat(proto(4), glob("pathlib", "PosixPath"), ")",
		dict(sbu("x"), glob("numpy", "sum")), "\x92."), Worst: sus},

	// Out of sight.
	{Name: "late, behind many values", Data: cat(proto(2), "]q\x00", "(", "h\x00", strings.Repeat("("+strings.Repeat("(K\x01t", 90)+"t", 8), "l", "q\x010",
		"h\x00", glob("torch", "something_new"), "a0", glob("collections", "OrderedDict"), "(", strings.Repeat("("+strings.Repeat("(K\x01t", 90)+"t", 8), "h\x01tR."), Worst: sus},
	{Name: "late, deep inside", Data: cat(proto(2), "]q\x00", strings.Repeat("\x85", 9), "q\x010",
		"h\x00", glob("torch", "something_new"), "a0", glob("collections", "OrderedDict"), "h\x01\x85R."), Worst: sus},
	{Name: "state by a forgotten memo", Data: cat(proto(2), strings.Repeat("]\x940", keptValues), "}r", le(4, 1<<20), "0j", le(4, 1<<20),
		bu("__setstate__"), glob("numpy", "sum"), "sr", le(4, 1<<20), "0", glob("types", "SimpleNamespace"), ")Rj", le(4, 1<<20), "b."), Worst: sus},

	// Raw arrays of a size that numpy sees differently.
	{Name: "array whose state lies about the element size", Data: cat(proto(4), "]",
		rawArray("f8", "K\x02", "K\x00"), "0123456789abcdefa."), Worst: sus, Err: scan.ErrMalformed},
	{Name: "array whose flags say object", Data: cat(proto(4), "]",
		rawArray("V8", "K\x08", "K\x01"), "0123456789abcdefa."), Worst: sus, Err: scan.ErrMalformed},
	{Name: "array of a structure", Data: cat(proto(4), "]",
		rawArray("V8", "K\x08", "K\x00"), "0123456789abcdefa."), Worst: scan.Info},
	{Name: "array whose size comes late", Data: cat(proto(4), "]",
		numpyArray("f8", "K\x02\x85", append(pairs(60), sbu("shape"), "K\x01\x85")...), "0123456789abcdefa."), Worst: sus, Err: scan.ErrMalformed},
}

// rawArray is a placeholder of two elements of a dtype with that size and
// those flags in its state.
func rawArray(code, size, flags string) string {
	return strings.Replace(numpyArray(code, "K\x02\x85"), num(-1)+num(-1)+"K\x00", size+num(-1)+flags, 1)
}

func pairs(n int) (ps []string) {
	for i := range n {
		ps = append(ps, sbu("x"+strings.Repeat("y", i)), "N")
	}
	return ps
}

func TestAttacks(t *testing.T) { scantest.Run(t, New(), attacks) }

// TestOldLoaders has streams that only loaders of Python 2, or Python's own
// ones, go on with.
func TestOldLoaders(t *testing.T) {
	for name, data := range map[string][]byte{
		"SETITEMS of nothing":       cat(proto(2), "(u", system, "."),
		"APPENDS to what is inside": cat(proto(2), "(]e", system, "."),
		"the mark stays":            cat(proto(1), "(p0\nt", system, "."),
		"a mark from the memo":      cat(proto(1), "(p0\nN0g0\nNt", system, "."),
		"a mark that is taken":      cat(proto(2), "NN(\x851", system, "."),
		"a mark by DUP":             cat(proto(1), "(2NtNt", system, "."),
		"blanks above ASCII":        cat(proto(1), "S'x'\xe0\n0", system, "."),
		"INST behind a frame":       cat(proto(4), "\x95", le(8, 4), "N.XX", "ios\nsystem\n"),
	} {
		r, _ := scantest.Scan(New(), "x", data)
		system := false
		for _, i := range r.Imports {
			system = system || i.Module == "os" && i.Name == "system"
		}
		if !system || r.Worst() != mal {
			t.Errorf("%s: %+v, %+v", name, r.Imports, r.Findings)
		}
	}
}
