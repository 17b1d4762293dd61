package pickle

import (
	"encoding/binary"
	"strings"
)

// A small assembler: each function spells one value or opcode as picklers do.

func cat(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

func le(n int, v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)[:n]) }

func proto(n int) string { return "\x80" + string(rune(n)) }

func sbu(s string) string { return "\x8c" + le(1, uint64(len(s))) + s }

func bu(s string) string { return "X" + le(4, uint64(len(s))) + s }

func bb(s string) string { return "B" + le(4, uint64(len(s))) + s }

func glob(module, name string) string { return "c" + module + "\n" + name + "\n" }

func stackGlob(module, name string) string { return sbu(module) + sbu(name) + "\x93" }

func tuple(parts ...string) string { return "(" + strings.Join(parts, "") + "t" }

func dict(parts ...string) string { return "}(" + strings.Join(parts, "") + "u" }

func frame(body string) string { return "\x95" + le(8, uint64(len(body))) + body }

func num(n int) string { return "J" + le(4, uint64(uint32(int32(n)))) }

// system is a payload that every loader runs.
var system = glob("os", "system") + tuple(sbu("id")) + "R"

// numpyArray spells joblib's placeholder of a raw array.
func numpyArray(code string, shape string, more ...string) string {
	flags := "K\x00"
	if strings.HasPrefix(code, "O") {
		flags = "K\x3f"
	}
	dtype := stackGlob("numpy", "dtype") + tuple(sbu(code), "\x89", "\x88") + "R" +
		tuple("K\x03", sbu("<"), "N", "N", "N", num(-1), num(-1), flags) + "b"
	return stackGlob("joblib.numpy_pickle", "NumpyArrayWrapper") + ")\x81" + dict(append([]string{
		sbu("subclass"), stackGlob("numpy", "ndarray"), sbu("shape"), shape, sbu("order"), sbu("C"),
		sbu("dtype"), dtype, sbu("allow_mmap"), "\x88",
	}, more...)...) + "b"
}
