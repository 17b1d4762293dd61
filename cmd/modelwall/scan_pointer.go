package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// pointer is what stands in a work tree or a commit for a file that Git LFS
// keeps elsewhere: a short text with the hash and the size of the content.
type pointer struct {
	oid  string
	size int64
}

// Error implements error: what a pointer stands for could not be examined.
func (p *pointer) Error() string {
	return fmt.Sprintf("a Git LFS pointer to sha256:%s, %s: the content is not here (git lfs pull fetches it)", p.oid, bytesText(p.size))
}

// maxPointer is the length below which a file can be a pointer, by the
// specification (docs/spec.md of github.com/git-lfs/git-lfs).
const maxPointer = 1024

// readPointer returns the pointer that a file of this size is, nil if it is
// none.
func readPointer(r io.ReaderAt, size int64) (*pointer, error) {
	if size < 100 || size >= maxPointer {
		return nil, nil
	}
	text := make([]byte, size)
	if n, err := r.ReadAt(text, 0); n < len(text) {
		return nil, err
	}
	return parsePointer(text), nil
}

// parsePointer reads a pointer: lines of a key and a value, "version" first.
func parsePointer(text []byte) *pointer {
	if !bytes.HasPrefix(text, []byte("version https://git-lfs.github.com/spec/")) &&
		!bytes.HasPrefix(text, []byte("version https://hawser.github.com/spec/")) {
		return nil
	}
	p := &pointer{size: -1}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "oid":
			if hash, ok := strings.CutPrefix(value, "sha256:"); ok && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == "" {
				p.oid = hash
			}
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				p.size = n
			}
		}
	}
	if p.oid == "" || p.size < 0 {
		return nil
	}
	return p
}
