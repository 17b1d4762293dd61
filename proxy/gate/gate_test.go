package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"modelwall/proxy/audit"
	"modelwall/proxy/hub"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/scan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// verdicts is an inspector whose answers a test writes.
type verdicts struct {
	mu     sync.Mutex
	report scan.Report
	err    error
	read   int64 // bytes it reads before it answers
}

func (v *verdicts) Fingerprint() string { return "f" }

func (v *verdicts) Inspect(_ context.Context, f scan.File) (scan.Report, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, err := io.CopyN(io.Discard, f.Section(0, f.Size), min(v.read, f.Size)); err != nil {
		return scan.Report{}, err
	}
	return v.report, v.err
}

// bench is a gate between a Hub and a plain HTTP server.
type bench struct {
	*testing.T
	hub     *hubtest.Hub
	gate    *Gate
	store   *store.Store
	inspect *verdicts
	server  *httptest.Server
	mu      sync.Mutex
	errs    []error
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, inspect: &verdicts{report: scan.Report{Verdict: scan.Clean}}}
	var err error
	if b.hub, err = hubtest.Start(hubtest.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.hub.Close() })
	if b.store, err = store.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	b.gate = New(Options{
		Transport: b.hub.Client().Transport,
		Inspector: b.inspect,
		Blobs:     b.store.Blobs(),
		Verdicts:  b.store,
		Records:   b.store,
		Rules: func() policy.Rules {
			return policy.Rules{Suspicious: policy.Quarantine, Undetermined: policy.Quarantine, Clean: policy.Allow}
		},
		Hold: func() time.Duration { return time.Minute },
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			b.mu.Lock()
			b.errs = append(b.errs, err)
			b.mu.Unlock()
			w.WriteHeader(http.StatusTeapot)
		},
		Audit: audit.Multi(),
		Grace: time.Millisecond,
		// One stream, so that a fault has its place.
		Parallel: 1,
	})
	t.Cleanup(b.gate.Close)
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Scheme, u.Host = "https", "huggingface.co"
		r.URL = &u
		b.gate.ServeFile(w, r, hub.Classify(r.Method, u.Host, &u))
	}))
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) file(content []byte) (path string) {
	b.Helper()
	if _, err := b.hub.AddRepo(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}}); err != nil {
		b.Fatal(err)
	}
	return "/acme/model/resolve/main/m.bin"
}

func (b *bench) get(path string) (*http.Response, error) {
	return b.server.Client().Get(b.server.URL + path)
}

func (b *bench) lastError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errs) == 0 {
		return nil
	}
	return b.errs[len(b.errs)-1]
}

const size = wholeFirst + 1<<20

// Bytes flow once the content is judged, but not the last piece: that waits
// for the hash of the whole.
func TestLastPieceWaitsForTheHash(t *testing.T) {
	b := newBench(t)
	content := sample.Random(1, size)
	path := b.file(content)
	stall := make(chan struct{})
	b.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: size - 10, Stall: stall, Match: func(r *http.Request) bool {
		return r.Header.Get("Range") == ""
	}})
	resp, err := b.get(path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make([]byte, size-lastPiece)
	if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, content[:len(got)]) {
		t.Fatalf("what may leave did not arrive: %v", err)
	}
	more := make(chan []byte, 2)
	go func() {
		first := make([]byte, 1)
		if _, err := io.ReadFull(resp.Body, first); err != nil {
			more <- nil
		}
		more <- first
		rest, _ := io.ReadAll(resp.Body)
		more <- rest
	}()
	select {
	case <-more:
		t.Fatal("a byte of the last piece left before the whole was proven")
	case stall <- struct{}{}: // the Hub's handler takes it when it is at the stall
	}
	if rest := append(<-more, <-more...); !bytes.Equal(rest, content[size-lastPiece:]) {
		t.Errorf("%d bytes at the end, want %d", len(rest), lastPiece)
	}
}

func TestContentThatIsNotWhatWasAnnounced(t *testing.T) {
	b := newBench(t)
	content := sample.Random(1, size)
	path := b.file(content)
	remove := b.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Corrupt(size / 2)})
	resp, err := b.get(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil || len(got) > size-lastPiece {
		t.Errorf("%d bytes and %v; want a break before the last piece", len(got), err)
	}
	remove()
	if resp, err = b.get(path); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err = io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("afterwards %d bytes, %v: something of the wrong content was kept", len(got), err)
	}
}

// A client that was refused is refused again, whenever the gate closed.
func TestCloseKeepsWhatClientsWereTold(t *testing.T) {
	b := newBench(t)
	b.gate.Grace = time.Minute
	b.inspect.report = scan.Report{Verdict: scan.Malicious}
	content := sample.Random(1, size)
	path := b.file(content)
	stall := make(chan struct{})
	b.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: size - 10, Stall: stall})
	resp, err := b.get(path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if refused := new(Refused); !errors.As(b.lastError(), &refused) {
		t.Fatalf("status %d, %v; want a refusal", resp.StatusCode, b.lastError())
	}
	closed := make(chan struct{})
	go func() {
		b.gate.Close()
		close(closed)
	}()
	for isClosed := false; !isClosed; runtime.Gosched() {
		b.gate.mu.Lock()
		isClosed = b.gate.closed
		b.gate.mu.Unlock()
	}
	select {
	case stall <- struct{}{}: // the end arrives while the gate closes
		<-closed
	case <-closed:
	}
	hash := sha256.Sum256(content)
	if _, ok, err := b.store.Verdict(t.Context(), hex.EncodeToString(hash[:]), b.inspect.Fingerprint()); !ok || err != nil {
		t.Errorf("no verdict is kept: %v", err)
	}
}

// An inspection that failed says nothing: not clean, and nothing to remember.
func TestFailedInspection(t *testing.T) {
	b := newBench(t)
	path := b.file([]byte("content"))
	boom := errors.New("boom")
	b.inspect.report, b.inspect.err = scan.Report{}, boom
	resp, err := b.get(path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTeapot || !errors.Is(b.lastError(), boom) {
		t.Errorf("%d, %v; want the inspector's error", resp.StatusCode, b.lastError())
	}
	if list, err := b.store.ListQuarantine(context.Background(), store.QuarantineFilter{}); err != nil || len(list) > 0 {
		t.Errorf("quarantine = %+v, %v; want nothing remembered", list, err)
	}
	b.inspect.mu.Lock()
	b.inspect.report, b.inspect.err = scan.Report{Verdict: scan.Clean}, nil
	b.inspect.mu.Unlock()
	if resp, err = b.get(path); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, _ := io.ReadAll(resp.Body); string(got) != "content" {
		t.Errorf("afterwards %q", got)
	}
}

// A verdict that another engine gave is not asked for.
func TestStaleVerdict(t *testing.T) {
	b := newBench(t)
	path := b.file(sample.Random(1, 1000))
	resp, err := b.get(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Trim(resp.Header.Get("X-Linked-Etag"), `"`)
	resp.Body.Close()
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		t.Fatalf("X-Linked-Etag %q", sum)
	}
	if _, ok, err := b.store.Verdict(context.Background(), sum, "f"); !ok || err != nil {
		t.Errorf("no verdict kept: %v", err)
	}
	if _, ok, err := b.store.Verdict(context.Background(), sum, "g"); ok || err != nil {
		t.Errorf("a verdict for another fingerprint: %v", err)
	}
}

func TestJudged(t *testing.T) {
	b := newBench(t)
	sum := strings.Repeat("ab", 32)
	ask := func() *Refused {
		t.Helper()
		r, err := b.gate.Judged(context.Background(), Promise{Repo: "acme/model", SHA256: sum, Size: 3})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := ask(); r != nil {
		t.Errorf("unknown content is refused: %v", r)
	}
	put := func(v scan.Verdict) {
		t.Helper()
		err := b.store.PutVerdict(context.Background(), store.VerdictRecord{
			SHA256: sum, Fingerprint: "f", Size: 3, Verdict: v, Report: scan.Report{Verdict: v}, InspectedAt: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(scan.Suspicious)
	if r := ask(); r == nil || r.QuarantineID == "" || !strings.Contains(r.Error(), r.QuarantineID) {
		t.Errorf("suspicious content: %v", r)
	}
	put(scan.Malicious)
	if r := ask(); r == nil || r.QuarantineID != "" || r.Code() != "ModelwallBlocked" {
		t.Errorf("malicious content: %v", r)
	}
}

func TestRefusedText(t *testing.T) {
	report := scan.Report{Verdict: scan.Malicious, Findings: []scan.Finding{
		{Rule: "a.low", Severity: scan.Low, Message: "harmless"},
		{Rule: "pickle.import", Severity: scan.SeverityMalicious, Message: "imports os.system", Member: "x/data.pkl", Offset: 7},
	}}
	for name, c := range map[string]struct {
		r    Refused
		want []string
	}{
		"blocked": {
			Refused{Decision: policy.Decision{Rule: "policy.malicious"}, SHA256: "abc", Report: report},
			[]string{"blocked", "imports os.system", `"x/data.pkl"`, "byte 7", "pickle.import", "policy.malicious", "abc", "safetensors"},
		},
		"quarantined": {
			Refused{Decision: policy.Decision{Action: policy.Quarantine, Rule: "policy.undetermined"}, SHA256: "abc", Report: scan.Report{Error: "no known format"}, QuarantineID: "q-1"},
			[]string{"quarantined", "undetermined", "no known format", "q-1", "modelwall quarantine release"},
		},
		"repository": {Refused{Decision: policy.Decision{Rule: "policy.deny_repos"}}, []string{"policy.deny_repos", "Ask"}},
	} {
		for _, w := range c.want {
			if !strings.Contains(c.r.Error(), w) {
				t.Errorf("%s: %q does not say %q", name, c.r.Error(), w)
			}
		}
	}
}

func TestOutgoingKeepsTokensHome(t *testing.T) {
	in := httptest.NewRequest(http.MethodGet, "https://huggingface.co/a/b/resolve/main/x", nil)
	in.Header.Set("Authorization", "Bearer hf_x")
	in.Header.Set("Cookie", "token=x")
	for to, want := range map[string]bool{
		"https://huggingface.co/api/resolve-cache/x":  true,
		"https://HuggingFace.co/x":                    true,
		"https://hf.co/x":                             false,
		"https://cdn-lfs.huggingface.co/x":            false,
		"https://huggingface.co:8443/x":               false,
		"https://us.aws.cdn.hf.co/x":                  false,
		"https://huggingface.co.evil.example/x":       false,
		"https://cas-bridge.xethub.hf.co/xet-bridge/": false,
	} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		out, err := outgoing(context.Background(), http.MethodGet, u, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Header.Get("Authorization") != "" || out.Header.Get("Cookie") != ""; got != want {
			t.Errorf("%s gets the caller's credentials: %v, want %v", to, got, want)
		}
	}
}
