// Package audit says what happened to every download: one canonical record
// per request for a file, whatever became of it, and the places such records
// go to (a log, the store, a summary at the end of a run).
//
// One wide record at the end of a request answers "who got what, from where,
// and why" with one query, where a trail of small log lines has to be put
// together again. Its keys are constants that dashboards and alerts rely on.
//
// Nearly every text in a record was chosen by somebody else: a client names
// the path, a repository's owner the repository, an upstream the error. So a
// logger of this package removes what looks like a credential or the query of
// a (possibly signed) URL, and escapes what would start a new line or drive a
// terminal.
package audit

import (
	"context"
	"time"

	"modelwall/scan"
)

// The values of Record.Decision.
const (
	DecisionAllow      = "allow"       // sent as it is
	DecisionWarn       = "warn"        // sent with a warning
	DecisionQuarantine = "quarantine"  // kept apart, not sent
	DecisionBlock      = "block"       // not sent
	DecisionWouldBlock = "would_block" // sent because nothing is enforced; otherwise stopped
	DecisionRefused    = "refused"     // not ours to judge: a route, host or request that is never served
	DecisionError      = "error"       // not sent because something failed
)

// The values of Record.Cache.
const (
	CacheHit  = "hit"  // verdict and content were known
	CacheMiss = "miss" // content came from the upstream
	CacheJoin = "join" // somebody else's download of the same content was shared
)

// Record is one request for one file and what became of it.
type Record struct {
	Time      time.Time // when the request ended; the zero time stands for now
	RequestID string    // the one the client was told
	Client    string    // address of the client, without a port if that says nothing
	Method    string
	Repo      string // "models/org/name", as the Hub spells it
	Revision  string
	Path      string // inside the repository, decoded
	SHA256    string // of the whole content, lower-case hex; "" if never known
	Size      int64  // of the whole content in bytes
	Verdict   scan.Verdict
	Decision  string // one of the Decision constants
	Cache     string // one of the Cache constants, "" if no content was involved
	// BytesFetched came from the upstream for this request, BytesSent went to
	// the client as body.
	BytesFetched int64
	BytesSent    int64
	// VerdictTime is how long this request waited for its verdict.
	VerdictTime time.Duration
	Status      int    // of the response, 0 if none was sent
	Error       string // class and cause, for the operator; the client sees less
}

// Sink takes records. It must not block for long, returns no error (a download
// is not undone because its record could not be kept: whoever implements Sink
// says so in his own way), and is safe for concurrent use. The context is the
// request's and may be cancelled already, because the client has left.
type Sink interface {
	Record(ctx context.Context, r Record)
}

// Multi returns a sink that passes each record to all sinks, in order. Nil
// sinks are left out.
func Multi(sinks ...Sink) Sink {
	kept := make(multi, 0, len(sinks))
	for _, s := range sinks {
		if s != nil {
			kept = append(kept, s)
		}
	}
	return kept
}

type multi []Sink

func (m multi) Record(ctx context.Context, r Record) {
	if r.Time.IsZero() {
		r.Time = time.Now() // the same one everywhere
	}
	for _, s := range m {
		s.Record(ctx, r)
	}
}
