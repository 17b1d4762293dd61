package clients

import (
	"fmt"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/scan/scantest"
)

// The Hub has many addresses for one file. Each gives it away without the
// product, none does behind it, and a harmless name helps nothing.
func TestWaysRound(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t)
	for i, f := range evil {
		large, small := file{"model.gguf", f.content}, file{"README.md", f.content}
		id := fmt.Sprint("evil/model", i)
		repo, err := w.hub.AddRepo(hubtest.Repo{ID: id, Xet: true, Files: files(large, small), LFS: func(p string, _ int64) bool { return p == large.path }})
		if err != nil {
			t.Fatal(err)
		}
		commit, err := repo.Update("refs/pr/1", hubtest.Files{"new": hubtest.Bytes("new")})
		if err != nil {
			t.Fatal(err)
		}
		at, resolve := hubURL+id, "/"+id+"/resolve/main/"+large.path
		for _, url := range []string{
			at + "/resolve/" + commit + "/model.gguf",
			at + "/resolve/refs%2Fpr%2F1/model.gguf",
			at + "/resolve/main/model.gguf?download=true",
			at + "/resolve/main/%6dodel.gguf",
			at + "/resolve/main/README.md",
			at + "/raw/main/README.md",
			hubURL + "api/resolve-cache/models/" + id + "/" + commit + "/README.md",
			hubURL + "v2/" + id + "/blobs/sha256:" + hexSum(f.content),
			"https://hf.co" + resolve,
			"https://www.huggingface.co" + resolve,
			"https://huggingface.co:443" + resolve,
			"https://HuggingFace.co" + resolve,
			"http://huggingface.co" + resolve,
			repo.SignedURL("main", large.path),
		} {
			args := []string{"-sS", "-L", "--fail", "-o", "f", url}
			w.arrived(w.run(curl, append(args, "-x", w.hub.ProxyURL(), "--cacert", w.hub.CAFile())...), w.path("f"), f.content)
			r := w.run(curl, append(args, "-D-")...)
			w.refused(r, f.content)
			w.told(r)
		}
	}
}
