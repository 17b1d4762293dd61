package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// inPlace reads o, patient for a test.
func inPlace(t *testing.T, o *origin, opt Options) *Ranged {
	t.Helper()
	opt.Size = int64(len(o.content))
	opt.RetryDelay = time.Millisecond
	r, err := NewRanged(t.Context(), o.source(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRangedReadsWhatThereIs(t *testing.T) {
	for _, size := range []int{0, 1, block - 1, block, block + 1, atOnce, atOnce + 1, 3<<20 + 5} {
		o := newOrigin(t, content(size))
		r := inPlace(t, o, Options{})
		random := rand.New(rand.NewPCG(1, uint64(size)))
		for range 60 {
			off, n := random.IntN(size+2), random.IntN(min(size+2, 300_000))
			got := make([]byte, n)
			m, err := r.ReadAt(got, int64(off))
			want := o.content[min(off, size):min(off+n, size)]
			if !bytes.Equal(got[:m], want) || (err == nil) != (off+n <= size || n == 0) || err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("size %d: %d bytes at %d: %d, %v", size, n, off, m, err)
			}
		}
		all, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil || !bytes.Equal(all, o.content) {
			t.Errorf("size %d: the atOnce of it: %v", size, err)
		}
	}
	o := newOrigin(t, nil)
	if _, err := inPlace(t, o, Options{}).ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is read")
	}
	if _, err := NewRanged(t.Context(), o.source(), Options{Size: -1}); err == nil {
		t.Error("an unknown size is taken")
	}
}

// sparse is content of zeros that takes no memory, and counts.
type sparse struct{ size, read int64 }

func (s *sparse) Open(_ context.Context, off, n int64) (*Response, error) {
	s.read += n
	return &Response{Body: io.NopCloser(io.LimitReader(zeros{}, n)), Off: off, Size: s.size, Status: http.StatusPartialContent}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestRangedReadsLittle(t *testing.T) {
	for _, c := range []struct {
		name     string
		read     func(*Ranged) error
		bytes    int64
		requests int64
	}{
		{"head and tail", func(r *Ranged) error {
			_, err := r.ReadAt(make([]byte, 4<<10), 0)
			_, err2 := r.ReadAt(make([]byte, 68<<10), r.Size()-68<<10)
			return errors.Join(err, err2)
		}, 4<<10 + 68<<10 + 3*block, 2},
		{"the same again", func(r *Ranged) error {
			var err error
			for range 1000 {
				_, e := r.ReadAt(make([]byte, 100), 1<<30)
				err = errors.Join(err, e)
			}
			return err
		}, block, 1},
		{"jumps", func(r *Ranged) error {
			var err error
			for i := range int64(100) {
				_, e := r.ReadAt(make([]byte, 30), i<<28+block/2)
				err = errors.Join(err, e)
			}
			return err
		}, 100 * block, 100},
		{"a row", func(r *Ranged) error {
			_, err := io.Copy(io.Discard, io.NewSectionReader(r, 0, 64<<20))
			return err
		}, 64<<20 + maxAhead, 40},
		{"one big read", func(r *Ranged) error {
			_, err := r.ReadAt(make([]byte, 20<<20), 5)
			return err
		}, 20<<20 + maxAhead, 20},
	} {
		s := &sparse{size: 100 << 30}
		r, err := NewRanged(t.Context(), s, Options{Size: s.size})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.read(r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		stats := r.Stats()
		if stats.Received != s.read || s.read > c.bytes || stats.Requests > c.requests {
			t.Errorf("%s: %d bytes by %d requests, want at most %d by %d", c.name, s.read, stats.Requests, c.bytes, c.requests)
		}
		if r.blocks.Len() > maxBlocks {
			t.Errorf("%s: %d blocks are kept", c.name, r.blocks.Len())
		}
	}
}

func TestRangedTroubles(t *testing.T) {
	data := content(1 << 20)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	all := func(w http.ResponseWriter, r *http.Request) { // no ranges
		r.Header.Del("Range")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
	for _, c := range []struct {
		name string
		run  func(o *origin)
		off  int64
		want error // nil: the read succeeds
	}{
		{name: "a busy server", run: func(o *origin) { o.faults = []http.HandlerFunc{status(503), status(429)} }},
		{name: "a cut body", run: func(o *origin) { o.faults = []http.HandlerFunc{o.cut(1000), o.cut(1)} }},
		{name: "an expired signature", run: func(o *origin) { o.faults = []http.HandlerFunc{status(403)} }},
		{name: "no ranges, at the front", run: func(o *origin) { o.always = all }, off: atOnce - 100},
		{name: "no ranges, far behind", run: func(o *origin) { o.always = all }, off: 1 << 19, want: errNoRanges},
		{name: "refused", run: func(o *origin) { o.always = status(403) }, want: &StatusError{}},
		{name: "other size", run: func(o *origin) { o.content = data[:len(data)-1] }, want: ErrMismatch},
	} {
		o := newOrigin(t, data)
		r := inPlace(t, o, Options{})
		c.run(o)
		got := make([]byte, 5000)
		n, err := r.ReadAt(got, c.off)
		var refused *StatusError
		switch {
		case c.want == nil:
			if err != nil || !bytes.Equal(got[:n], data[c.off:c.off+5000]) {
				t.Errorf("%s: %d bytes, %v", c.name, n, err)
			}
		case errors.As(c.want, &refused):
			if !errors.As(err, &refused) {
				t.Errorf("%s: %v, want a status", c.name, err)
			}
		case !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestRangedNoticesAChange(t *testing.T) {
	o := newOrigin(t, content(1<<20))
	r := inPlace(t, o, Options{})
	if _, err := r.ReadAt(make([]byte, 10), 0); err != nil {
		t.Fatal(err)
	}
	o.etag = `"v2"`
	if _, err := r.ReadAt(make([]byte, 10), 1<<19); !errors.Is(err, ErrChanged) {
		t.Errorf("error = %v, want ErrChanged", err)
	}
}

func TestRangedEndsWithItsContext(t *testing.T) {
	o := newOrigin(t, content(1<<20))
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("the user left")
	o.always = func(_ http.ResponseWriter, r *http.Request) {
		cancel(left)
		<-r.Context().Done()
	}
	r, err := NewRanged(ctx, o.source(), Options{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(make([]byte, 10), 0); !errors.Is(err, left) {
		t.Errorf("error = %v, want the cause of the context's end", err)
	}
}

func TestGet(t *testing.T) {
	o := newOrigin(t, content(10_000), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	body, resp, err := Get(t.Context(), o.source(), Options{Size: -1, RetryDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, o.content) || resp.ETag != `"v1"` {
		t.Errorf("%d bytes, tag %s, %v", len(got), resp.ETag, err)
	}
}
