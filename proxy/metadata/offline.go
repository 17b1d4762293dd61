package metadata

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
)

// ErrOffline means that the Hub is not asked, and that there is no record of what it
// would answer to this caller.
var ErrOffline = errors.New("offline")

// Mode says when the records answer.
type Mode uint8

// The modes.
const (
	Online  Mode = iota // never
	Auto                // when the Hub can not be reached, or has itself no answer (502, 503, 504)
	Offline             // always; the Hub and its content hosts are not asked
)

// Records keep answers beyond the life of the process.
type Records interface {
	Answer(ctx context.Context, key string) (store.Answer, bool, error)
	PutAnswers(ctx context.Context, answers []store.Answer) error
}

const (
	// MaxAge is the oldest record that is believed.
	MaxAge = 30 * 24 * time.Hour
	// recordEvery is how often the same answer is recorded again.
	recordEvery = 10 * time.Minute
	// maxWaiting bounds what waits to be recorded, and recordAfter how long it
	// waits for company: a transaction costs the same for one and for many.
	maxWaiting  = 1024
	recordAfter = 300 * time.Millisecond
)

// record notes an answer for when there is no Hub. It does not wait: what
// comes too fast is left out, and noted the next time.
func (c *Cache) record(q question, a *answer) {
	if c.Records == nil || a.status >= 400 || !lasting(a.status) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.recorded.Get(q.key); ok && a.at.Sub(at) < recordEvery || len(c.waiting) >= maxWaiting {
		return
	}
	c.recorded.Add(q.key, a.at)
	h := a.header.Clone()
	if v := h.Get("Location"); v != "" {
		h.Set("Location", unsigned(v))
	}
	c.waiting = append(c.waiting, store.Answer{
		Key: q.key, Repo: q.repo, Status: a.status, Header: h, Body: a.body, Length: a.length, At: a.at,
	})
	if len(c.waiting) == 1 {
		c.writer = time.AfterFunc(recordAfter, c.flush)
		c.writing.Add(1)
	}
}

// unsigned is the URL of content without its signature, which is a right that
// ends before anybody could use it.
func unsigned(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	if u.Host != "" && hub.RoleOf(u.Host) != hub.RoleHub {
		u.RawQuery = ""
	}
	return u.String()
}

// flush records what waits.
func (c *Cache) flush() {
	defer c.writing.Done()
	c.mu.Lock()
	batch := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if err := c.Records.PutAnswers(context.Background(), batch); err != nil {
		c.Logger.Warn("answers of the Hub are not recorded", "error", err)
	}
}

// Close records what waits.
func (c *Cache) Close() {
	c.mu.Lock()
	early := c.writer != nil && c.writer.Stop()
	c.mu.Unlock()
	if early {
		c.flush()
	}
	c.writing.Wait()
}

// recall answers from the records: what this caller was told, or anybody
// without a token.
func (c *Cache) recall(r *http.Request, q question) (*http.Response, bool) {
	if c.Records == nil || q.key == "" || q.denied {
		return nil, false
	}
	for _, key := range slices.Compact([]string{q.key, q.open}) {
		kept, ok, err := c.Records.Answer(r.Context(), key)
		if err != nil {
			c.Logger.Warn("no record of an answer of the Hub", "error", err)
		}
		if ok && err == nil && time.Since(kept.At) < MaxAge {
			a := answer{status: kept.Status, header: kept.Header, body: kept.Body, length: kept.Length, at: kept.At}
			a.header.Set("X-Modelwall-Offline", "answered by the Hub at "+kept.At.UTC().Format(time.RFC3339))
			return a.response(r), true
		}
	}
	return nil, false
}

// instead looks for a record in place of an answer that the Hub could not
// give.
func (c *Cache) instead(r *http.Request, q question, resp *http.Response, err error) (*http.Response, bool) {
	switch {
	case c.Mode() != Auto || r.Context().Err() != nil || errors.Is(err, upstream.ErrForbidden):
		return nil, false
	case err == nil && resp.StatusCode != http.StatusBadGateway &&
		resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusGatewayTimeout:
		return nil, false
	}
	kept, ok := c.recall(r, q)
	if ok {
		if resp != nil {
			resp.Body.Close()
		}
		c.Logger.LogAttrs(r.Context(), slog.LevelWarn, "the Hub can not be asked, its last answer is used",
			slog.String("repo", q.repo), slog.Any("error", err))
	}
	return kept, ok
}

// offline is the error of a request that only the Hub could answer.
func offline() error { return fetch.Final(ErrOffline) }

// Content is rt unless the mode is Offline: for the bytes of files.
func (c *Cache) Content(rt http.RoundTripper) http.RoundTripper { return content{c, rt} }

type content struct {
	c  *Cache
	rt http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t content) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.c.Mode() == Offline {
		return nil, offline()
	}
	return t.rt.RoundTrip(r)
}
