package hubtest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

// tool returns the path of a program that CI installs by its Debian package of
// the same name.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
	return path
}

// run runs a client behind the hop and returns what it printed.
func run(t *testing.T, h *hubtest.Hub, dir, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "HTTPS_PROXY=" + h.ProxyURL(), "LC_ALL=C",
		"CURL_CA_BUNDLE=" + h.CAFile(), "GIT_SSL_CAINFO=" + h.CAFile(), "SSL_CERT_FILE=" + h.CAFile(),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestCurl(t *testing.T) {
	curl := tool(t, "curl")
	h := startHub(t, hubtest.Options{})
	repo := tiny(t, h)
	dir := t.TempDir()
	for _, protocol := range []string{"--http1.1", "--http2"} {
		out, err := run(t, h, dir, curl, "-sS", "--fail", "-L", protocol, "-H", "Authorization: Bearer "+bob,
			"-o", "m", "-w", "%{http_version} %{http_code} %{num_redirects}", repo.ResolveURL("main", "model.safetensors"))
		want := map[string]string{"--http1.1": "1.1 200 1", "--http2": "2 200 1"}[protocol]
		if err != nil || out != want {
			t.Errorf("%s: %q, %v", protocol, out, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "m")); err != nil || !bytes.Equal(got, weights) {
			t.Errorf("%s: %d bytes, %v", protocol, len(got), err)
		}
	}
	out, err := run(t, h, dir, curl, "-sS", "--compressed", "-L", repo.ResolveURL("main", "config.json"))
	if err != nil || !strings.HasPrefix(out, `{"hidden_size": 64`) {
		t.Errorf("compressed: %.100q, %v", out, err)
	}
	if n := len(h.Leaks()); n != 0 {
		t.Errorf("%d leaks", n)
	}
}

func TestGitClone(t *testing.T) {
	git := tool(t, "git")
	h := startHub(t, hubtest.Options{})
	if err := h.EnableGit(); err != nil {
		t.Fatal(err)
	}
	repo := tiny(t, h)
	if _, err := repo.Update("main", hubtest.Files{"README.md": hubtest.Bytes("# tiny\n")}); err != nil {
		t.Fatal(err)
	}
	addRepo(t, h, hubtest.Repo{ID: "acme/gated", Gated: true, Tokens: []string{alice}, Files: hubtest.Files{"a": hubtest.Bytes("a")}})
	dir := t.TempDir()
	if out, err := run(t, h, dir, git, "clone", "-q", "https://huggingface.co/acme/tiny"); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	clone := filepath.Join(dir, "tiny")
	if out, err := run(t, h, clone, git, "rev-parse", "HEAD"); err != nil || strings.TrimSpace(out) != repo.Commit("main") {
		t.Errorf("HEAD %q, want %s, %v", out, repo.Commit("main"), err)
	}
	if out, err := run(t, h, clone, git, "fsck", "--strict"); err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
	pointer, err := os.ReadFile(filepath.Join(clone, "model.safetensors"))
	if err != nil || !strings.Contains(string(pointer), "oid sha256:"+hexSum(weights)) {
		t.Errorf("pointer %.100q, %v", pointer, err)
	}
	if _, err := repo.Update("main", hubtest.Files{"new": hubtest.Bytes("new\n")}); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, h, clone, git, "pull", "-q"); err != nil {
		t.Errorf("pull: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(clone, "new")); err != nil {
		t.Error(err)
	}
	if out, err := run(t, h, dir, git, "clone", "-q", "https://huggingface.co/acme/gated"); err == nil {
		t.Errorf("gated clone without token worked: %s", out)
	}
	if out, err := run(t, h, dir, git, "clone", "-q", "https://alice:"+alice+"@huggingface.co/acme/gated"); err != nil {
		t.Errorf("gated clone: %v\n%s", err, out)
	}
	if _, err := exec.LookPath("git-lfs"); err != nil {
		t.Skipf("needs git-lfs: %v", err)
	}
	if out, err := run(t, h, clone, git, "-c", "lfs.url=https://huggingface.co/acme/tiny.git/info/lfs", "lfs", "pull"); err != nil {
		t.Errorf("lfs pull: %v\n%s", err, out)
	}
	// Without a .gitattributes nothing is checked out; the object is fetched
	// all the same by its pointer.
	out, err := run(t, h, clone, "sh", "-c", "git lfs smudge < model.safetensors | sha256sum")
	if err != nil || !strings.HasPrefix(out, hexSum(weights)) {
		t.Errorf("lfs smudge: %v\n%s", err, out)
	}
	if n := len(h.Leaks()); n != 0 {
		t.Errorf("%d leaks", n)
	}
}
