package hub

import (
	"net/http"
	"strings"
)

// EndToEnd removes from h what concerns one connection only (RFC 9110, 7.6.1),
// on the way in either direction.
func EndToEnd(h http.Header) {
	for _, named := range h.Values("Connection") {
		for k := range strings.SplitSeq(named, ",") {
			h.Del(strings.TrimSpace(k))
		}
	}
	for _, k := range [...]string{
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate",
	} {
		h.Del(k)
	}
}
