package hubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Content is fetched with links that carry their own right: a signature over
// host, path and expiry, made with the hub's key. Two dialects exist, that of
// CloudFront and the presigned URLs of S3; S3 refuses a request that comes
// with an Authorization header as well.

const amzTime = "20060102T150405Z"

// mac signs parts; no two lists of parts give the same text.
func (h *Hub) mac(parts ...string) string {
	m := hmac.New(sha256.New, h.key)
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(m.Sum(nil))
}

func (h *Hub) validMAC(given string, parts ...string) bool {
	return hmac.Equal([]byte(given), []byte(h.mac(parts...)))
}

// signedURL is a link to f on the CDN host of r.
func (h *Hub) signedURL(r *repo, f *file, expired bool) string {
	repoHash := sha256.Sum256([]byte(repoKey(r.Type, r.ID)))
	id := hex.EncodeToString(repoHash[:])
	location := "/xet-bridge-us/" + id[:24] + "/" + f.XetHash
	if strings.HasPrefix(r.CDN, "cdn-lfs") {
		location = "/repos/" + id[:2] + "/" + id[2:4] + "/" + id + "/" + f.SHA256
	}
	q := url.Values{"response-content-disposition": {
		disposition(f.Path),
	}}
	from := time.Now()
	if expired {
		from = from.Add(-h.opts.LinkTTL - time.Hour)
	}
	if r.CDN == s3Host {
		h.presign(q, r.CDN, location, from)
	} else {
		h.signCloudFront(q, r.CDN, location, from.Add(h.opts.LinkTTL))
	}
	return "https://" + r.CDN + location + "?" + q.Encode()
}

func (h *Hub) presign(q url.Values, host, location string, from time.Time) {
	date, seconds := from.UTC().Format(amzTime), strconv.Itoa(int(h.opts.LinkTTL/time.Second))
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	q.Set("X-Amz-Credential", "hubtest/"+date[:8]+"/us-east-1/s3/aws4_request")
	q.Set("X-Amz-Date", date)
	q.Set("X-Amz-Expires", seconds)
	q.Set("X-Amz-SignedHeaders", "host")
	q.Set("x-id", "GetObject")
	q.Set("X-Amz-Signature", h.mac("s3", host, location, date, seconds))
}

func (h *Hub) signCloudFront(q url.Values, host, location string, until time.Time) {
	expires := strconv.FormatInt(until.Unix(), 10)
	policy := fmt.Sprintf(`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":%s}},"Resource":"https://%s%s*"}]}`, expires, host, location)
	q.Set("Expires", expires)
	q.Set("Policy", base64.RawURLEncoding.EncodeToString([]byte(policy)))
	q.Set("Key-Pair-Id", "HUBTEST")
	q.Set("Signature", h.mac("cloudfront", host, location, expires))
}

// checkLink tells whether a link is signed by this hub, and has expired.
func (h *Hub) checkLink(host, location string, q url.Values) (signed, expired bool) {
	if q.Has("X-Amz-Signature") {
		date, seconds := q.Get("X-Amz-Date"), q.Get("X-Amz-Expires")
		if !h.validMAC(q.Get("X-Amz-Signature"), "s3", host, location, date, seconds) {
			return false, false
		}
		from, errDate := time.Parse(amzTime, date)
		ttl, errTTL := strconv.Atoi(seconds)
		return true, errDate != nil || errTTL != nil || time.Now().After(from.Add(time.Duration(ttl)*time.Second))
	}
	expires := q.Get("Expires")
	if !h.validMAC(q.Get("Signature"), "cloudfront", host, location, expires) {
		return false, false
	}
	until, err := strconv.ParseInt(expires, 10, 64)
	return true, err != nil || time.Now().After(time.Unix(until, 0))
}
