package hub

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzClassify checks what has to hold for every path: metadata is never
// ambiguous, never has a resolve route in it, and does not become a file when
// a server normalises the path first.
func FuzzClassify(f *testing.F) {
	for _, seed := range []string{
		"/", "/gpt2/resolve/main/config.json", "/datasets/a/b/raw/main/x%20y", "/api/models/a/b/tree/refs%2Fpr%2F1/x",
		"/api/resolve-cache/models/a/b/" + someCommit + "/x", "/v2/a/b/blobs/sha256:" + someSHA, "/v2/a/b/manifests/latest",
		"/a/b.git/info/lfs/objects/batch", "/a/b.git/info/refs?service=git-upload-pack", "/a/b/git-upload-pack",
		"/a%2Fb%2F%72esolve/main/../x;y", "/API/models/a/b/xet-read-token/main", "/api/datasets/a/b/parquet/c/s/0.parquet",
		"/api/models/a%2Fcompare%2Fz", `/a\b/resolve//x`, "/buckets/a/b/resolve/x%2Fy", "/datasets/a/b/tree/main/raw/x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Skip()
		}
		for _, host := range []string{"huggingface.co", "cdn-lfs.hf.co", "datasets-server.huggingface.co"} {
			r := Classify(http.MethodGet, host, u)
			if r.Kind.Refused() && r.Kind == Unknown {
				t.Fatalf("%q on %s is unknown", target, host)
			}
			if r.Ambiguous && r.Kind.IsMetadata() {
				t.Fatalf("%q is ambiguous %v", target, r.Kind)
			}
			for _, c := range []byte(r.String()) {
				if c < ' ' || c > '~' {
					t.Fatalf("%q is logged as %q", target, r.String())
				}
			}
			if r.SHA256 != lowerHex(r.SHA256, 64) {
				t.Fatalf("%q has the hash %q", target, r.SHA256)
			}
		}
		r := Classify(http.MethodGet, "huggingface.co", u)
		if !r.Kind.IsMetadata() {
			return
		}
		// At the very front it is the name of a user.
		before, after, ok := strings.Cut(u.EscapedPath(), "/resolve/")
		if ok && before != "" && strings.Trim(after, "/") != "" && r.Kind == Page {
			t.Fatalf("%q is a page", target)
		}
		decoded := unescape(u.EscapedPath())
		for _, other := range []string{decoded, path.Clean(decoded), strings.ToLower(decoded), strings.ReplaceAll(decoded, `\`, "/")} {
			o := Classify(http.MethodGet, "huggingface.co", &url.URL{Path: other, RawQuery: u.RawQuery})
			if o.Ambiguous {
				continue // a spelling that is refused
			}
			if o.Kind.IsFile() || o.Kind == GitUploadPack || o.Kind.Xet() {
				t.Fatalf("%q is %v, but read as %q it is %v", target, r.Kind, other, o)
			}
		}
	})
}
