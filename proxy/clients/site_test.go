package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

// alice may read acme/gated; nobody else may.
const alice = "hf_aliceAliceAliceAliceAliceAlice"

const (
	hubURL   = "https://huggingface.co/"
	cleanURL = hubURL + "acme/tiny/resolve/main/"
	gatedURL = hubURL + "acme/gated/resolve/main/"
	evilURL  = hubURL + "evil/pickles/resolve/main/"
)

// file is one file of a repository.
type file struct {
	path    string
	content []byte
}

// Weights are large enough to be released while they arrive.
var (
	weights    = file{"model.safetensors", sample.Safetensors(1, 8<<20)}
	checkpoint = file{"pytorch_model.bin", sample.Checkpoint(2, 1<<20)}
	config     = file{"config.json", fmt.Appendf(nil, `{"model_type": "llama", "note": %q}`, strings.Repeat("small and text, ", 200))}
	quantised  = file{"tiny Q4/tiny-Q4_K_M.gguf", sample.GGUF(3, 2<<20)}
	attributes = file{".gitattributes", []byte("*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.bin filter=lfs diff=lfs merge=lfs -text\n")}
	secret     = file{"model.safetensors", sample.Safetensors(4, 1<<20)}
)

// evil are the files that must not arrive, in the ways that they come.
var evil = []file{
	{"pytorch_model.bin", sample.CheckpointMalicious(5, 8<<20)}, // PyTorch zip with a payload
	{"weights.pkl", sample.BrokenPickle()},                      // breaks behind its payload
	{"model.bin", sample.BrokenPickleSevenZip()},                // nullifAI
}

func tiny() hubtest.Repo {
	return hubtest.Repo{ID: "acme/tiny", Xet: true, Files: files(weights, checkpoint, config, quantised, attributes)}
}

func gated() hubtest.Repo {
	return hubtest.Repo{ID: "acme/gated", Gated: true, Tokens: []string{alice}, Xet: true, CDN: "cas-bridge.xethub.hf.co", Files: files(secret, config, attributes)}
}

func pickles() hubtest.Repo {
	return hubtest.Repo{ID: "evil/pickles", Xet: true, Files: files(append(evil, attributes)...)}
}

func files(list ...file) hubtest.Files {
	m := hubtest.Files{}
	for _, f := range list {
		m[f.path] = hubtest.Bytes(f.content)
	}
	return m
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
