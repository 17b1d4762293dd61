package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// TestReaders has 32 readers jump about in an object whose upstream cuts every
// body, and compares all they get with the content.
func TestReaders(t *testing.T) {
	b := content(8<<20 + 333)
	src := newOrigin(t, b)
	src.always = src.cut(1<<20 + 7)
	opt := options(t)
	opt.Near, opt.SHA256, opt.GitSHA1 = 300_000, sha256Hex(b), gitSHA1(b)
	opt.Size = int64(len(b))
	o := start(t, src.source(), opt)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 40 {
				off, n := r.IntN(len(b)+100), 1+r.IntN(1<<r.IntN(18))
				readAt(t, o, b, off, n)
			}
		})
	}
	wg.Go(func() {
		if got, err := io.ReadAll(o.Stream(t.Context(), 0, -1)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("Stream gave %d bytes (%v)", len(got), err)
		}
	})
	wg.Go(func() {
		if got, err := io.ReadAll(o.Stream(t.Context(), 5<<20, 1e6)); err != nil || !bytes.Equal(got, b[5<<20:5<<20+1e6]) {
			t.Errorf("Stream of a part gave %d bytes (%v)", len(got), err)
		}
	})
	wg.Wait()
	whole(t, o, b)
}

// stuckFront is a Source of b whose stream ends in the middle of nowhere after
// 1000 bytes, and whose ranges are answered once release is closed.
func stuckFront(b []byte, release <-chan struct{}) *scripted {
	return &scripted{open: func(ctx context.Context, _ int, off, n int64) (*Response, error) {
		if n > 0 {
			select {
			case <-release:
				return part(b, off, off+n), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		r := part(b, off, -1)
		r.Body = newStuck(ctx, b[off:off+1000])
		return r, nil
	}}
}

func TestOneWaiterLeaves(t *testing.T) {
	b := content(16 << 20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		o := start(t, stuckFront(b, release), Options{Size: -1, Dir: dir})
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		var leaves, stays sync.WaitGroup
		for _, off := range []int64{5000, 9 << 20} { // one waits for the stream, one for a range
			leaves.Go(func() {
				if _, err := o.Reader(ctx).ReadAt(make([]byte, 10), off); !errors.Is(err, gone) {
					t.Errorf("ReadAt of the one who leaves: %v, want its context's cause", err)
				}
			})
		}
		leaves.Go(func() {
			if _, err := o.Wait(ctx); !errors.Is(err, gone) {
				t.Errorf("Wait of the one who leaves: %v, want its context's cause", err)
			}
		})
		stays.Go(func() { readAt(t, o.Reader(t.Context()), b, 9<<20, 10) })
		synctest.Wait()
		cancel(gone)
		leaves.Wait()
		close(release)
		stays.Wait()
		if _, err := o.Reader(ctx).ReadAt(make([]byte, 10), 0); !errors.Is(err, gone) {
			t.Errorf("ReadAt with an ended context: %v, want its cause", err)
		}
		readAt(t, o, b, 0, 1000)
	})
}

func TestCloseDuringReads(t *testing.T) {
	b := content(16 << 20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := start(t, stuckFront(b, nil), Options{Size: -1, Dir: dir})
		readAt(t, o, b, 0, 1000)
		if n, err := o.Stream(t.Context(), 500, -1).Read(make([]byte, 4096)); n != 500 || err != nil {
			t.Errorf("Read of a Stream: %d, %v, want the 500 bytes that are there", n, err)
		}
		var wg sync.WaitGroup
		for _, off := range []int64{500, 1000, 100_000, 9 << 20, 12 << 20} {
			wg.Go(func() {
				if _, err := o.ReadAt(make([]byte, 1000), off); !errors.Is(err, ErrClosed) {
					t.Errorf("ReadAt(1000 bytes, %d): %v, want ErrClosed", off, err)
				}
			})
		}
		wg.Go(func() {
			if _, err := o.Wait(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("Wait: %v, want ErrClosed", err)
			}
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() {
				if err := o.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// TestAnyInterleaving plays random reads against bodies that arrive in random
// pieces and break at random places; whatever is read must be the content.
func TestAnyInterleaving(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		b := content(1 + r.IntN(700_000))
		var mu sync.Mutex // guards r
		random := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return r.IntN(n)
		}
		src := &scripted{open: func(_ context.Context, call int, off, n int64) (*Response, error) {
			if call > 0 && random(5) == 0 {
				return nil, &StatusError{Code: 503}
			}
			end := int64(-1)
			if n > 0 {
				end = off + n
			}
			if call > 0 && random(6) == 0 {
				off, end = 0, -1 // ranges ignored
			}
			resp := part(b, off, end)
			if random(8) == 0 {
				resp.Size = -1
			}
			resp.Body = &choppy{ReadCloser: resp.Body, random: random}
			return resp, nil
		}}
		opt := options(t)
		opt.Near, opt.Retries, opt.RetryDelay = int64(1+random(100_000)), 1000, 1
		o, err := Start(t.Context(), src, opt)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 10 {
					readAt(t, o, b, random(len(b)+10), random(50_000))
				}
			})
		}
		wg.Wait()
		whole(t, o, b)
		closeEmpty(t, o)
		if t.Failed() {
			t.Fatalf("seed %d, %d bytes, asked %v", seed, len(b), src.asked())
		}
	}
}

// choppy yields small pieces and sometimes breaks.
type choppy struct {
	io.ReadCloser
	random func(int) int
}

func (c *choppy) Read(p []byte) (int, error) {
	switch c.random(40) {
	case 0:
		return 0, io.ErrUnexpectedEOF
	case 1:
		return 0, nil
	}
	return c.ReadCloser.Read(p[:1+c.random(len(p))])
}
