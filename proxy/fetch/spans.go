package fetch

import (
	"math"
	"slices"
)

// span is the half-open run of bytes [off, end).
type span struct{ off, end int64 }

// spans is a set of bytes as sorted runs that neither overlap nor touch.
type spans []span

// add puts s into the set.
func (l *spans) add(s span) {
	if s.off >= s.end {
		return
	}
	// i is the first run that s could merge with, j the first behind s.
	i, _ := slices.BinarySearchFunc(*l, s.off, func(e span, off int64) int {
		if e.end < off {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(*l) && (*l)[j].off <= s.end; j++ {
		s.off = min(s.off, (*l)[j].off)
		s.end = max(s.end, (*l)[j].end)
	}
	*l = slices.Replace(*l, i, j, s)
}

// run describes the bytes from off on: whether the set has them, and where
// that stops being so (math.MaxInt64 for never).
func (l spans) run(off int64) (held bool, end int64) {
	i, _ := slices.BinarySearchFunc(l, off, func(e span, off int64) int {
		if e.end <= off {
			return -1
		}
		return 1
	})
	switch {
	case i == len(l):
		return false, math.MaxInt64
	case l[i].off <= off:
		return true, l[i].end
	default:
		return false, l[i].off
	}
}

// before returns the end of the last run that ends at or before off, 0
// without any.
func (l spans) before(off int64) int64 {
	i, _ := slices.BinarySearchFunc(l, off, func(e span, off int64) int {
		if e.end <= off {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0
	}
	return l[i-1].end
}

// front is the length of the run that starts at byte 0.
func (l spans) front() int64 {
	if len(l) == 0 || l[0].off > 0 {
		return 0
	}
	return l[0].end
}
