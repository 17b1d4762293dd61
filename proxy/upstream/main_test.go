package upstream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTest(t *testing.T, o Options) *Upstream {
	t.Helper()
	u, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.transport.CloseIdleConnections)
	return u
}

// newLoopback is direct, and may connect to loopback, where a test's servers are.
func newLoopback(t *testing.T, o Options) *Upstream {
	t.Helper()
	u := newTest(t, o)
	loopback := netip.MustParseAddr("127.0.0.1")
	u.rules.v4 = slices.DeleteFunc(u.rules.v4, func(b block) bool { return b.prefix.Contains(loopback) })
	u.local = func(netip.Addr) bool { return false }
	return u
}

// listen serves each connection on a goroutine of its own until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// testProxy is a parent proxy that connects every target to one backend.
type testProxy struct {
	backend string // "" answers 502
	auth    string // the Proxy-Authorization it wants; "" for none

	mu   sync.Mutex
	seen []*http.Request
}

func (p *testProxy) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

func (p *testProxy) serve(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.seen = append(p.seen, req)
		p.mu.Unlock()
		switch {
		case req.Header.Get("Proxy-Authorization") != p.auth:
			io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
		case req.Method != http.MethodConnect:
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
		case p.backend == "":
			io.WriteString(c, "HTTP/1.1 502 no\x1broute\r\nContent-Length: 0\r\n\r\n")
			return
		default:
			p.tunnel(c, br)
			return
		}
	}
}

func (p *testProxy) tunnel(c net.Conn, br *bufio.Reader) {
	back, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer back.Close()
	io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(back, br)
		back.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(c, back)
	c.Close()
	<-done
}

func httpURL(address string) *url.URL { return &url.URL{Scheme: "http", Host: address} }

// refused fails unless err is an ErrForbidden.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	var a *AddressError
	if !errors.Is(err, ErrForbidden) || !errors.As(err, &a) || a.Reason == "" {
		t.Errorf("%s: error %v is not an ErrForbidden", what, err)
	}
}
