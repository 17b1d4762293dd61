package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/hub"
	"modelwall/proxy/policy"
	"modelwall/scan"
)

var (
	errGone  = errors.New("client left")
	errShort = errors.New("the content ended early")
	errPanic = errors.New("internal error")
)

// transfer is one GET on its way: where it goes and what the audit record of
// it will say.
type transfer struct {
	*counter
	gate    *Gate
	request *http.Request
	record  audit.Record
	started time.Time
	repo    policy.Decision // about the repository
	view    View            // what is made of the content; nil leaves it as it is
}

// seen is the content as the client gets it.
func (t *transfer) seen(content io.ReadSeeker) io.ReadSeeker {
	if t.view == nil {
		return content
	}
	return t.view(content)
}

func (g *Gate) begin(w http.ResponseWriter, r *http.Request, req hub.Request) *transfer {
	t := &transfer{counter: &counter{ResponseWriter: w}, gate: g, request: r, started: time.Now()}
	t.record = audit.Record{
		RequestID: w.Header().Get("X-Request-Id"), Client: r.RemoteAddr, Method: r.Method,
		Repo: req.RepoID(), Revision: req.Revision, Path: req.Path, Decision: audit.DecisionError,
	}
	return t
}

// admit asks the policy about a repository and returns a *Refused, or nil.
func (t *transfer) admit(repo string) error {
	d := t.gate.Rules().Repo(repo)
	if !d.Action.Serves() {
		return &Refused{Decision: d}
	}
	if t.repo.Action != policy.Warn { // of two names of one repository the worse counts
		t.repo = d
	}
	return nil
}

// warn tells the client what it is getting, in the header that the Hub's
// clients print.
func (t *transfer) warn(d policy.Decision, r scan.Report) {
	var text string
	switch {
	case d.Action == policy.Warn:
		text = fmt.Sprintf("modelwall; this file is %s", r.Verdict)
		if d.Would != d.Action {
			text += fmt.Sprintf(" and would be refused (%s) if policy.monitor were off", d.Would)
		}
		if len(r.Findings) > 0 {
			text += ": " + r.Findings[0].Message
		}
	case t.repo.Action == policy.Warn:
		text = fmt.Sprintf("modelwall; this repository would be refused (%s) if policy.monitor were off", t.repo.Rule)
	default:
		return
	}
	t.Header().Set("X-HF-Warning", hub.OneLine(text, 500))
}

// end writes the record.
func (t *transfer) end() {
	if t.record.Decision == audit.DecisionAllow && t.repo.Action == policy.Warn {
		t.record.Decision = t.repo.String()
	}
	t.record.Status, t.record.BytesSent = t.status, t.sent
	t.gate.Audit.Record(context.WithoutCancel(t.request.Context()), t.record)
}

// audited runs serve, answers its error, and writes the canonical record of
// the download, however it ends.
func (g *Gate) audited(w http.ResponseWriter, r *http.Request, req hub.Request, serve func(*transfer) error) {
	t := g.begin(w, r, req)
	defer t.end()
	err := g.contain(func() error { return serve(t) })
	if err == nil {
		err = t.complete()
	}
	if t.lost || err != nil && r.Context().Err() != nil {
		err = errGone // whatever came of it
	}
	if err == nil {
		return
	}
	t.failed(err)
	if t.begun || errors.Is(err, errGone) {
		// Headers are out: the only honest end is a visible break. HTTP/1.1
		// closes the connection short of Content-Length, HTTP/2 resets the
		// stream.
		panic(http.ErrAbortHandler)
	}
	g.Fail(t, r, err)
}

// Refuse answers with err a request that is never passed on, and records it.
func (g *Gate) Refuse(w http.ResponseWriter, r *http.Request, req hub.Request, err error) {
	t := g.begin(w, r, req)
	defer t.end()
	t.record.Decision, t.record.Error = audit.DecisionRefused, err.Error()
	g.Fail(t, r, err)
}

// contain makes an error of a panic in f: one download fails, and all others
// go on.
func (g *Gate) contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.Logger.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return f()
}

// failed notes in the record why nothing, or not everything, was sent.
func (t *transfer) failed(err error) {
	var refused *Refused
	switch {
	case errors.Is(err, errGone):
		t.record.Error = err.Error() // the decision, if there was one, stands
	case errors.As(err, &refused):
		t.record.Decision, t.record.Verdict, t.record.Error = refused.Decision.String(), refused.Report.Verdict, refused.Code()
		if refused.SHA256 != "" {
			t.record.SHA256 = refused.SHA256
		}
	default:
		t.record.Decision, t.record.Error = audit.DecisionError, err.Error()
	}
}

// counter is a ResponseWriter that knows what went through it.
type counter struct {
	http.ResponseWriter
	status int
	sent   int64
	begun  bool
	lost   bool // a write failed: the client is gone
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
	c.lost = c.lost || err != nil
	return n, err
}

// sendfile is a transfer whose body is a file. On a plain connection the kernel
// copies it (sendfile(2)).
type sendfile struct {
	*transfer
	err error // of the file
}

// ReadFrom implements io.ReaderFrom.
func (s *sendfile) ReadFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(s.ResponseWriter, src)
	s.sent += n
	var disk *fs.PathError
	if errors.As(err, &disk) {
		s.err = err
	} else {
		s.lost = s.lost || err != nil
	}
	return n, err
}

// complete returns an error unless as many bytes were sent as announced.
// net/http ends an HTTP/2 stream that is too short as if it were whole.
func (c *counter) complete() error {
	n, err := strconv.ParseInt(c.Header().Get("Content-Length"), 10, 64)
	if err != nil || !c.begun || c.sent == n {
		return nil
	}
	return fmt.Errorf("%w: %d of %d bytes", errShort, c.sent, n)
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// reading remembers why a body could not be read: http.ServeContent does not
// tell.
type reading struct {
	io.ReadSeeker
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
