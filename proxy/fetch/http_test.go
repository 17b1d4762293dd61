package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHTTPRequests(t *testing.T) {
	b := content(1000)
	src := newOrigin(t, b)
	var got []http.Header
	src.always = func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Clone())
		src.serve(w, r)
	}
	s := HTTP(src.Client().Transport, func(ctx context.Context, fresh bool) (*http.Request, error) {
		r, err := src.newRequest(ctx, fresh)
		// What HTTP sets is its own; the rest stays.
		r.Header = http.Header{"Range": {"bytes=1-2"}, "If-Range": {"x"}, "Accept-Encoding": {"gzip"}, "X-Mine": {"kept"}, "User-Agent": {"modelwall"}}
		return r, err
	})
	for _, ask := range []struct {
		off, n int64
		want   *Response
	}{
		{0, -1, &Response{Off: 0, Size: 1000, Status: 200, ETag: `"v1"`}},
		{10, -1, &Response{Off: 10, Size: 1000, Status: 206, ETag: `"v1"`}},
		{0, 10, &Response{Off: 0, Size: 1000, Status: 206, ETag: `"v1"`}},
		{990, 20, &Response{Off: 990, Size: 1000, Status: 206, ETag: `"v1"`}},
	} {
		r, err := s.Open(t.Context(), ask.off, ask.n)
		if err != nil {
			t.Fatalf("Open(%d, %d): %v", ask.off, ask.n, err)
		}
		body, err := io.ReadAll(r.Body)
		end := int64(len(b))
		if ask.n > 0 {
			end = min(end, ask.off+ask.n)
		}
		if err != nil || string(body) != string(b[ask.off:end]) {
			t.Errorf("Open(%d, %d): %d bytes, %v", ask.off, ask.n, len(body), err)
		}
		_ = r.Body.Close()
		r.Body, r.Header = nil, nil
		if diff := cmp.Diff(ask.want, r); diff != "" {
			t.Errorf("Open(%d, %d) (-want +got):\n%s", ask.off, ask.n, diff)
		}
	}
	base := func(kv ...string) http.Header {
		h := http.Header{"Accept-Encoding": {"identity"}, "X-Mine": {"kept"}, "User-Agent": {"modelwall"}}
		for i := 0; i < len(kv); i += 2 {
			h.Set(kv[i], kv[i+1])
		}
		return h
	}
	want := []http.Header{
		base(),
		base("Range", "bytes=10-", "If-Range", `"v1"`),
		base("Range", "bytes=0-9", "If-Range", `"v1"`),
		base("Range", "bytes=990-1009", "If-Range", `"v1"`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestHTTPWeakETagIsNoIfRange(t *testing.T) {
	src := newOrigin(t, content(1000))
	src.etag = `W/"v1"`
	s := src.source()
	for _, off := range []int64{0, 5} {
		r, err := s.Open(t.Context(), off, -1)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
	}
	if diff := cmp.Diff([]request{{}, {Range: "bytes=5-"}}, src.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestHTTPResolvesAnewOnce(t *testing.T) {
	b := content(100)
	src := newOrigin(t, b)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "new" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		src.serve(w, r)
	}
	for _, tc := range []struct {
		name, resolved string
		code           int
	}{{"new signature works", "new", 0}, {"new signature is refused too", "alsobad", 403}} {
		t.Run(tc.name, func(t *testing.T) {
			var asked []bool
			s := HTTP(src.Client().Transport, func(ctx context.Context, fresh bool) (*http.Request, error) {
				asked = append(asked, fresh)
				sig := "expired"
				if fresh {
					sig = tc.resolved
				}
				return http.NewRequestWithContext(ctx, http.MethodGet, src.URL+"/file?sig="+sig, nil)
			})
			r, err := s.Open(t.Context(), 0, -1)
			if err == nil {
				_ = r.Body.Close()
			}
			if (err == nil) != (tc.code == 0) || tc.code != 0 && !hasStatus(err, tc.code) {
				t.Errorf("Open: %v, want status %d", err, tc.code)
			}
			if diff := cmp.Diff([]bool{false, true}, asked); diff != "" {
				t.Errorf("fresh (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTPRequestBuilderRefuses(t *testing.T) {
	own := errors.New("not this one")
	for _, tc := range []struct {
		name  string
		err   error
		asked int
	}{
		{"for good", Final(own), 1},
		{"for now", own, 3},
		{"with a status", &StatusError{Code: 404}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := 0
			opt := options(t)
			opt.Retries = 2
			_, err := Start(t.Context(), HTTP(http.DefaultTransport, func(context.Context, bool) (*http.Request, error) {
				asked++
				return nil, tc.err
			}), opt)
			if !errors.Is(err, errors.Unwrap(tc.err)) && !errors.Is(err, tc.err) || asked != tc.asked {
				t.Errorf("Start: %v after %d calls, want %v after %d", err, asked, tc.err, tc.asked)
			}
		})
	}
}

func TestErrorsHoldNoURL(t *testing.T) {
	src := newOrigin(t, nil)
	src.always = status(404)
	secret := func(ctx context.Context, _ bool) (*http.Request, error) {
		return http.NewRequestWithContext(ctx, http.MethodGet, src.URL+"/file?X-Amz-Signature=hunter2", nil)
	}
	opt := options(t)
	opt.Retries = -1
	_, refused := Start(t.Context(), HTTP(src.Client().Transport, secret), opt)
	src.Close()
	_, unreachable := Start(t.Context(), HTTP(src.Client().Transport, secret), opt)
	for _, err := range []error{refused, unreachable} {
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(fmt.Sprintf("%+v", err), "hunter2") {
			t.Errorf("error %v is nil or holds the signature", err)
		}
	}
}

func TestRetryable(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{&StatusError{Code: 500}, true},
		{&StatusError{Code: 503}, true},
		{&StatusError{Code: 408}, true},
		{&StatusError{Code: 429}, true},
		{&StatusError{Code: 400}, false},
		{&StatusError{Code: 416}, false},
		{&StatusError{Code: 302}, false},
		{Final(&StatusError{Code: 503}), false},
		{fmt.Errorf("%w: %w", ErrUnreachable, io.ErrUnexpectedEOF), true},
		{fmt.Errorf("%w: %w", ErrUnreachable, Final(errors.New("private address"))), false},
		{ErrStalled, true},
		{ErrChanged, false},
		{context.Canceled, false},
	} {
		if got := retryable(tc.err); got != tc.want {
			t.Errorf("retryable(%v) is %v", tc.err, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tc := range []struct {
		code       int
		key, value string
		want       time.Duration
		ok         bool
	}{
		{503, "Retry-After", "12", 12 * time.Second, true},
		{503, "Retry-After", "0", 0, true},
		{503, "Retry-After", "99999999999999999999", (1<<31 - 1) * time.Second, true},
		{503, "Retry-After", "Sat, 01 Jan 2000 00:00:00 GMT", 0, true},
		{503, "Retry-After", "soon", 0, false},
		{503, "Retry-After", "-1", 0, false},
		{503, "X", "", 0, false},
		{429, "RateLimit", `"api";r=0;t=243`, 243 * time.Second, true},
		{429, "RateLimit", `"api"; r=0; t=5, "other";r=1;t=9`, 5 * time.Second, true},
		{429, "RateLimit", `"api";r=0;t=x`, 0, false},
		{503, "RateLimit", `"api";r=0;t=243`, 0, false},
	} {
		e := &StatusError{Code: tc.code, Header: http.Header{}}
		e.Header.Set(tc.key, tc.value)
		if got, ok := e.RetryAfter(); got != tc.want || ok != tc.ok {
			t.Errorf("%d %s: %q: %v, %v, want %v, %v", tc.code, tc.key, tc.value, got, ok, tc.want, tc.ok)
		}
	}
}

func TestStatusErrorKeepsABoundedBody(t *testing.T) {
	for _, n := range []int{maxErrorBody - 1, maxErrorBody, maxErrorBody + 1} {
		src := newOrigin(t, nil)
		src.always = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(make([]byte, n))
		}
		_, err := src.source().Open(t.Context(), 0, -1)
		var status *StatusError
		if !errors.As(err, &status) || len(status.Body) != min(n, maxErrorBody) {
			t.Errorf("a page of %d bytes: %v", n, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, tc := range []struct {
		name         string
		off, n       int64
		code         int
		length       int64
		header       []string
		offset, size int64
		class        error
	}{
		{"whole", 0, -1, 200, 100, nil, 0, 100, nil},
		{"whole of unknown length", 0, -1, 200, -1, nil, 0, -1, nil},
		{"range ignored", 50, 10, 200, 100, nil, 0, 100, nil},
		{"range", 50, 10, 206, 10, []string{"Content-Range", "bytes 50-59/100"}, 50, 100, nil},
		{"range of unknown total", 50, 10, 206, 10, []string{"Content-Range", "bytes 50-59/*"}, 50, -1, nil},
		{"chunked range", 50, 10, 206, -1, []string{"Content-Range", "bytes 50-59/100"}, 50, 100, nil},
		{"range that is shorter", 50, 10, 206, 5, []string{"Content-Range", "bytes 50-54/100"}, 50, 100, nil},
		{"rest", 50, -1, 206, 50, []string{"Content-Range", "bytes 50-99/100"}, 50, 100, nil},
		{"identity", 0, -1, 200, 100, []string{"Content-Encoding", "Identity"}, 0, 100, nil},
		{"range that starts later", 50, -1, 206, 49, []string{"Content-Range", "bytes 51-99/100"}, 0, 0, ErrProtocol},
		{"range that starts sooner", 50, -1, 206, 51, []string{"Content-Range", "bytes 49-99/100"}, 0, 0, ErrProtocol},
		{"range that is longer", 50, 10, 206, 11, []string{"Content-Range", "bytes 50-60/100"}, 0, 0, ErrProtocol},
		{"range of another length", 50, 10, 206, 9, []string{"Content-Range", "bytes 50-59/100"}, 0, 0, ErrProtocol},
		{"range without saying which", 50, 10, 206, 10, nil, 0, 0, ErrProtocol},
		{"several ranges", 50, 10, 206, 300, []string{"Content-Type", "multipart/byteranges; boundary=x"}, 0, 0, ErrProtocol},
		{"range unasked", 0, -1, 206, 100, []string{"Content-Range", "bytes 0-99/100"}, 0, 0, ErrProtocol},
		{"coded", 0, -1, 200, 100, []string{"Content-Encoding", "br"}, 0, 0, ErrMismatch},
		{"coded twice", 50, 10, 206, 10, []string{"Content-Range", "bytes 50-59/100", "Content-Encoding", "identity", "Content-Encoding", "gzip"}, 0, 0, ErrMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			for i := 0; i < len(tc.header); i += 2 {
				h.Add(tc.header[i], tc.header[i+1])
			}
			r, err := answer(&http.Response{StatusCode: tc.code, ContentLength: tc.length, Header: h, Body: http.NoBody}, tc.off, tc.n)
			if !errors.Is(err, tc.class) || err == nil && (r.Off != tc.offset || r.Size != tc.size) {
				t.Errorf("%+v, %v; want offset %d, size %d, class %v", r, err, tc.offset, tc.size, tc.class)
			}
		})
	}
	if _, err := answer(&http.Response{StatusCode: http.StatusOK, Uncompressed: true, Body: http.NoBody}, 0, -1); !errors.Is(err, ErrMismatch) {
		t.Errorf("body that the transport decoded: %v, want ErrMismatch", err)
	}
}

func TestContentRange(t *testing.T) {
	for _, tc := range []struct {
		value string
		want  span
		total int64
		ok    bool
	}{
		{"bytes 0-0/1", span{0, 1}, 1, true},
		{"bytes 5-9/100", span{5, 10}, 100, true},
		{"bytes 5-9/*", span{5, 10}, -1, true},
		{"bytes 5-9/9", span{}, 0, false},
		{"bytes 9-5/100", span{}, 0, false},
		{"bytes -5/100", span{}, 0, false},
		{"bytes 5-/100", span{}, 0, false},
		{"bytes +5-9/100", span{}, 0, false},
		{"bytes 5-9", span{}, 0, false},
		{"bytes */100", span{}, 0, false},
		{"items 5-9/100", span{}, 0, false},
		{"bytes 0-9223372036854775807/*", span{}, 0, false},
		{"", span{}, 0, false},
	} {
		got, total, err := contentRange(http.Header{"Content-Range": {tc.value}})
		if (err == nil) != tc.ok || tc.ok && (got != tc.want || total != tc.total) {
			t.Errorf("%q: %v of %d, %v; want %v of %d", tc.value, got, total, err, tc.want, tc.total)
		}
		if err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v is not of class ErrProtocol", tc.value, err)
		}
	}
}

// FuzzContentRange: what is accepted is a run inside its total, and says the
// same when it is written out again; what is not is a protocol error.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes 5-9/9", "bytes 007-9/10", "bytes 0-9223372036854775807/*", "bytes 1-2-3/4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, total, err := contentRange(http.Header{"Content-Range": {v}})
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("%q: %v is not of class ErrProtocol", v, err)
			}
			return
		}
		if got.off < 0 || got.off >= got.end || total != -1 && total < got.end {
			t.Fatalf("%q: %v of %d", v, got, total)
		}
		again := fmt.Sprintf("bytes %d-%d/%d", got.off, got.end-1, total)
		if total == -1 {
			again = fmt.Sprintf("bytes %d-%d/*", got.off, got.end-1)
		}
		got2, total2, err := contentRange(http.Header{"Content-Range": {again}})
		if err != nil || got2 != got || total2 != total {
			t.Fatalf("%q reads as %q, which reads as %v of %d, %v", v, again, got2, total2, err)
		}
	})
}
