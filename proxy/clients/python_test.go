package clients

import (
	"path/filepath"
	"testing"

	"modelwall/scan/scantest"
)

func TestPython(t *testing.T) {
	python := scantest.Tool(t, "python3")
	script, err := filepath.Abs("testdata/download.py")
	if err != nil {
		t.Fatal(err)
	}
	w := newWall(t, tiny(), gated(), pickles())
	for range 2 {
		for _, f := range []file{weights, checkpoint, config} {
			w.arrived(w.run(python, script, cleanURL+f.path, "f"), w.path("f"), f.content)
		}
	}
	w.arrived(w.run(python, script, gatedURL+secret.path, "f", alice), w.path("f"), secret.content)
	w.refused(w.run(python, script, gatedURL+secret.path, "f"), secret.content)
	for _, f := range evil {
		r := w.run(python, script, evilURL+f.path, "f")
		w.refused(r, f.content)
		w.told(r)
	}
}
