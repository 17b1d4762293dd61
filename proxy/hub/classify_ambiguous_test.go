package hub

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Spellings that some server takes for a route to a file. Only the kind and the
// mark count; the fields are guesses.
func TestClassifyAmbiguous(t *testing.T) {
	for _, tt := range []struct {
		path string
		want Kind
	}{
		{"/acme/m/%72esolve/main/x.bin", Resolve},
		{"/acme/m/%2572esolve/main/x.bin", Resolve},
		{"/acme/m/%252572esolve/main/x.bin", Resolve},
		{"/acme/m/RESOLVE/main/x.bin", Resolve},
		{"/acme/m/Resolve/main/x.bin", Resolve},
		{"/acme/m/resolve;v=1/main/x.bin", Resolve},
		{"/acme/m/resolve%20/main/x.bin", Resolve},
		{"/acme/m/resolve%00/main/x.bin", Resolve},
		{"/acme%2Fm%2Fresolve%2Fmain%2Fx.bin", Resolve},
		{"/acme%252Fm%252Fresolve%252Fmain%252Fx.bin", Resolve},
		{"/acme/m%5Cresolve%5Cmain%5Cx.bin", Resolve},
		{`/acme\m\resolve\main\x.bin`, Resolve},
		{"/acme%2Fm/resolve/main/x.bin", Resolve},
		{"//acme/m/resolve/main/x.bin", Resolve},
		{"/acme//m/resolve/main/x.bin", Resolve},
		{"/acme/m//resolve/main/x.bin", Resolve},
		{"/acme/m/resolve//main/x.bin", Resolve},
		{"/acme/m/resolve/main//x.bin", Resolve},
		{"/acme/m/resolve/main/x.bin/", Resolve},
		{"/acme/m/resolve/main/", Resolve},
		{"/acme/m/resolve/main", Resolve},
		{"/acme/m/./resolve/main/x.bin", Resolve},
		{"/acme/other/../m/resolve/main/x.bin", Resolve},
		{"/acme/m/resolve/main/../../../../other/m/resolve/main/x.bin", Resolve},
		{"/acme/m/resolve/main/%2e%2e/x.bin", Resolve},
		{"/acme/m/resolve/main/a%2f..%2fx.bin", Resolve},
		{"/acme/m/resolve/main/a%5C..%5Cx.bin", Resolve},
		{"/acme/m/resolve/main/a%0Ab", Resolve},
		{"/acme/m/resolve/main/a%FFb", Resolve},
		{"/a/b/c/resolve/main/x.bin", Resolve},
		{"/acme/m!/resolve/main/x.bin", Resolve},
		{"/acme/" + strings.Repeat("m", 97) + "/resolve/main/x", Resolve},
		{"/datasets/resolve/main/x.bin", Resolve},
		{"/api/resolve/main/x", Resolve},
		{"/api/models/acme/m/resolve/main/x", Resolve},
		{"/api/../acme/m/resolve/main/x", Resolve},
		{"/api/models/acme/m/tree/main/..", Resolve},
		{"/api//models/acme/m", Resolve},
		{"/docs/%2e%2e/acme/m", Resolve},
		{"/docs//transformers", Resolve},
		{"/acme/m/RAW/main/x.py", Raw},
		{"/acme/m/raw/main", Raw},
		{"/API/resolve-cache/models/acme/m/" + someCommit + "/x", ResolveCache},
		{"/api/%72esolve-cache/models/acme/m/" + someCommit + "/x", ResolveCache},
		{"/api/resolve-cache/models/acme/m/" + someCommit, ResolveCache},
		{"/api/resolve-cache/things/acme/m/" + someCommit + "/x", ResolveCache},
		{"/api/resolve-cache/", ResolveCache},
		{"/api/models/acme/m/XET-read-token/main", XetToken},
		{"/api/models/acme/m/xet%2dread-token/main", XetToken},
		{"/api/models/acme%2Fm%2Fxet-read-token%2Fmain", XetToken},
		{"/api/models/gpt2/xet-read-token/refs", XetToken},
		{"/api/datasets/a/d/Parquet/c/s/0.parquet", Derived},
		{"/api/datasets/squad/parquet/tree/main/0.parquet", Derived},
		{"/V2/acme/m/blobs/sha256:" + someSHA, Blob},
		{"/v2/acme%2Fm/blobs/sha256:" + someSHA, Blob},
		{"/v2/acme/m/unknown/thing", Blob},
		{"/v2/a/b/c/manifests/latest", Blob},
		{"/acme%2Fm.git/git-upload-pack", GitUploadPack},
		{"/acme/m!/git-upload-pack", GitUploadPack},
		{"/acme//m/git-upload-pack", GitUploadPack},
		{"/acme/m/Git-Upload-Pack", GitUploadPack},
		{"/acme%2Fm.git/objects/60/7a", GitDumb},
		{"/api/resolve-cache/models/acme/m/" + someCommit, ResolveCache},
		{"/api/resolve-cache/models/gpt2/" + someCommit + "/", ResolveCache},
		{"/api/resolve-cache/models/acme/m/refs/pr/1", ResolveCache},
		{"/acme!/m/info/lfs/objects/" + someSHA, Object},
		{"/acme/m/%25252525252525252572esolve/main/x", Resolve},
	} {
		// Not every one of these is a valid request URI; a proxy may still
		// have built a URL from it.
		u, err := url.ParseRequestURI(tt.path)
		if err != nil {
			t.Fatalf("%q: %v", tt.path, err)
		}
		got := Classify(http.MethodGet, "huggingface.co", u)
		if got.Kind != tt.want || !got.Ambiguous {
			t.Errorf("%s is %v, ambiguous %v; want %v, true", tt.path, got.Kind, got.Ambiguous, tt.want)
		}
	}
}

func TestClassifyStrangeURLs(t *testing.T) {
	for _, tt := range []struct {
		name string
		u    *url.URL
	}{
		{"nil", nil},
		{"opaque", &url.URL{Scheme: "https", Opaque: "huggingface.co/x"}},
		{"asterisk", &url.URL{Path: "*"}},
		{"relative", &url.URL{Path: "acme/m"}},
		{"bad escape", &url.URL{Path: "/a\x00b", RawPath: "/%zz"}},
	} {
		if got := Classify(http.MethodOptions, "huggingface.co", tt.u); !got.Kind.IsFile() || !got.Ambiguous {
			t.Errorf("%s: got %v", tt.name, got)
		}
		Classify(http.MethodGet, "cdn-lfs.hf.co", tt.u)
		Classify(http.MethodGet, "datasets-server.huggingface.co", tt.u)
	}
}
