package hubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// Ollama, and older llama.cpp, read GGUF repositories as if huggingface.co
// and hf.co were container registries: a manifest for a tag such as "Q4_K_M"
// lists layers by sha256, and the layer with the model is redirected to the
// file (https://huggingface.co/docs/hub/ollama). The other layers are small
// and made by the Hub.

type layer struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

const (
	ollamaTemplate = "{{ .Prompt }}"
	ollamaParams   = `{"stop":["<|end|>"]}`
)

func digestOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// serveRegistry answers /v2/{id}/manifests/{tag} and /v2/{id}/blobs/{digest}.
func (h *Hub) serveRegistry(x *exchange, segments []string) {
	if len(segments) == 1 && segments[0] == "" {
		x.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		x.json(struct{}{})
		return
	}
	r, rest := h.lookup(x, Model, segments, "/v2/")
	if r == nil || !h.allowed(x, r, content) {
		return
	}
	s := r.find("main")
	switch {
	case len(rest) == 2 && rest[0] == "manifests":
		serveManifest(x, s, unescape(rest[1]))
	case len(rest) == 2 && rest[0] == "blobs":
		serveBlob(x, r, s, unescape(rest[1]))
	default:
		x.fail(http.StatusNotFound, "", "not found")
	}
}

// pickGGUF finds the file of a tag: by name, by the quantisation at its end,
// or for "latest" Q4_K_M before any other.
func pickGGUF(s *snapshot, tag string) *file {
	var first *file
	for _, p := range s.paths() {
		name := strings.ToLower(path.Base(p))
		if !strings.HasSuffix(name, ".gguf") || strings.Contains(name, "mmproj") {
			continue
		}
		if first == nil {
			first = s.files[p]
		}
		want := strings.ToLower(tag)
		if want == "latest" {
			want = "q4_k_m"
		}
		if name == want || strings.HasSuffix(name, "-"+want+".gguf") || strings.HasSuffix(name, "."+want+".gguf") {
			return s.files[p]
		}
	}
	if tag == "latest" {
		return first
	}
	return nil
}

func modelConfig(model *file) string {
	return fmt.Sprintf(`{"model_format":"gguf","model_family":"llama","rootfs":{"type":"layers","diff_ids":["sha256:%s","%s","%s"]}}`,
		model.SHA256, digestOf(ollamaTemplate), digestOf(ollamaParams))
}

func serveManifest(x *exchange, s *snapshot, tag string) {
	model := pickGGUF(s, tag)
	if model == nil {
		x.fail(http.StatusBadRequest, "", "The specified tag is not a valid quantization scheme. Please use another tag or \"latest\"")
		return
	}
	config := modelConfig(model)
	manifest := map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.docker.distribution.manifest.v2+json",
		"config":        layer{"application/vnd.docker.container.image.v1+json", digestOf(config), int64(len(config))},
		"layers": []layer{
			{"application/vnd.ollama.image.model", "sha256:" + model.SHA256, model.Size},
			{"application/vnd.ollama.image.template", digestOf(ollamaTemplate), int64(len(ollamaTemplate))},
			{"application/vnd.ollama.image.params", digestOf(ollamaParams), int64(len(ollamaParams))},
		},
	}
	if strings.HasPrefix(x.rec.UserAgent, "llama-cpp") {
		manifest["ggufFile"] = map[string]any{
			"rfilename": model.Path, "blobId": "sha256:" + model.SHA256, "size": model.Size,
			"lfs": map[string]any{"sha256": model.SHA256, "size": model.Size, "pointerSize": len(model.pointer)},
		}
	}
	body, _ := json.Marshal(manifest) // can not fail
	x.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
	x.Header().Set("Docker-Content-Digest", digestOf(string(body)))
	x.text(http.StatusOK, string(body))
}

func serveBlob(x *exchange, r *repo, s *snapshot, digest string) {
	header := x.Header()
	header.Set("Docker-Content-Digest", digest)
	for _, p := range s.paths() {
		f := s.files[p]
		if !f.LFS || !strings.HasSuffix(strings.ToLower(p), ".gguf") {
			continue
		}
		if digest == "sha256:"+f.SHA256 {
			x.redirect(http.StatusTemporaryRedirect, Model.prefix()+r.ID+"/resolve/main/"+escapePath(p))
			return
		}
		for _, small := range []string{modelConfig(f), ollamaTemplate, ollamaParams} {
			if digest == digestOf(small) {
				header.Set("Content-Type", "application/octet-stream")
				header.Set("Etag", `"`+digest+`"`)
				x.content(Bytes(small))
				return
			}
		}
	}
	x.fail(http.StatusNotFound, "", "blob unknown")
}
