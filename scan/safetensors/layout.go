package safetensors

import (
	"bytes"
	"cmp"
	"slices"

	"modelwall/scan"
)

// maxHoles is how many holes are looked into.
const maxHoles = 16

// layout compares the tensors' places with each other and with the file, in
// which the data begin at start.
func (h *header) layout(start int64) error {
	slices.SortFunc(h.tensors, func(a, b tensor) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	data := uint64(h.f.Size - start)
	end, holes := uint64(0), 0
	for _, t := range h.tensors {
		if t.from < end && t.to > t.from {
			h.finding("overlap", scan.SeveritySuspicious, "archive-confusion", t.at, "tensors lie over each other in the file: readers that check refuse it")
		}
		if t.from > end && holes < maxHoles {
			holes++
			if err := h.hidden("hole", start, end, min(t.from, data), "between tensors"); err != nil {
				return err
			}
		}
		end = max(end, t.to)
	}
	if end > data {
		return h.broken(h.f.Size, "the tensors are cut off")
	}
	return h.hidden("trailing", start, end, data, "behind the tensors")
}

// looked is how much of each end of a hole is read, in bytes.
const looked = 4 << 10

// hidden judges bytes that belong to no tensor. The reference implementation
// refuses a file that has any; others never look at them.
func (h *header) hidden(rule string, start int64, from, to uint64, where string) error {
	if from >= to {
		return nil
	}
	at, size := start+int64(from), int64(to-from)
	for _, off := range []int64{at, max(at, at+size-looked)} {
		b := make([]byte, min(size, looked))
		if err := readFull(h.f, b, off); err != nil {
			return err
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			h.finding(rule, scan.SeveritySuspicious, "archive-confusion", at, "bytes "+where+" that belong to none: a place to hide something, and readers that check refuse it")
			return h.member(rule, at, size)
		}
	}
	h.finding(rule, scan.Low, "", at, "zeros "+where+" that belong to none")
	return nil
}
