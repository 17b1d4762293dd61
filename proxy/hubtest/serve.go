package hubtest

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// serve answers everything that arrives on a TLS connection.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		panic(http.ErrAbortHandler)
	}
	defer h.leave()
	x := h.begin(w, r)
	defer x.finish()
	if x.rec.Host != x.rec.Target || !strings.EqualFold(x.rec.SNI, x.rec.Target) {
		x.text(http.StatusMisdirectedRequest, "the connection belongs to another host")
	} else if x.fault = h.takeFault(x.rec, r); !x.applyEarly() {
		h.route(x)
	}
	x.finished = true
}

func (h *Hub) route(x *exchange) {
	switch x.rec.Role {
	case RoleHub:
		h.serveHub(x)
	case RoleCDN:
		h.serveCDN(x)
	case RoleCAS:
		h.serveCAS(x)
	case RoleTransfer:
		h.serveTransfer(x)
	case RoleOther:
		x.text(http.StatusOK, x.rec.Host)
	}
}

// serveHub routes the requests to huggingface.co and hf.co.
func (h *Hub) serveHub(x *exchange) {
	x.Header().Set("X-Request-Id", requestID())
	escaped := x.r.URL.EscapedPath()
	if x.rec.Host == shortHost && !strings.HasPrefix(escaped, "/v2/") {
		x.redirect(http.StatusTemporaryRedirect, "https://"+hubHost+x.r.URL.RequestURI())
		return
	}
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	switch {
	case segments[0] == "api":
		h.serveAPI(x, segments[1:])
	case segments[0] == "v2":
		h.serveRegistry(x, segments[1:])
	case segments[0] == string(Dataset) || segments[0] == string(Space):
		h.servePage(x, Type(segments[0]), segments[1:])
	default:
		h.servePage(x, Model, segments)
	}
}

// servePage answers what stands below a repository's own address: files, git
// and LFS.
func (h *Hub) servePage(x *exchange, t Type, segments []string) {
	if h.serveGit(x, t, segments) {
		return
	}
	r, rest := h.lookup(x, t, segments, t.prefix())
	if r == nil {
		return
	}
	switch {
	case len(rest) == 0:
		if h.allowed(x, r, metadata) {
			x.Header().Set("Content-Type", "text/html; charset=utf-8")
			x.text(http.StatusOK, "<!doctype html><title>"+r.ID+"</title>")
		}
	case len(rest) > 2 && (rest[0] == "resolve" || rest[0] == "raw"):
		h.serveResolve(x, r, rest[0] == "raw", rest[1:])
	default:
		x.fail(http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
	}
}

// lookup finds the repository that segments begin with and returns what
// follows. If there is none, or under another name, it has answered and
// returns nil. before is the path before the id.
func (h *Hub) lookup(x *exchange, t Type, segments []string, before string) (*repo, []string) {
	if len(segments) == 0 {
		h.notFound(x)
		return nil, nil
	}
	id, rest := unescape(segments[0]), segments[1:]
	h.mu.Lock()
	r := h.aliases[repoKey(t, id)]
	if r == nil && len(rest) > 0 {
		id, rest = id+"/"+unescape(rest[0]), rest[1:]
		r = h.repos[repoKey(t, id)]
	}
	h.mu.Unlock()
	switch {
	case r == nil:
		h.notFound(x)
		return nil, nil
	case r.ID != id:
		location := before + strings.Join(append([]string{r.ID}, rest...), "/")
		if x.r.URL.RawQuery != "" {
			location += "?" + x.r.URL.RawQuery
		}
		x.redirect(http.StatusTemporaryRedirect, location)
		return nil, nil
	}
	return r, rest
}

// revisionAndPath splits what follows a verb: "main/a/b", "refs%2Fpr%2F1/a"
// or "refs/pr/1/a".
func revisionAndPath(segments []string) (rev, p string) {
	if len(segments) == 0 {
		return "", ""
	}
	if segments[0] == "refs" && len(segments) >= 3 {
		return unescape(strings.Join(segments[:3], "/")), unescape(strings.Join(segments[3:], "/"))
	}
	return unescape(segments[0]), unescape(strings.Join(segments[1:], "/"))
}

// unescape keeps what is not valid percent-encoding as it is: no file or
// repository has such a name, so the answer is a 404.
func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func requestID() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return "Root=1-" + hex.EncodeToString(id[:])
}

// text answers with a short body.
func (x *exchange) text(status int, body string) {
	if x.Header().Get("Content-Type") == "" {
		x.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	x.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	_, _ = x.Write([]byte(body)) // a failure is in the record
}

func (x *exchange) redirect(status int, location string) {
	x.Header().Set("Location", location)
	x.text(status, http.StatusText(status)+". Redirecting to "+location)
}

// fail answers with an error as the Hub's API spells it. code is the
// X-Error-Code, "" for none.
func (x *exchange) fail(status int, code, message string) {
	header := x.Header()
	if code != "" {
		header.Set("X-Error-Code", code)
	}
	header.Set("X-Error-Message", message)
	if status == http.StatusUnauthorized {
		header.Set("Www-Authenticate", `Bearer realm="Authentication required", charset="UTF-8"`)
	}
	if strings.Contains(x.rec.Path, "/resolve/") {
		x.text(status, message)
		return
	}
	body, _ := json.Marshal(map[string]string{"error": message}) // can not fail
	header.Set("Content-Type", "application/json; charset=utf-8")
	x.text(status, string(body))
}

// gzipFrom is the size above which the Hub compresses JSON and text.
const gzipFrom = 1 << 10

func (x *exchange) json(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		x.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	header := x.Header()
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	header.Set("Etag", fmt.Sprintf(`W/"%x-%s"`, len(body), gitID("blob", body)[:20]))
	if len(body) > gzipFrom && x.takesGzip() {
		x.gzip(Bytes(body))
		return
	}
	x.text(http.StatusOK, string(body))
}

func (x *exchange) takesGzip() bool {
	return x.r.Method != http.MethodHead && strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip")
}

// gzip sends c compressed, in chunks and without a length.
func (x *exchange) gzip(c Content) {
	x.Header().Set("Content-Encoding", "gzip")
	x.Header().Add("Vary", "Accept-Encoding")
	x.WriteHeader(http.StatusOK)
	x.flush()
	zw := gzip.NewWriter(x)
	if err := copyContent(zw, c); err == nil {
		_ = zw.Close() // a failure is in the record
	}
}

// content serves c with Range and preconditions. The header must hold ETag
// and Content-Type.
func (x *exchange) content(c Content) {
	if x.fault.Content != nil {
		c = x.fault.Content(c)
	}
	var body io.ReadSeeker = io.NewSectionReader(c, 0, c.Size())
	if b, ok := c.(Bytes); ok {
		body = bytes.NewReader(b)
	}
	http.ServeContent(x, x.r, "", time.Time{}, body)
}

// disposition names the file as the Hub does.
func disposition(p string) string {
	name := url.PathEscape(path.Base(p))
	return fmt.Sprintf("inline; filename*=UTF-8''%s; filename=\"%s\";", name, name)
}
