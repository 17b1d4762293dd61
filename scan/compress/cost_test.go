package compress_test

import (
	"bytes"
	"runtime"
	"testing"

	"modelwall/scan/scantest"
)

// TestReservedOnce: many short streams that each ask for a dictionary do not
// each get a new one.
func TestReservedOnce(t *testing.T) {
	for _, format := range []string{"xz", "zstd", "lzma"} {
		s, data := scanner(t, format), pack(t, format, hello)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			r, err := scantest.Scan(s, "x", data)
			if err != nil || !bytes.Equal(r.Members[0].Data, []byte(hello)) {
				t.Fatalf("%s: %v", format, err)
			}
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 400 {
			t.Errorf("%s: %d MiB were allocated for 100 short files", format, got)
		}
	}
}
