package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// ServeWhole sends a request on as it is and inspects the whole body of the
// answer before any of it is released. It is for answers that carry content
// without being a file of their own: pages, unknown routes, git packs. Nothing
// of them is cached.
//
// name tells the inspector what the body is called; refuse, if not nil,
// answers a refusal in the client's own protocol instead of Fail.
func (g *Gate) ServeWhole(w http.ResponseWriter, out *http.Request, req hub.Request, name string, refuse func(http.ResponseWriter, *Refused)) {
	g.audited(w, out, req, func(t *transfer) error {
		if refused := g.refuseRepo(req.RepoID()); refused != nil && req.Repo != "" {
			return refused
		}
		resp, err := g.Transport.RoundTrip(out)
		if err != nil {
			return fmt.Errorf("%w: %w", fetch.ErrUnreachable, err)
		}
		defer resp.Body.Close()
		if resp.Header.Get("Content-Encoding") != "" {
			return fmt.Errorf("%w: Content-Encoding although identity was asked", fetch.ErrMismatch)
		}
		body, sum, err := g.spoolWhole(resp.Body)
		if err != nil {
			return err
		}
		defer body.Close()
		size, err := body.Seek(0, io.SeekEnd)
		if err != nil {
			return fmt.Errorf("%w: %w", fetch.ErrSpool, err)
		}
		t.record.Size, t.record.SHA256, t.record.BytesFetched, t.record.Cache = size, sum, size, audit.CacheMiss
		if err := g.judgeWhole(t, out, scan.File{Name: name, Size: size, ReaderAt: body}); err != nil {
			if refused, ok := err.(*Refused); ok && refuse != nil { //nolint:errorlint // made in judgeWhole
				t.failed(err)
				refuse(t, refused)
				return nil
			}
			return err
		}
		hub.EndToEnd(resp.Header)
		hub.CleanResponse(resp.Header)
		resp.Header.Del("X-Request-Id")
		for k, v := range resp.Header {
			t.Header()[k] = v
		}
		t.Header().Set("Content-Length", fmt.Sprint(size))
		t.WriteHeader(resp.StatusCode)
		_, err = io.Copy(t, io.NewSectionReader(body, 0, size))
		return err
	})
}

// judgeWhole inspects a spooled body and returns a *Refused unless policy
// serves it.
func (g *Gate) judgeWhole(t *transfer, r *http.Request, f scan.File) error {
	sum := t.record.SHA256
	v, known, err := g.Verdicts.Verdict(r.Context(), sum, g.Inspector.Fingerprint())
	if err != nil {
		return err
	}
	if !known {
		started := time.Now()
		report, err := g.Inspector.Inspect(r.Context(), f)
		if err != nil && report.Verdict != scan.Malicious {
			return err
		}
		v = store.VerdictRecord{
			SHA256: sum, Fingerprint: g.Inspector.Fingerprint(), Size: f.Size,
			Verdict: report.Verdict, Report: report, InspectedAt: started, Duration: time.Since(started),
		}
	}
	t.record.Verdict, t.record.VerdictTime = v.Report.Verdict, time.Since(t.started)
	d, err := g.decide(r.Context(), sum, v.Report)
	if err != nil {
		return err
	}
	t.record.Decision = d.String()
	if !d.Action.Serves() {
		// Nothing of it is kept: it is no file that somebody could release.
		return &Refused{Decision: d, SHA256: sum, Report: v.Report}
	}
	warn(t.Header(), d, v.Report)
	return nil
}

// spoolWhole copies a body into an unnamed file and returns it with its hash.
func (g *Gate) spoolWhole(body io.Reader) (*os.File, string, error) {
	f, err := os.CreateTemp(g.Blobs.SpoolDir(), "whole-*")
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", fetch.ErrSpool, err)
	}
	// Unlinked at once: nothing is left behind, whatever happens.
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("%w: %w", fetch.ErrSpool, err)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h), body); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("%w: %w", fetch.ErrTruncated, err)
	}
	return f, hex.EncodeToString(h.Sum(nil)), nil
}
