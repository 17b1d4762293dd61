package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The classes of failure. Test with errors.Is; the text of an error adds the
// numbers and the cause. None of them ever holds a URL, because a signed query
// is a secret.
var (
	// ErrMismatch: the content is not what was promised. Its size or hash
	// differs from the metadata, the upstream sent more or fewer bytes than it
	// announced, or it sent a Content-Encoding although identity was asked.
	ErrMismatch = errors.New("upstream content is not what was promised")
	// ErrChanged: the content became another one while it was being fetched.
	ErrChanged = errors.New("upstream content changed while it was fetched")
	// ErrTruncated: the body broke off, and the retries did not bring the rest.
	// The cause (a *StatusError, ErrStalled, a network error) is wrapped too.
	ErrTruncated = errors.New("upstream body broke off")
	// ErrStalled: nothing arrived for Options.StallTimeout.
	ErrStalled = errors.New("upstream sent nothing")
	// ErrUnreachable: the request brought no answer: DNS, connection, TLS.
	ErrUnreachable = errors.New("upstream can not be reached")
	// ErrProtocol: the answer breaks HTTP's rules for ranges.
	ErrProtocol = errors.New("upstream broke the protocol")
	// ErrTooLarge: a body of unknown length grew past Options.MaxSize.
	ErrTooLarge = errors.New("upstream body is larger than allowed")
	// ErrSpool: the local disk failed. The text names the folder.
	ErrSpool = errors.New("spool failed")
	// ErrClosed: the Object was closed.
	ErrClosed = errors.New("fetch: object is closed")
	// ErrUnverified: Detach came before the content was whole and verified.
	ErrUnverified = errors.New("fetch: object is not verified")
)

// errPanic: the Source, or this package, has a bug.
var errPanic = errors.New("fetch: panic")

// Internal causes; always wrapped in one of the classes above.
var (
	errEndedEarly = errors.New("body ended early")
	errNoRanges   = errors.New("upstream does not serve ranges")
	errNoParts    = errors.New("upstream does not serve several ranges at once")
)

// maxErrorBody is how much of an error answer a StatusError keeps, in bytes.
const maxErrorBody = 8 << 10

// StatusError is an answer that carries no content: anything but 200, or 206
// to a range.
type StatusError struct {
	Code   int
	Header http.Header // of the answer: Retry-After, X-Error-Code…
	Body   []byte      // its first 8 KiB, the upstream's own text: quote it before showing
}

func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("upstream answered %d %s", e.Code, http.StatusText(e.Code)))
}

// rateLimitReset finds the seconds until the window ends in the RateLimit
// header that the Hub sends with 429: `"api";r=0;t=243`.
var rateLimitReset = regexp.MustCompile(`;\s*t=(\d{1,9})(?:\s*[;,]|\s*$)`)

// RetryAfter returns how long the upstream asked to wait, and whether it asked
// at all: by Retry-After in seconds or as a date, or on a 429 by RateLimit.
func (e *StatusError) RetryAfter() (time.Duration, bool) {
	switch v := strings.TrimSpace(e.Header.Get("Retry-After")); {
	case v == "":
	case isDigits(v):
		// Anything that overflows is a wait that nobody sits out.
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			n = 1<<31 - 1
		}
		return time.Duration(n) * time.Second, true
	default:
		if t, err := http.ParseTime(v); err == nil {
			return max(0, time.Until(t)), true
		}
	}
	if e.Code == http.StatusTooManyRequests {
		if m := rateLimitReset.FindStringSubmatch(e.Header.Get("RateLimit")); m != nil {
			n, _ := strconv.Atoi(m[1]) // nine digits fit
			return time.Duration(n) * time.Second, true
		}
	}
	return 0, false
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// total returns the content's size as a 416 states it, or -1.
func (e *StatusError) total() int64 {
	if e.Code != http.StatusRequestedRangeNotSatisfiable {
		return -1
	}
	n, ok := strings.CutPrefix(e.Header.Get("Content-Range"), "bytes */")
	if !ok || !isDigits(n) {
		return -1
	}
	total, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return -1
	}
	return total
}

// Final marks err as one that no retry can cure: a Source, a RoundTripper, a
// dialer or a request builder wraps its refusals with it.
func Final(err error) error { return &finalError{err} }

type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// retryable reports whether a later attempt could end better than err.
func retryable(err error) bool {
	var (
		status *StatusError
		final  *finalError
		cert   *tls.CertificateVerificationError
	)
	if errors.As(err, &final) || errors.As(err, &cert) {
		return false
	}
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == http.StatusRequestTimeout ||
			status.Code == http.StatusTooManyRequests
	}
	for _, class := range []error{
		ErrMismatch, ErrChanged, ErrProtocol, ErrTooLarge, ErrSpool, ErrClosed, errNoRanges, errNoParts, context.Canceled,
	} {
		if errors.Is(err, class) {
			return false
		}
	}
	return true
}
