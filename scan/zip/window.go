package zip

import (
	"errors"
	"io"

	"modelwall/scan"
)

// window reads small pieces of a file, keeping the last stretch it read.
type window struct {
	f   scan.File
	off int64
	buf []byte
}

// ahead is how many bytes are read at once, at least: a local header with a
// usual name and PyTorch's alignment padding, or some central records.
const ahead = 512

// upTo returns the n bytes at off, or fewer where the file ends. They are
// valid until the next call.
func (w *window) upTo(off int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), w.f.Size-off)))
	if n == 0 {
		return nil, nil
	}
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		if err := w.load(off, n); err != nil {
			return nil, err
		}
	}
	at := off - w.off
	return w.buf[at : at+int64(n)], nil
}

// stretch returns what is at hand from off, at most n bytes and at least least
// unless the file ends, so that a search reads nothing twice.
func (w *window) stretch(off int64, least, n int) ([]byte, error) {
	if at := off - w.off; at >= 0 && at+int64(least) <= int64(len(w.buf)) {
		return w.buf[at:min(at+int64(n), int64(len(w.buf)))], nil
	}
	return w.upTo(off, n)
}

func (w *window) load(off int64, n int) error {
	want := int(min(int64(max(n, ahead)), w.f.Size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf = w.buf[:want]
	w.off = off
	m, err := w.f.ReadAt(w.buf, off)
	if m >= want {
		return nil
	}
	w.buf = w.buf[:0]
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // the file is shorter than its size says
	}
	return err
}

// is reports whether sig stands at off.
func (w *window) is(off int64, sig string) (bool, error) {
	if off < 0 || off > w.f.Size-int64(len(sig)) {
		return false, nil
	}
	b, err := w.upTo(off, len(sig))
	return err == nil && string(b) == sig, err
}
