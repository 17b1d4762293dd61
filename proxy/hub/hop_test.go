package hub

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEndToEnd(t *testing.T) {
	h := header("Connection", "close, X-Private", "Connection", "Upgrade", "X-Private", "1", "Keep-Alive", "timeout=5", "TE", "trailers",
		"Trailer", "X", "Transfer-Encoding", "chunked", "Upgrade", "h2c", "Proxy-Connection", "keep-alive",
		"Proxy-Authorization", "Basic x", "Proxy-Authenticate", "Basic", "Authorization", "Bearer x", "Range", "bytes=0-0")
	EndToEnd(h)
	if diff := cmp.Diff(header("Authorization", "Bearer x", "Range", "bytes=0-0"), h); diff != "" {
		t.Error(diff)
	}
}
