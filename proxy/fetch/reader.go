package fetch

import (
	"context"
	"errors"
	"io"
)

// ReadAt implements io.ReaderAt and blocks until the bytes are there, however
// long that takes; see Reader to leave earlier.
func (o *Object) ReadAt(p []byte, off int64) (int, error) {
	return o.read(context.Background(), p, off, len(p))
}

// Reader returns the object as seen by one waiter: its reads end with ctx, and
// that disturbs nobody else.
func (o *Object) Reader(ctx context.Context) io.ReaderAt { return readerAt{o, ctx} }

type readerAt struct {
	o   *Object
	ctx context.Context //nolint:containedctx // io.ReaderAt has no parameter for it
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	return r.o.read(r.ctx, p, off, len(p))
}

// Stream returns a reader of the n bytes at off, of all to the end when n is
// negative. Unlike ReadAt, its Read returns as soon as there is something. Its
// io.EOF says that the content ends there, not that it has been verified: hold
// the last bytes back until Wait has answered.
func (o *Object) Stream(ctx context.Context, off, n int64) io.Reader {
	return &streamReader{o: o, ctx: ctx, off: off, left: n}
}

type streamReader struct {
	o         *Object
	ctx       context.Context //nolint:containedctx // io.Reader has no parameter for it
	off, left int64
}

func (r *streamReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if r.left > 0 {
		p = p[:min(int64(len(p)), r.left)]
	}
	n, err := r.o.read(r.ctx, p, r.off, min(1, len(p)))
	r.off += int64(n)
	if r.left > 0 {
		r.left -= int64(n)
	}
	return n, err
}

// read reads at least atLeast bytes at off into p, or returns an error.
func (o *Object) read(ctx context.Context, p []byte, off int64, atLeast int) (int, error) {
	if off < 0 {
		return 0, errors.New("fetch: negative offset")
	}
	n := 0
	w := waiter{o: o, end: off + int64(len(p))}
	for n < len(p) {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		m, err := o.take(p[n:], off+int64(n))
		n += m
		switch {
		case errors.Is(err, ErrSpool):
			o.fail(err) // a disk that lost bytes can not be trusted with the rest
			return n, err
		case err != nil:
			return n, err
		case m > 0:
		case n >= atLeast:
			return n, nil
		default:
			if err := w.wait(ctx, off+int64(n)); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// maxPaused is how far readers get by ranges before the stream goes on, in
// bytes.
const maxPaused = 2 << 20

// waiter is one read that waits for its bytes, which end at end.
type waiter struct {
	o   *Object
	end int64
	// rng is the last range it waited for. If that failed, the stream brings
	// the bytes or the reason why not.
	rng *rangeFetch
}

// wait blocks until something changed that may have brought the byte at off.
func (w *waiter) wait(ctx context.Context, off int64) error {
	o := w.o
	o.mu.Lock()
	held, _ := o.present.run(off)
	if held || o.err != nil || o.size >= 0 && off >= o.size {
		o.mu.Unlock()
		return nil // the caller finds out which
	}
	failed := w.rng != nil && w.rng.failed
	if failed && w.rng.announced {
		failed, w.rng = false, nil // once more, by itself
	}
	if failed || o.ranges.refused || o.present.front() >= maxPaused {
		o.unpause() // whoever has read so much reads all of it
	}
	if o.far(off) && !failed {
		w.rng = o.rangeAt(off, w.end)
	}
	changed := o.wait()
	o.mu.Unlock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
