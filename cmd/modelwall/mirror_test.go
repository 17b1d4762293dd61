package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"modelwall/config"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

const mirrorToken = "hf_mirrorMirrorMirrorMirrorMirrorM"

// runMirror runs `modelwall mirror` with all that is real.
func runMirror(t *testing.T, args ...string) (code int, stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRootCmd(parts{startProxy: startPrivateProxy, newEngine: newEngine})
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"mirror"}, args...))
	code = execute(t.Context(), root, &errs)
	return code, out.String() + errs.String()
}

// fetched is how many bytes of content the Hub has sent.
func fetched(t *testing.T, h *hubtest.Hub) (n int64) {
	t.Helper()
	check(t, h.WaitIdle(t.Context()))
	for _, r := range h.Requests() {
		if r.Role == hubtest.RoleCDN {
			n += r.BytesSent
		}
	}
	return n
}

// list is `mirror list --format json`: the files of each repository, whatever
// revision they were seen in.
func list(t *testing.T) map[string][]holdingFile {
	t.Helper()
	code, out := runMirror(t, "list", "--format", "json")
	var r struct{ Repos []holding }
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("%d, %v: %s", code, err, out)
	}
	files := map[string][]holdingFile{}
	for _, h := range r.Repos {
		for _, f := range h.Files {
			known := slices.ContainsFunc(files[h.Repo], func(o holdingFile) bool { return o.Path == f.Path })
			if !known {
				files[h.Repo] = append(files[h.Repo], f)
			}
		}
	}
	return files
}

func TestMirror(t *testing.T) {
	weights := sample.Safetensors(3, 1<<20)
	h := startHub(
		t, hubtest.Options{PageSize: 2},
		hubtest.Repo{ID: "acme/model", Files: hubtest.Files{
			"model.safetensors": hubtest.Bytes(weights), "config.json": hubtest.Bytes(`{"model_type": "bert"}`), "a b/vocab#1.txt": hubtest.Bytes("the\nof\n"),
		}},
		hubtest.Repo{ID: "acme/copy", Files: hubtest.Files{"model.safetensors": hubtest.Bytes(weights)}},
		hubtest.Repo{ID: "acme/gated", Gated: true, Tokens: []string{mirrorToken}, Files: hubtest.Files{
			"model.safetensors": hubtest.Bytes(sample.Safetensors(4, 1<<20)),
		}},
		hubtest.Repo{ID: "evil/model", Files: hubtest.Files{"broken.pkl": hubtest.Bytes(sample.BrokenPickle())}},
	)
	data := t.TempDir()
	t.Setenv("MODELWALL_DATA_DIR", data)
	t.Setenv("HF_TOKEN", mirrorToken)

	lock := filepath.Join(t.TempDir(), "models.lock")
	check(t, os.WriteFile(lock, []byte("# ours\nacme/model@main\n\nhf://acme/copy # a copy\nacme/gated\n"), 0o600))
	code, out := runMirror(t, "warm", "--file", lock)
	if code != 0 || strings.Count(out, "files,") != 1 || strings.Count(out, "1 file,") != 2 {
		t.Fatalf("warm: %d\n%s", code, out)
	}
	got := list(t)
	if len(got["acme/model"]) != 3 || len(got["acme/copy"]) != 1 || len(got["acme/gated"]) != 1 {
		t.Fatalf("the cache has %+v", got)
	}

	t.Run("again", func(t *testing.T) {
		before := fetched(t, h)
		if code, out := runMirror(t, "warm", "acme/model", "acme/copy", "acme/gated"); code != 0 {
			t.Errorf("%d\n%s", code, out)
		}
		if n := fetched(t, h) - before; n != 0 {
			t.Errorf("%d bytes of content were fetched again", n)
		}
	})
	t.Run("blocked", func(t *testing.T) {
		code, out := runMirror(t, "warm", "evil/model")
		if code != 1 || !strings.Contains(out, "Modelwall blocked this file: malicious") {
			t.Errorf("%d\n%s", code, out)
		}
	})
	t.Run("not there", func(t *testing.T) {
		if code, out := runMirror(t, "warm", "acme/none"); code != 2 || !strings.Contains(out, "acme/none") {
			t.Errorf("%d\n%s", code, out)
		}
	})
	t.Run("offline", func(t *testing.T) { serveOffline(t, h, weights) })
	t.Run("verify", func(t *testing.T) {
		if code, out := runMirror(t, "verify"); code != 0 || !strings.Contains(out, "0 removed") {
			t.Fatalf("%d\n%s", code, out)
		}
		sum := got["acme/gated"][0].SHA256
		path := filepath.Join(data, "blobs", sum[:2], sum)
		content, err := os.ReadFile(path)
		check(t, err)
		content[len(content)/2] ^= 1
		check(t, os.Chmod(path, 0o600))
		check(t, os.WriteFile(path, content, 0o600))
		if code, out := runMirror(t, "verify", "acme/model"); code != 0 {
			t.Errorf("of another repository: %d\n%s", code, out)
		}
		if code, out := runMirror(t, "verify"); code != 1 || !strings.Contains(out, "removed: "+sum+", acme/gated") {
			t.Errorf("%d\n%s", code, out)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the damaged file is still there: %v", err)
		}
	})
	t.Run("evict", func(t *testing.T) {
		for _, args := range [][]string{{"evict"}, {"evict", "--all", "acme/copy"}, {"evict", "--unused", "-1h"}} {
			if code, out := runMirror(t, args...); code != 2 {
				t.Errorf("%q: %d\n%s", args, code, out)
			}
		}
		if code, out := runMirror(t, "evict", "acme/other"); code != 1 || !strings.Contains(out, "acme/other") {
			t.Errorf("%d\n%s", code, out)
		}
		if code, out := runMirror(t, "evict", "--unused", "1h"); code != 0 || !strings.HasPrefix(out, "0 pieces") {
			t.Errorf("%d\n%s", code, out)
		}
		if code, out := runMirror(t, "evict", "acme/copy"); code != 0 || !strings.HasPrefix(out, "0 pieces") {
			t.Errorf("what another repository has too: %d\n%s", code, out)
		}
		if code, out := runMirror(t, "evict", "ACME/model", "--dry-run"); code != 0 || !strings.HasPrefix(out, "3 pieces") {
			t.Errorf("%d\n%s", code, out)
		}
		if n := len(list(t)["acme/model"]); n != 3 {
			t.Errorf("%d files are left after a dry run", n)
		}
		if code, out := runMirror(t, "evict", "ACME/model"); code != 0 || !strings.HasPrefix(out, "3 pieces") {
			t.Errorf("%d\n%s", code, out)
		}
		if got := list(t); len(got) != 0 {
			t.Errorf("the cache has %+v", got)
		}
	})
	if leaks := h.Leaks(); len(leaks) > 0 {
		t.Errorf("a token leaked: %+v", leaks)
	}
}

// serveOffline checks that what was fetched in advance needs no Hub.
func serveOffline(t *testing.T, h *hubtest.Hub, weights []byte) {
	check(t, h.WaitIdle(t.Context()))
	before := len(h.Requests())
	cfg, err := config.Load("", config.Setting{Key: "mirror.offline", Value: "true"}, config.Setting{Key: "listen", Value: "127.0.0.1:0"},
		config.Setting{Key: "admin.listen", Value: ""})
	check(t, err)
	server, err := startPrivateProxy(t.Context(), cfg, io.Discard)
	check(t, err)
	defer func() { check(t, server.Close(t.Context())) }()
	for _, c := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/acme/model/resolve/main/model.safetensors", "", 200, string(weights)},
		{"/acme/model/resolve/main/a%20b/vocab%231.txt", "", 200, "the\nof\n"},
		{"/api/models/acme/model/revision/main", "", 200, ""},
		{"/api/models/acme/model/refs", "", 200, ""},
		{"/acme/gated/resolve/main/model.safetensors", mirrorToken, 200, ""},
		{"/acme/gated/resolve/main/model.safetensors", "", 504, ""}, // who asks has not been let in
		{"/acme/other/resolve/main/model.safetensors", "", 504, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr()+c.path, nil)
		check(t, err)
		req.Header.Set("Accept", "*/*")
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		body, err := io.ReadAll(resp.Body)
		check(t, err)
		check(t, resp.Body.Close())
		if resp.StatusCode != c.status || c.body != "" && string(body) != c.body {
			t.Errorf("%s: %s, %d bytes: %.300s", c.path, resp.Status, len(body), body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if n := len(h.Requests()) - before; n != 0 {
		t.Errorf("the Hub got %d requests", n)
	}
}

func TestWarmRefs(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	check(t, os.WriteFile(lock, []byte("acme/model\nacme/model/file.bin\n"), 0o600))
	for _, c := range []struct {
		args []string
		file string
		want string
	}{
		{nil, "", "name repositories"},
		{[]string{"acme/model/config.json"}, "", "only whole repositories"},
		{[]string{"a b"}, "", "no repository is called"},
		{nil, lock, lock + ":2: "},
		{nil, lock + "-none", "no such file"},
	} {
		if refs, err := warmRefs(c.args, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, %v; want an error with %q", c.args, c.file, refs, err, c.want)
		}
	}
	refs, err := warmRefs([]string{"gpt2", "datasets/acme/data@v1"}, "")
	if err != nil || len(refs) != 2 || refs[1].Repo() != "datasets/acme/data" || refs[1].Revision != "v1" {
		t.Errorf("%+v, %v", refs, err)
	}
}
