package proxy_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/gate"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// stopped is an inspector that keeps its verdict to itself until it is told.
type stopped struct {
	gate.Inspector
	judged  chan judgement
	release chan struct{}
}

type judgement struct {
	scan.Report
	at time.Time
}

func (s stopped) Inspect(ctx context.Context, f scan.File) (scan.Report, error) {
	r, err := s.Inspector.Inspect(ctx, f)
	select {
	case s.judged <- judgement{r, time.Now()}:
	case <-ctx.Done():
		return r, ctx.Err()
	}
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return r, err
}

// giants are models of 10 GiB, and how they are judged.
func giants(t testing.TB) map[string]giant {
	checkpoint := sample.FarCheckpoint(500, 21<<20)
	// One local header says something else than the directory: not far from
	// the middle of the file, where no other byte is looked at.
	bent := hubtest.Corrupt(checkpoint.Find("archive/data/250") + int64(len("archive/data/")))(checkpoint)
	list := map[string]giant{
		"pytorch_model.bin": {checkpoint, scan.Clean},
		"bent.bin":          {bent, scan.Suspicious},
		"model.safetensors": {sample.FarSafetensors(500, 21<<20), scan.Clean},
		"model.gguf":        {sample.FarGGUF(20_000, 500, 21<<20), scan.Clean},
	}
	for name, g := range list {
		if g.content.Size() < 10<<30 {
			t.Fatalf("%s has %d bytes", name, g.content.Size())
		}
	}
	return list
}

type giant struct {
	content hubtest.Content
	want    scan.Verdict
}

// TestVerdictOfAGiant: a verdict about 10 GiB takes six requests and a megabyte,
// and nothing leaves before it is there.
func TestVerdictOfAGiant(t *testing.T) {
	for name, g := range giants(t) {
		t.Run(name, func(t *testing.T) {
			inspector := stopped{engine.New(all.Scanners(), engine.Limits{TempDir: t.TempDir()}), make(chan judgement), make(chan struct{})}
			s := newStack(t, stackOptions{inspector: inspector, grace: time.Millisecond})
			s.addGiant(name, g)
			done := s.begin(t, name)
			got := <-inspector.judged
			if err := s.hub.WaitIdle(t.Context()); err != nil {
				t.Fatal(err)
			}
			requests, read := s.cost()
			t.Logf("%d requests, %d bytes", requests, read)
			if got.Verdict != g.want {
				t.Errorf("verdict = %v (%s), want %v; findings %+v", got.Verdict, got.Error, g.want, got.Findings)
			}
			if g.want == scan.Clean && (requests > 6 || read > 1<<20) {
				t.Errorf("%d requests and %d bytes, want at most 6 and %d", requests, read, 1<<20)
			}
			select {
			case r := <-done:
				t.Errorf("there is an answer before the verdict: %+v", r)
			default:
			}
			close(inspector.release)
			r := <-done
			if want := map[bool]int{true: 200, false: 403}[g.want == scan.Clean]; r.err != nil || r.status != want {
				t.Errorf("status %d, %v, want %d", r.status, r.err, want)
			}
		})
	}
}

// Where an upstream serves one range at a time, the verdict is the same, and
// costs a request for each local header.
func TestVerdictWithoutParts(t *testing.T) {
	for name, g := range giants(t) {
		t.Run(name, func(t *testing.T) {
			inspector := stopped{engine.New(all.Scanners(), engine.Limits{TempDir: t.TempDir()}), make(chan judgement), make(chan struct{})}
			s := newStack(t, stackOptions{inspector: inspector, grace: time.Millisecond})
			s.addGiant(name, g)
			s.hub.Fault(hubtest.Fault{
				Role: hubtest.RoleCDN, Status: http.StatusRequestedRangeNotSatisfiable,
				Match: func(r *http.Request) bool { return strings.Contains(r.Header.Get("Range"), ",") },
			})
			done := s.begin(t, name)
			got := <-inspector.judged
			if err := s.hub.WaitIdle(t.Context()); err != nil {
				t.Fatal(err)
			}
			requests, read := s.cost()
			t.Logf("%d requests, %d bytes", requests, read)
			if got.Verdict != g.want || read > 2<<20 {
				t.Errorf("verdict = %v (%s) after %d bytes, want %v; findings %+v", got.Verdict, got.Error, read, g.want, got.Findings)
			}
			close(inspector.release)
			<-done
		})
	}
}

// BenchmarkVerdict measures the time from a request to the verdict about 10 GiB,
// at a Hub in this machine and at one 40 ms away, whose distance it counts in
// round trips:
//
//	go test -run '^$' -bench Verdict -benchtime 5x ./proxy
func BenchmarkVerdict(b *testing.B) {
	const rtt = 40 * time.Millisecond
	for name, g := range giants(b) {
		if g.want != scan.Clean {
			continue
		}
		for _, away := range []time.Duration{0, rtt} {
			b.Run(name+map[bool]string{true: "/near", false: "/40ms"}[away == 0], func(b *testing.B) {
				var took time.Duration
				for b.Loop() {
					b.StopTimer()
					inspector := stopped{engine.New(all.Scanners(), engine.Limits{TempDir: b.TempDir()}), make(chan judgement), make(chan struct{})}
					s := newStack(b, stackOptions{inspector: inspector, grace: time.Millisecond, hub: hubtest.Options{Wire: hubtest.Wire{RTT: away}}})
					s.add(hubtest.Repo{ID: "acme/first", Files: hubtest.Files{"a.gguf": hubtest.Bytes(sample.GGUF(1, 1000))}})
					go s.get("https://huggingface.co/acme/first/resolve/main/a.gguf") // connections are open now
					<-inspector.judged
					s.addGiant(name, g)
					b.StartTimer()
					began := time.Now()
					done := s.begin(b, name)
					took += (<-inspector.judged).at.Sub(began)
					b.StopTimer()
					close(inspector.release)
					<-done
					b.StartTimer()
				}
				b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/verdict")
				if away > 0 {
					b.ReportMetric(took.Seconds()/float64(b.N)/rtt.Seconds(), "round-trips")
				}
			})
		}
	}
}

func (s *stack) addGiant(name string, g giant) {
	s.t.Helper()
	// Nobody reads all of it.
	s.add(hubtest.Repo{ID: "acme/giant", Files: hubtest.Files{name: hubtest.Known(g.content, sha256.Sum256([]byte(name)))}})
}

// begun is what a client has when the header is there.
type begun struct {
	status int
	err    error
}

// begin asks for a file and leaves once the answer begins.
func (s *stack) begin(t testing.TB, name string) <-chan begun {
	done := make(chan begun, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://huggingface.co/acme/giant/resolve/main/"+name, nil)
		if err != nil {
			done <- begun{err: err}
			return
		}
		resp, err := s.newClient(false).Do(req)
		if err != nil {
			done <- begun{err: err}
			return
		}
		resp.Body.Close()
		done <- begun{status: resp.StatusCode}
	}()
	return done
}

// cost is how many requests the Hub and its content hosts have seen, and how
// many bytes they have sent.
func (s *stack) cost() (requests int, bytes int64) {
	list := slices.DeleteFunc(s.hub.Requests(), func(r hubtest.Request) bool { return r.Role == hubtest.RoleOther })
	for _, r := range list {
		bytes += r.BytesSent
	}
	return len(list), bytes
}
