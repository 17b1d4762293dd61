package hubtest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Xet is the Hub's chunk storage (https://huggingface.co/docs/xet). A client
// exchanges its token for one of the CAS server, asks there for the
// reconstruction of a file - terms, each a range of chunks in a xorb - and
// fetches those bytes from a transfer host by signed links. Here each xorb is
// a stretch of the one file, stored uncompressed; on the real Hub chunks are
// shared between files and compressed, and arrive in any order. That is why a
// proxy can not inspect them in flight and must keep clients from going this
// way; the hosts answer so that a test notices when one does.

const (
	xetTokenTTL = 15 * time.Minute
	xetChunk    = 64 << 10
	xetHeader   = 8   // version, packed length, scheme, length
	xorbChunks  = 512 // 32 MiB of content
	xorbContent = xetChunk * xorbChunks
)

// XetHash is the name in Xet of content with a sha256, in hexadecimal.
func XetHash(sum string) string { return digestOf("xet:" + sum)[len("sha256:"):] }

// serveXetToken answers /api/{type}/{id}/xet-read-token/{rev}.
func (h *Hub) serveXetToken(x *exchange, r *repo) {
	if !r.Xet {
		x.fail(http.StatusNotFound, "", "Xet is not enabled for this repository")
		return
	}
	expires := strconv.FormatInt(time.Now().Add(xetTokenTTL).Unix(), 10)
	owner := string(r.Type) + "/" + r.ID
	t := "xet." + expires + "." + h.mac("xet", owner, expires) + "." + owner
	header := x.Header()
	header.Set("X-Xet-Access-Token", t)
	header.Set("X-Xet-Token-Expiration", expires)
	header.Set("X-Xet-Cas-Url", "https://"+casHost)
	exp, _ := strconv.ParseInt(expires, 10, 64) // formatted above
	x.json(map[string]any{"accessToken": t, "exp": exp, "casUrl": "https://" + casHost})
}

// xetTokenRepo is the repository that a valid Xet token was given for.
func (h *Hub) xetTokenRepo(r *http.Request) *repo {
	parts := strings.SplitN(token(r), ".", 4)
	if len(parts) != 4 || parts[0] != "xet" || !h.validMAC(parts[2], "xet", parts[3], parts[1]) {
		return nil
	}
	if expires, err := strconv.ParseInt(parts[1], 10, 64); err != nil || time.Now().After(time.Unix(expires, 0)) {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.repos[strings.ToLower(parts[3])]
}

// xorb is the framed form of a stretch of a file.
type xorb struct {
	file *file
	part int64
}

func (b xorb) hash() string {
	return digestOf(b.file.XetHash + strconv.FormatInt(b.part, 10))[len("sha256:"):]
}

func (b xorb) start() int64  { return b.part * xorbContent }
func (b xorb) length() int64 { return min(xorbContent, b.file.Size-b.start()) }
func (b xorb) chunks() int64 { return (b.length() + xetChunk - 1) / xetChunk }
func (b xorb) framed() int64 { return b.length() + b.chunks()*xetHeader }
func (b xorb) content() Content {
	var parts []Content
	for at := b.start(); at < b.start()+b.length(); at += xetChunk {
		n := min(xetChunk, b.start()+b.length()-at)
		parts = append(parts,
			Bytes{0, byte(n), byte(n >> 8), byte(n >> 16), 0, byte(n), byte(n >> 8), byte(n >> 16)},
			io.NewSectionReader(b.file.content, at, n))
	}
	return Join(parts...)
}

// serveCAS answers GET /v1|v2/reconstructions/{file hash}.
func (h *Hub) serveCAS(x *exchange) {
	r := h.xetTokenRepo(x.r)
	if r == nil {
		x.text(http.StatusUnauthorized, "Unauthorized")
		return
	}
	version, digest, _ := strings.Cut(strings.TrimPrefix(x.r.URL.Path, "/"), "/reconstructions/")
	f := r.xetFile(digest)
	if f == nil || version != "v1" && version != "v2" {
		x.text(http.StatusNotFound, "not found")
		return
	}
	first, last, ok := byteRange(x.rec.Range, f.Size)
	if !ok {
		x.text(http.StatusRequestedRangeNotSatisfiable, "")
		return
	}
	terms, v1, v2 := []any{}, map[string]any{}, map[string]any{}
	for part := first / xorbContent; part*xorbContent <= last && f.Size > 0; part++ {
		b := xorb{f, part}
		chunks := map[string]int64{"start": 0, "end": b.chunks()}
		bytes := map[string]int64{"start": 0, "end": b.framed() - 1}
		link := h.xorbURL(b)
		terms = append(terms, map[string]any{"hash": b.hash(), "unpacked_length": b.length(), "range": chunks})
		v1[b.hash()] = []any{map[string]any{"range": chunks, "url": link, "url_range": bytes}}
		v2[b.hash()] = []any{map[string]any{"url": link, "ranges": []any{map[string]any{"chunks": chunks, "bytes": bytes}}}}
	}
	answer := map[string]any{"offset_into_first_range": first % xorbContent, "terms": terms, "xorbs": v2}
	if version == "v1" {
		delete(answer, "xorbs")
		answer["fetch_info"] = v1
	}
	x.json(answer)
}

// xetFile finds a file of any commit by its Xet hash.
func (r *repo) xetFile(digest string) *file {
	for _, s := range r.snapshots() {
		for _, f := range s.files {
			if f.LFS && f.XetHash == digest {
				return f
			}
		}
	}
	return nil
}

// byteRange reads "bytes=a-b"; without one it is everything.
func byteRange(spec string, size int64) (first, last int64, ok bool) {
	if spec == "" {
		return 0, size - 1, true
	}
	from, to, _ := strings.Cut(strings.TrimPrefix(spec, "bytes="), "-")
	first, err := strconv.ParseInt(from, 10, 64)
	if err != nil || first < 0 || first >= size {
		return 0, 0, false
	}
	last, err = strconv.ParseInt(to, 10, 64)
	if err != nil || last >= size {
		last = size - 1
	}
	return first, last, last >= first
}

func (h *Hub) xorbURL(b xorb) string {
	q := url.Values{}
	q.Set("X-Xet-Signed-Range", fmt.Sprintf("bytes=0-%d", b.framed()-1))
	q.Set("X-Xet-File", b.file.XetHash)
	q.Set("X-Xet-Part", strconv.FormatInt(b.part, 10))
	location := "/xorb/default/" + b.hash()
	h.signCloudFront(q, transferHost, location+" "+q.Get("X-Xet-File")+" "+q.Get("X-Xet-Part"), time.Now().Add(h.opts.LinkTTL))
	return "https://" + transferHost + location + "?" + q.Encode()
}

// serveTransfer serves the bytes of a xorb, and only the range that was signed.
func (h *Hub) serveTransfer(x *exchange) {
	q := x.r.URL.Query()
	signed, expired := h.checkLink(x.rec.Host, x.r.URL.Path+" "+q.Get("X-Xet-File")+" "+q.Get("X-Xet-Part"), q)
	if !signed || expired || q.Get("X-Xet-Signed-Range") != x.rec.Range {
		x.storageError(http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	}
	h.mu.Lock()
	f := h.objects[q.Get("X-Xet-File")]
	h.mu.Unlock()
	part, err := strconv.ParseInt(q.Get("X-Xet-Part"), 10, 64)
	if f == nil || err != nil {
		x.storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	b := xorb{f, part}
	x.Header().Set("Content-Type", "application/octet-stream")
	x.Header().Set("Etag", `"`+b.hash()+`"`)
	x.content(b.content())
}
