package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/hub"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// wild is a gate whose upstream is a handler of the test's: it can say what no
// Hub would.
type wild struct {
	*testing.T
	gate   *Gate
	store  *store.Store
	server *httptest.Server

	mu      sync.Mutex
	errs    []error
	records []audit.Record
	done    chan struct{} // gets a value with each record
}

func (w *wild) Record(_ context.Context, r audit.Record) {
	w.mu.Lock()
	w.records = append(w.records, r)
	w.mu.Unlock()
	w.done <- struct{}{}
}

// ask is a request to https://host/path with header given in pairs.
func (w *wild) ask(ctx context.Context, method, rawURL string, header ...string) (*http.Response, error) {
	w.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		w.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.server.URL+u.RequestURI(), nil)
	if err != nil {
		w.Fatal(err)
	}
	req.Host = u.Host
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.server.Client().Do(req)
}

// get returns status and body of a GET, and the error of reading it.
func (w *wild) get(rawURL string, header ...string) (int, string, error) {
	w.Helper()
	resp, err := w.ask(w.Context(), http.MethodGet, rawURL, header...)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// record waits for the next audit record.
func (w *wild) record() audit.Record {
	w.Helper()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

func (w *wild) lastError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errs) == 0 {
		return nil
	}
	return w.errs[len(w.errs)-1]
}

// spooled returns how many files lie in the spool.
func (w *wild) spooled() int {
	w.Helper()
	list, err := os.ReadDir(w.store.Blobs().SpoolDir())
	if err != nil {
		w.Fatal(err)
	}
	n := 0
	for _, e := range list {
		if e.Name() != "lock" {
			n++
		}
	}
	return n
}

// inspectFunc is an Inspector.
type inspectFunc func(context.Context, scan.File) (scan.Report, error)

func (inspectFunc) Fingerprint() string { return "f" }

func (f inspectFunc) Inspect(ctx context.Context, file scan.File) (scan.Report, error) {
	return f(ctx, file)
}

func clean(context.Context, scan.File) (scan.Report, error) {
	return scan.Report{Verdict: scan.Clean}, nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newWild serves files of upstream, whole bodies under /whole.
func newWild(t *testing.T, upstream http.HandlerFunc, change func(*Options)) *wild {
	t.Helper()
	w := &wild{T: t, done: make(chan struct{}, 1000)}
	origin := httptest.NewServer(upstream)
	t.Cleanup(origin.Close)
	var err error
	if w.store, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	to := origin.Listener.Addr().String()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	o := Options{
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			out := r.Clone(r.Context())
			out.Host = r.URL.Host
			out.URL.Scheme, out.URL.Host = "http", to
			return transport.RoundTrip(out)
		}),
		Inspector: inspectFunc(clean),
		Blobs:     w.store.Blobs(),
		Verdicts:  w.store,
		Records:   w.store,
		Rules: func() policy.Rules {
			return policy.Rules{Suspicious: policy.Quarantine, Undetermined: policy.Quarantine, Clean: policy.Allow}
		},
		Hold: func() time.Duration { return time.Minute },
		Fail: func(rw http.ResponseWriter, _ *http.Request, err error) {
			w.mu.Lock()
			w.errs = append(w.errs, err)
			w.mu.Unlock()
			rw.WriteHeader(http.StatusTeapot)
		},
		Audit:   w,
		Retries: -1,
		Grace:   time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	w.gate = New(o)
	t.Cleanup(w.gate.Close)
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Scheme, u.Host = "https", r.Host
		r.URL = &u
		if req := hub.Classify(r.Method, u.Host, &u); req.Kind.IsFile() {
			w.gate.ServeFile(rw, r, req)
		} else {
			r.RequestURI = ""
			w.gate.ServeWhole(rw, r, req, req.Path, nil)
		}
	}))
	t.Cleanup(w.server.Close)
	return w
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

// lfs answers as the Hub does for a file of this hash and size, with the
// content from the same place.
func lfs(rw http.ResponseWriter, sha256 string, size int) {
	rw.Header().Set("X-Linked-Etag", `"`+sha256+`"`)
	rw.Header().Set("X-Linked-Size", fmt.Sprint(size))
	rw.Header().Set("X-Repo-Commit", strings.Repeat("c", 40))
}

const fileURL = "https://huggingface.co/acme/model/resolve/main/m.bin"
