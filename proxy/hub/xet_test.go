package hub

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanRequest(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"huggingface.js", "application/vnd.xet-fileinfo+json, */*", "*/*"},
		{"alone", "application/vnd.xet-fileinfo+json", "*/*"},
		{"parameters", `Application/Vnd.Xet-FileInfo+JSON; q=0.9; x="a,b",text/plain;q=0.5`, "text/plain;q=0.5"},
		{"in the middle", "text/html,application/vnd.xet-fileinfo+json,*/*;q=0.8", "text/html, */*;q=0.8"},
		{"nothing to do", "text/html,*/*;q=0.8", "text/html,*/*;q=0.8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Accept": {tt.in}, "Range": {"bytes=0-0"}}
			CleanRequest(h)
			if diff := cmp.Diff(http.Header{"Accept": {tt.want}, "Range": {"bytes=0-0"}}, h); diff != "" {
				t.Error(diff)
			}
		})
	}
	h := http.Header{"accept": {"application/vnd.xet-fileinfo+json", "a/b"}}
	CleanRequest(h)
	if diff := cmp.Diff(http.Header{"accept": {"a/b"}}, h); diff != "" {
		t.Error(diff)
	}
	h = http.Header{}
	CleanRequest(h)
	if len(h) != 0 {
		t.Errorf("Accept appeared: %v", h)
	}
}

func TestCleanResponse(t *testing.T) {
	const (
		auth = `<https://huggingface.co/api/models/acme/xet-model/xet-read-token/main>; rel="xet-auth"`
		info = `<https://cas-server.xethub.hf.co/v1/reconstructions/00ff>; rel="xet-reconstruction-info"`
		next = `<https://huggingface.co/api/models/acme/xet-model/tree/main?a=1,2&cursor=x>; rel="next"`
	)
	for _, tt := range []struct {
		name     string
		in, want http.Header
	}{
		{
			"resolve of a Xet file",
			http.Header{"X-Xet-Hash": {"00ff"}, "Link": {auth + ", " + info}, "X-Linked-Etag": {`"x"`}},
			http.Header{"X-Linked-Etag": {`"x"`}},
		},
		{
			"the older header",
			http.Header{"X-Xet-Hash": {"00ff"}, "X-Xet-Refresh-Route": {"/api"}, "x-xet-cas-url": {"u"}},
			http.Header{},
		},
		{"next page stays", http.Header{"Link": {next}}, http.Header{"Link": {next}}},
		{"next page among them", http.Header{"Link": {auth + ", " + next + "," + info}}, http.Header{"Link": {next}}},
		{"several headers", http.Header{"link": {auth, next, info}}, http.Header{"link": {next}}},
		{"unquoted and upper case", http.Header{"Link": {strings.ReplaceAll(strings.ToUpper(auth), `"`, "")}}, http.Header{}},
		{"two relations", http.Header{"Link": {`<https://x/>; rel="next xet-auth"`}}, http.Header{}},
		{"no target", http.Header{"Link": {`>;rel=xet-auth`}}, http.Header{}},
		{"unfinished", http.Header{"Link": {`<https://x/`, `"`, `,,`, ``}}, http.Header{"Link": {`<https://x/`, `"`, `,,`, ``}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			CleanResponse(tt.in)
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIsXetInfo(t *testing.T) {
	for value, want := range map[string]bool{
		"application/vnd.xet-fileinfo+json; charset=utf-8": true,
		"Application/VND.xet-fileinfo+JSON":                true,
		"application/json":                                 false,
		"":                                                 false,
	} {
		if got := IsXetInfo(http.Header{"Content-Type": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestXetRefusal(t *testing.T) {
	if got := OneLine(XetRefusal, maxMessage); got != XetRefusal {
		t.Errorf("not one line of ASCII: %q", XetRefusal)
	}
	for _, want := range []string{"HF_HUB_DISABLE_XET=1", "~/.cache/huggingface/hub/*/trees"} {
		if !strings.Contains(XetRefusal, want) {
			t.Errorf("no way out: %q misses %q", XetRefusal, want)
		}
	}
}

// FuzzCleanResponse checks that no client can find a Xet relation afterwards,
// even one that splits Link at every "," before a "<" as Python's do.
func FuzzCleanResponse(f *testing.F) {
	f.Add(`<a>; rel="xet-auth", <b>; rel="next"`)
	f.Add(`<a>; title="x, <y>; rel=xet-auth"`)
	f.Add(`<a,b>; rel=next, "<c>; rel=\"xet-auth"`)
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Link": {value}}
		CleanResponse(h)
		for _, v := range h["Link"] {
			for part := range strings.SplitSeq(v, ",") {
				_, params, ok := strings.Cut(strings.ToLower(part), ">")
				if ok && strings.Contains(params, "rel=\"xet-") {
					t.Fatalf("%q became %q", value, v)
				}
			}
		}
	})
}
