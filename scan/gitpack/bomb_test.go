package gitpack

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// copyAll is a delta that makes n bytes out of the first ones of its base.
func copyAll(base, n int) []byte {
	d := append(varint(base), varint(n)...)
	for n > 0 {
		m := min(n, base, 0xffffff)
		d = append(d, 0xf0, byte(m), byte(m>>8), byte(m>>16))
		n -= m
	}
	return d
}

// TestBombs: packs of some kilobytes that take hundreds of megabytes.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 30<<20)
	big := &pack{}
	for range 4 {
		big.object(blob, zeros)
	}
	for _, k := range []kind{commit, blob} {
		deltas := &pack{}
		at := deltas.object(k, zeros)
		for range 100 {
			deltas.delta(at, copyAll(len(zeros), len(zeros)))
		}
		tree := &pack{}
		at = tree.object(k, zeros[:10<<20])
		for range 10 { // each has a second child: none can be let go of
			next := tree.delta(at, copyAll(10<<20, 10<<20))
			tree.delta(at, insert(10<<20, "x"))
			at = next
		}
		for name, p := range map[string]*pack{"whole objects": big, "deltas": deltas, "chain": tree} {
			data := p.bytes()
			r, err := scantest.Scan(New(), "pack", data)
			total := 0
			for _, m := range r.Members {
				total += len(m.Data)
			}
			if !errors.Is(err, scan.ErrLimit) || total > freeBytes+maxExpansion*len(data) {
				t.Errorf("%s of %s: error %v after %d bytes", kindNames[k], name, err, total)
			}
		}
	}
}

// TestLongChain: many versions of a file, each a delta against the last, are
// more than may be held at once.
func TestLongChain(t *testing.T) {
	text := make([]byte, 1<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = byte(rnd.Uint32())
	}
	p := &pack{}
	at := p.object(blob, text)
	versions := maxHeld>>20 + 10
	for range versions {
		at = p.delta(at, copyAll(len(text), len(text)))
	}
	r, err := scantest.Scan(New(), "pack", p.bytes())
	if err != nil || len(r.Members) != versions+1 {
		t.Errorf("error %v, %d members, want %d", err, len(r.Members), versions+1)
	}
}

// TestManySmallObjects: a decoder is not made anew for each.
func TestManySmallObjects(t *testing.T) {
	p := &pack{}
	for range 5000 {
		p.object(blob, []byte("x"))
	}
	data := p.bytes()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := scantest.Scan(New(), "pack", data)
	runtime.ReadMemStats(&after)
	if err != nil || len(r.Members) != 5000 {
		t.Fatalf("error %v, %d members", err, len(r.Members))
	}
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 50 {
		t.Errorf("%d MiB were allocated for 5000 objects of a byte", got)
	}
}

// TestLongNames: what no file system takes is no name.
func TestLongNames(t *testing.T) {
	content := []byte("weights")
	name := identify(blob, content)
	p := &pack{}
	p.object(blob, content)
	p.object(tree, append([]byte("100644 "+strings.Repeat("n", maxName+1)+"\x00"), name[:]...))
	r, err := scantest.Scan(New(), "pack", p.bytes())
	if err != nil || len(r.Members) != 1 || len(r.Members[0].Name) != 40 {
		t.Errorf("members = %+v, %v; want one called by its id", r.Members, err)
	}
}
