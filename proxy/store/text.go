package store

import (
	"strings"
	"time"
	"unicode/utf8"

	"modelwall/proxy/audit"
)

// maxText is how many bytes of a path, a name or an error are stored.
const maxText = 1 << 10

// bound makes a text fit for a record: valid UTF-8 of at most maxText bytes.
// A text that was longer ends in "…".
func bound(s string) string { return cut(strings.ToValidUTF8(s, "\uFFFD"), maxText) }

// discreet is bound for texts that may quote a credential.
func discreet(s string) string { return bound(audit.Redact(cut(s, 8*maxText))) }

// cut shortens s to at most limit bytes, the mark included, between
// characters.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// Times are kept in microseconds, in UTC when they come back.
func micros(t time.Time) int64     { return t.UnixMicro() }
func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }
