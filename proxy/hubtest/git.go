package hubtest

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi" //nolint:gosec // CVE-2016-5386 concerns the variable HTTP_PROXY, which this package drops
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Git clients speak git's smart HTTP protocol to the repository's address and
// fetch LFS files by a batch request that turns object ids into signed links.

const lfsMediaType = "application/vnd.git-lfs+json"

// gitBackend serves bare repositories with the git program itself.
type gitBackend struct {
	program string
	root    string
	mu      sync.Mutex // one repository is written at a time
}

// EnableGit makes the hub answer git clone and fetch, which needs the git
// program; without it the error wraps exec.ErrNotFound. LFS batches are
// answered in any case.
func (h *Hub) EnableGit() error {
	program, err := exec.LookPath("git")
	if err != nil {
		return fmt.Errorf("hubtest: serving git needs the git program: %w", err)
	}
	root := filepath.Join(h.dir, "git")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("hubtest: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.git == nil {
		h.git = &gitBackend{program: program, root: root}
	}
	return nil
}

// serveGit answers requests of git and git-lfs; false if this is none.
func (h *Hub) serveGit(x *exchange, t Type, segments []string) bool {
	if len(segments) < 3 {
		return false
	}
	id := unescape(segments[0]) + "/" + strings.TrimSuffix(unescape(segments[1]), ".git")
	verb := strings.Join(segments[2:], "/")
	switch verb {
	case "info/refs", "git-upload-pack", "git-receive-pack", "info/lfs/objects/batch":
	default:
		return false
	}
	h.mu.Lock()
	r, backend := h.repos[repoKey(t, id)], h.git
	h.mu.Unlock()
	if r == nil || !h.gitAllowed(x, r) {
		x.Header().Set("Www-Authenticate", `Basic realm="Authentication required", charset="UTF-8"`)
		x.text(http.StatusUnauthorized, "Invalid username or password.")
		return true
	}
	switch {
	case verb == "info/lfs/objects/batch":
		h.serveBatch(x, r)
	case verb == "git-receive-pack" || x.r.URL.Query().Get("service") == "git-receive-pack":
		x.text(http.StatusForbidden, "the test hub is read-only")
	case backend == nil:
		x.text(http.StatusNotImplemented, "the test hub runs without git")
	default:
		backend.serve(x, r, verb)
	}
	return true
}

// gitAllowed is as allowed, but git asks for a password only after a 401, so
// there is no other refusal.
func (h *Hub) gitAllowed(x *exchange, r *repo) bool {
	t := token(x.r)
	h.mu.Lock()
	_, exists := h.tokens[t]
	h.mu.Unlock()
	if x.rec.HasAuthorization && !exists {
		return false
	}
	if !r.Private && !r.Gated {
		return true
	}
	for _, granted := range r.Tokens {
		if t == granted {
			return true
		}
	}
	return false
}

// serveBatch answers an LFS batch request.
func (h *Hub) serveBatch(x *exchange, r *repo) {
	x.Header().Set("Content-Type", lfsMediaType)
	var batch struct {
		Operation string `json:"operation"`
		Objects   []struct {
			OID  string `json:"oid"`
			Size int64  `json:"size"`
		} `json:"objects"`
	}
	err := json.NewDecoder(http.MaxBytesReader(x, x.r.Body, maxBody)).Decode(&batch)
	if err != nil || batch.Operation != "download" {
		x.text(http.StatusForbidden, `{"message":"the test hub answers download batches only"}`)
		return
	}
	lfs := map[string]*file{}
	for _, s := range r.snapshots() {
		for _, f := range s.files {
			if f.LFS {
				lfs[f.SHA256] = f
			}
		}
	}
	objects := []map[string]any{}
	for _, o := range batch.Objects {
		answer := map[string]any{"oid": o.OID, "size": o.Size}
		if f := lfs[o.OID]; f != nil {
			answer["size"], answer["authenticated"] = f.Size, true
			answer["actions"] = map[string]any{"download": map[string]any{
				"href": h.signedURL(r, f, x.fault.ExpiredLinks), "expires_in": int(h.opts.LinkTTL.Seconds()),
			}}
		} else {
			answer["error"] = map[string]any{"code": http.StatusNotFound, "message": "Object does not exist"}
		}
		objects = append(objects, answer)
	}
	x.Header().Set("Content-Type", lfsMediaType)
	x.json(map[string]any{"transfer": "basic", "objects": objects, "hash_algo": "sha256"})
}

// serve runs `git http-backend` on the repository's current state.
func (g *gitBackend) serve(x *exchange, r *repo, verb string) {
	dir, err := g.write(r)
	if err != nil {
		x.text(http.StatusInternalServerError, err.Error())
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(x, x.r.Body, maxBody))
	if err != nil {
		x.text(http.StatusBadRequest, err.Error())
		return
	}
	in := x.r.Clone(x.r.Context())
	in.Body, in.ContentLength, in.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	in.URL.Path, in.URL.RawPath = "/"+dir+"/"+verb, ""
	in.Header.Del("Authorization") // no token in the environment of a child
	backend := cgi.Handler{
		Path: g.program, Args: []string{"http-backend"}, Dir: g.root, Stderr: io.Discard,
		Env: []string{
			"GIT_PROJECT_ROOT=" + g.root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + g.root,
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "LC_ALL=C",
		},
	}
	backend.ServeHTTP(x, in)
}

// write brings the bare repository of r up to date and returns its folder's
// name. It is made without the git program: loose objects, refs and a HEAD.
func (g *gitBackend) write(r *repo) (dir string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	dir = string(r.Type) + "-" + strings.ReplaceAll(r.ID, "/", "--") + ".git"
	full := filepath.Join(g.root, dir)
	for _, s := range r.snapshots() {
		if err := writeSnapshot(full, s); err != nil {
			return "", err
		}
	}
	for name, commit := range r.refs() {
		ref, _ := gitRef(name)
		if err := writeFile(filepath.Join(full, filepath.FromSlash(ref)), strings.NewReader(commit+"\n")); err != nil {
			return "", err
		}
	}
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n",
	} {
		if err := writeFile(filepath.Join(full, name), strings.NewReader(text)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func writeFile(name string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func writeSnapshot(repoDir string, s *snapshot) error {
	if err := writeObject(repoDir, s.commit, "commit", Bytes(s.object)); err != nil {
		return err
	}
	var firstErr error
	err := trees(s.files, func(dir string, object []byte) {
		if err := writeObject(repoDir, s.dirs[dir], "tree", Bytes(object)); err != nil && firstErr == nil {
			firstErr = err
		}
	})
	if err := errors.Join(err, firstErr); err != nil {
		return err
	}
	for _, f := range s.files {
		blob := f.content
		if f.LFS {
			blob = Bytes(f.pointer)
		}
		if err := writeObject(repoDir, f.BlobID, "blob", blob); err != nil {
			return err
		}
	}
	return nil
}

// writeObject writes a loose object unless it is there already.
func writeObject(repoDir, id, kind string, c Content) error {
	name := filepath.Join(repoDir, "objects", id[:2], id[2:])
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b bytes.Buffer
	zw := zlib.NewWriter(&b)
	_, _ = io.WriteString(zw, gitHeader(kind, c.Size())) // into memory
	if err := copyContent(zw, c); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	return writeFile(name, &b)
}
