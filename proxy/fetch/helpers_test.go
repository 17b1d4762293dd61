package fetch

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content returns n bytes that look random and are the same every time.
func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return b
}

func sha256Hex(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func gitSHA1(b []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(b))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

// request is what an origin was asked.
type request struct{ Range, IfRange string }

// origin is an HTTPS server of one object. Its faults answer the first
// requests in order; nil is no fault, and so is what comes behind the last.
type origin struct {
	*httptest.Server
	content []byte
	etag    string
	faults  []http.HandlerFunc
	// always, if set, replaces the regular answer too.
	always http.HandlerFunc

	mu   sync.Mutex
	seen []request
}

func newOrigin(t testing.TB, content []byte, faults ...http.HandlerFunc) *origin {
	t.Helper()
	o := &origin{content: content, etag: `"v1"`, faults: faults}
	o.Server = httptest.NewUnstartedServer(o)
	o.Config.ErrorLog = log.New(io.Discard, "", 0) // broken connections are the subject
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	i := len(o.seen)
	o.seen = append(o.seen, request{r.Header.Get("Range"), r.Header.Get("If-Range")})
	o.mu.Unlock()
	switch {
	case i < len(o.faults) && o.faults[i] != nil:
		o.faults[i](w, r)
	case o.always != nil:
		o.always(w, r)
	default:
		o.serve(w, r)
	}
}

func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", o.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.content))
}

func (o *origin) requests() []request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]request(nil), o.seen...)
}

func (o *origin) newRequest(ctx context.Context, _ bool) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, o.URL+"/file", nil)
}

func (o *origin) source() Source { return HTTP(o.Client().Transport, o.newRequest) }

// cut answers as the origin does, but breaks the connection after n bytes of
// the body.
func (o *origin) cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		o.serve(&cutWriter{ResponseWriter: w, left: n}, r)
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// noRange answers every request with 200 and all of b.
func noRange(b []byte, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b)
	}
}

// chunked answers with b and no Content-Length, and breaks the connection
// instead of ending the chunks if cut is set.
func chunked(b []byte, cut bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(b)
		_ = http.NewResponseController(w).Flush()
		if cut {
			panic(http.ErrAbortHandler)
		}
	}
}

func status(code int, kv ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(kv); i += 2 {
			w.Header().Set(kv[i], kv[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, http.StatusText(code))
	}
}

// options are quick to retry.
func options(t testing.TB) Options {
	return Options{Size: -1, Dir: t.TempDir(), RetryDelay: time.Millisecond}
}

// start starts an object that the test's end closes, and checks that closing
// leaves nothing in its folder.
func start(t testing.TB, src Source, opt Options) *Object {
	t.Helper()
	o, err := Start(context.Background(), src, opt)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { closeEmpty(t, o) })
	return o
}

func closeEmpty(t testing.TB, o *Object) {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if left, err := os.ReadDir(o.dir()); err != nil || len(left) > 0 {
		t.Errorf("after Close the spool's folder holds %v (%v)", left, err)
	}
}

// whole checks that o ends with exactly b.
func whole(t testing.TB, o *Object, b []byte) {
	t.Helper()
	d, err := o.Wait(context.Background())
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	want := Digest{SHA256: sha256Hex(b), Size: int64(len(b)), GitSHA1: d.GitSHA1}
	if d.GitSHA1 != "" {
		want.GitSHA1 = gitSHA1(b)
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("digest (-want +got):\n%s", diff)
	}
	if got, err := os.ReadFile(o.Path()); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the spool's file (%d bytes, %v) is not the content (%d bytes)", len(got), err, len(b))
	}
	if o.Size() != int64(len(b)) {
		t.Errorf("Size is %d, want %d", o.Size(), len(b))
	}
}

// failed checks that o fails with all the classes, for Wait and ReadAt alike.
func failed(t testing.TB, o *Object, classes ...error) {
	t.Helper()
	_, err := o.Wait(context.Background())
	for _, class := range classes {
		if !errors.Is(err, class) {
			t.Errorf("Wait: %v, want an error of class %q", err, class)
		}
	}
	if err == nil {
		t.Fatal("Wait succeeded")
	}
	if _, again := o.ReadAt(make([]byte, 1), 0); again == nil || again.Error() != err.Error() {
		t.Errorf("ReadAt: %v, want what Wait said: %v", again, err)
	}
	if strings.Contains(err.Error(), "127.0.0.1") && strings.Contains(err.Error(), "/file") {
		t.Errorf("the error holds a URL: %v", err)
	}
}

// readAt reads n bytes at off and compares them with b.
func readAt(t testing.TB, r io.ReaderAt, b []byte, off, n int) {
	t.Helper()
	p := make([]byte, n)
	got, err := r.ReadAt(p, int64(off))
	want := b[min(off, len(b)):min(off+n, len(b))]
	if !bytes.Equal(p[:got], want) {
		t.Errorf("ReadAt(%d bytes, %d) got %d bytes that are not the content's %d (%v)", n, off, got, len(want), err)
	}
	if wantErr := map[bool]error{true: io.EOF}[len(want) < n]; !errors.Is(err, wantErr) {
		t.Errorf("ReadAt(%d bytes, %d): %v, want %v", n, off, err, wantErr)
	}
}

// scripted is a Source without a network, for tests with synthetic time.
type scripted struct {
	open func(ctx context.Context, call int, off, n int64) (*Response, error)

	mu    sync.Mutex
	calls []span // what was asked, with end -1 for an open end
}

func (s *scripted) Open(ctx context.Context, off, n int64) (*Response, error) {
	s.mu.Lock()
	call := len(s.calls)
	asked := span{off, off + n}
	if n < 0 {
		asked.end = -1
	}
	s.calls = append(s.calls, asked)
	s.mu.Unlock()
	return s.open(ctx, call, off, n)
}

func (s *scripted) asked() []span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]span(nil), s.calls...)
}

// part answers with b[off:end] of b, all to its end for end < 0.
func part(b []byte, off, end int64) *Response {
	if end < 0 || end > int64(len(b)) {
		end = int64(len(b))
	}
	return &Response{
		Body: io.NopCloser(bytes.NewReader(b[off:end])), Off: off, Size: int64(len(b)), Status: http.StatusPartialContent,
	}
}

// stuck yields b and then nothing until ctx is done.
type stuck struct {
	ctx context.Context
	b   *bytes.Reader
}

func newStuck(ctx context.Context, b []byte) io.ReadCloser {
	return io.NopCloser(&stuck{ctx, bytes.NewReader(b)})
}

func (s *stuck) Read(p []byte) (int, error) {
	if s.b.Len() > 0 {
		return s.b.Read(p)
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func hasStatus(err error, code int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}
