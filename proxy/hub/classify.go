package hub

import (
	"net/url"
	"strings"
)

// repoTypes are the first segments of a path that say what type the repository
// is of; without one it is a model. This map is never written.
var repoTypes = map[string]string{
	"models": "model", "datasets": "dataset", "spaces": "space", "kernels": "kernel", "buckets": "bucket",
}

// Classify says what a request to host asks for. It looks at the path and at
// the few query parameters that choose a route; the body is not needed. In
// mirror mode pass the name of the host that the request will be sent to.
//
// No URL that can deliver the bytes of a file is called metadata: where a
// spelling is unusual, the answer is a kind of file and Ambiguous is set.
// Classify never panics, whatever the arguments are, and its work is linear in
// the length of the path.
func Classify(method, host string, u *url.URL) Request {
	r := Request{Method: method, Role: RoleOf(host)}
	p := splitPath(u)
	switch r.Role {
	case RoleHub:
		r.hub(p, u)
	case RoleCDN:
		r.cdn(p, u)
	case RoleAuxiliary:
		r.datasetsServer(p)
	case RoleXetCAS:
		r.Kind = XetCAS
	case RoleXetTransfer:
		r.Kind = XetTransfer
	case RoleInference:
		r.Kind = Relay
	case RoleApp:
		r.Kind = Object
	case RoleStorage:
		r.Kind = Storage
	case RoleUnknown, RoleNotHub:
		r.Kind = Unknown
	}
	return r
}

// hub classifies a request to RoleHub.
func (r *Request) hub(p requestPath, u *url.URL) {
	switch {
	case len(p.segs) == 0:
		r.Kind = Page
	case p.segs[0].raw == "api":
		r.api(p.segs)
	case p.segs[0].raw == "v2":
		r.oci(p.segs)
	default:
		r.repo(p, u)
	}
	switch {
	case r.Kind.IsMetadata() && p.odd:
		*r = Request{Method: r.Method, Role: r.Role, Kind: Resolve, Ambiguous: true}
		if k := hiddenRoute(p); k != Unknown {
			r.Kind = k
		}
	case r.Kind.IsMetadata():
		if k := hiddenRoute(p); k != Unknown {
			*r = Request{Method: r.Method, Role: r.Role, Kind: k, Ambiguous: true}
		}
	case p.odd || p.trailing:
		r.Ambiguous = true
	}
}

// repo classifies /[{type}/]{repo}/… on the Hub.
func (r *Request) repo(p requestPath, u *url.URL) {
	segs := p.segs
	r.Kind, r.RepoType = Page, "model"
	if t, ok := repoTypes[segs[0].raw]; ok && len(segs) > 1 {
		r.RepoType, segs = t, segs[1:]
	}
	if r.RepoType == "bucket" {
		r.bucket(segs)
	} else {
		// The name of a repository has two segments. Only old ones have one,
		// and nobody can make any more of these, so two are tried first.
		_ = r.file(segs, 2, true) || r.file(segs, 1, true) ||
			r.git(segs, 2, u) || r.git(segs, 1, u) ||
			r.file(segs, 2, false) || r.file(segs, 1, false)
	}
	if r.Kind == Page {
		r.RepoType, r.Repo = "", ""
	}
}

// name takes the first n of segs for the repository's name.
func (r *Request) name(segs []segment, n int) {
	name, ok := repoName(segs[:n])
	r.Repo = name
	r.Ambiguous = r.Ambiguous || !ok
}

// file recognises a resolve or raw route after a name of n segments. When
// whole is set both the revision and the path have to be there.
func (r *Request) file(segs []segment, n int, whole bool) bool {
	if len(segs) < n+2 {
		return false
	}
	switch segs[n].raw {
	case "resolve":
	case "raw":
	default:
		return false
	}
	revision, rest := splitRevision(segs[n+1:])
	if whole && len(rest) == 0 {
		return false
	}
	r.Kind = Resolve
	if segs[n].raw == "raw" {
		r.Kind = Raw
	}
	r.name(segs, n)
	r.Revision, r.Path = revision, join(rest)
	if len(rest) == 0 {
		r.Ambiguous = true // a revision without a path
	}
	return true
}

// bucket recognises /buckets/{namespace}/{name}/resolve/{path}. A bucket has
// no revisions; huggingface_hub escapes the slashes in the path.
func (r *Request) bucket(segs []segment) {
	if len(segs) < 4 || segs[2].raw != "resolve" {
		return
	}
	r.Kind = BucketFile
	r.name(segs, 2)
	r.Path = join(segs[3:])
}

// cdn classifies a request to RoleCDN.
func (r *Request) cdn(p requestPath, u *url.URL) {
	r.Kind = Object
	for _, s := range looseSegments(unescape(p.escaped)) {
		if s == "xorb" || s == "xorbs" {
			r.Kind = XetTransfer
		}
	}
	if u == nil {
		return
	}
	for key := range u.Query() {
		if strings.EqualFold(key, "X-Xet-Signed-Range") {
			r.Kind = XetTransfer
		}
	}
	// cdn-lfs: /repos/{2}/{2}/{repository}/{sha256}, formerly
	// /{repository}/{sha256}. The last part of /xet-bridge-us/{repository}/…
	// looks the same and is Xet's own hash of the file.
	if n := len(p.segs); r.Kind == Object && n >= 2 && !p.odd && !strings.HasPrefix(p.segs[0].text, "xet-bridge") {
		r.SHA256 = lowerHex(p.segs[n-1].raw, 64)
	}
}

// datasetsServer classifies a request to RoleAuxiliary: a few routes answer
// JSON, everything else (/assets/, /cached-assets/) is taken from datasets.
func (r *Request) datasetsServer(p requestPath) {
	r.Kind = Object
	if len(p.segs) != 1 || p.odd {
		return
	}
	switch p.segs[0].raw {
	case "croissant", "croissant-crumbs", "filter", "first-rows", "healthcheck", "hub-cache", "info", "is-valid",
		"openapi.json", "opt-in-out-urls", "parquet", "presidio-entities", "rows", "search", "size", "splits",
		"statistics", "valid":
		r.Kind = API
	}
}
