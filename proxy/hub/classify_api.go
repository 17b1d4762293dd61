package hub

import "strings"

// api classifies /api/… on the Hub.
func (r *Request) api(segs []segment) {
	r.Kind = API
	if len(segs) < 2 {
		return
	}
	if segs[1].raw == "resolve-cache" {
		r.resolveCache(segs[2:])
		return
	}
	t, ok := repoTypes[segs[1].raw]
	if !ok || len(segs) < 3 {
		return
	}
	rest := segs[2:]
	if ns, name, ok := strings.Cut(rest[0].text, "/"); ok {
		// Some clients escape the slash in the repository's name.
		rest = append([]segment{{raw: ns, text: ns}, {raw: name, text: name}}, rest[1:]...)
	}
	n := min(2, len(rest))
	if len(rest) > 1 && repoVerb(rest[1].raw) && (len(rest) == 2 || !repoVerb(rest[2].raw)) {
		n = 1
	}
	r.RepoType = t
	r.Repo, _ = repoName(rest[:n])
	if rest = rest[n:]; len(rest) == 0 {
		r.Kind = Info
		return
	}
	verb, rest := rest[0].raw, rest[1:]
	switch {
	case verb == "revision":
		r.Kind, r.Revision = Info, join(rest)
	case verb == "tree" && t == "bucket":
		r.Kind, r.Path = Tree, join(rest)
	case verb == "tree":
		revision, path := splitRevision(rest)
		r.Kind, r.Revision, r.Path = Tree, revision, join(path)
	case verb == "paths-info":
		r.Kind, r.Revision = PathsInfo, join(rest)
	case verb == "xet-read-token":
		r.Kind, r.Revision = XetToken, join(rest)
	case verb == "xet-write-token":
		r.Kind, r.Revision = XetWriteToken, join(rest)
	case verb == "parquet" && len(rest) >= 3: // {config}/{split}/{n}.parquet
		r.Kind, r.Revision, r.Path = Derived, "refs/convert/parquet", join(rest)
	case verb == "compare" && len(rest) > 0: // {revision}..{revision}: a diff
		r.Kind, r.Revision = Derived, join(rest)
	}
}

// repoVerb reports whether s is what follows a repository's name under /api/.
// A name is taken for a verb only where a repository without a namespace could
// stand before it; a verb that is missing here is read as a name, and both are
// metadata.
func repoVerb(s string) bool {
	switch s {
	case "auth-check", "branch", "commit", "commits", "compare", "croissant", "discussions", "jwt", "leaderboard",
		"lfs-files", "like", "likers", "notebook", "parquet", "paths-info", "preupload", "refs", "resource-group",
		"revision", "scan", "settings", "super-squash", "tag", "tree", "treesize", "user-access-report",
		"user-access-request", "xet-read-token", "xet-write-token":
		return true
	}
	return false
}

// resolveCache classifies /api/resolve-cache/{type}/{repo}/{commit}/{path}.
func (r *Request) resolveCache(segs []segment) {
	r.Kind = ResolveCache
	if len(segs) < 3 {
		r.Ambiguous = true
		return
	}
	t, ok := repoTypes[segs[0].raw]
	r.RepoType = t
	rest, n := segs[1:], 2
	if lowerHex(rest[1].raw, 40) != "" && (len(rest) < 3 || lowerHex(rest[2].raw, 40) == "") {
		n = 1
	}
	if !ok || len(rest) < n+2 {
		r.Ambiguous = true
		return
	}
	r.name(rest, n)
	revision, path := splitRevision(rest[n:])
	r.Revision, r.Path = revision, join(path)
	if len(path) == 0 {
		r.Ambiguous = true
	}
}

// oci classifies /v2/…, the part of the OCI distribution protocol that the Hub
// speaks for Ollama and for older llama.cpp.
func (r *Request) oci(segs []segment) {
	n := len(segs)
	switch {
	case n == 1: // /v2/, the version check
		r.Kind = API
		return
	case n >= 4 && segs[n-2].raw == "tags" && segs[n-1].raw == "list":
		r.Kind = API
	case n >= 4 && segs[n-2].raw == "manifests":
		r.Kind, r.Revision = Manifest, segs[n-1].text
	case n >= 4 && segs[n-2].raw == "blobs":
		r.Kind = Blob
		algorithm, digest, ok := strings.Cut(strings.Replace(segs[n-1].text, "-", ":", 1), ":")
		if ok && strings.EqualFold(algorithm, "sha256") {
			r.SHA256 = lowerHex(digest, 64)
		}
	default:
		r.Kind, r.Ambiguous = Blob, true
		return
	}
	name, ok := repoName(segs[1 : n-2])
	if r.RepoType, r.Repo = "model", name; !ok {
		r.Kind, r.Ambiguous = Blob, true
	}
}
