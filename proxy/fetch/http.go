package fetch

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// NewRequest builds the GET for one attempt, bound to ctx. It is called for
// every attempt, concurrently, and may remember where a redirect led, unless
// fresh is set: then the upstream has just answered 403 to such a place, which
// is how an expired signature looks, and it has to be resolved anew.
//
// An error that no retry can cure is marked with Final or is a *StatusError;
// any other is taken for the network's.
type NewRequest func(ctx context.Context, fresh bool) (*http.Request, error)

// HTTP returns a Source over one HTTP resource. It sets Range, If-Range and
// Accept-Encoding on the requests and leaves every other header as newRequest
// made it; tokens are newRequest's business.
//
// It follows no redirect: rt is asked directly, and a 3xx is a *StatusError. A
// 403 is asked once more with a fresh request. A 200 to a range means that the
// upstream ignores ranges, and Response.Off is 0.
func HTTP(rt http.RoundTripper, newRequest NewRequest) Source {
	return &httpSource{rt: rt, newRequest: newRequest}
}

type httpSource struct {
	rt         http.RoundTripper
	newRequest NewRequest

	mu   sync.Mutex
	etag string // the last strong one seen; "" before that
}

// Open implements Source.
func (s *httpSource) Open(ctx context.Context, off, n int64) (*Response, error) {
	if n == 0 || off < 0 {
		return nil, fmt.Errorf("fetch: range of %d bytes at %d", n, off)
	}
	want := ""
	if ranged(off, n) {
		want = rangeOf(off, n)
	}
	return s.open(ctx, want, func(resp *http.Response) (*Response, error) { return answer(resp, off, n) })
}

// openParts implements partsSource.
func (s *httpSource) openParts(ctx context.Context, runs []span) (r *Response, boundary string, err error) {
	list := make([]string, len(runs))
	for i, run := range runs {
		list[i] = rangeOf(run.off, run.end-run.off)
	}
	r, err = s.open(ctx, strings.Join(list, ","), func(resp *http.Response) (*Response, error) {
		// Some refuse what they do not serve, and some answer with the whole.
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests {
			return answer(resp, 0, 1)
		}
		var params map[string]string
		var kind string
		if kind, params, _ = mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "multipart/byteranges" {
			return nil, errNoParts
		}
		boundary = params["boundary"]
		if resp.StatusCode != http.StatusPartialContent || boundary == "" || coded(resp) {
			return nil, errNoParts
		}
		return &Response{Body: resp.Body, Size: -1, ETag: resp.Header.Get("ETag"), Header: resp.Header, Status: resp.StatusCode}, nil
	})
	return r, boundary, err
}

// open makes one attempt for what a Range of want names, everything if that is
// "".
func (s *httpSource) open(ctx context.Context, want string, answer func(*http.Response) (*Response, error)) (*Response, error) {
	resp, err := s.ask(ctx, want, false)
	if err == nil && resp.StatusCode == http.StatusForbidden {
		_ = resp.Body.Close() // an error page nobody reads
		resp, err = s.ask(ctx, want, true)
	}
	if err != nil {
		return nil, err
	}
	r, err := answer(resp)
	if err != nil {
		_ = resp.Body.Close() // the answer is already refused
		return nil, err
	}
	if r.ETag != "" && !strings.HasPrefix(r.ETag, "W/") {
		s.mu.Lock()
		s.etag = r.ETag
		s.mu.Unlock()
	}
	return r, nil
}

// ask sends one request.
func (s *httpSource) ask(ctx context.Context, want string, fresh bool) (*http.Response, error) {
	req, err := s.newRequest(ctx, fresh)
	if err != nil {
		return nil, fmt.Errorf("request to the upstream: %w", err)
	}
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	// Set, so that the transport does not ask for gzip and decode it unasked:
	// lengths and offsets would be those of another sequence of bytes.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Del("Range")
	req.Header.Del("If-Range")
	if want != "" {
		req.Header.Set("Range", "bytes="+want)
		s.mu.Lock()
		if s.etag != "" {
			req.Header.Set("If-Range", s.etag)
		}
		s.mu.Unlock()
	}
	resp, err := s.rt.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return resp, nil
}

// ranged reports whether a request needs a Range header. "bytes=0-" would ask
// for the same as no header, and an empty object answers it with 416.
func ranged(off, n int64) bool { return off > 0 || n > 0 }

// rangeOf spells n bytes at off, all from there if n is negative, for a Range.
func rangeOf(off, n int64) string {
	last := ""
	if n > 0 {
		last = strconv.FormatInt(off+n-1, 10)
	}
	return strconv.FormatInt(off, 10) + "-" + last
}

// coded reports whether the body of resp is not the bytes themselves.
func coded(resp *http.Response) bool {
	c := strings.Join(resp.Header.Values("Content-Encoding"), ",")
	return resp.Uncompressed || c != "" && !strings.EqualFold(c, "identity")
}

// answer checks an HTTP response to a request for n bytes at off. It leaves
// closing the body to the caller.
func answer(resp *http.Response, off, n int64) (*Response, error) {
	r := &Response{
		Body:   resp.Body,
		Size:   -1,
		ETag:   resp.Header.Get("ETag"),
		Header: resp.Header,
		Status: resp.StatusCode,
	}
	switch resp.StatusCode {
	case http.StatusOK:
		r.Size = resp.ContentLength
	case http.StatusPartialContent:
		if !ranged(off, n) {
			return nil, fmt.Errorf("%w: 206 to a request without a range", ErrProtocol)
		}
		got, total, err := contentRange(resp.Header)
		if err != nil {
			return nil, err
		}
		if got.off != off || n > 0 && got.end > off+n {
			return nil, fmt.Errorf("%w: asked for %d bytes at %d, answered bytes %d-%d",
				ErrProtocol, n, off, got.off, got.end-1)
		}
		if l := resp.ContentLength; l >= 0 && l != got.end-got.off {
			return nil, fmt.Errorf("%w: Content-Length %d in an answer of bytes %d-%d",
				ErrProtocol, l, got.off, got.end-1)
		}
		r.Off, r.Size = off, total
	default:
		e := &StatusError{Code: resp.StatusCode, Header: resp.Header}
		// What arrives of the page is enough; the status is the answer.
		e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return nil, e
	}
	if coded(resp) {
		return nil, fmt.Errorf("%w: Content-Encoding %.40q although identity was asked", ErrMismatch, resp.Header.Get("Content-Encoding"))
	}
	return r, nil
}

// contentRange reads the Content-Range of a 206: "bytes 0-499/1234", with "*"
// for an unknown total.
func contentRange(h http.Header) (got span, total int64, err error) {
	v := h.Get("Content-Range")
	bad := fmt.Errorf("%w: 206 with Content-Range %.80q", ErrProtocol, v)
	rest, ok := strings.CutPrefix(v, "bytes ")
	if !ok {
		return got, 0, bad
	}
	bytes, size, ok := strings.Cut(rest, "/")
	first, last, ok2 := strings.Cut(bytes, "-")
	if !ok || !ok2 {
		return got, 0, bad
	}
	var nums [2]int64
	for i, s := range []string{first, last} {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || !isDigits(s) || n == 1<<63-1 {
			return got, 0, bad
		}
		nums[i] = n
	}
	got = span{nums[0], nums[1] + 1}
	total = -1
	if size != "*" {
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || !isDigits(size) || n < got.end {
			return got, 0, bad
		}
		total = n
	}
	if got.end <= got.off {
		return got, 0, bad
	}
	return got, total, nil
}
