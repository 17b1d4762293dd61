package hub

import (
	"net/url"
	"strings"
)

// git recognises git's smart HTTP and Git LFS after a name of n segments.
func (r *Request) git(segs []segment, n int, u *url.URL) bool {
	if len(segs) <= n {
		return false
	}
	kind, sha := gitRoute(segs[n:], u)
	if kind == Unknown || kind == GitDumb && n == 1 && !strings.HasSuffix(segs[0].raw, ".git") {
		return false // the second may be the page of a repository called "objects"
	}
	name, ok := repoName(segs[:n])
	if !ok {
		return false // hiddenRoute looks at it again
	}
	r.Kind, r.Repo, r.SHA256 = kind, name, sha
	return true
}

// gitRoute classifies what stands after a repository's name; Unknown if it has
// nothing to do with git.
func gitRoute(segs []segment, u *url.URL) (kind Kind, sha256 string) {
	raw := func(i int) string {
		if i < len(segs) {
			return segs[i].raw
		}
		return ""
	}
	switch {
	case len(segs) == 1 && raw(0) == "git-upload-pack":
		return GitUploadPack, ""
	case len(segs) == 1 && raw(0) == "git-receive-pack":
		return GitReceivePack, ""
	case len(segs) == 1 && raw(0) == "HEAD", raw(0) == "objects":
		return GitDumb, ""
	case raw(0) != "info" || len(segs) < 2:
		return Unknown, ""
	case raw(1) == "refs" && len(segs) == 2:
		// Without this parameter git asks for the dumb protocol.
		q := u.Query()["service"]
		if len(q) == 1 && (q[0] == "git-upload-pack" || q[0] == "git-receive-pack") {
			return GitInfoRefs, ""
		}
		return GitDumb, ""
	case raw(1) != "lfs":
		return Unknown, ""
	case raw(2) == "locks":
		return LFSLocks, ""
	case raw(2) == "verify", raw(2) == "objects" && raw(3) == "verify" && len(segs) == 4:
		return LFSVerify, ""
	case raw(2) == "objects" && raw(3) == "batch" && len(segs) == 4:
		return LFSBatch, ""
	case raw(2) == "objects" && len(segs) >= 4:
		return Object, lowerHex(raw(3), 64)
	}
	return API, ""
}
