package hubtest

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// The hop is the only listener. A CONNECT to one of the hub's names turns the
// connection itself into the TLS connection of that host: nothing is dialled
// or copied, so that a reset by the hub is a reset at the client.

// conn is a connection of a client, first to the hop and then to a host.
type conn struct {
	net.Conn
	hub     *Hub
	target  string // host of the CONNECT; set before the tunnel is handed over
	pending []byte // arrived together with the CONNECT
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *conn) Close() error {
	c.forget()
	return c.Conn.Close()
}

func (c *conn) forget() {
	c.hub.mu.Lock()
	delete(c.hub.conns, c)
	c.hub.mu.Unlock()
}

// reset ends the connection with a TCP RST. What is still in the send buffer
// is lost.
func (c *conn) reset() {
	raw := c.Conn
	if w, ok := raw.(*wire); ok {
		raw = w.Conn
		defer func() { _ = w.drop() }()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.forget()
	_ = raw.Close()
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		return context.WithValue(ctx, connKey{}, t.NetConn())
	}
	return ctx
}

// connOf returns the connection that r came on, or nil.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

func (h *Hub) openConns() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		open = append(open, c)
	}
	return open
}

// hopListener accepts the hop's connections and registers them.
type hopListener struct {
	net.Listener
	hub *Hub
}

func (l *hopListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: overWire(raw, l.hub.opts.Wire, l.hub.closing), hub: l.hub}
	l.hub.mu.Lock()
	l.hub.conns[c] = struct{}{}
	l.hub.mu.Unlock()
	return c, nil
}

// tunnelListener accepts what the hop hands over.
type tunnelListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func (l *tunnelListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *tunnelListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *tunnelListener) Addr() net.Addr { return l.addr }

// serveHop answers what a client sends to its proxy.
func (h *Hub) serveHop(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		panic(http.ErrAbortHandler)
	}
	defer h.leave()
	if !h.hopAuthorised(r) {
		w.Header().Set("Proxy-Authenticate", `Basic realm="test hub"`)
		http.Error(w, "the test hub's hop wants Proxy-Authorization", http.StatusProxyAuthRequired)
		return
	}
	host := hostname(r.Host)
	if _, known := h.hosts[host]; !known {
		http.Error(w, "the test hub knows no such host", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodConnect {
		// Plain HTTP: the real hosts answer it with a redirect to HTTPS.
		to := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
		return
	}
	if _, port, err := net.SplitHostPort(r.Host); err != nil || port != "443" {
		http.Error(w, "the test hub's hosts listen on port 443 only", http.StatusForbidden)
		return
	}
	h.tunnel(w, host)
}

func (h *Hub) hopAuthorised(r *http.Request) bool {
	if h.opts.ProxyAuth == "" {
		return true
	}
	given, ok := strings.CutPrefix(r.Header.Get("Proxy-Authorization"), "Basic ")
	want := base64.StdEncoding.EncodeToString([]byte(h.opts.ProxyAuth))
	return ok && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

func (h *Hub) tunnel(w http.ResponseWriter, host string) {
	raw, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c, ok := raw.(*conn)
	if !ok {
		_ = raw.Close()
		return
	}
	c.target = host
	// A client may send its ClientHello without waiting for the answer.
	early, _ := buffered.Peek(buffered.Reader.Buffered())
	c.pending = append([]byte(nil), early...)
	if _, err := c.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		_ = c.Close()
		return
	}
	select {
	case h.tunnels.conns <- c:
	case <-h.tunnels.closed:
		_ = c.Close()
	}
}
