package hub

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someBlob = "3c36342ef1f74de2797d667c68c6b7b988d0b87c"

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestParseMeta(t *testing.T) {
	const signed = "https://us.aws.cdn.hf.co/xet-bridge-us/00/11?Signature=s"
	for _, tt := range []struct {
		name     string
		status   int
		header   http.Header
		want     Meta
		location string
	}{
		{
			"LFS file", 302, header("X-Repo-Commit", someCommit, "X-Linked-Etag", `"`+someSHA+`"`, "X-Linked-Size", "12000120",
				"ETag", `"other"`, "Location", signed, "Content-Length", "1057", "Content-Type", "text/plain"),
			Meta{Commit: someCommit, SHA256: someSHA, Size: 12000120, ETag: `"` + someSHA + `"`},
			signed,
		},
		{
			"small file, redirect", 307, header("X-Repo-Commit", someCommit, "X-Linked-Etag", `"`+someBlob+`"`, "Content-Length", "99",
				"Location", "/api/resolve-cache/models/acme/m/"+someCommit+"/config.json?x=&etag=%22a%22#f"),
			Meta{Commit: someCommit, GitSHA1: someBlob, Size: -1, ETag: `"` + someBlob + `"`},
			"https://huggingface.co/api/resolve-cache/models/acme/m/" + someCommit + "/config.json?x=&etag=%22a%22",
		},
		{
			"canonical name", 307, header("Location", "/openai-community/gpt2/resolve/main/config.json"),
			Meta{Size: -1},
			"https://huggingface.co/openai-community/gpt2/resolve/main/config.json",
		},
		{
			"small file", 200, header("X-Repo-Commit", someCommit, "ETag", `"`+someBlob+`"`, "Content-Length", "665"),
			Meta{Commit: someCommit, GitSHA1: someBlob, Size: 665, ETag: `"` + someBlob + `"`},
			"",
		},
		{
			"small file, compressed", 200, header("X-Repo-Commit", someCommit, "ETag", `W/"`+someBlob+`"`, "Content-Encoding", "gzip",
				"Content-Length", "99"),
			Meta{Commit: someCommit, GitSHA1: someBlob, Size: -1, ETag: `"` + someBlob + `"`},
			"",
		},
		{
			"suffix of a coding", 200, header("X-Repo-Commit", someCommit, "ETag", `"`+someBlob+`-gzip"`),
			Meta{Commit: someCommit, GitSHA1: someBlob, Size: -1, ETag: `"` + someBlob + `"`},
			"",
		},
		{
			"unquoted and upper case", 302, header("X-Repo-Commit", strings.ToUpper(someCommit), "X-Linked-ETag", strings.ToUpper(someSHA),
				"X-Linked-Size", "1", "Location", signed),
			Meta{Commit: someCommit, SHA256: someSHA, Size: 1, ETag: `"` + someSHA + `"`},
			signed,
		},
		{
			"CDN: the tag is not the hash", 200, header("ETag", `"`+someSHA+`"`, "Content-Length", "12"),
			Meta{Size: 12, ETag: `"` + someSHA + `"`},
			"",
		},
		{
			"CDN: 40 digits without a commit", 200, header("ETag", `"`+someBlob+`"`, "Content-Length", "12"),
			Meta{Size: 12, ETag: `"` + someBlob + `"`},
			"",
		},
		{
			"range", 206, header("X-Repo-Commit", someCommit, "ETag", `"`+someBlob+`"`, "Content-Range", "bytes 0-0/665", "Content-Length", "1"),
			Meta{Commit: someCommit, GitSHA1: someBlob, Size: 665, ETag: `"` + someBlob + `"`},
			"",
		},
		{"range of unknown whole", 206, header("Content-Range", "bytes 0-0/*", "Content-Length", "1"), Meta{Size: -1}, ""},
		{"several ranges", 206, header("Content-Type", "multipart/byteranges", "Content-Length", "1000"), Meta{Size: -1}, ""},
		{"not modified", 304, header("ETag", `"`+someBlob+`"`, "Content-Length", "0"), Meta{Size: -1, ETag: `"` + someBlob + `"`}, ""},
		{"the same twice", 200, header("ETag", `"a"`, "Etag", `"a"`, "Content-Length", "5", "Content-Length", "5"), Meta{Size: 5, ETag: `"a"`}, ""},
		{"empty file", 200, header("Content-Length", "0"), Meta{Size: 0}, ""},
		{"no usable tag", 200, header("ETag", `"a"b"`), Meta{Size: -1}, ""},
		{"no usable commit", 200, header("X-Repo-Commit", "main", "ETag", `"`+someBlob+`"`), Meta{Size: -1, ETag: `"` + someBlob + `"`}, ""},
		{"error", 404, header("X-Repo-Commit", someCommit, "ETag", `"x"`, "Content-Length", "15", "X-Linked-Size", "x"), Meta{Size: -1}, ""},
		{"nothing", 200, http.Header{}, Meta{Size: -1}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := &url.URL{Scheme: "https", Host: "huggingface.co", Path: "/acme/m/resolve/main/config.json"}
			got, err := ParseMeta(req, tt.status, tt.header)
			if err != nil {
				t.Fatal(err)
			}
			location := ""
			if got.Location != nil {
				location = got.Location.String()
			}
			got.Location = nil
			if diff := cmp.Diff(tt.want, got); diff != "" || location != tt.location {
				t.Errorf("Location %q, want %q\n%s", location, tt.location, diff)
			}
		})
	}
}

func TestParseMetaRefuses(t *testing.T) {
	req := &url.URL{Scheme: "https", Host: "huggingface.co", Path: "/x"}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
	}{
		{"no Location", 302, header()},
		{"Location is no URL", 302, header("Location", "https://%zz/?secret")},
		{"Location without host", 302, header("Location", "https:///x")},
		{"other scheme", 302, header("Location", "file:///etc/passwd")},
		{"opaque", 302, header("Location", "https:x")},
		{"leaves https", 302, header("Location", "http://cdn-lfs.hf.co/x")},
		{"user", 302, header("Location", "https://u:p@cdn-lfs.hf.co/x")},
		{"two places", 302, header("Location", "https://a/", "Location", "https://b/")},
		{"two commits", 200, header("X-Repo-Commit", someCommit, "X-Repo-Commit", someBlob)},
		{"two hashes", 200, header("X-Linked-Etag", someSHA, "X-Linked-Etag", otherSHA)},
		{"two tags", 200, header("Etag", "a", "Etag", "b")},
		{"two sizes", 200, header("X-Linked-Size", "1", "X-Linked-Size", "2")},
		{"two lengths", 200, header("Content-Length", "1", "Content-Length", "2")},
		{"two ranges", 206, header("Content-Range", "bytes 0-0/1", "Content-Range", "bytes 0-0/2")},
		{"negative", 200, header("X-Linked-Size", "-1")},
		{"no number", 200, header("Content-Length", "0x10")},
		{"signed", 200, header("Content-Length", "+5")},
		{"too large", 200, header("X-Linked-Size", "9223372036854775808")},
		{"range of nonsense", 206, header("Content-Range", "bytes 0-0/x")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseMeta(req, tt.status, tt.header)
			if !errors.Is(err, ErrMeta) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("quotes a signed URL: %v", err)
			}
		})
	}
}

func TestFileHeader(t *testing.T) {
	redirect := header("X-Repo-Commit", someCommit, "X-Linked-Etag", `"`+someSHA+`"`, "X-Linked-Size", "5",
		"Location", "https://cdn-lfs.hf.co/x", "Content-Type", "text/plain; charset=utf-8", "Content-Length", "99",
		"Content-Disposition", `inline; filename="a.bin";`, "Set-Cookie", "token=x", "X-Xet-Hash", "00", "Link", `<x>; rel="xet-auth"`,
		"Connection", "keep-alive", "Transfer-Encoding", "chunked", "X-HF-Warning", "topic; text", "Vary", "Origin, Accept",
		"Access-Control-Expose-Headers", "ETag", "Accept-Ranges", "none", "X-Powered-By", "moon", "Content-Security-Policy", "sandbox")
	content := header("Content-Type", "application/octet-stream", "ETag", `"xet"`, "Last-Modified", "Tue, 14 Nov 2023 22:13:21 GMT",
		"Content-Length", "5", "X-Cache", "Hit", "X-Repo-Commit", "forged", "X-Linked-Etag", "forged", "Set-Cookie", "y=z")
	m, err := ParseMeta(&url.URL{Scheme: "https", Host: "huggingface.co", Path: "/x"}, 302, redirect)
	if err != nil {
		t.Fatal(err)
	}
	want := header("X-Repo-Commit", someCommit, "X-Linked-Etag", `"`+someSHA+`"`, "X-Linked-Size", "5", "ETag", `"`+someSHA+`"`,
		"Content-Type", "application/octet-stream", "Content-Disposition", `inline; filename="a.bin";`, "Accept-Ranges", "bytes",
		"X-HF-Warning", "topic; text", "Vary", "Origin, Accept", "Access-Control-Expose-Headers", "ETag",
		"Content-Security-Policy", "sandbox", "Last-Modified", "Tue, 14 Nov 2023 22:13:21 GMT")
	if diff := cmp.Diff(want, FileHeader(m, redirect, content)); diff != "" {
		t.Errorf("LFS (-want +got):\n%s", diff)
	}
	want.Del("Last-Modified")
	if diff := cmp.Diff(want, FileHeader(m, redirect)); diff != "" {
		t.Errorf("before the content is known (-want +got):\n%s", diff)
	}

	direct := header("X-Repo-Commit", someCommit, "ETag", `W/"`+someBlob+`"`, "Content-Type", "text/plain", "Content-Encoding", "gzip",
		"Content-Disposition", "inline", "X-Hf-Warning", "a\r\nSet-Cookie: x=y", "Keep-Alive", "timeout=5")
	if m, err = ParseMeta(nil, 200, direct); err != nil {
		t.Fatal(err)
	}
	want = header("X-Repo-Commit", someCommit, "ETag", `"`+someBlob+`"`, "Content-Type", "text/plain", "Content-Disposition", "inline",
		"Accept-Ranges", "bytes")
	if diff := cmp.Diff(want, FileHeader(m, direct)); diff != "" {
		t.Errorf("small (-want +got):\n%s", diff)
	}
}
