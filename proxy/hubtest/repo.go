package hubtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var (
	errNegativeOffset = errors.New("hubtest: negative offset")
	// ErrRepo is the class of errors about a Repo or an update that the Hub
	// would not take.
	ErrRepo = errors.New("hubtest: bad repository")
)

// Type is what kind of repository one is, as the API's paths spell it.
type Type string

// The types of repositories.
const (
	Model   Type = "models"
	Dataset Type = "datasets"
	Space   Type = "spaces"
)

// Files is the content of a revision by path.
type Files map[string]Content

// Repo describes a repository.
type Repo struct {
	Type    Type     // default Model
	ID      string   // "owner/name"
	Aliases []string // old single names that are redirected here: "gpt2"
	// Private hides the repository from everybody without a token in Tokens;
	// Gated shows it to all and gives content to those in Tokens only.
	Private, Gated bool
	Tokens         []string
	// Xet makes the hub announce Xet storage for LFS files.
	Xet bool
	// CDN is the host that serves LFS files; default "us.aws.cdn.hf.co".
	CDN   string
	Files Files // the first commit on main
	// LFS says whether a file is kept under Git LFS; the default goes by the
	// extension, as a .gitattributes of the Hub does, and by size (10 MiB).
	LFS func(path string, size int64) bool
	// Warning is sent as X-HF-Warning with every resolve.
	Warning string
	// Security is what the Hub's own scan says about a path: "unsafe",
	// "suspicious", "queued" and so on. Paths not listed are "safe".
	Security map[string]string
}

// File is what the hub knows about a file.
type File struct {
	Path   string
	Size   int64
	SHA256 string // hexadecimal; of the content, not of the LFS pointer
	BlobID string // git's id of the blob: of the pointer if LFS
	LFS    bool
	// XetHash names the content in Xet storage. It is made up here, never the
	// sha256, and as on the real Hub no proof of the content.
	XetHash string
}

// file is a File with its content and LFS pointer.
type file struct {
	File
	content Content
	pointer []byte
}

// snapshot is the state of a repository in one commit. It does not change.
type snapshot struct {
	commit string
	files  map[string]*file
	dirs   map[string]string // path -> id of the git tree; "" is the root
	object []byte            // the git commit object
}

func (s *snapshot) paths() []string { return slices.Sorted(maps.Keys(s.files)) }

type repo struct {
	Repo
	mu      sync.Mutex
	revs    map[string]string // branch, tag or refs/... -> commit
	commits map[string]*snapshot
}

func repoKey(t Type, id string) string { return string(t) + "/" + strings.ToLower(id) }

// prefix is what stands before the id in the URL of a page or file.
func (t Type) prefix() string {
	if t == Model {
		return "/"
	}
	return "/" + string(t) + "/"
}

// find returns the snapshot that a branch, tag, ref or commit id names. A
// commit id may be shortened to seven digits.
func (r *repo) find(rev string) *snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	if commit, ok := r.revs[rev]; ok {
		return r.commits[commit]
	}
	if len(rev) < 7 {
		return nil
	}
	var found *snapshot
	for commit, s := range r.commits {
		if strings.HasPrefix(commit, rev) {
			if found != nil {
				return nil
			}
			found = s
		}
	}
	return found
}

// refs returns a copy of the names and their commits.
func (r *repo) refs() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.revs)
}

// snapshots returns all commits.
func (r *repo) snapshots() []*snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.commits))
}

// RepoHandle changes a repository of a running hub and asks about it.
type RepoHandle struct {
	hub  *Hub
	repo *repo
}

// AddRepo adds a repository. The error is of class ErrRepo, or the content's.
func (h *Hub) AddRepo(r Repo) (*RepoHandle, error) {
	if r.Type == "" {
		r.Type = Model
	}
	if r.CDN == "" {
		r.CDN = defaultCDN
	}
	if r.LFS == nil {
		r.LFS = defaultLFS
	}
	switch r.Type {
	case Model, Dataset, Space:
	default:
		return nil, fmt.Errorf("%w: unknown type %q", ErrRepo, r.Type)
	}
	if !regexp.MustCompile(`^[\w-][\w.-]*/[\w-][\w.-]*$`).MatchString(r.ID) {
		return nil, fmt.Errorf("%w: id %q is not owner/name", ErrRepo, r.ID)
	}
	if h.hosts[r.CDN] != RoleCDN {
		return nil, fmt.Errorf("%w: %q is no CDN host", ErrRepo, r.CDN)
	}
	in := &repo{Repo: r, revs: map[string]string{}, commits: map[string]*snapshot{}}
	handle := &RepoHandle{hub: h, repo: in}
	if _, err := handle.Update("main", r.Files); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := repoKey(r.Type, r.ID)
	if _, taken := h.repos[key]; taken {
		return nil, fmt.Errorf("%w: %s exists", ErrRepo, r.ID)
	}
	h.repos[key] = in
	for _, alias := range r.Aliases {
		h.aliases[repoKey(r.Type, alias)] = in
	}
	for i, token := range r.Tokens {
		if _, exists := h.tokens[token]; !exists {
			h.tokens[token] = fmt.Sprintf("%s-reader-%d", strings.ReplaceAll(r.ID, "/", "-"), i+1)
		}
	}
	return handle, nil
}

// Update commits files to rev, which is made from main if it does not exist,
// and returns the id of the commit. Files that are not mentioned stay; a nil
// Content deletes. rev is a branch, a tag that starts with a digit or with v
// and a digit, or a full name under refs/.
func (r *RepoHandle) Update(rev string, files Files) (commit string, err error) {
	added := make(map[string]*file, len(files))
	for p, content := range files {
		if !fs.ValidPath(p) || p == "." {
			return "", fmt.Errorf("%w: path %q", ErrRepo, p)
		}
		if content == nil {
			added[p] = nil
			continue
		}
		if added[p], err = newFile(p, content, r.repo.LFS); err != nil {
			return "", err
		}
	}
	r.repo.mu.Lock()
	s, err := r.repo.commitLocked(rev, added)
	r.repo.mu.Unlock()
	if err != nil {
		return "", err
	}
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	for _, f := range s.files {
		if f.LFS {
			r.hub.objects[f.SHA256], r.hub.objects[f.XetHash] = f, f
		}
	}
	return s.commit, nil
}

func (r *repo) commitLocked(rev string, added map[string]*file) (*snapshot, error) {
	parent, ok := r.revs[rev]
	if !ok {
		parent = r.revs["main"]
	}
	files := map[string]*file{}
	if parent != "" {
		files = maps.Clone(r.commits[parent].files)
	}
	for p, f := range added {
		if f == nil {
			delete(files, p)
		} else {
			files[p] = f
		}
	}
	s, err := newSnapshot(files, parent, fmt.Sprintf("%s: %s, commit %d", r.ID, rev, len(r.commits)+1), int64(len(r.commits)))
	if err != nil {
		return nil, err
	}
	r.commits[s.commit] = s
	r.revs[rev] = s.commit
	return s, nil
}

// Commit is the id of the commit that rev names, "" if there is none.
func (r *RepoHandle) Commit(rev string) string {
	if s := r.repo.find(rev); s != nil {
		return s.commit
	}
	return ""
}

// File is what the hub knows about a file; ok is false if rev has no such.
func (r *RepoHandle) File(rev, p string) (f File, ok bool) {
	if s := r.repo.find(rev); s != nil && s.files[p] != nil {
		return s.files[p].File, true
	}
	return File{}, false
}

// ResolveURL is the address that clients download a file from.
func (r *RepoHandle) ResolveURL(rev, p string) string {
	return "https://" + hubHost + r.repo.Type.prefix() + r.repo.ID + "/resolve/" + url.PathEscape(rev) + "/" + escapePath(p)
}

// SignedURL is a link to an LFS file on the CDN, as a resolve redirects to;
// "" if rev has no such file or it is not under LFS.
func (r *RepoHandle) SignedURL(rev, p string) string {
	s := r.repo.find(rev)
	if s == nil || s.files[p] == nil || !s.files[p].LFS {
		return ""
	}
	return r.hub.signedURL(r.repo, s.files[p], false)
}

func escapePath(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// defaultLFS is what the Hub's .gitattributes template tracks.
func defaultLFS(p string, size int64) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".7z", ".arrow", ".bin", ".bz2", ".ckpt", ".ftz", ".gguf", ".gz", ".h5", ".joblib", ".keras",
		".mlmodel", ".msgpack", ".nemo", ".npy", ".npz", ".onnx", ".ot", ".parquet", ".pb",
		".pickle", ".pkl", ".pt", ".pth", ".rar", ".safetensors", ".tar", ".tflite", ".tgz", ".wasm",
		".xz", ".zip", ".zst":
		return true
	}
	return size > 10<<20
}
