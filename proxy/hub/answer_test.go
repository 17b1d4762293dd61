package hub

import (
	"net/http"
	"testing"
)

func TestIsFileAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    http.Header
		want bool
	}{
		{"tree", header("Content-Type", "application/json; charset=utf-8"), false},
		{"page", header("Content-Type", "text/html; charset=utf-8"), false},
		{"log stream", header("Content-Type", "text/event-stream"), false},
		{"git-lfs", header("Content-Type", "application/vnd.git-lfs+json; charset=utf-8"), false},
		{"refs", header("Content-Type", "application/x-git-upload-pack-advertisement"), false},
		{"feed", header("Content-Type", "application/atom+xml"), false},
		{"empty", header("Content-Length", "0"), false},
		{"no type", header("Content-Length", "10"), true},
		{"no headers", http.Header{}, true},
		{"weights", header("Content-Type", "application/octet-stream"), true},
		{"archive", header("Content-Type", "application/zip"), true},
		{"pack", header("Content-Type", "application/x-git-upload-pack-result"), true},
		{"no media type", header("Content-Type", ";"), true},
		{"script", header("Content-Type", "text/plain", "Content-Disposition", `inline; filename="setup.py"`), true},
		{"redirect to LFS", header("Content-Type", "text/plain", "X-Linked-Etag", `"x"`), true},
		{"OCI manifest", header("Content-Type", "application/json; charset=utf-8", "Docker-Content-Digest", "sha256:0"), false},
		{"other class", header("Content-Type", "model/gltf-binary"), true},
	} {
		if got := IsFileAnswer(tt.h); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
