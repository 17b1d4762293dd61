package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"modelwall/proxy"
	"modelwall/proxy/audit"
	"modelwall/proxy/gate"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
	"modelwall/scan"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// front is a Front whose upstream is a function of the test's, behind a plain
// server that takes the host of a request for that of its tunnel.
type front struct {
	*testing.T
	server    *httptest.Server
	downloads *downloads
	inspector *inspector
}

func newFront(t *testing.T, rt roundTrip, change func(*gate.Options)) *front {
	t.Helper()
	f := &front{T: t, downloads: &downloads{}, inspector: &inspector{}}
	records, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	o := gate.Options{
		Transport: rt, Inspector: f.inspector, Blobs: records.Blobs(), Verdicts: records, Records: records,
		Rules: func() policy.Rules { return defaultRules },
		Hold:  func() time.Duration { return time.Minute },
		Fail:  proxy.WriteError, Audit: f.downloads, Retries: -1, Grace: time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	g := gate.New(o)
	t.Cleanup(g.Close)
	handler := &proxy.Front{Gate: g, Transport: rt, Logger: g.Logger}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host = "https", r.Host
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(f.server.Close)
	return f
}

// do sends a request to host and path.
func (f *front) do(method, host, path string, body io.Reader, header ...string) reply {
	f.Helper()
	req, err := http.NewRequest(method, f.server.URL+path, body)
	if err != nil {
		f.Fatal(err)
	}
	req.Host = host
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := f.server.Client().Transport.RoundTrip(req)
	if err != nil {
		return reply{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp, b, err}
}

// says is an answer of an upstream.
func says(r *http.Request, status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// Whoever runs a content host (a Space is anybody's) chooses status and body.
// None of it reaches a client that nobody inspected, whatever the status says.
func TestStatusOfAContentHost(t *testing.T) {
	const payload = "cos\nsystem\n(S'id'\ntR."
	status := 0
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodHead {
			return says(r, 302, "", "Location", "https://cdn-lfs.hf.co/x", "X-Linked-Etag", strings.Repeat("a", 64), "X-Linked-Size", "22"), nil
		}
		return says(r, status, payload, "Retry-After", "7", "X-Error-Message", payload, "X-Error-Code", "Payload",
			"WWW-Authenticate", "Basic", "Content-Type", "application/x-payload"), nil
	}, nil)
	for says, want := range map[int]int{
		201: 502, 203: 502, 226: 502, 204: 502, 302: 502, 304: 502,
		400: 400, 401: 403, 403: 403, 404: 404, 410: 410, 429: 429, 500: 500, 503: 503,
	} {
		status = says
		for _, host := range []string{"evil.hf.space", "cdn-lfs.hf.co", "huggingface.co"} {
			got := f.do(http.MethodGet, host, "/acme/model/resolve/main/m.pkl", nil)
			if got.StatusCode != want || got.err != nil {
				t.Errorf("%s says %d: client gets %d, %v; want %d", host, says, got.StatusCode, got.err, want)
			}
			if all := fmt.Sprint(got.Header, string(got.body)); strings.Contains(all, "system") || strings.Contains(all, "ayload") {
				t.Errorf("%s says %d: its text reaches the client: %s", host, says, all)
			}
			if got.Header.Get("Retry-After") != "7" || got.Header.Get("WWW-Authenticate") != "" || got.Header.Get("X-Error-Message") == "" {
				t.Errorf("%s says %d: header %v", host, says, got.Header)
			}
		}
	}
}

// The Hub's own refusal is passed on as it is.
func TestRefusalOfTheHub(t *testing.T) {
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		return says(r, 401, "Access is restricted", "X-Error-Code", "GatedRepo", "X-Error-Message", "Log in",
			"WWW-Authenticate", "Bearer", "Content-Type", "text/plain"), nil
	}, nil)
	got := f.do(http.MethodGet, "huggingface.co", "/acme/model/resolve/main/m.pkl", nil)
	if got.StatusCode != 401 || string(got.body) != "Access is restricted" || got.Header.Get("X-Error-Code") != "GatedRepo" ||
		got.Header.Get("X-Error-Message") != "Log in" || got.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%d %q %v", got.StatusCode, got.body, got.Header)
	}
}

// The answer to OPTIONS has headers that browsers want, and no content.
func TestOptionsDeliversNothing(t *testing.T) {
	for _, status := range []int{200, 404} {
		f := newFront(t, func(r *http.Request) (*http.Response, error) {
			return says(r, status, "cos\nsystem\n(S'id'\ntR.", "Access-Control-Allow-Origin", "*"), nil
		}, nil)
		for _, host := range []string{"evil.hf.space", "huggingface.co"} {
			got := f.do(http.MethodOptions, host, "/acme/model/resolve/main/m.pkl", nil)
			if got.StatusCode != status || len(got.body) > 0 || got.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %d %q %v", host, got.StatusCode, got.body, got.Header)
			}
		}
	}
}

// HEAD of what is inspected whole on GET tells the size, and is not inspected.
func TestHeadOfAWholeAnswer(t *testing.T) {
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		resp := says(r, 200, "", "Content-Length", "1234", "X-Xet-Hash", "x")
		resp.ContentLength = 1234
		return resp, nil
	}, nil)
	for _, path := range []string{"/buckets/acme/things/resolve/m.bin", "/api/models/acme/model/parquet/default/train/0.parquet", "/acme/model"} {
		got := f.do(http.MethodHead, "huggingface.co", path, nil)
		if got.StatusCode != 200 || got.ContentLength != 1234 || got.Header.Get("X-Xet-Hash") != "" {
			t.Errorf("%s: %d, %d bytes, %v", path, got.StatusCode, got.ContentLength, got.Header)
		}
	}
	if n := f.inspector.count(); n != 0 {
		t.Errorf("%d inspections", n)
	}
}

// A switch of protocols would be a way around every inspection.
func TestUpgradeIsRefused(t *testing.T) {
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		resp := says(r, 101, "", "Connection", "Upgrade", "Upgrade", "websocket")
		resp.Body = struct {
			io.ReadCloser
			io.Writer
		}{io.NopCloser(strings.NewReader("payload")), io.Discard}
		return resp, nil
	}, nil)
	got := f.do(http.MethodGet, "huggingface.co", "/api/models/acme/model", nil, "Connection", "Upgrade", "Upgrade", "websocket")
	if got.StatusCode != 403 {
		t.Errorf("%d %q, want 403", got.StatusCode, got.body)
	}
}

type tardy struct{}

func (tardy) Error() string   { return "took too long" }
func (tardy) Timeout() bool   { return true }
func (tardy) Temporary() bool { return true }

func TestErrorTable(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"a time-out of HTTP/2 or TLS":    {tardy{}, 504, "ModelwallUpstreamTimeout"},
		"an upstream that is not there":  {errors.New("connection refused"), 502, "ModelwallUpstreamUnreachable"},
		"the parent proxy":               {&upstream.ParentError{Err: errors.New("no")}, 502, "ModelwallParentProxy"},
		"an address that is not allowed": {&upstream.AddressError{Reason: "no"}, 403, "ModelwallHostDenied"},
	} {
		f := newFront(t, func(*http.Request) (*http.Response, error) { return nil, c.err }, nil)
		for _, path := range []string{"/acme/model/resolve/main/m.bin", "/api/models/acme/model", "/acme/model"} {
			got := f.do(http.MethodGet, "huggingface.co", path, nil)
			if got.StatusCode != c.status || got.Header.Get("X-Error-Code") != c.code {
				t.Errorf("%s, %s: %d %s, want %d %s", name, path, got.StatusCode, got.body, c.status, c.code)
			}
		}
	}
	f := newFront(t, func(r *http.Request) (*http.Response, error) { return says(r, 200, strings.Repeat("x", 2000)), nil },
		func(o *gate.Options) { o.MaxWhole = 1000 })
	if got := f.do(http.MethodGet, "huggingface.co", "/acme/model", nil); got.StatusCode != 403 || got.Header.Get("X-Error-Code") != "ModelwallTooLarge" {
		t.Errorf("too large: %d %s", got.StatusCode, got.body)
	}
}

// fullStore is a store without room for one more file.
type fullStore struct{ *store.Blobs }

func (fullStore) Adopt(context.Context, string, string) error {
	return fmt.Errorf("store content: /secret/place: %w", store.ErrFull)
}

func TestStoreFull(t *testing.T) {
	const content = "content"
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		return says(r, 200, content, "Content-Length", "7", "X-Repo-Commit", strings.Repeat("c", 40)), nil
	}, func(o *gate.Options) { o.Blobs = fullStore{o.Blobs.(*store.Blobs)} })
	got := f.do(http.MethodGet, "huggingface.co", "/acme/model/resolve/main/m.bin", nil)
	if got.StatusCode != 507 || got.Header.Get("X-Error-Code") != "ModelwallDisk" || strings.Contains(string(got.body), "secret") {
		t.Errorf("%d %s, want 507 and no internals", got.StatusCode, got.body)
	}
}

// What is wrong with a request is the client's affair and not the Hub's.
func TestRequestBodies(t *testing.T) {
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		t.Error("a request went out")
		return says(r, 200, ""), nil
	}, nil)
	for _, path := range []string{"/acme/model.git/info/lfs/objects/batch", "/acme/model.git/git-upload-pack"} {
		for _, c := range []struct {
			body   []byte
			status int
		}{
			{[]byte("nonsense"), 400},
			{bytes.Repeat([]byte(" "), 16<<20), 400},
			{bytes.Repeat([]byte(" "), 16<<20+1), 413},
		} {
			if got := f.do(http.MethodPost, "huggingface.co", path, bytes.NewReader(c.body)); got.StatusCode != c.status {
				t.Errorf("%s with %d bytes: %d %s, want %d", path, len(c.body), got.StatusCode, got.body, c.status)
			}
		}
		if got := f.do(http.MethodPost, "huggingface.co", path, strings.NewReader("\x1f\x8bnot gzip at all"), "Content-Encoding", "gzip"); got.StatusCode != 400 {
			t.Errorf("%s, bad gzip: %d, want 400", path, got.StatusCode)
		}
	}
}

// What is refused without a look is in the records too.
func TestRecordOfARefusal(t *testing.T) {
	f := newFront(t, func(r *http.Request) (*http.Response, error) { return says(r, 200, ""), nil }, nil)
	for _, c := range []struct {
		method, host, path string
		status             int
	}{
		{"GET", "cas-server.xethub.hf.co", "/v1/reconstructions/x", 403},
		{"GET", "s3.hf.co", "/bucket/key", 403},
		{"GET", "huggingface.co", "/acme//model/resolve/main/m.bin", 400},
		{"POST", "huggingface.co", "/acme/model/resolve/main/m.bin", 405},
	} {
		f.do(c.method, c.host, c.path, nil)
		all := f.downloads.all()
		if len(all) == 0 {
			t.Fatalf("%+v: no record", c)
		}
		if r := all[len(all)-1]; r.Decision != audit.DecisionRefused || r.Status != c.status || r.Error == "" || r.RequestID == "" || r.Method != c.method {
			t.Errorf("%+v: record %+v", c, r)
		}
	}
	if n := len(f.downloads.all()); n != 4 {
		t.Errorf("%d records, want 4", n)
	}
}

// An object that is refused in the batch is never asked for: the batch is its
// download.
func TestRecordOfABatch(t *testing.T) {
	oid := strings.Repeat("ab", 32)
	var records store.Verdicts
	f := newFront(t, func(r *http.Request) (*http.Response, error) {
		return says(r, 200, `{"objects":[{"oid":"`+oid+`","size":3,"actions":{"download":{"href":"https://cdn-lfs.hf.co/x"}}}]}`), nil
	}, func(o *gate.Options) { records = o.Verdicts })
	err := records.PutVerdict(context.Background(), store.VerdictRecord{
		SHA256: oid, Fingerprint: "test", Size: 3, Verdict: scan.Malicious, Report: scan.Report{Verdict: scan.Malicious}, InspectedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := f.do(http.MethodPost, "huggingface.co", "/acme/model.git/info/lfs/objects/batch",
		strings.NewReader(`{"operation":"download","objects":[{"oid":"`+oid+`","size":3}]}`))
	if got.StatusCode != 200 || !strings.Contains(string(got.body), "blocked") {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	all := f.downloads.all()
	if len(all) != 1 || all[0].Decision != audit.DecisionBlock || all[0].SHA256 != oid || all[0].Repo != "acme/model" ||
		all[0].RequestID == "" || all[0].Client == "" || all[0].Verdict != scan.Malicious {
		t.Errorf("records %+v", all)
	}
}
