package proxy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"

	"modelwall/proxy/fetch"
	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
)

// Front answers requests to the Hub's hosts: it finds out which request is
// which, and sends files through the gate, metadata through a cleaning relay,
// and what can not be inspected back with a reason.
type Front struct {
	Gate      *gate.Gate
	Transport http.RoundTripper
	Xet       *Xet // nil is XetStrip; its Describe has to be the gate's
	Logger    *slog.Logger
}

// ServeHTTP takes requests with an absolute URL.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()[:16]
	w.Header().Set("X-Request-Id", id)
	req := hub.Classify(r.Method, r.URL.Host, r.URL)
	f.Logger.Debug("request", "request_id", id, "method", r.Method, "kind", req.Kind.String(), "what", req.String())
	if err := refuse(r.Method, req); err != nil && !(errors.Is(err, errXet) && f.facade(r, req)) {
		f.Gate.Refuse(w, r, req, err)
		return
	}
	if err := f.route(w, r, req); err != nil {
		WriteError(w, r, err)
	}
}

// refuse returns why a request is never passed on, or nil.
func refuse(method string, req hub.Request) error {
	switch {
	case req.Ambiguous:
		return fmt.Errorf("%w: the path can be read in more than one way", errBadRequest)
	case req.Kind.Xet():
		return errXet
	case req.Kind.Refused():
		return fmt.Errorf("%w: %s", errNotCovered, req.Kind)
	case req.Kind.IsFile() && method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions:
		return fmt.Errorf("%w: a file is fetched with GET", errMethod)
	}
	return nil
}

// facade reports whether a request of the Xet protocol is answered by
// ourselves.
func (f *Front) facade(r *http.Request, req hub.Request) bool {
	if f.Xet.mode() != XetFacade {
		return false
	}
	if req.Kind == hub.XetToken {
		return r.Method == http.MethodGet && req.Repo != "" && req.Revision != "" && req.RepoType != "bucket"
	}
	return (req.Kind == hub.XetCAS || req.Kind == hub.XetTransfer && req.Role == hub.RoleXetTransfer) &&
		(r.Method == http.MethodGet || req.Kind == hub.XetCAS)
}

func (f *Front) route(w http.ResponseWriter, r *http.Request, req hub.Request) error {
	whole := req.Kind == hub.BucketFile || req.Kind == hub.Derived || req.Kind == hub.Page
	switch {
	case req.Kind == hub.XetCAS || req.Kind == hub.XetTransfer:
		f.serveXet(w, r, req)
	case f.xetInfo(w, r, req):
	case whole && r.Method == http.MethodGet:
		f.Gate.ServeWhole(w, f.whole(r), req, req.Path, nil)
	case !whole && req.Kind.IsFile() && r.Method != http.MethodOptions:
		f.Gate.ServeFile(w, r, req)
	case req.Kind == hub.LFSBatch:
		return f.lfsBatch(w, r, req)
	case req.Kind == hub.GitUploadPack:
		return f.uploadPack(w, r, req)
	default:
		f.relay(req).ServeHTTP(w, r)
	}
	return nil
}

// relay passes metadata on, without the signals that make a client use Xet. An
// answer that turns out to be a file is not passed on, nor is another protocol,
// and of a file there is no more than a header.
func (f *Front) relay(req hub.Request) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: unreachable{f.Transport},
		ErrorLog:  slog.NewLogLogger(f.Logger.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.Host = p.Out.URL.Host
			identity(p.Out)
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusSwitchingProtocols && req.Kind != hub.Relay {
				return fmt.Errorf("%w: a switch to another protocol", errNotCovered)
			}
			if req.Kind.IsFile() && resp.Request.Method != http.MethodHead {
				resp.Body.Close()
				setBody(resp, nil)
			}
			delivers := resp.StatusCode < 300 && resp.Request.Method != http.MethodHead && resp.ContentLength != 0
			if delivers && req.Kind.IsMetadata() && hub.IsFileAnswer(resp.Header) || hub.IsXetInfo(resp.Header) {
				return fmt.Errorf("%w: the answer is not what was asked for", errNotCovered)
			}
			if f.Xet.mode() != XetDeny {
				hub.CleanResponse(resp.Header)
			}
			// Ours, which the log knows; the header is set already.
			resp.Header.Del("X-Request-Id")
			if m, ok := mirrorOf(resp.Request); ok {
				m.Answer(resp.StatusCode, resp.Header)
			}
			if req.Kind == hub.XetToken && resp.StatusCode < 300 {
				return f.Xet.token(req, resp)
			}
			return f.cleanBody(req, resp)
		},
		ErrorHandler: WriteError,
	}
}

// unreachable names the class of a transport's errors.
type unreachable struct{ http.RoundTripper }

func (u unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(r)
	if err != nil {
		err = fmt.Errorf("%w: %w", fetch.ErrUnreachable, err)
	}
	return resp, err
}

// identity asks for a body as it is: only what is not packed can be read.
func identity(out *http.Request) {
	hub.CleanRequest(out.Header)
	out.Header.Set("Accept-Encoding", "identity")
}

// whole makes the request that asks for a body to be inspected. A part of it,
// or "not modified", would say nothing about the whole.
func (f *Front) whole(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	for _, k := range [...]string{"Range", "If-Range", "If-None-Match", "If-Modified-Since"} {
		out.Header.Del(k)
	}
	hub.EndToEnd(out.Header)
	identity(out)
	return out
}
