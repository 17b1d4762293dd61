package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"strconv"

	"modelwall/proxy/fetch"
	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
	"modelwall/proxy/metadata"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
	"modelwall/scan"
)

// Errors of this package. What the others add is in faults.
var (
	errBadRequest  = errors.New("malformed request")
	errTooLong     = errors.New("request body is too long")
	errMethod      = errors.New("method not allowed")
	errMisdirected = errors.New("host does not match the tunnel")
	errHostDenied  = errors.New("host is not allowed")
	errNotCovered  = errors.New("this way of fetching can not be inspected")
	errXet         = errors.New("this is a Xet transfer")
	errXetToken    = errors.New("unknown or expired Xet token")
	errXetLink     = errors.New("unknown or expired link")
	errXetUnknown  = errors.New("no file with this Xet hash")
	errAnswer      = errors.New("the Hub's answer could not be read")
)

// fault is how a class of error looks from outside.
type fault struct {
	class  error
	status int
	code   string // X-Error-Code, and the label of metrics
	text   string // what happened, in words for the user
	// reason says whether the error's own text follows: it tells the user
	// something and holds no internals.
	reason bool
}

// faults is the one table of errors. The first class that fits counts.
var faults = []fault{
	{errBadRequest, http.StatusBadRequest, "ModelwallBadRequest", "Modelwall can not make sense of this request", true},
	{errTooLong, http.StatusRequestEntityTooLarge, "ModelwallRequestTooLarge", "Modelwall refuses this request", true},
	{errMethod, http.StatusMethodNotAllowed, "ModelwallMethod", "Modelwall refuses this request", true},
	{errMisdirected, http.StatusMisdirectedRequest, "ModelwallMisdirected", "Modelwall refuses this request", true},
	{errHostDenied, http.StatusForbidden, "ModelwallHostDenied", "Modelwall does not connect to this host", true},
	{upstream.ErrForbidden, http.StatusForbidden, "ModelwallHostDenied", "Modelwall does not connect to this address", true},
	{upstream.ErrParent, http.StatusBadGateway, "ModelwallParentProxy", "The parent proxy (upstream.proxy) does not let Modelwall through", false},
	{errXet, http.StatusForbidden, "ModelwallXetRefused", hub.XetRefusal, false},
	{metadata.ErrOffline, http.StatusGatewayTimeout, "ModelwallOffline", "Modelwall does not ask " + hub.Origin + " (mirror.offline), and this is not in its cache", false},
	{errXetToken, http.StatusUnauthorized, "ModelwallXetToken", "Modelwall does not know this Xet token any more; start the download again", false},
	// Clients ask for the reconstruction again when they are told 403.
	{errXetLink, http.StatusForbidden, "ModelwallXetLink", "Modelwall does not know this link any more; start the download again", false},
	{errXetUnknown, http.StatusNotFound, "ModelwallXetUnknown", "Modelwall can not tell which file this is; set HF_HUB_DISABLE_XET=1 and try again", true},
	{errNotCovered, http.StatusForbidden, "ModelwallNotCovered", "Modelwall refuses what it can not inspect", true},
	{fetch.ErrTooLarge, http.StatusForbidden, "ModelwallTooLarge", "Modelwall refuses what is too large to be held back until it is inspected", true},
	{gate.ErrRedirect, http.StatusBadGateway, "ModelwallRedirect", "Modelwall does not follow the Hub there", true},
	{fetch.ErrMismatch, http.StatusBadGateway, "ModelwallContentMismatch", "The content is not what the Hub announced; nothing was kept, try again", true},
	{fetch.ErrChanged, http.StatusBadGateway, "ModelwallContentChanged", "The content changed while it was fetched; try again", false},
	{fetch.ErrSpool, http.StatusInsufficientStorage, "ModelwallDisk", "Modelwall can not write to its disk; tell whoever runs it", false},
	{fetch.ErrStalled, http.StatusGatewayTimeout, "ModelwallUpstreamStalled", "The Hub stopped sending", false},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "ModelwallUpstreamTimeout", "The server behind Modelwall did not answer in time", false},
	{fetch.ErrTruncated, http.StatusBadGateway, "ModelwallUpstreamCut", "The Hub's answer broke off again and again", false},
	{fetch.ErrProtocol, http.StatusBadGateway, "ModelwallUpstreamProtocol", "The Hub's answer makes no sense", true},
	{errAnswer, http.StatusBadGateway, "ModelwallUpstreamProtocol", "The Hub's answer makes no sense", true},
	{fetch.ErrUnreachable, http.StatusBadGateway, "ModelwallUpstreamUnreachable", "Modelwall can not reach the server", false},
	{store.ErrFull, http.StatusInsufficientStorage, "ModelwallDisk", "Modelwall has no space left; tell whoever runs it", false},
	{store.ErrUnwritable, http.StatusInsufficientStorage, "ModelwallDisk", "Modelwall can not use its data folder; tell whoever runs it", false},
	{os.ErrPermission, http.StatusInsufficientStorage, "ModelwallDisk", "Modelwall can not use its data folder; tell whoever runs it", false},
}

// unknownFault is for what the table does not know: nothing of it is shown.
var unknownFault = fault{nil, http.StatusInternalServerError, "ModelwallInternal", "Modelwall failed; the request id finds the reason in its log", false}

func classify(err error) fault {
	var timing interface{ Timeout() bool }
	if errors.As(err, &timing) && timing.Timeout() {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err) // not all of net/http's are
	}
	for _, f := range faults {
		if errors.Is(err, f.class) {
			return f
		}
	}
	return unknownFault
}

// maxLine bounds a message in a header or status line, in bytes.
const maxLine = 900

// line is the message of f for a person.
func (f fault) line(err error) string {
	if f.reason {
		return f.text + ": " + err.Error()
	}
	return f.text
}

// passed are the headers of the Hub's own refusal that its clients act on.
var passed = []string{
	"Retry-After", "Ratelimit", "Ratelimit-Policy", "X-Error-Code", "X-Error-Message", "X-Repo-Commit",
	"Www-Authenticate", "X-Hf-Warning", "Content-Type", "Content-Range",
}

// problem is the body of an error.
type problem struct {
	Error     string         `json:"error"`
	Message   string         `json:"message"`
	RequestID string         `json:"request_id"`
	SHA256    string         `json:"sha256,omitempty"`
	Findings  []scan.Finding `json:"findings,omitempty"`
}

// passedStatus are those of them that a content host may set as well.
var passedStatus = []string{"Retry-After", "Ratelimit", "Ratelimit-Policy", "Content-Range"}

func pass(to, from http.Header, keys []string) {
	for _, k := range keys {
		if v := from.Values(k); len(v) > 0 {
			to[textproto.CanonicalMIMEHeaderKey(k)] = v
		}
	}
}

// contentStatus is what a client is told when a content host answers with
// status in place of content. One that is no error would make a file of our
// explanation, and on 401 git-lfs asks again and again.
func contentStatus(status int) int {
	switch {
	case status < http.StatusBadRequest:
		return http.StatusBadGateway
	case status == http.StatusUnauthorized:
		return http.StatusForbidden
	}
	return status
}

// WriteError answers a request with err: a refusal with its findings, the
// Hub's own refusal as it came, a content host's by its status alone, anything
// else by the table.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	var status *fetch.StatusError
	var denied *gate.Denied
	var refused *gate.Refused
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // nobody is there to read an answer
	case errors.As(err, &refused):
		writeProblem(w, http.StatusForbidden, refused.Code(), problem{
			Message: refused.Error(), SHA256: refused.SHA256, Findings: refused.Report.Findings,
		})
	case errors.As(err, &denied):
		pass(w.Header(), denied.Header, passed)
		if m, ok := mirrorOf(r); ok {
			m.Answer(denied.Code, w.Header())
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(denied.Body)))
		w.WriteHeader(denied.Code)
		w.Write(denied.Body)
	case errors.As(err, &status):
		pass(w.Header(), status.Header, passedStatus)
		writeProblem(w, contentStatus(status.Code), "ModelwallContentHost", problem{Message: "The content could not be fetched: " + status.Error()})
	default:
		f := classify(err)
		writeProblem(w, f.status, f.code, problem{Message: f.line(err)})
	}
}

func writeProblem(w http.ResponseWriter, status int, code string, p problem) {
	p.RequestID = w.Header().Get("X-Request-Id")
	p.Error = p.Message
	hub.BlockHeader(w.Header(), code, p.Message)
	body, err := json.Marshal(p)
	if err != nil { // strings and findings always encode
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

func badRequest(err error) error { return fmt.Errorf("%w: %w", errBadRequest, err) }

func badAnswer(err error) error { return fmt.Errorf("%w: %w", errAnswer, err) }
