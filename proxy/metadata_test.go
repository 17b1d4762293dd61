package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

func TestXetSignalsAreRemoved(t *testing.T) {
	s := newStack(t, stackOptions{})
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{"m.safetensors": hubtest.Bytes(file("weights", 1, 5000))}})
	const hub = "https://huggingface.co"
	for name, r := range map[string]reply{
		"HEAD":        s.do(s.client, http.MethodHead, hub+"/acme/model/resolve/main/m.safetensors"),
		"GET":         s.get(hub + "/acme/model/resolve/main/m.safetensors"),
		"Accept":      s.get(hub+"/acme/model/resolve/main/m.safetensors", "Accept", "application/vnd.xet-fileinfo+json, */*"),
		"tree":        s.get(hub + "/api/models/acme/model/tree/main?recursive=true"),
		"gzip":        s.get(hub+"/api/models/acme/model/tree/main", "Accept-Encoding", "gzip"),
		"info":        s.get(hub + "/api/models/acme/model?blobs=true"),
		"revision":    s.get(hub + "/api/models/acme/model/revision/" + repo.Commit("main") + "?blobs=true"),
		"a HEAD page": s.do(s.client, http.MethodHead, hub+"/acme/model"),
	} {
		if r.err != nil || r.StatusCode >= 400 {
			t.Errorf("%s: %d, %v", name, r.StatusCode, r.err)
		}
		if bytes.Contains(bytes.ToLower(r.body), []byte("xethash")) {
			t.Errorf("%s: xetHash in %.200s", name, r.body)
		}
		for k, v := range r.Header {
			if strings.HasPrefix(k, "X-Xet") || k == "Link" && strings.Contains(fmt.Sprint(v), "xet") {
				t.Errorf("%s: header %s: %v", name, k, v)
			}
		}
		if strings.Contains(r.Header.Get("Content-Type"), "xet") {
			t.Errorf("%s: a Xet answer", name)
		}
	}
	tree := s.get(hub + "/api/models/acme/model/tree/main?recursive=true")
	var entries []map[string]any
	if err := json.Unmarshal(tree.body, &entries); err != nil || len(entries) == 0 || entries[0]["lfs"] == nil {
		t.Errorf("the tree lost more than Xet: %s, %v", tree.body, err)
	}
	for _, u := range []string{
		hub + "/api/models/acme/model/xet-read-token/main",
		"https://cas-server.xethub.hf.co/v1/reconstructions/" + strings.Repeat("0", 64),
		"https://transfer.xethub.hf.co/xorbs/default/x",
	} {
		r := s.get(u)
		r.refused(t, "ModelwallXetRefused")
		if !strings.Contains(string(r.body), "HF_HUB_DISABLE_XET=1") {
			t.Errorf("%s does not say what to do: %s", u, r.body)
		}
	}
	for _, r := range s.hub.Requests() {
		if r.Role != hubtest.RoleHub && r.Role != hubtest.RoleCDN {
			t.Errorf("a request went to %s", r.Host)
		}
	}
}

func TestPagination(t *testing.T) {
	s := newStack(t, stackOptions{hub: hubtest.Options{PageSize: 2}})
	files := hubtest.Files{}
	for i := range 5 {
		files[fmt.Sprintf("f%d.json", i)] = hubtest.Bytes("{}")
	}
	s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: files})
	next, pages := "https://huggingface.co/api/models/acme/model/tree/main?recursive=true", 0
	for next != "" && pages < 9 {
		r := s.get(next)
		pages++
		next = ""
		if link := r.Header.Get("Link"); link != "" {
			next, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		}
	}
	if pages < 3 {
		t.Errorf("%d pages, want the Link header to survive", pages)
	}
}

// batch asks for LFS objects and returns the answer's first object.
func (s *stack) batch(repo, oid string, size int) (object struct {
	Actions map[string]struct{ Href string }
	Error   *struct {
		Code    int
		Message string
	}
}, transfer string,
) {
	s.t.Helper()
	body := fmt.Sprintf(`{"operation":"download","transfers":["xet","basic"],"objects":[{"oid":%q,"size":%d}]}`, oid, size)
	resp, err := s.client.Post("https://huggingface.co/"+repo+".git/info/lfs/objects/batch", "application/vnd.git-lfs+json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Transfer string
		Objects  []json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Objects) != 1 {
		s.t.Fatalf("batch: %+v, %v", answer, err)
	}
	if err := json.Unmarshal(answer.Objects[0], &object); err != nil {
		s.t.Fatal(err)
	}
	return object, answer.Transfer
}

func TestLFSBatch(t *testing.T) {
	s := newStack(t, stackOptions{})
	clean, evil := file("weights", 1, large), file("EVIL", 2, 5000)
	repo := s.add(hubtest.Repo{ID: "acme/model", Xet: true, Files: hubtest.Files{"m.bin": hubtest.Bytes(clean), "e.bin": hubtest.Bytes(evil)}})
	for _, c := range []struct {
		path    string
		content []byte
		evil    bool
	}{{"m.bin", clean, false}, {"e.bin", evil, true}} {
		f, ok := repo.File("main", c.path)
		if !ok {
			t.Fatal("no file")
		}
		o, transfer := s.batch("acme/model", f.SHA256, len(c.content))
		if o.Error != nil || transfer == "xet" {
			t.Fatalf("batch: %+v by %s", o, transfer)
		}
		got := s.get(o.Actions["download"].Href)
		if !c.evil {
			got.wants(t, c.content)
			seen := len(s.hub.Requests())
			again, _ := s.batch("acme/model", f.SHA256, len(c.content))
			s.get(again.Actions["download"].Href).wants(t, c.content)
			// One byte asks whether this signature is accepted.
			for _, r := range s.hub.Requests()[seen:] {
				if r.Role == hubtest.RoleCDN && r.Range == "" {
					t.Error("cached content was fetched again")
				}
			}
			continue
		}
		got.refused(t, "ModelwallBlocked")
		if got.StatusCode == http.StatusUnauthorized {
			t.Error("401 makes git-lfs ask again and again")
		}
		again, _ := s.batch("acme/model", f.SHA256, len(c.content))
		if again.Error == nil || again.Error.Code != 403 || len(again.Actions) != 0 || !strings.Contains(again.Error.Message, "Modelwall") {
			t.Errorf("the second batch: %+v, want the refusal", again)
		}
	}
}

// The right to content is in the signature: what is cached does not go out to
// somebody who made up a URL.
func TestSignedURLIsChecked(t *testing.T) {
	s := newStack(t, stackOptions{})
	content := file("weights", 1, 5000)
	repo := s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(content)}})
	f, _ := repo.File("main", "m.bin")
	o, _ := s.batch("acme/model", f.SHA256, len(content))
	href := o.Actions["download"].Href
	s.get(href).wants(t, content)
	u, err := url.Parse(href)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = strings.Replace(u.RawQuery, "Signature=", "Signature=0", 1)
	if r := s.get(u.String()); r.StatusCode != 403 || bytes.Contains(r.body, content[:100]) {
		t.Errorf("a forged signature: %d", r.StatusCode)
	}
	u.RawQuery = ""
	if r := s.get(u.String()); r.StatusCode < 400 {
		t.Errorf("no signature: %d", r.StatusCode)
	}
	// A URL that no batch announced is served by what its content is.
	s.get(repo.SignedURL("main", "m.bin")).wants(t, content)
	if leaks := s.hub.Leaks(); len(leaks) > 0 {
		t.Errorf("tokens leaked: %+v", leaks)
	}
}

func TestRefusedRoutes(t *testing.T) {
	s := newStack(t, stackOptions{})
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", 1, 500))}})
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{"POST", "https://huggingface.co/acme/model/resolve/main/m.bin", 405},
		{"GET", "https://huggingface.co/acme//model/resolve/main/m.bin", 400},
		{"GET", "https://huggingface.co/acme/model/resolve/main/../m.bin", 400},
		{"GET", "https://s3.hf.co/bucket/key", 403},
		{"GET", "https://unknown.hf.co/file.bin", 403},
		{"GET", "https://huggingface.co/acme/model.git/objects/pack/pack-1.pack", 403},
		{"GET", "https://huggingface.co/acme/model/resolve/main/none.bin", 404},
		{"GET", "https://huggingface.co/acme/none/resolve/main/m.bin", 401},
	} {
		if r := s.do(s.client, c.method, c.url); r.StatusCode != c.status {
			t.Errorf("%s %s = %d %.200s, want %d", c.method, c.url, r.StatusCode, r.body, c.status)
		}
	}
}
