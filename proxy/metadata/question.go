package metadata

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"modelwall/proxy/hub"
)

// question is what a request asks the Hub, and on whose behalf.
type question struct {
	caller string // a keyed hash of the credentials
	bucket string // what the Hub counts the request as
	repo   string // of a write, and of what is remembered
	key    string // "" if the answer is not remembered
	open   string // the key of the same question without credentials
	// denied says that only a refusal is remembered: anything else would be
	// content.
	denied bool
	write  bool
}

// ask reads a request to the Hub.
func (c *Cache) ask(r *http.Request) question {
	req := hub.Classify(r.Method, r.URL.Host, r.URL)
	q := question{bucket: bucket(req), repo: strings.ToLower(req.RepoID())}
	q.caller = c.hash("caller", r.Header["Authorization"], r.Header["Cookie"])
	plain := len(r.Header["Range"])+len(r.Header["If-None-Match"])+len(r.Header["If-Modified-Since"]) == 0
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !safe:
		q.write = r.Method != http.MethodOptions && !reads(req.Kind)
	case req.Ambiguous || !plain || q.repo == "":
	case req.Kind == hub.Info, req.Kind == hub.Tree, req.Kind == hub.Manifest,
		req.Kind == hub.API && strings.HasSuffix(r.URL.Path, "/refs"):
		c.name(&q, r)
	case req.Kind == hub.Resolve, req.Kind == hub.ResolveCache, req.Kind == hub.Raw, req.Kind == hub.Blob:
		q.denied = r.Method == http.MethodGet
		c.name(&q, r)
	}
	return q
}

// name gives a question the keys under which its answer is remembered.
func (c *Cache) name(q *question, r *http.Request) {
	what := []string{r.Method, r.URL.String()}
	q.key = c.hash("answer", what, r.Header["Accept"], []string{q.caller})
	q.open = c.hash("answer", what, r.Header["Accept"], []string{c.hash("caller", nil, nil)})
}

// hash is a name for parts that tells nothing about them; no two lists of
// parts have the same text.
func (c *Cache) hash(kind string, parts ...[]string) string {
	m := hmac.New(sha256.New, c.Key)
	fmt.Fprintf(m, "%s %q", kind, parts)
	return hex.EncodeToString(m.Sum(nil))
}

// reads are the kinds that ask by POST and change nothing.
func reads(k hub.Kind) bool {
	switch k {
	case hub.PathsInfo, hub.LFSBatch, hub.LFSLocks, hub.LFSVerify, hub.GitUploadPack, hub.Relay, hub.Page:
		return true
	default:
		return false
	}
}

// bucket is what the Hub counts a request as (its RateLimit header names them
// "api", "resolvers" and "pages").
func bucket(req hub.Request) string {
	switch {
	case req.Kind.IsFile():
		return "resolvers"
	case req.Kind == hub.Page:
		return "pages"
	}
	return "api"
}
