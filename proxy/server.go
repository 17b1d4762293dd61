// Package proxy is the entry: one port that takes CONNECT and plain-HTTP proxy
// requests (parsed by goproxy), decides per host whether to intercept, tunnel
// or refuse, and routes what happens inside an intercepted tunnel to the
// package that knows about it. It has no knowledge of file formats.
//
// # How an intercepted connection travels
//
// goproxy hands over the raw connection (ConnectHijack). Its own interception
// is not used: it drops Content-Length, can end an aborted body cleanly, and
// dies with the process on a panic in a handler. Instead the connection is
// answered with 200, shaken hands with by a leaf certificate for the CONNECT
// host, and pushed into a listener that a real http.Server accepts from, with
// HTTP/1.1 and HTTP/2, time-outs, contained panics and cancellation when the
// client leaves. The host of each request inside must be the CONNECT host.
package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/elazarl/goproxy"
)

// Certifier makes the server side of an intercepted TLS connection.
type Certifier interface {
	// ServerConfig returns the configuration for a CONNECT target, whatever
	// server name the client sends.
	ServerConfig(host string) *tls.Config
}

// Dialer opens connections to hosts that are not intercepted.
type Dialer interface {
	// Normal returns the one spelling of host:port that is dialled, or refuses
	// the target by its port, literal address or name.
	Normal(hostport string) (string, error)
	// DialTunnel connects to host:port, refusing addresses that only DNS
	// reveals to be internal.
	DialTunnel(ctx context.Context, hostport string) (net.Conn, error)
}

// Options configure a Server. Zero durations take the defaults named.
type Options struct {
	Certifier Certifier
	Dialer    Dialer
	Transport *http.Transport // for plain-HTTP requests to other hosts
	Intercept []string        // host suffixes: "hf.co" covers itself and its sub-domains
	// Tunnel says whether hosts outside Intercept are connected to or refused.
	Tunnel func() bool
	// Inner answers requests to intercepted hosts. Their URL is absolute.
	Inner http.Handler
	// Local answers requests addressed to this port itself.
	Local  http.Handler
	Logger *slog.Logger

	HeaderTimeout    time.Duration // reading a request's header; 10 s
	IdleTimeout      time.Duration // between requests of a connection; 2 min
	HandshakeTimeout time.Duration // TLS, from the CONNECT answer on; 10 s
	ShutdownTimeout  time.Duration // for requests under way; 30 s
	MaxHeaderBytes   int           // 64 KiB
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.HeaderTimeout, 10*time.Second)
	def(&o.IdleTimeout, 2*time.Minute)
	def(&o.HandshakeTimeout, 10*time.Second)
	def(&o.ShutdownTimeout, 30*time.Second)
	if o.MaxHeaderBytes <= 0 {
		o.MaxHeaderBytes = 64 << 10
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server is the proxy on its port.
type Server struct {
	Options
	outer   *http.Server   // what clients connect to
	inner   *http.Server   // what lies inside intercepted tunnels
	tunnel  *handoff       // carries connections from outer to inner
	conns   connSet        // every hijacked connection that is still open
	running sync.WaitGroup // handlers of both servers
}

// New returns a server that is not listening yet.
func New(o Options) *Server {
	s := &Server{Options: o.withDefaults(), tunnel: newHandoff()}
	errorLog := slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug)
	s.outer = &http.Server{
		Handler:           s.contained(&entry{next: s.goproxy(), conns: &s.conns}),
		ReadHeaderTimeout: s.HeaderTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ErrorLog:          errorLog,
	}
	s.inner = &http.Server{
		Handler:           s.contained(http.HandlerFunc(s.serveInner)),
		ReadHeaderTimeout: s.HeaderTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ErrorLog:          errorLog,
		ConnContext:       withTarget,
	}
	return s
}

// contained is next with an owner: Serve waits for its handlers. A panic ends
// the one request, and is an error in the log; net/http would tell it to
// ErrorLog only, among the noise of broken handshakes.
func (s *Server) contained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler { //nolint:errorlint // panicked with as it is
				s.Logger.Error("panic", "value", fmt.Sprint(p), "client", r.RemoteAddr, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// Serve accepts on ln until ctx ends, then lets requests under way finish for
// ShutdownTimeout, cuts what is left, waits for its handlers and returns nil.
// It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	for _, server := range []*http.Server{s.outer, s.inner} {
		server.BaseContext = func(net.Listener) context.Context { return live }
	}
	errs := make(chan error, 2)
	go func() { errs <- s.outer.Serve(ln) }()
	go func() { errs <- s.inner.Serve(s.tunnel) }()
	var failure error
	running := 2
	select {
	case <-ctx.Done():
	case failure = <-errs:
		running--
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.ShutdownTimeout)
	defer cancel()
	// First the port, so that nothing new comes in; then what is inside.
	stopErr := errors.Join(s.outer.Shutdown(grace), s.inner.Shutdown(grace))
	if stopErr != nil {
		s.Logger.Warn("requests under way were cut off", "after", s.ShutdownTimeout)
	}
	s.outer.Close()
	s.inner.Close()
	s.conns.closeAll()
	end()
	s.running.Wait()
	for ; running > 0; running-- {
		failure = cmp.Or(failure, <-errs)
	}
	if errors.Is(failure, http.ErrServerClosed) {
		return nil
	}
	return failure
}

var _ http.Handler = (*goproxy.ProxyHttpServer)(nil)
