package syntax

import "io"

// window is the part of the source that the lexer looks at.
type window struct {
	r    io.Reader
	buf  []byte
	pos  int
	base int64 // offset of buf[0] in the source
	eof  bool
	err  error // the reader's own
}

const (
	chunk  = 64 << 10
	behind = 2 // bytes before pos that stay: the prefix of a string
)

// fill makes at least n bytes available at pos, fewer at the end of the source.
func (w *window) fill(n int) {
	for len(w.buf)-w.pos < n && !w.eof {
		if gone := w.pos - behind; gone > 0 {
			w.base += int64(gone)
			w.buf = w.buf[:copy(w.buf, w.buf[gone:])]
			w.pos = behind
		}
		if cap(w.buf)-len(w.buf) < chunk {
			grown := make([]byte, len(w.buf), len(w.buf)+2*chunk)
			copy(grown, w.buf)
			w.buf = grown
		}
		m, err := w.r.Read(w.buf[len(w.buf) : len(w.buf)+chunk])
		w.buf = w.buf[:len(w.buf)+m]
		if err != nil {
			w.eof = true
			if err != io.EOF {
				w.err = err
			}
		}
	}
}

// peek returns the byte i places ahead, 0 at the end.
func (w *window) peek(i int) byte {
	if w.pos+i >= len(w.buf) {
		w.fill(i + 1)
		if w.pos+i >= len(w.buf) {
			return 0
		}
	}
	return w.buf[w.pos+i]
}

// done reports the end of the source.
func (w *window) done() bool {
	if w.pos < len(w.buf) {
		return false
	}
	w.fill(1)
	return w.pos >= len(w.buf)
}

// rest is what is at hand without reading on, at least one byte unless done.
func (w *window) rest() []byte {
	if w.pos >= len(w.buf) {
		w.fill(1)
	}
	return w.buf[w.pos:]
}

func (w *window) off() int64 { return w.base + int64(w.pos) }
