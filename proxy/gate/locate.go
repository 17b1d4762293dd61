package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
)

// ErrRedirect means that the Hub sent us somewhere that is neither itself nor one of its
// content hosts.
var ErrRedirect = errors.New("redirect away from the Hub")

// maxHops bounds the redirects inside the Hub: a renamed repository, then the
// resolve cache.
const maxHops = 6

// subject is a file that a client asked for, located.
type subject struct {
	request hub.Request
	header  http.Header // for the client
	sha256  string      // promised by the Hub, or known from the git blob id; "" if not
	gitSHA1 string      // of a small file, else ""
	size    int64       // -1 when only the content's host knows
	source  fetch.Source
	stored  bool   // source is our own store
	repo    string // where the Hub has the file, after its redirects; as in an audit record
	key     string // equal for requests that ask for the same content
	commit  string // that the revision stands for, "" when the Hub does not say
	xetHash string // as the Hub announced it, "" if not
}

// promised compares the content's size with what this caller was told. A part
// of the content is another content, that nobody inspected.
func (s *subject) promised(size int64) error {
	if s.size >= 0 && s.size != size {
		return fmt.Errorf("%w: the Hub announced %d bytes, the content has %d", fetch.ErrMismatch, s.size, size)
	}
	return nil
}

// locate finds out what a request stands for, on behalf of its caller. An
// answer other than success is a *fetch.StatusError with the Hub's own header
// and text.
func (g *Gate) locate(r *http.Request, req hub.Request) (*subject, error) {
	if req.Kind == hub.Object {
		return g.locateObject(r, req)
	}
	found, err := g.ask(r.Context(), r)
	if err != nil {
		return nil, err
	}
	s := &subject{
		request: req,
		header:  hub.FileHeader(found.meta, found.header),
		sha256:  found.meta.SHA256,
		gitSHA1: found.meta.GitSHA1,
		size:    found.meta.Size,
		source:  fetch.HTTP(g.Content, g.follow(r, found.bytes)),
		repo:    hub.Classify(http.MethodGet, found.at.Host, found.at).RepoID(),
		commit:  found.meta.Commit,
		xetHash: found.header.Get("X-Xet-Hash"),
	}
	if req.Kind == hub.Blob && req.SHA256 != "" {
		s.sha256 = req.SHA256 // an OCI digest is a promise by itself
	}
	switch {
	case s.sha256 != "":
		s.key = "sha256:" + s.sha256
	case s.gitSHA1 != "":
		s.key = fmt.Sprintf("git:%s:%d", s.gitSHA1, s.size)
		if s.size >= 0 {
			if s.sha256, _, err = g.Records.Alias(r.Context(), s.gitSHA1, s.size); err != nil {
				return nil, err
			}
		}
	default:
		s.key = unnamed(r)
	}
	return s, nil
}

// unnamed is the key of content without a name: its URL, and whoever asks,
// because two of them may be shown two things there. It is a secret.
func unnamed(r *http.Request) string {
	return fmt.Sprintf("url:%s %q %q", r.URL, r.Header.Values("Authorization"), r.Header.Values("Cookie"))
}

// locateObject takes a signed URL on a content host. The signature is the
// permission; whether the host accepts it shows when the content is asked for.
func (g *Gate) locateObject(r *http.Request, req hub.Request) (*subject, error) {
	s := &subject{request: req, header: http.Header{}, size: -1, key: unnamed(r)}
	p, ok := g.promises.Get(r.URL.Host + r.URL.EscapedPath())
	if ok {
		s.request.Repo, s.request.Revision, s.request.Path = p.Repo, p.Revision, p.Path
		s.sha256, s.size, s.key = p.SHA256, p.Size, "sha256:"+p.SHA256
	}
	s.repo = s.request.RepoID()
	u := *r.URL
	s.source = fetch.HTTP(g.Content, func(ctx context.Context, _ bool) (*http.Request, error) {
		return outgoing(ctx, http.MethodGet, &u, r)
	})
	// One byte tells whether this caller may have it, and how large it is.
	probe, err := s.source.Open(r.Context(), 0, 1)
	if err != nil {
		var status *fetch.StatusError
		if errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable {
			err = s.promised(0)
			s.size = 0
			return s, err
		}
		return nil, err
	}
	defer probe.Body.Close()
	if probe.Size >= 0 {
		if err := s.promised(probe.Size); err != nil {
			return nil, err
		}
		s.size = probe.Size
	}
	for _, k := range []string{"Content-Type", "Content-Disposition", "Last-Modified"} {
		if v := probe.Header.Get(k); v != "" {
			s.header.Set(k, v)
		}
	}
	if s.sha256 != "" {
		s.header.Set("ETag", `"`+s.sha256+`"`)
	} else if probe.ETag != "" {
		s.header.Set("ETag", probe.ETag)
	}
	return s, nil
}

// found is what the Hub says about a file.
type found struct {
	at     *url.URL // where the Hub said it
	meta   hub.Meta
	header http.Header
	bytes  *url.URL // where the content is
}

// ask sends HEAD to the Hub and follows redirects inside it, up to the answer
// that carries the file's metadata.
func (g *Gate) ask(ctx context.Context, r *http.Request) (found, error) {
	at := *r.URL
	var first hub.Meta
	for range maxHops {
		resp, err := g.roundTrip(ctx, http.MethodHead, &at, r)
		if err != nil {
			return found{}, err
		}
		resp.Body.Close()
		if resp.StatusCode >= 400 {
			return found{}, g.refusal(ctx, resp, &at, r)
		}
		meta, err := hub.ParseMeta(&at, resp.StatusCode, resp.Header)
		if err != nil {
			return found{}, fmt.Errorf("%w: %w", fetch.ErrProtocol, err)
		}
		if meta.Commit == "" {
			meta.Commit = first.Commit
		}
		switch {
		case meta.Location == nil && resp.StatusCode < 300:
			return found{&at, meta, resp.Header, &at}, nil
		case meta.Location == nil:
			return found{}, fmt.Errorf("%w: status %d without a location", fetch.ErrProtocol, resp.StatusCode)
		case meta.Location.Scheme != "https":
			return found{}, fmt.Errorf("%w: to scheme %q", ErrRedirect, meta.Location.Scheme)
		}
		switch hub.RoleOf(meta.Location.Host) {
		case hub.RoleCDN:
			return found{&at, meta, resp.Header, meta.Location}, nil
		case hub.RoleHub:
			first, at = meta, *meta.Location
		default:
			return found{}, fmt.Errorf("%w: to host %q", ErrRedirect, meta.Location.Hostname())
		}
	}
	return found{}, fmt.Errorf("%w: more than %d redirects", fetch.ErrProtocol, maxHops)
}

// refusal makes an error of the Hub's refusal. The text that explains it comes
// with GET only.
func (g *Gate) refusal(ctx context.Context, head *http.Response, at *url.URL, r *http.Request) error {
	e := &Denied{&fetch.StatusError{Code: head.StatusCode, Header: head.Header}}
	if r.Method != http.MethodGet {
		return e
	}
	resp, err := g.roundTrip(ctx, http.MethodGet, at, r)
	if err != nil {
		return e
	}
	defer resp.Body.Close()
	if resp.StatusCode == head.StatusCode {
		e.Header = resp.Header
		e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxRefusalBody))
	}
	return e
}

const maxRefusalBody = 64 << 10

// follow returns the builder of requests for the bytes: at the place that was
// found, and once that has expired at the place that the Hub names anew.
func (g *Gate) follow(r *http.Request, at *url.URL) fetch.NewRequest {
	var mu sync.Mutex
	return func(ctx context.Context, fresh bool) (*http.Request, error) {
		mu.Lock()
		defer mu.Unlock()
		if fresh {
			again, err := g.ask(ctx, r)
			if err != nil {
				return nil, err
			}
			at = again.bytes
		}
		return outgoing(ctx, http.MethodGet, at, r)
	}
}

func (g *Gate) roundTrip(ctx context.Context, method string, u *url.URL, r *http.Request) (*http.Response, error) {
	req, err := outgoing(ctx, method, u, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := g.Transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fetch.ErrUnreachable, err)
	}
	return resp, nil
}

// outgoing makes a request to u on behalf of r's caller. Credentials go only
// to the very host that the caller sent them to, and never to a content host.
func outgoing(ctx context.Context, method string, u *url.URL, r *http.Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fetch.Final(err)
	}
	req.Header.Set("User-Agent", r.UserAgent())
	if strings.EqualFold(u.Host, r.URL.Host) && hub.RoleOf(u.Host) == hub.RoleHub {
		for _, k := range []string{"Authorization", "Cookie"} {
			if v := r.Header.Values(k); len(v) > 0 {
				req.Header[k] = v
			}
		}
	}
	return req, nil
}
