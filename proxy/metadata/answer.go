package metadata

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// maxBody bounds the body of an answer that is remembered, in bytes. A page of
// a tree with 1 000 entries has about 300 KB.
const maxBody = 2 << 20

// answer is one of the Hub's, without what is meant for one connection.
type answer struct {
	status int
	header http.Header
	body   []byte
	length int64 // Content-Length; of a HEAD's too, -1 if there is none
	at     time.Time
	repo   string // the repository that it is about
}

// read makes an answer of a response, and closes it. A body that is too long
// is not taken: the response then is as good as before, and the answer nil.
func read(resp *http.Response, now time.Time) (*answer, error) {
	var body []byte
	if resp.Request.Method != http.MethodHead {
		var err error
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1)); err != nil {
			resp.Body.Close()
			return nil, err
		}
		if len(body) > maxBody {
			resp.Body = rest{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
			return nil, nil
		}
	}
	resp.Body.Close()
	h := resp.Header.Clone()
	for _, k := range [...]string{"Set-Cookie", "X-Request-Id", "Alt-Svc", "Connection", "Keep-Alive"} {
		h.Del(k)
	}
	return &answer{status: resp.StatusCode, header: h, body: body, length: resp.ContentLength, at: now}, nil
}

// rest is a body whose beginning was read already.
type rest struct {
	io.Reader
	io.Closer
}

// size is about what an answer takes of the memory, in bytes.
func (a *answer) size() int64 {
	n := len(a.body) + 512
	for k, v := range a.header {
		n += len(k)
		for _, s := range v {
			n += len(s)
		}
	}
	return int64(n)
}

// response is the answer to r.
func (a *answer) response(r *http.Request) *http.Response {
	resp := &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), ContentLength: a.length, Body: http.NoBody, Request: r,
	}
	if len(a.body) > 0 {
		resp.Body = io.NopCloser(bytes.NewReader(a.body))
	}
	return resp
}
