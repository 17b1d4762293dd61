package clients

import (
	"os"
	"slices"
	"strings"
	"testing"

	"modelwall/scan/scantest"
)

// mirrored makes the wall's clients use it as a mirror: without a proxy, and
// without our CA, which has nothing to do there. It returns the endpoint.
func (w *wall) mirrored() string {
	endpoint := "http://" + w.server.addr
	w.env = append(slices.DeleteFunc(w.env, func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		return strings.HasSuffix(strings.ToLower(name), "_proxy") || strings.HasPrefix(value, w.data)
	}), "HF_ENDPOINT="+endpoint)
	return endpoint + "/"
}

func TestMirrorGit(t *testing.T) {
	w, git := newGitWall(t, tiny(), gated())
	mirror := w.mirrored()
	for _, dir := range []string{"first", "cached"} {
		r := w.run(git, "clone", mirror+"acme/tiny", dir)
		for _, f := range []file{weights, checkpoint, config} {
			w.arrived(r, w.path(dir, f.path), f.content)
		}
	}
	as := strings.Replace(mirror, "http://", "http://alice:"+alice+"@", 1)
	w.arrived(w.run(git, "clone", as+"acme/gated", "mine"), w.path("mine", secret.path), secret.content)
	if err := os.RemoveAll(w.path("mine")); err != nil {
		t.Fatal(err)
	}
	w.refused(w.run(git, "clone", mirror+"acme/gated", "theirs"), secret.content)
}

func TestMirrorCurl(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t, tiny(), gated(), pickles())
	mirror := w.mirrored()
	args := []string{"-sS", "-L", "--fail", "-o", "f"}
	for range 2 {
		for _, f := range []file{weights, checkpoint, config} {
			w.arrived(w.run(curl, append(args, mirror+"acme/tiny/resolve/main/"+f.path)...), w.path("f"), f.content)
		}
		w.arrived(w.run(curl, append(args, "-H", "Authorization: Bearer "+alice, mirror+"acme/gated/resolve/main/"+secret.path)...), w.path("f"), secret.content)
		w.refused(w.run(curl, append(args, mirror+"acme/gated/resolve/main/"+secret.path)...), secret.content)
	}
	for _, f := range evil {
		r := w.run(curl, append(args, "-D-", mirror+"evil/pickles/resolve/main/"+f.path)...)
		w.refused(r, f.content)
		w.told(r)
	}
}
