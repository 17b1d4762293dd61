package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"modelwall/proxy/audit"
	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
)

// lfsBatch answers a Git LFS batch request: the Hub's answer, in which objects
// that are known to be refused carry their refusal instead of an address. It
// remembers what the Hub promises about the addresses that are left.
func (f *Front) lfsBatch(w http.ResponseWriter, r *http.Request, req hub.Request) error {
	body, err := readRequest(r.Body)
	if err != nil {
		return err
	}
	body, _, operation, err := hub.RewriteBatchRequest(body)
	if err != nil {
		return badRequest(err)
	}
	out := f.withBody(r, body)
	if operation != "download" {
		f.relay(req).ServeHTTP(w, out)
		return nil
	}
	identity(out)
	resp, answer, err := f.send(out) //nolint:bodyclose // send reads and closes it
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		if answer, err = f.cleanBatch(w, r, req, answer); err != nil {
			return err
		}
	}
	hub.EndToEnd(resp.Header)
	hub.CleanResponse(resp.Header)
	if m, ok := mirrorOf(r); ok {
		m.Answer(resp.StatusCode, resp.Header)
	}
	resp.Header.Del("X-Request-Id")
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
	return nil
}

func (f *Front) cleanBatch(w http.ResponseWriter, r *http.Request, req hub.Request, answer []byte) ([]byte, error) {
	batch, err := hub.ParseBatchResponse(answer)
	if err != nil {
		return nil, badAnswer(err)
	}
	batch.Clean()
	for _, o := range batch.Objects {
		download := o.Actions["download"]
		if download == nil {
			continue
		}
		p := gate.Promise{Repo: req.RepoID(), SHA256: o.OID, Size: o.Size}
		refused, err := f.Gate.Judged(r.Context(), p)
		if err != nil {
			return nil, err
		}
		if refused != nil {
			batch.Refuse(o.OID, http.StatusForbidden, refused.Error())
			// The object will not be asked for: this was its download.
			f.Gate.Audit.Record(r.Context(), audit.Record{
				RequestID: w.Header().Get("X-Request-Id"), Client: r.RemoteAddr, Method: r.Method,
				Repo: p.Repo, SHA256: p.SHA256, Size: p.Size, Cache: audit.CacheHit, Status: http.StatusForbidden,
				Verdict: refused.Report.Verdict, Decision: refused.Decision.String(), Error: refused.Code(),
			})
			continue
		}
		if u, err := url.Parse(download.Href); err == nil {
			f.Gate.Promised(u.Host, u.EscapedPath(), p)
		}
		if m, ok := mirrorOf(r); ok {
			download.Href = m.URL(download.Href)
		}
	}
	return batch.Encode()
}

// withBody is the request with another body.
func (f *Front) withBody(r *http.Request, body []byte) *http.Request {
	out := r.Clone(r.Context())
	out.RequestURI = ""
	hub.EndToEnd(out.Header)
	out.Header.Del("Content-Encoding")
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.TransferEncoding = nil
	return out
}
