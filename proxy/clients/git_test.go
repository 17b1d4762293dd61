package clients

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/scantest"
)

// newGitWall is a wall whose Hub answers git, and git with LFS behind it.
func newGitWall(t *testing.T, repos ...hubtest.Repo) (w *wall, git string) {
	t.Helper()
	git = scantest.Tool(t, "git")
	scantest.Tool(t, "git-lfs")
	w = newWall(t, repos...)
	if err := w.hub.EnableGit(); err != nil {
		t.Fatal(err)
	}
	if r := w.run(git, "lfs", "install", "--skip-repo"); r.code != 0 {
		t.Fatal(r.out)
	}
	return w, git
}

func TestGitClone(t *testing.T) {
	w, git := newGitWall(t, tiny())
	for _, dir := range []string{"first", "cached"} {
		before := w.cdn()
		r := w.run(git, "clone", hubURL+"acme/tiny", dir)
		for _, f := range []file{weights, checkpoint, config} {
			w.arrived(r, w.path(dir, f.path), f.content)
		}
		// The quantised model is an LFS file that .gitattributes does not name.
		if pointer, err := os.ReadFile(w.path(dir, quantised.path)); err != nil || !strings.Contains(string(pointer), "oid sha256:"+hexSum(quantised.content)) {
			t.Errorf("pointer %.200q, %v", pointer, err)
		}
		if r := w.runIn(w.path(dir), git, "fsck", "--strict"); r.code != 0 {
			t.Error(r.out)
		}
		if n := w.cdn() - before; dir == "cached" && n > 100 {
			t.Errorf("%d bytes of content were fetched again", n)
		}
	}
}

func TestGitShallow(t *testing.T) {
	w, git := newGitWall(t)
	repo, err := w.hub.AddRepo(tiny())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Update("main", hubtest.Files{"README.md": hubtest.Bytes("# Tiny\n")}); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "GIT_LFS_SKIP_SMUDGE=1")
	if r := w.run(git, "clone", "--depth=1", hubURL+"acme/tiny", "c"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.absent(weights.content)
	w.arrived(w.runIn(w.path("c"), git, "lfs", "pull"), w.path("c", weights.path), weights.content)
	if r := w.runIn(w.path("c"), git, "fetch", "--unshallow"); r.code != 0 {
		t.Error(r.out)
	}
	if r := w.runIn(w.path("c"), git, "rev-list", "--count", "HEAD"); r.out != "2\n" {
		t.Errorf("%s commits after --unshallow, want 2", r.out)
	}
}

func TestGitGated(t *testing.T) {
	w, git := newGitWall(t, gated())
	for _, dir := range []string{"first", "cached"} {
		r := w.run(git, "clone", "https://alice:"+alice+"@huggingface.co/acme/gated", dir)
		w.arrived(r, w.path(dir, secret.path), secret.content)
		if err := os.RemoveAll(w.path(dir)); err != nil {
			t.Fatal(err)
		}
		for _, url := range []string{"https://", "https://mallory:hf_mallory@"} {
			w.refused(w.run(git, "clone", url+"huggingface.co/acme/gated", "not"), secret.content)
		}
	}
}

// Files that are not under LFS travel in the pack.
func TestGitPackMalicious(t *testing.T) {
	w, git := newGitWall(t)
	clone := func(id string, args ...string) result {
		t.Helper()
		if err := os.RemoveAll(w.path("c")); err != nil { // of a clone that got as far as checkout
			t.Fatal(err)
		}
		return w.run(git, append(args, hubURL+id, "c")...)
	}
	for i, content := range [][]byte{sample.PickleMalicious(), sample.BrokenPickle(), sample.BrokenPickleSevenZip()} {
		id, notes := fmt.Sprint("evil/small", i), file{"notes.txt", content}
		repo, err := w.hub.AddRepo(hubtest.Repo{ID: id, Files: files(config, notes), LFS: func(string, int64) bool { return false }})
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"clone"}, {"clone", "--depth=1"}, {"clone", "--filter=blob:none"}, {"-c", "protocol.version=0", "clone"}} {
			r := clone(id, args...)
			w.refused(r, content)
			w.told(r)
		}
		// What a repository no longer has is in its history.
		if _, err := repo.Update("main", hubtest.Files{notes.path: nil}); err != nil {
			t.Fatal(err)
		}
		w.told(clone(id, "clone"))
		w.arrived(clone(id, "clone", "--depth=1"), w.path("c", config.path), config.content)
	}
}

func TestGitLFSMalicious(t *testing.T) {
	repo := pickles()
	repo.Files[attributes.path] = hubtest.Bytes(string(attributes.content) + "*.pkl filter=lfs diff=lfs merge=lfs -text\n")
	w, git := newGitWall(t, repo)
	r := w.run(git, "clone", hubURL+"evil/pickles", "clone") // ends at the first file that is refused
	w.told(r)
	pull := func() {
		t.Helper()
		r := w.runIn(w.path("clone"), git, "lfs", "pull")
		for _, f := range evil {
			w.refused(r, f.content)
			if sum := hexSum(f.content); strings.Count(r.out, "Modelwall blocked this file: malicious") < len(evil) || !strings.Contains(r.out, sum) {
				t.Errorf("the client does not show the reason for %s (%s):\n%s", f.path, sum, r.out)
			}
		}
	}
	pull() // asks for some objects and is refused
	known := w.cdn()
	pull() // is told by the answer to its batch request
	if n := w.cdn() - known; n != 0 {
		t.Errorf("%d bytes of content were fetched again", n)
	}
}
