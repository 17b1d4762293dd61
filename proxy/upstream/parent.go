package upstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"modelwall/scan"
)

const (
	// maxHead bounds the header of the parent's answer to CONNECT.
	maxHead = 64 << 10
	// maxInterim bounds how many 1xx answers come before it.
	maxInterim = 5
)

// ErrParent is the class of what goes wrong with the parent proxy as opposed
// to the origin; the wrapping [ParentError] has the details.
var ErrParent = errors.New("parent proxy")

// ParentError is a failure to get through the parent proxy.
type ParentError struct {
	Proxy  string // the parent's host:port, no credentials
	Target string // host:port that was asked for; "" when it did not come to that
	Status int    // the parent's refusal; 0 if it did not answer
	Err    error  // why
}

// Error says who, what and, for a status that has one, the way out.
func (e *ParentError) Error() string {
	s := fmt.Sprintf("%v %s", ErrParent, e.Proxy)
	if e.Target != "" {
		s += ": CONNECT " + e.Target
	}
	return s + ": " + e.Err.Error()
}

// Unwrap gives errors.Is the class and the cause.
func (e *ParentError) Unwrap() []error { return []error{ErrParent, e.Err} }

// Timeout makes a time-out of the parent a time-out (net.Error).
func (e *ParentError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary completes net.Error; it is deprecated there and means nothing.
func (e *ParentError) Temporary() bool { return false }

// parent is the parent proxy.
type parent struct {
	address       string // host:port
	host          string
	secure        bool          // speak TLS to it
	user          *url.Userinfo // nil: no credentials
	authorization string        // of Proxy-Authorization; "" for none
}

func newParent(p *url.URL) (*parent, error) {
	// The URL may hold a password, so no message shows more than these parts.
	bad := func(format string, args ...any) (*parent, error) {
		return nil, fmt.Errorf("upstream: parent proxy: %s (want http://[user:password@]host:port or https://…)", fmt.Sprintf(format, args...))
	}
	port := p.Port()
	switch p.Scheme {
	case "http":
		port = or(port, "80")
	case "https":
		port = or(port, "443")
	default:
		return bad("the scheme %s is not supported", scan.Quote(p.Scheme, 20))
	}
	if p.Hostname() == "" {
		return bad("there is no host")
	}
	if p.Path != "" && p.Path != "/" || p.RawQuery != "" || p.Fragment != "" || p.Opaque != "" {
		return bad("there is something after the host")
	}
	out := &parent{
		address: net.JoinHostPort(p.Hostname(), port),
		host:    p.Hostname(),
		secure:  p.Scheme == "https",
		user:    p.User,
	}
	if p.User != nil {
		password, _ := p.User.Password()
		out.authorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+password))
	}
	return out, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// openParent dials the parent and, if it is an https:// one, does the TLS
// handshake with it.
func (u *Upstream) openParent(ctx context.Context) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &ParentError{Proxy: u.parent.address, Err: err}
	}
	conn, err := u.dialParent(ctx)
	if err != nil {
		return fail(err)
	}
	if !u.parent.secure {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, u.tls)
	defer cancel()
	secure := tls.Client(conn, u.tlsConfig(u.parent.host, "http/1.1"))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return fail(err)
	}
	return secure, nil
}

// connect opens a tunnel to dest through the parent.
func (u *Upstream) connect(ctx context.Context, dest destination) (net.Conn, error) {
	conn, err := u.openParent(ctx)
	if err != nil {
		return nil, err
	}
	tunnel, err := u.handshake(ctx, conn, dest)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return tunnel, nil
}

// handshake sends CONNECT and reads the answer, within the header time-out and
// ctx. The connection is left without a deadline.
func (u *Upstream) handshake(ctx context.Context, conn net.Conn, dest destination) (net.Conn, error) {
	fail := func(status int, err error) (net.Conn, error) {
		return nil, &ParentError{Proxy: u.parent.address, Target: dest.String(), Status: status, Err: err}
	}
	if err := conn.SetDeadline(time.Now().Add(u.header)); err != nil {
		return fail(0, err)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = conn.SetDeadline(time.Unix(1, 0)) // fails only if it is closed
	})
	tunnel, status, err := u.exchange(conn, dest)
	if !stop() {
		<-interrupted
		return fail(0, ctx.Err())
	}
	if err != nil {
		return fail(status, err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return fail(0, err)
	}
	return tunnel, nil
}

func (u *Upstream) exchange(conn net.Conn, dest destination) (tunnel net.Conn, status int, err error) {
	var req bytes.Buffer
	fmt.Fprintf(&req, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n", dest)
	if u.parent.authorization != "" {
		fmt.Fprintf(&req, "Proxy-Authorization: %s\r\n", u.parent.authorization)
	}
	req.WriteString("\r\n")
	if _, err := conn.Write(req.Bytes()); err != nil {
		return nil, 0, err
	}

	limited := &io.LimitedReader{R: conn, N: maxHead}
	buffered := bufio.NewReader(limited)
	for range maxInterim + 1 {
		// No Body is read or closed: after CONNECT, what follows a 2xx header
		// is the tunnel whatever Content-Length says.
		resp, err := http.ReadResponse(buffered, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // see above
		if err != nil && limited.N <= 0 {
			return nil, 0, fmt.Errorf("the answer's header has more than %d bytes", maxHead)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, 0, fmt.Errorf("it closed the connection instead of an answer: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return nil, 0, err
		}
		switch status := resp.StatusCode; {
		case status < 200 && status != http.StatusSwitchingProtocols:
			continue
		case status < 200 || status > 299:
			return nil, status, refusal(resp)
		}
		early, err := buffered.Peek(buffered.Buffered())
		if err != nil {
			return nil, 0, err
		}
		if len(early) == 0 {
			return conn, resp.StatusCode, nil // itself, so that splice(2) works
		}
		return &earlyConn{Conn: conn, early: bytes.Clone(early)}, resp.StatusCode, nil
	}
	return nil, 0, fmt.Errorf("more than %d interim answers", maxInterim)
}

// refusal words an answer that is not 2xx.
func refusal(resp *http.Response) error {
	status := scan.Quote(resp.Status, 80)
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return fmt.Errorf("it answered %s: check the user and password in upstream.proxy (only Basic is supported)", status)
	}
	return fmt.Errorf("it answered %s", status)
}

// earlyConn is a connection of which some bytes were read already.
type earlyConn struct {
	net.Conn
	early []byte
}

// Read gives the early bytes first.
func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// CloseWrite ends the sending half of the tunnel.
func (c *earlyConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}
