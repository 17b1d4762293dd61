package pickle

import (
	"math/rand/v2"
	"testing"

	"modelwall/scan/scantest"
)

func TestRandomBytesAreNoPickles(t *testing.T) {
	s := New()
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		data := make([]byte, 1+r.IntN(400))
		for i := range data {
			switch seed % 4 {
			case 0:
				data[i] = byte(r.Uint32())
			case 1: // text
				data[i] = " \nabcdefgijklmnorstuvIKLMNSFGVX0123456789.,()[]'_"[r.IntN(49)]
			case 2: // small numbers
				data[i] = byte(r.NormFloat64() * 3)
			default: // float32 near one
				data[i] = []byte{byte(r.Uint32()), byte(r.Uint32()), 0x80 | byte(r.IntN(0x7f)), 0x3f}[i%4]
			}
		}
		if rec, _ := scantest.Scan(s, "x", data); len(rec.Findings)+len(rec.Imports) > 0 {
			t.Errorf("seed %d: %q: %+v %+v", seed, data, rec.Imports, rec.Findings)
		}
	}
}
