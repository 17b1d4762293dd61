package fetch

import (
	"context"
	"fmt"
	"io"
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
	resp, err := s.ask(ctx, off, n, false)
	if err == nil && resp.StatusCode == http.StatusForbidden {
		_ = resp.Body.Close() // an error page nobody reads
		resp, err = s.ask(ctx, off, n, true)
	}
	if err != nil {
		return nil, err
	}
	r, err := answer(resp, off, n)
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
func (s *httpSource) ask(ctx context.Context, off, n int64, fresh bool) (*http.Response, error) {
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
	if ranged(off, n) {
		last := ""
		if n > 0 {
			last = strconv.FormatInt(off+n-1, 10)
		}
		req.Header.Set("Range", "bytes="+strconv.FormatInt(off, 10)+"-"+last)
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
	if c := strings.Join(resp.Header.Values("Content-Encoding"), ","); resp.Uncompressed ||
		c != "" && !strings.EqualFold(c, "identity") {
		return nil, fmt.Errorf("%w: Content-Encoding %.40q although identity was asked", ErrMismatch, c)
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
