package hubtest

import (
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
)

const xetFileInfo = "application/vnd.xet-fileinfo+json"

// serveResolve answers /{id}/resolve/{rev}/{path} and /{id}/raw/{rev}/{path};
// raw gives the blob of git as it is, which for an LFS file is the pointer.
func (h *Hub) serveResolve(x *exchange, r *repo, raw bool, segments []string) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.fail(http.StatusMethodNotAllowed, "", "Method not allowed")
		return
	}
	if !h.allowed(x, r, content) {
		return
	}
	rev, p := revisionAndPath(segments)
	s := r.find(rev)
	if s == nil {
		x.fail(http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+rev)
		return
	}
	header := x.Header()
	header.Set("X-Repo-Commit", s.commit)
	f := s.files[p]
	if f == nil {
		x.fail(http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Disposition", disposition(p))
	header.Set("Vary", "Origin, Accept")
	if r.Warning != "" {
		header.Set("X-Hf-Warning", r.Warning)
	}
	switch {
	case raw && f.LFS:
		header.Set("Etag", `"`+f.BlobID+`"`)
		header.Set("Content-Type", "text/plain; charset=utf-8")
		x.content(Bytes(f.pointer))
	case raw:
		x.small(f)
	case f.LFS:
		h.resolveLFS(x, r, s, f)
	default:
		etag := `"` + f.BlobID + `"`
		header.Set("X-Linked-Etag", etag)
		x.redirect(http.StatusTemporaryRedirect, "/api/resolve-cache/"+string(r.Type)+"/"+r.ID+"/"+s.commit+"/"+escapePath(p)+
			"?"+url.QueryEscape(x.r.URL.Path)+"=&etag="+url.QueryEscape(etag))
	}
}

func (h *Hub) resolveLFS(x *exchange, r *repo, s *snapshot, f *file) {
	header := x.Header()
	header.Set("X-Linked-Size", strconv.FormatInt(f.Size, 10))
	header.Set("X-Linked-Etag", `"`+f.SHA256+`"`)
	header.Set("Cache-Control", "no-store")
	if r.Xet {
		auth := "https://" + hubHost + "/api/" + string(r.Type) + "/" + r.ID + "/xet-read-token/" + s.commit
		reconstruction := "https://" + casHost + "/v1/reconstructions/" + f.XetHash
		header.Set("X-Xet-Hash", f.XetHash)
		header.Set("Link", "<"+auth+`>; rel="xet-auth", <`+reconstruction+`>; rel="xet-reconstruction-info"`)
		if strings.Contains(x.rec.Accept, xetFileInfo) {
			header.Set("Content-Type", xetFileInfo+"; charset=utf-8")
			x.json(map[string]any{
				"hash": f.XetHash, "refreshUrl": auth, "reconstructionUrl": reconstruction,
				"etag": `"` + f.SHA256 + `"`, "size": f.Size, "contentType": "application/octet-stream",
			})
			return
		}
	}
	x.redirect(http.StatusFound, h.signedURL(r, f, x.fault.ExpiredLinks))
}

// serveResolveCache answers /api/resolve-cache/{type}/{id}/{commit}/{path},
// where small files lie.
func (h *Hub) serveResolveCache(x *exchange, segments []string) {
	if len(segments) < 4 {
		x.fail(http.StatusNotFound, "", "Not found")
		return
	}
	r, rest := h.lookup(x, Type(segments[0]), segments[1:], "/api/resolve-cache/"+segments[0]+"/")
	if r == nil || !h.allowed(x, r, content) {
		return
	}
	rev, p := revisionAndPath(rest)
	s := r.find(rev)
	if s == nil || s.files[p] == nil || s.files[p].LFS {
		x.fail(http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	x.Header().Set("X-Repo-Commit", s.commit)
	x.Header().Set("Content-Disposition", disposition(p))
	x.small(s.files[p])
}

// small serves a file that is not under LFS: as it is with Range, or
// compressed without length if the client takes that.
func (x *exchange) small(f *file) {
	header := x.Header()
	text := isText(f.Path)
	header.Set("Content-Type", "application/octet-stream")
	if text {
		header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	etag := `"` + f.BlobID + `"`
	if text && f.Size > gzipFrom && x.takesGzip() && x.r.Header.Get("Range") == "" && x.r.Header.Get("If-None-Match") == "" {
		header.Del("Accept-Ranges")
		header.Set("Etag", "W/"+etag)
		c := f.content
		if x.fault.Content != nil {
			c = x.fault.Content(c)
		}
		x.gzip(c)
		return
	}
	header.Set("Etag", etag)
	x.content(f.content)
}

func isText(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".json", ".txt", ".md", ".py", ".yaml", ".yml", ".jinja", ".csv":
		return true
	}
	return false
}
