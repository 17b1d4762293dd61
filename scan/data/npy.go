package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"modelwall/scan"
)

const npyMagic = "\x93NUMPY"

// maxNPYHeader is the longest header that is read, in bytes. NumPy takes
// 10 000 unless pickles are allowed.
const maxNPYHeader = 1 << 20

func matchNPY(p scan.Probe) bool { return bytes.HasPrefix(p.Head, []byte(npyMagic)) }

// scanNPY goes through the arrays of a file, of which there may be several.
// The header is a Python literal. An array whose dtype holds objects is stored
// as a pickle, and so is, for NumPy, whatever dtype is not understood here.
func scanNPY(ctx context.Context, in *input) error {
	off := int64(0)
	for off < in.Size {
		if err := ctx.Err(); err != nil {
			return err
		}
		magic := make([]byte, min(int64(len(npyMagic)), in.Size-off))
		if err := in.read(magic, off); err != nil {
			return err
		}
		if string(magic) != npyMagic {
			return in.rest(ctx, off, "(trailing data)")
		}
		header, body, err := in.npyHeader(off)
		if errors.Is(err, errCutOff) {
			in.finding("npy.broken", scan.Low, "broken-file", off, "the header is cut off: no loader gets past it")
			return nil
		}
		if err != nil {
			return err
		}
		size, plain := arraySize(header)
		if !plain {
			if _, ok := parseLiteral(header); !ok {
				in.finding("npy.header", scan.SeveritySuspicious, "evasion", off, "the header is not a literal: "+scan.Quote(header, 120))
			}
			return in.member(ctx, body, "data")
		}
		if size > in.Size-body {
			return in.broken("npy", body, fmt.Sprintf("the array is cut off: %d of %d bytes are there", in.Size-body, size))
		}
		off = body + size
	}
	return nil
}

// rest hands over what follows the last array, unless it is zeros.
func (in *input) rest(ctx context.Context, off int64, name string) error {
	zero := true
	err := in.chunks(ctx, off, in.Size, func(b []byte) bool {
		zero = len(bytes.Trim(b, "\x00")) == 0
		return zero
	})
	if err != nil || zero {
		return err
	}
	in.finding("npy.trailing", scan.Low, "archive-confusion", off, fmt.Sprintf("%d bytes follow the array", in.Size-off))
	return in.member(ctx, off, name)
}

func (in *input) member(ctx context.Context, off int64, name string) error {
	return in.sink.Member(ctx, scan.Member{Name: name, At: in.Section(off, in.Size-off), Size: in.Size - off})
}

// errCutOff: the file ends inside a header, so that all of it was seen.
var errCutOff = errors.New("header is cut off")

// npyHeader returns the header of the array at off and where its body begins.
func (in *input) npyHeader(off int64) (string, int64, error) {
	const fixed = len(npyMagic) + 2 // and the version
	b := make([]byte, min(int64(fixed+4), in.Size-off))
	if err := in.read(b, off); err != nil {
		return "", 0, err
	}
	if len(b) < fixed+4 {
		return "", 0, errCutOff
	}
	n, begin := int64(binary.LittleEndian.Uint16(b[fixed:])), off+int64(fixed)+2
	switch b[len(npyMagic)] {
	case 1:
	case 2, 3:
		n, begin = int64(binary.LittleEndian.Uint32(b[fixed:])), off+int64(fixed)+4
	default:
		return "", 0, in.broken("npy", off, "there is no such version")
	}
	if n > in.Size-begin {
		return "", 0, errCutOff
	}
	if n > maxNPYHeader {
		return "", 0, scan.Limit(begin, "a header of %d bytes", n)
	}
	header := make([]byte, n)
	if err := in.read(header, begin); err != nil {
		return "", 0, err
	}
	return string(header), begin + n, nil
}

// arraySize returns the size of an array's body in bytes. The answer is false
// when the header is not understood or the body may hold a pickle.
func arraySize(header string) (int64, bool) {
	v, ok := parseLiteral(header)
	if !ok {
		return 0, false
	}
	d, ok := v.(dict)
	if !ok || len(d) != 3 {
		return 0, false
	}
	if _, ok := d["fortran_order"].(bool); !ok {
		return 0, false
	}
	shape, ok := d["shape"].(list)
	if !ok {
		return 0, false
	}
	item, ok := itemSize(d["descr"])
	if !ok {
		return 0, false
	}
	return product(item, shape)
}

// product multiplies n by the dimensions.
func product(n int64, shape list) (int64, bool) {
	for _, v := range shape {
		d, ok := v.(int64)
		if !ok || d < 0 {
			return 0, false
		}
		if d > 0 && n > math.MaxInt64/4/d {
			return math.MaxInt64 / 4, !slices.Contains(shape, any(int64(0)))
		}
		n *= d
	}
	return n, true
}

// plainType are the dtypes whose items are bytes of a fixed number: all but
// objects, and but the spellings that nothing writes.
var plainType = regexp.MustCompile(`^[<>|=]?([?biufcmMVSUa])([0-9]{0,9})(\[[0-9A-Za-z]+\])?$`)

// itemSize returns the size of one item of a dtype, in bytes.
func itemSize(descr any) (int64, bool) {
	switch d := descr.(type) {
	case string:
		m := plainType.FindStringSubmatch(d)
		if m == nil || (m[2] == "" && m[1] != "?") {
			return 0, false
		}
		if m[1] == "?" {
			return 1, m[2] == ""
		}
		n, err := strconv.ParseInt(m[2], 10, 64)
		if m[1] == "U" {
			n *= 4
		}
		return n, err == nil
	case list:
		return structSize(d)
	}
	return 0, false
}

// structSize adds up the fields of a structured dtype: (name, dtype) or
// (name, dtype, shape).
func structSize(fields list) (int64, bool) {
	total := int64(0)
	for _, v := range fields {
		f, ok := v.(list)
		if !ok || len(f) < 2 || len(f) > 3 {
			return 0, false
		}
		n, ok := itemSize(f[1])
		if !ok {
			return 0, false
		}
		if len(f) == 3 {
			shape, ok := f[2].(list)
			if !ok {
				shape = list{f[2]}
			}
			if n, ok = product(n, shape); !ok {
				return 0, false
			}
		}
		if total += n; total > math.MaxInt64/4 {
			return 0, false
		}
	}
	return total, true
}

// broken reports a damaged header. No loader gets past one, so there is nothing
// suspicious in it, but neither was the file examined.
func (in *input) broken(format string, off int64, what string) error {
	in.finding(format+".broken", scan.Low, "broken-file", off, what)
	return scan.Malformed(off, "%s", what)
}
