package clients

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/scan/scantest"
)

// Without the Hub, what is in the cache is served to whoever could have it
// before, and to nobody else.
func TestOffline(t *testing.T) {
	python := scantest.Tool(t, "python3")
	curl := scantest.Tool(t, "curl")
	script, err := filepath.Abs("testdata/download.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"true", "auto"} {
		t.Run(mode, func(t *testing.T) {
			w := newWall(t, tiny(), gated(), pickles())
			w.arrived(w.run(python, script, cleanURL+weights.path, "f"), w.path("f"), weights.content)
			w.arrived(w.run(python, script, cleanURL+config.path, "f"), w.path("f"), config.content)
			w.arrived(w.run(python, script, gatedURL+secret.path, "f", alice), w.path("f"), secret.content)
			w.refused(w.run(python, script, evilURL+evil[0].path, "f"), evil[0].content)
			w.server.terminate()
			w.server.wait() // writes down what it knows

			settings := "mirror: {offline: " + mode + "}\n"
			if mode == "auto" {
				// Nobody answers for the Hub.
				w.hub.Fault(hubtest.Fault{Role: hubtest.RoleHub, After: -1, Cut: hubtest.CutReset})
				settings += "cache: {metadata: 0s}\n"
			}
			w.write(w.config, fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: ""}
data_dir: %q
upstream: {proxy: %q, ca_file: %q, retries: 0}
log: {format: json, level: debug}
%s
`, w.data, w.hub.ProxyURL(), w.hub.CAFile(), settings))
			before := len(w.hub.Requests())
			w.start()
			w.arrived(w.run(python, script, cleanURL+weights.path, "f"), w.path("f"), weights.content)
			w.arrived(w.run(python, script, cleanURL+config.path, "f"), w.path("f"), config.content)
			w.arrived(w.run(python, script, gatedURL+secret.path, "f", alice), w.path("f"), secret.content)
			w.refused(w.run(python, script, gatedURL+secret.path, "f"), secret.content)
			r := w.run(python, script, evilURL+evil[0].path, "f")
			w.refused(r, evil[0].content)
			w.told(r)
			r = w.run(curl, "-sS", "-L", "-D-", "-o", "f", cleanURL+checkpoint.path)
			w.absent(checkpoint.content)
			if mode == "true" {
				if !strings.Contains(r.out, " 504 ") || !strings.Contains(r.out, "does not ask huggingface.co (mirror.offline)") {
					t.Errorf("what is not in the cache:\n%s", r.out)
				}
				if n := len(w.hub.Requests()) - before; n != 0 {
					t.Errorf("the Hub got %d requests", n)
				}
			} else if !strings.Contains(r.out, " 502 ") {
				t.Errorf("what is not in the cache:\n%s", r.out)
			}
		})
	}
}
