package hubtest

import (
	"net/http"
	"slices"
	"strings"
)

// need is what a route gives away.
type need int

const (
	metadata need = iota // names, sizes, hashes: public for a gated repository
	content              // bytes, or a right to them
)

// token is the Hub token of a request: Bearer, or the password of Basic as
// git sends it.
func token(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(t)
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return ""
}

// allowed tells whether the caller may have what it asks for. If not, it has
// answered:
//
//	                     no token             token without the right
//	private              401                  404 RepoNotFound
//	gated, content       401 GatedRepo        403 GatedRepo
//	token of nobody      401 everywhere
func (h *Hub) allowed(x *exchange, r *repo, n need) bool {
	t := token(x.r)
	h.mu.Lock()
	_, exists := h.tokens[t]
	h.mu.Unlock()
	granted := t != "" && slices.Contains(r.Tokens, t)
	switch {
	case x.rec.HasAuthorization && !exists:
		x.fail(http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case r.Private && t == "":
		x.fail(http.StatusUnauthorized, "", "Invalid username or password.")
	case r.Private && !granted:
		x.fail(http.StatusNotFound, "RepoNotFound", "Repository not found")
	case r.Gated && n == content && t == "":
		x.fail(http.StatusUnauthorized, "GatedRepo", "Access to model "+r.ID+
			" is restricted. You must have access to it and be authenticated to access it. Please log in.")
	case r.Gated && n == content && !granted:
		x.fail(http.StatusForbidden, "GatedRepo", "Access to model "+r.ID+
			" is restricted and you are not in the authorized list. Visit https://"+hubHost+"/"+r.ID+" to ask for access.")
	default:
		return true
	}
	return false
}

// notFound answers for a repository that does not exist, in the same way as
// for one that the caller may not know of.
func (h *Hub) notFound(x *exchange) {
	if x.rec.HasAuthorization {
		x.fail(http.StatusNotFound, "RepoNotFound", "Repository not found")
		return
	}
	x.fail(http.StatusUnauthorized, "", "Invalid username or password.")
}
