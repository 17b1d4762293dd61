package clients

import (
	"path/filepath"
	"testing"

	"modelwall/scan/scantest"
)

// aria2c fetches a file in pieces over many connections.
func TestAria2(t *testing.T) {
	aria2c := scantest.Tool(t, "aria2c")
	w := newWall(t, tiny(), gated(), pickles())
	get := func(url string, more ...string) result {
		t.Helper()
		// aria2c has no variable for its trust store, and prints the header of
		// an answer, where the reason of a refusal is, at level info only.
		return w.run(aria2c, append(more, "--no-conf", "--ca-certificate="+filepath.Join(w.data, "ca", "bundle.pem"),
			"-x8", "-s8", "-k1M", "--console-log-level=info", "--summary-interval=0", "-o", "f", url)...)
	}
	w.arrived(get(cleanURL+weights.path), w.path("f"), weights.content)
	fetched := w.cdn()
	if fetched >= 2*int64(len(weights.content)) {
		t.Errorf("the Hub sent %d bytes of content for %d", fetched, len(weights.content))
	}
	w.arrived(get(cleanURL+weights.path), w.path("f"), weights.content)
	if n := w.cdn() - fetched; n != 0 {
		t.Errorf("%d bytes of content were fetched again", n)
	}
	w.arrived(get(cleanURL+config.path), w.path("f"), config.content)
	w.arrived(get(gatedURL+secret.path, "--header=Authorization: Bearer "+alice), w.path("f"), secret.content)
	for _, f := range evil {
		r := get(evilURL + f.path)
		w.refused(r, f.content)
		w.told(r)
	}
}
