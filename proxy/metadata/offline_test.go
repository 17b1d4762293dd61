package metadata_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"modelwall/proxy/fetch"
	"modelwall/proxy/metadata"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
)

// records are kept by the test.
type records struct {
	mu   sync.Mutex
	kept map[string]store.Answer
	err  error
}

func (r *records) Answer(_ context.Context, key string) (store.Answer, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.kept[key]
	a.Header = a.Header.Clone()
	return a, ok, r.err
}

func (r *records) PutAnswers(_ context.Context, list []store.Answer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.kept[a.Key] = a
	}
	return r.err
}

func withRecords(h http.RoundTripper, r *records, mode *metadata.Mode) *metadata.Cache {
	return metadata.New(metadata.Options{
		Transport: h, TTL: func() time.Duration { return 0 }, Key: []byte("key"),
		Mode: func() metadata.Mode { return *mode }, Records: r,
	})
}

func TestOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const signed = "https://cdn-lfs.huggingface.co/x?Signature=s"
		moved := file + "on"
		h := &theHub{answer: func(r *http.Request, _ int) *http.Response {
			if strings.Contains(r.URL.Path, "private") && r.Header.Get("Authorization") == "" {
				return reply(401, "who?")
			}
			if r.URL.String() == moved {
				return reply(302, "moved", "Location", "/api/resolve-cache/x?etag=e")
			}
			return reply(302, "moved", "Location", signed, "X-Linked-Etag", `"e"`)
		}}
		r, mode := &records{kept: map[string]store.Answer{}}, metadata.Online
		c := withRecords(h, r, &mode)
		ask := func(url string, header ...string) string {
			t.Helper()
			resp, err := c.RoundTrip(request(t, "HEAD", url, header...))
			if err != nil {
				if !errors.Is(err, metadata.ErrOffline) {
					t.Error(err)
				}
				return "offline"
			}
			resp.Body.Close()
			return resp.Status + resp.Header.Get("X-Linked-Etag") + " " + resp.Header.Get("Location")
		}
		private := strings.Replace(file, "acme/m", "acme/private", 1)
		alice, bob := []string{"Authorization", "Bearer alice"}, []string{"Authorization", "Bearer bob"}
		ask(file)
		ask(private)
		ask(private, alice...)
		ask(moved)
		time.Sleep(time.Second) // for the records
		mode = metadata.Offline
		before := h.count()
		const found = `Found"e" https://cdn-lfs.huggingface.co/x` // the signature is not kept
		for name, tc := range map[string]struct {
			url    string
			header []string
			want   string
		}{
			"who asked":                {file, nil, found},
			"inside the Hub":           {moved, nil, `Found /api/resolve-cache/x?etag=e`},
			"with a token":             {file, alice, found},
			"private, by its owner":    {private, alice, found},
			"private, by another":      {private, bob, "offline"},
			"private, by nobody":       {private, nil, "offline"},
			"what was never asked for": {file + "2", nil, "offline"},
			"a content host":           {signed, nil, "offline"},
		} {
			if got := ask(tc.url, tc.header...); got != tc.want {
				t.Errorf("%s: %q, want %q", name, got, tc.want)
			}
		}
		if _, err := c.Content(h).RoundTrip(request(t, "GET", signed)); !errors.Is(err, metadata.ErrOffline) {
			t.Errorf("content: %v", err)
		}
		for _, method := range []string{"GET", "POST", "PUT"} { // content, writes
			if _, err := c.RoundTrip(request(t, method, file)); !errors.Is(err, metadata.ErrOffline) {
				t.Errorf("%s: %v", method, err)
			}
		}
		if h.count() != before {
			t.Error("the Hub was asked")
		}
		time.Sleep(metadata.MaxAge)
		if got := ask(file); got != "offline" {
			t.Errorf("after its time: %q", got)
		}
		mode = metadata.Online
		if resp, err := c.Content(h).RoundTrip(request(t, "GET", signed)); err != nil || resp.StatusCode != 302 {
			t.Errorf("content, online again: %v", err)
		}
		c.Close()
	})
}

func TestOfflineWhenUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		status := 200
		h := &theHub{answer: func(*http.Request, int) *http.Response { return reply(status, "body") }}
		r, mode := &records{kept: map[string]store.Answer{}}, metadata.Auto
		c := withRecords(roundTrip(func(r *http.Request) (*http.Response, error) {
			if failure != nil {
				return nil, failure
			}
			return h.RoundTrip(r)
		}), r, &mode)
		if resp, _ := do(t, c, request(t, "GET", info)); resp.Header.Get("X-Modelwall-Offline") != "" {
			t.Error("an answer of the Hub is said to be none")
		}
		c.Close() // does not wait
		for name, tc := range map[string]struct {
			mode    metadata.Mode
			err     error
			status  int
			instead bool
		}{
			"no network":            {metadata.Auto, fetch.ErrUnreachable, 0, true},
			"bad gateway":           {metadata.Auto, nil, 502, true},
			"unavailable":           {metadata.Auto, nil, 503, true},
			"gateway time-out":      {metadata.Auto, nil, 504, true},
			"gone":                  {metadata.Auto, nil, 404, false},
			"no access any more":    {metadata.Auto, nil, 401, false},
			"a bug of the Hub":      {metadata.Auto, nil, 500, false},
			"an address of no host": {metadata.Auto, upstream.ErrForbidden, 0, false},
			"not asked for":         {metadata.Online, fetch.ErrUnreachable, 0, false},
			"not for a 503 either":  {metadata.Online, nil, 503, false},
		} {
			mode, failure, status = tc.mode, tc.err, tc.status
			resp, err := c.RoundTrip(request(t, "GET", info))
			if tc.instead {
				if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Modelwall-Offline") == "" {
					t.Errorf("%s: %v, %v", name, resp, err)
				}
			} else if !errors.Is(err, tc.err) || err == nil && resp.StatusCode != tc.status {
				t.Errorf("%s: %v, %v", name, resp, err)
			}
			if err == nil {
				resp.Body.Close()
			}
		}
		// An answer from the records does not become a new record.
		mode, failure, status = metadata.Auto, fetch.ErrUnreachable, 0
		var at time.Time
		for _, a := range r.kept {
			at = a.At
		}
		time.Sleep(time.Hour)
		do(t, c, request(t, "GET", info))
		c.Close()
		for _, a := range r.kept {
			if !a.At.Equal(at) {
				t.Error("the record looks new")
			}
		}
		// Records that can not be read are as good as none.
		r.err = errors.New("disk")
		if _, err := c.RoundTrip(request(t, "GET", info)); !errors.Is(err, fetch.ErrUnreachable) {
			t.Error(err)
		}
	})
}
