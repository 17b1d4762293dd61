package hubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is how much of a request body the hub reads: batches and path lists
// of clients are far smaller.
const maxBody = 32 << 20

// serveAPI answers below /api.
func (h *Hub) serveAPI(x *exchange, segments []string) {
	if len(segments) == 0 {
		segments = []string{""}
	}
	switch segments[0] {
	case "resolve-cache":
		h.serveResolveCache(x, segments[1:])
	case "whoami-v2":
		h.serveWhoami(x)
	case "telemetry":
		x.text(http.StatusOK, "")
	case string(Model), string(Dataset), string(Space):
		h.serveRepoAPI(x, Type(segments[0]), segments[1:])
	default:
		x.fail(http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
	}
}

func (h *Hub) serveWhoami(x *exchange) {
	h.mu.Lock()
	user, ok := h.tokens[token(x.r)]
	h.mu.Unlock()
	if !ok {
		x.fail(http.StatusUnauthorized, "", "Invalid username or password.")
		return
	}
	x.json(map[string]any{
		"type": "user", "name": user, "fullname": user, "orgs": []any{},
		"auth": map[string]any{"type": "access_token", "accessToken": map[string]string{"role": "read", "displayName": "test"}},
	})
}

// serveRepoAPI answers /api/{type}s/{id}[/{verb}[/{rev}[/{path}]]].
func (h *Hub) serveRepoAPI(x *exchange, t Type, segments []string) {
	if len(segments) == 0 || segments[0] == "" {
		x.json([]any{}) // a search that finds nothing
		return
	}
	r, rest := h.lookup(x, t, segments, "/api/"+string(t)+"/")
	if r == nil {
		return
	}
	verb := ""
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	gives := metadata
	if verb == "auth-check" || verb == "xet-read-token" {
		gives = content
	}
	if !h.allowed(x, r, gives) {
		return
	}
	switch verb {
	case "refs":
		serveRefs(x, r)
		return
	case "auth-check":
		x.text(http.StatusOK, "")
		return
	}
	rev, p := "main", ""
	if len(rest) > 0 {
		rev, p = revisionAndPath(rest)
	}
	s := r.find(rev)
	if s == nil {
		x.fail(http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+rev)
		return
	}
	switch verb {
	case "", "revision":
		serveInfo(x, r, s)
	case "tree":
		h.serveTree(x, r, s, p)
	case "paths-info":
		servePathsInfo(x, r, s)
	case "commits":
		x.json([]map[string]any{{"id": s.commit, "title": "commit", "message": "", "authors": []any{}, "date": "2023-11-14T22:13:20.000Z"}})
	case "xet-read-token":
		h.serveXetToken(x, r)
	default:
		x.fail(http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
	}
}

func serveRefs(x *exchange, r *repo) {
	type ref struct {
		Name   string `json:"name"`
		Ref    string `json:"ref"`
		Commit string `json:"targetCommit"`
	}
	answer := map[string][]ref{"branches": {}, "tags": {}, "converts": {}}
	if x.r.URL.Query().Has("include_prs") {
		answer["pullRequests"] = []ref{}
	}
	for name, commit := range r.refs() {
		full, kind := gitRef(name)
		if list, wanted := answer[kind]; wanted {
			answer[kind] = append(list, ref{strings.TrimPrefix(name, "refs/"), full, commit})
		}
	}
	x.json(answer)
}

// gitRef is the full name of a revision and the list of /refs it stands in.
func gitRef(name string) (full, kind string) {
	switch {
	case strings.HasPrefix(name, "refs/convert/"):
		return name, "converts"
	case strings.HasPrefix(name, "refs/"):
		return name, "pullRequests"
	case isTag(name):
		return "refs/tags/" + name, "tags"
	}
	return "refs/heads/" + name, "branches"
}

func isTag(name string) bool {
	digits := strings.TrimPrefix(name, "v")
	return digits != "" && digits[0] >= '0' && digits[0] <= '9'
}

func serveInfo(x *exchange, r *repo, s *snapshot) {
	q := x.r.URL.Query()
	siblings, total := []map[string]any{}, int64(0)
	for _, p := range s.paths() {
		f := s.files[p]
		total += f.Size
		sibling := map[string]any{"rfilename": p}
		if truthy(q, "blobs") {
			sibling["blobId"], sibling["size"] = f.BlobID, f.Size
			if f.LFS {
				sibling["lfs"] = map[string]any{"sha256": f.SHA256, "size": f.Size, "pointerSize": len(f.pointer)}
				if r.Xet {
					sibling["xetHash"] = f.XetHash
				}
			}
		}
		siblings = append(siblings, sibling)
	}
	owner, _, _ := strings.Cut(r.ID, "/")
	info := map[string]any{
		"_id": gitID("blob", []byte(r.ID))[:24], "id": r.ID, "author": owner, "sha": s.commit,
		"lastModified": "2023-11-14T22:13:20.000Z", "createdAt": "2023-11-14T22:13:20.000Z",
		"private": r.Private, "gated": false, "disabled": false, "downloads": 1, "likes": 0,
		"tags": []string{}, "siblings": siblings, "usedStorage": total,
	}
	if r.Gated {
		info["gated"] = "manual"
	}
	if r.Type == Model {
		info["modelId"] = r.ID
	}
	if q.Has("securityStatus") {
		issues := []map[string]string{}
		for _, p := range s.paths() {
			if level := r.Security[p]; level != "" && level != "safe" {
				issues = append(issues, map[string]string{"path": p, "level": level})
			}
		}
		info["securityRepoStatus"] = map[string]any{"scansDone": true, "filesWithIssues": issues}
	}
	x.json(info)
}

// entry describes a file in tree and paths-info.
func entry(r *repo, s *snapshot, f *file, expand bool) map[string]any {
	e := map[string]any{"type": "file", "oid": f.BlobID, "size": f.Size, "path": f.Path}
	if f.LFS {
		e["lfs"] = map[string]any{"oid": f.SHA256, "size": f.Size, "pointerSize": len(f.pointer)}
		if r.Xet {
			e["xetHash"] = f.XetHash
		}
	}
	if expand {
		status := r.Security[f.Path]
		if status == "" {
			status = "safe"
		}
		e["lastCommit"] = map[string]string{"id": s.commit, "title": "commit", "date": "2023-11-14T22:13:20.000Z"}
		e["securityFileStatus"] = map[string]any{
			"status": status, "avScan": map[string]string{"status": status},
			"pickleImportScan": map[string]any{"status": status, "pickleImports": []any{}},
		}
	}
	return e
}

func directory(s *snapshot, p string) map[string]any {
	return map[string]any{"type": "directory", "oid": s.dirs[p], "size": 0, "path": p}
}

// serveTree lists a directory, a page at a time. The Link to the next page is
// absolute, as on the real Hub.
func (h *Hub) serveTree(x *exchange, r *repo, s *snapshot, dir string) {
	dir = strings.Trim(dir, "/")
	if _, exists := s.dirs[dir]; !exists {
		x.Header().Set("X-Repo-Commit", s.commit)
		x.fail(http.StatusNotFound, "EntryNotFound", dir+" does not exist")
		return
	}
	q := x.r.URL.Query()
	recursive, expand := truthy(q, "recursive"), truthy(q, "expand")
	entries := []map[string]any{}
	listed := map[string]bool{dir: true}
	for _, p := range s.paths() {
		if dir != "" && !strings.HasPrefix(p, dir+"/") {
			continue
		}
		var above []string // directories between dir and p, innermost first
		for d := parent(p); !listed[d]; d = parent(d) {
			listed[d] = true
			above = append(above, d)
		}
		for i := len(above) - 1; i >= 0; i-- {
			if recursive || parent(above[i]) == dir {
				entries = append(entries, directory(s, above[i]))
			}
		}
		if recursive || parent(p) == dir {
			entries = append(entries, entry(r, s, s.files[p], expand))
		}
	}
	limit := h.opts.PageSize
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		limit = min(limit, n)
	}
	start, _ := strconv.Atoi(q.Get("cursor")) // no cursor is the first page
	start = min(max(start, 0), len(entries))
	end := min(start+limit, len(entries))
	if end < len(entries) {
		q.Set("cursor", strconv.Itoa(end))
		x.Header().Set("Link", "<https://"+hubHost+x.rec.Path+"?"+q.Encode()+`>; rel="next"`)
	}
	x.json(entries[start:end])
}

// servePathsInfo takes its list as JSON or as a form.
func servePathsInfo(x *exchange, r *repo, s *snapshot) {
	body, err := io.ReadAll(http.MaxBytesReader(x, x.r.Body, maxBody))
	if err != nil || x.r.Method != http.MethodPost {
		x.fail(http.StatusBadRequest, "", "paths-info wants a POST with paths")
		return
	}
	var want struct {
		Paths  []string `json:"paths"`
		Expand bool     `json:"expand"`
	}
	if strings.Contains(x.r.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(body, &want)
	} else {
		var form url.Values
		form, err = url.ParseQuery(string(body))
		want.Paths, want.Expand = form["paths"], truthy(form, "expand")
	}
	if err != nil {
		x.fail(http.StatusBadRequest, "", "Bad request: "+err.Error())
		return
	}
	found := []map[string]any{}
	for _, p := range want.Paths {
		p = strings.Trim(p, "/")
		if f := s.files[p]; f != nil {
			found = append(found, entry(r, s, f, want.Expand))
		} else if _, ok := s.dirs[p]; ok {
			found = append(found, directory(s, p))
		}
	}
	x.json(found)
}

func truthy(q url.Values, name string) bool {
	switch strings.ToLower(q.Get(name)) {
	case "true", "1":
		return true
	}
	return false
}
