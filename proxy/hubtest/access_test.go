package hubtest_test

import (
	"net/http"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

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
			if multi.StatusCode != http.StatusPartialContent || !strings.HasPrefix(multi.Header.Get("Content-Type"), "multipart/byteranges") {
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
