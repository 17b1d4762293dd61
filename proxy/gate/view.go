package gate

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"modelwall/proxy/hub"
	"modelwall/proxy/store"
)

// File is a file that the Hub has shown to a caller: the caller may have it,
// if its content may be released. It holds the caller's credentials, to fetch
// the content with, so keep it no longer than that permission may last.
type File struct{ *subject }

// Size is the file's length in bytes, -1 when the Hub does not say.
func (f *File) Size() int64 { return f.size }

// Request is what was asked for.
func (f *File) Request() hub.Request { return f.request }

// Commit is the commit that the revision stands for, or "".
func (f *File) Commit() string { return f.commit }

// XetHash is the file's name in Xet storage as the Hub announced it, or "".
func (f *File) XetHash() string { return f.xetHash }

// Header describes the file to a client.
func (f *File) Header() http.Header { return f.header.Clone() }

// Find asks the Hub, on behalf of r's caller, for the file that r.URL names.
// The Hub's refusal is a *Denied.
func (g *Gate) Find(r *http.Request, req hub.Request) (*File, error) {
	s, err := g.locate(r, req)
	if err != nil {
		return nil, err
	}
	return &File{s}, nil
}

// Judge waits for the verdict about a file, at most for d, and returns the
// refusal that a download by client would meet: a *Refused, another reason why
// the content can not be had, or nil. After d without a verdict it is nil too;
// what is then asked for waits on. The content goes on arriving for a while.
func (g *Gate) Judge(ctx context.Context, f *File, client string, d time.Duration) error {
	for _, repo := range []string{f.request.RepoID(), f.repo} {
		if d := g.Rules().Repo(repo); !d.Action.Serves() {
			return &Refused{Decision: d}
		}
	}
	if f.sha256 != "" {
		v, ok, err := g.Verdicts.Verdict(ctx, f.sha256, g.Inspector.Fingerprint())
		if err != nil {
			return err
		}
		if ok {
			return g.judgment(ctx, v, f.origin(client))
		}
	}
	j, _, err := g.join(f.subject)
	if err != nil {
		return err
	}
	defer j.leave()
	ready := j.judged
	if j.subject.sha256 == "" {
		ready = j.kept
	}
	if err := hold(ctx, ready, d); err != nil {
		return err
	}
	select {
	case <-ready:
	default:
		return nil
	}
	if err := cmp.Or(j.failure(), f.promised(j.size)); err != nil {
		return err
	}
	sha256 := j.subject.sha256
	if sha256 == "" {
		sha256 = j.digest.SHA256 // not before kept
	}
	return g.judgment(ctx, store.VerdictRecord{SHA256: sha256, Size: j.size, Report: j.report}, f.origin(client))
}

// judgment returns the refusal of content by its verdict, or nil.
func (g *Gate) judgment(ctx context.Context, v store.VerdictRecord, from origin) error {
	d, err := g.decide(ctx, v.SHA256, v.Report)
	if err != nil || d.Action.Serves() {
		return err
	}
	refused, err := g.refuse(ctx, d, v, from)
	return cmp.Or[error](err, refused)
}

// Failed answers a request about a file with err, which Find or Judge returned,
// and records it as a download that came to nothing.
func (g *Gate) Failed(w http.ResponseWriter, r *http.Request, req hub.Request, err error) {
	g.audited(w, r, req, func(*transfer) error { return err })
}

// View makes of a file's content what a client gets in its place. It is asked
// for bytes only as they are sent, and asks for those of the content only as it
// needs them, so that they are released as those of the file are.
type View func(content io.ReadSeeker) io.ReadSeeker

// ServeView answers a GET for a view of a file, whole or a range of it, as
// ServeFile would for the file: the verdict comes first, and the last piece of
// the content leaves when all of it is proven.
func (g *Gate) ServeView(w http.ResponseWriter, r *http.Request, f *File, view View) {
	s := *f.subject
	s.header = http.Header{} // that is about the file
	g.audited(w, r, f.request, func(t *transfer) error {
		t.view = view
		if err := t.admit(f.request.RepoID()); err != nil {
			return err
		}
		return g.deliver(t, r, &s)
	})
}
