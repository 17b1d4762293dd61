package hub

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// Mirror is the address under which clients take us for the Hub, as in
// HF_ENDPOINT: "http://127.0.0.1:8080" or "https://models.example/hf", without
// a slash at its end. Clients build most URLs from it by themselves; those that
// the Hub puts into an answer are absolute and lead past a mirror (HF_ENDPOINT
// is no proxy setting), unless they are translated.
type Mirror string

// Origin is where a mirror's requests go.
const Origin = "huggingface.co"

// elsewhere begins the path of a URL of another host: no user or organisation
// of the Hub can have this name.
const elsewhere = "/-/"

// Asked translates a request's URL, as it came to the mirror, into the one of
// the Hub. It reports false for a path outside the mirror and for a host that
// does not serve the Hub's content.
func (m Mirror) Asked(u *url.URL) (*url.URL, bool) {
	path, inside := strings.CutPrefix(u.EscapedPath(), m.prefix())
	if !inside || path != "" && path[0] != '/' {
		return nil, false
	}
	host := Origin
	if rest, ok := strings.CutPrefix(path, elsewhere); ok {
		if host, path, ok = strings.Cut(rest, "/"); !ok || !content(RoleOf(host)) {
			return nil, false
		}
	}
	// An endpoint with a slash at its end makes clients ask for "//org/name".
	out, err := url.Parse("https://" + host + "/" + strings.TrimLeft(path, "/"))
	if err != nil {
		return nil, false
	}
	out.RawQuery = u.RawQuery
	return out, true
}

// content reports whether hosts of a role are reached below elsewhere.
func content(r Role) bool { return r == RoleCDN || r == RoleXetCAS || r == RoleXetTransfer }

func (m Mirror) prefix() string {
	u, err := url.Parse(string(m))
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}

// URL translates an absolute URL of the Hub or of a content host into one of
// the mirror; others stay as they are.
func (m Mirror) URL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" {
		return s
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(s, "https://"), "/")
	switch role := RoleOf(u.Host); {
	case role == RoleHub:
		return string(m) + "/" + path
	case content(role):
		return string(m) + elsewhere + strings.ToLower(u.Hostname()) + "/" + path
	}
	return s
}

// badCredentials is the Hub's X-Error-Message for a token that is none.
const badCredentials = "Invalid credentials in Authorization header" //nolint:gosec // a message, no credentials

// origins are how the Hub's own addresses begin.
var origins = [...]string{"https://" + Origin + "/", "https://hf.co/"}

// Answer translates the headers of an answer: the addresses that clients
// follow, and a 401 of a repository. The Hub says "sign in" of one that is
// private or missing; huggingface_hub takes that for RepositoryNotFound by the
// address that it asked, which has to begin with https, or by the code.
func (m Mirror) Answer(status int, h http.Header) {
	if status == http.StatusUnauthorized && h.Get("X-Error-Code") == "" && h.Get("X-Error-Message") != badCredentials {
		h.Set("X-Error-Code", "RepoNotFound")
	}
	for _, v := range h["Location"] {
		if strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "//") {
			v = m.prefix() + v
		}
		h.Set("Location", m.URL(v))
	}
	for _, k := range [...]string{"Link", "Www-Authenticate"} {
		for i, v := range h[k] {
			for _, origin := range origins {
				for _, open := range [...]string{"<", `"`} { // Link, then the realm
					v = strings.ReplaceAll(v, open+origin, open+string(m)+"/")
				}
			}
			h[k][i] = v
		}
	}
}

// JSON translates the strings of a JSON text that are addresses of the Hub.
func (m Mirror) JSON(body []byte) []byte {
	for _, origin := range origins {
		body = bytes.ReplaceAll(body, []byte(`"`+origin), []byte(`"`+string(m)+"/"))
	}
	return body
}
