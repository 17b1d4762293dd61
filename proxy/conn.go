package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// entry gives goproxy a ResponseWriter whose Hijack loses nothing. goproxy
// takes the connection from Hijack and drops the buffered reader beside it;
// a TLS ClientHello that came in the same packet as the CONNECT is in there. It
// also closes what goproxy leaves open: an upgraded connection whose other side
// has ended.
type entry struct {
	next  http.Handler
	conns *connSet
}

func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := &hijacker{ResponseWriter: w, conns: e.conns}
	kept := false
	defer func() {
		if h.taken != nil && !kept {
			_ = h.taken.Close()
		}
	}()
	e.next.ServeHTTP(h, r)
	kept = r.Method == http.MethodConnect // a tunnel lives on
}

type hijacker struct {
	http.ResponseWriter
	conns *connSet
	taken *conn // what Hijack gave away
}

// Unwrap lets http.ResponseController reach the real writer.
func (h *hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// ReadFrom implements io.ReaderFrom: on a plain connection the kernel copies a
// file (sendfile(2)).
func (h *hijacker) ReadFrom(src io.Reader) (int64, error) { return io.Copy(h.ResponseWriter, src) }

// Flush implements http.Flusher, which goproxy asserts for event streams.
func (h *hijacker) Flush() { _ = http.NewResponseController(h.ResponseWriter).Flush() }

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.taken = &conn{Conn: c, buffered: rw.Reader, set: h.conns}
	if !h.conns.add(h.taken) {
		_ = c.Close()
		return nil, nil, net.ErrClosed
	}
	return h.taken, rw, nil
}

// conn is a hijacked client connection: it first yields what was read ahead,
// knows the CONNECT target once it is intercepted, and leaves its set when it
// is closed.
type conn struct {
	net.Conn
	buffered *bufio.Reader
	set      *connSet
	target   string // host:port of the CONNECT, "" for a tunnel
	once     sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	if c.buffered.Buffered() > 0 {
		return c.buffered.Read(p)
	}
	return c.Conn.Read(p)
}

// peek waits for the first byte.
func (c *conn) peek() (byte, error) {
	b, err := c.buffered.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (c *conn) Close() error {
	c.once.Do(func() { c.set.remove(c) })
	return c.Conn.Close()
}

// CloseWrite and CloseRead let a tunnel carry half-closed connections.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// CloseRead is the other half of CloseWrite.
func (c *conn) CloseRead() error {
	if half, ok := c.Conn.(interface{ CloseRead() error }); ok {
		return half.CloseRead()
	}
	return errors.ErrUnsupported
}

// connSet remembers hijacked connections, which http.Server forgets, so that
// shutdown can end them.
type connSet struct {
	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

func (s *connSet) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[*conn]struct{}{}
	}
	s.open[c] = struct{}{}
	return true
}

func (s *connSet) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *connSet) closeAll() {
	s.mu.Lock()
	s.closed = true
	open := make([]*conn, 0, len(s.open))
	for c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}

// handoff is a net.Listener fed by the CONNECT handler.
type handoff struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// push gives c to the accepting server, or closes it when that has ended.
func (h *handoff) push(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close()
	}
}

func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }
