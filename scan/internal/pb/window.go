package pb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// The window is small behind a leap, where often only a few bytes are wanted,
// and grows while reading goes on without one. In bytes.
const (
	minWindow = 4 << 10
	maxWindow = 64 << 10
)

// window reads a file from an offset that its user moves freely.
type window struct {
	f    scan.File
	off  int64 // what is read next
	buf  []byte
	from int64 // where buf stands in the file
	size int64 // of the next window
}

func newWindow(f scan.File) *window { return &window{f: f, size: minWindow} }

// have returns the bytes at off, at least one; off is before the end.
func (w *window) have() ([]byte, error) {
	end := w.from + int64(len(w.buf))
	if w.off >= w.from && w.off < end {
		return w.buf[w.off-w.from:], nil
	}
	if w.off == end {
		w.size = min(2*w.size, maxWindow)
	} else {
		w.size = minWindow
	}
	n := min(w.size, w.f.Size-w.off)
	if int64(cap(w.buf)) < n {
		w.buf = make([]byte, n)
	}
	w.buf, w.from = w.buf[:n], w.off
	if got, err := w.f.ReadAt(w.buf, w.off); got < len(w.buf) {
		w.buf = w.buf[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the file is shorter than its size says
		}
		return nil, fmt.Errorf("read %d bytes at %d: %w", n, w.off, err)
	}
	return w.buf, nil
}

// varint reads a varint that ends before end.
func (w *window) varint(end int64) (uint64, error) {
	var v uint64
	start := w.off
	for i := range maxVarint {
		if w.off >= end {
			return 0, scan.Malformed(start, "%w: a number is cut short", ErrWire)
		}
		b, err := w.have()
		if err != nil {
			return 0, err
		}
		c := b[0]
		w.off++
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, nil
		}
	}
	return 0, scan.Malformed(start, "%w: a number has more than 64 bits", ErrWire)
}

// fixed reads n little-endian bytes that end before end.
func (w *window) fixed(n int, end int64) (uint64, error) {
	if end-w.off < int64(n) {
		return 0, scan.Malformed(w.off, "%w: a number is cut short", ErrWire)
	}
	var b [8]byte
	if _, err := w.read(b[:0], n); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// read appends n bytes to dst. The caller has checked that the file has them.
func (w *window) read(dst []byte, n int) ([]byte, error) {
	for n > 0 {
		b, err := w.have()
		if err != nil {
			return dst, err
		}
		b = b[:min(n, len(b))]
		dst = append(dst, b...)
		w.off += int64(len(b))
		n -= len(b)
	}
	return dst, nil
}
