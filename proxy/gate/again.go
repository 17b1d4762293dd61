package gate

import (
	"context"
	"io"
	"net/http"

	"modelwall/proxy/fetch"
)

// storedSource reads content that lies in the store already, for a new
// verdict: the inspector has changed since it came. Should the store lose it
// meanwhile, the upstream has it still.
type storedSource struct {
	blobs    Blobs
	sha256   string
	upstream fetch.Source
}

// Open implements fetch.Source.
func (s storedSource) Open(ctx context.Context, off, n int64) (*fetch.Response, error) {
	blob, err := s.blobs.Open(s.sha256)
	if err != nil {
		return s.upstream.Open(ctx, off, n)
	}
	size, status := blob.Size(), http.StatusOK
	if off > 0 || n > 0 {
		status = http.StatusPartialContent
	}
	if n < 0 {
		n = size - off
	}
	return &fetch.Response{
		Body: section{io.NewSectionReader(blob, off, n), blob},
		Off:  off, Size: size, Status: status, Header: http.Header{"Accept-Ranges": {"bytes"}},
	}, nil
}

type section struct {
	io.Reader
	io.Closer
}

// again makes a subject's source the store, if the content is there.
func (g *Gate) again(s *subject) {
	blob, err := g.Blobs.Open(s.sha256)
	if err != nil {
		return // the upstream has it
	}
	blob.Close()
	s.source, s.stored = storedSource{g.Blobs, s.sha256, s.source}, true
}
