package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/hub"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/scan"
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
	w.WriteHeader(http.StatusOK)
	return nil
}

// transfer is one GET on its way: where it goes and what the audit record of
// it will say.
type transfer struct {
	*counter
	record  audit.Record
	started time.Time
}

// audited runs serve, answers its error, and writes the canonical record of
// the download, however it ends.
func (g *Gate) audited(w http.ResponseWriter, r *http.Request, req hub.Request, serve func(*transfer) error) {
	t := &transfer{counter: &counter{ResponseWriter: w}, started: time.Now()}
	t.record = audit.Record{
		RequestID: w.Header().Get("X-Request-Id"), Client: r.RemoteAddr, Method: r.Method,
		Repo: req.RepoID(), Revision: req.Revision, Path: req.Path, Decision: audit.DecisionError,
	}
	defer func() {
		t.record.Status, t.record.BytesSent = t.status, t.sent
		g.Audit.Record(context.WithoutCancel(r.Context()), t.record)
	}()
	err := serve(t)
	if err == nil {
		return
	}
	t.failed(err)
	if t.begun {
		// Headers are out: the only honest end is a visible break. HTTP/1.1
		// closes the connection short of Content-Length, HTTP/2 resets the
		// stream.
		panic(http.ErrAbortHandler)
	}
	g.Fail(t, r, err)
}

// failed notes in the record why nothing, or not everything, was sent.
func (t *transfer) failed(err error) {
	var refused *Refused
	if !errors.As(err, &refused) {
		t.record.Decision, t.record.Error = audit.DecisionError, err.Error()
		return
	}
	t.record.Decision, t.record.Verdict, t.record.Error = refused.Decision.String(), refused.Report.Verdict, refused.Code()
	if refused.SHA256 != "" {
		t.record.SHA256 = refused.SHA256
	}
}

func (g *Gate) get(t *transfer, r *http.Request, req hub.Request) error {
	if req.Kind != hub.Object { // where the repository is known in advance
		if refused := g.refuseRepo(req.RepoID()); refused != nil {
			return refused
		}
	}
	s, err := g.locate(r, req)
	if err != nil {
		return err
	}
	t.record.Repo, t.record.Revision, t.record.Path = s.request.RepoID(), s.request.Revision, s.request.Path
	t.record.SHA256, t.record.Size = s.sha256, s.size
	if refused := g.refuseRepo(s.request.RepoID()); refused != nil {
		return refused
	}
	if done, err := g.serveKnown(t, r, s); done {
		return err
	}
	j, joined := g.join(s)
	defer j.leave()
	t.record.Cache = audit.CacheMiss
	if joined {
		t.record.Cache = audit.CacheJoin
	}
	return g.serveJob(t, r, s, j)
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
	setHeader(t.Header(), s.header)
	warn(t.Header(), d, v.Report)
	http.ServeContent(t, r, "", time.Time{}, blob)
	return true, nil
}

// lead is how much earlier than Hold the headers leave, to arrive by then.
const lead = 500 * time.Millisecond

// serveJob waits for the job's verdict and releases its content.
func (g *Gate) serveJob(t *transfer, r *http.Request, s *subject, j *job) error {
	release := &release{ctx: r.Context(), job: j, transfer: t, size: s.size}
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
		warn(t.Header(), release.decision, j.report)
	}
	http.ServeContent(t, r, "", time.Time{}, release)
	if release.err != nil && !errors.Is(release.err, io.EOF) {
		return release.err
	}
	return nil
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

// warn tells the client what it is getting, in the header that the Hub's
// clients print.
func warn(h http.Header, d policy.Decision, r scan.Report) {
	if d.Action != policy.Warn {
		return
	}
	text := fmt.Sprintf("modelwall; this file is %s", r.Verdict)
	if d.Would != d.Action {
		text += fmt.Sprintf(" and would be refused (%s) if policy.monitor were off", d.Would)
	}
	if len(r.Findings) > 0 {
		text += ": " + r.Findings[0].Message
	}
	h.Set("X-HF-Warning", hub.OneLine(text, 500))
}

func (s *subject) origin(client string) origin {
	return origin{s.request.RepoID(), s.request.Revision, s.request.Path, client}
}

// counter is a ResponseWriter that knows what went through it.
type counter struct {
	http.ResponseWriter
	status int
	sent   int64
	begun  bool
}

func (c *counter) WriteHeader(status int) {
	if !c.begun {
		c.status, c.begun = status, true
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	n, err := c.ResponseWriter.Write(p)
	c.sent += int64(n)
	return n, err
}

// ReadFrom keeps sendfile for blobs on a plain connection.
func (c *counter) ReadFrom(src io.Reader) (int64, error) {
	if !c.begun {
		c.WriteHeader(http.StatusOK)
	}
	n, err := io.Copy(c.ResponseWriter, src)
	c.sent += n
	return n, err
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
