package safetensors

import (
	"errors"
	"math/bits"
	"slices"
	"strings"

	"modelwall/scan"
)

// tensor is where a tensor lies in the data.
type tensor struct {
	from, to uint64
	at       int64 // of its entry in the header
}

// Bounds of what is kept.
const (
	maxTensors = 1 << 20
	maxName    = 1 << 10 // bytes
)

const metadataKey = "__metadata__"

// object reads the header's JSON.
func (h *header) object() error {
	r := h.json
	if err := r.take('{'); err != nil {
		return err
	}
	if c, err := r.peek(); err != nil {
		return err
	} else if c == '}' {
		r.pos++
		return nil
	}
	for {
		key, err := r.str(maxName)
		if err != nil {
			return err
		}
		h.names = append(h.names, key.hash)
		if len(h.names) > maxTensors {
			return scan.Limit(key.off, "more than %d tensors", maxTensors)
		}
		if err := r.take(':'); err != nil {
			return err
		}
		if string(key.kept) == metadataKey {
			err = h.metadata()
		} else {
			err = h.tensor(key)
		}
		if err != nil {
			return err
		}
		more, err := r.either(',', '}')
		if err != nil {
			return err
		}
		if !more {
			h.unique(h.names, "a tensor")
			return nil
		}
	}
}

// unique reports names that come twice: some readers take the first, some the
// last.
func (h *header) unique(hashes []uint64, what string) {
	slices.Sort(hashes)
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			h.finding("duplicate-key", scan.SeveritySuspicious, "archive-confusion", 0, "the name of "+what+" comes twice in the header: readers disagree which one counts")
			return
		}
	}
}

// maxFields is how many fields of a tensor are read: there are three.
const maxFields = 64

// tensor reads {"dtype": …, "shape": […], "data_offsets": […]}.
func (h *header) tensor(key text) error {
	r := h.json
	if c, err := r.peek(); err != nil {
		return err
	} else if c != '{' {
		return h.strange(key, "is no object")
	}
	r.pos++
	var dtype text
	var shape, offsets []uint64
	seen := map[string]bool{}
	if c, err := r.peek(); err != nil {
		return err
	} else if c == '}' {
		r.pos++
		return h.incomplete(key, seen)
	}
	for range maxFields {
		field, err := r.str(maxName)
		if err != nil {
			return err
		}
		if err := r.take(':'); err != nil {
			return err
		}
		name := string(field.kept)
		if seen[name] {
			h.finding("duplicate-key", scan.SeveritySuspicious, "archive-confusion", field.off, "a tensor has the field "+scan.Quote(name, 40)+" twice: readers disagree which one counts")
		}
		seen[name] = true
		switch name {
		case "dtype":
			dtype, err = r.str(maxName)
		case "shape":
			shape, err = h.wholes()
		case "data_offsets":
			offsets, err = h.wholes()
		default:
			err = h.skip()
		}
		if err != nil {
			return err
		}
		more, err := r.either(',', '}')
		if err != nil {
			return err
		}
		if !more {
			if !seen["dtype"] || !seen["shape"] || len(offsets) != 2 {
				return h.incomplete(key, seen)
			}
			h.entries++
			h.place(key, string(dtype.kept), shape, offsets[0], offsets[1])
			return nil
		}
	}
	return scan.Limit(key.off, "a tensor of more than %d fields", maxFields)
}

// strange skips an entry that is no tensor; the reference implementation
// refuses the file.
func (h *header) strange(key text, how string) error {
	if h.entries > 0 { // else it may be something else altogether
		h.finding("entry", scan.Low, "broken-file", key.off, "the entry "+scan.Quote(string(key.kept), 60)+" "+how)
	}
	if h.problem == nil {
		h.problem = scan.Malformed(key.off, "an entry of the header is no tensor")
	}
	return h.skip()
}

func (h *header) incomplete(key text, seen map[string]bool) error {
	for _, name := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[name] {
			return h.broken(key.off, "the tensor "+scan.Quote(string(key.kept), 60)+" has no "+name)
		}
	}
	return h.broken(key.off, "the tensor "+scan.Quote(string(key.kept), 60)+" has no two offsets")
}

// skip moves over a value that no reader of the format looks at.
func (h *header) skip() error {
	at := h.json.offset()
	err := h.json.skip()
	var bad *syntaxError
	if errors.As(err, &bad) && strings.Contains(bad.what, "nests") {
		h.entries++
		h.finding("nesting", scan.SeveritySuspicious, "bomb", at, "the header nests deeper than readers go: those that recurse end in an overflow")
	}
	return err
}

// maxDimensions is how many numbers of an array are kept.
const maxDimensions = 64

// wholes reads an array of whole numbers.
func (h *header) wholes() ([]uint64, error) {
	r := h.json
	if err := r.take('['); err != nil {
		return nil, err
	}
	out := []uint64{}
	if c, err := r.peek(); err != nil {
		return nil, err
	} else if c == ']' {
		r.pos++
		return out, nil
	}
	for {
		n, err := r.whole()
		if err != nil {
			return nil, err
		}
		if len(out) == maxDimensions {
			return nil, r.bad("an array of too many numbers")
		}
		out = append(out, n)
		more, err := r.either(',', ']')
		if err != nil || !more {
			return out, err
		}
	}
}

// place judges a tensor's size and notes where it lies.
func (h *header) place(key text, dtype string, shape []uint64, from, to uint64) {
	name := scan.Quote(string(key.kept), 60)
	if to < from {
		h.finding("offsets", scan.SeveritySuspicious, "broken-file", key.off, "the tensor "+name+" ends before it begins: readers that subtract overflow")
		return
	}
	if to >= absurd {
		h.finding("overflow", scan.SeveritySuspicious, "broken-file", key.off, "the tensor "+name+" lies at an offset that no file has: readers that add overflow")
		return
	}
	h.tensors = append(h.tensors, tensor{from, to, key.off})
	width := bitsOf(dtype)
	if width == 0 {
		h.finding("dtype", scan.Low, "", key.off, "tensors of the type "+scan.Quote(dtype, 20)+", which is not known here")
		return
	}
	elements, overflow, zero := uint64(1), false, false
	for _, n := range shape {
		hi, lo := bits.Mul64(elements, n)
		overflow = overflow || hi != 0
		zero = zero || n == 0
		elements = lo
	}
	hi, size := bits.Mul64(elements, width)
	switch {
	case (overflow || hi != 0) && !zero:
		h.finding("overflow", scan.SeveritySuspicious, "broken-file", key.off, "the shape of the tensor "+name+" multiplies to more than 64 bits: readers that believe it overflow")
	case zero && to != from, !zero && (size%8 != 0 || size/8 != to-from):
		h.finding("size", scan.SeveritySuspicious, "broken-file", key.off, "the tensor "+name+" does not have the size of its type and shape: readers go out of bounds")
	}
}

// bitsOf returns how many bits an element has, 0 for a type that is not known.
func bitsOf(dtype string) uint64 {
	switch dtype {
	case "F4":
		return 4
	case "F6_E2M3", "F6_E3M2":
		return 6
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
		return 8
	case "I16", "U16", "F16", "BF16":
		return 16
	case "I32", "U32", "F32":
		return 32
	case "I64", "U64", "F64", "C64":
		return 64
	case "C128":
		return 128
	}
	return 0
}
