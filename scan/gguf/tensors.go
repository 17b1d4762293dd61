package gguf

import (
	"hash/maphash"
	"math/bits"
	"slices"

	"modelwall/scan"
)

// tensor is where a tensor lies in the data.
type tensor struct {
	off, size uint64
	at        int64 // of its entry in the header
}

// Bounds of the table. ggml keeps names of 64 bytes and four dimensions.
const (
	maxTensors    = 1 << 20
	maxName       = 1 << 12 // bytes
	maxDimensions = 4
)

// table reads the entries of n tensors.
func (r *reader) table(n uint64) error {
	seed := maphash.MakeSeed()
	names := map[uint64]bool{}
	for i := uint64(0); i < n; i++ {
		if r.attacked && r.off == r.f.Size {
			return errAttack
		}
		if i == maxTensors || r.off > maxHeader {
			return scan.Limit(r.off, "a header of more than %d tensors or %d bytes", maxTensors, maxHeader)
		}
		at := r.off
		length, err := r.length()
		if err != nil {
			return err
		}
		if err := r.room(at, "bytes of a tensor's name", length, 1); err != nil {
			return err
		}
		if length > maxName {
			return r.broken(at, "a tensor's name of %d bytes", length)
		}
		name, err := r.take(int(length))
		if err != nil {
			return err
		}
		if h := maphash.Bytes(seed, name); names[h] {
			r.finding("duplicate-tensor", scan.SeveritySuspicious, "archive-confusion", at, "the tensor "+scan.Quote(string(name), 80)+" comes twice: readers disagree which one counts")
		} else {
			names[h] = true
		}
		if err := r.entry(at); err != nil {
			return err
		}
	}
	return nil
}

// entry reads what follows a tensor's name.
func (r *reader) entry(at int64) error {
	dims, err := r.u32()
	if err != nil {
		return err
	}
	if dims > maxDimensions {
		if dims > 1<<10 {
			return r.attack(at, "gives a tensor %d dimensions", dims)
		}
		return r.broken(at, "a tensor of %d dimensions", dims)
	}
	elements, first, overflow := uint64(1), uint64(1), false
	for i := range dims {
		n, err := r.length()
		if err != nil {
			return err
		}
		if i == 0 {
			first = n
		}
		hi, lo := bits.Mul64(elements, n)
		overflow = overflow || hi != 0 || lo >= 1<<62 || n >= 1<<62
		elements = lo
	}
	if overflow {
		r.attacked = false // a word for each kind
		r.finding("overflow", scan.SeveritySuspicious, "broken-file", at, "the dimensions of a tensor multiply to more than 62 bits: readers that believe it overflow their memory")
	}
	kind, err := r.u32()
	if err != nil {
		return err
	}
	off, err := r.u64()
	if err != nil {
		return err
	}
	block, size := blockOf(kind)
	switch {
	case overflow:
		return nil
	case block == 0:
		r.finding("type", scan.Info, "", at, "a tensor of a type that is not known here")
		return nil
	case first%block != 0:
		r.finding("shape", scan.Low, "broken-file", at, "the rows of a tensor are not made of whole blocks")
	}
	hi, lo := bits.Mul64((elements+block-1)/block, size)
	if hi != 0 || lo >= 1<<62 || off >= 1<<62 {
		r.finding("overflow", scan.SeveritySuspicious, "broken-file", at, "a tensor's size or offset has more than 62 bits: readers that believe it overflow their memory")
		return nil
	}
	if off%uint64(r.alignment) != 0 {
		r.finding("alignment", scan.Low, "broken-file", at, "a tensor is not aligned")
	}
	r.tensors = append(r.tensors, tensor{off, lo, at})
	return nil
}

// blockOf returns the elements and the bytes of a block of a ggml type, 0 for a
// type that is not known.
func blockOf(kind uint32) (elements, size uint64) {
	sizes := [...][2]uint64{
		0: {1, 4}, 1: {1, 2}, 2: {32, 18}, 3: {32, 20}, 6: {32, 22}, 7: {32, 24}, 8: {32, 34}, 9: {32, 36},
		10: {256, 84}, 11: {256, 110}, 12: {256, 144}, 13: {256, 176}, 14: {256, 210}, 15: {256, 292},
		16: {256, 66}, 17: {256, 74}, 18: {256, 98}, 19: {256, 50}, 20: {32, 18}, 21: {256, 110}, 22: {256, 82}, 23: {256, 136},
		24: {1, 1}, 25: {1, 2}, 26: {1, 4}, 27: {1, 8}, 28: {1, 8}, 29: {256, 56}, 30: {1, 2},
		34: {256, 54}, 35: {256, 66}, 39: {32, 17},
	}
	if uint64(kind) >= uint64(len(sizes)) {
		return 0, 0
	}
	return sizes[kind][0], sizes[kind][1]
}

// maxGaps is how many gaps between tensors are looked into.
const maxGaps = 16

// layout compares the tensors' places with each other and with the file.
func (r *reader) layout() error {
	if len(r.tensors) == 0 {
		return nil
	}
	align := uint64(r.alignment)
	start := (uint64(r.off) + align - 1) / align * align
	slices.SortFunc(r.tensors, func(a, b tensor) int {
		switch {
		case a.off != b.off:
			return sign(a.off < b.off)
		case a.size != b.size:
			return sign(a.size < b.size)
		}
		return 0
	})
	end, gaps := uint64(0), 0
	for _, t := range r.tensors {
		switch {
		case t.off < end && t.size > 0:
			r.finding("overlap", scan.SeveritySuspicious, "archive-confusion", t.at, "tensors lie over each other in the file")
		case t.off > end+align && gaps < maxGaps:
			gaps++
			r.finding("gap", scan.Low, "", t.at, "bytes between tensors that belong to none")
			if err := r.hidden("gap", start+end, start+t.off); err != nil {
				return err
			}
		}
		end = max(end, t.off+t.size)
	}
	if start+end > uint64(r.f.Size) {
		return r.broken(r.f.Size, "the tensors are cut off")
	}
	if rest := uint64(r.f.Size) - start - end; rest >= align {
		r.finding("trailing", scan.Low, "", int64(start+end), "bytes behind the last tensor")
		return r.hidden("trailing", start+end, uint64(r.f.Size))
	}
	return nil
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

// hidden hands on what lies in [from, to), where nothing of the format does,
// when it begins like a file.
func (r *reader) hidden(name string, from, to uint64) error {
	to = min(to, uint64(r.f.Size))
	if from >= to {
		return nil
	}
	// Padding may come first.
	head := make([]byte, min(to-from, 64+signatureLen))
	if err := readFull(r.f, head, int64(from)); err != nil {
		return err
	}
	for i := 0; i < len(head); i++ {
		if head[i] == 0 {
			continue
		}
		if packed(head[i:]) {
			return r.member(name, int64(from)+int64(i), int64(to-from)-int64(i))
		}
		break
	}
	return nil
}
