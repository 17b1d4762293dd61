package proxy_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// fileCounter counts the bytes that its connections are given as a file.
type fileCounter struct {
	net.Listener
	n *atomic.Int64
}

func (l fileCounter) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fileCounterConn{c.(*net.TCPConn), l.n}, nil
}

type fileCounterConn struct {
	*net.TCPConn
	n *atomic.Int64
}

func (c fileCounterConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.n.Add(n)
		}
	}
	return n, err
}

// A cached file goes from the disk to a client of the mirror by the kernel.
func TestMirrorSendfile(t *testing.T) {
	var sent atomic.Int64
	s := newStack(t, stackOptions{listen: func(l net.Listener) net.Listener { return fileCounter{l, &sent} }})
	content := hubtest.Bytes(file("weights", 1, large))
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": content}})
	url := "http://" + s.addr + "/acme/model/resolve/main/m.bin"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 2 {
		fetched(t, client, url, large)
		s.stored(t, content)
	}
	// net/http sends the first bytes with the header.
	if n := sent.Load(); n < large/2 {
		t.Errorf("%d bytes of the second download went by sendfile, want most of %d", n, large)
	}
}

// BenchmarkMirror serves a cached file of 256 MiB over plain HTTP, as
// http.ServeContent does and in mirror mode. They alternate in each round.
//
//	go test -run '^$' -bench Mirror -benchtime 20x ./proxy
func BenchmarkMirror(b *testing.B) {
	const tensors = 256 << 20
	s := newStack(b, stackOptions{inspector: engine.New(all.Scanners(), engine.Limits{})})
	content := tensorFile(1, tensors)
	s.add(hubtest.Repo{ID: "bench/mirror", Files: hubtest.Files{"model.safetensors": content}})
	mirrored := "http://" + s.addr + "/bench/mirror/resolve/main/model.safetensors"
	client := &http.Client{Transport: &http.Transport{ReadBufferSize: 64 << 10}}
	defer client.CloseIdleConnections()
	fetched(b, client, mirrored, content.Size())
	s.stored(b, content)

	path := filepath.Join(b.TempDir(), "model.safetensors")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(f, io.NewSectionReader(content, 0, content.Size())); err != nil {
		b.Fatal(err)
	}
	f.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	plain := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			b.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, f)
	})}
	served := make(chan error, 1)
	go func() { served <- plain.Serve(ln) }()
	defer func() {
		plain.Close()
		<-served
	}()
	var plainly, mirror spent
	for b.Loop() {
		plainly.on(func() { fetched(b, client, "http://"+ln.Addr().String()+"/", content.Size()) })
		mirror.on(func() { fetched(b, client, mirrored, content.Size()) })
	}
	b.ReportMetric(float64(b.N)*tensors/1e6/plainly.wall.Seconds(), "ServeContent-MB/s")
	b.ReportMetric(plainly.wall.Seconds()/mirror.wall.Seconds(), "mirror/ServeContent")
	b.ReportMetric(mirror.cpu.Seconds()/plainly.cpu.Seconds(), "cpu-mirror/ServeContent")
}
