package hubtest

import (
	"maps"
	"net/http"
	"slices"
)

// maxRequests bounds the memory of the log: the older half is dropped when it
// is full.
const maxRequests = 1 << 16

// Request is what the hub saw of one request and what it answered. It holds
// no token and no query.
type Request struct {
	Role             Role
	Target           string // host of the CONNECT
	SNI              string
	Host             string // lower case, without port
	Proto            string // "HTTP/1.1" or "HTTP/2.0"
	Method           string
	Path             string // as sent, percent-encoded
	HasQuery         bool
	Range            string
	UserAgent        string
	Accept           string
	AcceptEncoding   string
	HasAuthorization bool
	// Leak is an Authorization that this host must never see: any on a host
	// that is not the hub's, except a Xet token on the Xet CAS.
	Leak        bool
	HeaderNames []string // canonical and sorted
	// Status, BytesSent (of the body) and Complete are final after WaitIdle.
	Status    int
	BytesSent int64
	Complete  bool // answered to the end, with as many bytes as announced
}

// begin records the arrival of r.
func (h *Hub) begin(w http.ResponseWriter, r *http.Request) *exchange {
	host := hostname(r.Host)
	role, known := h.hosts[host]
	rec := &Request{
		Role: role, Host: host, Proto: r.Proto, Method: r.Method, Path: r.URL.EscapedPath(),
		HasQuery: r.URL.RawQuery != "", Range: r.Header.Get("Range"), UserAgent: r.UserAgent(),
		Accept: r.Header.Get("Accept"), AcceptEncoding: r.Header.Get("Accept-Encoding"),
		HasAuthorization: r.Header.Get("Authorization") != "",
		HeaderNames:      slices.Sorted(maps.Keys(r.Header)),
	}
	if !known {
		rec.Role = RoleOther
	}
	if r.TLS != nil {
		rec.SNI = r.TLS.ServerName
	}
	if c := connOf(r); c != nil {
		rec.Target = c.target
	}
	rec.Leak = rec.HasAuthorization && rec.Role != RoleHub
	if rec.Role == RoleCAS && h.xetTokenRepo(r) != nil {
		rec.Leak = false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.requests) >= maxRequests {
		h.requests = slices.Clone(h.requests[maxRequests/2:])
	}
	h.requests = append(h.requests, rec)
	return &exchange{hub: h, w: w, r: r, rec: rec, declared: -1}
}

// Requests returns the requests so far, oldest first. A request is in it from
// its arrival on.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Request, len(h.requests))
	for i, r := range h.requests {
		all[i] = *r
	}
	return all
}

// Leaks returns the requests that brought an Authorization header to a host
// that must not see one. Every test of a client or proxy wants it empty.
func (h *Hub) Leaks() []Request {
	return slices.DeleteFunc(h.Requests(), func(r Request) bool { return !r.Leak })
}

// ResetRequests forgets the requests so far.
func (h *Hub) ResetRequests() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}
