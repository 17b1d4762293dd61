package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/upstream"
)

// goproxy returns the handler that parses CONNECT and absolute-form requests
// and asks the functions below what to do with them. Everything in it that
// touches the network is replaced: its transport and dialer take a proxy from
// our own environment, and know no forbidden addresses.
func (s *Server) goproxy() http.Handler {
	g := goproxy.NewProxyHttpServer()
	g.Logger = goproxyLog{s}
	g.Tr = s.Transport
	g.KeepAcceptEncoding = true
	g.NonproxyHandler = s.Local
	g.ConnectDial = nil
	g.ConnectDialWithReq = func(r *http.Request, _, addr string) (net.Conn, error) {
		c, err := s.Dialer.DialTunnel(r.Context(), addr)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", fetch.ErrUnreachable, err)
		}
		return c, nil
	}
	g.ConnectionErrHandler = func(w io.Writer, _ *goproxy.ProxyCtx, err error) {
		_ = refusal(nil, err).Write(w) //nolint:bodyclose // Write closes the body
	}
	g.OnRequest().HandleConnectFunc(s.connect)
	g.OnRequest().DoFunc(s.plain)
	return g
}

// connect decides about one CONNECT.
func (s *Server) connect(target string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	reject := func(err error) (*goproxy.ConnectAction, string) {
		s.Logger.Info("connect refused", "target", target, "client", ctx.Req.RemoteAddr, "reason", err)
		ctx.Resp = refusal(ctx.Req, err) //nolint:bodyclose // goproxy writes it and closes its connection
		return &goproxy.ConnectAction{Action: goproxy.ConnectReject}, target
	}
	host, port, err := net.SplitHostPort(target)
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || numErr != nil || n == 0 || host == "" {
		return reject(fmt.Errorf("%w: CONNECT needs host:port, got %q", errBadRequest, target))
	}
	// From here on there is one spelling: what is decided about is dialled.
	if target, err = s.Dialer.Normal(target); err != nil {
		return reject(err)
	}
	if host, _, err = net.SplitHostPort(target); err != nil {
		return reject(badRequest(err))
	}
	switch {
	case s.intercepts(host):
		hijack := func(r *http.Request, raw net.Conn, _ *goproxy.ProxyCtx) { s.hijack(r, raw, target) }
		return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: hijack}, target
	case s.Tunnel():
		return &goproxy.ConnectAction{Action: goproxy.ConnectAccept}, target
	}
	return reject(fmt.Errorf("%w: %q is not a host of the Hub (other_hosts: deny)", errHostDenied, host))
}

// plain decides about one absolute-form request without TLS. A nil response
// lets goproxy forward it.
func (s *Server) plain(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	host, port := r.URL.Hostname(), r.URL.Port()
	if port == "" {
		port = "80"
	}
	if r.URL.Scheme != "http" {
		return r, refusal(r, fmt.Errorf("%w: scheme %q through a plain proxy request", errBadRequest, r.URL.Scheme))
	}
	normal, err := s.Dialer.Normal(net.JoinHostPort(host, port))
	if err != nil {
		return r, refusal(r, err)
	}
	if host, _, err = net.SplitHostPort(normal); err != nil {
		return r, refusal(r, badRequest(err))
	}
	if s.intercepts(host) {
		// The Hub answers http with a redirect to https; so do we, without
		// sending a token over an open wire.
		u := *r.URL
		u.Scheme, u.Host = "https", host
		resp := answer(r, http.StatusPermanentRedirect, "")
		resp.Header.Set("Location", u.String())
		return r, resp
	}
	if !s.Tunnel() {
		return r, refusal(r, fmt.Errorf("%w: %q is not a host of the Hub (other_hosts: deny)", errHostDenied, host))
	}
	ctx.RoundTripper = goproxy.RoundTripperFunc(s.forward)
	return r, nil
}

// forward sends a plain request on. goproxy would end a body that broke off
// as if it were whole; here the break aborts the client's connection.
func (s *Server) forward(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	resp, err := unreachable{s.Transport}.RoundTrip(r)
	if err != nil {
		return refusal(r, err), nil
	}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		// The parent proxy asks us; passed on, the client would ask its user.
		resp.Body.Close()
		return refusal(r, fmt.Errorf("%w: it wants credentials", upstream.ErrParent)), nil
	}
	if _, upgraded := resp.Body.(io.ReadWriter); !upgraded {
		resp.Body = abortingBody{resp.Body}
	}
	return resp, nil
}

type abortingBody struct{ io.ReadCloser }

func (b abortingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// intercepts reports whether host, normalised, is one of the suffixes or below
// one.
func (s *Server) intercepts(host string) bool {
	for _, suffix := range s.Intercept {
		if host == suffix || strings.HasSuffix(host, "."+suffix) {
			return true
		}
	}
	return false
}

// hijack answers an intercepted CONNECT and passes the connection to the
// inner server, after a TLS handshake unless the client speaks plain HTTP.
func (s *Server) hijack(r *http.Request, raw net.Conn, target string) {
	c, ok := raw.(*conn)
	if !ok { // goproxy hands on what entry's Hijack returned
		raw.Close()
		return
	}
	c.target = target
	ready, err := s.shake(r.Context(), c)
	if err != nil {
		s.Logger.Debug("handshake failed", "target", c.target, "client", r.RemoteAddr, "error", err)
		_ = c.Close()
		return
	}
	s.tunnel.push(ready)
}

// tlsHandshake is the first byte of a TLS connection (RFC 8446, 5.1).
const tlsHandshake = 22

func (s *Server) shake(ctx context.Context, c *conn) (net.Conn, error) {
	if err := c.SetDeadline(time.Now().Add(s.HandshakeTimeout)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return nil, err
	}
	first, err := c.peek()
	if err != nil {
		return nil, err
	}
	var ready net.Conn = c
	if first == tlsHandshake {
		host, _, _ := net.SplitHostPort(c.target)
		secured := tls.Server(c, s.Certifier.ServerConfig(host))
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		ready = secured
	}
	return ready, c.SetDeadline(time.Time{})
}

// answer makes a response for goproxy to write.
func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)),
		Request:       r,
		Close:         true,
	}
}

// refusal is answer for an error. The reason stands in the status line too:
// it is all that Python's clients show of a refused CONNECT.
func refusal(r *http.Request, err error) *http.Response {
	f := classify(err)
	text := hub.OneLine(f.line(err), maxLine)
	resp := answer(r, f.status, text+"\n")
	resp.Status = fmt.Sprintf("%d %s", f.status, text)
	return resp
}

type goproxyLog struct{ s *Server }

func (g goproxyLog) Printf(format string, v ...any) {
	g.s.Logger.Debug("goproxy", "text", fmt.Sprintf(format, v...))
}
