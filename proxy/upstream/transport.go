package upstream

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// parentAddress stands for the parent proxy inside the transport, whose
// DialContext is told nothing but an address. No destination can be equal: it
// would be refused as a name under "invalid".
const parentAddress = "parent-proxy.invalid:1"

// newTransport is for few hosts, many parallel downloads and large bodies.
func (u *Upstream) newTransport() *http.Transport {
	return &http.Transport{
		Proxy:       u.route,
		DialContext: u.dialTransport,
		// The transport adds h2 and http/1.1 itself.
		TLSClientConfig:     u.tlsConfig(""),
		ForceAttemptHTTP2:   true, // off by default when DialContext is set
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:  true, // bytes are scanned and passed on as they come
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 64, // the default of 2 would close most of a client's parallel ranges
		IdleConnTimeout:     90 * time.Second,
		// Larger than net/http's 4 KB: fewer system calls for large bodies.
		ReadBufferSize:         64 << 10,
		WriteBufferSize:        16 << 10,
		TLSHandshakeTimeout:    u.tls,
		ResponseHeaderTimeout:  u.header,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// newContent is newTransport without HTTP/2, which carries all requests to a
// host over one connection: parallel segments of an object are to have one each,
// and Go's HTTP/2 moves large bodies at less than half the speed.
func (u *Upstream) newContent() *http.Transport {
	t := u.newTransport()
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// route is asked for each request before a connection is chosen or reused, so
// it is where each request's destination is checked.
func (u *Upstream) route(req *http.Request) (*url.URL, error) {
	port := req.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[req.URL.Scheme]
	}
	if err := u.Allowed(net.JoinHostPort(req.URL.Hostname(), port)); err != nil {
		return nil, err
	}
	if u.parent == nil || req.URL.Scheme != "http" {
		return nil, nil // for HTTPS the tunnel is dialTransport's affair
	}
	// Always "http": dialTransport does the TLS with an https:// parent, for
	// the transport would offer h2 and then speak HTTP/1.1 all the same.
	return &url.URL{Scheme: "http", Host: parentAddress, User: u.parent.user}, nil
}

func (u *Upstream) dialTransport(ctx context.Context, _, address string) (net.Conn, error) {
	if u.parent != nil && address == parentAddress {
		return u.openParent(ctx)
	}
	return u.DialTunnel(ctx, address)
}
