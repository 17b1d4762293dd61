package audit

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	redacted = "[redacted]"
	// maxText is how many bytes of one text reach a log; maxRaw is how many
	// are looked at for secrets before.
	maxText = 4 << 10
	maxRaw  = 4 * maxText
)

// A secretPattern is something that must not be kept, wherever it stands. The
// expressions are compiled once and never change; hint is a text without which
// one can not match, so that the usual text costs no expression at all.
type secretPattern struct {
	hint string
	re   *regexp.Regexp
	with string
}

var secrets = [...]secretPattern{
	// Tokens of the Hub: user and organisation, OAuth.
	{"hf_", regexp.MustCompile(`hf_(?:oauth|jwt)_[A-Za-z0-9._\-]{8,}`), "hf_" + redacted},
	{"hf_", regexp.MustCompile(`hf_[A-Za-z0-9]{8,}`), "hf_" + redacted},
	{"api_org_", regexp.MustCompile(`api_org_[A-Za-z0-9]{8,}`), "api_org_" + redacted},
	// JSON Web Tokens, which the Hub uses towards its storage.
	{"eyJ", regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?`), redacted},
	// The value of an Authorization header inside another text.
	{" ", regexp.MustCompile(`(?i)\b(bearer|basic) +[A-Za-z0-9._~+/=\-]{8,}`), "$1 " + redacted},
	// User and password of a URL, then its query: presigned URLs are
	// credentials, whatever the parameters are called.
	{"://", regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.\-]*://)[^/\s@?#"']+@`), "${1}" + redacted + "@"},
	{"://", regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.\-]*://[^\s?"'<>]*)\?[^\s"'<>]+`), "$1?" + redacted},
	// The query of a URL without scheme and host.
	{"?", regexp.MustCompile(`\?[^\s"'<>=&?]{1,100}=[^\s"'<>]*`), "?" + redacted},
	// A single parameter that got away from its URL.
	{"=", regexp.MustCompile(`(?i)\b(x-amz-(?:signature|credential|security-token)|signature|access_token|refresh_token|api_?key|password)=[^\s&"'<>]+`), "$1=" + redacted},
}

// Redact returns s without what looks like a credential: tokens of the Hub and
// JSON Web Tokens, Authorization values, and the user, password and query of
// URLs. It is a safety net under code that does not put credentials into texts
// in the first place, so it rather takes too much.
func Redact(s string) string {
	for i := range secrets {
		if p := &secrets[i]; strings.Contains(s, p.hint) {
			s = p.re.ReplaceAllString(s, p.with)
		}
	}
	return s
}

// secretKey reports whether a value under this key is a credential whatever
// it looks like.
func secretKey(key string) bool {
	k := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		case r == '-', r == '_', r == '.', r == ' ':
			return -1
		}
		return r
	}, key)
	for _, part := range [...]string{"authorization", "cookie", "password", "passwd", "secret", "credential", "apikey", "privatekey"} {
		if strings.Contains(k, part) {
			return true
		}
	}
	return strings.HasSuffix(k, "token") || strings.HasSuffix(k, "tokens")
}

// clean makes s fit for a log: redacted, bounded, one line.
func clean(s string) string { return escape(cut(Redact(cut(s, maxRaw)), maxText)) }

// cut shortens s to at most limit bytes, between characters, and marks it.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// escape replaces what is not printable by Go escapes: control characters,
// line and paragraph separators, directional overrides, bytes that are no
// UTF-8. The backslash stays as it is, for the sake of Windows paths: the
// result is for reading, not for decoding.
func escape(s string) string {
	clear := true
	for i := 0; i < len(s) && clear; i++ {
		clear = s[i] >= ' ' && s[i] < 0x7f
	}
	if clear {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + string("0123456789abcdef"[s[i]>>4]) + string("0123456789abcdef"[s[i]&15]))
		case r == utf8.RuneError, r < ' ' && r != '\n' && r != '\r' && r != '\t':
			// U+FFFD is printable, but some writers take it for an error. The
			// escape character is spelled \u001b and never \x1b, which the
			// text handler would turn back.
			b.WriteString(`\u` + hex4(r))
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

func hex4(r rune) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", 4-len(s)) + s
}
