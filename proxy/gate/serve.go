package gate

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/store"
)

// wholeFirst is the size up to which a file is proven before its first byte
// leaves. A small file arrives in the time that a verdict takes anyway, and a
// mismatch then is a clear error instead of a cut connection.
const wholeFirst = 4 << 20

// ServeFile answers a GET or HEAD for a file. Trouble after the headers are out
// aborts the connection by panicking with http.ErrAbortHandler.
func (g *Gate) ServeFile(w http.ResponseWriter, r *http.Request, req hub.Request) {
	if r.Method == http.MethodHead {
		if err := g.head(w, r, req); err != nil {
			g.Fail(w, r, err)
		}
		return
	}
	g.audited(w, r, req, func(t *transfer) error { return g.get(t, r, req) })
}

// head answers with the file's metadata. It never blocks: clients misreport a
// HEAD that fails, and it releases nothing.
func (g *Gate) head(w http.ResponseWriter, r *http.Request, req hub.Request) error {
	s, err := g.locate(r, req)
	if err != nil {
		return err
	}
	if s.size < 0 {
		probe, err := s.source.Open(r.Context(), 0, 1)
		if err != nil {
			return err
		}
		probe.Body.Close()
		s.size = probe.Size
	}
	setHeader(w.Header(), s.header)
	if s.size >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	}
	if g.Describe != nil && req.Kind == hub.Resolve {
		g.Describe(w.Header(), r, &File{s})
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (g *Gate) get(t *transfer, r *http.Request, req hub.Request) error {
	if req.Kind != hub.Object { // where the repository is known in advance
		if err := t.admit(req.RepoID()); err != nil {
			return err
		}
	}
	s, err := g.locate(r, req)
	if err != nil {
		return err
	}
	return g.deliver(t, r, s)
}

// deliver answers a GET for what was located.
func (g *Gate) deliver(t *transfer, r *http.Request, s *subject) error {
	t.record.Repo, t.record.Revision, t.record.Path = s.request.RepoID(), s.request.Revision, s.request.Path
	t.record.SHA256, t.record.Size = s.sha256, s.size
	if err := t.admit(s.repo); err != nil {
		return err
	}
	r = oneRange(r)
	if done, err := g.serveKnown(t, r, s); done {
		return err
	}
	for {
		joined, err := g.serveShared(t, r, s)
		var status *fetch.StatusError
		if !joined || t.begun || !errors.As(err, &status) {
			return err
		}
		// The upstream refused whoever started the job: an expired signature,
		// a quota. This caller asks for himself.
	}
}

// oneRange is r without a Range of several parts, which is then answered with
// the whole (RFC 9110, 14.2). http.ServeContent would read the parts in a
// goroutine of its own, and no client of the Hub asks for them.
func oneRange(r *http.Request) *http.Request {
	if !strings.Contains(r.Header.Get("Range"), ",") {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Del("Range")
	return r
}

// unconditional is r without preconditions: they would be answered before the
// verdict.
func unconditional(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	for _, k := range [...]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		r.Header.Del(k)
	}
	return r
}

// serveKnown answers from the store when it has a verdict and, for one that
// serves, the content.
func (g *Gate) serveKnown(t *transfer, r *http.Request, s *subject) (done bool, err error) {
	if s.sha256 == "" {
		return false, nil
	}
	v, ok, err := g.Verdicts.Verdict(r.Context(), s.sha256, g.Inspector.Fingerprint())
	if err != nil {
		return true, err
	}
	if !ok {
		g.again(s)
		return false, nil
	}
	d, err := g.decide(r.Context(), s.sha256, v.Report)
	if err != nil {
		return true, err
	}
	t.record.Cache, t.record.Verdict, t.record.Decision = audit.CacheHit, v.Report.Verdict, d.String()
	if !d.Action.Serves() {
		refused, err := g.refuse(r.Context(), d, v, s.origin(r.RemoteAddr))
		return true, cmp.Or[error](err, refused)
	}
	blob, err := g.Blobs.Open(s.sha256)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	defer blob.Close()
	if err := s.promised(blob.Size()); err != nil {
		return true, err
	}
	setHeader(t.Header(), s.header)
	t.warn(d, v.Report)
	if f := blob.Fresh(); f != nil && t.view == nil {
		out := &sendfile{transfer: t}
		http.ServeContent(out, r, "", time.Time{}, f)
		return true, out.err
	}
	return true, g.serveProven(t, r, blob)
}

// serveProven sends a blob whose hash has to be checked.
func (g *Gate) serveProven(t *transfer, r *http.Request, blob *store.Blob) error {
	checked := newProven(blob)
	content := &reading{ReadSeeker: t.seen(checked)}
	http.ServeContent(t, r, "", time.Time{}, content)
	switch {
	case errors.Is(content.err, errDamaged):
		// The next caller gets it from the Hub.
		return errors.Join(content.err, g.Blobs.Remove(r.Context(), blob.SHA256()))
	case content.err == nil && checked.whole:
		return g.Blobs.Proven(context.WithoutCancel(r.Context()), blob)
	}
	return content.err
}

// serveShared waits for the job that fetches the content and releases it, and
// tells whether somebody else had started that job.
func (g *Gate) serveShared(t *transfer, r *http.Request, s *subject) (joined bool, err error) {
	j, joined, err := g.join(s)
	if err != nil {
		return false, err
	}
	defer j.leave()
	if joined {
		t.record.Cache = audit.CacheJoin
	} else {
		t.record.Cache = audit.CacheMiss
		defer func() { t.record.BytesFetched = j.fetched() }()
	}
	return joined, g.serveJob(t, r, s, j)
}

// lead is how much earlier than Hold the headers leave, to arrive by then.
const lead = 500 * time.Millisecond

// serveJob waits for the job's verdict and releases its content.
func (g *Gate) serveJob(t *transfer, r *http.Request, s *subject, j *job) error {
	release := &release{ctx: r.Context(), subject: s, job: j, transfer: t, size: s.size}
	if err := hold(r.Context(), release.ready(), g.Hold()-lead-time.Since(t.started)); err != nil {
		return err
	}
	select {
	case <-release.ready():
		if err := release.decide(); err != nil {
			return err
		}
	default:
		// The headers go out now and the body waits on. Without a size there
		// is no header yet; whatever has a name on the Hub has a size.
		if s.size < 0 {
			if err := hold(r.Context(), j.opened, forever); err != nil {
				return err
			}
			if err := j.failure(); err != nil {
				return err
			}
		}
	}
	if release.size < 0 {
		release.size = j.size
	}
	t.record.Size = release.size
	setHeader(t.Header(), s.header)
	if release.decided {
		t.warn(release.decision, j.report)
	} else {
		r = unconditional(r)
	}
	content := &reading{ReadSeeker: t.seen(release)}
	http.ServeContent(t, r, "", time.Time{}, content)
	if content.err == nil && !release.decided {
		_, content.err = release.settle(nil) // no byte was asked for
	}
	return content.err
}

// forever is longer than any wait.
const forever = time.Duration(1<<63 - 1)

// hold waits for a stage, at most for d.
func hold(ctx context.Context, stage <-chan struct{}, d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-stage:
	case <-over.C:
	case <-ctx.Done():
		return errGone
	}
	return nil
}

// setHeader fills in the header of a file. Without a type of its own a file is
// opaque: net/http would look at its first bytes otherwise.
func setHeader(dst, src http.Header) {
	for k, v := range src {
		dst[k] = v
	}
	dst.Del("Content-Length")
	if dst.Get("Content-Type") == "" {
		dst.Set("Content-Type", "application/octet-stream")
	}
	dst.Set("Accept-Ranges", "bytes")
}

func (s *subject) origin(client string) origin {
	return origin{s.request.RepoID(), s.request.Revision, s.request.Path, client}
}
