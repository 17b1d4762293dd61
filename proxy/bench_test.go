package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// BenchmarkDownload moves a 64 MiB safetensors file over loopback TLS: straight
// from the Hub, through the proxy for the first time (fetched, inspected,
// hashed, stored), and from its cache. The three alternate within each round,
// so their ratios hold on a noisy machine:
//
//	go test -run '^$' -bench Download -benchtime 5x ./proxy
func BenchmarkDownload(b *testing.B) {
	const tensors = 16 << 20 // float32 numbers
	for _, h2 := range []bool{false, true} {
		name := map[bool]string{false: "HTTP1", true: "HTTP2"}[h2]
		b.Run(name, func(b *testing.B) {
			s := newStack(b, stackOptions{hub: hubtest.Options{HTTP1: !h2}, inspector: engine.New(all.Scanners(), engine.Limits{})})
			direct, proxied := s.hub.Client(), s.newClient(h2)
			get := func(c *http.Client, url string) time.Duration {
				b.Helper()
				started := time.Now()
				resp, err := c.Get(url)
				if err != nil {
					b.Fatal(err)
				}
				defer resp.Body.Close()
				if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || n < 4*tensors {
					b.Fatalf("status %d, %d bytes, %v", resp.StatusCode, n, err)
				}
				return time.Since(started)
			}
			var straight, cold, cached time.Duration
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				id := fmt.Sprintf("bench/%s-%d", name, i)
				content := hubtest.Join(hubtest.Bytes(sample.SafetensorsHeader(tensors)), hubtest.Synthetic(uint64(i), 4*tensors))
				s.add(hubtest.Repo{ID: id, Files: hubtest.Files{"model.safetensors": content}})
				url := "https://huggingface.co/" + id + "/resolve/main/model.safetensors"
				b.StartTimer()
				straight += get(direct, url)
				cold += get(proxied, url)
				cached += get(proxied, url)
			}
			rate := func(d time.Duration) float64 { return float64(b.N) * 4 * tensors / 1e6 / d.Seconds() }
			b.ReportMetric(rate(straight), "direct-MB/s")
			b.ReportMetric(rate(cold), "cold-MB/s")
			b.ReportMetric(rate(cached), "cached-MB/s")
			b.ReportMetric(straight.Seconds()/cold.Seconds(), "cold/direct")
			b.ReportMetric(straight.Seconds()/cached.Seconds(), "cached/direct")
		})
	}
}
