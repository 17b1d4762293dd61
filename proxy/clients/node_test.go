package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"modelwall/scan/scantest"
)

// newNodeWall is a wall and a function that runs hub.mjs behind it.
func newNodeWall(t *testing.T) (w *wall, run func(args ...string) result) {
	t.Helper()
	node, script := scantest.Tool(t, "node"), nodeScript(t)
	w = newWall(t, tiny(), gated(), pickles())
	return w, func(args ...string) result {
		t.Helper()
		return w.run(node, append([]string{script}, args...)...)
	}
}

// nodeScript returns the path of hub.mjs beside the modules that it imports.
func nodeScript(t *testing.T) string {
	t.Helper()
	scantest.Tool(t, "npm")
	dir, err := nodeModules()
	if err != nil && os.Getenv("MODELWALL_TEST_REQUIRE") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return filepath.Join(dir, "hub.mjs")
}

// nodeModules installs what testdata/node/package-lock.json lists, from the
// registry or from npm's cache.
var nodeModules = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(shared, "node")
	if err := os.CopyFS(dir, os.DirFS("testdata/node")); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return dir, nil
})

func TestNodeDownloadFile(t *testing.T) {
	w, node := newNodeWall(t)
	w.arrived(node("file", "acme/tiny", checkpoint.path, "f", "plain"), w.path("f"), checkpoint.content)
	for _, f := range []file{weights, config, quantised} {
		r := node("file", "acme/tiny", f.path, "f", "xet")
		w.arrived(r, w.path("f"), f.content)
		if strings.Contains(r.out, "Xet") {
			t.Errorf("%s came as a %s", f.path, r.out)
		}
	}
	fetched := w.cdn()
	w.arrived(node("slice", "acme/tiny", weights.path, "f", "1234567", "2345678"), w.path("f"), weights.content[1234567:2345678])
	w.arrived(node("file", "acme/tiny", weights.path, "f", "xet"), w.path("f"), weights.content)
	if n := w.cdn() - fetched; n != 0 {
		t.Errorf("%d bytes of content were fetched again", n)
	}
	w.arrived(node("file", "acme/gated", secret.path, "f", "xet", alice), w.path("f"), secret.content)
	w.refused(node("file", "acme/gated", secret.path, "f", "xet"), secret.content)
}

func TestNodeMalicious(t *testing.T) {
	w, node := newNodeWall(t)
	for _, f := range evil {
		for _, way := range []string{"plain", "xet"} {
			r := node("file", "evil/pickles", f.path, "f", way)
			w.refused(r, f.content)
			w.told(r)
		}
	}
	r := node("snapshot", "evil/pickles", "cache")
	w.told(r)
	for _, f := range evil {
		w.refused(r, f.content)
	}
}

func TestNodeRepository(t *testing.T) {
	w, node := newNodeWall(t)
	r := node("list", "acme/tiny") // its lines end with the name in Xet, if there is one
	for _, f := range []file{weights, checkpoint, quantised} {
		if line := fmt.Sprintf("%s %d %s \n", f.path, len(f.content), hexSum(f.content)); !strings.Contains(r.out, line) {
			t.Errorf("the listing has no line %q:\n%s", line, r.out)
		}
	}
	r = node("snapshot", "acme/tiny", "cache")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	for _, f := range []file{weights, checkpoint, config, quantised} {
		w.arrived(r, w.path(lines[len(lines)-1], f.path), f.content)
	}
	// The parser fetches the head of the file by ranges.
	r = node("gguf", "acme/tiny", strings.ReplaceAll(quantised.path, " ", "%20"))
	if r.code != 0 || !strings.HasSuffix("\n"+r.out, "\nllama 1\n") {
		t.Errorf("gguf: %d, %s", r.code, r.out)
	}
}
