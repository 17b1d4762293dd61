package proxy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

// direct is a client without a proxy, as one with HF_ENDPOINT is.
func (s *stack) direct() *http.Client {
	tr := &http.Transport{}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// A client that is given the mirror for the Hub gets everything from there.
func TestMirror(t *testing.T) {
	for name, c := range map[string]struct{ url, path string }{
		"as asked":     {},
		"under a path": {"https://models.example/hf", "/hf"},
		"with a slash": {"", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, stackOptions{mirror: c.url, hub: hubtest.Options{PageSize: 2}})
			clean, evil := file("weights", 1, 100_000), file("EVIL", 2, 5000)
			s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
				"m.safetensors": hubtest.Bytes(clean), "evil.bin": hubtest.Bytes(evil), "config.json": hubtest.Bytes("{}"),
			}})
			at, client := "http://"+s.addr+c.path, s.direct()
			s.do(client, http.MethodGet, at+"/acme/model/resolve/main/m.safetensors").wants(t, clean)
			r := s.do(client, http.MethodHead, at+"/acme/model/resolve/main/m.safetensors")
			if r.StatusCode != http.StatusOK || r.ContentLength != int64(len(clean)) || r.Header.Get("X-Linked-Etag") == "" {
				t.Errorf("HEAD: %d, %d bytes, %v", r.StatusCode, r.ContentLength, r.Header)
			}
			r = s.do(client, http.MethodGet, at+"/acme/model/resolve/main/m.safetensors", "Range", "bytes=10-19")
			if r.StatusCode != http.StatusPartialContent || !bytes.Equal(r.body, clean[10:20]) {
				t.Errorf("range: %d %q", r.StatusCode, r.body)
			}
			s.do(client, http.MethodGet, at+"/acme/model/resolve/main/evil.bin").refused(t, "ModelwallBlocked")

			r = s.do(client, http.MethodGet, at+"/api/models/acme/model/tree/main?recursive=true")
			next, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Link"), "<"), ">")
			want := c.url
			if want == "" {
				want = "http://" + s.addr
			}
			if r.StatusCode != http.StatusOK || !strings.HasPrefix(next, want+"/api/") || bytes.Contains(r.body, []byte("xetHash")) {
				t.Errorf("tree: %d, next page at %q, %s", r.StatusCode, next, r.body)
			}
		})
	}
}

// The addresses in a batch lead to the mirror, and stay the ones that were
// promised: what is behind them is judged by its announced hash.
func TestMirrorLFS(t *testing.T) {
	s := newStack(t, stackOptions{})
	clean, evil := file("weights", 1, 100_000), file("EVIL", 2, 5000)
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(clean), "e.bin": hubtest.Bytes(evil)}})
	client := s.direct()
	for _, c := range []struct {
		path    string
		content []byte
	}{{"m.bin", clean}, {"e.bin", evil}} {
		body := fmt.Sprintf(`{"operation":"download","transfers":["basic"],"objects":[{"oid":"%x","size":%d}]}`, sha256.Sum256(c.content), len(c.content))
		resp, err := client.Post("http://"+s.addr+"/acme/model.git/info/lfs/objects/batch", "application/vnd.git-lfs+json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var batch struct {
			Objects []struct {
				Actions map[string]struct{ Href string }
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&batch)
		resp.Body.Close()
		if err != nil || len(batch.Objects) != 1 {
			t.Fatalf("%v, %+v", err, batch)
		}
		href := batch.Objects[0].Actions["download"].Href
		if u, err := url.Parse(href); err != nil || u.Host != s.addr {
			t.Fatalf("href %q leads past the mirror", href)
		}
		r := s.do(client, http.MethodGet, href)
		if c.path == "m.bin" {
			r.wants(t, c.content)
		} else {
			r.refused(t, "ModelwallBlocked")
		}
	}
}

// The mirror speaks for the Hub, for nobody else.
func TestMirrorIsNoOpenProxy(t *testing.T) {
	s := newStack(t, stackOptions{})
	client := s.direct()
	for _, path := range []string{"/-/169.254.169.254/latest/meta-data", "/-/example.org/x", "/-/huggingface.co/api/models", "/-/user@cdn-lfs.hf.co/x"} {
		if r := s.do(client, http.MethodGet, "http://"+s.addr+path); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if n := len(s.hub.Requests()); n != 0 {
		t.Errorf("%d requests left", n)
	}
}
