package clients

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/scantest"
)

// After kill -9 at any time there are only whole blobs, and the next download
// is right.
func TestServeKilled(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	const size = 30 << 20
	w := newWall(t)
	for i, at := range []int{1, size / 2, size - 1} {
		large := sample.Safetensors(uint64(20+i), size)
		id, sum := fmt.Sprint("acme/large", i), hexSum(large)
		// The Hub stops at a place, so the server can not be done.
		content := newSlow(t, large, at)
		if _, err := w.hub.AddRepo(hubtest.Repo{ID: id, Files: hubtest.Files{"m.safetensors": content}}); err != nil {
			t.Fatal(err)
		}
		args := []string{"-sS", "--fail", "-o", "f", hubURL + id + "/resolve/main/m.safetensors"}
		client := w.begin(curl, args...)
		content.wait(client)
		w.server.kill()
		content.goOn()
		if r := <-client; r.code == 0 {
			t.Fatalf("a download that was cut looks well to the client: %s", r.out)
		}
		for _, name := range w.whole() {
			if name == sum {
				t.Error("there is a blob before the content was whole")
			}
		}
		w.start()
		w.walk(filepath.Join(w.data, "spool"), func(path string, left []byte) {
			if len(left) > 0 {
				t.Errorf("%s is left of the dead process", path)
			}
		})
		// The client has a piece of the file, or nothing, and goes on.
		piece, err := os.ReadFile(w.path("f"))
		if err != nil && !os.IsNotExist(err) || !bytes.HasPrefix(large, piece) {
			t.Errorf("%d bytes that are no piece of the content, %v", len(piece), err)
		}
		w.arrived(w.run(curl, append([]string{"-C", "-"}, args...)...), w.path("f"), large)

		// What a client has whole is kept, whatever happens next.
		w.server.kill()
		w.start()
		fetched := w.cdn()
		w.arrived(w.run(curl, args...), w.path("f"), large)
		if n := w.cdn() - fetched; n != 0 {
			t.Errorf("%d bytes of content were fetched again", n)
		}
	}
}
