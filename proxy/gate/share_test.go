package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/scan"
)

// A pointer can promise one caller fewer bytes of the same content: a part of
// it is another file, that nobody inspected.
func TestPromisesOfDifferentSize(t *testing.T) {
	content := strings.Repeat("harmless as a whole ", 10)
	hold := make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		size := len(content)
		if strings.Contains(r.URL.Path, "short") {
			size = 10
		}
		lfs(rw, sum(content), size)
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
			<-hold
			return clean(ctx, f)
		})
		o.Hold = func() time.Duration { return 0 }
	})
	first, err := w.ask(t.Context(), http.MethodGet, fileURL)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	second, err := w.ask(t.Context(), http.MethodGet, "https://huggingface.co/acme/model/resolve/main/short.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	close(hold)
	if body, err := io.ReadAll(second.Body); err == nil || len(body) > 0 {
		t.Errorf("joined: %q, %v; want nothing and a break", body, err)
	}
	if body, err := io.ReadAll(first.Body); err != nil || string(body) != content {
		t.Errorf("the first: %d bytes, %v", len(body), err)
	}
	// From the store it is no better.
	if status, body, _ := w.get("https://huggingface.co/acme/model/resolve/main/short.bin"); status != http.StatusTeapot || body != "" || !errors.Is(w.lastError(), fetch.ErrMismatch) {
		t.Errorf("cached: %d %q, %v; want a mismatch", status, body, w.lastError())
	}
}

// Digests of another kind promise nothing, and do not make two blobs one.
func TestBlobsWithoutSHA256AreApart(t *testing.T) {
	hold := make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		body := "content of " + r.URL.Path
		rw.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if r.Method == http.MethodGet {
			io.WriteString(rw, body)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
			<-hold
			return clean(ctx, f)
		})
		o.Hold = func() time.Duration { return 0 }
	})
	const base = "https://huggingface.co/v2/acme/model/blobs/"
	one, err := w.ask(t.Context(), http.MethodGet, base+"sha512:1")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Body.Close()
	two, err := w.ask(t.Context(), http.MethodGet, base+"sha512:2")
	if err != nil {
		t.Fatal(err)
	}
	defer two.Body.Close()
	close(hold)
	for want, resp := range map[string]*http.Response{"1": one, "2": two} {
		if body, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(body), want) {
			t.Errorf("blob %s: %q, %v", want, body, err)
		}
	}
}

// What has no hash may depend on who asks: callers do not share it.
func TestContentWithoutNameIsNotShared(t *testing.T) {
	hold := make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		body := "for " + r.Header.Get("Authorization")
		rw.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if r.Method == http.MethodGet {
			io.WriteString(rw, body)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
			<-hold
			return clean(ctx, f)
		})
		o.Hold = func() time.Duration { return 0 }
	})
	alice, err := w.ask(t.Context(), http.MethodGet, fileURL, "Authorization", "alice")
	if err != nil {
		t.Fatal(err)
	}
	defer alice.Body.Close()
	bob, err := w.ask(t.Context(), http.MethodGet, fileURL, "Authorization", "bobby")
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Body.Close()
	close(hold)
	if body, err := io.ReadAll(bob.Body); err != nil || string(body) != "for bobby" {
		t.Errorf("bob got %q, %v", body, err)
	}
}

// A panic in an inspector is the end of one download, not of the process.
func TestPanicInAJob(t *testing.T) {
	const content = "content"
	var calm atomic.Bool
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
			if !calm.Load() {
				panic("boom")
			}
			return clean(ctx, f)
		})
	})
	for _, u := range []string{fileURL, "https://huggingface.co/acme/model"} {
		if status, body, _ := w.get(u); status != http.StatusTeapot || body != "" || !strings.Contains(fmt.Sprint(w.lastError()), "boom") {
			t.Errorf("%s: %d %q, %v; want an error", u, status, body, w.lastError())
		}
		if r := w.record(); r.Decision != audit.DecisionError || !strings.Contains(r.Error, "boom") {
			t.Errorf("%s: record %+v", u, r)
		}
	}
	calm.Store(true)
	if status, body, err := w.get(fileURL); status != 200 || body != content {
		t.Errorf("afterwards %d %q, %v", status, body, err)
	}
}

// A job that nobody waited for any more, and that is slow to end, is not
// joined: whoever comes back starts anew.
func TestComingBackAfterTheGrace(t *testing.T) {
	const content = "content"
	stuck, inspecting, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Inspector = inspectFunc(func(ctx context.Context, f scan.File) (scan.Report, error) {
			if calls.Add(1) > 1 {
				return clean(ctx, f)
			}
			close(inspecting)
			<-ctx.Done()
			close(stopped)
			<-stuck
			return scan.Report{}, ctx.Err()
		})
		o.Hold = func() time.Duration { return 0 }
	})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := w.ask(ctx, http.MethodGet, fileURL)
	if err != nil {
		t.Fatal(err)
	}
	<-inspecting // headers may leave before it
	cancel()
	resp.Body.Close()
	<-stopped
	defer close(stuck)
	if status, body, err := w.get(fileURL); status != 200 || body != content {
		t.Errorf("%d %q, %v, %v; want the content", status, body, err, w.lastError())
	}
}

// The upstream refuses the signature of whoever came first; the second has a
// good one.
func TestRefusalOfAnother(t *testing.T) {
	const content = "content"
	asked, joined := make(chan struct{}, 1), make(chan struct{})
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Range") != "":
			rw.Header().Set("Content-Range", fmt.Sprintf("bytes 0-0/%d", len(content)))
			rw.WriteHeader(http.StatusPartialContent)
			io.WriteString(rw, content[:1])
			if r.URL.RawQuery == "sig=good" {
				close(joined)
			}
		case r.URL.RawQuery == "sig=old":
			select {
			case asked <- struct{}{}:
				<-joined
			default:
			}
			http.Error(rw, "expired", http.StatusForbidden)
		default:
			io.WriteString(rw, content)
		}
	}, nil)
	const at = "https://cdn-lfs.hf.co/repos/x"
	w.gate.Promised("cdn-lfs.hf.co", "/repos/x", Promise{SHA256: sum(content), Size: int64(len(content))})
	first := make(chan int)
	go func() {
		status, _, _ := w.get(at + "?sig=old")
		first <- status
	}()
	<-asked
	if status, body, err := w.get(at + "?sig=good"); status != 200 || body != content {
		t.Errorf("%d %q, %v, %v; want the content", status, body, err, w.lastError())
	}
	if status := <-first; status != http.StatusTeapot {
		t.Errorf("the first got %d", status)
	}
}

// The Hub promised something, the content host says there is nothing.
func TestPromiseOfNothing(t *testing.T) {
	const content = "content"
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" {
			rw.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(content))
	}, nil)
	const at = "https://cdn-lfs.hf.co/repos/x"
	w.gate.Promised("cdn-lfs.hf.co", "/repos/x", Promise{SHA256: sum(content), Size: int64(len(content))})
	if status, body, _ := w.get(at + "?signed"); status != 200 || body != content {
		t.Fatalf("%d %q", status, body)
	}
	if status, body, _ := w.get(at); status != http.StatusTeapot || body != "" {
		t.Errorf("%d %q, want an error", status, body)
	}
}
