package remote

import (
	"errors"
	"fmt"
	"net/http"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
)

// DeniedError says why the Hub does not show something, and the way out.
type DeniedError struct {
	Ref   Ref
	text  string
	cause error // a *fetch.StatusError, mostly
}

// Error implements error.
func (e *DeniedError) Error() string { return e.Ref.String() + ": " + e.text }

// Unwrap returns the Hub's own answer.
func (e *DeniedError) Unwrap() error { return e.cause }

// Explain makes a *DeniedError of a refusal that reading a file met with.
// Other errors it returns as they are.
func (h *Hub) Explain(ref Ref, err error) error { return denied(ref, h, err) }

func denied(ref Ref, h *Hub, err error) error {
	var status *fetch.StatusError
	if !errors.As(err, &status) {
		return err
	}
	e := &DeniedError{Ref: ref, cause: err}
	page := h.url("/" + ref.Repo())
	code, said := status.Header.Get("X-Error-Code"), status.Header.Get("X-Error-Message")
	switch {
	case code == "GatedRepo" && status.Code == http.StatusUnauthorized:
		e.text = "it is gated, and no token was sent: ask for access at " + page + " and set HF_TOKEN"
	case code == "GatedRepo":
		e.text = "it is gated, and the owner of the token was not given access: ask for it at " + page
	case code == "RevisionNotFound":
		e.text = fmt.Sprintf("it has no revision %q", ref.revision())
	case code == "EntryNotFound":
		e.text = errNotThere.Error()
	case status.Code == http.StatusUnauthorized && h.opt.Token != "":
		e.text = "the Hub refused the token: it is wrong or has expired"
	case status.Code == http.StatusUnauthorized:
		e.text = "there is no such repository, or it is private: set HF_TOKEN to a token that may read it"
	case code == "RepoNotFound", status.Code == http.StatusNotFound:
		e.text = "there is no such repository, or the owner of the token may not see it"
	default:
		e.text = status.Error()
		if said != "" {
			e.text += ": " + hub.OneLine(said, 300)
		}
	}
	return e
}
