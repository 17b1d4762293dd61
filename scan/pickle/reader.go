package pickle

import (
	"bytes"
	"context"
	"errors"
	"io"

	"modelwall/scan"
)

// The window over the file: it grows while reading goes on in one piece and
// starts small after a jump, so a body that is skipped costs one small read.
const (
	minWindow = 4 << 10
	maxWindow = 256 << 10
	// maxLine bounds the argument of a text opcode that has to be understood:
	// module and attribute names, numbers, memo keys.
	maxLine = 64 << 10
)

// window reads a file front to back with one bounded buffer, and small pieces
// of it anywhere.
type window struct {
	ctx  context.Context //nolint:containedctx // one Scan call is this value's whole life
	file scan.File
	buf  []byte // buf[i:] is what comes next
	i    int
	base int64 // offset of buf[0]
	next int   // size of the next read
	mem  []byte
	err  error // the reader's own or the context's; sticky
}

// newWindow reads by way of mem, of at most maxWindow bytes.
func newWindow(ctx context.Context, f scan.File, mem []byte) window {
	return window{ctx: ctx, file: f, next: minWindow, mem: mem}
}

// pos is the offset of the next byte.
func (w *window) pos() int64 { return w.base + int64(w.i) }

// seek moves to off without reading.
func (w *window) seek(off int64) {
	if rel := off - w.base; rel >= 0 && rel <= int64(len(w.buf)) {
		w.i = int(rel)
		return
	}
	w.buf, w.i, w.base = w.mem[:0], 0, off
	w.next = minWindow
}

// fill tries to make n bytes available at buf[i:] and reports whether they
// are; n is at most maxWindow/2.
func (w *window) fill(n int) bool {
	if len(w.buf)-w.i >= n {
		return true
	}
	if w.err != nil {
		return false
	}
	if w.err = w.ctx.Err(); w.err != nil {
		return false
	}
	rest := copy(w.mem, w.buf[w.i:])
	w.base += int64(w.i)
	w.i = 0
	want := min(max(w.next, n), len(w.mem)-rest)
	w.next = min(2*w.next, maxWindow)
	left := max(0, w.file.Size-w.base-int64(rest))
	want = int(min(int64(want), left))
	w.buf = w.mem[:rest]
	if want > 0 {
		var got int
		got, w.err = readAt(w.file, w.mem[rest:rest+want], w.base+int64(rest))
		w.buf = w.mem[:rest+got]
	}
	return len(w.buf)-w.i >= n
}

// readAt fills p from off. A file that ends before its size is an error of
// the reader, not of the format.
func readAt(r io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// more reports whether there is another byte, and makes it available.
func (w *window) more() bool { return len(w.buf) > w.i || w.fill(1) }

// line consumes up to and including the next newline and returns what stands
// before it, valid until the next read. whole is false when the file ends
// first, long when the line exceeds limit; the rest of a long line is
// consumed as well.
func (w *window) line(limit int) (text []byte, whole, long bool) {
	seen := 0
	for {
		if n := bytes.IndexByte(w.buf[w.i+seen:], '\n'); n >= 0 {
			n += seen
			text = w.buf[w.i : w.i+n]
			w.i += n + 1
			return text, true, n > limit
		}
		seen = len(w.buf) - w.i
		if seen > limit {
			return nil, w.skipLine(), true
		}
		if !w.fill(seen + 1) {
			text = w.buf[w.i:]
			w.i = len(w.buf)
			return text, false, false
		}
	}
}

// skipLine consumes up to and including the next newline without keeping any
// of it, and reports whether there was one.
func (w *window) skipLine() bool {
	for {
		if n := bytes.IndexByte(w.buf[w.i:], '\n'); n >= 0 {
			w.i += n + 1
			return true
		}
		w.i = len(w.buf)
		if !w.fill(1) {
			return false
		}
	}
}

// peek returns up to n bytes at off, fewer at the end of the file.
func (w *window) peek(off int64, n int) []byte {
	if rel := off - w.base; rel >= 0 && rel+int64(n) <= int64(len(w.buf)) {
		return w.buf[rel : rel+int64(n)]
	}
	n = int(min(int64(n), max(0, w.file.Size-off)))
	if n == 0 || w.err != nil {
		return nil
	}
	p := make([]byte, n)
	got, err := readAt(w.file, p, off)
	if err != nil {
		w.err = err
	}
	return p[:got]
}

// watched remembers the first error of a reader, which decoders between it and
// us may take for damage of the file.
type watched struct {
	r   io.ReaderAt
	err error
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	n, err := w.r.ReadAt(p, off)
	if n < len(p) && err != nil && !errors.Is(err, io.EOF) && w.err == nil {
		w.err = err
	}
	return n, err
}
