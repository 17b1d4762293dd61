package proxy_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/store"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// BenchmarkSmallFiles fetches 400 files of 4 KiB, 32 at a time, over loopback
// TLS with records kept on disk as a server keeps them: through the bare proxy,
// through Modelwall for the first time, and from its cache. p99 is of single
// requests, one after another.
//
//	go test -run '^$' -bench SmallFiles -benchtime 5x ./proxy
func BenchmarkSmallFiles(b *testing.B) {
	const files, size, width = 400, 4 << 10, 32
	s := newStack(b, stackOptions{
		hub:       hubtest.Options{HTTP1: true},
		inspector: engine.New(all.Scanners(), engine.Limits{}),
		audit:     func(s *store.Store) audit.Sink { return s.Audit(func(err error) { b.Error(err) }) },
	})
	bare, proxied := s.clientOf(s.bare(b), false), s.newClient(false)
	var through, cold, cached spent
	var plain, hit []time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		id := fmt.Sprint("bench/small-", i)
		list := hubtest.Files{}
		for j := range files {
			list[fmt.Sprintf("tensors-%d.safetensors", j)] = tensorFile(uint64(i*files+j), size)
		}
		s.add(hubtest.Repo{ID: id, Files: list, LFS: func(string, int64) bool { return true }})
		length := list["tensors-0.safetensors"].Size()
		one := func(c *http.Client, j int) {
			fetched(b, c, fmt.Sprintf("https://huggingface.co/%s/resolve/main/tensors-%d.safetensors", id, j), length)
		}
		many := func(c *http.Client) {
			var wg sync.WaitGroup
			for k := range width {
				wg.Go(func() {
					for j := k; j < files; j += width {
						one(c, j)
					}
				})
			}
			wg.Wait()
		}
		b.StartTimer()
		through.on(func() { many(bare) })
		cold.on(func() { many(proxied) })
		cached.on(func() { many(proxied) })
		for j := range files {
			plain = append(plain, timed(func() { one(bare, j) }))
			hit = append(hit, timed(func() { one(proxied, j) }))
		}
	}
	n := float64(b.N * files)
	b.ReportMetric(n/through.wall.Seconds(), "bare-files/s")
	b.ReportMetric(through.wall.Seconds()/cold.wall.Seconds(), "cold/bare")
	b.ReportMetric(through.wall.Seconds()/cached.wall.Seconds(), "cached/bare")
	b.ReportMetric(p99(plain).Seconds()*1000, "bare-p99-ms")
	b.ReportMetric(p99(hit).Seconds()*1000, "hit-p99-ms")
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)*99/100]
}
