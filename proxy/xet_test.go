package proxy_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"modelwall/proxy"
	"modelwall/proxy/hubtest"
	"modelwall/proxy/policy"
	"modelwall/proxy/xet"
)

// xetClient downloads over Xet as hf_xet does.
type xetClient struct {
	*stack
	client  *http.Client
	at      string // the endpoint
	hubAuth string
	version int
}

type xetToken struct {
	AccessToken, CasURL string
	Exp                 int64
}

func (c xetClient) auth() []string {
	if c.hubAuth == "" {
		return nil
	}
	return []string{"Authorization", "Bearer " + c.hubAuth}
}

// token asks for a token, which has to be given.
func (c xetClient) token(repo, rev string) (token xetToken) {
	c.t.Helper()
	r := c.do(c.client, http.MethodGet, c.at+"/api/models/"+repo+"/xet-read-token/"+rev, c.auth()...)
	if err := json.Unmarshal(r.body, &token); r.StatusCode != http.StatusOK || err != nil || token.AccessToken == "" {
		c.t.Fatalf("token: %d %s, %v", r.StatusCode, r.body, err)
	}
	if strings.HasPrefix(token.AccessToken, "xet.") || r.Header.Get("X-Xet-Access-Token") != token.AccessToken || r.Header.Get("X-Xet-Cas-Url") != token.CasURL {
		c.t.Errorf("token: %v, %+v", r.Header, token)
	}
	return token
}

func (c xetClient) reconstruction(token xetToken, hash, spec string) reply {
	c.t.Helper()
	header := []string{"Authorization", "Bearer " + token.AccessToken}
	if spec != "" {
		header = append(header, "Range", spec)
	}
	return c.do(c.client, http.MethodGet, fmt.Sprintf("%s/v%d/reconstructions/%s", token.CasURL, c.version, hash), header...)
}

// fetched are the replies with the blocks of a reconstruction, in order.
func (c xetClient) blocks(r reply) (list []reply, offset int64) {
	c.t.Helper()
	var info xet.Reconstruction
	if err := json.Unmarshal(r.body, &info); r.StatusCode != http.StatusOK || err != nil {
		c.t.Fatalf("reconstruction: %d %s, %v", r.StatusCode, r.body, err)
	}
	for _, term := range info.Terms {
		var at xet.Span
		var address string
		if c.version == 1 {
			at, address = info.FetchInfo[term.Hash][0].Bytes, info.FetchInfo[term.Hash][0].URL
		} else {
			at, address = info.Xorbs[term.Hash][0].Ranges[0].Bytes, info.Xorbs[term.Hash][0].URL
		}
		list = append(list, c.do(c.client, http.MethodGet, address, "Range", fmt.Sprintf("bytes=%d-%d", at.Start, at.End)))
	}
	return list, info.Offset
}

// download fetches a range of the file, or all of it for "".
func (c xetClient) download(token xetToken, hash, spec string) []byte {
	c.t.Helper()
	var content []byte
	blocks, offset := c.blocks(c.reconstruction(token, hash, spec))
	for _, b := range blocks {
		if b.StatusCode != http.StatusPartialContent || b.err != nil {
			c.t.Fatalf("block: %d %v %.300s", b.StatusCode, b.err, b.body)
		}
		for rest := b.body; len(rest) > 0; {
			n := int(rest[1]) | int(rest[2])<<8 | int(rest[3])<<16
			content = append(content, rest[xet.HeaderSize:][:n]...)
			rest = rest[xet.HeaderSize+n:]
		}
	}
	return content[offset:]
}

// xetClients are one behind the proxy and one of the mirror.
func xetClients(s *stack, token string) map[string]xetClient {
	return map[string]xetClient{
		"proxy":  {s, s.client, "https://huggingface.co", token, 2},
		"mirror": {s, s.direct(), "http://" + s.addr, token, 1},
	}
}

// A client with an old list of files asks for Xet by itself, and gets what it
// asks for.
func TestXetFacade(t *testing.T) {
	s := newStack(t, stackOptions{xet: proxy.XetFacade, hub: hubtest.Options{PageSize: 2}})
	content := file("weights", 1, xet.BlockSize+xet.ChunkSize+1000)
	small, empty := file("weights", 2, 100), []byte{}
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
		"a.bin": hubtest.Bytes("1"), "b.bin": hubtest.Bytes("2"), "sub dir/m.safetensors": hubtest.Bytes(content),
		"small.bin": hubtest.Bytes(small), "empty.bin": hubtest.Bytes(empty),
	}})
	for name, c := range xetClients(s, "") {
		t.Run(name, func(t *testing.T) {
			c.t = t
			token := c.token("acme/model", repo.Commit("main"))
			for path, want := range map[string][]byte{"sub dir/m.safetensors": content, "small.bin": small, "empty.bin": empty} {
				f, _ := repo.File("main", path)
				if got := c.download(token, f.XetHash, ""); !bytes.Equal(got, want) {
					t.Fatalf("%s: %d bytes, want %d", path, len(got), len(want))
				}
			}
			f, _ := repo.File("main", "sub dir/m.safetensors")
			const from, to = xet.BlockSize - 10, xet.BlockSize + 200_000
			if got := c.download(token, strings.ToUpper(f.XetHash), fmt.Sprintf("bytes=%d-%d", from, int64(1)<<62)); !bytes.Equal(got, content[from:]) {
				t.Errorf("the rest: %d bytes", len(got))
			}
			if got := c.download(token, f.XetHash, fmt.Sprintf("bytes=%d-%d", from, from)); !bytes.Equal(got[:1], content[from:from+1]) {
				t.Errorf("a byte: %d bytes", len(got))
			}
			if r := c.reconstruction(token, f.XetHash, fmt.Sprintf("bytes=%d-", len(content))); r.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("behind the end: %d", r.StatusCode)
			}
		})
	}
	s.onlyOurXet()
	for _, d := range s.downloads.all() {
		if d.Decision != "allow" || d.Repo != "acme/model" || d.Path == "" || d.SHA256 == "" || d.BytesSent == 0 {
			t.Errorf("record %+v", d)
		}
	}
}

// onlyOurXet fails the test if the Hub's Xet storage was used, or a token went
// astray.
func (s *stack) onlyOurXet() {
	s.t.Helper()
	for _, r := range s.hub.Requests() {
		if r.Role == hubtest.RoleCAS || r.Role == hubtest.RoleTransfer {
			s.t.Errorf("the Hub was asked for %s%s", r.Host, r.Path)
		}
	}
	if leaks := s.hub.Leaks(); len(leaks) > 0 {
		s.t.Errorf("tokens leaked: %+v", leaks)
	}
}

// What is refused over HTTP is refused here, with the same words.
func TestXetBlocked(t *testing.T) {
	s := newStack(t, stackOptions{xet: proxy.XetFacade})
	evil := file("EVIL", 1, large)
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(evil)}})
	f, _ := repo.File("main", "m.bin")
	for name, c := range xetClients(s, "") {
		t.Run(name, func(t *testing.T) {
			token := c.token("acme/model", repo.Commit("main"))
			for range 2 {
				c.reconstruction(token, f.XetHash, "").refused(t, "ModelwallBlocked")
			}
		})
	}
	s.onlyOurXet()
	if n := s.blobs(); n != 0 {
		t.Errorf("%d blobs are kept", n)
	}
	all := s.downloads.all()
	if len(all) != 4 {
		t.Errorf("%d records", len(all))
	}
	for _, d := range all {
		if d.Decision != "block" || d.Path != "m.bin" || d.SHA256 != f.SHA256 {
			t.Errorf("record %+v", d)
		}
	}
}

// A verdict that changes after the links were given out counts for them.
func TestXetBlockedLater(t *testing.T) {
	var rules atomic.Pointer[policy.Rules]
	rules.Store(&defaultRules)
	s := newStack(t, stackOptions{xet: proxy.XetFacade, live: func() policy.Rules { return *rules.Load() }})
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(file("fine", 1, large))}})
	f, _ := repo.File("main", "m.bin")
	c := xetClients(s, "")["proxy"]
	r := c.reconstruction(c.token("acme/model", "main"), f.XetHash, "")
	later := defaultRules
	later.DenyRepos = []string{"acme/*"}
	rules.Store(&later)
	blocks, _ := c.blocks(r)
	for _, b := range blocks {
		b.refused(t, "ModelwallRepositoryDenied")
	}
}

// The content is proven before its last piece leaves.
func TestXetTampered(t *testing.T) {
	s := newStack(t, stackOptions{xet: proxy.XetFacade})
	content := file("fine", 1, xet.BlockSize+large)
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
		"m.bin": hubtest.Known(hubtest.Bytes(content), sha256.Sum256([]byte("another"))),
	}})
	f, _ := repo.File("main", "m.bin")
	c := xetClients(s, "")["proxy"]
	blocks, _ := c.blocks(c.reconstruction(c.token("acme/model", "main"), f.XetHash, ""))
	if last := blocks[len(blocks)-1]; last.err == nil && last.StatusCode == http.StatusPartialContent {
		t.Errorf("all %d bytes of the last block came", len(last.body))
	}
	if n := s.blobs(); n != 0 {
		t.Errorf("%d blobs are kept", n)
	}
}

// Nobody gets by Xet what the Hub does not give him.
func TestXetTenancy(t *testing.T) {
	s := newStack(t, stackOptions{xet: proxy.XetFacade})
	s.hub.AddToken(bob, "bob")
	secret, public := file("secret", 1, large), file("public", 2, large)
	gated := s.add(hubtest.Repo{ID: "acme/gated", Gated: true, Tokens: []string{alice}, Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(secret)}})
	private := s.add(hubtest.Repo{ID: "acme/private", Private: true, Tokens: []string{alice}, Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(secret)}})
	open := s.add(hubtest.Repo{ID: "acme/open", Tokens: []string{alice, bob}, Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(public)}})
	f, _ := gated.File("main", "m.bin")
	p, _ := open.File("main", "m.bin")
	for name, hers := range xetClients(s, alice) {
		his, theirs := hers, hers
		his.hubAuth, theirs.hubAuth = bob, ""
		t.Run(name, func(t *testing.T) {
			for _, repo := range []*hubtest.RepoHandle{gated, private} {
				id := "acme/gated"
				if repo == private {
					id = "acme/private"
				}
				if got := hers.download(hers.token(id, repo.Commit("main")), f.XetHash, ""); !bytes.Equal(got, secret) {
					t.Errorf("she gets %d bytes", len(got))
				}
				for who, c := range map[string]xetClient{"he": his, "they": theirs} {
					r := c.do(c.client, http.MethodGet, c.at+"/api/models/"+id+"/xet-read-token/main", c.auth()...)
					if r.StatusCode < 401 || r.StatusCode > 404 || bytes.Contains(r.body, []byte("accessToken")) {
						t.Errorf("%s: %d %s", who, r.StatusCode, r.body)
					}
				}
			}
			// A token for one repository opens no other, though the hash is
			// known by now and the content lies here.
			token := his.token("acme/open", open.Commit("main"))
			if r := his.reconstruction(token, f.XetHash, ""); r.StatusCode != http.StatusNotFound || !strings.Contains(r.Header.Get("X-Error-Message"), "HF_HUB_DISABLE_XET=1") {
				t.Errorf("a hash of another repository: %d %s", r.StatusCode, r.body)
			}
			if got := his.download(token, p.XetHash, ""); !bytes.Equal(got, public) {
				t.Errorf("he gets %d bytes", len(got))
			}
			for what, forged := range map[string]string{
				"no token": "", "the Hub's": alice, "made up": token.AccessToken[1:] + "A", "empty": " ",
			} {
				if r := his.reconstruction(xetToken{AccessToken: forged, CasURL: token.CasURL}, p.XetHash, ""); r.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
				}
			}
		})
	}
	s.onlyOurXet()
}

// Links are good for what they were given for.
func TestXetLinks(t *testing.T) {
	s := newStack(t, stackOptions{xet: proxy.XetFacade})
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
		"a.bin": hubtest.Bytes(file("a", 1, large)), "b.bin": hubtest.Bytes(file("b", 1, large)),
	}})
	c := xetClients(s, "")["proxy"]
	token := c.token("acme/model", "main")
	var address [2]string
	for i, path := range []string{"a.bin", "b.bin"} {
		f, _ := repo.File("main", path)
		var info xet.Reconstruction
		if err := json.Unmarshal(c.reconstruction(token, f.XetHash, "").body, &info); err != nil {
			t.Fatal(err)
		}
		address[i] = info.Xorbs[info.Terms[0].Hash][0].URL
	}
	if r := s.get(address[0]); r.StatusCode != http.StatusOK {
		t.Errorf("without a range: %d", r.StatusCode)
	}
	_, query, _ := strings.Cut(address[1], "?")
	path, _, _ := strings.Cut(address[0], "?")
	for what, u := range map[string]string{
		"another file's link": path + "?" + query,
		"another block":       strings.Replace(address[0], "block=0", "block=1", 1),
		"a negative block":    strings.Replace(address[0], "block=0", "block=-1", 1),
		"no link":             path + "?block=0",
		"nothing":             path,
		"the root":            "https://transfer.xethub.hf.co/",
	} {
		s.get(u).refused(t, "ModelwallXetLink")
		_ = what
	}
	for what, r := range map[string]reply{
		"POST":          s.do(s.client, http.MethodPost, address[0]),
		"an upload":     s.do(s.client, http.MethodPost, token.CasURL+"/v1/xorbs/default/"+strings.Repeat("0", 64), "Authorization", "Bearer "+token.AccessToken),
		"a chunk":       s.get(token.CasURL+"/v1/chunks/default/"+strings.Repeat("0", 64), "Authorization", "Bearer "+token.AccessToken),
		"no hash":       s.get(token.CasURL+"/v2/reconstructions/xyz", "Authorization", "Bearer "+token.AccessToken),
		"a write token": s.get("https://huggingface.co/api/models/acme/model/xet-write-token/main"),
		"a bucket":      s.get("https://huggingface.co/api/buckets/acme/store/xet-read-token"),
	} {
		if r.StatusCode != http.StatusForbidden || r.Header.Get("X-Error-Code") != "ModelwallXetRefused" {
			t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
		}
	}
	s.onlyOurXet()
}

// Only what a client can have in no other way is offered over Xet, unless the
// mode says something else.
func TestXetOffered(t *testing.T) {
	const limit = 1000
	for name, c := range map[string]struct {
		mode         proxy.XetMode
		offered, all bool
	}{
		"facade": {proxy.XetFacade, true, false},
		"strip":  {proxy.XetStrip, false, false},
		"deny":   {proxy.XetDeny, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, stackOptions{xet: c.mode, xetAbove: limit})
			repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{
				"large.bin": hubtest.Bytes(file("a", 1, limit+1)), "small.bin": hubtest.Bytes(file("b", 1, limit)),
			}})
			commit := repo.Commit("main")
			for endpoint, client := range xetClients(s, "") {
				cas := "https://cas-server.xethub.hf.co"
				if endpoint == "mirror" {
					cas = client.at + "/-/cas-server.xethub.hf.co"
				}
				for path, want := range map[string]bool{"large.bin": c.offered, "small.bin": c.all} {
					f, _ := repo.File("main", path)
					at := client.at + "/acme/model/resolve/main/" + path
					head := client.do(client.client, http.MethodHead, at)
					info := client.do(client.client, http.MethodGet, at, "Accept", "application/vnd.xet-fileinfo+json, */*", "Range", "bytes=0-0")
					isInfo := strings.Contains(info.Header.Get("Content-Type"), "xet-fileinfo")
					if isInfo != want || isInfo && (info.StatusCode != 200 || info.Header.Get("X-Linked-Size") != fmt.Sprint(f.Size)) || !isInfo && info.StatusCode != 206 {
						t.Errorf("%s %s: GET %d %v", endpoint, path, info.StatusCode, info.Header)
					}
					for _, r := range []reply{head, info} {
						hash, link := "", ""
						if want {
							hash = f.XetHash
							link = "<" + client.at + "/api/models/acme/model/xet-read-token/" + commit + `>; rel="xet-auth", <` +
								cas + "/v1/reconstructions/" + hash + `>; rel="xet-reconstruction-info"`
						}
						if r.Header.Get("X-Xet-Hash") != hash || r.Header.Get("Link") != link {
							t.Errorf("%s %s: %v", endpoint, path, r.Header)
						}
					}
					tree := client.do(client.client, http.MethodGet, client.at+"/api/models/acme/model/tree/"+commit)
					if bytes.Contains(tree.body, []byte(f.XetHash)) != want {
						t.Errorf("%s %s: %s", endpoint, path, tree.body)
					}
				}
				if c.mode == proxy.XetFacade {
					continue
				}
				client.do(client.client, http.MethodGet, client.at+"/api/models/acme/model/xet-read-token/"+commit).refused(t, "ModelwallXetRefused")
				client.do(client.client, http.MethodGet, cas+"/v2/reconstructions/"+strings.Repeat("0", 64)).refused(t, "ModelwallXetRefused")
			}
			s.onlyOurXet()
		})
	}
}

// zeros is content that costs nothing.
type zeros struct{ size int64 }

func (z zeros) Size() int64 { return z.size }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), z.size-off)))
	clear(p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// A file of 60 GB is offered, and any part of it can be had at once.
func TestXetHuge(t *testing.T) {
	const size = 60_000_000_000
	s := newStack(t, stackOptions{xet: proxy.XetFacade})
	head := file("weights", 1, 1<<20)
	content := hubtest.Known(hubtest.Join(hubtest.Bytes(head), zeros{size - int64(len(head))}), sha256.Sum256([]byte("not asked for")))
	repo := s.add(hubtest.Repo{ID: "acme/huge", Xet: true, Files: hubtest.Files{"m.safetensors": content}})
	f, _ := repo.File("main", "m.safetensors")
	for name, c := range xetClients(s, "") {
		t.Run(name, func(t *testing.T) {
			if r := c.do(c.client, http.MethodHead, c.at+"/acme/huge/resolve/main/m.safetensors"); r.Header.Get("X-Xet-Hash") != f.XetHash {
				t.Errorf("HEAD: %v", r.Header)
			}
			token := c.token("acme/huge", repo.Commit("main"))
			got := c.download(token, f.XetHash, "bytes=1000-299999")
			if !bytes.HasPrefix(got, head[1000:300_000]) {
				t.Errorf("the head: %d bytes", len(got))
			}
			got = c.download(token, f.XetHash, fmt.Sprintf("bytes=%d-%d", int64(size)/2, int64(size)/2+9))
			if !bytes.Equal(got[:10], make([]byte, 10)) {
				t.Errorf("the middle: %x", got[:10])
			}
		})
	}
	s.onlyOurXet()
}
