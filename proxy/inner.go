package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
)

type targetKey struct{}

// withTarget puts the CONNECT target of an intercepted connection into the
// context of its requests.
func withTarget(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	if hijacked, ok := c.(*conn); ok {
		return context.WithValue(ctx, targetKey{}, hijacked.target)
	}
	return ctx
}

// serveInner takes one request inside an intercepted tunnel, pins it to the
// tunnel's target and passes it on with an absolute https URL.
func (s *Server) serveInner(w http.ResponseWriter, r *http.Request) {
	target, _ := r.Context().Value(targetKey{}).(string)
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		WriteError(w, r, fmt.Errorf("%w: no CONNECT target", errBadRequest))
		return
	}
	// An absolute-form URL wins over the Host header in net/http, so both are
	// in r.Host; r.URL.Host tells whether there was one.
	for _, named := range []string{r.Host, r.URL.Host} {
		if named != "" && !samehost(named, host, port) {
			WriteError(w, r, fmt.Errorf("%w: %q was asked for inside a tunnel to %q", errMisdirected, named, target))
			return
		}
	}
	if r.Method == http.MethodConnect {
		WriteError(w, r, fmt.Errorf("%w: CONNECT inside a tunnel", errMethod))
		return
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	u := *r.URL
	u.Scheme, u.Host = "https", host
	if r.TLS == nil {
		http.Redirect(w, r, u.String(), http.StatusPermanentRedirect)
		return
	}
	if port != "443" {
		u.Host = net.JoinHostPort(host, port)
	}
	r.URL, r.Host = &u, u.Host
	s.Inner.ServeHTTP(w, r)
}

// samehost reports whether named (host or host:port) is the tunnel's target.
func samehost(named, host, port string) bool {
	h, p, err := net.SplitHostPort(named)
	if err != nil {
		h, p = named, port
	}
	clean := func(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }
	return clean(h) == clean(host) && p == port
}
