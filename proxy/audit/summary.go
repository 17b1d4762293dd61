package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
)

// maxFiles bounds how many distinct files a Summary tells apart. Beyond it
// each request counts as a file of its own.
const maxFiles = 100_000

// Totals is what a Summary counted. A file is one path in one revision of one
// repository: clients ask for the same one many times, in ranges and retries.
type Totals struct {
	Requests    int // records, of every kind
	Checked     int // files that were judged, whatever the decision
	Allowed     int // files sent, without or with a warning
	Warned      int // of these, with a warning
	Quarantined int
	Blocked     int
	WouldBlock  int // files sent although they would be stopped if rules were enforced
	Failed      int // files not sent because of a refusal or an error
	BytesSent   int64
	// Stopped holds the first record of each file that was blocked,
	// quarantined or would have been, up to the summary's limit, in the order
	// of arrival. More is how many there was no room for.
	Stopped []Record
	More    int
}

// Summary is a sink that counts, for the lines at the end of a run.
type Summary struct {
	limit int

	mu     sync.Mutex
	seen   map[[sha256.Size]byte]bool
	totals Totals
}

// NewSummary returns a summary that keeps up to limit records of stopped
// files.
func NewSummary(limit int) *Summary {
	return &Summary{limit: max(0, limit), seen: map[[sha256.Size]byte]bool{}}
}

// Record implements Sink.
func (s *Summary) Record(_ context.Context, r Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.totals
	t.Requests++
	t.BytesSent += r.BytesSent
	if !s.first("decision "+r.Decision, r) {
		return
	}
	stopped, judged := false, true
	switch r.Decision {
	case DecisionAllow:
		t.Allowed++
	case DecisionWarn:
		t.Allowed++
		t.Warned++
	case DecisionQuarantine:
		t.Quarantined++
		stopped = true
	case DecisionBlock:
		t.Blocked++
		stopped = true
	case DecisionWouldBlock:
		t.WouldBlock++
		stopped = true
	default:
		t.Failed++
		judged = false
	}
	if judged && s.first("checked", r) {
		t.Checked++
	}
	switch {
	case !stopped:
	case len(t.Stopped) < s.limit:
		t.Stopped = append(t.Stopped, r)
	default:
		t.More++
	}
}

// first reports whether it is asked about this file and aspect for the first
// time.
func (s *Summary) first(aspect string, r Record) bool {
	key := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", aspect, r.Repo, r.Revision, r.Path))
	if s.seen[key] {
		return false
	}
	if len(s.seen) < 2*maxFiles {
		s.seen[key] = true
	}
	return true
}

// Totals returns what was counted so far.
func (s *Summary) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.totals
	t.Stopped = append([]Record(nil), t.Stopped...)
	return t
}
