package gate

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"modelwall/scan"
)

// While the verdict is open, bytes that are harmless by themselves leave one by
// one, up to the first that is not.
func TestDrip(t *testing.T) {
	content := strings.Repeat("harmless ", 1000)
	const bad = 12 // the prefix of this length does something
	for name, verdict := range map[string]scan.Verdict{"clean": scan.Clean, "malicious": scan.Malicious} {
		t.Run(name, func(t *testing.T) {
			hold, seen := make(chan struct{}), make(chan int64, bad)
			w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
				lfs(rw, sum(content), len(content))
				if r.Method == http.MethodGet {
					io.WriteString(rw, content)
				}
			}, func(o *Options) {
				o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
					if f.Size == int64(len(content)) {
						<-hold
						return scan.Report{Verdict: verdict}, nil
					}
					seen <- f.Size // a prefix is asked about once
					if f.Size < bad {
						return scan.Report{Verdict: scan.Undetermined}, nil
					}
					return scan.Report{Verdict: scan.Malicious, Findings: []scan.Finding{{Severity: scan.SeverityMalicious}}}, nil
				})
				o.Hold = func() time.Duration { return 0 }
				o.Drip = time.Millisecond
			})
			resp, err := w.ask(t.Context(), http.MethodGet, fileURL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got := make([]byte, bad-1)
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != content[:bad-1] {
				t.Fatalf("%q, %v; want what is cleared", got, err)
			}
			for n := range int64(bad) {
				if size := <-seen; size != n+1 {
					t.Fatalf("a prefix of %d bytes was inspected, want %d", size, n+1)
				}
			}
			close(hold)
			rest, err := io.ReadAll(resp.Body)
			if verdict == scan.Clean && (err != nil || string(rest) != content[bad-1:]) {
				t.Errorf("the rest: %d bytes, %v", len(rest), err)
			}
			if verdict == scan.Malicious && (err == nil || len(rest) > 0) {
				t.Errorf("%d more bytes, %v; want a break", len(rest), err)
			}
		})
	}
}

// What was looked at has to begin with the file.
func TestDripFarRange(t *testing.T) {
	opened := make(chan struct{})
	close(opened)
	far := &release{off: maxDrip, subject: &subject{size: -1}, job: &job{opened: opened}}
	if n, err := far.drop(make([]byte, 1)); n != 0 || err != nil || !far.drip.over {
		t.Errorf("%d bytes, %v, over %v; want none, and none later", n, err, far.drip.over)
	}
}
