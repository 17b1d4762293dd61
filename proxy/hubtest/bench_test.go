package hubtest_test

import (
	"io"
	"net/http"
	"testing"

	"modelwall/proxy/hubtest"
)

// BenchmarkDownload is what the hub itself can do; a benchmark of a proxy in
// front of it has this as its ceiling.
func BenchmarkDownload(b *testing.B) {
	for name, http1 := range map[string]bool{"h1": true, "h2": false} {
		b.Run(name, func(b *testing.B) {
			h, err := hubtest.Start(hubtest.Options{HTTP1: http1})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			const size = 64 << 20
			repo, err := h.AddRepo(hubtest.Repo{ID: "acme/big", Files: hubtest.Files{"big.bin": hubtest.Synthetic(1, size)}})
			if err != nil {
				b.Fatal(err)
			}
			c, link := h.Client(), repo.SignedURL("main", "big.bin")
			b.SetBytes(size)
			for b.Loop() {
				r, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, link, nil)
				resp, err := c.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
					b.Fatal(n, err)
				}
				resp.Body.Close()
			}
		})
	}
}
