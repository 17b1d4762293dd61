package hub

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxMessage bounds what is put in X-Error-Message, in bytes. Clients repeat it
// in exceptions and on terminals, and some servers refuse long headers.
const maxMessage = 1000

// BlockHeader sets the headers from which the Hub's clients take the reason of
// a refusal: X-Error-Code and X-Error-Message. Both are made one line of
// printable ASCII of bounded length, whatever they are made of.
//
// Send them with status 403 on GET. The clients misreport a HEAD that fails
// (as a network problem), and the codes EntryNotFound, RepoNotFound,
// RevisionNotFound and GatedRepo make them drop the message.
func BlockHeader(h http.Header, code, message string) {
	if code = strings.ReplaceAll(OneLine(code, 64), " ", "-"); code != "" {
		h.Set("X-Error-Code", code)
	}
	h.Set("X-Error-Message", OneLine(message, maxMessage))
}

// OneLine renders s as at most limit bytes of printable ASCII: white space and
// control characters become single spaces, other characters are escaped as
// \u00e9 or \U0001f917, bytes that are not UTF-8 as \xff. What does not fit is
// cut off and "..." put in its place.
func OneLine(s string, limit int) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	space, whole := false, 0 // whole: how much can stay if "..." has to follow
	write := func(part string) bool {
		if b.Len()+len(part) > limit {
			return false
		}
		b.WriteString(part)
		if b.Len() <= limit-len("...") {
			whole = b.Len()
		}
		return true
	}
	escape := func(prefix byte, v uint32, digits int) string {
		e := []byte{'\\', prefix}
		for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
			e = append(e, hex[v>>shift&0xf])
		}
		return string(e)
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		part := ""
		switch {
		case r == utf8.RuneError && n == 1:
			part = escape('x', uint32(s[i]), 2)
		case r <= ' ' || r == 0x7f:
			space = b.Len() > 0
		case r < 0x7f:
			part = s[i : i+1]
		case r <= 0xffff:
			part = escape('u', uint32(r), 4)
		default:
			part = escape('U', uint32(r), 8)
		}
		i += n
		if part == "" {
			continue
		}
		if space {
			part, space = " "+part, false
		}
		if !write(part) {
			return b.String()[:whole] + "..."[:max(0, min(len("..."), limit-whole))]
		}
	}
	return b.String()
}
