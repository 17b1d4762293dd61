package proxy_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"testing"
	"time"

	"modelwall/proxy"
)

// bare is the same proxy path with inspection off, which the benchmarks compare
// with: goproxy's CONNECT, our certificate, and httputil.ReverseProxy over the
// transport that files come by, with buffers from a pool.
func (s *stack) bare(t testing.TB) (addr string) {
	t.Helper()
	up := s.up
	handler := &httputil.ReverseProxy{
		Rewrite:    func(p *httputil.ProxyRequest) { p.Out.Host = p.Out.URL.Host },
		Transport:  up.Content(),
		BufferPool: &buffers{sync.Pool{New: func() any { return new([64 << 10]byte) }}},
		ErrorLog:   log.New(io.Discard, "", 0), // clients that leave
	}
	server := proxy.New(proxy.Options{
		Certifier: s.ca, Dialer: up, Transport: up.Transport(), Intercept: []string{"huggingface.co", "hf.co"},
		Tunnel: func() bool { return false }, Inner: handler, Local: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler),
		ShutdownTimeout: time.Second,
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the bare proxy: %v", err)
		}
	})
	return ln.Addr().String()
}

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte { return b.Pool.Get().(*[64 << 10]byte)[:] }

func (b *buffers) Put(p []byte) { b.Pool.Put((*[64 << 10]byte)(p)) }
