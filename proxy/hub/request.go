package hub

import (
	"net/url"
	"strconv"
	"strings"
)

// Request is what Classify found out about a request.
type Request struct {
	Method string
	Role   Role
	Kind   Kind
	// RepoType is "model", "dataset", "space", "kernel" or "bucket"; "" when
	// the request is about no repository.
	RepoType string
	// Repo is "namespace/name", or "name" for one of the old models and
	// datasets without a namespace; unescaped, without a trailing ".git". The
	// Hub ignores case in it, so compare without case.
	Repo string
	// Revision is a branch, tag, ref or commit, unescaped. The tag of a
	// Manifest is here too.
	Revision string
	// Path is the file's (or folder's) path in the repository, unescaped.
	Path string
	// SHA256 is the hash that the URL itself claims, 64 lower-case hex digits,
	// or "". It is a hint: content decides.
	SHA256 string
	// Ambiguous says that the URL's spelling can be read in more than one way
	// (dot segments, empty segments, an escaped route, a name that no
	// repository can have), so the fields above are a guess. It is never set
	// on metadata. Refuse such a request with status 400.
	Ambiguous bool
}

// RepoID returns the repository as the Hub's web addresses spell it, with the
// type as a prefix for all but models: "org/name", "datasets/org/name". It is
// "" when the request is about no repository.
func (r Request) RepoID() string {
	if r.Repo == "" || r.RepoType == "model" || r.RepoType == "" {
		return r.Repo
	}
	return r.RepoType + "s/" + r.Repo
}

// String renders the request for a log: one line of ASCII, text from the URL
// escaped, without the query.
func (r Request) String() string {
	var b strings.Builder
	b.WriteString(r.Kind.String())
	if r.Repo != "" {
		b.WriteByte(' ')
		b.WriteString(escapePath(r.RepoID()))
	}
	if r.Revision != "" {
		b.WriteByte('@')
		b.WriteString(url.PathEscape(r.Revision))
	}
	if r.Path != "" {
		b.WriteByte(' ')
		b.WriteString(escapePath(r.Path))
	}
	if r.SHA256 != "" {
		b.WriteString(" sha256:")
		b.WriteString(r.SHA256)
	}
	if r.Kind == Unknown {
		b.WriteString(" host role ")
		b.WriteString(strconv.Quote(r.Role.String()))
	}
	if r.Ambiguous {
		b.WriteString(" (ambiguous)")
	}
	return b.String()
}

// escapePath escapes each segment and keeps the slashes.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
