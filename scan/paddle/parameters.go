package paddle

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// parameters recognises .pdiparams: tensors one behind the other, each
//
//	uint32  version, 0
//	uint64  levels of detail, each a uint64 length and that many bytes
//	uint32  version, 0
//	int32   length of a TensorDesc
//	bytes   TensorDesc: type of the values, dimensions
//	values
//
// in little endian. Nothing in them executes.
type parameters struct{}

// Bounds of what Paddle writes: levels of detail, and bytes of a TensorDesc.
const (
	maxLevels = 16
	maxDesc   = 1 << 10
)

// Format implements scan.Scanner.
func (parameters) Format() string { return "pdiparams" }

// Version implements scan.Scanner.
func (parameters) Version() int { return 1 }

// Match implements scan.Scanner.
func (parameters) Match(p scan.Probe) bool {
	if len(p.Head) < 20 {
		return false
	}
	le := binary.LittleEndian
	return le.Uint32(p.Head) == 0 && le.Uint64(p.Head[4:]) <= maxLevels
}

// Scan implements scan.Scanner.
func (parameters) Scan(ctx context.Context, f scan.File, _ scan.Sink) error {
	tensors := 0
	for off := int64(0); off < f.Size; tensors++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := skipTensor(f, off)
		if err != nil {
			return err
		}
		if next == 0 {
			// Opaque values that only began like parameters.
			return &scan.Error{Class: scan.ErrForeign, Offset: off, Reason: fmt.Errorf("no tensor behind %d others", tensors)}
		}
		off = next
	}
	return nil
}

// skipTensor returns where the tensor at off ends, 0 if there is none.
func skipTensor(f scan.File, off int64) (int64, error) {
	var b [maxDesc]byte
	le := binary.LittleEndian
	if ok, err := read(f, b[:12], off); !ok || le.Uint32(b[:]) != 0 {
		return 0, err
	}
	levels := le.Uint64(b[4:])
	if off += 12; levels > maxLevels {
		return 0, nil
	}
	for range levels {
		if ok, err := read(f, b[:8], off); !ok {
			return 0, err
		}
		n := le.Uint64(b[:])
		if off += 8; n > uint64(f.Size-off) {
			return 0, nil
		}
		off += int64(n)
	}
	if ok, err := read(f, b[:8], off); !ok || le.Uint32(b[:]) != 0 {
		return 0, err
	}
	n := int64(le.Uint32(b[4:]))
	if off += 8; n == 0 || n > maxDesc {
		return 0, nil
	}
	if ok, err := read(f, b[:n], off); !ok {
		return 0, err
	}
	size, ok := valuesSize(b[:n], f.Size)
	if off += n; !ok || size > f.Size-off {
		return 0, nil
	}
	return off + size, nil
}

// read fills b from off; false means that the file ends before.
func read(f scan.File, b []byte, off int64) (bool, error) {
	if int64(len(b)) > f.Size-off {
		return false, nil
	}
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return true, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is shorter than its size says
	}
	return false, fmt.Errorf("read %d bytes at %d: %w", len(b), off, err)
}
