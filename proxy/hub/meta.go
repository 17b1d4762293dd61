package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ErrMeta is the class of ParseMeta's errors: headers that contradict
// themselves, or a redirect that is not followed.
var ErrMeta = errors.New("unusable answer about a file")

// Meta is what the headers of an answer say about a file.
type Meta struct {
	// Commit is X-Repo-Commit: the commit that the revision stands for, 40 hex
	// digits (64 in a sha256 repository), or "".
	Commit string
	// SHA256 is the content's hash, 64 lower-case hex digits, or "" when it is
	// not known. It comes from X-Linked-Etag alone: a plain ETag of 64 digits
	// can be Xet's own hash of the file.
	SHA256 string
	// GitSHA1 is the id of the git blob with the content, 40 lower-case hex
	// digits, or "". Files that are not in LFS have it.
	GitSHA1 string
	// Size is the content's length in bytes, -1 when it is not known.
	Size int64
	// ETag is the entity tag to give to clients, quoted and strong: the one
	// by which their caches name the file. "" when there is none.
	ETag string
	// Location is where a redirect leads, absolute, without fragment; nil when
	// the answer is no redirect. It can be signed: keep its query out of logs.
	Location *url.URL
}

// ParseMeta reads the headers of an answer to a GET or HEAD of req for a file.
// The answer to a redirect, to a whole file and to a range are understood; from
// an error status nothing is taken. It is tolerant about the form of entity
// tags (weak, unquoted, with the suffix of a content coding).
//
// Its errors are of class ErrMeta.
func ParseMeta(req *url.URL, status int, h http.Header) (Meta, error) {
	m := Meta{Size: -1}
	redirect := status == http.StatusMovedPermanently || status == http.StatusFound || status == http.StatusSeeOther ||
		status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect
	if !redirect && status != http.StatusOK && status != http.StatusPartialContent && status != http.StatusNotModified {
		return m, nil
	}
	if redirect {
		location, err := redirectTarget(req, h)
		if err != nil {
			return m, err
		}
		m.Location = location
	}
	commit, err := single(h, "X-Repo-Commit")
	if err != nil {
		return m, err
	}
	if m.Commit = lowerHex(commit, 40); m.Commit == "" {
		m.Commit = lowerHex(commit, 64)
	}
	linked, err := single(h, "X-Linked-Etag")
	if err != nil {
		return m, err
	}
	plain, err := single(h, "ETag")
	if err != nil {
		return m, err
	}
	tag := entityTag(linked)
	m.SHA256 = lowerHex(tag, 64)
	m.GitSHA1 = lowerHex(tag, 40)
	if tag == "" {
		tag = entityTag(plain)
		if m.Commit != "" && !redirect {
			// An answer of the Hub itself about a file in a commit: a CDN's
			// has no commit.
			m.GitSHA1 = lowerHex(tag, 40)
		}
	}
	if m.SHA256 != "" || m.GitSHA1 != "" {
		tag = strings.ToLower(tag)
	}
	if tag != "" {
		m.ETag = `"` + tag + `"`
	}
	m.Size, err = fileSize(status, redirect, h)
	return m, err
}

// fileSize returns the length of the whole file that the answer is about.
func fileSize(status int, redirect bool, h http.Header) (int64, error) {
	linked, err := number(h, "X-Linked-Size")
	if err != nil || linked >= 0 {
		return linked, err
	}
	switch {
	case redirect, status == http.StatusNotModified:
		return -1, nil // Content-Length is that of the message
	case status == http.StatusPartialContent:
		value, err := single(h, "Content-Range")
		if err != nil {
			return -1, err
		}
		_, total, ok := strings.Cut(value, "/")
		if !ok || total == "*" {
			return -1, nil
		}
		return parseSize("Content-Range", total)
	}
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return -1, nil // Content-Length is that of the coded form
	}
	return number(h, "Content-Length")
}

// redirectTarget resolves Location.
func redirectTarget(req *url.URL, h http.Header) (*url.URL, error) {
	value, err := single(h, "Location")
	if err != nil {
		return nil, err
	}
	if value == "" {
		return nil, fmt.Errorf("%w: a redirect without Location", ErrMeta)
	}
	target, err := url.Parse(value)
	if err != nil {
		return nil, fmt.Errorf("%w: Location is not a URL", ErrMeta) // err would quote a signed URL
	}
	if req != nil {
		target = req.ResolveReference(target)
	}
	switch {
	case target.Scheme != "https" && target.Scheme != "http", target.Host == "", target.Opaque != "":
		return nil, fmt.Errorf("%w: Location is not an absolute http or https URL", ErrMeta)
	case target.User != nil:
		return nil, fmt.Errorf("%w: Location has a user name", ErrMeta)
	case target.Scheme == "http" && req != nil && req.Scheme == "https":
		return nil, fmt.Errorf("%w: Location leaves https", ErrMeta)
	}
	target.Fragment, target.RawFragment = "", ""
	return target, nil
}

// entityTag returns the opaque part of an entity tag without the suffix that
// servers add for a content coding, or "" if it is none.
func entityTag(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "W/"); ok {
		s = rest
	} else if rest, ok := strings.CutPrefix(s, "w/"); ok {
		s = rest
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	for _, suffix := range [...]string{"-gzip", "-br", "-zstd", "-deflate"} {
		s = strings.TrimSuffix(s, suffix)
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == '"' || s[i] >= 0x7f {
			return ""
		}
	}
	return s
}

// single returns the value of a header that may not contradict itself.
func single(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	for _, v := range values[1:] {
		if strings.TrimSpace(v) != strings.TrimSpace(values[0]) {
			return "", fmt.Errorf("%w: %s has several values", ErrMeta, name)
		}
	}
	return strings.TrimSpace(values[0]), nil
}

// number returns the value of a header that is a length in bytes, -1 if it is
// not there.
func number(h http.Header, name string) (int64, error) {
	value, err := single(h, name)
	if err != nil || value == "" {
		return -1, err
	}
	return parseSize(name, value)
}

func parseSize(name, value string) (int64, error) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return -1, fmt.Errorf("%w: %s is not a length: %q", ErrMeta, name, OneLine(value, 40))
	}
	return int64(n), nil
}
