package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResume(t *testing.T) {
	b := content(2 << 20)
	const mid = 1<<20 + 5
	other := content(2<<20 + 1)[1:]
	same := bytes.Clone(b)
	same[len(b)-1] ^= 1 // differs only behind the cut
	type faults = func(o *origin) []http.HandlerFunc
	for _, tc := range []struct {
		name     string
		faults   faults
		always   func(o *origin) http.HandlerFunc
		opt      func(*Options)
		class    error // nil: the content arrives
		code     int
		requests int // 0: any
	}{
		{name: "cut once", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid)}
		}, requests: 2},
		{name: "cut twice", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), o.cut(100)}
		}, requests: 3},
		{name: "cut before the first byte of the body", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(0)}
		}, requests: 2},
		{name: "cut always, with progress", always: func(o *origin) http.HandlerFunc {
			return o.cut(300_000)
		}, opt: func(o *Options) { o.Retries = 1 }, requests: 7},
		{name: "cut always, with hardly any progress", always: func(o *origin) http.HandlerFunc {
			return o.cut(1000)
		}, class: ErrTruncated, requests: 6},
		{name: "cut, then unavailable once", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), status(503)}
		}, requests: 3},
		{name: "cut, then unavailable", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid)}
		}, always: func(*origin) http.HandlerFunc { return status(502) }, class: ErrTruncated, code: 502, requests: 6},
		{name: "cut, then gone", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), status(404)}
		}, class: ErrTruncated, code: 404, requests: 2},
		{name: "expired signature", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), status(403)}
		}, requests: 3},
		{name: "range ignored", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(b, `"v1"`)}
		}, requests: 2},
		{name: "range ignored and cut in the skipped part", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), func(w http.ResponseWriter, r *http.Request) {
				noRange(b, `"v1"`)(&cutWriter{w, 1000}, r)
			}}
		}, requests: 3},
		{name: "range ignored, another content", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(other, "")}
		}, class: ErrChanged, requests: 2},
		{name: "another ETag", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(b, `"v2"`)}
		}, class: ErrChanged, requests: 2},
		{name: "another ETag, the hash decides: same", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(b, `"v2"`)}
		}, opt: func(o *Options) { o.SHA256 = sha256Hex(b) }, requests: 2},
		{name: "another ETag, the hash decides: changed behind the cut", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(same, `"v2"`)}
		}, opt: func(o *Options) { o.SHA256 = sha256Hex(b) }, class: ErrMismatch, requests: 2},
		{name: "weak and strong form of one ETag", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(b, `W/"v1"`)}
		}, requests: 2},
		{name: "another size", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), noRange(b[:len(b)-1], "")}
		}, class: ErrChanged, requests: 2},
		{name: "another size by 416", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), status(416, "Content-Range", "bytes */1000")}
		}, class: ErrChanged, requests: 2},
		{name: "range that starts elsewhere", faults: func(o *origin) []http.HandlerFunc {
			return []http.HandlerFunc{o.cut(mid), status(206, "Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(b)-1, len(b)))}
		}, class: ErrProtocol, requests: 2},
		{name: "unknown length, cut", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b[:mid], true)}
		}, requests: 2},
		{name: "unknown length, cut, ranges ignored", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b[:mid], true), chunked(b, false)}
		}, requests: 2},
		{name: "unknown length, cut behind the last byte", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b, true), status(416, "Content-Range", "bytes */"+strconv.Itoa(len(b)))}
		}, requests: 2},
		{name: "unknown length, cut, shorter than before", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b[:mid], true), chunked(b[:1000], false)}
		}, class: ErrChanged, requests: 2},
		{name: "promised length, cut behind the last byte", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b, true)}
		}, opt: func(o *Options) { o.Size = int64(len(b)) }, requests: 1},
		{name: "ends early but whole, then goes on", faults: func(*origin) []http.HandlerFunc {
			return []http.HandlerFunc{chunked(b[:mid], false)}
		}, opt: func(o *Options) { o.Size = int64(len(b)) }, requests: 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := newOrigin(t, b)
			if tc.faults != nil {
				src.faults = tc.faults(src)
			}
			if tc.always != nil {
				src.always = tc.always(src)
			}
			opt := options(t)
			if tc.opt != nil {
				tc.opt(&opt)
			}
			o := start(t, src.source(), opt)
			if tc.class == nil {
				whole(t, o, b)
			} else {
				failed(t, o, tc.class)
				if tc.code != 0 {
					_, err := o.Wait(t.Context())
					if !hasStatus(err, tc.code) {
						t.Errorf("Wait: %v, want status %d in it", err, tc.code)
					}
				}
			}
			if n := len(src.requests()); tc.requests != 0 && n != tc.requests {
				t.Errorf("%d requests, want %d: %v", n, tc.requests, src.requests())
			}
		})
	}
}

func TestResumeAsksForTheRestOfTheSameContent(t *testing.T) {
	b := content(1 << 20)
	src := newOrigin(t, b)
	src.faults = []http.HandlerFunc{src.cut(500_000)}
	whole(t, start(t, src.source(), options(t)), b)
	got := src.requests()
	var from int
	if _, err := fmt.Sscanf(got[1].Range, "bytes=%d-", &from); err != nil || from > 500_000 {
		t.Errorf("resumed with Range %q, want bytes=N- with N up to 500000", got[1].Range)
	}
	want := []request{{}, {Range: fmt.Sprintf("bytes=%d-", from), IfRange: `"v1"`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestResumeOverHTTP2(t *testing.T) {
	b := content(2 << 20)
	src := &origin{content: b, etag: `"v1"`}
	src.faults = []http.HandlerFunc{src.cut(1 << 20), status(503), src.cut(1000)}
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("request over %s", r.Proto)
		}
		src.serve(w, r)
	}
	src.Server = httptest.NewUnstartedServer(src)
	src.EnableHTTP2 = true
	src.Config.ErrorLog = log.New(io.Discard, "", 0)
	src.StartTLS()
	defer src.Close()
	opt := options(t)
	opt.SHA256 = sha256Hex(b)
	whole(t, start(t, src.source(), opt), b)
	if n := len(src.requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
}

// The tests below run on synthetic time, over a Source without a network.

func TestStall(t *testing.T) {
	b := content(1 << 20)
	for _, tc := range []struct {
		name string
		open func(ctx context.Context, call int, off, n int64) (*Response, error)
		asks []span
	}{
		{"body", func(ctx context.Context, call int, off, n int64) (*Response, error) {
			r := part(b, off, -1)
			if call == 0 {
				r.Body = newStuck(ctx, b[:1000])
			}
			return r, nil
		}, []span{{0, -1}, {1000, -1}}},
		{"answer", func(ctx context.Context, call int, off, n int64) (*Response, error) {
			if call == 0 {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return part(b, off, -1), nil
		}, []span{{0, -1}, {0, -1}}},
		{"end", func(ctx context.Context, _ int, off, n int64) (*Response, error) {
			r := part(b, off, -1)
			r.Body = newStuck(ctx, b[off:]) // everything, and then no end
			return r, nil
		}, []span{{0, -1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := &scripted{open: tc.open}
				began := time.Now()
				o := start(t, src, Options{Size: -1, Dir: dir, StallTimeout: 7 * time.Second})
				whole(t, o, b)
				if took := time.Since(began); took < 7*time.Second || took > 8*time.Second {
					t.Errorf("took %v, want the stall of 7 s and a short pause", took)
				}
				if diff := cmp.Diff(tc.asks, src.asked(), cmp.AllowUnexported(span{})); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestStallForEver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{open: func(ctx context.Context, _ int, off, n int64) (*Response, error) {
			r := part(make([]byte, 100), off, -1)
			r.Body = newStuck(ctx, nil)
			return r, nil
		}}
		began := time.Now()
		o := start(t, src, Options{Size: -1, Dir: dir, Retries: 3})
		failed(t, o, ErrTruncated, ErrStalled)
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("took %v, want four times 30 s and pauses", took)
		}
		if n := len(src.asked()); n != 4 {
			t.Errorf("asked %d times, want 4", n)
		}
	})
}

func TestSlowIsNotStalled(t *testing.T) {
	b := content(50)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{open: func(_ context.Context, _ int, off, n int64) (*Response, error) {
			r, w := io.Pipe()
			go func() {
				for i := range b {
					time.Sleep(20 * time.Second) // synthetic
					_, _ = w.Write(b[i : i+1])
				}
				_ = w.Close()
			}()
			return &Response{Body: r, Size: -1}, nil
		}}
		o := start(t, src, Options{Size: -1, Dir: dir})
		whole(t, o, b)
		if n := len(src.asked()); n != 1 {
			t.Errorf("asked %d times, want 1", n)
		}
	})
}

func TestSlowDiskIsNoStall(t *testing.T) {
	b := content(300_000)
	opt := (&faulty{write: func([]byte, int64) { time.Sleep(time.Hour) }}).on(t) // synthetic
	synctest.Test(t, func(t *testing.T) {
		src := &scripted{open: func(ctx context.Context, _ int, off, n int64) (*Response, error) {
			return &Response{Body: &whileAlive{ctx, part(b, off, -1).Body}, Off: off, Size: int64(len(b))}, nil
		}}
		o := start(t, src, opt)
		whole(t, o, b)
		if n := len(src.asked()); n != 1 {
			t.Errorf("asked %d times, want 1", n)
		}
	})
}

// whileAlive fails as a network's body does once its context has ended.
type whileAlive struct {
	ctx context.Context
	io.ReadCloser
}

func (r *whileAlive) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, r.ctx.Err()
	}
	return r.ReadCloser.Read(p)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	b := content(1000)
	for _, tc := range []struct {
		name, key, value string
		least            time.Duration
	}{
		{"seconds", "Retry-After", "9", 9 * time.Second},
		{"date", "Retry-After", "Sat, 01 Jan 2000 00:00:08 GMT", 8 * time.Second},
		{"the Hub's rate limit", "RateLimit", `"api";r=0;t=7`, 7 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := &scripted{open: func(_ context.Context, call int, off, n int64) (*Response, error) {
					if call == 0 {
						h := http.Header{}
						h.Set(tc.key, tc.value)
						return nil, &StatusError{Code: 429, Header: h}
					}
					return part(b, off, -1), nil
				}}
				began := time.Now() // 2000-01-01 00:00:00 UTC in a bubble
				whole(t, start(t, src, Options{Size: -1, Dir: dir}), b)
				if took := time.Since(began); took < tc.least || took > tc.least+time.Second {
					t.Errorf("took %v, want %v", took, tc.least)
				}
			})
		})
	}
}
