// Package gate decides before it releases: no byte of a file reaches a client
// until the file's content was inspected and policy serves the verdict.
//
// # One request
//
//	locate     ask the Hub, with this caller's token, what the URL stands for:
//	  |        size, hash, where the bytes are. A refusal is passed on, so a
//	  |        cached gated file never reaches someone the Hub would refuse.
//	known?  -- yes --> decide --> serve the cached blob, or refuse
//	  | no
//	join       one job per content, shared by all clients that wait for it
//	  |
//	wait       for the verdict, at most Hold; then the headers go out (clients
//	  |        give up after 10 s without) and the body waits on, with a byte
//	  |        now and then, as long as what has left is harmless by itself
//	decide --> release, or refuse: 403, or a cut connection once headers are out
//
// # One job
//
//	started --> opened --> judged --> proven --> kept
//	    \          \          \          \
//	     +----------+----------+----------+---> failed (told to every waiter, remembered by nobody)
//
// The stages and all that leads from one to the next are in job.go: each is a
// channel that is closed once it is reached, and a failure closes all that are
// left. A job asks for the head of the content (opened), lets the inspector
// read that and whatever else it wants, by ranges (judged), fetches the rest and
// compares the hash of all of it with what the Hub announced (proven), and
// stores verdict and content (kept). When the hash is known in
// advance, bytes may flow once the content is judged, but its last piece stays
// back until it is proven: a client can not complete a file that is not the
// announced one. When it is not known in advance, nothing flows before proven.
// The disk is nobody's to wait for, except that a small file leaves once kept.
//
// A job outlives the client that started it while others wait, and stops a
// while after the last one has left. What it has fetched by then stays for the
// next one, in this process or a later one (see fetch.Parts).
package gate

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// Inspector judges content.
type Inspector interface {
	// Inspect returns an error when the reader or ctx failed; only a Malicious
	// report then says something about the content.
	Inspect(ctx context.Context, f scan.File) (scan.Report, error)
	// Fingerprint names what the verdicts depend on besides the content.
	Fingerprint() string
}

// Blobs keeps content by sha256.
type Blobs interface {
	// SpoolDir is where content arrives, on the same file system.
	SpoolDir() string
	// Open returns a blob that was whole and verified when it was stored, or
	// store.ErrNotFound.
	Open(sha256 string) (*store.Blob, error)
	// Proven notes that all of an open blob was read and has its hash.
	Proven(ctx context.Context, b *store.Blob) error
	// Adopt moves a verified spool file in, to be served.
	Adopt(ctx context.Context, path, sha256 string) error
	// Quarantine moves a verified spool file in, to be reviewed only.
	Quarantine(ctx context.Context, path, sha256 string) error
	// Remove forgets content that is damaged.
	Remove(ctx context.Context, sha256 string) error
}

// Records keeps what is known about content.
type Records interface {
	// Alias finds the sha256 of a small file by its git blob id.
	Alias(ctx context.Context, gitSHA1 string, size int64) (sha256 string, ok bool, err error)
	PutAlias(ctx context.Context, gitSHA1 string, size int64, sha256 string) error
	// Released tells whether a person released this content. It is asked for
	// every decision and never cached: another process may revoke it.
	Released(ctx context.Context, sha256 string) (store.Release, bool, error)
	// PutQuarantine notes that content was refused, and returns the name under
	// which a person finds it.
	PutQuarantine(ctx context.Context, e store.QuarantineEntry) (id string, err error)
	Quarantined(ctx context.Context, sha256 string) (store.QuarantineEntry, bool, error)
}

// Options configure a Gate.
type Options struct {
	Transport http.RoundTripper // the only way to the Hub; follows no redirects
	Content   http.RoundTripper // the same for the bytes of files; default Transport
	Inspector Inspector
	Blobs     Blobs
	Verdicts  store.Verdicts // asked for every request; may have a cache in front
	Records   Records
	Rules     func() policy.Rules  // asked for every decision: policy reloads
	Hold      func() time.Duration // how long headers wait for a verdict; under 10 s
	// Drip is how long after that a client waits for a byte, as far as there is
	// one that may leave before the verdict; default 5 s.
	Drip time.Duration
	// Describe, if not nil, may add to the header that answers HEAD for a file.
	Describe func(h http.Header, r *http.Request, f *File)
	// Fail answers a request whose header is not out yet with the error's
	// status and text.
	Fail    func(w http.ResponseWriter, r *http.Request, err error)
	Audit   audit.Sink
	Logger  *slog.Logger
	Retries int           // of the upstream, per request
	Stall   time.Duration // without a byte from the upstream, after which it is asked again
	Grace   time.Duration // a job goes on this long without waiters; default 30 s
	// Parallel is how many requests bring a large file side by side once it is
	// judged; default 10.
	Parallel int
	// Parts, if not nil, lets a job go on where an earlier one was stopped. It
	// is of the folder Blobs.SpoolDir.
	Parts *fetch.Parts
	// MaxWhole bounds, in bytes, what is inspected whole before its first byte
	// leaves (git packs, pages), and a file whose length nobody announces.
	// More is fetch.ErrTooLarge. Default 16 GiB.
	MaxWhole int64
}

// Gate serves files. Close it to stop its jobs; requests then fail.
type Gate struct {
	Options
	ctx  context.Context //nolint:containedctx // the life of all jobs, ended by Close
	stop context.CancelFunc

	mu     sync.Mutex
	closed bool
	jobs   map[string]*job
	wg     sync.WaitGroup
	// slots are the requests of all jobs together, besides one for each.
	slots *semaphore.Weighted

	// promises is what the Hub said about signed URLs before they are asked
	// for: an LFS batch names the hash, the URL alone proves nothing.
	promises *lru.Cache[string, Promise]
}

// maxSlots bounds the requests of all files together, besides one for each.
const maxSlots = 64

// maxPromises bounds the signed URLs remembered; an LFS batch has 100.
const maxPromises = 100_000

// New returns a gate at work.
func New(o Options) *Gate {
	if o.Grace <= 0 {
		o.Grace = 30 * time.Second
	}
	if o.Content == nil {
		o.Content = o.Transport
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Parallel <= 0 {
		o.Parallel = 10
	}
	if o.Drip <= 0 {
		o.Drip = 5 * time.Second
	}
	if o.MaxWhole <= 0 {
		o.MaxWhole = 16 << 30
	}
	if o.Audit == nil {
		o.Audit = audit.Multi()
	}
	promises, err := lru.New[string, Promise](maxPromises)
	if err != nil { // only for a size below one
		panic(err)
	}
	g := &Gate{Options: o, jobs: map[string]*job{}, promises: promises, slots: semaphore.NewWeighted(maxSlots)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// lastWords is how long Close waits for the hash of what was found malicious:
// clients have been told, and without the hash nobody would know the next time.
const lastWords = 3 * time.Second

// Close cancels the jobs and waits for them.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	for _, j := range g.jobs {
		if !j.condemned() {
			j.cancel()
		}
	}
	g.mu.Unlock()
	late := time.AfterFunc(lastWords, g.stop)
	g.wg.Wait()
	late.Stop()
	g.stop()
}

// Promise is what the Hub said of the content behind a signed URL.
type Promise struct {
	Repo     string // as in an audit record
	Revision string
	Path     string
	SHA256   string
	Size     int64
}

// Promised remembers what the Hub said about the content at a CDN URL, given
// by host and path: the signature in the query differs from client to client.
func (g *Gate) Promised(host, path string, p Promise) { g.promises.Add(host+path, p) }

// Judged returns the refusal that a download of the content would meet, as far
// as it is known already, or nil.
func (g *Gate) Judged(ctx context.Context, p Promise) (*Refused, error) {
	if d := g.Rules().Repo(p.Repo); !d.Action.Serves() {
		return &Refused{Decision: d}, nil
	}
	v, ok, err := g.Verdicts.Verdict(ctx, p.SHA256, g.Inspector.Fingerprint())
	if err != nil || !ok {
		return nil, err
	}
	d, err := g.decide(ctx, v.SHA256, v.Report)
	if err != nil || d.Action.Serves() {
		return nil, err
	}
	return g.refuse(ctx, d, v, origin{p.Repo, p.Revision, p.Path, ""})
}

// origin is where content was asked for, and by whom.
type origin struct{ repo, revision, path, client string }

// refuse makes the refusal of content, and notes it in the quarantine if the
// decision says so.
func (g *Gate) refuse(ctx context.Context, d policy.Decision, v store.VerdictRecord, from origin) (*Refused, error) {
	r := &Refused{Decision: d, SHA256: v.SHA256, Report: v.Report}
	if d.Action != policy.Quarantine {
		return r, nil
	}
	var err error
	r.QuarantineID, err = g.Records.PutQuarantine(ctx, entry(v, from))
	return r, err
}

func entry(v store.VerdictRecord, from origin) store.QuarantineEntry {
	return store.QuarantineEntry{
		SHA256: v.SHA256, Size: v.Size, Verdict: v.Report.Verdict, Report: v.Report,
		Repo: from.repo, Revision: from.revision, Path: from.path, Client: from.client,
	}
}

// decide applies the policy to a report about content whose hash is known.
func (g *Gate) decide(ctx context.Context, sha256 string, r scan.Report) (policy.Decision, error) {
	release, ok, err := g.Records.Released(ctx, sha256)
	if err != nil {
		return policy.Decision{}, err
	}
	released := ok && release.Covers(r.Verdict)
	return g.Rules().File(policy.Facts{Verdict: r.Verdict, Worst: r.Worst(), Released: released}), nil
}
