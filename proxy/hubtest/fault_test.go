package hubtest_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

const faultSize = 200_000

// faultyRepo has one LFS file, whose content and link it returns.
func faultyRepo(t *testing.T, h *hubtest.Hub) (content []byte, resolve, link string) {
	t.Helper()
	content = bytes.Repeat([]byte("0123456789"), faultSize/10)
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
	return content, repo.ResolveURL("main", "m.bin"), repo.SignedURL("main", "m.bin")
}

func TestFaultsInContent(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	content, _, link := faultyRepo(t, h)
	corrupt := func(at int) []byte {
		b := bytes.Clone(content)
		b[at] ^= 0xff
		return b
	}
	tests := []struct {
		name      string
		fault     hubtest.Fault
		rangeSpec string
		status    int
		length    int64 // announced, -1 for none
		body      []byte
		broken    bool // the client notices
		partial   bool // body is a prefix of what the client must get at most
	}{
		{name: "corrupt", fault: hubtest.Fault{Content: hubtest.Corrupt(77)}, status: 200, length: faultSize, body: corrupt(77)},
		{name: "corrupt end", fault: hubtest.Fault{Content: hubtest.Corrupt(-1)}, status: 200, length: faultSize, body: corrupt(faultSize - 1)},
		{name: "corrupt in range", fault: hubtest.Fault{Content: hubtest.Corrupt(77)}, rangeSpec: "bytes=70-79", status: 206, length: 10, body: corrupt(77)[70:80]},
		{name: "corrupt outside range", fault: hubtest.Fault{Content: hubtest.Corrupt(77)}, rangeSpec: "bytes=80-89", status: 206, length: 10, body: content[80:90]},
		{name: "shorter", fault: hubtest.Fault{Content: hubtest.Resize(-5)}, status: 200, length: faultSize - 5, body: content[:faultSize-5]},
		{name: "longer", fault: hubtest.Fault{Content: hubtest.Resize(5)}, status: 200, length: faultSize + 5, body: append(bytes.Clone(content), 0, 0, 0, 0, 0)},
		{name: "replaced", fault: hubtest.Fault{Content: hubtest.Replace(hubtest.Bytes("evil"))}, status: 200, length: 4, body: []byte("evil")},
		{name: "length too small", fault: hubtest.Fault{LengthDelta: -7}, status: 200, length: faultSize - 7, body: content[:faultSize-7]},
		{name: "length too big", fault: hubtest.Fault{LengthDelta: 7}, status: 200, length: faultSize + 7, body: content, broken: true},
		{name: "range ignored", fault: hubtest.Fault{IgnoreRange: true}, rangeSpec: "bytes=10-19", status: 200, length: faultSize, body: content},
		{name: "chunked", fault: hubtest.Fault{Chunked: true}, status: 200, length: -1, body: content},
		{name: "chunked range", fault: hubtest.Fault{Chunked: true}, rangeSpec: "bytes=0-1", status: 206, length: -1, body: content[:2]},
		{name: "chunked cut", fault: hubtest.Fault{Chunked: true, After: 1000, Cut: hubtest.CutClose}, status: 200, length: -1, body: content[:1000], broken: true},
		{name: "cut", fault: hubtest.Fault{After: 100_000, Cut: hubtest.CutClose}, status: 200, length: faultSize, body: content[:100_000], broken: true},
		{name: "cut at once", fault: hubtest.Fault{Cut: hubtest.CutClose}, status: 200, length: faultSize, body: nil, broken: true},
		{name: "cut behind the end", fault: hubtest.Fault{After: faultSize, Cut: hubtest.CutClose}, status: 200, length: faultSize, body: content},
		{name: "reset", fault: hubtest.Fault{After: 100_000, Cut: hubtest.CutReset}, status: 200, length: faultSize, body: content[:100_000], broken: true, partial: true},
		{name: "status", fault: hubtest.Fault{Status: 503, Header: http.Header{"retry-after": {"3"}}, Body: "busy"}, status: 503, length: 4, body: []byte("busy")},
		{name: "status and length", fault: hubtest.Fault{Status: 200, Body: "1234", LengthDelta: 1}, status: 200, length: 5, body: []byte("1234"), broken: true},
	}
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				tt.fault.Role = hubtest.RoleCDN
				defer h.Fault(tt.fault)()
				h.ResetRequests()
				header := http.Header{}
				if tt.rangeSpec != "" {
					header.Set("Range", tt.rangeSpec)
				}
				a := do(t, c, "GET", link, header, "")
				if a.StatusCode != tt.status || a.ContentLength != tt.length {
					t.Errorf("status %d, length %d, want %d, %d", a.StatusCode, a.ContentLength, tt.status, tt.length)
				}
				if tt.partial {
					tt.body = tt.body[:min(len(tt.body), len(a.body))]
				}
				if !bytes.Equal(a.body, tt.body) || (a.err != nil) != tt.broken {
					t.Errorf("%d bytes, %v; want %d bytes, error %v", len(a.body), a.err, len(tt.body), tt.broken)
				}
				if tt.status == 503 && a.Header.Get("Retry-After") != "3" {
					t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
				}
				if err := h.WaitIdle(t.Context()); err != nil {
					t.Fatal(err)
				}
				r := h.Requests()[0]
				if r.Complete == tt.broken || r.Status != tt.status || !tt.partial && r.BytesSent != int64(len(tt.body)) {
					t.Errorf("record %+v", r)
				}
			})
		}
		if a := get(t, c, link); a.StatusCode != http.StatusOK || !bytes.Equal(a.body, content) {
			t.Errorf("without faults: %d, %d bytes", a.StatusCode, len(a.body))
		}
	})
}

func TestFaultBeforeTheHeader(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	_, _, link := faultyRepo(t, h)
	for _, mode := range []hubtest.CutMode{hubtest.CutClose, hubtest.CutReset} {
		remove := h.Fault(hubtest.Fault{After: -1, Cut: mode})
		if a, err := try(t, client(t, h, true), "GET", link, nil, ""); err == nil {
			t.Errorf("mode %d: status %d", mode, a.StatusCode)
		}
		remove()
		remove()
	}
}

func TestFaultSelection(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	_, resolve, link := faultyRepo(t, h)
	c := client(t, h, true)
	statuses := func(method, address string, n int) (got []int) {
		for range n {
			got = append(got, do(t, c, method, address, nil, "").StatusCode)
		}
		return got
	}
	equal := func(name string, got []int, want ...int) {
		t.Helper()
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", name, got, want)
				return
			}
		}
	}
	remove := h.Fault(hubtest.Fault{Role: hubtest.RoleHub, Method: "GET", Path: regexp.MustCompile(`/resolve/.*\.bin$`), Skip: 1, Times: 2, Status: 429})
	later := h.Fault(hubtest.Fault{Role: hubtest.RoleHub, Method: "GET", Status: 500, Times: 1})
	equal("HEAD", statuses("HEAD", resolve, 2), 302, 302)
	equal("CDN", statuses("GET", link, 1), 200)
	// The first fault skips one request, which the second takes.
	equal("GET", statuses("GET", resolve, 4), 500, 429, 429, 302)
	remove()
	later()
	defer h.Fault(hubtest.Fault{Host: "us.aws.cdn.hf.co", Match: func(r *http.Request) bool { return r.Header.Get("Range") == "bytes=1-2" }, Status: 502})()
	equal("other range", statuses("GET", link, 1), 200)
	if a := do(t, c, "GET", link, http.Header{"Range": {"bytes=1-2"}}, ""); a.StatusCode != http.StatusBadGateway {
		t.Errorf("matching range: %d", a.StatusCode)
	}
}

func TestFaultsInMetadata(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	_, resolve, _ := faultyRepo(t, h)
	c := client(t, h, false)
	remove := h.Fault(hubtest.Fault{Role: hubtest.RoleHub, Header: http.Header{"X-Linked-ETag": {`"00"`}, "x-repo-commit": nil}})
	a := do(t, c, "HEAD", resolve, nil, "")
	if a.StatusCode != http.StatusFound || a.Header.Get("X-Linked-Etag") != `"00"` || a.Header.Values("X-Repo-Commit") != nil || a.Header.Get("X-Linked-Size") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	remove()
	defer h.Fault(hubtest.Fault{ExpiredLinks: true})()
	batch := do(t, c, "POST", "https://huggingface.co/acme/m.git/info/lfs/objects/batch", nil,
		`{"operation":"download","objects":[{"oid":"`+strings.Trim(do(t, c, "HEAD", resolve, nil, "").Header.Get("X-Linked-Etag"), `"`)+`"}]}`)
	objects := decode[struct {
		Objects []struct {
			Actions struct{ Download struct{ Href string } }
		}
	}](t, batch).Objects
	for _, link := range []string{do(t, c, "GET", resolve, nil, "").Header.Get("Location"), objects[0].Actions.Download.Href} {
		if a := get(t, c, link); a.StatusCode != http.StatusForbidden || !strings.Contains(string(a.body), "Request has expired") {
			t.Errorf("expired link: %d %s", a.StatusCode, a.body)
		}
	}
}

func TestStallAndDelay(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	content, _, link := faultyRepo(t, h)
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		stall, delay, arrived := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
		defer h.Fault(hubtest.Fault{
			Role: hubtest.RoleCDN, Delay: delay, After: 1000, Stall: stall,
			Match: func(*http.Request) bool { arrived <- struct{}{}; return true },
		})()
		type result struct {
			resp *http.Response
			err  error
		}
		done := make(chan result)
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
			resp, err := c.Do(r)
			done <- result{resp, err}
		}()
		<-arrived
		select {
		case r := <-done:
			t.Fatalf("answered during the delay: %+v", r)
		default:
		}
		close(delay)
		r := <-done
		if r.err != nil {
			t.Fatal(r.err)
		}
		defer r.resp.Body.Close()
		head := make([]byte, 1000)
		if _, err := io.ReadFull(r.resp.Body, head); err != nil {
			t.Fatal(err)
		}
		close(stall)
		rest, err := io.ReadAll(r.resp.Body)
		if err != nil || !bytes.Equal(append(head, rest...), content) {
			t.Errorf("%d bytes, %v", len(head)+len(rest), err)
		}
	})
}

func TestStallEndsWithTheClient(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	_, _, link := faultyRepo(t, h)
	defer h.Fault(hubtest.Fault{After: 10, Stall: make(chan struct{})})()
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// Fails by the test's deadline if the handler stays.
		if err := h.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
