package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhole(t *testing.T) {
	big := content(3<<20 + 17)
	for _, tc := range []struct {
		name    string
		content []byte
		opt     func(*Options, []byte)
		always  func([]byte) http.HandlerFunc
	}{
		{name: "nothing promised", content: big},
		{name: "empty", content: []byte{}},
		{name: "empty and promised so", content: []byte{}, opt: func(o *Options, b []byte) { o.Size, o.GitSHA1 = 0, gitSHA1(b) }},
		{name: "one byte", content: []byte{1}},
		{name: "all promised", content: big, opt: func(o *Options, b []byte) {
			o.Size, o.SHA256, o.GitSHA1 = int64(len(b)), sha256Hex(b), gitSHA1(b)
		}},
		{
			name: "unknown length", content: big,
			always: func(b []byte) http.HandlerFunc { return chunked(b, false) },
		},
		{
			name: "unknown length and both hashes", content: big,
			opt:    func(o *Options, b []byte) { o.SHA256, o.GitSHA1 = sha256Hex(b), gitSHA1(b) },
			always: func(b []byte) http.HandlerFunc { return chunked(b, false) },
		},
		{
			name: "promised but not announced length", content: big,
			opt:    func(o *Options, b []byte) { o.Size, o.GitSHA1 = int64(len(b)), gitSHA1(b) },
			always: func(b []byte) http.HandlerFunc { return chunked(b, false) },
		},
		{
			name: "unknown length at the limit", content: big,
			opt:    func(o *Options, b []byte) { o.MaxSize = int64(len(b)) },
			always: func(b []byte) http.HandlerFunc { return chunked(b, false) },
		},
		{name: "known length is not limited", content: big, opt: func(o *Options, _ []byte) { o.MaxSize = 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := newOrigin(t, tc.content)
			if tc.always != nil {
				src.always = tc.always(tc.content)
			}
			opt := options(t)
			if tc.opt != nil {
				tc.opt(&opt, tc.content)
			}
			o := start(t, src.source(), opt)
			whole(t, o, tc.content)
			if n := len(src.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			readAt(t, o, tc.content, 0, len(tc.content))
			readAt(t, o, tc.content, max(0, len(tc.content)-5), 50)
			readAt(t, o, tc.content, len(tc.content)+1, 1)
			if got, err := io.ReadAll(o.Stream(t.Context(), 0, -1)); err != nil || !bytes.Equal(got, tc.content) {
				t.Errorf("Stream gave %d bytes (%v), want the content's %d", len(got), err, len(tc.content))
			}
		})
	}
}

func TestRefused(t *testing.T) {
	b := content(1 << 20)
	other := bytes.Clone(b)
	other[len(b)/2] ^= 1
	for _, tc := range []struct {
		name   string
		always http.HandlerFunc
		opt    func(*Options)
		class  error
	}{
		{"wrong sha256", noRange(other, ""), func(o *Options) { o.SHA256 = sha256Hex(b) }, ErrMismatch},
		{"wrong git id", noRange(other, ""), func(o *Options) { o.GitSHA1 = gitSHA1(b) }, ErrMismatch},
		{"wrong git id, unknown length", chunked(other, false), func(o *Options) { o.GitSHA1 = gitSHA1(b) }, ErrMismatch},
		{"one byte too long", chunked(append(bytes.Clone(b), 1), false), func(o *Options) { o.Size = int64(len(b)) }, ErrMismatch},
		{"one byte too short", chunked(b[:len(b)-1], false), func(o *Options) { o.Size = int64(len(b)) }, ErrMismatch},
		{"one byte over the limit", chunked(b, false), func(o *Options) { o.MaxSize = int64(len(b)) - 1 }, ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := newOrigin(t, b)
			src.always = tc.always
			opt := options(t)
			tc.opt(&opt)
			o := start(t, src.source(), opt)
			failed(t, o, tc.class)
			if _, err := o.Detach(); !errors.Is(err, tc.class) {
				t.Errorf("Detach: %v, want %v", err, tc.class)
			}
		})
	}
}

func TestStartRefused(t *testing.T) {
	b := content(1000)
	for _, tc := range []struct {
		name     string
		always   http.HandlerFunc
		opt      func(*Options)
		class    error
		code     int
		requests int
	}{
		{name: "not found", always: status(404), code: 404, requests: 1},
		{name: "forbidden is asked twice", always: status(403, "X-Error-Code", "GatedRepo"), code: 403, requests: 2},
		{name: "redirect is not followed", always: status(302, "Location", "/elsewhere"), code: 302, requests: 1},
		{name: "no content", always: status(204), code: 204, requests: 1},
		{name: "unavailable for ever", always: status(503), code: 503, requests: 6},
		{name: "no retries", always: status(503), opt: func(o *Options) { o.Retries = -1 }, code: 503, requests: 1},
		{name: "Retry-After beyond patience", always: status(429, "Retry-After", "3600"), code: 429, requests: 1},
		{name: "announced length is not the promised one", opt: func(o *Options) { o.Size = 999 }, class: ErrMismatch, requests: 1},
		{name: "gzip", always: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b)
		}, class: ErrMismatch, requests: 1},
		{name: "range that nobody asked for", always: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-999/1000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(b)
		}, class: ErrProtocol, requests: 1},
		{name: "folder is missing", opt: func(o *Options) { o.Dir = filepath.Join(o.Dir, "missing") }, class: ErrSpool, requests: 1},
		{name: "bad hash", opt: func(o *Options) { o.SHA256 = "ABC" }, requests: 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := newOrigin(t, b)
			src.always = tc.always
			opt := options(t)
			if tc.opt != nil {
				tc.opt(&opt)
			}
			_, err := Start(t.Context(), src.source(), opt)
			if err == nil {
				t.Fatal("Start succeeded")
			}
			if tc.class != nil && !errors.Is(err, tc.class) {
				t.Errorf("Start: %v, want class %v", err, tc.class)
			}
			var status *StatusError
			if got := errors.As(err, &status); got != (tc.code != 0) || got && status.Code != tc.code {
				t.Errorf("Start: %v, want status %d", err, tc.code)
			} else if got && http.StatusText(tc.code) != string(status.Body) && tc.code != 204 {
				t.Errorf("Body is %q", status.Body)
			}
			if n := len(src.requests()); n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
		})
	}
}

func TestStartUnreachable(t *testing.T) {
	src := newOrigin(t, nil)
	src.Close()
	if _, err := Start(t.Context(), src.source(), options(t)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Start: %v, want ErrUnreachable", err)
	}
}

func TestStartUntrusted(t *testing.T) {
	src := newOrigin(t, content(10))
	plain := http.DefaultTransport.(*http.Transport).Clone()
	defer plain.CloseIdleConnections()
	asked := 0
	_, err := Start(t.Context(), HTTP(plain, func(ctx context.Context, fresh bool) (*http.Request, error) {
		asked++
		return src.newRequest(ctx, fresh)
	}), options(t))
	if !errors.Is(err, ErrUnreachable) || asked != 1 {
		t.Errorf("Start with an unknown CA: %v after %d attempts, want ErrUnreachable after 1", err, asked)
	}
}

func TestStartCancelled(t *testing.T) {
	arrived := make(chan struct{})
	src := newOrigin(t, nil, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("client is gone")
	go func() {
		<-arrived
		cancel(gone)
	}()
	if _, err := Start(ctx, src.source(), options(t)); !errors.Is(err, gone) {
		t.Errorf("Start: %v, want the context's cause", err)
	}
}

func TestStartOutlivesItsCaller(t *testing.T) {
	b := content(1 << 20)
	release := make(chan struct{})
	src := newOrigin(t, b)
	src.always = func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(b[:1000])
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = w.Write(b[1000:])
	}
	ctx, cancel := context.WithCancel(t.Context())
	o, err := Start(ctx, src.source(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer closeEmpty(t, o)
	cancel()
	close(release)
	whole(t, o, b)
}

func TestDetach(t *testing.T) {
	b := content(100_000)
	release := make(chan struct{})
	src := newOrigin(t, b, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(b[:10])
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = w.Write(b[10:])
	})
	o := start(t, src.source(), options(t))
	if _, err := o.Detach(); !errors.Is(err, ErrUnverified) {
		t.Errorf("Detach before the end: %v, want ErrUnverified", err)
	}
	close(release)
	whole(t, o, b)
	path, err := o.Detach()
	if err != nil {
		t.Fatalf("Detach: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("spool's mode is %v (%v), want 0600", info.Mode(), err)
	}
	blob := filepath.Join(t.TempDir(), "blob")
	if err := os.Rename(path, blob); err != nil {
		t.Fatal(err)
	}
	readAt(t, o, b, 500, 1000)
	if err := o.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got, err := os.ReadFile(blob); err != nil || !bytes.Equal(got, b) {
		t.Errorf("adopted file is gone or wrong: %d bytes, %v", len(got), err)
	}
	if _, err := o.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("ReadAt after Close: %v, want ErrClosed", err)
	}
	if _, err := o.Detach(); !errors.Is(err, ErrClosed) {
		t.Errorf("Detach after Close: %v, want ErrClosed", err)
	}
	if d, err := o.Wait(t.Context()); err != nil || d.SHA256 != sha256Hex(b) {
		t.Errorf("Wait after Close: %v, %v, want the digest", d, err)
	}
}

func TestStatsAndHeader(t *testing.T) {
	b := content(1 << 20)
	src := newOrigin(t, b)
	src.faults = []http.HandlerFunc{src.cut(500_000)}
	o := start(t, src.source(), options(t))
	whole(t, o, b)
	if diff := cmp.Diff(Stats{Requests: 2, Received: 1 << 20, Front: 1 << 20}, o.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if got := o.Header().Get("ETag"); got != `"v1"` {
		t.Errorf("ETag is %q", got)
	}
	select {
	case <-o.Done():
	default:
		t.Error("Done is open after Wait")
	}
}

// bomb is a body, or a Source, that panics.
type bomb struct{ io.Closer }

func (bomb) Read([]byte) (int, error) { panic("boom") }

// A panic of a Source fails the object, wherever it happens.
func TestSourceThatPanics(t *testing.T) {
	b := content(8 << 20)
	for name, open := range map[string]func(ctx context.Context, off int64) *Response{
		"the body": func(context.Context, int64) *Response {
			return &Response{Body: bomb{io.NopCloser(nil)}, Size: int64(len(b))}
		},
		"a range": func(ctx context.Context, off int64) *Response {
			if off > 0 {
				panic("boom")
			}
			return &Response{Body: newStuck(ctx, b[:1000]), Size: int64(len(b))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := start(t, sourceFunc(func(ctx context.Context, off, _ int64) (*Response, error) { return open(ctx, off), nil }), options(t))
			if _, err := o.ReadAt(make([]byte, 10), 7<<20); !errors.Is(err, errPanic) {
				t.Errorf("read: %v", err)
			}
			failed(t, o, errPanic)
		})
	}
}

type sourceFunc func(ctx context.Context, off, n int64) (*Response, error)

func (f sourceFunc) Open(ctx context.Context, off, n int64) (*Response, error) { return f(ctx, off, n) }
