package proxy_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// fetched downloads url to nowhere and follows redirects. It fails unless size
// bytes come.
func fetched(b testing.TB, c *http.Client, url string, size int64) {
	b.Helper()
	for range 5 {
		resp, err := c.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if to, _ := resp.Location(); err == nil && to != nil {
			url = to.String()
			continue
		}
		if err != nil || resp.StatusCode != 200 || n != size {
			b.Fatalf("status %d, %d bytes, %v", resp.StatusCode, n, err)
		}
		return
	}
	b.Fatal("too many redirects")
}

// spent is what something took: of the clock, and of this process's processors,
// with the Hub and the client in it.
type spent struct{ wall, cpu time.Duration }

func (s *spent) on(f func()) {
	var before, after syscall.Rusage
	began := time.Now()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before) // can not fail
	f()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	s.wall += time.Since(began)
	used := func(r *syscall.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }
	s.cpu += used(&after) - used(&before)
}

// tensorFile is a safetensors file of n bytes of tensors.
func tensorFile(seed uint64, n int64) hubtest.Content {
	return hubtest.Join(hubtest.Bytes(sample.SafetensorsHeader(n/4)), hubtest.Synthetic(seed, n))
}

// BenchmarkDownload moves a safetensors file of 256 MiB over loopback TLS:
// straight from the Hub, through the same proxy path with inspection off, through
// Modelwall for the first time (fetched, inspected, hashed, stored), and from its
// cache. They alternate within each round, so that their ratios hold on a
// noisy machine. cpu is what the proxy alone takes for a first download, as a
// multiple of what the bare path and one SHA-256 take:
//
//	go test -run '^$' -bench Download -benchtime 5x ./proxy
func BenchmarkDownload(b *testing.B) {
	const tensors = 256 << 20
	for _, h2 := range []bool{false, true} {
		name := map[bool]string{false: "HTTP1", true: "HTTP2"}[h2]
		b.Run(name, func(b *testing.B) {
			s := newStack(b, stackOptions{hub: hubtest.Options{HTTP1: !h2}, inspector: engine.New(all.Scanners(), engine.Limits{})})
			direct, bare, proxied := s.hub.Client(), s.clientOf(s.bare(b), h2), s.newClient(h2)
			var straight, through, cold, cached, hashed spent
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				id := fmt.Sprintf("bench/%s-%d", name, i)
				content := tensorFile(uint64(i), tensors)
				hashed.on(func() { _, _ = io.Copy(sha256.New(), io.NewSectionReader(content, 0, content.Size())) })
				s.add(hubtest.Repo{ID: id, Files: hubtest.Files{"model.safetensors": content}})
				get := func(c *http.Client) func() {
					return func() {
						fetched(b, c, "https://huggingface.co/"+id+"/resolve/main/model.safetensors", content.Size())
					}
				}
				b.StartTimer()
				straight.on(get(direct))
				through.on(get(bare))
				cold.on(get(proxied))
				s.stored(b, content)
				cached.on(get(proxied))
			}
			ratio := func(a, b spent) float64 { return a.wall.Seconds() / b.wall.Seconds() }
			b.ReportMetric(float64(b.N)*tensors/1e6/through.wall.Seconds(), "bare-MB/s")
			b.ReportMetric(ratio(straight, cold), "cold/direct")
			b.ReportMetric(ratio(through, cold), "cold/bare")
			b.ReportMetric(ratio(through, cached), "cached/bare")
			b.ReportMetric(float64(cold.cpu-straight.cpu)/float64(through.cpu-straight.cpu+hashed.cpu), "cpu/(bare+sha256)")
			gib := float64(b.N) * tensors / (1 << 30)
			b.ReportMetric((through.cpu-straight.cpu).Seconds()/gib, "bare-cpu-s/GiB")
			b.ReportMetric((cold.cpu-straight.cpu).Seconds()/gib, "cold-cpu-s/GiB")
			b.ReportMetric((cached.cpu-straight.cpu).Seconds()/gib, "cached-cpu-s/GiB")
			b.ReportMetric(straight.cpu.Seconds()/gib, "direct-cpu-s/GiB")
			b.ReportMetric(hashed.cpu.Seconds()/gib, "sha256-cpu-s/GiB")
		})
	}
}

// BenchmarkLink moves a safetensors file of 512 MiB from a Hub that is 40 ms away
// and gives each connection 25 MB/s: straight, with the one request that a
// browser or curl makes, and through Modelwall for the first time.
//
//	go test -run '^$' -bench Link -benchtime 1x ./proxy
func BenchmarkLink(b *testing.B) {
	const tensors = 512 << 20
	s := newStack(b, stackOptions{
		hub:       hubtest.Options{HTTP1: true, Wire: hubtest.Wire{RTT: 40 * time.Millisecond, Rate: 25e6}},
		inspector: engine.New(all.Scanners(), engine.Limits{}),
	})
	direct, proxied := s.hub.Client(), s.newClient(false)
	var straight, cold spent
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		id := fmt.Sprint("bench/link-", i)
		content := tensorFile(uint64(i), tensors)
		s.add(hubtest.Repo{ID: id, Files: hubtest.Files{"model.safetensors": content}})
		b.StartTimer()
		url := "https://huggingface.co/" + id + "/resolve/main/model.safetensors"
		straight.on(func() { fetched(b, direct, url, content.Size()) })
		cold.on(func() { fetched(b, proxied, url, content.Size()) })
	}
	mb := float64(b.N) * tensors / 1e6
	b.ReportMetric(mb/straight.wall.Seconds(), "direct-MB/s")
	b.ReportMetric(mb/cold.wall.Seconds(), "cold-MB/s")
	b.ReportMetric(straight.wall.Seconds()/cold.wall.Seconds(), "cold/direct")
}

// stored waits until content is in the cache.
func (s *stack) stored(t testing.TB, content hubtest.Content) {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(content, 0, content.Size())); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("%x", h.Sum(nil))
	for {
		blob, err := s.store.Blobs().Open(name)
		if err == nil {
			blob.Close()
			return
		}
		<-time.After(time.Millisecond)
	}
}
