package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "hf_testTestTestTestTestTestTest"

// start runs a Hub with repositories and returns a client of it.
func start(t *testing.T, o hubtest.Options, with string, repos ...hubtest.Repo) (*hubtest.Hub, *remote.Hub) {
	t.Helper()
	h, err := hubtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	h.AddToken(token, "somebody")
	for _, r := range repos {
		if _, err := h.AddRepo(r); err != nil {
			t.Fatal(err)
		}
	}
	client, err := remote.New(remote.Options{
		Token: with, Transport: h.Client().Transport, UserAgent: "modelwall-test", Patience: fetch.Options{RetryDelay: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, client
}

func list(t *testing.T, h *remote.Hub, name string) remote.Listing {
	t.Helper()
	ref, err := remote.ParseRef(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.List(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func paths(l remote.Listing) string {
	names := make([]string, len(l.Files))
	for i, f := range l.Files {
		names[i] = f.Path
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func read(t *testing.T, h *remote.Hub, l remote.Listing, path string) []byte {
	t.Helper()
	for _, f := range l.Files {
		if f.Path == path {
			r, err := h.Open(t.Context(), l, f)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(io.NewSectionReader(r, 0, f.Size))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return b
		}
	}
	t.Fatalf("no %s in the listing", path)
	return nil
}

func TestListAndRead(t *testing.T) {
	weights := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	files := hubtest.Files{
		"config.json": hubtest.Bytes(`{"a": 1}`), "model.safetensors": hubtest.Bytes(weights),
		"odd name#1?%.txt": hubtest.Bytes("odd"), "sub/dir/a.bin": hubtest.Bytes("LFS"),
	}
	for i := range 23 {
		files[fmt.Sprintf("many/%02d.txt", i)] = hubtest.Bytes("x")
	}
	h, client := start(t, hubtest.Options{PageSize: 5}, token,
		hubtest.Repo{ID: "Acme/tiny", Aliases: []string{"tiny"}, Xet: true, Files: files},
		hubtest.Repo{ID: "acme/data", Type: hubtest.Dataset, CDN: "cdn-lfs.huggingface.co", Files: hubtest.Files{"x.parquet": hubtest.Bytes("PAR1")}},
		hubtest.Repo{ID: "acme/s3", Type: hubtest.Space, CDN: "cas-bridge.xethub.hf.co", Files: hubtest.Files{"x.bin": hubtest.Bytes("space")}},
	)
	for name, want := range map[string]int{
		"hf://Acme/tiny": len(files), "hf://acme/TINY": len(files), "hf://tiny": len(files), "hf://Acme/tiny/sub": 1, "hf://Acme/tiny@main/config.json": 1,
	} {
		l := list(t, client, name)
		if len(l.Files) != want || len(l.Commit) != 40 || l.Ref.Revision != l.Commit {
			t.Errorf("%s: %s at %s, want %d files", name, paths(l), l.Commit, want)
		}
	}
	l := list(t, client, "hf://Acme/tiny")
	for path, content := range files {
		if got := read(t, client, l, path); string(got) != string(content.(hubtest.Bytes)) {
			t.Errorf("%s: %d bytes are not its content", path, len(got))
		}
	}
	for _, f := range l.Files {
		if large := strings.HasSuffix(f.Path, ".bin") || strings.HasSuffix(f.Path, ".safetensors"); large != (len(f.SHA256) == 64) {
			t.Errorf("%s: sha256 %q", f.Path, f.SHA256)
		}
	}
	if got := read(t, client, list(t, client, "hf://datasets/acme/data"), "x.parquet"); string(got) != "PAR1" {
		t.Errorf("data set: %q", got)
	}
	if got := read(t, client, list(t, client, "hf://spaces/acme/s3"), "x.bin"); string(got) != "space" {
		t.Errorf("space: %q", got)
	}
	sent := 0
	for _, r := range h.Requests() {
		if r.HasAuthorization {
			sent++
		}
	}
	if leaks := h.Leaks(); len(leaks) > 0 || sent == 0 {
		t.Errorf("the token went to %+v; %d requests had it", leaks, sent)
	}
}

func TestRevisions(t *testing.T) {
	h, client := start(t, hubtest.Options{}, "")
	repo, err := h.AddRepo(hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x": hubtest.Bytes("main")}})
	if err != nil {
		t.Fatal(err)
	}
	for rev, text := range map[string]string{"v1": "tag", "refs/pr/1": "request"} {
		if _, err := repo.Update(rev, hubtest.Files{"x": hubtest.Bytes(text)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"hf://a/b": "main", "hf://a/b@main": "main", "hf://a/b@v1": "tag", "hf://a/b@refs/pr/1": "request", "hf://a/b@refs%2Fpr%2F1/x": "request",
		"hf://a/b@" + repo.Commit("v1"): "tag",
	} {
		if got := read(t, client, list(t, client, name), "x"); string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// What moves meanwhile does not mix.
	l := list(t, client, "hf://a/b")
	if _, err := repo.Update("main", hubtest.Files{"x": hubtest.Bytes("later")}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, client, l, "x"); string(got) != "main" {
		t.Errorf("after a commit: %q", got)
	}
}

func TestDenied(t *testing.T) {
	repos := []hubtest.Repo{
		{ID: "acme/gated", Gated: true, Files: hubtest.Files{"x.bin": hubtest.Bytes("secret"), "config.json": hubtest.Bytes("{}")}},
		{ID: "acme/private", Private: true, Files: hubtest.Files{"x": hubtest.Bytes("secret")}},
		{ID: "acme/open", Files: hubtest.Files{"x": hubtest.Bytes("y")}},
	}
	for _, c := range []struct{ token, name, want string }{
		{"", "hf://acme/none", "no such repository, or it is private: set HF_TOKEN"},
		{token, "hf://acme/none", "no such repository, or the owner of the token"},
		{"", "hf://acme/private", "no such repository, or it is private: set HF_TOKEN"},
		{token, "hf://acme/private", "no such repository, or the owner of the token"},
		{"", "hf://acme/gated", "gated, and no token was sent: ask for access at https://huggingface.co/acme/gated and set HF_TOKEN"},
		{token, "hf://acme/gated", "gated, and the owner of the token was not given access: ask for it at https://huggingface.co/acme/gated"},
		{"hf_unknown", "hf://acme/open", "refused the token"},
		{"", "hf://acme/open@v9", `no revision "v9"`},
		{"", "hf://acme/open/none", "no such file"},
	} {
		_, client := start(t, hubtest.Options{}, c.token, repos...)
		ref, err := remote.ParseRef(c.name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := client.List(t.Context(), ref)
		if err == nil { // the listing of a gated repository is public, its content is not
			if len(l.Files) != 2 {
				t.Errorf("%s: %s", c.name, paths(l))
			}
			for _, f := range l.Files {
				r, openErr := client.Open(t.Context(), l, f)
				if openErr != nil {
					t.Fatal(openErr)
				}
				_, err = r.ReadAt(make([]byte, 1), 0)
				err = client.Explain(ref.At(f.Path), err)
			}
		}
		var denied *remote.DeniedError
		if !errors.As(err, &denied) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), c.name) {
			t.Errorf("%s with token %q: %v, want %q", c.name, c.token, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), token) {
			t.Errorf("the token is in %v", err)
		}
	}
}

// TestHugeRepository reads the ends of files that are 100 GB together.
func TestHugeRepository(t *testing.T) {
	files := hubtest.Files{}
	for i := range 20 {
		files[fmt.Sprintf("model-%05d-of-00020.safetensors", i+1)] = hubtest.Known(hubtest.Synthetic(uint64(i), 5<<30), [32]byte{byte(i)})
	}
	h, client := start(t, hubtest.Options{}, "", hubtest.Repo{ID: "acme/huge", Files: files})
	l := list(t, client, "hf://acme/huge")
	for _, f := range l.Files {
		r, err := client.Open(t.Context(), l, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []int64{0, f.Size - 68<<10} {
			got, want := make([]byte, 4<<10), make([]byte, 4<<10)
			if _, err := r.ReadAt(got, off); err != nil {
				t.Fatal(err)
			}
			if _, err := files[f.Path].ReadAt(want, off); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s at %d: wrong bytes, %v", f.Path, off, err)
			}
		}
	}
	if err := h.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var sent int64
	redirects := 0
	for _, r := range h.Requests() {
		sent += r.BytesSent
		if r.Status == http.StatusFound {
			redirects++
		}
	}
	if sent > 2<<20 || redirects != len(files) {
		t.Errorf("%d bytes were sent, %d redirects for %d files", sent, redirects, len(files))
	}
}

func TestExpiredLinksAreAskedForAgain(t *testing.T) {
	content := hubtest.Synthetic(1, 3<<20)
	h, client := start(t, hubtest.Options{}, "", hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x.bin": content}})
	l := list(t, client, "hf://a/b")
	r, err := client.Open(t.Context(), l, l.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	h.Fault(hubtest.Fault{ExpiredLinks: true, Path: regexp.MustCompile("/resolve/"), Times: 1})
	h.Fault(hubtest.Fault{Role: hubtest.RoleCDN, Status: http.StatusForbidden, Skip: 2, Times: 1})
	got, want := make([]byte, 3<<20), make([]byte, 3<<20)
	if _, err := r.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := content.ReadAt(want, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("wrong bytes, %v", err)
	}
}

func TestRedirectsElsewhere(t *testing.T) {
	for _, location := range []string{
		"https://evil.example/x", "http://us.aws.cdn.hf.co/x", "http://169.254.169.254/latest", "https://datasets-server.huggingface.co/x",
		"https://user@huggingface.co/x", "/a/b/resolve/main/x.bin",
	} {
		h, client := start(t, hubtest.Options{Others: []string{"evil.example"}}, token, hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x.bin": hubtest.Bytes("x")}})
		l := list(t, client, "hf://a/b")
		h.Fault(hubtest.Fault{Path: regexp.MustCompile("/resolve/"), Status: http.StatusFound, Header: http.Header{"Location": {location}}})
		r, err := client.Open(t.Context(), l, l.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.ReadAt(make([]byte, 1), 0); err == nil || n > 0 {
			t.Errorf("%s is followed", location)
		}
		for _, r := range h.Requests() {
			if r.Role == hubtest.RoleOther || r.Leak {
				t.Errorf("%s was asked for: %+v", location, r)
			}
		}
	}
}

func TestBadListings(t *testing.T) {
	for body, want := range map[string]string{
		`[{"type":"file","path":"../x","size":1}]`: "none can have",
		`[{"type":"file","path":"/x","size":1}]`:   "none can have",
		`[{"type":"file","path":"","size":1}]`:     "none can have",
		`[{"type":"file","path":"x","size":-1}]`:   "can't be understood",
		`{"error":"x"}`:                            "can't be understood",
		`<html>`:                                   "can't be understood",
	} {
		h, client := start(t, hubtest.Options{}, "", hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x": hubtest.Bytes("x")}})
		h.Fault(hubtest.Fault{Path: regexp.MustCompile("/tree/"), Status: http.StatusOK, Body: body})
		ref, _ := remote.ParseRef("hf://a/b")
		if _, err := client.List(t.Context(), ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	h, client := start(t, hubtest.Options{}, "", hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x": hubtest.Bytes("x")}})
	h.Fault(hubtest.Fault{Path: regexp.MustCompile("/tree/"), Header: http.Header{"Link": {`<https://huggingface.co/x?cursor=7>; rel="next"`}}})
	ref, _ := remote.ParseRef("hf://a/b")
	if _, err := client.List(t.Context(), ref); err == nil || !strings.Contains(err.Error(), "pages do not end") {
		t.Errorf("endless pages: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.List(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "https://u:p@huggingface.co", "https://x/?a", "https:x", "::"} {
		if _, err := remote.New(remote.Options{Endpoint: endpoint}); err == nil {
			t.Errorf("%s is taken", endpoint)
		}
	}
	if _, err := remote.New(remote.Options{Token: "a\r\nb"}); err == nil {
		t.Error("a token with a line break is taken")
	}
	for endpoint, public := range map[string]bool{
		"": true, "https://huggingface.co/": true, "https://hf.co": true, "http://huggingface.co": false, "http://127.0.0.1:8080": false, "https://models.example/hf": false,
	} {
		h, err := remote.New(remote.Options{Endpoint: endpoint})
		if err != nil || h.Public() != public {
			t.Errorf("%q: %v, want public = %v", endpoint, err, public)
		}
	}
}
