package metadata_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"modelwall/proxy/metadata"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	info = "https://huggingface.co/api/models/acme/m/revision/main"
	file = "https://huggingface.co/acme/m/resolve/main/a.bin"
)

// theHub answers with a count of its requests.
type theHub struct {
	mu     sync.Mutex
	asked  []string
	answer func(r *http.Request, n int) *http.Response
}

func (h *theHub) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.asked = append(h.asked, r.Method+" "+r.URL.Path)
	n := len(h.asked)
	h.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var resp *http.Response
	if h.answer != nil {
		resp = h.answer(r, n)
	}
	if resp == nil {
		resp = reply(200, fmt.Sprint(n))
	}
	resp.Request = r
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp, nil
}

func (h *theHub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.asked)
}

func reply(status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Header: http.Header{}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Add(header[i], header[i+1])
	}
	return resp
}

func newCache(h *theHub, ttl time.Duration) *metadata.Cache {
	return metadata.New(metadata.Options{
		Transport: h, TTL: func() time.Duration { return ttl }, Key: bytes.Repeat([]byte{1}, 32),
	})
}

func request(t testing.TB, method, url string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func do(t testing.TB, c *metadata.Cache, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestWhatIsRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		method, url string
		header      []string
		status      int
		again       bool // the Hub is asked again
	}{
		"a repository":              {method: "GET", url: info, status: 200},
		"its HEAD":                  {method: "HEAD", url: info, status: 200},
		"a tree":                    {method: "GET", url: "https://huggingface.co/api/models/acme/m/tree/main?recursive=true", status: 200},
		"refs":                      {method: "GET", url: "https://huggingface.co/api/models/acme/m/refs", status: 200},
		"a manifest":                {method: "GET", url: "https://hf.co/v2/acme/m/manifests/latest", status: 200},
		"a file's HEAD":             {method: "HEAD", url: file, status: 302},
		"no such file":              {method: "HEAD", url: file, status: 404},
		"no such file, GET":         {method: "GET", url: file, status: 404},
		"sign in first":             {method: "GET", url: info, status: 401},
		"no access":                 {method: "GET", url: info, status: 403},
		"a file's content":          {method: "GET", url: file, status: 200, again: true},
		"a file's redirect, GET":    {method: "GET", url: file, status: 302, again: true},
		"an error of the Hub":       {method: "GET", url: info, status: 503, again: true},
		"too many, without a time":  {method: "GET", url: info, status: 429, again: true},
		"who am I":                  {method: "GET", url: "https://huggingface.co/api/whoami-v2", status: 200, again: true},
		"may I":                     {method: "GET", url: "https://huggingface.co/api/models/acme/m/auth-check", status: 200, again: true},
		"a search":                  {method: "GET", url: "https://huggingface.co/api/models?search=x", status: 200, again: true},
		"a page":                    {method: "GET", url: "https://huggingface.co/acme/m", status: 200, again: true},
		"paths asked for by POST":   {method: "POST", url: "https://huggingface.co/api/models/acme/m/paths-info/main", status: 200, again: true},
		"a content host":            {method: "HEAD", url: "https://cdn-lfs.huggingface.co/x", status: 200, again: true},
		"a range":                   {method: "HEAD", url: file, header: []string{"Range", "bytes=0-1"}, status: 200, again: true},
		"a precondition":            {method: "GET", url: info, header: []string{"If-None-Match", `"x"`}, status: 200, again: true},
		"asked not to":              {method: "GET", url: info, header: []string{"Cache-Control", "no-cache"}, status: 200, again: true},
		"a path with two meanings":  {method: "HEAD", url: "https://huggingface.co/acme/m/resolve/main/../a", status: 200, again: true},
		"more than is remembered":   {method: "GET", url: info + "?big", status: 200, again: true},
		"as much as is remembered":  {method: "GET", url: info + "?large", status: 200},
		"with somebody's own token": {method: "GET", url: info, header: []string{"Authorization", "Bearer t"}, status: 200},
	} {
		h := &theHub{answer: func(r *http.Request, n int) *http.Response {
			body := strconv.Itoa(n)
			switch r.URL.RawQuery {
			case "big":
				body += strings.Repeat("x", 2<<20)
			case "large":
				body += strings.Repeat("x", 2<<20-1)
			}
			return reply(tc.status, body, "X-Repo-Commit", "c", "Set-Cookie", "s")
		}}
		c := newCache(h, time.Minute)
		first, one := do(t, c, request(t, tc.method, tc.url, tc.header...))
		second, two := do(t, c, request(t, tc.method, tc.url, tc.header...))
		if again := h.count() == 2; again != tc.again {
			t.Errorf("%s: asked again: %v", name, again)
		}
		if first.StatusCode != tc.status || second.StatusCode != tc.status || second.Header.Get("X-Repo-Commit") != "c" ||
			first.ContentLength != second.ContentLength || len(one) != len(two) || !tc.again && one != two {
			t.Errorf("%s: %d %d bytes, then %d %d bytes, header %v", name, first.StatusCode, len(one), second.StatusCode, len(two), second.Header)
		}
		if !tc.again && second.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a cookie for somebody else", name)
		}
	}
}

func TestCallersAreApart(t *testing.T) {
	h := &theHub{}
	c := newCache(h, time.Minute)
	seen := map[string]bool{}
	for _, header := range [][]string{
		nil,
		{"Authorization", "Bearer a"},
		{"Authorization", "Bearer b"},
		{"Cookie", "Bearer a"},
		{"Authorization", "Bearer a", "Authorization", "Bearer b"},
		{"Authorization", `Bearer a" "Bearer b`},
		{"Accept", "x"},
	} {
		_, body := do(t, c, request(t, "GET", info, header...))
		if seen[body] {
			t.Errorf("%q got the answer to another", header)
		}
		seen[body] = true
		if _, again := do(t, c, request(t, "GET", info, header...)); again != body {
			t.Errorf("%q: %s, then %s", header, body, again)
		}
	}
}

func TestAnswersGetOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &theHub{}
		c := newCache(h, time.Minute)
		do(t, c, request(t, "GET", info))
		time.Sleep(59 * time.Second)
		if _, body := do(t, c, request(t, "GET", info)); body != "1" {
			t.Errorf("before its time: %s", body)
		}
		time.Sleep(2 * time.Second)
		if _, body := do(t, c, request(t, "GET", info)); body != "2" {
			t.Errorf("after its time: %s", body)
		}
		off := newCache(h, 0)
		do(t, off, request(t, "GET", info))
		if do(t, off, request(t, "GET", info)); h.count() != 4 {
			t.Errorf("%d requests, switched off", h.count())
		}
	})
}

func TestWritesForget(t *testing.T) {
	h := &theHub{}
	c := newCache(h, time.Minute)
	other := strings.Replace(info, "acme/m", "acme/n", 1)
	for _, tc := range []struct {
		method, url string
		forgets     bool
	}{
		{"POST", "https://huggingface.co/api/models/Acme/M/commit/main", true},
		{"DELETE", "https://huggingface.co/api/models/acme/m/tag/v1", true},
		{"PUT", "https://huggingface.co/api/models/acme/m/settings", true},
		{"POST", "https://huggingface.co/acme/m.git/git-receive-pack", true},
		{"POST", "https://huggingface.co/acme/m.git/git-upload-pack", false},
		{"POST", "https://huggingface.co/acme/m.git/info/lfs/objects/batch", false},
		{"POST", "https://huggingface.co/api/models/acme/m/paths-info/main", false},
		{"POST", "https://huggingface.co/api/datasets/acme/m/commit/main", false},
		{"OPTIONS", info, false},
	} {
		_, before := do(t, c, request(t, "GET", info))
		_, untouched := do(t, c, request(t, "GET", other))
		do(t, c, request(t, tc.method, tc.url))
		_, after := do(t, c, request(t, "GET", info))
		if (before != after) != tc.forgets {
			t.Errorf("%s %s: %s, then %s", tc.method, tc.url, before, after)
		}
		if _, still := do(t, c, request(t, "GET", other)); still != untouched {
			t.Errorf("%s %s: another repository is forgotten", tc.method, tc.url)
		}
	}
}

// What was asked for before a write is not remembered after it.
func TestWriteDuringAQuestion(t *testing.T) {
	var c *metadata.Cache
	h := &theHub{}
	h.answer = func(_ *http.Request, n int) *http.Response {
		if n == 1 {
			c.Forget("acme/m")
		}
		return nil
	}
	c = newCache(h, time.Minute)
	do(t, c, request(t, "GET", info))
	if _, body := do(t, c, request(t, "GET", info)); body != "2" {
		t.Errorf("answer %s, from before the write", body)
	}
}

func TestOneQuestionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		h := &theHub{answer: func(*http.Request, int) *http.Response { <-hold; return nil }}
		c := newCache(h, time.Minute)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, body := do(t, c, request(t, "HEAD", file)); body != "" {
					t.Errorf("HEAD has body %q", body)
				}
			})
		}
		synctest.Wait()
		close(hold)
		wg.Wait()
		if h.count() != 1 {
			t.Errorf("%d requests", h.count())
		}
	})
}

// The one who asks leaves: the others still get an answer. The Hub fails: all
// get that.
func TestQuestionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		hold := make(chan error)
		c := metadata.New(metadata.Options{
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				select {
				case err := <-hold:
					resp := reply(200, "x")
					resp.Request = r
					return resp, err
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}),
			TTL: func() time.Duration { return time.Minute }, Key: []byte("k"),
		})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := c.RoundTrip(request(t, "GET", info).WithContext(ctx))
			first <- err
		}()
		synctest.Wait()
		others := make(chan error)
		for range 2 {
			go func() {
				resp, err := c.RoundTrip(request(t, "GET", info))
				if err == nil {
					resp.Body.Close()
				}
				others <- err
			}()
		}
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the one who left: %v", err)
		}
		synctest.Wait()
		hold <- broken
		for range 2 {
			if err := <-others; !errors.Is(err, broken) {
				t.Errorf("the others: %v", err)
			}
		}
		go func() { hold <- nil }()
		if _, body := do(t, c, request(t, "GET", info)); body != "x" {
			t.Errorf("afterwards: %s", body)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &theHub{answer: func(r *http.Request, n int) *http.Response {
			if n == 1 {
				return reply(429, "slow down", "RateLimit", `"api";r=0;t=60`)
			}
			return nil
		}}
		c := newCache(h, time.Minute)
		refs := "https://huggingface.co/api/models/acme/other/refs"
		if resp, body := do(t, c, request(t, "GET", info)); resp.StatusCode != 429 || body != "slow down" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		time.Sleep(30500 * time.Millisecond)
		for _, r := range []*http.Request{request(t, "GET", refs), request(t, "POST", "https://huggingface.co/api/models/acme/m/paths-info/main")} {
			resp, body := do(t, c, r)
			if resp.StatusCode != 429 || body != "slow down" || resp.Header.Get("Retry-After") != "30" || resp.Header.Get("RateLimit") != "" {
				t.Errorf("%s: %d %s %v", r.URL, resp.StatusCode, body, resp.Header)
			}
		}
		if h.count() != 1 {
			t.Errorf("%d requests reached the Hub", h.count())
		}
		for name, r := range map[string]*http.Request{
			"files":   request(t, "HEAD", file),
			"another": request(t, "GET", info, "Authorization", "Bearer t"),
			"content": request(t, "GET", "https://cdn-lfs.huggingface.co/x"),
		} {
			if resp, _ := do(t, c, r); resp.StatusCode != 200 {
				t.Errorf("%s: %d", name, resp.StatusCode)
			}
		}
		time.Sleep(30 * time.Second)
		if resp, _ := do(t, c, request(t, "GET", refs)); resp.StatusCode != 200 {
			t.Errorf("afterwards: %d", resp.StatusCode)
		}
	})
}

// However much is asked, no more than 64 MiB are remembered.
func TestMemoryIsBounded(t *testing.T) {
	h := &theHub{answer: func(*http.Request, int) *http.Response { return reply(200, strings.Repeat("x", 1<<20)) }}
	c := newCache(h, time.Hour)
	for i := range 100 {
		do(t, c, request(t, "GET", info+"?"+strconv.Itoa(i)))
	}
	n := 0
	for i := 99; i >= 0; i-- {
		before := h.count()
		if do(t, c, request(t, "GET", info+"?"+strconv.Itoa(i))); h.count() == before {
			n++
		}
	}
	if n < 50 || n > 64 {
		t.Errorf("%d answers of 1 MiB are remembered", n)
	}
}
