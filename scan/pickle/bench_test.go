package pickle

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

func bench(b *testing.B, data []byte) {
	b.Helper()
	s := New()
	f := scantest.Bytes("x", data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := &scantest.Record{}
		if err := s.Scan(context.Background(), f, r); err != nil || r.Worst() > scan.Info {
			b.Fatal(err, r.Findings)
		}
	}
}

// BenchmarkOpcodeDense is nested small integers, strings and dicts, memoised
// as CPython's pickler does.
func BenchmarkOpcodeDense(b *testing.B) {
	var s strings.Builder
	s.WriteString(proto(4) + "]\x94(")
	for i := range 100_000 {
		if i%1000 == 0 && i > 0 {
			s.WriteString("e(") // picklers write batches
		}
		s.WriteString("}\x94(")
		s.WriteString(sbu(fmt.Sprintf("key%d", i)) + "\x94K\x01")
		s.WriteString(sbu("value") + "\x94]\x94(K\x01K\x02M\x00\x10G\x00\x00\x00\x00\x00\x00\x00\x00e")
		s.WriteString(sbu("pair") + "\x94K\x05K\x06\x86\x94u")
	}
	s.WriteString("e.")
	bench(b, []byte(s.String()))
}

// BenchmarkNumbers is one flat list of small integers.
func BenchmarkNumbers(b *testing.B) {
	bench(b, cat(proto(4), "]\x94(", strings.Repeat("K\x01M\x00\x02", 500), "e", strings.Repeat("(K\x01M\x00\x02K\x01M\x00\x02e", 100_000), "."))
}

// BenchmarkTensorHeavy is big binary payloads between a few opcodes.
func BenchmarkTensorHeavy(b *testing.B) {
	var s strings.Builder
	s.WriteString(proto(4) + "]\x94(")
	payload := strings.Repeat("\x00\x01\x02\x03", 1<<18)
	for range 64 {
		s.WriteString(bb(payload) + "\x94")
	}
	s.WriteString("e.")
	bench(b, []byte(s.String()))
}

// BenchmarkRest looks for pickles in random bytes behind a pickle.
func BenchmarkRest(b *testing.B) {
	raw := make([]byte, 32<<20)
	x := uint32(1)
	for i := range raw {
		x = x*1664525 + 1013904223
		raw[i] = byte(x >> 24)
	}
	bench(b, append(cat(proto(4), "]K\x01a."), raw...))
}
