package hub

import (
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// XetRefusal is the text for a person whose client insists on Xet: one line of
// printable ASCII.
const XetRefusal = "Modelwall does not let Xet transfers through, because they can not be inspected. " +
	"Set HF_HUB_DISABLE_XET=1 and try again. If the client still uses Xet, it read a file list that was " +
	"cached before: delete ~/.cache/huggingface/hub/*/trees"

// xetInfoType is what a client accepts to be told about Xet in place of being
// redirected to the file.
const xetInfoType = "application/vnd.xet-fileinfo+json"

// AcceptsXetInfo reports whether a request offers to be told about Xet in place
// of being given the file.
func AcceptsXetInfo(h http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(h.Values("Accept"), ",")), xetInfoType)
}

// XetCASHost and XetTransferHost are the hosts that clients are sent to when
// Xet is answered by ourselves.
const (
	XetCASHost      = "cas-server.xethub.hf.co"
	XetTransferHost = "transfer.xethub.hf.co"
)

// SetXet puts the signals of a file into the headers of an answer about it, as
// the Hub does: its Xet hash, where a token can be had, and where the file's
// reconstruction is.
func SetXet(h http.Header, hash, token, reconstruction string) {
	h.Set("X-Xet-Hash", hash)
	h.Set("Link", "<"+token+`>; rel="xet-auth", <`+reconstruction+`>; rel="xet-reconstruction-info"`)
}

// SetXetInfo makes an answer with the headers of SetXet one that describes a
// file for Xet.
func SetXetInfo(h http.Header) { h.Set("Content-Type", xetInfoType) }

// XetTokenURL is where the Hub gives out tokens to read a repository by Xet.
func XetTokenURL(r Request, revision string) string {
	return "https://" + Origin + "/api/" + r.RepoType + "s/" + escapePath(r.Repo) + "/xet-read-token/" + url.PathEscape(revision)
}

// TreeURL lists all files of a revision, in pages.
func TreeURL(r Request, revision string) string {
	return "https://" + Origin + "/api/" + r.RepoType + "s/" + escapePath(r.Repo) + "/tree/" + url.PathEscape(revision) +
		"?recursive=true&expand=false"
}

// ResolveURL is where clients download a file.
func ResolveURL(r Request, revision, path string) string {
	return "https://" + Origin + "/" + escapePath(Request{RepoType: r.RepoType, Repo: r.Repo}.RepoID()) +
		"/resolve/" + url.PathEscape(revision) + "/" + escapePath(path)
}

// NextPage returns the address of the next page of a listing, as its Link
// header says, or nil. It is an address of the Hub.
func NextPage(h http.Header) *url.URL {
	for _, value := range h.Values("Link") {
		for item := range splitList(value) {
			target, params, ok := strings.Cut(item, ">")
			if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(strings.ReplaceAll(params, `"`, ""), "rel=next") {
				continue
			}
			u, err := url.Parse(target[1:])
			if err == nil && u.Scheme == "https" && u.User == nil && u.Host == Origin {
				return u
			}
		}
	}
	return nil
}

// CleanRequest takes the offer to speak Xet out of a request's headers: the
// media type application/vnd.xet-fileinfo+json in Accept, to which the Hub
// answers with a description of the file for Xet and not with the file.
func CleanRequest(h http.Header) {
	for key, values := range h {
		if textproto.CanonicalMIMEHeaderKey(key) != "Accept" {
			continue
		}
		var kept []string
		changed := false
		for _, value := range values {
			for item := range splitList(value) {
				if strings.Contains(strings.ToLower(item), "xet-fileinfo") {
					changed = true
				} else {
					kept = append(kept, item)
				}
			}
		}
		if !changed {
			continue
		}
		if len(kept) == 0 {
			kept = []string{"*/*"}
		}
		h[key] = []string{strings.Join(kept, ", ")}
	}
}

// CleanResponse takes the signals to use Xet out of a response's headers: every
// X-Xet-… header and the xet-auth and xet-reconstruction-info entries of Link.
// Other links, such as the next page of a list, stay as they are.
func CleanResponse(h http.Header) {
	for key, values := range h {
		switch canonical := textproto.CanonicalMIMEHeaderKey(key); {
		case strings.HasPrefix(canonical, "X-Xet-"):
			delete(h, key)
		case canonical == "Link":
			if kept := cleanLinks(values); len(kept) == 0 {
				delete(h, key)
			} else {
				h[key] = kept
			}
		}
	}
}

// cleanLinks returns the Link header values without the entries of Xet.
func cleanLinks(values []string) []string {
	var out []string
	for _, value := range values {
		var kept []string
		changed := false
		for item := range splitList(value) {
			// The target comes from the repository's name; only the
			// parameters after it say what the link is.
			_, params, _ := strings.Cut(item, ">")
			if strings.Contains(strings.ToLower(params), "xet-") {
				changed = true
			} else {
				kept = append(kept, item)
			}
		}
		switch {
		case !changed:
			out = append(out, value)
		case len(kept) > 0:
			out = append(out, strings.Join(kept, ", "))
		}
	}
	return out
}

// IsXetInfo reports whether a response describes a file for Xet in place of
// being the file, although CleanRequest removed the offer. Refuse it.
func IsXetInfo(h http.Header) bool {
	for _, v := range h.Values("Content-Type") {
		if t, _, _ := mime.ParseMediaType(v); t == xetInfoType || strings.Contains(strings.ToLower(v), "xet-fileinfo") {
			return true
		}
	}
	return false
}

// splitList yields the items of a comma-separated header value, trimmed, empty
// ones left out. Commas inside "…" and <…> do not separate.
func splitList(value string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, angled := false, false
		start := 0
		emit := func(end int) bool {
			item := strings.TrimSpace(value[start:end])
			start = end + 1
			return item == "" || yield(item)
		}
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case quoted && c == '\\':
				i++
			case c == '"' && !angled:
				quoted = !quoted
			case quoted:
			case c == '<':
				angled = true
			case c == '>':
				angled = false
			case c == ',' && !angled:
				if !emit(i) {
					return
				}
			}
		}
		if start < len(value) {
			emit(len(value))
		}
	}
}
