package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/gate"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// large is past what the gate proves before its first byte.
const large = 5 << 20

func TestDownload(t *testing.T) {
	s := newStack(t, stackOptions{})
	small, big := []byte(`{"model_type": "llama"}`), file("weights", 1, large)
	s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
		"config.json": hubtest.Bytes(small), "model.safetensors": hubtest.Bytes(big), "empty.txt": hubtest.Bytes(nil),
		"sub dir/weights (v1).bin": hubtest.Bytes(small),
	}})
	const base = "https://huggingface.co/acme/model/resolve/main/"
	for _, c := range []struct {
		name   string
		client *http.Client
	}{{"HTTP/2", s.client}, {"HTTP/1.1", s.newClient(false)}} {
		t.Run(c.name, func(t *testing.T) {
			for path, want := range map[string][]byte{
				"config.json": small, "model.safetensors": big, "empty.txt": {}, "sub%20dir/weights%20(v1).bin": small,
			} {
				head := s.do(c.client, http.MethodHead, base+path)
				if head.StatusCode != 200 || head.ContentLength != int64(len(want)) || head.Header.Get("X-Repo-Commit") == "" {
					t.Errorf("HEAD %s: %d, %d bytes, header %v", path, head.StatusCode, head.ContentLength, head.Header)
				}
				get := s.do(c.client, http.MethodGet, base+path)
				get.wants(t, want)
				for _, k := range []string{"X-Repo-Commit", "Etag", "X-Linked-Etag", "X-Linked-Size", "Accept-Ranges"} {
					if get.Header.Get(k) != head.Header.Get(k) {
						t.Errorf("%s: %s is %q on GET, %q on HEAD", path, k, get.Header.Get(k), head.Header.Get(k))
					}
				}
				for k := range get.Header {
					if strings.HasPrefix(k, "X-Xet-") || k == "Location" {
						t.Errorf("%s: header %s came through", path, k)
					}
				}
			}
			if got := s.do(c.client, http.MethodHead, base+"model.safetensors").Header; got.Get("X-Linked-Size") != fmt.Sprint(large) || len(got.Get("X-Linked-Etag")) != 66 {
				t.Errorf("LFS metadata is missing: %v", got)
			}
		})
	}
	if leaks := s.hub.Leaks(); len(leaks) > 0 {
		t.Errorf("tokens leaked: %+v", leaks)
	}
}

func TestCachedDownload(t *testing.T) {
	s := newStack(t, stackOptions{})
	big := file("weights", 1, large)
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(big), "c.json": hubtest.Bytes("{}")}})
	const base = "https://huggingface.co/acme/model/resolve/main/"
	s.get(base+"m.bin").wants(t, big)
	s.get(base+"c.json").wants(t, []byte("{}"))
	fetched, inspected := s.cdn(), s.inspector.count()

	s.get(base+"m.bin").wants(t, big)
	s.get(base+"c.json").wants(t, []byte("{}"))
	for _, c := range []struct{ ask, want string }{
		{"bytes=0-0", string(big[:1])},
		{"bytes=100-199", string(big[100:200])},
		{"bytes=-5", string(big[large-5:])},
		{fmt.Sprintf("bytes=%d-%d", large-10, large+10), string(big[large-10:])},
	} {
		if r := s.get(base+"m.bin", "Range", c.ask); r.StatusCode != 206 || string(r.body) != c.want {
			t.Errorf("Range %s: %d, %d bytes", c.ask, r.StatusCode, len(r.body))
		}
	}
	if r := s.get(base+"m.bin", "Range", fmt.Sprintf("bytes=%d-", large)); r.StatusCode != 416 {
		t.Errorf("a range past the end: %d, want 416", r.StatusCode)
	}
	etag := s.get(base + "m.bin").Header.Get("Etag")
	if r := s.get(base+"m.bin", "If-None-Match", etag); r.StatusCode != 304 || len(r.body) != 0 {
		t.Errorf("If-None-Match: %d with %d bytes, want 304", r.StatusCode, len(r.body))
	}
	if s.cdn() != fetched || s.inspector.count() != inspected {
		t.Errorf("%d requests for content and %d inspections after the first download", s.cdn()-fetched, s.inspector.count()-inspected)
	}
}

func TestBlocked(t *testing.T) {
	s := newStack(t, stackOptions{})
	for _, size := range []int{1000, large} {
		s.add(hubtest.Repo{ID: fmt.Sprintf("evil/m%d", size), Files: hubtest.Files{
			"m.pkl": hubtest.Bytes(file("EVIL", uint64(size), size)), "m.json": hubtest.Bytes(file("EVIL", 7, 300)),
		}})
		base := fmt.Sprintf("https://huggingface.co/evil/m%d/resolve/main/", size)
		for _, path := range []string{"m.pkl", "m.json"} {
			if head := s.do(s.client, http.MethodHead, base+path); head.StatusCode != 200 {
				t.Errorf("HEAD = %d, want 200: clients misreport a HEAD that fails", head.StatusCode)
			}
			s.get(base+path).refused(t, "ModelwallBlocked")
			// Sticky, whatever part is asked for.
			s.get(base+path, "Range", "bytes=0-99").refused(t, "ModelwallBlocked")
			s.get(base+path, "Range", "bytes=100-").refused(t, "ModelwallBlocked")
			s.get(base+path, "If-None-Match", `"x"`).refused(t, "ModelwallBlocked")
		}
	}
	if n := s.blobs(); n != 0 {
		t.Errorf("%d blobs are kept of blocked files", n)
	}
	for _, r := range s.downloads.all() {
		if r.Decision != "block" || r.Verdict != scan.Malicious || r.SHA256 == "" || r.Status != 403 {
			t.Errorf("audit record %+v", r)
		}
	}
}

func TestQuarantineAndRelease(t *testing.T) {
	for _, word := range []string{"ODD", "HUH"} {
		t.Run(word, func(t *testing.T) {
			s := newStack(t, stackOptions{})
			content := file(word, 1, 5000)
			s.add(hubtest.Repo{ID: "some/model", Files: hubtest.Files{"m.pkl": hubtest.Bytes(content)}})
			const url = "https://huggingface.co/some/model/resolve/main/m.pkl"
			first := s.get(url)
			first.refused(t, "ModelwallQuarantined")
			s.get(url).refused(t, "ModelwallQuarantined")

			ctx := context.Background()
			held, err := s.store.ListQuarantine(ctx, store.QuarantineFilter{})
			if err != nil || len(held) != 1 || !held[0].Held || held[0].Repo != "some/model" || held[0].Path != "m.pkl" {
				t.Fatalf("quarantine = %+v, %v", held, err)
			}
			if !strings.Contains(first.Header.Get("X-Error-Message"), held[0].ID) {
				t.Errorf("the message %q does not name %s", first.Header.Get("X-Error-Message"), held[0].ID)
			}
			if err := s.store.Release(ctx, held[0].ID, "reviewed", "test", time.Now()); err != nil {
				t.Fatal(err)
			}
			s.get(url).wants(t, content)
			if err := s.store.Revoke(ctx, held[0].ID, "second thoughts", "test", time.Now()); err != nil {
				t.Fatal(err)
			}
			s.get(url).refused(t, "ModelwallQuarantined")
		})
	}
}

func TestMonitor(t *testing.T) {
	rules := defaultRules
	rules.Monitor = true
	s := newStack(t, stackOptions{rules: rules})
	content := file("EVIL", 1, 5000)
	s.add(hubtest.Repo{ID: "evil/model", Files: hubtest.Files{"m.pkl": hubtest.Bytes(content)}})
	for range 2 {
		r := s.get("https://huggingface.co/evil/model/resolve/main/m.pkl")
		r.wants(t, content)
		if w := r.Header.Get("X-Hf-Warning"); !strings.HasPrefix(w, "modelwall; ") || strings.ContainsAny(w, "\r\n") {
			t.Errorf("X-HF-Warning = %q", w)
		}
	}
	for _, r := range s.downloads.all() {
		if r.Decision != "would_block" || r.Verdict != scan.Malicious {
			t.Errorf("audit record %+v", r)
		}
	}
}

func TestRepositoryRules(t *testing.T) {
	rules := defaultRules
	rules.DenyRepos = []string{"evil/*"}
	s := newStack(t, stackOptions{rules: rules})
	for _, id := range []string{"evil/model", "good/model"} {
		s.add(hubtest.Repo{ID: id, Files: hubtest.Files{"m.pkl": hubtest.Bytes("I1\n.")}})
	}
	s.get("https://huggingface.co/evil/model/resolve/main/m.pkl").refused(t, "ModelwallRepositoryDenied")
	s.get("https://huggingface.co/good/model/resolve/main/m.pkl").wants(t, []byte("I1\n."))
}

const (
	alice = "hf_aliceAliceAliceAliceAliceAlice"
	bob   = "hf_bobBobBobBobBobBobBobBobBobBob"
)

func TestTenancy(t *testing.T) {
	s := newStack(t, stackOptions{})
	s.hub.AddToken(bob, "bob")
	content := file("weights", 1, 5000)
	for _, r := range []hubtest.Repo{
		{ID: "acme/gated", Gated: true, Tokens: []string{alice}, CDN: "cas-bridge.xethub.hf.co"},
		{ID: "acme/private", Private: true, Tokens: []string{alice}},
	} {
		r.Files = hubtest.Files{"m.bin": hubtest.Bytes(content), "c.json": hubtest.Bytes("{}")}
		s.add(r)
		for _, path := range []string{"m.bin", "c.json"} {
			url := "https://huggingface.co/" + r.ID + "/resolve/main/" + path
			warm := s.get(url, "Authorization", "Bearer "+alice)
			if warm.StatusCode != 200 {
				t.Fatalf("%s with the right token: %d", url, warm.StatusCode)
			}
			for name, header := range map[string][]string{"anonymous": nil, "another user": {"Authorization", "Bearer " + bob}} {
				got := s.get(url, header...)
				if got.StatusCode < 400 || got.StatusCode > 404 || bytes.Equal(got.body, warm.body) {
					t.Errorf("%s, cached, to %s: %d", url, name, got.StatusCode)
				}
				if got.StatusCode != 401 && got.Header.Get("X-Error-Code") == "" {
					t.Errorf("%s to %s: the Hub's X-Error-Code is lost", url, name)
				}
			}
			if again := s.get(url, "Authorization", "Bearer "+alice); again.StatusCode != 200 {
				t.Errorf("%s, cached, with the right token: %d", url, again.StatusCode)
			}
		}
	}
	if leaks := s.hub.Leaks(); len(leaks) > 0 {
		t.Errorf("tokens leaked: %+v", leaks)
	}
	for _, r := range s.downloads.all() {
		if strings.Contains(fmt.Sprintf("%+v", r), "hf_") {
			t.Errorf("a token is in the audit record %+v", r)
		}
	}
}

func TestOneInspectionForAll(t *testing.T) {
	s := newStack(t, stackOptions{})
	content := file("weights", 1, large)
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
	s.inspector.hold = make(chan struct{})
	var wg sync.WaitGroup
	const clients, step = 8, large / 8
	for i := range clients {
		wg.Go(func() {
			from, to := i*step, (i+1)*step
			r := s.get("https://huggingface.co/acme/model/resolve/main/m.bin", "Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
			if r.StatusCode != 206 || !bytes.Equal(r.body, content[from:to]) {
				t.Errorf("part %d: %d, %d bytes, %v", i, r.StatusCode, len(r.body), r.err)
			}
		})
	}
	// All have asked the Hub before the verdict is there.
	for len(heads(s)) < clients {
		<-time.After(time.Millisecond)
	}
	close(s.inspector.hold)
	wg.Wait()
	if n := s.inspector.count(); n != 1 {
		t.Errorf("%d inspections, want 1", n)
	}
	whole := 0
	for _, r := range s.hub.Requests() {
		if r.Role == hubtest.RoleCDN && r.Range == "" {
			whole++
		}
	}
	if whole != 1 {
		t.Errorf("the content was fetched %d times, want once", whole)
	}
}

func heads(s *stack) (list []hubtest.Request) {
	for _, r := range s.hub.Requests() {
		if r.Method == http.MethodHead && r.Role == hubtest.RoleHub {
			list = append(list, r)
		}
	}
	return list
}

// Headers are out before the verdict; the body follows it, or never comes.
func TestHold(t *testing.T) {
	for _, c := range []struct {
		word string
		size int
		ok   bool
	}{{"weights", 1000, true}, {"weights", large, true}, {"EVIL", 1000, false}, {"EVIL", large, false}} {
		for _, h2 := range []bool{true, false} {
			t.Run(fmt.Sprint(c.word, c.size, h2), func(t *testing.T) {
				s := newStack(t, stackOptions{hold: time.Millisecond})
				content := file(c.word, 1, c.size)
				s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
				s.inspector.hold = make(chan struct{})
				resp, err := s.newClient(h2).Get("https://huggingface.co/acme/model/resolve/main/m.bin")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != 200 || resp.ContentLength != int64(c.size) {
					t.Fatalf("%d, %d bytes", resp.StatusCode, resp.ContentLength)
				}
				close(s.inspector.hold)
				body, err := io.ReadAll(resp.Body)
				if c.ok && (err != nil || !bytes.Equal(body, content)) {
					t.Errorf("%d bytes, %v; want the content", len(body), err)
				}
				if !c.ok && (err == nil || len(body) > 0) {
					t.Errorf("%d bytes, %v; want a broken connection and nothing", len(body), err)
				}
				if !c.ok {
					s.get("https://huggingface.co/acme/model/resolve/main/m.bin").refused(t, "ModelwallBlocked")
				}
			})
		}
	}
}

func TestUpstreamFaults(t *testing.T) {
	content := file("weights", 1, large)
	for name, c := range map[string]struct {
		fault  hubtest.Fault
		status int // 200 for the whole file, 0 for a break
	}{
		"cut once":             {hubtest.Fault{Role: hubtest.RoleCDN, Times: 1, After: 1 << 20, Cut: hubtest.CutReset}, 200},
		"cut again and again":  {hubtest.Fault{Role: hubtest.RoleCDN, After: 1000, Cut: hubtest.CutClose}, 0},
		"503 for a moment":     {hubtest.Fault{Role: hubtest.RoleCDN, Times: 2, Status: 503}, 200},
		"corrupt":              {hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Corrupt(large / 2)}, 0},
		"corrupt at the end":   {hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Corrupt(-1)}, 0},
		"too short":            {hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Resize(-100)}, 502},
		"too long":             {hubtest.Fault{Role: hubtest.RoleCDN, Content: hubtest.Resize(100)}, 502},
		"ranges are ignored":   {hubtest.Fault{Role: hubtest.RoleCDN, IgnoreRange: true}, 200},
		"no length":            {hubtest.Fault{Role: hubtest.RoleCDN, Chunked: true}, 200},
		"an expired link":      {hubtest.Fault{Role: hubtest.RoleHub, Method: http.MethodHead, Times: 1, ExpiredLinks: true}, 200},
		"Hub is down":          {hubtest.Fault{Role: hubtest.RoleHub, Status: 503, Body: "maintenance"}, 503},
		"Hub drops everything": {hubtest.Fault{Role: hubtest.RoleHub, After: -1, Cut: hubtest.CutReset}, 502},
		"throttled":            {hubtest.Fault{Role: hubtest.RoleHub, Status: 429, Header: http.Header{"Retry-After": {"7"}}}, 429},
		"redirect elsewhere": {hubtest.Fault{Role: hubtest.RoleHub, Status: 302, Header: http.Header{
			"Location": {"https://evil.example/x"}, "X-Linked-Etag": {`"x"`},
		}}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, stackOptions{})
			s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
			remove := s.hub.Fault(c.fault)
			const url = "https://huggingface.co/acme/model/resolve/main/m.bin"
			got := s.get(url)
			switch {
			case c.status == 200:
				got.wants(t, content)
			case c.status == 0 && (got.err == nil || bytes.Equal(got.body, content)):
				t.Errorf("status %d with %d bytes and no error: the break is not visible", got.StatusCode, len(got.body))
			case c.status != 0 && got.StatusCode != c.status:
				t.Errorf("status %d (%s), want %d", got.StatusCode, got.body, c.status)
			}
			if c.status == 429 && got.Header.Get("Retry-After") != "7" {
				t.Error("Retry-After is lost")
			}
			if c.status == 503 && string(got.body) != "maintenance" {
				t.Errorf("body %q, want the Hub's", got.body)
			}
			if c.status != 200 {
				if n := s.blobs(); n != 0 {
					t.Errorf("%d blobs are kept", n)
				}
				if all := s.downloads.all(); len(all) != 1 || all[0].Decision != audit.DecisionError || all[0].Error == "" {
					t.Errorf("audit records %+v", all)
				}
			}
			remove()
			s.get(url).wants(t, content)
		})
	}
}

func TestStalledUpstream(t *testing.T) {
	s := newStack(t, stackOptions{stall: 50 * time.Millisecond})
	content := file("weights", 1, large)
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
	s.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, Times: 1, After: 2 << 20, Stall: make(chan struct{})})
	s.get("https://huggingface.co/acme/model/resolve/main/m.bin").wants(t, content)
}

// A client that leaves ends the fetch when nobody else waits for it.
func TestClientLeaves(t *testing.T) {
	s := newStack(t, stackOptions{grace: time.Millisecond, hold: time.Millisecond})
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", 1, large))}})
	s.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: 1 << 20, Stall: make(chan struct{})})
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://huggingface.co/acme/model/resolve/main/m.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	// The Hub's handler ends when its client, the proxy, hangs up.
	if err := s.hub.WaitIdle(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// brokenSpool is a store whose disk can not be written.
type brokenSpool struct {
	*store.Blobs
	dir string
}

func (b brokenSpool) SpoolDir() string { return b.dir }

func TestDiskFull(t *testing.T) {
	s := newStack(t, stackOptions{blobs: func(b *store.Blobs) gate.Blobs { return brokenSpool{b, "/dev/null/spool"} }})
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", 1, 1000))}})
	got := s.get("https://huggingface.co/acme/model/resolve/main/m.bin")
	if got.StatusCode != http.StatusInsufficientStorage || got.Header.Get("X-Error-Code") != "ModelwallDisk" {
		t.Errorf("%d %s, want 507", got.StatusCode, got.body)
	}
	if strings.Contains(string(got.body), "/dev/null") {
		t.Errorf("internals are shown to the client: %s", got.body)
	}
}
