package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"modelwall/proxy"
	"modelwall/proxy/audit"
	"modelwall/proxy/gate"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/proxy/mitm"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
	"modelwall/scan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stack is a Hub, the whole proxy and a client, with an inspector that a test
// controls.
type stack struct {
	t         testing.TB
	hub       *hubtest.Hub
	inspector *inspector
	store     *store.Store
	up        *upstream.Upstream
	ca        *mitm.CA
	addr      string
	client    *http.Client
	downloads *downloads
	stop      func() // ends the proxy; called by the clean-up if not before
}

type stackOptions struct {
	hub       hubtest.Options
	rules     policy.Rules
	live      func() policy.Rules // in place of rules
	hold      time.Duration
	grace     time.Duration
	stall     time.Duration
	handshake time.Duration
	shutdown  time.Duration
	deny      bool
	blobs     func(*store.Blobs) gate.Blobs
	mirror    string // its URL, "" for the one asked for
	xet       proxy.XetMode
	xetAbove  int64                         // 0 for the usual
	audit     func(*store.Store) audit.Sink // in place of a list
	listen    func(net.Listener) net.Listener
	inspector gate.Inspector // in place of the one that the test controls
}

var defaultRules = policy.Rules{
	Malicious: policy.Block, Suspicious: policy.Quarantine, Undetermined: policy.Quarantine, Clean: policy.Allow,
}

func newStack(t testing.TB, o stackOptions) *stack {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &stack{t: t, inspector: &inspector{}, downloads: &downloads{}}
	var err error
	s.hub, err = hubtest.Start(o.hub)
	must(err)
	t.Cleanup(func() { s.hub.Close() })
	dir := t.TempDir()
	s.store, err = store.Open(dir)
	must(err)
	t.Cleanup(func() { s.store.Close() })
	s.ca, err = mitm.Open(mitm.Options{Dir: filepath.Join(dir, "ca"), Suffixes: []string{"huggingface.co", "hf.co"}})
	must(err)
	parent, err := url.Parse(s.hub.ProxyURL())
	must(err)
	up, err := upstream.New(upstream.Options{Proxy: parent, CAFile: s.hub.CAFile()})
	must(err)
	t.Cleanup(up.CloseIdleConnections)
	s.up = up

	if o.rules.Clean == policy.Block { // the zero value
		o.rules = defaultRules
	}
	if o.live == nil {
		o.live = func() policy.Rules { return o.rules }
	}
	if o.hold == 0 {
		o.hold = time.Minute
	}
	log := slog.New(slog.DiscardHandler)
	var blobs gate.Blobs = s.store.Blobs()
	if o.blobs != nil {
		blobs = o.blobs(s.store.Blobs())
	}
	var inspect gate.Inspector = s.inspector
	if o.inspector != nil {
		inspect = o.inspector
	}
	chunks := proxy.NewXet(o.xet)
	if o.xetAbove != 0 {
		chunks.Above = o.xetAbove
	}
	var sink audit.Sink = s.downloads
	if o.audit != nil {
		sink = o.audit(s.store)
	}
	g := gate.New(gate.Options{
		Describe:  chunks.Describe,
		Transport: up.Transport(),
		Content:   up.Content(),
		Inspector: inspect,
		Blobs:     blobs,
		Verdicts:  store.Cached(s.store, 100),
		Records:   s.store,
		Rules:     o.live,
		Hold:      func() time.Duration { return o.hold },
		Fail:      proxy.WriteError,
		Audit:     sink,
		Logger:    log,
		Retries:   3,
		Stall:     o.stall,
		Grace:     o.grace,
	})
	t.Cleanup(g.Close)
	front := &proxy.Front{Gate: g, Transport: up.Transport(), Xet: chunks, Logger: log}
	server := proxy.New(proxy.Options{
		Certifier:        s.ca,
		Dialer:           up,
		Transport:        up.Transport(),
		Intercept:        []string{"huggingface.co", "hf.co"},
		Tunnel:           func() bool { return !o.deny },
		Inner:            front,
		Local:            &proxy.Mirror{Front: front, URL: o.mirror, Home: http.NotFoundHandler()},
		Logger:           log,
		HandshakeTimeout: o.handshake,
		ShutdownTimeout:  o.shutdown,
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	s.addr = ln.Addr().String()
	if o.listen != nil {
		ln = o.listen(ln)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(s.stop)
	s.client = s.newClient(true)
	return s
}

// newClient is an ordinary client behind the proxy, over HTTP/2 or HTTP/1.1.
func (s *stack) newClient(h2 bool) *http.Client { return s.clientOf(s.addr, h2) }

// clientOf is a client behind a proxy with our certificate.
func (s *stack) clientOf(addr string, h2 bool) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Certificate())
	tr := &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: addr}),
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:   h2,
		MaxIdleConnsPerHost: 32,
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (s *stack) add(r hubtest.Repo) *hubtest.RepoHandle {
	s.t.Helper()
	h, err := s.hub.AddRepo(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// reply is a response read to its end.
type reply struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func (s *stack) do(client *http.Client, method, target string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequest(method, target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{Response: &http.Response{Header: http.Header{}}, err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, body, err}
}

func (s *stack) get(target string, header ...string) reply {
	s.t.Helper()
	return s.do(s.client, http.MethodGet, target, header...)
}

// wants fails the test unless the whole content arrived.
func (r reply) wants(t *testing.T, content []byte) {
	t.Helper()
	if r.err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(r.body, content) {
		t.Fatalf("status %d, %d bytes, %v; want 200 and the %d bytes of the file; %.300s", r.StatusCode, len(r.body), r.err, len(content), r.Header.Get("X-Error-Message"))
	}
}

// refused fails the test unless the reply is a refusal that explains itself.
func (r reply) refused(t *testing.T, code string) {
	t.Helper()
	var told struct {
		Error, Message, SHA256 string
		RequestID              string `json:"request_id"`
		Findings               []scan.Finding
	}
	if r.err != nil || r.StatusCode != http.StatusForbidden {
		t.Fatalf("status %d, %v, want 403; body %.200q", r.StatusCode, r.err, r.body)
	}
	if err := json.Unmarshal(r.body, &told); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	if got := r.Header.Get("X-Error-Code"); got != code {
		t.Errorf("X-Error-Code = %q, want %q", got, code)
	}
	message := r.Header.Get("X-Error-Message")
	if message == "" || told.Error == "" || told.Message == "" || told.RequestID == "" || told.RequestID != r.Header.Get("X-Request-Id") {
		t.Errorf("the refusal does not explain itself: %q, %q", message, r.body)
	}
	for _, c := range []byte(message) {
		if c < ' ' || c > '~' {
			t.Errorf("X-Error-Message is not one line of ASCII: %q", message)
			break
		}
	}
}

// inspector judges by words in the content.
type inspector struct {
	mu    sync.Mutex
	calls int
	// hold, if set, is received from before a verdict.
	hold chan struct{}
}

func (i *inspector) Fingerprint() string { return "test" }

func (i *inspector) Inspect(ctx context.Context, f scan.File) (scan.Report, error) {
	i.mu.Lock()
	i.calls++
	hold := i.hold
	i.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return scan.Report{}, ctx.Err()
		}
	}
	head := make([]byte, min(f.Size, 64))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return scan.Report{}, err
	}
	report := func(v scan.Verdict, s scan.Severity) (scan.Report, error) {
		return scan.Report{
			Verdict: v, Formats: []string{"test"}, Imports: []scan.Import{},
			Findings: []scan.Finding{{Rule: "test.word", Severity: s, Message: "found a \"bad\" word\nin it"}},
		}, nil
	}
	switch {
	case bytes.Contains(head, []byte("EVIL")):
		return report(scan.Malicious, scan.SeverityMalicious)
	case bytes.Contains(head, []byte("ODD")):
		return report(scan.Suspicious, scan.SeveritySuspicious)
	case bytes.Contains(head, []byte("HUH")):
		return scan.Report{Error: "no idea", Findings: []scan.Finding{}, Imports: []scan.Import{}}, nil
	}
	return scan.Report{Verdict: scan.Clean, Formats: []string{"test"}, Findings: []scan.Finding{}, Imports: []scan.Import{}}, nil
}

func (i *inspector) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.calls
}

// downloads is the audit sink.
type downloads struct {
	mu     sync.Mutex
	list   []audit.Record
	before func() // if set, is called for each record
}

func (d *downloads) Record(_ context.Context, r audit.Record) {
	if d.before != nil {
		d.before()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, r)
}

func (d *downloads) all() []audit.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.list)
}

// file is n bytes that begin with a word.
func file(word string, seed uint64, n int) []byte {
	b := sample.Random(seed, n)
	copy(b, word+" ")
	copy(b[len(word)+1:], "                                                            ")
	return b
}

// cdn counts the requests for content that the Hub's content hosts saw.
func (s *stack) cdn() int {
	n := 0
	for _, r := range s.hub.Requests() {
		if r.Role == hubtest.RoleCDN {
			n++
		}
	}
	return n
}

func (s *stack) blobs() int {
	n := 0
	err := filepath.WalkDir(filepath.Join(s.store.Dir(), "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
