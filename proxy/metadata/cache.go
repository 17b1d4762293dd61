package metadata

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/store"
)

// Options configure a Cache.
type Options struct {
	// Transport reaches the Hub and other hosts; requests to the others pass.
	Transport http.RoundTripper
	// TTL is how long an answer is good; 0 asks the Hub every time, but not
	// twice at once.
	TTL func() time.Duration
	// Key makes the names of callers; whoever has it can tell whether a token
	// was here. 32 random bytes, the same ones as long as Records last.
	Key []byte
	// Mode says when Records answer; default Online.
	Mode func() Mode
	// Records, if not nil, keep what the Hub answered.
	Records Records
	Logger  *slog.Logger
}

const (
	// maxAnswers and maxBytes bound what is remembered.
	maxAnswers = 20_000
	maxBytes   = 64 << 20
	// maxPause is the longest wait that a 429 is believed.
	maxPause = 10 * time.Minute
	// maxPauses bounds the callers that have to wait.
	maxPauses = 10_000
)

// Cache is a RoundTripper that remembers answers. It is safe for concurrent
// use.
type Cache struct {
	Options

	mu      sync.Mutex
	answers *simplelru.LRU[string, *answer]
	bytes   int64
	flights map[string]*flight
	pauses  *simplelru.LRU[string, pause]
	writes  int // how often something was forgotten

	recorded *simplelru.LRU[string, time.Time] // when an answer was recorded
	waiting  []store.Answer                    // to be recorded
	writer   *time.Timer                       // runs flush
	writing  sync.WaitGroup                    // flush, from when it is due
}

// flight is a question that is under way.
type flight struct {
	done   chan struct{} // closed when the fields below are set
	answer *answer       // nil if it is not to be shared
	err    error
}

// pause is a 429.
type pause struct {
	until  time.Time
	answer *answer
}

// New returns a cache that remembers nothing yet. Close it.
func New(o Options) *Cache {
	if o.Mode == nil {
		o.Mode = func() Mode { return Online }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cache{Options: o, flights: map[string]*flight{}}
	var err, err2, err3 error
	c.answers, err = simplelru.NewLRU(maxAnswers, func(_ string, a *answer) { c.bytes -= a.size() })
	c.pauses, err2 = simplelru.NewLRU[string, pause](maxPauses, nil)
	c.recorded, err3 = simplelru.NewLRU[string, time.Time](maxAnswers, nil)
	if err := errors.Join(err, err2, err3); err != nil { // only for a size below one
		panic(err)
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *Cache) RoundTrip(r *http.Request) (*http.Response, error) {
	mode := c.Mode()
	if hub.RoleOf(r.URL.Host) != hub.RoleHub {
		if mode == Offline {
			return nil, offline()
		}
		return c.Transport.RoundTrip(r)
	}
	q := c.ask(r)
	if mode == Offline {
		if resp, ok := c.recall(r, q); ok {
			return resp, nil
		}
		return nil, offline()
	}
	if a := c.paused(q); a != nil {
		return a.response(r), nil
	}
	if q.key == "" {
		return c.pass(r, q)
	}
	if r.Header.Get("Cache-Control") == "no-cache" {
		return c.lead(r, q, &flight{done: make(chan struct{})})
	}
	for {
		c.mu.Lock()
		if a, ok := c.answers.Get(q.key); ok && time.Since(a.at) < c.TTL() {
			c.mu.Unlock()
			return a.response(r), nil
		}
		f, ok := c.flights[q.key]
		if !ok {
			f = &flight{done: make(chan struct{})}
			c.flights[q.key] = f
			c.mu.Unlock()
			return c.lead(r, q, f)
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		switch {
		case f.answer != nil:
			return f.answer.response(r), nil
		case f.err == nil:
			return c.pass(r, q) // each needs an answer of its own
		case !left(f.err):
			return nil, f.err
		}
		// Whoever asked has left before the answer came: ask again.
	}
}

// lead asks the Hub, on behalf of all who wait for f.
func (c *Cache) lead(r *http.Request, q question, f *flight) (resp *http.Response, err error) {
	defer func() {
		if err != nil && r.Context().Err() != nil {
			err = &leftError{err}
		}
		c.mu.Lock()
		if f.err = err; c.flights[q.key] == f {
			delete(c.flights, q.key)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	c.mu.Lock()
	writes := c.writes
	c.mu.Unlock()
	resp, err = c.pass(r, q)
	if err != nil || q.denied && !refusal(resp.StatusCode) {
		return resp, err
	}
	a, err := read(resp, time.Now())
	if err != nil {
		return nil, err
	}
	if a == nil {
		return resp, nil
	}
	a.repo, f.answer = q.repo, a
	if a.header.Get("X-Modelwall-Offline") == "" {
		c.remember(q, a, writes)
		c.record(q, a)
	}
	return a.response(r), nil
}

// pass sends a request on.
func (c *Cache) pass(r *http.Request, q question) (*http.Response, error) {
	resp, err := c.Transport.RoundTrip(r)
	if kept, ok := c.instead(r, q, resp, err); ok {
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return c.throttled(resp, q)
	}
	if q.write && resp.StatusCode < 400 {
		c.Forget(q.repo)
	}
	return resp, nil
}

// leftError says that the one who asked did not wait for the answer.
type leftError struct{ error }

func (e *leftError) Unwrap() error { return e.error }

func left(err error) bool {
	var e *leftError
	return errors.As(err, &e)
}

// refusal reports whether a status says that there is no such thing for this
// caller.
func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// lasting reports whether an answer with this status is remembered.
func lasting(status int) bool {
	switch status {
	case http.StatusOK, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return refusal(status)
}

// remember keeps an answer, unless something was written since it was asked
// for.
func (c *Cache) remember(q question, a *answer, writes int) {
	if !lasting(a.status) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes != writes {
		return
	}
	c.answers.Remove(q.key) // counts it out
	c.answers.Add(q.key, a)
	for c.bytes += a.size(); c.bytes > maxBytes; {
		c.answers.RemoveOldest()
	}
}

// Forget drops what is remembered about a repository, given as in an audit
// record.
func (c *Cache) Forget(repo string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	for _, key := range c.answers.Keys() {
		if a, ok := c.answers.Peek(key); ok && a.repo == repo {
			c.answers.Remove(key)
		}
	}
}

// throttled notes a 429.
func (c *Cache) throttled(resp *http.Response, q question) (*http.Response, error) {
	wait, ok := (&fetch.StatusError{Code: resp.StatusCode, Header: resp.Header}).RetryAfter()
	if !ok || wait <= 0 {
		return resp, nil
	}
	a, err := read(resp, time.Now())
	if err != nil {
		return nil, err
	}
	if a == nil {
		return resp, nil
	}
	c.mu.Lock()
	c.pauses.Add(q.caller+q.bucket, pause{time.Now().Add(min(wait, maxPause)), a})
	c.mu.Unlock()
	return a.response(resp.Request), nil
}

// paused returns the answer for a caller that has to wait, or nil.
func (c *Cache) paused(q question) *answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pauses.Get(q.caller + q.bucket)
	if !ok {
		return nil
	}
	wait := time.Until(p.until)
	if wait <= 0 {
		c.pauses.Remove(q.caller + q.bucket)
		return nil
	}
	a := *p.answer
	a.header = a.header.Clone()
	a.header.Del("RateLimit")
	a.header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	return &a
}
