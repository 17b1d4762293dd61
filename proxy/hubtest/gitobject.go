package hubtest

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git's object ids are SHA-1
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Revisions are named by git's own commit ids: blobs, trees and commits are
// built and hashed as git does (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects),
// so that a clone and the API agree about what a commit is.

func gitHeader(kind string, size int64) string { return fmt.Sprintf("%s %d\x00", kind, size) }

// gitID is the object id of data.
func gitID(kind string, data []byte) string {
	sum := sha1.Sum(append([]byte(gitHeader(kind, int64(len(data)))), data...)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

func newFile(p string, content Content, isLFS func(string, int64) bool) (*file, error) {
	f := &file{File: File{Path: p, Size: content.Size()}, content: content}
	f.LFS = isLFS(p, f.Size)
	var err error
	if f.SHA256, err = sum256(content); err != nil {
		return nil, fmt.Errorf("hubtest: %s: %w", p, err)
	}
	if f.LFS {
		f.pointer = fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.SHA256, f.Size)
		f.BlobID = gitID("blob", f.pointer)
		f.XetHash = XetHash(f.SHA256)
		return f, nil
	}
	blob := sha1.New() //nolint:gosec // as above
	_, _ = io.WriteString(blob, gitHeader("blob", f.Size))
	if err := copyContent(blob, content); err != nil {
		return nil, fmt.Errorf("hubtest: %s: %w", p, err)
	}
	f.BlobID = hex.EncodeToString(blob.Sum(nil))
	return f, nil
}

type treeEntry struct {
	name, id string
	dir      bool
}

// sortName is how git sorts entries: directories as if they ended in "/".
func (e treeEntry) sortName() string {
	if e.dir {
		return e.name + "/"
	}
	return e.name
}

func encodeTree(entries []treeEntry) []byte {
	slices.SortFunc(entries, func(a, b treeEntry) int { return strings.Compare(a.sortName(), b.sortName()) })
	var b bytes.Buffer
	for _, e := range entries {
		mode := "100644"
		if e.dir {
			mode = "40000"
		}
		id, _ := hex.DecodeString(e.id) // our own, always 40 digits
		fmt.Fprintf(&b, "%s %s\x00%s", mode, e.name, id)
	}
	return b.Bytes()
}

// trees calls visit with each directory's tree object, children first; the
// last is the root with path "".
func trees(files map[string]*file, visit func(dir string, object []byte)) error {
	entries := map[string][]treeEntry{"": nil}
	for p, f := range files {
		for d := parent(p); ; d = parent(d) {
			if files[d] != nil {
				return fmt.Errorf("%w: %s is a file and a directory", ErrRepo, d)
			}
			if _, seen := entries[d]; !seen {
				entries[d] = nil
			}
			if d == "" {
				break
			}
		}
		entries[parent(p)] = append(entries[parent(p)], treeEntry{name: path.Base(p), id: f.BlobID})
	}
	dirs := slices.Collect(maps.Keys(entries))
	slices.SortFunc(dirs, func(a, b string) int { return depth(b) - depth(a) })
	for _, d := range dirs {
		object := encodeTree(entries[d])
		visit(d, object)
		if d != "" {
			entries[parent(d)] = append(entries[parent(d)], treeEntry{name: path.Base(d), id: gitID("tree", object), dir: true})
		}
	}
	return nil
}

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

func depth(dir string) int {
	if dir == "" {
		return 0
	}
	return 1 + strings.Count(dir, "/")
}

// firstCommit is when the first commit of every repository was made, in Unix
// seconds; each further one is a minute later.
const firstCommit = 1_700_000_000

func newSnapshot(files map[string]*file, parentCommit, message string, number int64) (*snapshot, error) {
	s := &snapshot{files: files, dirs: map[string]string{}}
	err := trees(files, func(dir string, object []byte) { s.dirs[dir] = gitID("tree", object) })
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", s.dirs[""])
	if parentCommit != "" {
		fmt.Fprintf(&b, "parent %s\n", parentCommit)
	}
	who := fmt.Sprintf("Test Hub <hub@huggingface.co> %d +0000", firstCommit+60*number)
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", who, who, message)
	s.object = b.Bytes()
	s.commit = gitID("commit", s.object)
	return s, nil
}
