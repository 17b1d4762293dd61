package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"modelwall/proxy/gate"
	"modelwall/proxy/hub"
	"modelwall/proxy/xet"
)

// XetMode is what becomes of Xet.
type XetMode uint8

// The modes.
const (
	// XetStrip takes its signals out of every answer, and refuses clients that
	// use it all the same.
	XetStrip XetMode = iota
	// XetFacade strips likewise, but for files that clients fetch in no other
	// way, and is itself the Xet storage of clients that ask for one.
	XetFacade
	// XetDeny leaves the signals and refuses clients that follow them.
	XetDeny
)

// XetAbove is the size up to which huggingface_hub downloads a file over plain
// HTTP, in bytes (MAX_HTTP_DOWNLOAD_SIZE).
const XetAbove = 50_000_000_000

const (
	// xetTokenLife is how long a token of ours is good. A client that has none
	// any more asks the Hub for another, by way of us.
	xetTokenLife = 15 * time.Minute
	// xetLinkLife is how long a link to a file's blocks is good, and with it
	// the Hub's word that this caller may have the file.
	xetLinkLife = 15 * time.Minute
	// xetJudge is how long a reconstruction waits for the file's verdict. Its
	// clients wait for minutes.
	xetJudge = 2 * time.Minute

	maxXetTokens = 10_000
	maxXetLinks  = 10_000
	maxXetPlaces = 100_000
)

// Xet is a façade of the Hub's chunk storage: to a client that speaks Xet alone
// it gives inspected files in that protocol (package xet). How a client comes
// to a file:
//
//	token           /api/…/xet-read-token/{revision}: the Hub is asked with the
//	  |             caller's token. If it agrees, the caller gets a token of ours,
//	  |             which stands for that caller, repository and revision.
//	reconstruction  what file the Xet hash names is looked up in the listing of
//	  |             that revision, and the Hub asked for it in the name of the
//	  |             caller. The verdict comes before the answer, so a refusal
//	  |             has its reason.
//	blocks          by links that stand for that permission, through the gate.
//
// Nothing is ever fetched from the Hub's own Xet storage, and the token that the
// Hub gives for it is thrown away.
type Xet struct {
	Mode XetMode
	// Above is the size in bytes above which files are offered over Xet by a
	// façade; XetAbove unless a test says otherwise.
	Above int64

	now    func() time.Time
	tokens *tickets[*xetCaller]
	links  *tickets[*xetLink]
	recent *lru.Cache[xetAsked, recentLink]
	places *lru.Cache[xetPlace, string] // paths
}

// xetCaller is somebody whom the Hub lets read a revision of a repository.
type xetCaller struct {
	header  http.Header // the credentials, and the client's name
	host    string      // that they were sent to
	repo    hub.Request // type, name and revision
	expires time.Time

	listing sync.Mutex // held while the listing is read
	listed  bool
}

// xetLink is a file that somebody may have.
type xetLink struct {
	file *gate.File
	xet  xet.File
}

// xetAsked is a file that the holder of a token asked for.
type xetAsked struct{ token, hash string }

// recentLink is the link that was given out for it.
type recentLink struct {
	name    string
	expires time.Time
}

// xetPlace is a Xet hash in a revision of a repository. What one caller was
// told about a repository helps others who may read the same.
type xetPlace struct{ repo, revision, hash string }

// NewXet returns a façade, or what is left of one in another mode.
func NewXet(mode XetMode) *Xet { return newXet(mode, time.Now) }

func newXet(mode XetMode, now func() time.Time) *Xet {
	recent, err := lru.New[xetAsked, recentLink](maxXetLinks)
	if err != nil { // only for a number below one
		panic(err)
	}
	places, err := lru.New[xetPlace, string](maxXetPlaces)
	if err != nil {
		panic(err)
	}
	return &Xet{
		Mode: mode, Above: XetAbove, now: now,
		tokens: newTickets[*xetCaller](xetTokenLife, maxXetTokens, now),
		links:  newTickets[*xetLink](xetLinkLife, maxXetLinks, now),
		recent: recent, places: places,
	}
}

// mode is that of a façade that may be nil.
func (x *Xet) mode() XetMode {
	if x == nil {
		return XetStrip
	}
	return x.Mode
}

// strips is the size up to which descriptions of files lose Xet's signals.
func (x *Xet) strips() int64 {
	switch x.mode() {
	case XetFacade:
		return x.Above
	case XetDeny:
		return -1
	}
	return 1<<63 - 1
}

// offers reports whether a client is told that it can have a file over Xet.
func (x *Xet) offers(f *gate.File) bool {
	return f.Size() > x.strips() && f.Commit() != "" && f.Request().Repo != "" && xet.ValidHash(f.XetHash())
}

// Describe adds the signals of Xet to the description of a file, if it is one
// to be offered.
func (x *Xet) Describe(h http.Header, r *http.Request, f *gate.File) {
	if !x.offers(f) {
		return
	}
	x.learn(f.Request(), f.Commit(), f.XetHash(), f.Request().Path)
	hub.SetXet(h, f.XetHash(),
		address(r, hub.XetTokenURL(f.Request(), f.Commit())),
		address(r, "https://"+hub.XetCASHost+"/v1/reconstructions/"+f.XetHash()))
}

// address is a URL as r's client has to spell it.
func address(r *http.Request, u string) string {
	if m, ok := mirrorOf(r); ok {
		return m.URL(u)
	}
	return u
}

// xetInfo answers a client that would rather be told about Xet than be given the
// file, as the Hub does, and reports whether that was the thing to do.
func (f *Front) xetInfo(w http.ResponseWriter, r *http.Request, req hub.Request) bool {
	if f.Xet.mode() == XetStrip || req.Kind != hub.Resolve || r.Method != http.MethodGet || !hub.AcceptsXetInfo(r.Header) {
		return false
	}
	file, err := f.Gate.Find(r, req)
	if err != nil || !f.Xet.offers(file) {
		return false // the file's own answer says what there is to say
	}
	for k, v := range file.Header() {
		w.Header()[k] = v
	}
	f.Xet.Describe(w.Header(), r, file)
	hub.SetXetInfo(w.Header())
	w.Header().Del("Accept-Ranges")
	body, err := json.Marshal(map[string]any{"hash": file.XetHash(), "size": file.Size(), "etag": file.Header().Get("Etag")})
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	w.Write(body)
	return true
}

// learn remembers where a file is.
func (x *Xet) learn(repo hub.Request, revision, hash, path string) {
	x.places.Add(placeOf(repo, revision, hash), path)
}

func placeOf(repo hub.Request, revision, hash string) xetPlace {
	return xetPlace{strings.ToLower(repo.RepoID()), revision, strings.ToLower(hash)}
}

// listed is an entry of a listing.
type listed struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	XetHash string `json:"xetHash"`
}

// learnList remembers the files of a listing, if body is one.
func (x *Xet) learnList(repo hub.Request, body []byte) {
	var entries []listed
	if json.Unmarshal(body, &entries) != nil {
		return
	}
	for _, e := range entries {
		if e.Path != "" && xet.ValidHash(e.XetHash) {
			x.learn(repo, repo.Revision, e.XetHash, e.Path)
		}
	}
}

// token makes of the Hub's answer to a request for a Xet token one with a token
// of ours.
func (x *Xet) token(req hub.Request, resp *http.Response) error {
	body, err := readAnswer(resp)
	if err != nil {
		return err
	}
	var given struct {
		AccessToken string `json:"accessToken"`
		Exp         int64  `json:"exp"`
	}
	if err := json.Unmarshal(body, &given); err != nil || given.AccessToken == "" {
		return fmt.Errorf("%w: no Xet token in it", errAnswer)
	}
	r := resp.Request
	caller := &xetCaller{header: http.Header{}, host: r.URL.Host, repo: req}
	for _, k := range [...]string{"Authorization", "Cookie", "User-Agent"} {
		if v := r.Header.Values(k); len(v) > 0 {
			caller.header[k] = v
		}
	}
	until := x.now().Add(xetTokenLife)
	if given.Exp > 0 {
		until = time.Unix(given.Exp, 0)
	}
	caller.expires = until
	name, expires := x.tokens.issue(caller, until)
	cas := strings.TrimSuffix(address(r, "https://"+hub.XetCASHost+"/"), "/")
	answer, err := json.Marshal(map[string]any{"accessToken": name, "exp": expires.Unix(), "casUrl": cas})
	if err != nil { // strings and numbers always encode
		return err
	}
	resp.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp.Header.Set("Cache-Control", "no-store")
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("ETag")
	resp.Header.Set("X-Xet-Access-Token", name)
	resp.Header.Set("X-Xet-Token-Expiration", strconv.FormatInt(expires.Unix(), 10))
	resp.Header.Set("X-Xet-Cas-Url", cas)
	setBody(resp, answer)
	return nil
}

// request is one to the Hub in the caller's name.
func (c *xetCaller) request(ctx context.Context, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header = c.header.Clone()
	if !strings.EqualFold(r.URL.Host, c.host) {
		u := *r.URL
		u.Host = c.host // the credentials were meant for this name of the Hub
		r.URL, r.Host = &u, u.Host
	}
	return r, nil
}

// serveXet answers a request to the Hub's Xet hosts.
func (f *Front) serveXet(w http.ResponseWriter, r *http.Request, req hub.Request) {
	var err error
	if req.Kind == hub.XetCAS {
		err = f.reconstruct(w, r)
	} else {
		err = f.block(w, r)
	}
	if err != nil {
		f.Gate.Refuse(w, r, req, err)
	}
}

// block answers a request for a block of a file.
func (f *Front) block(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	link, ok := f.Xet.links.redeem(query.Get("modelwall"))
	if !ok {
		return errXetLink
	}
	n, err := strconv.ParseInt(query.Get("block"), 10, 64)
	block, ok := link.xet.Block(n)
	if err != nil || !ok || r.URL.Path != "/xorbs/default/"+block.Hash() {
		return errXetLink
	}
	f.Gate.ServeView(w, r, link.file, block.Xorb)
	return nil
}

// blockURL is the address of a block for the holder of a link.
func blockURL(r *http.Request, link string) func(xet.Block) string {
	return func(b xet.Block) string {
		query := url.Values{"modelwall": {link}, "block": {strconv.FormatInt(b.Number, 10)}}
		return address(r, "https://"+hub.XetTransferHost+"/xorbs/default/"+b.Hash()+"?"+query.Encode())
	}
}
