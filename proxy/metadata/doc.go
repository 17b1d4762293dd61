// Package metadata remembers, for a short time, what the Hub answered about
// files, so that many clients behind one address do not ask it the same thing
// again and again, and are not throttled for it.
//
// A Cache is a RoundTripper in front of the one that reaches the Hub:
//
//	client ---> relay ---+
//	                     +---> Cache ---> upstream
//	client ---> gate  ---+       |
//	             (HEAD)       records: what was answered, for when there is
//	                          no Hub (see Options.Offline)
//
// # What is remembered
//
// Answers to GET and HEAD about a repository, its tree, its refs and its
// manifests, and to HEAD for a file; also that there is no such thing or that
// the caller may not see it. Never a file's content, a search, a page, or an
// answer that is an error of the Hub's. The same question that is under way
// already is not asked a second time.
//
// An answer belongs to whoever asked: the key has the caller's credentials in
// it, as a keyed hash (HMAC-SHA-256, RFC 2104). So the Hub decides about each
// token by itself, and a right that it takes away is gone when the answer is
// too old. A write to a repository through this proxy forgets all about it.
// "Cache-Control: no-cache" in a request asks the Hub in any case (RFC 9111,
// section 5.2.1.4).
//
// # Too many requests
//
// A 429 that says how long to wait holds for all requests of the same token
// and of the same kind (the Hub counts files, the API and pages by
// themselves): until then they get that answer at once, with what is left of
// the time, and the Hub is left alone.
package metadata
