package hubtest

import (
	"net/http"
	"strings"
)

// serveCDN serves LFS content for signed links. As on the real CDN its ETag
// is not the sha256: behind the Xet bridge it is the Xet hash, which looks
// like one, elsewhere that of a multipart upload.
func (h *Hub) serveCDN(x *exchange) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.storageError(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		return
	}
	q := x.r.URL.Query()
	if q.Has("X-Amz-Signature") && x.rec.HasAuthorization {
		x.storageError(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "+
			"Signature query string parameter or the Authorization header should be specified")
		return
	}
	signed, expired := h.checkLink(x.rec.Host, x.r.URL.Path, q)
	if !signed {
		x.storageError(http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	}
	if expired {
		x.storageError(http.StatusForbidden, "AccessDenied", "Request has expired")
		return
	}
	digest := x.r.URL.Path[strings.LastIndexByte(x.r.URL.Path, '/')+1:]
	h.mu.Lock()
	f := h.objects[digest]
	h.mu.Unlock()
	if f == nil {
		x.storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	header := x.Header()
	header.Set("Etag", `"`+f.XetHash+`"`)
	if digest == f.SHA256 {
		header.Set("Etag", `"`+f.XetHash[:32]+`-2"`)
	}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", q.Get("response-content-disposition"))
	header.Set("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
	header.Set("Cache-Control", "public, max-age=31536000")
	header.Set("X-Cache", "Miss from cloudfront")
	x.content(f.content)
}

// storageError answers with an error as S3 and CloudFront spell it.
func (x *exchange) storageError(status int, code, message string) {
	x.Header().Set("Content-Type", "application/xml")
	x.text(status, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>")
}
