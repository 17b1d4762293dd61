package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/policy"
	"modelwall/scan"
)

const pageURL = "https://huggingface.co/acme/model"

func TestWholeIsBounded(t *testing.T) {
	const limit = 1000
	for _, announced := range []bool{true, false} {
		for _, n := range []int{limit - 1, limit, limit + 1} {
			t.Run(fmt.Sprint(announced, n), func(t *testing.T) {
				w := newWild(t, func(rw http.ResponseWriter, _ *http.Request) {
					if !announced {
						rw.(http.Flusher).Flush() // chunked
					}
					io.WriteString(rw, strings.Repeat("x", n))
				}, func(o *Options) { o.MaxWhole = limit })
				status, body, err := w.get(pageURL)
				switch {
				case n <= limit && (status != 200 || len(body) != n || err != nil):
					t.Errorf("%d, %d bytes, %v", status, len(body), err)
				case n > limit && (status != http.StatusTeapot || body != "" || !errors.Is(w.lastError(), fetch.ErrTooLarge)):
					t.Errorf("%d, %d bytes, %v; want ErrTooLarge", status, len(body), w.lastError())
				}
				if n := w.spooled(); n != 0 {
					t.Errorf("%d files are left in the spool", n)
				}
			})
		}
	}
}

// A file whose length nobody announces is held to the same bound.
func TestFileOfUnknownLengthIsBounded(t *testing.T) {
	const limit = 1000
	for _, n := range []int{limit - 1, limit, limit + 1} {
		w := newWild(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.(http.Flusher).Flush()
			io.WriteString(rw, strings.Repeat("x", n))
		}, func(o *Options) { o.MaxWhole = limit })
		status, body, err := w.get("https://someone.hf.space/file")
		switch {
		case n <= limit && (status != 200 || len(body) != n || err != nil):
			t.Errorf("%d: %d, %d bytes, %v, %v", n, status, len(body), err, w.lastError())
		case n > limit && (status != http.StatusTeapot || !errors.Is(w.lastError(), fetch.ErrTooLarge)):
			t.Errorf("%d: %d, %v; want ErrTooLarge", n, status, w.lastError())
		}
	}
}

func TestWholeThatBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		upstream http.HandlerFunc
		want     error
	}{
		"cut": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "1000")
			io.WriteString(rw, "too short")
		}, fetch.ErrTruncated},
		"stalled": {func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "so far")
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		}, fetch.ErrStalled},
		"packed": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			io.WriteString(rw, "packed")
		}, fetch.ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWild(t, c.upstream, func(o *Options) { o.Stall = 50 * time.Millisecond })
			if status, body, _ := w.get(pageURL); status != http.StatusTeapot || body != "" || !errors.Is(w.lastError(), c.want) {
				t.Errorf("%d %q, %v; want %v", status, body, w.lastError(), c.want)
			}
			if r := w.record(); r.Decision != audit.DecisionError || r.Error == "" {
				t.Errorf("record %+v", r)
			}
			if n := w.spooled(); n != 0 {
				t.Errorf("%d files are left in the spool", n)
			}
		})
	}
}

// What the upstream says in X-HF-Warning does not hide what we have to say.
func TestWarningIsOurs(t *testing.T) {
	w := newWild(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-Hf-Warning", "all; is well")
		io.WriteString(rw, "page")
	}, func(o *Options) {
		o.Rules = func() policy.Rules { return policy.Rules{Monitor: true} }
		o.Inspector = inspectFunc(func(context.Context, scan.File) (scan.Report, error) {
			return scan.Report{Verdict: scan.Malicious}, nil
		})
	})
	resp, err := w.ask(t.Context(), http.MethodGet, pageURL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("X-Hf-Warning"); !strings.Contains(got, "malicious") {
		t.Errorf("X-HF-Warning: %q", got)
	}
}
