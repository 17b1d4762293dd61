package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"modelwall/proxy/fetch"
)

// File is one file of a repository, as the Hub describes it.
type File struct {
	Path string
	Size int64 // of the content
	// SHA256 is the hash of the content in lower-case hex, which the Hub knows
	// of large files; "" else.
	SHA256 string
}

// Listing is the files of one commit.
type Listing struct {
	Ref    Ref    // what was asked for, the revision replaced by the commit
	Commit string // 40 hex digits
	Files  []File // all, or those at and below Ref.Path
}

// Bounds of a listing.
const (
	maxPage  = 64 << 20  // bytes of JSON
	maxFiles = 1_000_000 // of one repository
)

var (
	errListing  = errors.New("the Hub's listing can't be understood")
	errTooMany  = fmt.Errorf("the repository has more than %d files", maxFiles)
	errNotThere = errors.New("there is no such file or folder")
)

// List lists the files of a repository, or those at and below ref.Path. Its
// errors are a *DeniedError or of the classes of package fetch.
func (h *Hub) List(ctx context.Context, ref Ref) (Listing, error) {
	var info struct {
		SHA string `json:"sha"`
	}
	api := "/api/" + string(ref.Type) + "/" + escape(ref.Name)
	if _, err := h.json(ctx, api+"/revision/"+url.PathEscape(ref.revision()), &info); err != nil {
		return Listing{}, denied(ref, h, err)
	}
	if !isCommit(info.SHA) {
		return Listing{}, fmt.Errorf("%w: the commit is %.80q", errListing, info.SHA)
	}
	l := Listing{Ref: ref, Commit: info.SHA}
	l.Ref.Revision = info.SHA
	query := "recursive=true&expand=false"
	for query != "" {
		var page []entry
		next, err := h.json(ctx, api+"/tree/"+info.SHA+"?"+query, &page)
		if err != nil {
			return Listing{}, denied(ref, h, err)
		}
		if err := l.add(page); err != nil {
			return Listing{}, err
		}
		if next == query || next != "" && len(page) == 0 {
			return Listing{}, fmt.Errorf("%w: its pages do not end", errListing)
		}
		query = next
	}
	if ref.Path != "" && len(l.Files) == 0 {
		return Listing{}, &DeniedError{Ref: ref, cause: errNotThere, text: errNotThere.Error()}
	}
	return l, nil
}

// entry is one of a tree.
type entry struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size int64  `json:"size"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

// add takes the files of a page that were asked for.
func (l *Listing) add(page []entry) error {
	for _, e := range page {
		if e.Type != "file" {
			continue
		}
		if !plain(e.Path) || e.Path == "" {
			return fmt.Errorf("%w: %.200q", errPath, e.Path)
		}
		under := l.Ref.Path == "" || e.Path == l.Ref.Path || strings.HasPrefix(e.Path, l.Ref.Path+"/")
		if !under {
			continue
		}
		f := File{Path: e.Path, Size: e.Size}
		if e.LFS != nil {
			f.Size = e.LFS.Size
			if isHash(e.LFS.OID, 64) {
				f.SHA256 = e.LFS.OID
			}
		}
		if f.Size < 0 {
			return fmt.Errorf("%w: %.200q has %d bytes", errListing, e.Path, f.Size)
		}
		if len(l.Files) == maxFiles {
			return errTooMany
		}
		l.Files = append(l.Files, f)
	}
	return nil
}

func isCommit(s string) bool { return isHash(s, 40) || isHash(s, 64) }

func isHash(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

// json asks the API and decodes the answer into v. It returns the query of the
// next page, "" if there is none.
func (h *Hub) json(ctx context.Context, path string, v any) (next string, err error) {
	opt := h.opt.Patience
	opt.Size = -1
	body, resp, err := fetch.Get(ctx, h.source(h.url(path)), opt)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxPage+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxPage {
		return "", fmt.Errorf("%w: a page has more than %d bytes", errListing, maxPage)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return "", fmt.Errorf("%w: %w", errListing, err)
	}
	return nextPage(resp.Header.Values("Link"))
}

// nextPage returns the query of the address that a Link header (RFC 8288)
// calls the next one. Where else that leads does not matter: a mirror passes
// on what the Hub wrote. A header that can't be read is an error, because a
// listing must not end early.
func nextPage(links []string) (string, error) {
	for _, value := range links {
		for strings.TrimSpace(value) != "" {
			_, rest, ok := strings.Cut(value, "<")
			target, params, ok2 := strings.Cut(rest, ">")
			if !ok || !ok2 {
				return "", fmt.Errorf("%w: the Link header", errListing)
			}
			params, value, _ = strings.Cut(params, ",")
			if !isNext(params) {
				continue
			}
			u, err := url.Parse(target)
			if err != nil || u.RawQuery == "" {
				return "", fmt.Errorf("%w: the address of the next page", errListing)
			}
			return u.RawQuery, nil
		}
	}
	return "", nil
}

// isNext reports whether a link's parameters say that it is the next page.
func isNext(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, rel, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") && slices.Contains(strings.Fields(strings.ToLower(strings.Trim(strings.TrimSpace(rel), `"`))), "next") {
			return true
		}
	}
	return false
}

// Open returns a file of a listing for reads that end with ctx. Its errors can
// be read by Explain.
func (h *Hub) Open(ctx context.Context, l Listing, f File) (*fetch.Ranged, error) {
	opt := h.opt.Patience
	opt.Size = f.Size
	u := h.url("/" + l.Ref.Type.prefix() + escape(l.Ref.Name) + "/resolve/" + l.Commit + "/" + escape(f.Path))
	return fetch.NewRanged(ctx, h.source(u), opt)
}
