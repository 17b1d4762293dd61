package hub

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMirrorAsked(t *testing.T) {
	for _, c := range []struct{ mirror, asked, want string }{
		{"http://h:8080", "/org/model/resolve/main/a%2Fb.bin?download=true", "https://huggingface.co/org/model/resolve/main/a%2Fb.bin?download=true"},
		{"http://h:8080", "//org/model/resolve/main/x", "https://huggingface.co/org/model/resolve/main/x"},
		{"http://h:8080", "/-/cdn-lfs.hf.co/repos/a/b?sig=1&x=%2F", "https://cdn-lfs.hf.co/repos/a/b?sig=1&x=%2F"},
		{"http://h:8080", "/-/huggingface.co/org/model", ""},
		{"http://h:8080", "/-/169.254.169.254/latest", ""},
		{"http://h:8080", "/-/user@cdn-lfs.hf.co/x", ""},
		{"http://h:8080", "/-/cdn-lfs.hf.co", ""},
		{"http://h:8080", "/", "https://huggingface.co/"},
		{"https://x.example/hf", "/hf/api/models/m?full=1", "https://huggingface.co/api/models/m?full=1"},
		{"https://x.example/hf", "/hf", "https://huggingface.co/"},
		{"https://x.example/hf", "/hfx/api", ""},
		{"https://x.example/hf", "/api/models", ""},
	} {
		u, err := url.ParseRequestURI(c.asked)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if out, ok := Mirror(c.mirror).Asked(u); ok {
			got = out.String()
		}
		if got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.asked, c.mirror, got, c.want)
		}
	}
}

func TestMirrorURL(t *testing.T) {
	const m Mirror = "http://h:8080/hf"
	for in, want := range map[string]string{
		"https://huggingface.co/api/models?cursor=a%3D&x=1": "http://h:8080/hf/api/models?cursor=a%3D&x=1",
		"https://hf.co/org/model":                           "http://h:8080/hf/org/model",
		"https://cdn-lfs-us-1.hf.co/r/x%20y?Signature=a~b":  "http://h:8080/hf/-/cdn-lfs-us-1.hf.co/r/x%20y?Signature=a~b",
		"https://example.org/x":                             "https://example.org/x",
		"http://huggingface.co/x":                           "http://huggingface.co/x",
		"https://huggingface.co:444/x":                      "https://huggingface.co:444/x",
		"https://huggingface.co.evil.example/x":             "https://huggingface.co.evil.example/x",
		"/api/models/new":                                   "/api/models/new",
	} {
		if got := m.URL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestMirrorAnswer(t *testing.T) {
	h := http.Header{
		"Location":         {"/api/models/new/name"},
		"Link":             {`<https://huggingface.co/api/x?cursor=1>; rel="next"`},
		"Www-Authenticate": {`Bearer realm="https://huggingface.co/v2/token",service="x"`},
		"X-Other":          {"https://huggingface.co/"},
	}
	Mirror("http://h/p").Answer(http.StatusOK, h)
	want := http.Header{
		"Location":         {"/p/api/models/new/name"},
		"Link":             {`<http://h/p/api/x?cursor=1>; rel="next"`},
		"Www-Authenticate": {`Bearer realm="http://h/p/v2/token",service="x"`},
		"X-Other":          {"https://huggingface.co/"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestMirrorUnauthorized(t *testing.T) {
	for _, c := range []struct {
		status              int
		code, message, want string
	}{
		{http.StatusUnauthorized, "", "Invalid username or password.", "RepoNotFound"},
		{http.StatusUnauthorized, "GatedRepo", "", "GatedRepo"},
		{http.StatusUnauthorized, "", "Invalid credentials in Authorization header", ""},
		{http.StatusForbidden, "", "", ""},
	} {
		h := http.Header{}
		h.Set("X-Error-Message", c.message)
		if c.code != "" {
			h.Set("X-Error-Code", c.code)
		}
		Mirror("http://h").Answer(c.status, h)
		if got := h.Get("X-Error-Code"); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestMirrorJSON(t *testing.T) {
	got := string(Mirror("http://h").JSON([]byte(`{"url":"https://huggingface.co/a","text":"see https://huggingface.co/a"}`)))
	if want := `{"url":"http://h/a","text":"see https://huggingface.co/a"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
