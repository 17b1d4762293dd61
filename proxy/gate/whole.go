package gate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/policy"
	"modelwall/scan"
)

// ServeWhole sends a request on as it is and inspects the whole body of the
// answer, of MaxWhole bytes at most, before any of it is released. It is for
// answers that carry content without being a file of their own: pages, unknown
// routes, git packs. Nothing of them is cached.
//
// name tells the inspector what the body is called; refuse, if not nil,
// answers a refusal in the client's own protocol instead of Fail.
func (g *Gate) ServeWhole(w http.ResponseWriter, out *http.Request, req hub.Request, name string, refuse func(http.ResponseWriter, *Refused)) {
	g.audited(w, out, req, func(t *transfer) error {
		if req.Repo != "" {
			if err := t.admit(req.RepoID()); err != nil {
				return err
			}
		}
		once := &onceSource{gate: g, out: out}
		body, err := fetch.Start(out.Context(), once, fetch.Options{
			Size: -1, Dir: g.Blobs.SpoolDir(), MaxSize: g.MaxWhole, Retries: -1, StallTimeout: g.Stall,
		})
		if err != nil {
			return err
		}
		defer func() {
			t.record.BytesFetched = body.Stats().Received
			if err := body.Close(); err != nil {
				g.Logger.Warn("a spool file was not removed", "error", err)
			}
		}()
		t.record.Cache = audit.CacheMiss
		digest, err := body.Wait(out.Context())
		if err != nil {
			return err
		}
		t.record.Size, t.record.SHA256 = digest.Size, digest.SHA256
		content := body.Reader(out.Context())
		d, report, err := g.judgeWhole(t, out, scan.File{Name: name, Size: digest.Size, ReaderAt: content})
		if err != nil {
			if refused, ok := err.(*Refused); ok && refuse != nil { //nolint:errorlint // made in judgeWhole
				t.failed(err)
				refuse(t, refused)
				return nil
			}
			return err
		}
		header := once.resp.Header
		hub.EndToEnd(header)
		hub.CleanResponse(header)
		header.Del("X-Request-Id")
		for k, v := range header {
			t.Header()[k] = v
		}
		t.warn(d, report)
		t.Header().Set("Content-Length", strconv.FormatInt(digest.Size, 10))
		t.WriteHeader(once.resp.StatusCode)
		_, err = io.Copy(t, io.NewSectionReader(content, 0, digest.Size))
		return err
	})
}

// onceSource is the answer to one request, which is not repeated: it may be a
// POST. Ranges of it are not to be had.
type onceSource struct {
	gate *Gate
	out  *http.Request
	resp *http.Response // set by the first Open
}

// Open implements fetch.Source.
func (s *onceSource) Open(ctx context.Context, _, _ int64) (*fetch.Response, error) {
	if s.resp != nil {
		return nil, fetch.Final(fmt.Errorf("%w: it can not be asked again", fetch.ErrTruncated))
	}
	resp, err := s.gate.Transport.RoundTrip(s.out.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", fetch.ErrUnreachable, err)
	}
	switch {
	case resp.Header.Get("Content-Encoding") != "":
		err = fmt.Errorf("%w: Content-Encoding although identity was asked", fetch.ErrMismatch)
	case resp.ContentLength > s.gate.MaxWhole:
		err = fmt.Errorf("%w: %d bytes, of %d at most", fetch.ErrTooLarge, resp.ContentLength, s.gate.MaxWhole)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	s.resp = resp
	return &fetch.Response{Body: resp.Body, Size: resp.ContentLength, Header: http.Header{"Accept-Ranges": {"none"}}}, nil
}

// judgeWhole inspects a spooled body. The error is a *Refused unless policy
// serves it.
func (g *Gate) judgeWhole(t *transfer, r *http.Request, f scan.File) (policy.Decision, scan.Report, error) {
	fail := func(err error) (policy.Decision, scan.Report, error) { return policy.Decision{}, scan.Report{}, err }
	sum := t.record.SHA256
	v, known, err := g.Verdicts.Verdict(r.Context(), sum, g.Inspector.Fingerprint())
	if err != nil {
		return fail(err)
	}
	report := v.Report
	if !known {
		report, err = g.Inspector.Inspect(r.Context(), f)
		if err != nil && report.Verdict != scan.Malicious {
			return fail(err)
		}
	}
	t.record.Verdict, t.record.VerdictTime = report.Verdict, time.Since(t.started)
	d, err := g.decide(r.Context(), sum, report)
	if err != nil {
		return fail(err)
	}
	t.record.Decision = d.String()
	if !d.Action.Serves() {
		// Nothing of it is kept: it is no file that somebody could release.
		return fail(&Refused{Decision: d, SHA256: sum, Report: report})
	}
	return d, report, nil
}
