package hub

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestGitFetch fetches with git from git's own server through
// RewriteUploadPackRequest, in every protocol version, and checks that the
// pack stands on its own: index-pack refuses a thin one. It needs git, which
// every build machine has.
func TestGitFetch(t *testing.T) {
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Skip("git is not installed")
	}
	backend := filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skip("git was installed without git-http-backend")
	}
	for _, version := range []string{"0", "1", "2"} {
		for _, rewrite := range []bool{true, false} {
			t.Run(fmt.Sprintf("v%s/rewrite=%v", version, rewrite), func(t *testing.T) {
				pack := fetchPack(t, backend, version, rewrite)
				empty := t.TempDir()
				git(t, empty, nil, "init", "-q")
				index := gitCommand(t, empty, "index-pack", "--stdin")
				index.Stdin = bytes.NewReader(pack)
				out, err := index.CombinedOutput()
				// Without rewriting it is thin, or the test shows nothing.
				if (err == nil) != rewrite {
					t.Errorf("index-pack of %d bytes: %v\n%s", len(pack), err, out)
				}
			})
		}
	}
}

// fetchPack clones a repository, adds a commit to it that changes a large file
// a little, fetches that, and returns the pack that came.
func fetchPack(t *testing.T, backend, version string, rewrite bool) []byte {
	root, work := t.TempDir(), t.TempDir()
	git(t, root, nil, "init", "-q", "--bare", "-b", "main", "m.git")
	git(t, root, nil, "clone", "-q", "m.git", work)
	content := make([]byte, 64<<10)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(content)
	commit := func() {
		if err := os.WriteFile(filepath.Join(work, "weights.bin"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, work, nil, "add", ".")
		git(t, work, nil, "commit", "-q", "-m", "x")
		git(t, work, nil, "push", "-q", "origin", "HEAD:main")
	}
	commit()

	var mu sync.Mutex
	var answer []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}
		if !strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			serve.ServeHTTP(w, r)
			return
		}
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Error(err)
				return
			}
			r.Header.Del("Content-Encoding")
		}
		in, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		out, upload, err := RewriteUploadPackRequest(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			return
		}
		if got := r.Header.Get("Git-Protocol") == "version=2"; got != (upload.Version == 2) {
			t.Errorf("%q is version %d", r.Header.Get("Git-Protocol"), upload.Version)
		}
		if !rewrite {
			out = in
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(out)), int64(len(out)), nil
		recorder := httptest.NewRecorder()
		serve.ServeHTTP(recorder, r)
		if upload.Fetch() {
			mu.Lock()
			answer = recorder.Body.Bytes()
			mu.Unlock()
		}
		for key, values := range recorder.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(recorder.Code)
		if _, err := w.Write(recorder.Body.Bytes()); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()

	clone := t.TempDir()
	protocol := []string{"-c", "protocol.version=" + version}
	git(t, clone, protocol, "clone", "-q", server.URL+"/m.git", ".")
	content[100]++
	commit()
	git(t, clone, protocol, "fetch", "-q")

	mu.Lock()
	defer mu.Unlock()
	lines, err := readPktLines(answer)
	if err != nil {
		t.Fatal(err)
	}
	var pack []byte
	for _, l := range lines {
		if len(l.data) > 0 && l.data[0] == 1 { // the side band of the pack
			pack = append(pack, l.data[1:]...)
		}
	}
	return pack
}

func gitCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0", "NO_PROXY=127.0.0.1",
		"no_proxy=127.0.0.1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	return cmd
}

func git(t *testing.T, dir string, options []string, args ...string) {
	t.Helper()
	cmd := gitCommand(t, dir, append(options, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
