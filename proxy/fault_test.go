package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"modelwall/proxy/gate"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/store"
)

const faultURL = "https://huggingface.co/acme/model/resolve/main/m.bin"

// clean fails the test unless a failed download has left nothing behind.
func (s *stack) clean(t *testing.T) {
	t.Helper()
	if n := s.blobs(); n != 0 {
		t.Errorf("%d blobs are kept", n)
	}
	if leaks := s.hub.Leaks(); len(leaks) > 0 {
		t.Errorf("tokens went to %+v", leaks)
	}
}

// What TestUpstreamFaults leaves out: each ends in an answer or in a break that
// the client sees, whatever the size of the file, and the next download is right.
func TestMoreUpstreamFaults(t *testing.T) {
	never := make(chan struct{})
	for name, c := range map[string]struct {
		fault  hubtest.Fault
		status int // of a small file; a large one may break off instead
	}{
		"reset again and again": {hubtest.Fault{Role: hubtest.RoleCDN, After: 100, Cut: hubtest.CutReset}, 502},
		"cut before the header": {hubtest.Fault{Role: hubtest.RoleCDN, After: -1, Cut: hubtest.CutClose}, 502},
		"503 for ever":          {hubtest.Fault{Role: hubtest.RoleCDN, Status: 503}, 503},
		"500 for ever":          {hubtest.Fault{Role: hubtest.RoleCDN, Status: 500}, 500},
		"throttled CDN": {hubtest.Fault{
			Role: hubtest.RoleCDN, Status: 429, Header: http.Header{"Retry-After": {"3600"}},
		}, 429},
		"every link has expired":  {hubtest.Fault{Role: hubtest.RoleHub, ExpiredLinks: true}, 403},
		"changed after HEAD":      {hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Corrupt(70)}, 502},
		"packed":                  {hubtest.Fault{Role: hubtest.RoleCDN, Header: http.Header{"Content-Encoding": {"gzip"}}}, 502},
		"packed and cut":          {hubtest.Fault{Role: hubtest.RoleCDN, Header: http.Header{"Content-Encoding": {"gzip"}}, Chunked: true, After: 100, Cut: hubtest.CutClose}, 502},
		"announces too little":    {hubtest.Fault{Role: hubtest.RoleCDN, LengthDelta: -100}, 502},
		"announces too much":      {hubtest.Fault{Role: hubtest.RoleCDN, LengthDelta: 100}, 502},
		"no length, and cut":      {hubtest.Fault{Role: hubtest.RoleCDN, Chunked: true, After: 100, Cut: hubtest.CutClose}, 502},
		"no answer":               {hubtest.Fault{Role: hubtest.RoleCDN, Delay: never}, 504},
		"an answer without bytes": {hubtest.Fault{Role: hubtest.RoleCDN, Stall: never}, 504},
		"stops in the middle":     {hubtest.Fault{Role: hubtest.RoleCDN, After: 100, Stall: never}, 504},
	} {
		for _, size := range []int{1000, large} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				s := newStack(t, stackOptions{stall: 20 * time.Millisecond, grace: time.Millisecond})
				content := file("weights", 1, size)
				// LFS, so that the content host serves it.
				s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
				remove := s.hub.Fault(c.fault)
				got := s.get(faultURL)
				switch {
				case got.err == nil && got.StatusCode == http.StatusOK:
					t.Errorf("200 and %d bytes without an error", len(got.body))
				case size == 1000 && got.StatusCode != c.status:
					t.Errorf("status %d (%.200s, %v), want %d", got.StatusCode, got.body, got.err, c.status)
				}
				s.clean(t)
				remove()
				s.get(faultURL).wants(t, content)
			})
		}
	}
}

// streams counts the requests for content that want its first byte.
func (s *stack) streams() (n int) {
	for _, r := range s.hub.Requests() {
		if r.Role == hubtest.RoleCDN && (r.Range == "" || strings.HasPrefix(r.Range, "bytes=0-")) {
			n++
		}
	}
	return n
}

// A thousand clients that want one thing cost one fetch and one inspection.
func TestAThousandClients(t *testing.T) {
	s := newStack(t, stackOptions{})
	content := file("weights", 1, 100_000)
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
	s.inspector.hold = make(chan struct{})
	var wg sync.WaitGroup
	const clients = 1000
	for range clients {
		wg.Go(func() {
			r := s.get(faultURL)
			if r.err != nil || r.StatusCode != 200 || !bytes.Equal(r.body, content) {
				t.Errorf("%d, %d bytes, %v", r.StatusCode, len(r.body), r.err)
			}
		})
	}
	for len(heads(s)) < clients {
		<-time.After(10 * time.Millisecond)
	}
	close(s.inspector.hold)
	wg.Wait()
	if fetches, inspections := s.cdn(), s.inspector.count(); fetches != 1 || inspections != 1 {
		t.Errorf("%d fetches and %d inspections, want one of each", fetches, inspections)
	}
}

// A client that reads a byte now and then keeps neither the fetch from ending
// nor another client from its file, and the body is not held in memory for it.
func TestSlowClient(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP2 ", h2), func(t *testing.T) {
			s := newStack(t, stackOptions{})
			const size = 64 << 20
			content := hubtest.Synthetic(1, size)
			s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": content}})
			resp, err := s.newClient(h2).Get(faultURL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			one := make([]byte, 1)
			if _, err := io.ReadFull(resp.Body, one); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			fetched(t, s.newClient(h2), faultURL, size)
			s.stored(t, content) // the job has ended, the slow client has not
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > size/4 {
				t.Errorf("%d bytes more are in memory while a client is slow", grown)
			}
			if n := s.streams(); n != 1 {
				t.Errorf("the content was fetched %d times", n)
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if err != nil || n != size-1 {
				t.Errorf("the slow client got %d bytes more, %v", n, err)
			}
		})
	}
}

// open returns what the process has open, besides the connections of the
// database, which has a pool of them.
func open(t *testing.T) (names []string) {
	t.Helper()
	const dir = "/proc/self/fd"
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Skip("descriptors are counted in /proc")
	}
	for _, e := range list {
		name, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && !strings.Contains(filepath.Base(name), "modelwall.db") {
			names = append(names, name)
		}
	}
	return names
}

// After a burst, with clients that leave and answers that break among it, there
// are as many goroutines and descriptors as before.
func TestNothingIsLeft(t *testing.T) {
	s := newStack(t, stackOptions{grace: time.Millisecond})
	const files = 30
	for i := range files {
		s.add(hubtest.Repo{ID: fmt.Sprint("acme/model", i), Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", uint64(i), large))}})
	}
	url := func(i int) string {
		return fmt.Sprintf("https://huggingface.co/acme/model%d/resolve/main/m.bin", i)
	}
	rest := func() {
		s.client.CloseIdleConnections()
		s.up.CloseIdleConnections()
	}
	s.get(url(0)) // what stays open for good is open now
	rest()
	goroutines, descriptors := runtime.NumGoroutine(), open(t)
	s.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, Skip: 3, Times: 5, After: 1000, Cut: hubtest.CutReset})
	var wg sync.WaitGroup
	for i := range files {
		wg.Go(func() {
			client := s.newClient(i%2 == 0)
			defer client.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url(i), nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if i%3 > 0 { // the others leave
				_, _ = io.Copy(io.Discard, resp.Body)
			}
		})
	}
	wg.Wait()
	patience := time.After(2 * time.Minute)
	for {
		rest()
		g, d := runtime.NumGoroutine(), open(t)
		if g <= goroutines && len(d) <= len(descriptors) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-patience:
			t.Fatalf("%d goroutines, there were %d; open is\n%q\nand was\n%q", g, goroutines, d, descriptors)
		}
	}
}

// movedSpool is a store whose downloads arrive on another disk.
type movedSpool struct {
	*store.Blobs
	dir string
}

func (m movedSpool) SpoolDir() string { return m.dir }

// Adopt and Quarantine move nothing: the spool is elsewhere.
func (m movedSpool) Adopt(context.Context, string, string) error { return errors.New("elsewhere") }

func (m movedSpool) Quarantine(context.Context, string, string) error { return errors.New("elsewhere") }

// A disk that becomes full in the middle of a download is a clear answer or a
// visible break, and its space is free again for the next one.
func TestDiskFullInTheMiddle(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a disk of 2 MiB needs root (proxy/fetch has the same with /dev/full): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := newStack(t, stackOptions{grace: time.Millisecond, blobs: func(b *store.Blobs) gate.Blobs { return movedSpool{b, disk} }})
	for name, size := range map[string]int{"small": 3 << 20, "large": large} {
		id := "acme/" + name
		s.add(hubtest.Repo{ID: id, Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", uint64(size), size))}})
		got := s.get("https://huggingface.co/" + id + "/resolve/main/m.bin")
		if got.err == nil && (got.StatusCode != http.StatusInsufficientStorage || got.Header.Get("X-Error-Code") != "ModelwallDisk") {
			t.Errorf("%s: %d %.200s, want 507 or a break", name, got.StatusCode, got.body)
		}
		if strings.Contains(string(got.body), disk) {
			t.Errorf("%s: internals are shown to the client: %s", name, got.body)
		}
		s.clean(t)
		for { // the job ends after its client
			left, err := os.ReadDir(disk)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			select {
			case <-time.After(10 * time.Millisecond):
			case <-t.Context().Done():
				t.Fatalf("%s: the full disk still holds %v", name, left)
			}
		}
	}
}
