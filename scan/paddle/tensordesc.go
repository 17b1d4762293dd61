package paddle

import "google.golang.org/protobuf/encoding/protowire"

// valuesSize returns how many bytes the values of a TensorDesc take; false if
// desc is none or they take more than limit.
func valuesSize(desc []byte, limit int64) (int64, bool) {
	size, typed := int64(1), false
	times := func(n uint64) bool {
		if n > uint64(limit) || n != 0 && size > limit/int64(n) {
			return false
		}
		size *= int64(n)
		return true
	}
	for len(desc) > 0 {
		num, typ, n := protowire.ConsumeTag(desc)
		if n < 0 {
			return 0, false
		}
		desc = desc[n:]
		switch {
		case num == 1 && typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(desc)
			if n < 0 || typed || !times(width(v)) {
				return 0, false
			}
			desc, typed = desc[n:], true
		case num == 2 && typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(desc)
			if n < 0 || !times(v) {
				return 0, false
			}
			desc = desc[n:]
		case num == 2 && typ == protowire.BytesType:
			packed, n := protowire.ConsumeBytes(desc)
			if n < 0 {
				return 0, false
			}
			desc = desc[n:]
			for len(packed) > 0 {
				v, n := protowire.ConsumeVarint(packed)
				if n < 0 || !times(v) {
					return 0, false
				}
				packed = packed[n:]
			}
		default:
			return 0, false
		}
	}
	return size, typed
}

// width is how many bytes a value of a type takes, more than any file has for
// one that is not known.
func width(dtype uint64) uint64 {
	switch dtype {
	case 0, 20, 21, 32, 33: // bool, uint8, int8, float8
		return 1
	case 1, 4, 22: // int16, float16, bfloat16
		return 2
	case 2, 5: // int32, float32
		return 4
	case 3, 6, 19, 23: // int64, float64, size_t, complex64
		return 8
	case 24: // complex128
		return 16
	}
	return 1 << 62
}
