package hub

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// segment is what stands between two slashes of a request path.
type segment struct {
	raw  string // as in the URL, still escaped
	text string // unescaped once; may contain slashes
}

// requestPath is a request path taken apart.
type requestPath struct {
	escaped  string
	segs     []segment // without the leading slash and one trailing slash
	trailing bool      // the path ends in a slash
	// odd: servers are known to read this spelling in different ways, or no
	// client ever sends it.
	odd bool
}

// splitPath takes the path of u apart.
func splitPath(u *url.URL) requestPath {
	if u == nil || u.Opaque != "" {
		return requestPath{odd: true}
	}
	p := requestPath{escaped: u.EscapedPath()}
	if p.escaped == "" || p.escaped == "/" {
		return p
	}
	rest, ok := strings.CutPrefix(p.escaped, "/")
	if !ok {
		p.odd = true
	}
	if r, ok := strings.CutSuffix(rest, "/"); ok {
		rest, p.trailing = r, true
	}
	for raw := range strings.SplitSeq(rest, "/") {
		text, err := url.PathUnescape(raw)
		if err != nil {
			text, p.odd = raw, true
		}
		p.odd = p.odd || oddText(text)
		p.segs = append(p.segs, segment{raw: raw, text: text})
	}
	return p
}

// oddText reports whether no client spells a segment like this: it is empty,
// not UTF-8, has control characters, or contains a dot segment once a slash or
// backslash in it is taken as a separator.
func oddText(text string) bool {
	if !utf8.ValidString(text) {
		return true
	}
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] == 0x7f {
			return true
		}
	}
	for part := range strings.FieldsFuncSeq(text, isSeparator) {
		if part == "." || part == ".." {
			return true
		}
	}
	// An escaped slash is part of a name only between other characters.
	return text == "" || text[0] == '/' || text[len(text)-1] == '/' || strings.Contains(text, "//")
}

func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// join returns the unescaped path that segs spell.
func join(segs []segment) string {
	texts := make([]string, len(segs))
	for i, s := range segs {
		texts[i] = s.text
	}
	return strings.Join(texts, "/")
}

// splitRevision takes a revision off the front of segs. A revision is one
// segment, its slashes escaped ("refs%2Fpr%2F1"), except that the Hub and
// HfFileSystem also spell git's special refs with plain slashes
// ("refs/pr/1", "refs/convert/parquet").
func splitRevision(segs []segment) (revision string, rest []segment) {
	if len(segs) == 0 {
		return "", nil
	}
	if len(segs) >= 3 && segs[0].raw == "refs" {
		switch segs[1].raw {
		case "pr", "convert", "heads", "tags":
			return join(segs[:3]), segs[3:]
		}
	}
	return segs[0].text, segs[1:]
}

// repoName returns the name that segs spell, without ".git", and whether it
// can be the name of a repository, spelled as clients do.
func repoName(segs []segment) (name string, ok bool) {
	name = strings.TrimSuffix(join(segs), ".git")
	parts := strings.Split(name, "/")
	ok = len(parts) == len(segs) && len(parts) <= 2
	for _, part := range parts {
		ok = ok && validName(part)
	}
	return name, ok
}

// validName reports whether s has only what the Hub allows in a namespace or
// in a repository's name.
func validName(s string) bool {
	if s == "" || len(s) > 96 || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// maxEscapes is how many layers of escaping are looked through for a hidden
// route.
const maxEscapes = 4

// hiddenRoute looks for a route that delivers files under every spelling that
// some server might undo: other case, escaped letters and slashes, several
// layers of escaping, backslashes, parameters after a semicolon. It returns
// Unknown when there is none, so that p is safe to call metadata.
func hiddenRoute(p requestPath) Kind {
	s := p.escaped
	for range maxEscapes {
		t := unescape(s)
		if k := routeIn(looseSegments(t)); k != Unknown {
			return k
		}
		if t == s {
			return Unknown
		}
		s = t
	}
	return Resolve // escaped deeper than any client does
}

// unescape undoes one layer of percent-encoding and leaves what is not
// percent-encoding as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHexDigit(s[i+1]) && isHexDigit(s[i+2]) {
			b.WriteByte(hexValue(s[i+1])<<4 | hexValue(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// looseSegments splits a path the way the most forgiving server would.
func looseSegments(path string) []string {
	var segs []string
	for part := range strings.FieldsFuncSeq(path, isSeparator) {
		if i := strings.IndexAny(part, ";?#\x00"); i >= 0 {
			part = part[:i]
		}
		part = strings.ToLower(strings.TrimSpace(part))
		if part != "" && part != "." {
			segs = append(segs, part)
		}
	}
	return segs
}

// routeIn returns the kind of the first route in segs that delivers files.
func routeIn(segs []string) Kind {
	api := len(segs) > 0 && segs[0] == "api"
	for i, s := range segs {
		after := len(segs) - i - 1
		switch {
		case s == "..":
			return Resolve
		case api && strings.HasPrefix(s, "xet-") && strings.HasSuffix(s, "-token"):
			return XetToken
		case api && i == 1 && s == "resolve-cache":
			return ResolveCache
		case (s == "resolve" || s == "raw") && i >= 1 && after >= 1:
			if shadowed(segs, i, api) {
				continue
			}
			if s == "raw" {
				return Raw
			}
			return Resolve
		case s == "git-upload-pack" && after == 0 && !api:
			return GitUploadPack
		case s == "objects" && i >= 1 && after >= 1 && !api && strings.HasSuffix(segs[i-1], ".git"):
			return GitDumb
		case s == "objects" && i >= 1 && after >= 1 && !api && segs[i-1] == "lfs":
			if next := segs[i+1]; after == 1 && (next == "batch" || next == "verify") {
				continue
			}
			return Object
		case s == "blobs" && i >= 2 && after >= 1 && segs[0] == "v2":
			return Blob
		case api && (i == 3 || i == 4) && (s == "parquet" && after >= 3 || s == "compare" && after >= 1):
			if i == 3 && repoVerb(segs[4]) && !strings.HasSuffix(segs[len(segs)-1], ".parquet") {
				continue // the name of a repository
			}
			return Derived
		}
	}
	return Unknown
}

// shadowed reports whether "resolve" or "raw" at segs[i] is certainly not the
// route, because a route that wins stands before it.
func shadowed(segs []string, i int, api bool) bool {
	if api {
		// /api/{type}/{namespace}/{name}/{verb}/…: it is the namespace, or
		// the name before a verb, or part of a revision or path.
		return i == 2 || i > 4 || i == 3 && repoVerb(segs[4])
	}
	if segs[i] == "resolve" {
		return false
	}
	// A web page about a folder called "raw": /{ns}/{name}/tree/{revision}/raw/…
	name := 0
	if _, ok := repoTypes[segs[0]]; ok {
		name = 1
	}
	verb := name + 2
	return i > verb+1 && pageVerb(segs[verb])
}

// pageVerb reports whether s is a web page about a place in a repository.
func pageVerb(s string) bool {
	switch s {
	case "tree", "blob", "blame", "commits", "edit", "delete", "viewer":
		return true
	}
	return false
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// lowerHex returns s in lower case if it is n hex digits, else "".
func lowerHex(s string, n int) string {
	if len(s) != n {
		return ""
	}
	for i := 0; i < len(s); i++ {
		if !isHexDigit(s[i]) {
			return ""
		}
	}
	return strings.ToLower(s)
}
