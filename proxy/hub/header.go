package hub

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// FileHeader returns the headers with which to serve a file at the URL where
// the client asked for it, made from m and from what upstream answered there.
// When that was a redirect, pass as content the headers of the answer that the
// redirect led to: the file's own Content-Type and Content-Disposition come
// from there.
//
// Only headers that say something about the file are passed on. Location,
// cookies, hop-by-hop headers, Content-Length, Content-Encoding and Xet's are
// not among them; status, length and range are the caller's to set.
func FileHeader(m Meta, upstream http.Header, content ...http.Header) http.Header {
	out := http.Header{}
	for key, values := range upstream {
		if key = textproto.CanonicalMIMEHeaderKey(key); passedOn(key) {
			copyValues(out, key, values)
		}
	}
	own := []http.Header{upstream}
	if m.Location != nil {
		own = nil // these are the redirect's own
	}
	for _, h := range append(own, content...) {
		for key, values := range h {
			if key = textproto.CanonicalMIMEHeaderKey(key); aboutContent(key) {
				out.Del(key)
				copyValues(out, key, values)
			}
		}
	}
	if out.Get("Content-Disposition") == "" {
		copyValues(out, "Content-Disposition", upstream.Values("Content-Disposition"))
	}
	if out.Get("Content-Type") == "" {
		out.Set("Content-Type", "application/octet-stream")
	}
	out.Set("Accept-Ranges", "bytes")
	if m.Commit != "" {
		out.Set("X-Repo-Commit", m.Commit)
	}
	if m.ETag != "" {
		out.Set("ETag", m.ETag)
	}
	if m.SHA256 != "" {
		out.Set("X-Linked-Etag", `"`+m.SHA256+`"`)
		if m.Size >= 0 {
			out.Set("X-Linked-Size", strconv.FormatInt(m.Size, 10))
		}
	}
	return out
}

// passedOn reports whether a header of the Hub's answer goes on to the client.
func passedOn(key string) bool {
	switch key {
	case "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Docker-Content-Digest", "Ratelimit",
		"Ratelimit-Policy", "Referrer-Policy", "Vary", "X-Content-Type-Options", "X-Hf-Warning", "X-Linked-Etag",
		"X-Linked-Size", "X-Repo-Commit":
		return true
	}
	return strings.HasPrefix(key, "Access-Control-")
}

// aboutContent reports whether a header belongs to the answer that has the
// content.
func aboutContent(key string) bool {
	return key == "Content-Type" || key == "Content-Disposition" || key == "Content-Language" || key == "Last-Modified"
}

// copyValues adds the values that are safe to write in a header.
func copyValues(out http.Header, key string, values []string) {
	for _, v := range values {
		if strings.IndexFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0 {
			out.Add(key, v)
		}
	}
}
