package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// held answers the first request with the first n bytes, and the rest when
// release is closed.
func (o *origin) held(n int, release <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o.serve(&heldWriter{ResponseWriter: w, left: n, release: release, gone: r.Context().Done()}, r)
	}
}

type heldWriter struct {
	http.ResponseWriter
	left          int
	release, gone <-chan struct{}
}

func (w *heldWriter) Write(p []byte) (int, error) {
	n := 0
	if len(p) > w.left {
		n, _ = w.ResponseWriter.Write(p[:w.left])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		select {
		case <-w.release:
		case <-w.gone:
		}
		w.left = 1 << 62
	}
	m, err := w.ResponseWriter.Write(p[n:])
	w.left -= m
	return n + m, err
}

func TestFarReadsWhileTheFrontIsStuck(t *testing.T) {
	b := content(16 << 20)
	release := make(chan struct{})
	src := newOrigin(t, b)
	src.faults = []http.HandlerFunc{src.held(100_000, release)}
	o := start(t, src.source(), options(t))

	readAt(t, o, b, 0, 4096)                  // arrived
	readAt(t, o, b, len(b)-66_000, 66_000)    // the tail, in one request
	readAt(t, o, b, len(b)-22, 22)            // there already
	readAt(t, o, b, len(b)-10, 20)            // and over the end
	readAt(t, o, b, 8<<20+100, 30)            // a block of 64 KiB
	readAt(t, o, b, 8<<20+5000, 30)           // same block
	readAt(t, o, b, 8<<20+60_000, 10_000)     // goes on: twice as much
	readAt(t, o, b, 8<<20+64<<10+9000, 100e3) // there already
	want := []string{
		"",
		"bytes=16646144-16777215",
		"bytes=8388608-8454143",
		"bytes=8454144-8585215",
	}
	if diff := cmp.Diff(want, askedRanges(src)); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
	if f := o.Stats().Front; f > 100_000 {
		t.Errorf("front is %d, want it stuck at 100000", f)
	}
	close(release)
	whole(t, o, b)
}

func askedRanges(src *origin) (got []string) {
	for _, r := range src.requests() {
		got = append(got, r.Range)
	}
	return got
}

func TestNearReadsWaitForTheStream(t *testing.T) {
	b := content(8 << 20)
	release := make(chan struct{})
	src := newOrigin(t, b)
	src.faults = []http.HandlerFunc{src.held(100_000, release)}
	o := start(t, src.source(), options(t))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { readAt(t, o, b, 110_000+i*100_000, 50_000) })
	}
	close(release)
	wg.Wait()
	whole(t, o, b)
	if n := len(src.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestConcurrentFarReadsShareOneRequest(t *testing.T) {
	b := content(16 << 20)
	src := newOrigin(t, b)
	release, ranged := make(chan struct{}), make(chan struct{})
	src.faults = []http.HandlerFunc{src.held(1000, release), func(w http.ResponseWriter, r *http.Request) {
		<-ranged
		src.serve(w, r)
	}}
	o := start(t, src.source(), options(t))
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() { readAt(t, o, b, 10<<20+i, 1000) })
	}
	close(ranged)
	wg.Wait()
	if diff := cmp.Diff([]string{"", "bytes=10485760-10551295"}, askedRanges(src)); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
	close(release)
	whole(t, o, b)
}

func TestFarReadFaults(t *testing.T) {
	b := content(16 << 20)
	other := bytes.Clone(b)
	other[10<<20] ^= 1
	for _, tc := range []struct {
		name   string
		second func(o *origin) http.HandlerFunc // answers the range
		opt    func(*Options)
		read   bool  // the range's bytes come although the front is stuck
		class  error // of the object, in the end
	}{
		{name: "cut", second: func(o *origin) http.HandlerFunc { return o.cut(1000) }, read: true},
		{name: "unavailable once", second: func(*origin) http.HandlerFunc { return status(500) }, read: true},
		{name: "expired signature", second: func(*origin) http.HandlerFunc { return status(403) }, read: true},
		{name: "refused", second: func(*origin) http.HandlerFunc { return status(404) }},
		{name: "not satisfiable", second: func(*origin) http.HandlerFunc { return status(416) }},
		{name: "ignored", second: func(*origin) http.HandlerFunc { return noRange(b, `"v1"`) }},
		{name: "nonsense", second: func(*origin) http.HandlerFunc { return status(206, "Content-Range", "items 1-2/3") }},
		{name: "another size", second: func(*origin) http.HandlerFunc { return noRange(b[1:], `"v1"`) }, class: ErrChanged},
		{name: "another ETag", second: func(*origin) http.HandlerFunc { return noRange(b, `"v2"`) }, class: ErrChanged},
		{
			name: "another ETag but a hash", second: func(*origin) http.HandlerFunc { return noRange(b, `"v2"`) },
			opt: func(o *Options) { o.SHA256 = sha256Hex(b) },
		},
		{name: "another content", second: func(o *origin) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"v1"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(other))
			}
		}, read: true, class: ErrChanged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			release := make(chan struct{})
			src := newOrigin(t, b)
			src.faults = []http.HandlerFunc{src.held(1000, release), tc.second(src)}
			opt := options(t)
			if tc.opt != nil {
				tc.opt(&opt)
			}
			o := start(t, src.source(), opt)
			p := make([]byte, 100)
			if tc.read {
				if _, err := o.ReadAt(p, 10<<20); err != nil {
					t.Errorf("ReadAt while the front is stuck: %v", err)
				}
				close(release)
			} else {
				read := make(chan error)
				go func() {
					_, err := o.ReadAt(p, 10<<20)
					read <- err
				}()
				if tc.class == nil {
					// The range is answered, and then only the stream is left.
					for len(src.requests()) < 2 {
						o.mu.Lock()
						changed := o.wait()
						o.mu.Unlock()
						if len(src.requests()) < 2 {
							<-changed
						}
					}
					close(release)
				} else {
					defer close(release)
				}
				if err := <-read; !errors.Is(err, tc.class) {
					t.Errorf("ReadAt: %v, want %v", err, tc.class)
				}
			}
			if tc.class != nil {
				failed(t, o, tc.class)
				return
			}
			if !bytes.Equal(p, b[10<<20:10<<20+100]) {
				t.Error("ReadAt got other bytes")
			}
			whole(t, o, b)
		})
	}
}

func TestRangesAreNotAskedOfWhoHasNone(t *testing.T) {
	b := content(8 << 20)
	release := make(chan struct{})
	src := newOrigin(t, b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Accept-Ranges", "none")
		w.Header().Set("Content-Length", "8388608")
		_, _ = w.Write(b[:1000])
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = w.Write(b[1000:])
	})
	o := start(t, src.source(), options(t))
	var wg sync.WaitGroup
	wg.Go(func() { readAt(t, o, b, 7<<20, 100) })
	close(release)
	wg.Wait()
	whole(t, o, b)
	if n := len(src.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestFarReadEndsWithItsContext: a waiter that leaves does not take along the
// request that it started.
func TestFarReadEndsWithItsContext(t *testing.T) {
	b := content(16 << 20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		src := stuckFront(b, release)
		o := start(t, src, Options{Size: -1, Dir: dir})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.Reader(ctx).ReadAt(make([]byte, 10), 9<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ReadAt: %v, want DeadlineExceeded", err)
		}
		close(release)
		readAt(t, o, b, 9<<20, 10)
		want := []span{{0, -1}, {9 << 20, 9<<20 + minRange}}
		if diff := cmp.Diff(want, src.asked(), cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}

func TestRequestsAtATime(t *testing.T) {
	b := content(64 << 20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		src := stuckFront(b, release)
		o := start(t, src, Options{Size: -1, Dir: dir})
		var wg sync.WaitGroup
		for i := range 3 * maxRanges {
			wg.Go(func() { readAt(t, o, b, 8<<20+i<<20, 100) })
		}
		synctest.Wait()
		if n := len(src.asked()); n != 1+maxRanges {
			t.Errorf("%d requests at a time, want the stream and %d", n, maxRanges)
		}
		close(release)
		wg.Wait()
		if n := len(src.asked()); n != 1+3*maxRanges {
			t.Errorf("%d requests, want the stream and %d", n, 3*maxRanges)
		}
	})
}

// TestRangesDoNotOverlap: what is on its way or there is not asked for again.
func TestRangesDoNotOverlap(t *testing.T) {
	b := content(16 << 20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		src := stuckFront(b, release)
		o := start(t, src, Options{Size: -1, Dir: dir})
		const at, block = 8 << 20, minRange
		var wg sync.WaitGroup
		for _, r := range []span{{at, 10}, {at - 2*block, 4 * block}, {at + 10, block}} {
			wg.Go(func() { readAt(t, o, b, int(r.off), int(r.end)) })
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		readAt(t, o, b, at-3*block, 6*block)
		want := []span{
			{0, -1}, {at, at + block}, // the first read
			{at - 2*block, at},           // the second, up to the first
			{at + block, at + 3*block},   // its rest, as going on from the first
			{at - 3*block, at - 2*block}, // the last, up to the second
		}
		if diff := cmp.Diff(want, src.asked(), cmp.AllowUnexported(span{})); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}

func TestRefusedRangeIsAskedOnceForARead(t *testing.T) {
	b := content(16 << 20)
	for _, tc := range []struct {
		name   string
		answer func() (*Response, error)
		asked  int // by two reads
	}{
		{"ignored, so none has a chance", func() (*Response, error) { return part(b, 0, -1), nil }, 1},
		{"refused, the next may be answered", func() (*Response, error) { return nil, &StatusError{Code: 404} }, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				src := &scripted{open: func(_ context.Context, _ int, off, n int64) (*Response, error) {
					if n > 0 {
						return tc.answer()
					}
					r, w := io.Pipe()
					go func() {
						_, _ = w.Write(b[:1000])
						_, _ = w.Write(b[1000:2000]) // wakes the waiters
						<-release
						_, _ = w.Write(b[2000:])
						_ = w.Close()
					}()
					return &Response{Body: r, Size: int64(len(b))}, nil
				}}
				o := start(t, src, Options{Size: -1, Dir: dir})
				var wg sync.WaitGroup
				for i := range 2 {
					wg.Go(func() { readAt(t, o, b, 9<<20+i<<20, 100) })
					synctest.Wait()
				}
				if n := len(src.asked()) - 1; n != tc.asked {
					t.Errorf("%d ranges asked, want %d", n, tc.asked)
				}
				close(release)
				wg.Wait()
				whole(t, o, b)
			})
		})
	}
}
