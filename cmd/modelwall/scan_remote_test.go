package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan"
)

// hubEnvironment keeps what the machine has for the Hub out of a test.
func hubEnvironment(t *testing.T) {
	for _, name := range []string{
		"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME",
		"HF_HUB_DISABLE_IMPLICIT_TOKEN", "MODELWALL_CONFIG",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
}

// startHub runs a Hub that `scan` reaches by its real names.
func startHub(t *testing.T, o hubtest.Options, repos ...hubtest.Repo) *hubtest.Hub {
	t.Helper()
	h, err := hubtest.Start(o)
	check(t, err)
	t.Cleanup(func() { _ = h.Close() })
	for _, r := range repos {
		_, err := h.AddRepo(r)
		check(t, err)
	}
	hubEnvironment(t)
	t.Setenv("MODELWALL_UPSTREAM_PROXY", h.ProxyURL())
	t.Setenv("MODELWALL_UPSTREAM_CA_FILE", h.CAFile())
	return h
}

// runScan runs `modelwall scan` with the real scanners.
func runScan(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRootCmd(parts{newEngine: newEngine})
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"scan"}, args...))
	code = execute(t.Context(), root, &errs)
	return code, out.String(), errs.String()
}

// scanJSON runs a scan and returns its files by path.
func scanJSON(t *testing.T, args ...string) (code int, files map[string]scanResult) {
	t.Helper()
	code, out, stderr := runScan(t, append([]string{"--format", "json"}, args...)...)
	var r scanReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %q; stderr %q", err, out, stderr)
	}
	files = map[string]scanResult{}
	for _, f := range r.Files {
		files[f.Path] = f
	}
	return code, files
}

func TestScanRepository(t *testing.T) {
	const token = "hf_testTestTestTestTestTestTest"
	clean, evil := sample.Checkpoint(1, 1<<20), sample.CheckpointMalicious(2, 1<<20)
	h := startHub(
		t, hubtest.Options{PageSize: 2},
		hubtest.Repo{ID: "acme/mixed", Gated: true, Tokens: []string{token}, Xet: true, CDN: "cdn-lfs.huggingface.co", Files: hubtest.Files{
			"pytorch_model.bin": hubtest.Bytes(evil), "good/pytorch_model.bin": hubtest.Bytes(clean),
			"model.safetensors": hubtest.Bytes(sample.Safetensors(3, 1<<20)), "config.json": hubtest.Bytes(`{"model_type": "bert"}`),
			"broken.pkl": hubtest.Bytes(sample.BrokenPickle()),
		}},
	)
	t.Setenv("HF_TOKEN", token)
	code, files := scanJSON(t, "hf://acme/mixed")
	want := map[string]scan.Verdict{
		"hf://acme/mixed/pytorch_model.bin": scan.Malicious, "hf://acme/mixed/good/pytorch_model.bin": scan.Clean,
		"hf://acme/mixed/model.safetensors": scan.Clean, "hf://acme/mixed/config.json": scan.Clean, "hf://acme/mixed/broken.pkl": scan.Malicious,
	}
	got := map[string]scan.Verdict{}
	for path, f := range files {
		got[path] = f.Verdict
		if len(f.Commit) != 40 || strings.HasSuffix(path, ".bin") && len(f.SHA256) != 64 {
			t.Errorf("%s: commit %q, sha256 %q", path, f.Commit, f.SHA256)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || code != exitFailed {
		t.Errorf("exit code %d; verdicts (-want +got):\n%s", code, diff)
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

	// One file, a folder, a revision.
	if code, files := scanJSON(t, "hf://acme/mixed/good"); code != exitOK || len(files) != 1 {
		t.Errorf("a folder: exit code %d, %d files", code, len(files))
	}
	if code, files := scanJSON(t, "hf://acme/mixed@main/pytorch_model.bin"); code != exitFailed || len(files) != 1 {
		t.Errorf("a file: exit code %d, %d files", code, len(files))
	}
	code, out, _ := runScan(t, "hf://acme/mixed@v9", "hf://acme/none")
	if code != exitUsage || !strings.Contains(out, `no revision "v9"`) || !strings.Contains(out, "no such repository") {
		t.Errorf("exit code %d:\n%s", code, out)
	}

	// Without the token, what to do is said, and nothing is clean.
	t.Setenv("HF_TOKEN", "")
	code, out, _ = runScan(t, "hf://acme/mixed")
	if code != exitUsage || strings.Count(out, "set HF_TOKEN") != len(want) || !strings.Contains(out, ": 0 clean, 5 undetermined") {
		t.Errorf("gated: exit code %d:\n%s", code, out)
	}
}

// TestScanHugeRepository scans 100 GB of which little is read.
func TestScanHugeRepository(t *testing.T) {
	files := hubtest.Files{}
	weights := map[string]string{}
	for i := range 20 {
		const size = 5 << 30
		name := fmt.Sprintf("model-%05d-of-00020.safetensors", i+1)
		weights[fmt.Sprint("layer.", i)] = name
		header := sample.SafetensorsHeader(size / 4)
		files[name] = hubtest.Known(hubtest.Join(hubtest.Bytes(header), hubtest.Synthetic(uint64(i), size)), [32]byte{byte(i)})
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 100 << 30}, "weight_map": weights})
	check(t, err)
	files["model.safetensors.index.json"] = hubtest.Bytes(index)
	h := startHub(t, hubtest.Options{}, hubtest.Repo{ID: "acme/huge", Files: files})
	code, out, stderr := runScan(t, "hf://acme/huge")
	if code != exitOK || !strings.Contains(out, "21 files: 21 clean\n100.0 GiB in all, ") || stderr != "" {
		t.Fatalf("exit code %d:\n%s%s", code, out, stderr)
	}
	check(t, h.WaitIdle(t.Context()))
	var sent int64
	for _, r := range h.Requests() {
		sent += r.BytesSent
	}
	t.Logf("%d bytes were sent by %d answers", sent, len(h.Requests()))
	if sent > 4<<20 {
		t.Errorf("%d bytes were sent", sent)
	}
}

func TestScanBudget(t *testing.T) {
	files := hubtest.Files{}
	for i := range 30 {
		files[fmt.Sprintf("%02d.bin", i)] = hubtest.Bytes(bytes.Repeat([]byte{1, 2, 3, byte(i)}, 64<<10))
	}
	startHub(t, hubtest.Options{}, hubtest.Repo{ID: "a/b", Files: files})
	if code, out, _ := runScan(t, "hf://a/b"); code != exitOK {
		t.Errorf("without a bound: exit code %d:\n%s", code, out)
	}
	code, out, _ := runScan(t, "--max-download", "500KiB", "hf://a/b")
	if code != exitUsage || !strings.Contains(out, "--max-download 500.0 KiB is used up") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestScanRepositoryIsInterrupted(t *testing.T) {
	h := startHub(t, hubtest.Options{}, hubtest.Repo{ID: "a/b", Files: hubtest.Files{"x.bin": hubtest.Bytes("MARK"), "y.bin": hubtest.Bytes("MARK")}})
	for _, path := range []string{"/tree/", "/resolve/"} {
		ctx, cancel := context.WithCancel(t.Context())
		never := make(chan struct{})
		remove := h.Fault(hubtest.Fault{Path: regexp.MustCompile(path), Delay: never, Match: func(*http.Request) bool { cancel(); return true }})
		var out, errs bytes.Buffer
		root := newRootCmd(parts{newEngine: newEngine})
		root.SetOut(&out)
		root.SetArgs([]string{"scan", "hf://a/b"})
		if code := execute(ctx, root, &errs); code != exitInterrupted || out.Len() > 0 || errs.String() != "modelwall: interrupted\n" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", path, code, &out, &errs)
		}
		remove()
		cancel()
	}
}

// TestScanOtherEndpoint: an endpoint of the user's own may be on this machine,
// and a redirect of it gets no token elsewhere.
func TestScanOtherEndpoint(t *testing.T) {
	hubEnvironment(t)
	const token = "hf_secretSecretSecret"
	content := sample.PickleMalicious()
	leaked := false
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked = leaked || r.Header.Get("Authorization") != ""
		_, _ = w.Write(content)
	}))
	defer cdn.Close()
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/hf/api/models/a/b/revision/"):
			fmt.Fprintf(w, `{"sha": "%040d"}`, 1)
		case strings.HasPrefix(r.URL.Path, "/hf/api/models/a/b/tree/"):
			fmt.Fprintf(w, `[{"type": "file", "path": "x.pkl", "size": %d}]`, len(content))
		default:
			http.Redirect(w, r, cdn.URL+"/signed", http.StatusFound)
		}
	}))
	defer mirror.Close()
	tokenFile := filepath.Join(t.TempDir(), "token")
	check(t, os.WriteFile(tokenFile, []byte(token+"\n"), 0o600))
	t.Setenv("HF_TOKEN_PATH", tokenFile)
	t.Setenv("HF_ENDPOINT", mirror.URL+"/hf/")
	code, files := scanJSON(t, "hf://a/b")
	if f := files["hf://a/b/x.pkl"]; code != exitFailed || f.Verdict != scan.Malicious || leaked {
		t.Errorf("exit code %d, %+v, token leaked: %v", code, f, leaked)
	}
	t.Setenv("HF_ENDPOINT", "mirror.example")
	if code, _, stderr := runScan(t, "hf://a/b"); code != exitUsage || !strings.Contains(stderr, "endpoint is not an http or https URL") {
		t.Errorf("a bad endpoint: exit code %d, %s", code, stderr)
	}
}

func TestHubToken(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	path := write("path", " hf_path\n")
	write("home/token", "hf_home")
	write("cache/huggingface/token", "hf_cache")
	write("user/.cache/huggingface/token", "hf_user")
	long := write("long", strings.Repeat("x", maxToken+1))
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HF_TOKEN": "hf_env ", "HF_TOKEN_PATH": path}, "hf_env"},
		{map[string]string{"HUGGING_FACE_HUB_TOKEN": "hf_old", "HF_TOKEN_PATH": path}, "hf_old"},
		{map[string]string{"HF_TOKEN_PATH": path, "HF_HOME": dir + "/home"}, "hf_path"},
		{map[string]string{"HF_HOME": dir + "/home", "XDG_CACHE_HOME": dir + "/cache"}, "hf_home"},
		{map[string]string{"XDG_CACHE_HOME": dir + "/cache", "HOME": dir + "/user"}, "hf_cache"},
		{map[string]string{"HOME": dir + "/user"}, "hf_user"},
		{map[string]string{"HOME": dir + "/nobody"}, ""},
		{map[string]string{"HOME": dir + "/user", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, ""},
	} {
		got, err := hubToken(func(name string) string { return c.env[name] })
		if err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	for _, bad := range []string{long, dir} {
		if got, err := hubToken(func(name string) string { return map[string]string{"HF_TOKEN_PATH": bad}[name] }); err == nil {
			t.Errorf("%s: %d characters", bad, len(got))
		}
	}
}
