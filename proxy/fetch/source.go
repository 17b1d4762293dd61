package fetch

import (
	"context"
	"io"
	"net/http"
)

// Source opens upstream bytes. One Source stands for one object, and its Open
// is called again for every resumption and range, concurrently.
type Source interface {
	// Open asks for n bytes at off; n < 0 asks for everything from off on. It
	// makes one attempt: retries are the Object's. The context governs the
	// body too: once it is done, a blocked Read returns.
	Open(ctx context.Context, off, n int64) (*Response, error)
}

// Response is an upstream's answer. Whoever calls Open closes the Body.
type Response struct {
	Body io.ReadCloser
	// Off is where the body really starts: the offset that was asked for, or
	// 0 when the upstream ignored the range.
	Off int64
	// Size is that of the whole content in bytes, -1 when not stated.
	Size int64
	// ETag identifies this version of the content, "" when not stated.
	ETag   string
	Header http.Header // may be nil
	Status int
}
