package hub

import (
	"mime"
	"net/http"
	"strings"
)

// IsFileAnswer reports whether a successful answer to a request of metadata
// looks as if it delivered a file all the same: it has a file's headers, or a
// media type that descriptions and web pages do not have. It is a second net
// under Classify for routes that the Hub may add; such an answer is inspected
// or refused, not passed on. It trusts a media type only to condemn.
func IsFileAnswer(h http.Header) bool {
	for _, name := range [...]string{"Content-Disposition", "X-Linked-Etag", "X-Linked-Size"} {
		if len(h.Values(name)) > 0 {
			return true
		}
	}
	value := h.Get("Content-Type")
	if value == "" {
		return h.Get("Content-Length") != "0"
	}
	mediaType, _, err := mime.ParseMediaType(value)
	if err != nil {
		return true
	}
	class, name, _ := strings.Cut(mediaType, "/")
	switch class {
	case "text", "image", "font", "video", "audio":
		return false
	case "application":
		switch name {
		case "json", "javascript", "x-javascript", "manifest+json", "xml", "wasm", "x-ndjson",
			"x-git-upload-pack-advertisement", "x-git-receive-pack-advertisement", "x-git-receive-pack-result":
			return false
		}
		return !strings.HasSuffix(name, "+json") && !strings.HasSuffix(name, "+xml")
	}
	return true
}
