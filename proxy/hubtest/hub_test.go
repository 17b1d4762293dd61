package hubtest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "hf_alice" // granted
	bob   = "hf_bob"   // valid, granted nothing
)

func startHub(t *testing.T, opts hubtest.Options) *hubtest.Hub {
	t.Helper()
	h, err := hubtest.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	h.AddToken(bob, "bob")
	return h
}

func addRepo(t *testing.T, h *hubtest.Hub, r hubtest.Repo) *hubtest.RepoHandle {
	t.Helper()
	handle, err := h.AddRepo(r)
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// client follows no redirect; with h1 it does not offer HTTP/2.
func client(t *testing.T, h *hubtest.Hub, h1 bool) *http.Client {
	t.Helper()
	c := h.Client()
	transport := c.Transport.(*http.Transport)
	if h1 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	transport.DisableCompression = true
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// eachProtocol runs f as a subtest with a client of each protocol.
func eachProtocol(t *testing.T, h *hubtest.Hub, f func(t *testing.T, c *http.Client)) {
	t.Helper()
	for name, h1 := range map[string]bool{"h1": true, "h2": false} {
		t.Run(name, func(t *testing.T) { f(t, client(t, h, h1)) })
	}
}

type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func do(t *testing.T, c *http.Client, method, address string, header http.Header, body string) answer {
	t.Helper()
	a, err := try(t, c, method, address, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return a
}

func try(t *testing.T, c *http.Client, method, address string, header http.Header, body string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	return a, nil
}

func get(t *testing.T, c *http.Client, address string) answer {
	t.Helper()
	return do(t, c, http.MethodGet, address, nil, "")
}

func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("body %.200q: %v", a.body, err)
	}
	return v
}

var weights = sample.Safetensors(1, 300_000)

func tiny(t *testing.T, h *hubtest.Hub) *hubtest.RepoHandle {
	t.Helper()
	return addRepo(t, h, hubtest.Repo{
		ID: "acme/tiny", Aliases: []string{"tiny"}, Xet: true,
		Files: hubtest.Files{
			"config.json":       hubtest.Bytes(`{"hidden_size": 64, "pad": "` + strings.Repeat("x", 2000) + `"}`),
			"model.safetensors": hubtest.Bytes(weights),
			"sub dir/é.txt":     hubtest.Bytes("naïve\n"),
			"a/b/deep.json":     hubtest.Bytes("[1]"),
			"empty.py":          hubtest.Bytes(""),
		},
	})
}

func TestDownloadFollowsRedirects(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	repo := tiny(t, h)
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		c.CheckRedirect = nil
		for p, want := range map[string][]byte{"model.safetensors": weights, "sub dir/é.txt": []byte("naïve\n"), "empty.py": {}} {
			a := get(t, c, repo.ResolveURL("main", p))
			if a.StatusCode != 200 || !bytes.Equal(a.body, want) || a.err != nil {
				t.Errorf("%s: status %d, %d bytes, %v", p, a.StatusCode, len(a.body), a.err)
			}
		}
	})
	if err := h.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	protocols := map[string]bool{}
	for _, r := range h.Requests() {
		protocols[r.Proto] = true
		if !r.Complete || r.Host != r.SNI || r.Host != r.Target {
			t.Errorf("request %+v", r)
		}
	}
	if !protocols["HTTP/1.1"] || !protocols["HTTP/2.0"] {
		t.Errorf("protocols %v", protocols)
	}
	h.ResetRequests()
	if n := len(h.Requests()); n != 0 {
		t.Errorf("%d requests after ResetRequests", n)
	}
}

func TestRoutes(t *testing.T) {
	h := startHub(t, hubtest.Options{PageSize: 3, Others: []string{"example.com"}})
	repo := tiny(t, h)
	if _, err := repo.Update("refs/pr/1", hubtest.Files{"config.json": hubtest.Bytes("{}")}); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Update("v1.0", hubtest.Files{"model.safetensors": nil}); err != nil {
		t.Fatal(err)
	}
	addRepo(t, h, hubtest.Repo{Type: hubtest.Dataset, ID: "acme/ds", CDN: "cdn-lfs.huggingface.co",
		Files: hubtest.Files{"data/train.parquet": hubtest.Bytes("PAR1....PAR1")}})
	gguf := sample.GGUF(1, 4000)
	addRepo(t, h, hubtest.Repo{ID: "acme/gguf", Files: hubtest.Files{"tiny-Q4_K_M.gguf": hubtest.Bytes(gguf), "tiny-Q8_0.gguf": hubtest.Bytes("GGUFx")}})
	model, _ := repo.File("main", "model.safetensors")
	config, _ := repo.File("main", "config.json")
	commit := repo.Commit("main")
	const hub = "https://huggingface.co"
	gz := http.Header{"Accept-Encoding": {"gzip"}}
	tests := []struct {
		name, method, url string
		header            http.Header
		body              string
		status            int
		want              map[string]string // header -> exact value, or /regexp/
		bodyHas           string
	}{
		{name: "small HEAD", method: "HEAD", url: repo.ResolveURL("main", "config.json"), status: 307,
			want: map[string]string{"Location": `/^/api/resolve-cache/models/acme/tiny/` + commit + `/config.json\?/`, "X-Repo-Commit": commit, "X-Linked-Etag": `"` + config.BlobID + `"`}},
		{name: "small cached", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", status: 200,
			want: map[string]string{"Etag": `"` + config.BlobID + `"`, "X-Repo-Commit": commit, "Content-Length": "2030", "Accept-Ranges": "bytes"}, bodyHas: "hidden_size"},
		{name: "small gzip", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", header: gz, status: 200,
			want: map[string]string{"Etag": `W/"` + config.BlobID + `"`, "Content-Encoding": "gzip", "Content-Length": ""}},
		{name: "small HEAD gzip", method: "HEAD", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", header: gz, status: 200,
			want: map[string]string{"Content-Encoding": "", "Content-Length": "2030"}},
		{name: "LFS HEAD", method: "HEAD", url: repo.ResolveURL("main", "model.safetensors"), status: 302,
			want: map[string]string{
				"Location": `/^https://us\.aws\.cdn\.hf\.co/xet-bridge-us/[0-9a-f]{24}/` + model.XetHash + `\?.*Signature=/`, "X-Repo-Commit": commit,
				"X-Linked-Size": "/^300[0-9]{3}$/", "X-Linked-Etag": `"` + hexSum(weights) + `"`, "X-Xet-Hash": model.XetHash,
				"Link": `/<https://huggingface.co/api/models/acme/tiny/xet-read-token/` + commit + `>; rel="xet-auth"/`}},
		{name: "Xet file info", url: repo.ResolveURL("main", "model.safetensors"), header: http.Header{"Accept": {"application/vnd.xet-fileinfo+json, */*"}}, status: 200,
			want: map[string]string{"Content-Type": "/^application/vnd.xet-fileinfo\\+json/", "X-Xet-Hash": model.XetHash}, bodyHas: `"refreshUrl":"https://huggingface.co/api/models/acme/tiny/xet-read-token/` + commit},
		{name: "LFS without Xet", method: "HEAD", url: hub + "/datasets/acme/ds/resolve/main/data/train.parquet", status: 302,
			want: map[string]string{"X-Xet-Hash": "", "Link": "", "X-Linked-Size": "12", "Location": `/^https://cdn-lfs\.huggingface\.co/repos/../../[0-9a-f]{64}/` + hexSum([]byte("PAR1....PAR1")) + `\?/`}},
		{name: "raw pointer", url: hub + "/acme/tiny/raw/main/model.safetensors", status: 200, bodyHas: "oid sha256:" + hexSum(weights)},
		{name: "revision with slashes", method: "HEAD", url: hub + "/acme/tiny/resolve/refs/pr/1/config.json", status: 307, want: map[string]string{"X-Repo-Commit": repo.Commit("refs/pr/1")}},
		{name: "revision escaped", method: "HEAD", url: repo.ResolveURL("refs/pr/1", "config.json"), status: 307, want: map[string]string{"X-Repo-Commit": repo.Commit("refs/pr/1")}},
		{name: "short commit", method: "HEAD", url: repo.ResolveURL(commit[:8], "config.json"), status: 307, want: map[string]string{"X-Repo-Commit": commit}},
		{name: "no entry", url: repo.ResolveURL("v1.0", "model.safetensors"), status: 404, want: map[string]string{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.Commit("v1.0")}},
		{name: "no revision", url: repo.ResolveURL("nope", "config.json"), status: 404, want: map[string]string{"X-Error-Code": "RevisionNotFound"}},
		{name: "no repository", url: hub + "/acme/none/resolve/main/x", status: 401, want: map[string]string{"X-Error-Code": "", "Www-Authenticate": "/^Bearer /"}},
		{name: "no repository with token", url: hub + "/api/models/acme/none", header: bearer(bob), status: 404, want: map[string]string{"X-Error-Code": "RepoNotFound"}, bodyHas: `{"error":"Repository not found"}`},
		{name: "bad token", url: hub + "/api/models/acme/tiny", header: bearer("hf_nobody"), status: 401, want: map[string]string{"X-Error-Message": "Invalid credentials in Authorization header"}},
		{name: "old name", url: hub + "/api/models/tiny?blobs=true", status: 307, want: map[string]string{"Location": "/api/models/acme/tiny?blobs=true"}},
		{name: "old name resolve", url: hub + "/tiny/resolve/main/config.json", status: 307, want: map[string]string{"Location": "/acme/tiny/resolve/main/config.json"}},
		{name: "wrong case", url: hub + "/Acme/Tiny/resolve/main/config.json", status: 307, want: map[string]string{"Location": "/acme/tiny/resolve/main/config.json"}},
		{name: "hf.co", url: "https://hf.co/acme/tiny/resolve/main/config.json?x=1", status: 307, want: map[string]string{"Location": hub + "/acme/tiny/resolve/main/config.json?x=1"}},
		{name: "info", url: hub + "/api/models/acme/tiny", status: 200, bodyHas: `"sha":"` + commit},
		{name: "info gzip", url: hub + "/api/models/acme/tiny?blobs=true&securityStatus=true", header: gz, status: 200, want: map[string]string{"Content-Encoding": "gzip", "Content-Length": ""}},
		{name: "revision", url: hub + "/api/models/acme/tiny/revision/refs%2Fpr%2F1", status: 200, bodyHas: `"sha":"` + repo.Commit("refs/pr/1")},
		{name: "tree first page", url: hub + "/api/models/acme/tiny/tree/main?recursive=true", status: 200,
			want: map[string]string{"Link": `/^<https://huggingface.co/api/models/acme/tiny/tree/main\?.*cursor=3.*>; rel="next"$/`}, bodyHas: "a/b/deep.json"},
		{name: "tree of nothing", url: hub + "/api/models/acme/tiny/tree/main/nope", status: 404, want: map[string]string{"X-Error-Code": "EntryNotFound"}},
		{name: "tree top", url: hub + "/api/models/acme/tiny/tree/main/sub%20dir", status: 200, want: map[string]string{"Link": ""}, bodyHas: "sub dir/é.txt"},
		{name: "paths-info JSON", method: "POST", url: hub + "/api/models/acme/tiny/paths-info/main", header: http.Header{"Content-Type": {"application/json"}}, body: `{"paths":["model.safetensors","a","nope"],"expand":true}`, status: 200, bodyHas: `"xetHash":"` + model.XetHash},
		{name: "paths-info form", method: "POST", url: hub + "/api/models/acme/tiny/paths-info/main", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, body: "paths=model.safetensors&expand=False", status: 200, bodyHas: `"oid":"` + model.SHA256},
		{name: "refs", url: hub + "/api/models/acme/tiny/refs", status: 200, bodyHas: `"ref":"refs/tags/v1.0"`},
		{name: "security", url: hub + "/api/models/acme/tiny?securityStatus=true", status: 200, bodyHas: `"securityRepoStatus":{"filesWithIssues":[],"scansDone":true}`},
		{name: "whoami", url: hub + "/api/whoami-v2", header: bearer(bob), status: 200, bodyHas: `"name":"bob"`},
		{name: "whoami anonymous", url: hub + "/api/whoami-v2", status: 401},
		{name: "Xet token", url: hub + "/api/models/acme/tiny/xet-read-token/main", status: 200, want: map[string]string{"X-Xet-Cas-Url": "https://cas-server.xethub.hf.co", "X-Xet-Access-Token": "/^xet\\./"}},
		{name: "Xet token without Xet", url: hub + "/api/models/acme/gguf/xet-read-token/main", status: 404},
		{name: "CAS without token", url: "https://cas-server.xethub.hf.co/v2/reconstructions/" + model.XetHash, status: 401},
		{name: "transfer unsigned", url: "https://transfer.xethub.hf.co/xorb/default/" + model.XetHash, status: 403},
		{name: "manifest", url: "https://hf.co/v2/acme/gguf/manifests/q4_k_m", status: 200, want: map[string]string{"Docker-Content-Digest": "/^sha256:[0-9a-f]{64}$/"}, bodyHas: `"digest":"sha256:` + hexSum(gguf)},
		{name: "manifest latest", url: hub + "/v2/acme/gguf/manifests/latest", header: http.Header{"User-Agent": {"llama-cpp"}}, status: 200, bodyHas: `"rfilename":"tiny-Q4_K_M.gguf"`},
		{name: "manifest unknown tag", url: hub + "/v2/acme/gguf/manifests/q2", status: 400},
		{name: "blob", url: hub + "/v2/acme/gguf/blobs/sha256:" + hexSum(gguf), status: 307, want: map[string]string{"Location": "/acme/gguf/resolve/main/tiny-Q4_K_M.gguf"}},
		{name: "blob of the Hub", url: hub + "/v2/acme/gguf/blobs/sha256:" + hexSum([]byte(`{"stop":["<|end|>"]}`)), status: 200, bodyHas: "stop"},
		{name: "blob unknown", url: hub + "/v2/acme/gguf/blobs/sha256:00", status: 404},
		{name: "LFS batch", method: "POST", url: hub + "/acme/tiny.git/info/lfs/objects/batch", body: `{"operation":"download","objects":[{"oid":"` + hexSum(weights) + `","size":1},{"oid":"ff","size":2}]}`, status: 200,
			want: map[string]string{"Content-Type": "application/vnd.git-lfs+json"}, bodyHas: `"href":"https://us.aws.cdn.hf.co/`},
		{name: "LFS upload", method: "POST", url: hub + "/acme/tiny.git/info/lfs/objects/batch", body: `{"operation":"upload","objects":[]}`, status: 403},
		{name: "git without the program", url: hub + "/acme/tiny/info/refs?service=git-upload-pack", status: 501},
		{name: "page", url: hub + "/acme/tiny", status: 200, want: map[string]string{"Content-Type": "/^text/html/"}},
		{name: "no page", url: hub + "/acme/tiny/discussions", status: 404},
		{name: "other host", url: "https://example.com/x", status: 200, bodyHas: "example.com"},
	}
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				method := tt.method
				if method == "" {
					method = "GET"
				}
				a := do(t, c, method, tt.url, tt.header, tt.body)
				if a.StatusCode != tt.status || a.err != nil {
					t.Errorf("status %d, want %d; %v", a.StatusCode, tt.status, a.err)
				}
				for name, want := range tt.want {
					got := a.Header.Get(name)
					ok := got == want
					if strings.HasPrefix(want, "/") && strings.HasSuffix(want, "/") {
						ok = regexp.MustCompile(want[1 : len(want)-1]).MatchString(got)
					}
					if !ok {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if !strings.Contains(string(a.body), tt.bodyHas) {
					t.Errorf("body %.300q lacks %q", a.body, tt.bodyHas)
				}
			})
		}
	})
}

func TestTreePages(t *testing.T) {
	h := startHub(t, hubtest.Options{PageSize: 2})
	tiny(t, h)
	c := client(t, h, true)
	next := regexp.MustCompile(`<(.*)>; rel="next"`)
	var paths []string
	address := "https://huggingface.co/api/models/acme/tiny/tree/main?recursive=true&expand=false"
	for address != "" {
		a := get(t, c, address)
		for _, e := range decode[[]struct{ Path string }](t, a) {
			paths = append(paths, e.Path)
		}
		address = ""
		if m := next.FindStringSubmatch(a.Header.Get("Link")); m != nil {
			address = m[1]
		}
	}
	want := "a a/b a/b/deep.json config.json empty.py model.safetensors sub dir sub dir/é.txt"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("paths %q, want %q", got, want)
	}
}

func TestAccess(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	files := hubtest.Files{"config.json": hubtest.Bytes("{}"), "m.gguf": hubtest.Bytes("GGUF")}
	addRepo(t, h, hubtest.Repo{ID: "acme/gated", Gated: true, Tokens: []string{alice}, Files: files})
	addRepo(t, h, hubtest.Repo{ID: "acme/private", Private: true, Tokens: []string{alice}, Files: files})
	c := client(t, h, false)
	tests := []struct {
		method, path           string
		anonymous, bob, alice  int
		codeAnonymous, codeBob string
	}{
		{"GET", "/acme/gated/resolve/main/m.gguf", 401, 403, 302, "GatedRepo", "GatedRepo"},
		{"HEAD", "/acme/gated/resolve/main/config.json", 401, 403, 307, "GatedRepo", "GatedRepo"},
		{"GET", "/api/models/acme/gated", 200, 200, 200, "", ""},
		{"GET", "/api/models/acme/gated/tree/main", 200, 200, 200, "", ""},
		{"POST", "/api/models/acme/gated/paths-info/main", 200, 200, 200, "", ""},
		{"GET", "/api/models/acme/gated/auth-check", 401, 403, 200, "GatedRepo", "GatedRepo"},
		{"GET", "/v2/acme/gated/manifests/latest", 401, 403, 200, "GatedRepo", "GatedRepo"},
		{"GET", "/acme/gated/info/refs?service=git-upload-pack", 401, 401, 501, "", ""},
		{"GET", "/acme/private/resolve/main/m.gguf", 401, 404, 302, "", "RepoNotFound"},
		{"GET", "/api/models/acme/private", 401, 404, 200, "", "RepoNotFound"},
		{"GET", "/api/models/acme/private/tree/main", 401, 404, 200, "", "RepoNotFound"},
	}
	for _, tt := range tests {
		for token, want := range map[string]struct {
			status int
			code   string
		}{"": {tt.anonymous, tt.codeAnonymous}, bob: {tt.bob, tt.codeBob}, alice: {tt.alice, ""}} {
			a := do(t, c, tt.method, "https://huggingface.co"+tt.path, bearer(token), "")
			if a.StatusCode != want.status || a.Header.Get("X-Error-Code") != want.code {
				t.Errorf("%s %s with %q: %d %q, want %d %q", tt.method, tt.path, token, a.StatusCode, a.Header.Get("X-Error-Code"), want.status, want.code)
			}
		}
	}
}

func TestCDN(t *testing.T) {
	for _, host := range []string{"us.aws.cdn.hf.co", "cas-bridge.xethub.hf.co", "cdn-lfs.huggingface.co"} {
		t.Run(host, func(t *testing.T) {
			h := startHub(t, hubtest.Options{})
			repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", CDN: host, Files: hubtest.Files{"m.bin": hubtest.Bytes("0123456789")}})
			link := repo.SignedURL("main", "m.bin")
			c := client(t, h, false)
			whole := get(t, c, link)
			if string(whole.body) != "0123456789" || whole.Header.Get("Accept-Ranges") != "bytes" {
				t.Fatalf("%d %q", whole.StatusCode, whole.body)
			}
			etag := whole.Header.Get("Etag")
			if etag == "" || strings.Contains(etag, hexSum([]byte("0123456789"))) {
				t.Errorf("ETag %q", etag)
			}
			for _, tt := range []struct {
				name, url, header, value string
				status                   int
				body                     string
			}{
				{"first bytes", link, "Range", "bytes=0-3", 206, "0123"},
				{"suffix", link, "Range", "bytes=-2", 206, "89"},
				{"open end", link, "Range", "bytes=8-", 206, "89"},
				{"past the end", link, "Range", "bytes=9-50", 206, "9"},
				{"outside", link, "Range", "bytes=10-", 416, ""},
				{"unchanged", link, "If-None-Match", etag, 304, ""},
				{"changed", link, "If-Match", `"x"`, 412, ""},
				{"bad signature", strings.Replace(link, "Signature=", "Signature=0", 1), "", "", 403, ""},
				{"other file", strings.Replace(link, "?", "0?", 1), "", "", 403, ""},
				{"unsigned", link[:strings.IndexByte(link, '?')], "", "", 403, ""},
			} {
				header := http.Header{}
				if tt.header != "" {
					header.Set(tt.header, tt.value)
				}
				a := do(t, c, "GET", tt.url, header, "")
				if a.StatusCode != tt.status || tt.body != "" && string(a.body) != tt.body {
					t.Errorf("%s: %d %q", tt.name, a.StatusCode, a.body)
				}
			}
			multi := do(t, c, "GET", link, http.Header{"Range": {"bytes=0-1,4-5"}}, "")
			if multi.StatusCode != 206 || !strings.HasPrefix(multi.Header.Get("Content-Type"), "multipart/byteranges") {
				t.Errorf("two ranges: %d %s", multi.StatusCode, multi.Header.Get("Content-Type"))
			}
			if n := len(h.Leaks()); n != 0 {
				t.Errorf("%d leaks", n)
			}
			want := 200
			if host == "cas-bridge.xethub.hf.co" {
				want = 400
			}
			if a := do(t, c, "GET", link, bearer(bob), ""); a.StatusCode != want {
				t.Errorf("with Authorization: %d, want %d", a.StatusCode, want)
			}
			if n := len(h.Leaks()); n != 1 {
				t.Errorf("%d leaks, want 1", n)
			}
		})
	}
}

func TestHop(t *testing.T) {
	h := startHub(t, hubtest.Options{ProxyAuth: "user:secret", Others: []string{"Example.com"}})
	tiny(t, h)
	if a := get(t, client(t, h, true), "https://huggingface.co/api/models/acme/tiny"); a.StatusCode != 200 {
		t.Errorf("status %d", a.StatusCode)
	}
	for _, address := range []string{"https://pypi.org/", "https://huggingface.co:8443/", "https://127.0.0.1/"} {
		if a, err := try(t, client(t, h, true), "GET", address, nil, ""); err == nil {
			t.Errorf("%s: status %d", address, a.StatusCode)
		}
	}
	if a := get(t, client(t, h, true), "http://huggingface.co/x?y=1"); a.StatusCode != 301 || a.Header.Get("Location") != "https://huggingface.co/x?y=1" {
		t.Errorf("plain HTTP: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	// Without the password, and to another host inside a tunnel.
	c := client(t, h, true)
	u, err := url.Parse(h.ProxyURL())
	if err != nil || u.User.String() != "user:secret" {
		t.Fatalf("proxy %v, %v", u, err)
	}
	u.User = nil
	c.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
	if a, err := try(t, c, "GET", "https://huggingface.co/", nil, ""); err == nil {
		t.Errorf("without password: %d", a.StatusCode)
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "https://huggingface.co/api/models/acme/tiny", nil)
	r.Host = "us.aws.cdn.hf.co"
	resp, err := client(t, h, true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 421 {
		t.Errorf("other Host in a tunnel: %d", resp.StatusCode)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", Files: hubtest.Files{"m.bin": hubtest.Bytes(make([]byte, 1<<20))}})
	h.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: 1000, Stall: make(chan struct{})})
	silent, err := net.Dial("tcp", strings.TrimPrefix(h.ProxyURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var bodies []io.ReadCloser
	for _, h1 := range []bool{true, false} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", repo.SignedURL("main", "m.bin"), nil)
		resp, err := client(t, h, h1).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	ca := h.CAFile()
	if data, err := os.ReadFile(ca); err != nil || !bytes.Equal(data, h.CAPEM()) {
		t.Errorf("CA file: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	for _, b := range bodies {
		if n, err := io.Copy(io.Discard, b); err == nil || n > 1000 {
			t.Errorf("stalled body gave %d bytes, %v", n, err)
		}
		b.Close()
	}
	if _, err := os.Stat(ca); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("CA file after Close: %v", err)
	}
	if err := h.WaitIdle(context.Background()); err != nil {
		t.Error(err)
	}
}
