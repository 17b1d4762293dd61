package fetch

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// wide are options for four requests at a time from the first MiB on.
func wide(t testing.TB) Options {
	opt := options(t)
	opt.Parallel, opt.Eager = 4, 1<<20
	return opt
}

// waitFor answers when n requests with a range have come.
type waitFor struct {
	mu   sync.Mutex
	left int
	all  chan struct{}
}

func newWaitFor(n int) *waitFor { return &waitFor{left: n, all: make(chan struct{})} }

func (w *waitFor) arrive(ctx context.Context) {
	w.mu.Lock()
	if w.left--; w.left == 0 {
		close(w.all)
	}
	w.mu.Unlock()
	select {
	case <-w.all:
	case <-ctx.Done():
	}
}

func TestSegmentsComeSideBySide(t *testing.T) {
	b := content(12 << 20)
	src := newOrigin(t, b)
	four := newWaitFor(4)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			four.arrive(r.Context()) // none is answered before the fourth is there
		}
		src.serve(w, r)
	}
	o := start(t, src.source(), wide(t))
	whole(t, o, b)
	if got := o.Stats().Received; got > int64(len(b))+gatherSize {
		t.Errorf("%d bytes were fetched for %d", got, len(b))
	}
}

// Widen starts them before the stream has come far, and does no harm later.
func TestWiden(t *testing.T) {
	b := content(12 << 20)
	src := newOrigin(t, b)
	four := newWaitFor(4)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			four.arrive(r.Context())
		}
		src.serve(w, r)
	}
	opt := wide(t)
	opt.Eager = 1 << 40
	o := start(t, src.source(), opt)
	o.Widen()
	o.Widen()
	whole(t, o, b)
	o.Widen()
}

func TestSegmentsAreNotForAll(t *testing.T) {
	for name, c := range map[string]struct {
		size   int
		answer func(b []byte) http.HandlerFunc
		change func(*Options)
	}{
		"small":          {2 << 20, nil, nil},
		"one at a time":  {8 << 20, nil, func(o *Options) { o.Parallel = 1 }},
		"not yet":        {8 << 20, nil, func(o *Options) { o.Eager = 8 << 20 }},
		"unknown length": {8 << 20, func(b []byte) http.HandlerFunc { return chunked(b, false) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := content(c.size)
			src := newOrigin(t, b)
			if c.answer != nil {
				src.always = c.answer(b)
			}
			opt := wide(t)
			if c.change != nil {
				c.change(&opt)
			}
			o := start(t, src.source(), opt)
			whole(t, o, b)
			if n := len(src.requests()); n != 1 {
				t.Errorf("%d requests, want one: %v", n, src.requests())
			}
		})
	}
}

// An upstream that ignores ranges still delivers, one stream at a time.
func TestSegmentsWithoutRanges(t *testing.T) {
	b := content(6 << 20)
	src := newOrigin(t, b)
	src.always = noRange(b, `"v1"`)
	whole(t, start(t, src.source(), wide(t)), b)
}

// Requests that fail are made again, whichever they are.
func TestSegmentsThatFail(t *testing.T) {
	b := content(12 << 20)
	for name, fault := range map[string]func(*origin) http.HandlerFunc{
		"cut":      func(o *origin) http.HandlerFunc { return o.cut(300_000) },
		"error":    func(*origin) http.HandlerFunc { return status(http.StatusServiceUnavailable) },
		"too many": func(*origin) http.HandlerFunc { return status(http.StatusTooManyRequests) },
		"no range": func(*origin) http.HandlerFunc { return noRange(b, `"v1"`) },
	} {
		t.Run(name, func(t *testing.T) {
			src := newOrigin(t, b)
			for range 3 {
				src.faults = append(src.faults, nil, fault(src))
			}
			whole(t, start(t, src.source(), wide(t)), b)
		})
	}
}

// A segment that is refused for good leaves the rest to the stream.
func TestSegmentRefused(t *testing.T) {
	b := content(6 << 20)
	src := newOrigin(t, b)
	opt := wide(t)
	opt.Slots = semaphore.NewWeighted(0) // the stream brings all of them
	src.faults = []http.HandlerFunc{nil, status(http.StatusRequestedRangeNotSatisfiable)}
	whole(t, start(t, src.source(), opt), b)
}

// A segment of another version of the content is the end, if no hash decides.
func TestSegmentsOfAnotherVersion(t *testing.T) {
	b := content(8 << 20)
	src := newOrigin(t, b)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "" {
			src.serve(w, r)
			return
		}
		r.Header.Del("If-Range") // a server that does not know it
		w.Header().Set("ETag", `"v2"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(b)))
	}
	failed(t, start(t, src.source(), wide(t)), ErrChanged)
}

// Without a free slot there is one request at a time, and the slots come back.
func TestSegmentsTakeSlots(t *testing.T) {
	b := content(12 << 20)
	slots := semaphore.NewWeighted(2)
	for _, taken := range []int64{2, 0} {
		if !slots.TryAcquire(taken) {
			t.Fatal("slots are missing")
		}
		src := newOrigin(t, b)
		var mu sync.Mutex
		running, most := 0, 0
		src.always = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			src.serve(w, r)
			mu.Lock()
			running--
			mu.Unlock()
		}
		opt := wide(t)
		opt.Slots = slots
		o := start(t, src.source(), opt)
		whole(t, o, b)
		if limit := 1 + 1 + int(2-taken); most > limit { // the stream's own may still be ending
			t.Errorf("%d requests at a time with %d slots free", most, 2-taken)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		slots.Release(taken)
	}
	if !slots.TryAcquire(2) {
		t.Error("slots were kept")
	}
}

// Closing ends the segments; the test's own checks see what is left.
func TestSegmentsEndWithClose(t *testing.T) {
	b := content(12 << 20)
	src := newOrigin(t, b)
	four := newWaitFor(4)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			four.arrive(r.Context())
			<-r.Context().Done()
			return
		}
		src.serve(w, r)
	}
	o := start(t, src.source(), wide(t))
	<-four.all
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// Each byte is asked for once: a range is over with its last byte.
func TestSegmentsAreAskedForOnce(t *testing.T) {
	b := content(12 << 20)
	src := newOrigin(t, b)
	whole(t, start(t, src.source(), wide(t)), b)
	seen := map[string]int{}
	for _, r := range src.requests() {
		if seen[r.Range]++; seen[r.Range] > 1 {
			t.Errorf("%s was asked for again", r.Range)
		}
	}
}
