package clients

import (
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/scan/scantest"
)

// The same clients without the product: what it stops does arrive then, and
// Xet is used. If they could not do it, the other tests would prove nothing.
func TestWithoutModelwall(t *testing.T) {
	hub, err := hubtest.Start(hubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	for _, r := range []hubtest.Repo{tiny(), pickles()} {
		if _, err := hub.AddRepo(r); err != nil {
			t.Fatal(err)
		}
	}
	w := &wall{t: t, hub: hub, dir: t.TempDir()}
	w.env = append(cleanEnv(), "HOME="+w.dir, "HTTPS_PROXY="+hub.ProxyURL(), "NODE_USE_ENV_PROXY=1",
		"CURL_CA_BUNDLE="+hub.CAFile(), "NODE_EXTRA_CA_CERTS="+hub.CAFile())
	t.Run("curl", func(t *testing.T) {
		w, curl := w.in(t), scantest.Tool(t, "curl")
		for _, f := range evil {
			w.arrived(w.run(curl, "-sS", "-L", "--fail", "-o", "f", evilURL+f.path), w.path("f"), f.content)
		}
	})
	t.Run("node", func(t *testing.T) {
		w, node := w.in(t), scantest.Tool(t, "node")
		w.arrived(w.run(node, nodeScript(t), "file", "acme/tiny", weights.path, "f", "xet"), w.path("f"), weights.content)
		used := false
		for _, r := range hub.Requests() {
			used = used || r.Role == hubtest.RoleCAS
		}
		if !used {
			t.Error("@huggingface/hub does not use Xet")
		}
	})
}
