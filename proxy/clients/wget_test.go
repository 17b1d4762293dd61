package clients

import (
	"path/filepath"
	"testing"

	"modelwall/scan/scantest"
)

func TestWget(t *testing.T) {
	wget := scantest.Tool(t, "wget")
	w := newWall(t, tiny(), gated(), pickles())
	// wget has no variable for its trust store; `modelwall run` writes a wgetrc.
	trust := "--ca-certificate=" + filepath.Join(w.data, "ca", "bundle.pem")
	for range 2 {
		w.arrived(w.run(wget, "-nv", trust, cleanURL+weights.path), w.path(weights.path), weights.content)
		w.arrived(w.run(wget, "-nv", trust, cleanURL+config.path), w.path(config.path), config.content)
	}
	w.write(w.path(weights.path), string(weights.content[:5<<20]))
	w.arrived(w.run(wget, "-nv", "-c", trust, cleanURL+weights.path), w.path(weights.path), weights.content)
	w.arrived(w.run(wget, "-nv", trust, "--header=Authorization: Bearer "+alice, gatedURL+secret.path), w.path(secret.path), secret.content)
	for _, f := range evil {
		r := w.run(wget, "-nv", "-S", trust, evilURL+f.path)
		w.refused(r, f.content)
		w.told(r)
	}
}
