package hubtest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "hf_alice" // granted
	bob   = "hf_bob"   // valid, granted nothing
)

func startHub(t *testing.T, opts hubtest.Options) *hubtest.Hub {
	t.Helper()
	h, err := hubtest.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	h.AddToken(bob, "bob")
	return h
}

func addRepo(t *testing.T, h *hubtest.Hub, r hubtest.Repo) *hubtest.RepoHandle {
	t.Helper()
	handle, err := h.AddRepo(r)
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// client follows no redirect; with h1 it does not offer HTTP/2.
func client(t *testing.T, h *hubtest.Hub, h1 bool) *http.Client {
	t.Helper()
	c := h.Client()
	transport := c.Transport.(*http.Transport)
	if h1 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP1(true)
	}
	transport.DisableCompression = true
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// eachProtocol runs f as a subtest with a client of each protocol.
func eachProtocol(t *testing.T, h *hubtest.Hub, f func(t *testing.T, c *http.Client)) {
	t.Helper()
	for name, h1 := range map[string]bool{"h1": true, "h2": false} {
		t.Run(name, func(t *testing.T) { f(t, client(t, h, h1)) })
	}
}

type answer struct {
	*http.Response
	body []byte
	err  error // of reading the body
}

func do(t *testing.T, c *http.Client, method, address string, header http.Header, body string) answer {
	t.Helper()
	a, err := try(t, c, method, address, header, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return a
}

func try(t *testing.T, c *http.Client, method, address string, header http.Header, body string) (answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	return a, nil
}

func get(t *testing.T, c *http.Client, address string) answer {
	t.Helper()
	return do(t, c, http.MethodGet, address, nil, "")
}

func bearer(token string) http.Header {
	if token == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("body %.200q: %v", a.body, err)
	}
	return v
}

var weights = sample.Safetensors(1, 300_000)

func tiny(t *testing.T, h *hubtest.Hub) *hubtest.RepoHandle {
	t.Helper()
	return addRepo(t, h, hubtest.Repo{
		ID: "acme/tiny", Aliases: []string{"tiny"}, Xet: true,
		Files: hubtest.Files{
			"config.json":       hubtest.Bytes(`{"hidden_size": 64, "pad": "` + strings.Repeat("x", 2000) + `"}`),
			"model.safetensors": hubtest.Bytes(weights),
			"sub dir/é.txt":     hubtest.Bytes("naïve\n"),
			"a/b/deep.json":     hubtest.Bytes("[1]"),
			"empty.py":          hubtest.Bytes(""),
		},
	})
}

func TestDownloadFollowsRedirects(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	repo := tiny(t, h)
	eachProtocol(t, h, func(t *testing.T, c *http.Client) {
		c.CheckRedirect = nil
		for p, want := range map[string][]byte{"model.safetensors": weights, "sub dir/é.txt": []byte("naïve\n"), "empty.py": {}} {
			a := get(t, c, repo.ResolveURL("main", p))
			if a.StatusCode != http.StatusOK || !bytes.Equal(a.body, want) || a.err != nil {
				t.Errorf("%s: status %d, %d bytes, %v", p, a.StatusCode, len(a.body), a.err)
			}
		}
	})
	if err := h.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	protocols := map[string]bool{}
	for _, r := range h.Requests() {
		protocols[r.Proto] = true
		if !r.Complete || r.Host != r.SNI || r.Host != r.Target {
			t.Errorf("request %+v", r)
		}
	}
	if !protocols["HTTP/1.1"] || !protocols["HTTP/2.0"] {
		t.Errorf("protocols %v", protocols)
	}
	h.ResetRequests()
	if n := len(h.Requests()); n != 0 {
		t.Errorf("%d requests after ResetRequests", n)
	}
}
