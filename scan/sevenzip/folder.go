package sevenzip

import "fmt"

// The coders that are decoded, and encryption.
const (
	coderCopy    = "\x00"
	coderDelta   = "\x03"
	coderARM64   = "\x0a"
	coderLZMA2   = "\x21"
	coderLZMA    = "\x03\x01\x01"
	coderPPMd    = "\x03\x04\x01"
	coderBCJ     = "\x03\x03\x01\x03"
	coderBCJ2    = "\x03\x03\x01\x1b"
	coderPPC     = "\x03\x03\x02\x05"
	coderARM     = "\x03\x03\x05\x01"
	coderSPARC   = "\x03\x03\x08\x05"
	coderDeflate = "\x04\x01\x08"
	coderBzip2   = "\x04\x02\x02"
	coderAES     = "\x06\xf1\x07\x01"
)

// maxMemory is the most that the coders of one folder may reserve, in bytes:
// the largest dictionary that 7-Zip chooses by itself.
const maxMemory = 256 << 20

// A folder may reserve freeMemory in any case and perByte more for each byte
// of its packed streams, so that it takes a big file to cost much memory. All
// folders, which come one after another, may take allMemory in the same way:
// what is reserved has to be cleared.
const (
	freeMemory = 64 << 20
	allMemory  = 1 << 30
	perByte    = 32
)

func (f *folder) encrypted() bool {
	for _, k := range f.coders {
		if k.id == coderAES {
			return true
		}
	}
	return false
}

// decodable reports what decoding a folder of so many packed bytes reserves, or
// why it can not be decoded here: a coder is unknown, needs too much memory, or
// the coders are not chained as they have to be.
func (f *folder) decodable(packed uint64) (reserved uint64, err error) {
	announced := uint64(0)
	ins := uint64(0)
	for i, k := range f.coders {
		n, err := k.memory()
		if err != nil {
			return 0, err
		}
		if k.out != 1 || k.in != 1 && !(k.id == coderBCJ2 && k.in == 4) {
			return 0, fmt.Errorf("coder %x with %d inputs and %d outputs", k.id, k.in, k.out)
		}
		announced += n
		ins += k.in
		n, _ = k.shrunk(f.sizes[i], packed).memory() // its properties are right
		reserved += n
	}
	if announced > maxMemory {
		return 0, fmt.Errorf("it needs %d MiB, more than %d", announced>>20, maxMemory>>20)
	}
	if reserved > freeMemory && reserved-freeMemory > perByte*min(packed, maxMemory) {
		return 0, fmt.Errorf("it needs %d MiB for %d bytes", reserved>>20, packed)
	}
	return reserved, f.chained(ins)
}

// chained reports whether every one of the inputs takes what one output or one
// packed stream gives.
func (f *folder) chained(ins uint64) error {
	used := map[uint64]bool{}
	from := map[uint64]bool{}
	for _, b := range f.binds {
		if b.in >= ins || b.out >= uint64(len(f.coders)) || used[b.in] || from[b.out] {
			return fmt.Errorf("its coders are not chained")
		}
		used[b.in], from[b.out] = true, true
	}
	for _, in := range f.packed {
		if in >= ins || used[in] {
			return fmt.Errorf("its coders are not chained")
		}
		used[in] = true
	}
	if uint64(len(used)) != ins {
		return fmt.Errorf("its coders are not chained")
	}
	return nil
}

// memory returns what a coder reserves, in bytes.
func (k coder) memory() (uint64, error) {
	switch k.id {
	case coderLZMA:
		if len(k.props) == 5 {
			return uint64(le.Uint32(k.props[1:])), nil
		}
	case coderLZMA2:
		if len(k.props) == 1 && k.props[0] <= 40 {
			p := k.props[0]
			return uint64(2|p&1) << (p/2 + 11), nil
		}
	case coderPPMd:
		if len(k.props) == 5 {
			return uint64(le.Uint32(k.props[1:])), nil
		}
	case coderDelta:
		if len(k.props) == 1 {
			return 0, nil
		}
	case coderBzip2:
		return 4 << 20, nil
	case coderCopy, coderDeflate, coderBCJ, coderBCJ2, coderPPC, coderARM, coderARM64, coderSPARC:
		return 0, nil
	default:
		return 0, fmt.Errorf("no decoder for coder %x", k.id)
	}
	return 0, fmt.Errorf("coder %x has wrong properties", k.id)
}

// maxRatio is more than LZMA can ever gain: a match of 273 bytes costs a third
// of a bit at the very least.
const maxRatio = 1 << 14

// shrunk returns k with a dictionary no larger than what the decoder can fill,
// so that memory grows with the bytes that are there and not with what the
// header asks for.
func (k coder) shrunk(unpacked, packed uint64) coder {
	need := max(4<<10, min(unpacked, packed*maxRatio))
	switch k.id {
	case coderLZMA:
		if dict := le.Uint32(k.props[1:]); uint64(dict) > need {
			k.props = le.AppendUint32([]byte{k.props[0]}, uint32(need))
		}
	case coderLZMA2:
		for p := range k.props[0] {
			if uint64(2|p&1)<<(p/2+11) >= need {
				k.props = []byte{p}
				break
			}
		}
	}
	return k
}

// sorted returns f with its coders in the order in which data passes through
// them, which the library wants, or false when they run in a circle.
func (f *folder) sorted() (folder, bool) {
	firstIn := make([]uint64, len(f.coders))
	n := uint64(0)
	for i, k := range f.coders {
		firstIn[i] = n
		n += k.in
	}
	newIn := make([]uint64, n)
	newOut := make([]uint64, len(f.coders))
	done := make([]bool, len(f.coders))
	g := folder{crc: f.crc, hasCRC: f.hasCRC}
	next := uint64(0)
	for len(g.coders) < len(f.coders) {
		i := f.ready(done, firstIn)
		if i < 0 {
			return folder{}, false
		}
		done[i] = true
		newOut[i] = uint64(len(g.coders))
		for j := range f.coders[i].in {
			newIn[firstIn[i]+j] = next
			next++
		}
		g.coders = append(g.coders, f.coders[i])
		g.sizes = append(g.sizes, f.sizes[i])
	}
	for _, b := range f.binds {
		g.binds = append(g.binds, bind{newIn[b.in], newOut[b.out]})
	}
	for _, in := range f.packed {
		g.packed = append(g.packed, newIn[in])
	}
	return g, true
}

// ready finds a coder whose inputs are all packed streams or outputs of coders
// that are done, or -1.
func (f *folder) ready(done []bool, firstIn []uint64) int {
	for i, k := range f.coders {
		if done[i] {
			continue
		}
		ok := true
		for _, b := range f.binds {
			if b.in >= firstIn[i] && b.in < firstIn[i]+k.in && !done[b.out] {
				ok = false
			}
		}
		if ok {
			return i
		}
	}
	return -1
}
