package proxy

import (
	"context"
	"fmt"
	"net/http"

	"modelwall/proxy/hub"
)

// Mirror answers requests addressed to this port itself as the Hub would, for
// clients with HF_ENDPOINT, and for those that know no proxy. They go the way
// of intercepted ones.
type Mirror struct {
	Front http.Handler
	// URL is the mirror's own address as clients have to spell it, behind a
	// TLS terminator or under a path; "" takes it from each request.
	URL string
	// Home answers for "/".
	Home http.Handler
}

// ServeHTTP implements http.Handler.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := hub.Mirror(m.URL)
	if at == "" {
		at = hub.Mirror("http://" + r.Host)
	}
	u, ok := at.Asked(r.URL)
	switch {
	case r.Host == "" || r.URL.Path == "*":
		WriteError(w, r, fmt.Errorf("%w: no host", errBadRequest))
	case r.URL.Path == "/" || ok && u.Path == "/" && u.Host == hub.Origin:
		m.Home.ServeHTTP(w, r)
	case !ok:
		WriteError(w, r, fmt.Errorf("%w: %q is not a path of this mirror", errNotCovered, r.URL.Path))
	default:
		r = r.WithContext(context.WithValue(r.Context(), mirrorKey{}, at))
		r.URL, r.Host = u, u.Host
		m.Front.ServeHTTP(w, r)
	}
}

type mirrorKey struct{}

// mirrorOf returns the mirror that a request came to, if it came to one.
func mirrorOf(r *http.Request) (hub.Mirror, bool) {
	m, ok := r.Context().Value(mirrorKey{}).(hub.Mirror)
	return m, ok
}
