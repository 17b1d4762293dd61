package hubtest_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

func TestRoutes(t *testing.T) {
	h := startHub(t, hubtest.Options{PageSize: 3, Others: []string{"example.com"}})
	repo := tiny(t, h)
	if _, err := repo.Update("refs/pr/1", hubtest.Files{"config.json": hubtest.Bytes("{}")}); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Update("v1.0", hubtest.Files{"model.safetensors": nil}); err != nil {
		t.Fatal(err)
	}
	addRepo(t, h, hubtest.Repo{
		Type: hubtest.Dataset, ID: "acme/ds", CDN: "cdn-lfs.huggingface.co",
		Files: hubtest.Files{"data/train.parquet": hubtest.Bytes("PAR1....PAR1")},
	})
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
		{
			name: "small HEAD", method: "HEAD", url: repo.ResolveURL("main", "config.json"), status: 307,
			want: map[string]string{"Location": `/^/api/resolve-cache/models/acme/tiny/` + commit + `/config.json\?/`, "X-Repo-Commit": commit, "X-Linked-Etag": `"` + config.BlobID + `"`},
		},
		{
			name: "small cached", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", status: 200,
			want: map[string]string{"Etag": `"` + config.BlobID + `"`, "X-Repo-Commit": commit, "Content-Length": "2030", "Accept-Ranges": "bytes"}, bodyHas: "hidden_size",
		},
		{
			name: "small gzip", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", header: gz, status: 200,
			want: map[string]string{"Etag": `W/"` + config.BlobID + `"`, "Content-Encoding": "gzip", "Content-Length": ""},
		},
		{
			name: "small HEAD gzip", method: "HEAD", url: hub + "/api/resolve-cache/models/acme/tiny/" + commit + "/config.json", header: gz, status: 200,
			want: map[string]string{"Content-Encoding": "", "Content-Length": "2030"},
		},
		{
			name: "LFS HEAD", method: "HEAD", url: repo.ResolveURL("main", "model.safetensors"), status: 302,
			want: map[string]string{
				"Location": `/^https://us\.aws\.cdn\.hf\.co/xet-bridge-us/[0-9a-f]{24}/` + model.XetHash + `\?.*Signature=/`, "X-Repo-Commit": commit,
				"X-Linked-Size": "/^300[0-9]{3}$/", "X-Linked-Etag": `"` + hexSum(weights) + `"`, "X-Xet-Hash": model.XetHash,
				"Link": `/<https://huggingface.co/api/models/acme/tiny/xet-read-token/` + commit + `>; rel="xet-auth"/`,
			},
		},
		{
			name: "Xet file info", url: repo.ResolveURL("main", "model.safetensors"), header: http.Header{"Accept": {"application/vnd.xet-fileinfo+json, */*"}}, status: 200,
			want: map[string]string{"Content-Type": "/^application/vnd.xet-fileinfo\\+json/", "X-Xet-Hash": model.XetHash}, bodyHas: `"refreshUrl":"https://huggingface.co/api/models/acme/tiny/xet-read-token/` + commit,
		},
		{
			name: "LFS without Xet", method: "HEAD", url: hub + "/datasets/acme/ds/resolve/main/data/train.parquet", status: 302,
			want: map[string]string{"X-Xet-Hash": "", "Link": "", "X-Linked-Size": "12", "Location": `/^https://cdn-lfs\.huggingface\.co/repos/../../[0-9a-f]{64}/` + hexSum([]byte("PAR1....PAR1")) + `\?/`},
		},
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
		{
			name: "tree first page", url: hub + "/api/models/acme/tiny/tree/main?recursive=true", status: 200,
			want: map[string]string{"Link": `/^<https://huggingface.co/api/models/acme/tiny/tree/main\?.*cursor=3.*>; rel="next"$/`}, bodyHas: "a/b/deep.json",
		},
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
		{
			name: "LFS batch", method: "POST", url: hub + "/acme/tiny.git/info/lfs/objects/batch", body: `{"operation":"download","objects":[{"oid":"` + hexSum(weights) + `","size":1},{"oid":"ff","size":2}]}`, status: 200,
			want: map[string]string{"Content-Type": "application/vnd.git-lfs+json"}, bodyHas: `"href":"https://us.aws.cdn.hf.co/`,
		},
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

// TestOddPaths sends what no client sends; every answer must be an orderly
// refusal.
func TestOddPaths(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	tiny(t, h)
	c := client(t, h, true)
	for _, host := range []string{"huggingface.co", "us.aws.cdn.hf.co", "cas-server.xethub.hf.co", "transfer.xethub.hf.co"} {
		for _, p := range []string{
			"", "/", "//", "/api", "/api/", "/api/models", "/api/models/acme/tiny/tree", "/api/resolve-cache", "/api/resolve-cache/models/acme/tiny",
			"/v2", "/v2/acme", "/v2/acme/tiny/blobs", "/datasets", "/datasets/", "/spaces/a", "/acme", "/acme/tiny/resolve", "/acme/tiny/resolve/main",
			"/acme/tiny/resolve/refs/pr", "/acme/tiny/resolve/main/%00", "/acme/tiny/resolve/main/..%2f..%2fx", "/acme%2Ftiny", "/%ff/%ff",
			"/acme/tiny/info/refs", "/v1/reconstructions/", "/xorb/default/?X-Xet-Part=-1",
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
				a := do(t, c, method, "https://"+host+p, nil, "")
				if a.StatusCode >= http.StatusInternalServerError && a.StatusCode != http.StatusNotImplemented || a.err != nil {
					t.Errorf("%s %s%s: %d, %v", method, host, p, a.StatusCode, a.err)
				}
			}
		}
	}
}
