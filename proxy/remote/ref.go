package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
)

// Scheme is how the name of something on the Hub begins.
const Scheme = "hf://"

// Type is what kind of repository one is, as the API's paths spell it.
type Type string

// The types of repositories.
const (
	Model   Type = "models"
	Dataset Type = "datasets"
	Space   Type = "spaces"
)

// prefix is what stands before the name in a page's or a file's path.
func (t Type) prefix() string {
	if t == Model {
		return ""
	}
	return string(t) + "/"
}

// Ref names a repository, or a file or folder in it.
type Ref struct {
	Type     Type
	Name     string // "owner/name", or "name" for one of the old models
	Revision string // branch, tag, ref or commit; "" is main
	Path     string // of a file or folder; "" is everything
}

// ParseRef reads the form that huggingface_hub's file system gives such names:
//
//	hf://[datasets/|spaces/]owner/name[@revision][/path]
//
// A revision with slashes is escaped (refs%2Fpr%2F1), or is one of git's special
// refs (refs/pr/1). The old models without an owner can only be named whole:
// hf://gpt2.
func ParseRef(s string) (Ref, error) {
	bad := func(why string) (Ref, error) {
		return Ref{}, fmt.Errorf("%q: %s (want hf://[datasets/|spaces/]owner/name[@revision][/path])", s, why)
	}
	rest, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return bad("it does not begin with " + Scheme)
	}
	ref := Ref{Type: Model}
	for _, t := range []Type{Dataset, Space, Model} {
		if after, ok := strings.CutPrefix(rest, string(t)+"/"); ok {
			ref.Type, rest = t, after
			break
		}
	}
	if strings.HasPrefix(rest, "buckets/") {
		return bad("buckets can't be read like this")
	}
	segs := strings.Split(rest, "/")
	if n := len(segs); n > 2 && segs[n-1] == "" {
		segs = segs[:n-1]
	}
	name, revision, revised := strings.Cut(segs[0], "@")
	ref.Name, segs = name, segs[1:]
	if !revised && len(segs) > 0 {
		name, revision, revised = strings.Cut(segs[0], "@")
		ref.Name, segs = ref.Name+"/"+name, segs[1:]
	}
	if revised {
		if ref.Revision, segs = joinRevision(revision, segs); ref.Revision == "" {
			return bad("the revision is empty, or not escaped correctly")
		}
		if !plain(ref.Revision) {
			return bad("no revision is called like this")
		}
	}
	ref.Path = strings.Join(segs, "/")
	for name := range strings.SplitSeq(ref.Name, "/") {
		if !validName(name) {
			return bad("no repository is called like this")
		}
	}
	if !plain(ref.Path) || ref.Path == "" && len(segs) > 0 {
		return bad("the path is not one in a repository")
	}
	return ref, nil
}

// joinRevision returns the revision that stands behind an "@", and what of the
// next segments is no part of it. One of git's special refs can be spelled with
// plain slashes.
func joinRevision(first string, rest []string) (revision string, path []string) {
	if first == "refs" && len(rest) >= 2 {
		switch rest[0] {
		case "pr", "convert", "heads", "tags":
			return "refs/" + rest[0] + "/" + rest[1], rest[2:]
		}
	}
	revision, err := url.PathUnescape(first)
	if err != nil {
		return "", nil
	}
	return revision, rest
}

// plain reports whether s can be put into a URL's path, escaped, and means
// there what it says.
func plain(s string) bool { return s == "" || fs.ValidPath(s) && s != "." && !strings.Contains(s, `\`) }

// validName reports whether s has only what the Hub allows in the name of an
// owner or a repository.
func validName(s string) bool {
	return s != "" && len(s) <= 96 && s != "." && s != ".." &&
		strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// Repo is the repository's name with its type, as web addresses spell it.
func (r Ref) Repo() string { return r.Type.prefix() + r.Name }

// String spells r as ParseRef reads it.
func (r Ref) String() string {
	s := Scheme + r.Repo()
	if r.Revision != "" {
		s += "@" + url.PathEscape(r.Revision)
	}
	if r.Path != "" {
		s += "/" + r.Path
	}
	return s
}

// At returns r for another path of the same revision.
func (r Ref) At(path string) Ref {
	r.Path = path
	return r
}

// revision is the one to ask for.
func (r Ref) revision() string {
	if r.Revision == "" {
		return "main"
	}
	return r.Revision
}

// errPath means that a listing has a name that no file can have.
var errPath = errors.New("the Hub lists a file under a path that none can have")

// escape escapes the segments of a path.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
