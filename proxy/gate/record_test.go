package gate

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/policy"
	"modelwall/scan"
)

// Whoever asks for several ranges gets the whole: net/http would read them in
// a goroutine of its own, beside the one that answers.
func TestSeveralRanges(t *testing.T) {
	const content = "0123456789"
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) { o.Hold = func() time.Duration { return 0 } })
	for range 2 { // the second time from the store
		if status, body, err := w.get(fileURL, "Range", "bytes=1-2,5-6"); status != 200 || body != content {
			t.Errorf("%d %q, %v; want the whole", status, body, err)
		}
	}
}

// Where the body comes after the hold, "not modified" would come before the
// verdict.
func TestNothingIsUnmodifiedBeforeTheVerdict(t *testing.T) {
	const content = "content"
	hold := make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(context.Context, scan.File) (scan.Report, error) {
			<-hold
			return scan.Report{Verdict: scan.Malicious}, nil
		})
		o.Hold = func() time.Duration { return 0 }
	})
	resp, err := w.ask(t.Context(), http.MethodGet, fileURL, "If-None-Match", `"`+sum(content)+`"`)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	close(hold)
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || err == nil || len(body) > 0 {
		t.Errorf("%d %q, %v; want a header and then a break", resp.StatusCode, body, err)
	}
	if r := w.record(); r.Decision != audit.DecisionBlock || r.Verdict != scan.Malicious {
		t.Errorf("record %+v", r)
	}
}

// An answer that needs no byte of the content still says in its record what
// was decided about it.
func TestRecordWithoutABody(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		ask     string
		status  int
	}{"an empty file": {"", "", 200}, "a range behind the end": {"content", "bytes=100-", 416}} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
				lfs(rw, sum(c.content), len(c.content))
				if r.Method == http.MethodGet {
					io.WriteString(rw, c.content)
				}
			}, func(o *Options) {
				o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
					<-hold
					return clean(ctx, f)
				})
				o.Hold = func() time.Duration { return 0 }
			})
			resp, err := w.ask(t.Context(), http.MethodGet, fileURL, "Range", c.ask)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			close(hold)
			if _, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != c.status {
				t.Errorf("%d, %v", resp.StatusCode, err)
			}
			if r := w.record(); r.Decision != audit.DecisionAllow || r.Status != c.status || r.Verdict != scan.Clean {
				t.Errorf("record %+v", r)
			}
		})
	}
}

// A client that leaves is in the record, with what it got; nothing is answered
// to nobody.
func TestRecordOfAClientThatLeft(t *testing.T) {
	content := strings.Repeat("x", size)
	stall := make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "stall") {
			<-r.Context().Done()
			return
		}
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content[:size/2])
			rw.(http.Flusher).Flush()
			select {
			case <-stall:
			case <-r.Context().Done():
			}
		}
	}, func(o *Options) { o.Parallel = 1 }) // the handler knows no ranges
	defer close(stall)
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := w.ask(ctx, http.MethodGet, fileURL)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(resp.Body, make([]byte, 1000))
	cancel()
	resp.Body.Close()
	r := w.record()
	if r.Decision != audit.DecisionAllow || r.Status != 200 || r.BytesSent < 1000 || r.BytesSent >= size || r.Error != errGone.Error() {
		t.Errorf("in the middle: %+v", r)
	}
	if r.BytesFetched < 1000 || r.BytesFetched > size/2 {
		t.Errorf("bytes_fetched = %d, %d were sent", r.BytesFetched, size/2)
	}

	ctx, cancel = context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := w.ask(ctx, http.MethodGet, "https://huggingface.co/acme/model/resolve/main/stall.bin")
		left <- err
	}()
	cancel()
	<-left
	select { // it may have left before its request was there
	case <-w.done:
		w.mu.Lock()
		r = w.records[len(w.records)-1]
		w.mu.Unlock()
		if r.Decision != audit.DecisionError || r.Status != 0 || r.Error != errGone.Error() {
			t.Errorf("before an answer: %+v", r)
		}
	default:
	}
}

// In monitor mode a repository that would be refused is served, and both the
// client and the record say so.
func TestMonitoredRepository(t *testing.T) {
	const content = "content"
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Rules = func() policy.Rules {
			return policy.Rules{Clean: policy.Allow, DenyRepos: []string{"acme/*"}, Monitor: true}
		}
	})
	for range 2 {
		resp, err := w.ask(t.Context(), http.MethodGet, fileURL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Hf-Warning"); resp.StatusCode != 200 || !strings.Contains(got, "policy.deny_repos") {
			t.Errorf("%d, X-HF-Warning: %q", resp.StatusCode, got)
		}
		if r := w.record(); r.Decision != audit.DecisionWouldBlock {
			t.Errorf("record %+v", r)
		}
	}
}
