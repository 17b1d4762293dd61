package fetch

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpansMerge(t *testing.T) {
	for _, tc := range []struct {
		name string
		add  []span
		want spans
	}{
		{"empty run", []span{{5, 5}, {7, 6}}, nil},
		{"apart", []span{{10, 20}, {0, 5}}, spans{{0, 5}, {10, 20}}},
		{"touching", []span{{10, 20}, {20, 30}, {0, 10}}, spans{{0, 30}}},
		{"inside", []span{{0, 30}, {10, 20}}, spans{{0, 30}}},
		{"over many", []span{{0, 1}, {2, 3}, {4, 5}, {9, 10}, {2, 6}}, spans{{0, 1}, {2, 6}, {9, 10}}},
		{"over all", []span{{2, 3}, {4, 5}, {0, 9}}, spans{{0, 9}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got spans
			for _, s := range tc.add {
				got.add(s)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSpansAgainstFlags compares the set with one flag per byte.
func TestSpansAgainstFlags(t *testing.T) {
	const n = 200
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var l spans
		var flags [n]bool
		for range 1 + r.IntN(25) {
			s := span{off: int64(r.IntN(n))}
			s.end = min(n, s.off+int64(r.IntN(30)))
			l.add(s)
			for i := s.off; i < s.end; i++ {
				flags[i] = true
			}
		}
		front := int64(0)
		for front < n && flags[front] {
			front++
		}
		if got := l.front(); got != front {
			t.Fatalf("seed %d: front of %v is %d, want %d", seed, l, got, front)
		}
		for off := range n {
			end := off
			for end < n && flags[end] == flags[off] {
				end++
			}
			want := int64(end)
			if end == n && !flags[off] {
				want = math.MaxInt64
			}
			if held, got := l.run(int64(off)); held != flags[off] || got != want {
				t.Fatalf("seed %d: run(%d) of %v is %v, %d, want %v, %d", seed, off, l, held, got, flags[off], want)
			}
			before := off
			for before > 0 && !flags[before-1] {
				before--
			}
			if got := l.before(int64(off)); !flags[off] && got != int64(before) {
				t.Fatalf("seed %d: before(%d) of %v is %d, want %d", seed, off, l, got, before)
			}
		}
	}
}
