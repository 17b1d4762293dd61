package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"modelwall/proxy/fetch"
	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
	"modelwall/proxy/xet"
)

// maxPages bounds the listing in which a Xet hash is looked up. A page has
// 1 000 entries.
const maxPages = 200

// reconstruct answers GET /v1|v2/reconstructions/{hash}.
func (f *Front) reconstruct(w http.ResponseWriter, r *http.Request) error {
	version, hash, ok := reconstruction(r)
	if !ok {
		return errXet
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	caller, ok := f.Xet.tokens.redeem(token)
	if !ok {
		return errXetToken
	}
	name, link, err := f.link(r, token, caller, hash)
	if errors.Is(err, errXetUnknown) {
		return err
	}
	req := caller.repo
	if err == nil {
		req = link.file.Request()
		err = f.Gate.Judge(r.Context(), link.file, r.RemoteAddr, xetJudge)
	}
	if err != nil {
		f.Gate.Failed(w, r, req, err)
		return nil
	}
	first, last, ok := xet.ParseRange(r.Header.Get("Range"), link.xet.Size)
	if !ok {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", link.xet.Size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return nil
	}
	body, err := json.Marshal(link.xet.Reconstruct(version, first, last, blockURL(r, name)))
	if err != nil { // strings and numbers always encode
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	w.Write(body)
	return nil
}

// reconstruction reads the address of a reconstruction. What else there is on
// a CAS server is for uploads.
func reconstruction(r *http.Request) (version int, hash string, ok bool) {
	for version = 1; version <= 2; version++ {
		hash, ok = strings.CutPrefix(r.URL.Path, fmt.Sprintf("/v%d/reconstructions/", version))
		if ok {
			return version, strings.ToLower(hash), r.Method == http.MethodGet && xet.ValidHash(hash)
		}
	}
	return 0, "", false
}

// link returns a link to the file with a Xet hash, a recent one if there is
// one: clients ask for a large file's reconstruction in many parts.
func (f *Front) link(r *http.Request, token string, caller *xetCaller, hash string) (string, *xetLink, error) {
	asked := xetAsked{token, hash}
	if recent, ok := f.Xet.recent.Get(asked); ok && f.Xet.now().Before(recent.expires) {
		if link, ok := f.Xet.links.redeem(recent.name); ok {
			return recent.name, link, nil
		}
	}
	path, err := f.place(r.Context(), caller, hash)
	if err != nil {
		return "", nil, err
	}
	file, err := f.find(r.Context(), caller, path)
	if err != nil {
		return "", nil, err
	}
	if file.Size() < 0 || !strings.EqualFold(file.XetHash(), hash) {
		// A branch that has moved on since the listing.
		f.Xet.places.Remove(placeOf(caller.repo, caller.repo.Revision, hash))
		return "", nil, fmt.Errorf("%w in %s", errXetUnknown, caller.repo.RepoID())
	}
	link := &xetLink{file: file, xet: xet.File{Hash: hash, Size: file.Size()}}
	now := f.Xet.now()
	name, expires := f.Xet.links.issue(link, now.Add(xetLinkLife))
	// A client that comes late in its life is given a new one.
	f.Xet.recent.Add(asked, recentLink{name, now.Add(expires.Sub(now) / 2)})
	return name, link, nil
}

// find asks the Hub for a file in the caller's name.
func (f *Front) find(ctx context.Context, caller *xetCaller, path string) (*gate.File, error) {
	r, err := caller.request(ctx, hub.ResolveURL(caller.repo, caller.repo.Revision, path))
	if err != nil {
		return nil, err
	}
	req := hub.Classify(r.Method, r.URL.Host, r.URL)
	if err := refuse(r.Method, req); err != nil {
		return nil, err
	}
	return f.Gate.Find(r, req)
}

// place returns the path of the file with a Xet hash in what the caller may
// read. The error is of class errXetUnknown if there is none.
func (f *Front) place(ctx context.Context, caller *xetCaller, hash string) (string, error) {
	at := placeOf(caller.repo, caller.repo.Revision, hash)
	if path, ok := f.Xet.places.Get(at); ok {
		return path, nil
	}
	caller.listing.Lock()
	defer caller.listing.Unlock()
	if path, ok := f.Xet.places.Get(at); ok {
		return path, nil
	}
	path := ""
	if !caller.listed {
		var err error
		if path, err = f.list(ctx, caller, hash); err != nil {
			return "", err
		}
		caller.listed = f.Xet.places.Len() < maxXetPlaces // nothing was dropped
	}
	if path == "" {
		return "", fmt.Errorf("%w in %s", errXetUnknown, caller.repo.RepoID())
	}
	return path, nil
}

// list reads the listing of what the caller may read, to the end, and returns
// the path of the file with a Xet hash, or "".
func (f *Front) list(ctx context.Context, caller *xetCaller, hash string) (path string, err error) {
	next := hub.TreeURL(caller.repo, caller.repo.Revision)
	for range maxPages {
		r, err := caller.request(ctx, next)
		if err != nil {
			return "", err
		}
		identity(r)
		resp, body, err := f.send(r) //nolint:bodyclose // send reads and closes it
		if err != nil {
			return "", err
		}
		if resp.StatusCode >= http.StatusBadRequest {
			return "", &gate.Denied{StatusError: &fetch.StatusError{Code: resp.StatusCode, Header: resp.Header, Body: body}}
		}
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%w: status %d for the list of files", errAnswer, resp.StatusCode)
		}
		var entries []listed
		if err := json.Unmarshal(body, &entries); err != nil {
			return "", badAnswer(err)
		}
		for _, e := range entries {
			if !xet.ValidHash(e.XetHash) || e.Path == "" {
				continue
			}
			f.Xet.learn(caller.repo, caller.repo.Revision, e.XetHash, e.Path)
			if strings.EqualFold(e.XetHash, hash) {
				path = e.Path
			}
		}
		u := hub.NextPage(resp.Header)
		if u == nil {
			return path, nil
		}
		next = u.String()
	}
	return path, nil
}
