// Package remote reads repositories of the Hub where they are: it lists the
// files of a revision, and opens them for reads at any place, without
// downloading what nobody asks for.
//
// # How it goes on the wire
//
//	GET {endpoint}/api/models/owner/name/revision/main            the commit
//	GET {endpoint}/api/models/owner/name/tree/{commit}?recursive=true
//	                                                              files, in pages
//	GET {endpoint}/owner/name/resolve/{commit}/model.safetensors  Range
//	302 Location: a signed URL of the content's host
//	GET {content's host}/…                                        Range: 206
//
// Everything is asked for by the commit, so that a branch that moves does not
// mix two states. Where the redirects ended is remembered for a file's further
// ranges; once that answers 403, which is how an expired signature looks, the
// Hub is asked anew.
//
// # What is dangerous
//
//   - The token. It goes to the endpoint's own scheme, host and port and
//     nowhere else; signed URLs carry their own right.
//   - Where redirects lead. From the real Hub, to itself and its content hosts,
//     by https; another endpoint is its owner's affair, but https does not
//     become http. Of the address of a further page only the query is used.
//   - What the Hub says. Sizes are compared with what arrives; hashes are
//     passed on as the Hub's claims, nobody computes them of parts.
//
// The API: https://huggingface.co/.well-known/openapi.json. The names (hf://):
// huggingface_hub's HfFileSystem.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
)

// DefaultEndpoint is the Hub itself.
const DefaultEndpoint = "https://" + hub.Origin

// Options say where the Hub is and how to speak to it.
type Options struct {
	// Endpoint is the Hub's address, as in HF_ENDPOINT; "" is DefaultEndpoint.
	Endpoint string
	// Token is sent to Endpoint, "" for none.
	Token string
	// Transport sends the requests. It follows no redirects and adds no
	// credentials, as every http.Transport.
	Transport http.RoundTripper
	UserAgent string
	// Patience has the options of package fetch about retries and time-outs.
	Patience fetch.Options
}

// Hub reads repositories. It is safe for concurrent use.
type Hub struct {
	endpoint *url.URL
	opt      Options
}

// New checks the options.
func New(o Options) (*Hub, error) {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http", u.RawQuery != "", u.Fragment != "", u.Opaque != "":
		return nil, errors.New("the Hub's endpoint is not an http or https URL") // it can hold a password
	case u.User != nil:
		return nil, errors.New("the Hub's endpoint has a user name: give a token instead")
	case strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token has a character that no token has")
	}
	return &Hub{endpoint: u, opt: o}, nil
}

// Public reports whether the Hub is the public one, whose hosts are known.
func (h *Hub) Public() bool {
	return h.endpoint.Scheme == "https" && h.endpoint.Path == "" && hub.RoleOf(h.endpoint.Host) == hub.RoleHub
}

// url returns an address below the endpoint; path is escaped.
func (h *Hub) url(path string) string { return h.endpoint.String() + path }

// source is what is at u, whose redirects are followed.
func (h *Hub) source(u string) fetch.Source {
	p := &place{hub: h}
	return fetch.HTTP(p, func(ctx context.Context, fresh bool) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.start(u, fresh), nil)
		if err != nil {
			return nil, fetch.Final(err)
		}
		req.Header.Set("User-Agent", h.opt.UserAgent)
		return req, nil
	})
}

// place is the http.RoundTripper of one file: it follows the redirects and
// remembers where they ended.
type place struct {
	hub *Hub

	mu sync.Mutex
	at string // "" before the first answer
}

// start returns where to ask for what is at u.
func (p *place) start(u string, fresh bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fresh || p.at == "" {
		p.at = ""
		return u
	}
	return p.at
}

// maxHops bounds the redirects: a renamed repository, the resolve cache, the
// content's host.
const maxHops = 6

// RoundTrip implements http.RoundTripper.
func (p *place) RoundTrip(req *http.Request) (*http.Response, error) {
	for range maxHops {
		if p.hub.own(req.URL) && p.hub.opt.Token != "" {
			req.Header.Set("Authorization", "Bearer "+p.hub.opt.Token)
		}
		resp, err := p.hub.opt.Transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode >= 400 {
			if resp.StatusCode < 300 {
				p.mu.Lock()
				p.at = req.URL.String()
				p.mu.Unlock()
			}
			return resp, nil
		}
		resp.Body.Close()
		meta, err := hub.ParseMeta(req.URL, resp.StatusCode, resp.Header)
		if err == nil && meta.Location == nil {
			err = fmt.Errorf("status %d without a location", resp.StatusCode)
		}
		if err == nil {
			err = p.hub.mayLead(meta.Location)
		}
		if err != nil {
			return nil, fetch.Final(fmt.Errorf("%w: %w", fetch.ErrProtocol, err))
		}
		next := req.Clone(req.Context())
		next.URL, next.Host = meta.Location, ""
		next.Header.Del("Authorization")
		req = next
	}
	return nil, fetch.Final(fmt.Errorf("%w: more than %d redirects", fetch.ErrProtocol, maxHops))
}

// own reports whether u is at the endpoint, where the token may go.
func (h *Hub) own(u *url.URL) bool {
	return u.Scheme == h.endpoint.Scheme && strings.EqualFold(u.Hostname(), h.endpoint.Hostname()) && port(u) == port(h.endpoint)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// errAway means that the Hub sent us to a host that is none of its own.
var errAway = errors.New("redirect away from the Hub")

// mayLead checks where a redirect leads. ParseMeta has seen to the scheme.
func (h *Hub) mayLead(u *url.URL) error {
	if !h.Public() {
		return nil
	}
	switch hub.RoleOf(u.Host) {
	case hub.RoleHub, hub.RoleCDN:
		if u.Scheme == "https" {
			return nil
		}
	}
	host, _, err := net.SplitHostPort(u.Host)
	if err != nil {
		host = u.Host
	}
	return fmt.Errorf("%w: to host %q", errAway, host)
}
