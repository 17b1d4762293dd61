package hub

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	someCommit = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
	someSHA    = "0c2dd1f623f03b6cfe77b7d408310669f4e6577e3f7272811826d65f158e0f22"
)

// classify splits address as a proxy gets it: host and path apart.
func classify(t testing.TB, method, address string) Request {
	t.Helper()
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		t.Fatalf("%q has no scheme", address)
	}
	host, path, _ := strings.Cut(rest, "/")
	u, err := url.ParseRequestURI("/" + path)
	if err != nil {
		t.Fatalf("%q: %v", address, err)
	}
	u.Scheme, u.Host = scheme, host
	return Classify(method, host, u)
}

func model(kind Kind, repo, revision, path string) Request {
	return Request{Role: RoleHub, Kind: kind, RepoType: "model", Repo: repo, Revision: revision, Path: path}
}

func dataset(kind Kind, repo, revision, path string) Request {
	r := model(kind, repo, revision, path)
	r.RepoType = "dataset"
	return r
}

func space(kind Kind, repo, revision, path string) Request {
	r := model(kind, repo, revision, path)
	r.RepoType = "space"
	return r
}

func page() Request { return Request{Role: RoleHub, Kind: Page} }

func object(repo, sha string) Request {
	if repo != "" {
		return Request{Role: RoleHub, Kind: Object, RepoType: "model", Repo: repo, SHA256: sha}
	}
	return Request{Role: RoleCDN, Kind: Object, SHA256: sha}
}

func at(role Role, kind Kind) Request { return Request{Role: role, Kind: kind} }

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want Request
	}{
		// hf_hub_url (file_download.py): the revision quoted whole, the path with slashes.
		{
			"https://huggingface.co/julien-c/EsperBERTo-small/resolve/main/pytorch_model.bin",
			model(Resolve, "julien-c/EsperBERTo-small", "main", "pytorch_model.bin"),
		},
		{"https://huggingface.co/gpt2/resolve/main/config.json", model(Resolve, "gpt2", "main", "config.json")},
		{
			"https://huggingface.co/gpt2/resolve/" + someCommit + "/onnx/decoder_model.onnx",
			model(Resolve, "gpt2", someCommit, "onnx/decoder_model.onnx"),
		},
		{
			"https://huggingface.co/microsoft/Phi-3.5-mini-instruct/resolve/main/model-00001-of-00002.safetensors",
			model(Resolve, "microsoft/Phi-3.5-mini-instruct", "main", "model-00001-of-00002.safetensors"),
		},
		{
			"https://huggingface.co/acme/tiny-llama/resolve/refs%2Fpr%2F1/config.json",
			model(Resolve, "acme/tiny-llama", "refs/pr/1", "config.json"),
		},
		{
			"https://huggingface.co/acme/tiny-llama/resolve/feature%2Fx/config.json",
			model(Resolve, "acme/tiny-llama", "feature/x", "config.json"),
		},
		{
			"https://huggingface.co/acme/tiny-llama/resolve/v1.0/model.safetensors",
			model(Resolve, "acme/tiny-llama", "v1.0", "model.safetensors"),
		},
		{
			"https://huggingface.co/acme/tiny-llama/resolve/main/sub%20dir/weights%20%28v1%29.bin",
			model(Resolve, "acme/tiny-llama", "main", "sub dir/weights (v1).bin"),
		},
		{
			"https://huggingface.co/acme/tiny-llama/resolve/main/unicode-%C3%A9/na%C3%AFve.txt",
			model(Resolve, "acme/tiny-llama", "main", "unicode-é/naïve.txt"),
		},
		{"https://huggingface.co/acme/tiny-llama/resolve/main/unicode-é/naïve.txt", // curl sends it as typed
			model(Resolve, "acme/tiny-llama", "main", "unicode-é/naïve.txt")},
		{"https://huggingface.co/acme/m/resolve/main/100%25.bin", model(Resolve, "acme/m", "main", "100%.bin")},
		{"https://huggingface.co/acme/m/resolve/main/a%252Fb.bin", model(Resolve, "acme/m", "main", "a%2Fb.bin")},
		{"https://huggingface.co/acme/m/resolve/main/a+b&c=d.bin", model(Resolve, "acme/m", "main", "a+b&c=d.bin")},
		{"https://huggingface.co/acme/m/resolve/main/windows%5Cname.bin", model(Resolve, "acme/m", "main", `windows\name.bin`)},
		{"https://huggingface.co/acme/m/resolve/main/...bin", model(Resolve, "acme/m", "main", "...bin")},
		{"https://huggingface.co/acme/m/resolve/main/raw/resolve/x", model(Resolve, "acme/m", "main", "raw/resolve/x")},
		{"https://huggingface.co/acme/m.git/resolve/main/x.bin", model(Resolve, "acme/m", "main", "x.bin")},
		// The web page's download button, and links in the documentation.
		{
			"https://huggingface.co/gpt2/resolve/main/pytorch_model.bin?download=true",
			model(Resolve, "gpt2", "main", "pytorch_model.bin"),
		},
		{
			"https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/bee.jpg",
			dataset(Resolve, "huggingface/documentation-images", "main", "bee.jpg"),
		},
		{
			"https://huggingface.co/spaces/impira/docquery/resolve/2359223c1837a7587402bda0f2643382a6eefeab/invoice.png",
			space(Resolve, "impira/docquery", "2359223c1837a7587402bda0f2643382a6eefeab", "invoice.png"),
		},
		{
			"https://huggingface.co/datasets/squad/resolve/main/plain_text/train.parquet",
			dataset(Resolve, "squad", "main", "plain_text/train.parquet"),
		},
		{"https://huggingface.co/kernels/kernels-community/activation/resolve/main/build.toml", Request{
			Role: RoleHub,
			Kind: Resolve, RepoType: "kernel", Repo: "kernels-community/activation", Revision: "main", Path: "build.toml",
		}},
		// HfFileSystem.url leaves special refs as they are; datasets-server lists the other form.
		{
			"https://huggingface.co/datasets/ibm/duorc/resolve/refs/convert/parquet/ParaphraseRC/train/0000.parquet",
			dataset(Resolve, "ibm/duorc", "refs/convert/parquet", "ParaphraseRC/train/0000.parquet"),
		},
		{
			"https://huggingface.co/datasets/ibm/duorc/resolve/refs%2Fconvert%2Fparquet/ParaphraseRC/train/0000.parquet",
			dataset(Resolve, "ibm/duorc", "refs/convert/parquet", "ParaphraseRC/train/0000.parquet"),
		},
		{"https://huggingface.co/acme/m/resolve/refs/pr/12/x.bin", model(Resolve, "acme/m", "refs/pr/12", "x.bin")},
		{"https://huggingface.co/acme/m/resolve/refs/x.bin", model(Resolve, "acme/m", "refs", "x.bin")},
		// file-download-info.ts with raw, and its noContentDisposition.
		{"https://huggingface.co/acme/m/raw/main/config.json", model(Raw, "acme/m", "main", "config.json")},
		{"https://huggingface.co/spaces/acme/demo/raw/main/app.py", space(Raw, "acme/demo", "main", "app.py")},
		{"https://huggingface.co/acme/m/resolve/main/x.gguf?noContentDisposition=1", model(Resolve, "acme/m", "main", "x.gguf")},
		// Repositories whose names are words of the protocol.
		{"https://huggingface.co/datasets/foo/raw/resolve/main/x.csv", dataset(Resolve, "foo/raw", "main", "x.csv")},
		{"https://huggingface.co/foo/resolve/resolve/main/x.csv", model(Resolve, "foo/resolve", "main", "x.csv")},
		{"https://huggingface.co/datasets/foo/raw/tree/main", dataset(Raw, "foo", "tree", "main")}, // or a page of foo/raw
		{"https://huggingface.co/gpt2/resolve/raw/x.csv", model(Resolve, "gpt2", "raw", "x.csv")},
		// Other names of the Hub.
		{"https://hf.co/gpt2/resolve/main/config.json", model(Resolve, "gpt2", "main", "config.json")},
		{"https://hub-ci.huggingface.co/u/m/resolve/main/x", model(Resolve, "u/m", "main", "x")},
		{"http://huggingface.co:80/gpt2/resolve/main/x", model(Resolve, "gpt2", "main", "x")},

		// Redirects of small files, as seen in logs of transformers.
		{
			"https://huggingface.co/api/resolve-cache/models/google/gemma-4-12B/56820d7d8cbe8e47975a53325439ed272e91cff2/config.json",
			model(ResolveCache, "google/gemma-4-12B", "56820d7d8cbe8e47975a53325439ed272e91cff2", "config.json"),
		},
		{
			"https://huggingface.co/api/resolve-cache/models/Xenova/distilbert/0b6928efcb76139cae2c6881d49cda67fe119f42/config.json?" +
				"%2FXenova%2Fdistilbert%2Fresolve%2Fmain%2Fconfig.json=&etag=%223c36342ef1f74de2797d667c68c6b7b988d0b87c%22",
			model(ResolveCache, "Xenova/distilbert", "0b6928efcb76139cae2c6881d49cda67fe119f42", "config.json"),
		},
		{
			"https://huggingface.co/api/resolve-cache/datasets/NeelNanda/pile-10k/127bfedcd5047750df5ccf3a12979a47bfa0bafa/README.md",
			dataset(ResolveCache, "NeelNanda/pile-10k", "127bfedcd5047750df5ccf3a12979a47bfa0bafa", "README.md"),
		},
		{
			"https://huggingface.co/api/resolve-cache/spaces/hujiecpp/PE3R/9d9b24d67654782ce963d8eedfd9aa3679c818fa/" +
				"modules%2Fsam2%2Futils%2Ftransforms.py?download=true",
			space(ResolveCache, "hujiecpp/PE3R", "9d9b24d67654782ce963d8eedfd9aa3679c818fa", "modules/sam2/utils/transforms.py"),
		},
		{
			"https://huggingface.co/api/resolve-cache/models/gpt2/" + someCommit + "/config.json",
			model(ResolveCache, "gpt2", someCommit, "config.json"),
		},

		// Storage buckets (hf_api.py quotes the whole path; hf_file_system.py keeps slashes).
		{"https://huggingface.co/buckets/acme/store/resolve/dir%2Fweights.pt", Request{
			Role: RoleHub, Kind: BucketFile,
			RepoType: "bucket", Repo: "acme/store", Path: "dir/weights.pt",
		}},
		{"https://huggingface.co/buckets/acme/store/resolve/dir/weights.pt", Request{
			Role: RoleHub, Kind: BucketFile,
			RepoType: "bucket", Repo: "acme/store", Path: "dir/weights.pt",
		}},
		{"https://huggingface.co/buckets/acme/store", page()},
		{"https://huggingface.co/buckets/acme/store/tree/dir", page()},

		// Ollama and llama.cpp before 2026-03.
		{"https://hf.co/v2/", at(RoleHub, API)},
		{"https://hf.co/v2/acme/tiny-gguf/manifests/Q4_K_M", model(Manifest, "acme/tiny-gguf", "Q4_K_M", "")},
		{"https://huggingface.co/v2/acme/tiny-gguf/manifests/latest", model(Manifest, "acme/tiny-gguf", "latest", "")},
		{"https://hf.co/v2/acme/tiny-gguf/blobs/sha256:" + someSHA, Request{
			Role: RoleHub, Kind: Blob, RepoType: "model",
			Repo: "acme/tiny-gguf", SHA256: someSHA,
		}},
		{"https://hf.co/v2/acme/tiny-gguf/blobs/sha256%3A" + strings.ToUpper(someSHA) + "?__sign=x", Request{
			Role: RoleHub,
			Kind: Blob, RepoType: "model", Repo: "acme/tiny-gguf", SHA256: someSHA,
		}},
		{"https://hf.co/v2/acme/tiny-gguf/blobs/sha512:00", Request{Role: RoleHub, Kind: Blob, RepoType: "model", Repo: "acme/tiny-gguf"}},
		{"https://hf.co/v2/acme/tiny-gguf/tags/list", model(API, "acme/tiny-gguf", "", "")},

		// The CDN. In /xet-bridge the last part is Xet's hash.
		{"https://cdn-lfs.huggingface.co/repos/5a/7a/5a7a40f6512b16deb38c9bc923f2b3948a20fc677df61646c205080d13f5bf0c/" + someSHA +
			"?response-content-disposition=attachment%3B+filename*%3DUTF-8", object("", someSHA)},
		{"https://cdn-lfs.huggingface.co/datasets/huggingface/documentation-images/" + someSHA + "?x", object("", someSHA)},
		{"https://cdn-lfs.huggingface.co/gpt2/" + someSHA, object("", someSHA)},
		{"https://cas-bridge.xethub.hf.co/xet-bridge-us/67d3a2c1536175c33a849663/" + someSHA + "?X-Amz-Algorithm=AWS4", object("", "")},
		{"https://us.aws.cdn.hf.co/xet-bridge-us/67d3a2c1536175c33a849663/" + someSHA + "?Expires=1", object("", "")},
		{"https://cdn-uploads.huggingface.co/production/uploads/a.png", object("", "")},
		{"https://cdn-lfs.hf.co/", object("", "")},
		{"https://us.aws.cdn.hf.co/xorb/default/" + someSHA, at(RoleCDN, XetTransfer)},
		{"https://us.aws.cdn.hf.co/x/" + someSHA + "?x-xet-signed-range=bytes%3D0-1", at(RoleCDN, XetTransfer)},

		// Xet.
		{"https://cas-server.xethub.hf.co/v2/reconstructions/" + someSHA, at(RoleXetCAS, XetCAS)},
		{"https://cas-server.xethub-eu.hf.co/v1/reconstructions/" + someSHA, at(RoleXetCAS, XetCAS)},
		{"https://transfer.xethub.hf.co/xorb/default/" + someSHA + "?X-Xet-Signed-Range=bytes%3D0-1", at(RoleXetTransfer, XetTransfer)},
		{
			"https://huggingface.co/api/models/acme/xet-model/xet-read-token/" + someCommit,
			model(XetToken, "acme/xet-model", someCommit, ""),
		},
		{"https://huggingface.co/api/datasets/acme/d/xet-write-token/None", dataset(XetWriteToken, "acme/d", "None", "")},
		{"https://huggingface.co/api/buckets/acme/store/xet-read-token", Request{
			Role: RoleHub, Kind: XetToken,
			RepoType: "bucket", Repo: "acme/store",
		}},
		{"https://huggingface.co/api/models/gpt2/xet-read-token/main", model(XetToken, "gpt2", "main", "")},

		// The API, from the clients' sources.
		{"https://huggingface.co/api/models", at(RoleHub, API)},
		{"https://huggingface.co/api/models/?search=x", at(RoleHub, API)},
		{"https://huggingface.co/api/models/gpt2", model(Info, "gpt2", "", "")},
		{"https://huggingface.co/api/models/acme/big", model(Info, "acme/big", "", "")},
		{"https://huggingface.co/api/models/acme%2Fbig", model(Info, "acme/big", "", "")},
		{"https://huggingface.co/api/models/acme/big?securityStatus=true&blobs=True", model(Info, "acme/big", "", "")},
		{"https://huggingface.co/api/models/acme/big/revision/main", model(Info, "acme/big", "main", "")},
		{"https://huggingface.co/api/models/acme/big/revision/refs%2Fpr%2F1", model(Info, "acme/big", "refs/pr/1", "")},
		{"https://huggingface.co/api/models/gpt2/revision/main", model(Info, "gpt2", "main", "")},
		{"https://huggingface.co/api/datasets/acme/d/revision/refs/convert/parquet", dataset(Info, "acme/d", "refs/convert/parquet", "")},
		{"https://huggingface.co/api/spaces/acme/demo", space(Info, "acme/demo", "", "")},
		{"https://huggingface.co/api/kernels/kernels-community/activation/revision/main", Request{
			Role: RoleHub, Kind: Info,
			RepoType: "kernel", Repo: "kernels-community/activation", Revision: "main",
		}},
		{"https://huggingface.co/api/models/acme/big/tree/main?recursive=true&expand=false", model(Tree, "acme/big", "main", "")},
		{"https://huggingface.co/api/models/acme/big/tree/refs%2Fpr%2F1/sub%20dir", model(Tree, "acme/big", "refs/pr/1", "sub dir")},
		{"https://huggingface.co/api/datasets/acme/d/tree/main/resolve/raw/x", dataset(Tree, "acme/d", "main", "resolve/raw/x")},
		{"https://huggingface.co/api/models/gpt2/tree/main", model(Tree, "gpt2", "main", "")},
		{"https://huggingface.co/api/datasets/foo/raw/tree/main/x", dataset(Tree, "foo/raw", "main", "x")},
		{"https://huggingface.co/api/datasets/foo/parquet/tree/main/a/b", dataset(Tree, "foo/parquet", "main", "a/b")},
		{"https://huggingface.co/api/buckets/acme/store/tree/dir/sub", Request{
			Role: RoleHub, Kind: Tree, RepoType: "bucket",
			Repo: "acme/store", Path: "dir/sub",
		}},
		{"https://huggingface.co/api/models/acme/big/paths-info/main", model(PathsInfo, "acme/big", "main", "")},
		{"https://huggingface.co/api/models/acme/tiny-gguf/refs", model(API, "acme/tiny-gguf", "", "")},
		{"https://huggingface.co/api/models/acme/big/commits/main", model(API, "acme/big", "", "")},
		{"https://huggingface.co/api/models/acme/big/auth-check", model(API, "acme/big", "", "")},
		{"https://huggingface.co/api/models/acme/big/treesize/main/", model(API, "acme/big", "", "")},
		{"https://huggingface.co/api/whoami-v2", at(RoleHub, API)},
		{"https://huggingface.co/api/telemetry/transformers/x", at(RoleHub, API)},
		{"https://huggingface.co/api/agent-harnesses", at(RoleHub, API)},
		// The Hub's Parquet conversions (dataset-viewer docs): lists, then files.
		{"https://huggingface.co/api/datasets/ibm/duorc/parquet", dataset(API, "ibm/duorc", "", "")},
		{"https://huggingface.co/api/datasets/ibm/duorc/parquet/ParaphraseRC/train", dataset(API, "ibm/duorc", "", "")},
		{
			"https://huggingface.co/api/datasets/ibm/duorc/parquet/ParaphraseRC/train/0.parquet",
			dataset(Derived, "ibm/duorc", "refs/convert/parquet", "ParaphraseRC/train/0.parquet"),
		},
		{
			"https://huggingface.co/api/datasets/squad/parquet/plain_text/train/0.parquet",
			dataset(Derived, "squad", "refs/convert/parquet", "plain_text/train/0.parquet"),
		},
		{"https://huggingface.co/api/models/acme/big/compare/main..refs%2Fpr%2F1", model(Derived, "acme/big", "main..refs/pr/1", "")},

		// git and git-lfs.
		{"https://huggingface.co/acme/big/info/refs?service=git-upload-pack", model(GitInfoRefs, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/refs?service=git-receive-pack", model(GitInfoRefs, "acme/big", "", "")},
		{"https://huggingface.co/datasets/squad/info/refs?service=git-upload-pack", dataset(GitInfoRefs, "squad", "", "")},
		{"https://huggingface.co/gpt2.git/git-upload-pack", model(GitUploadPack, "gpt2", "", "")},
		{"https://huggingface.co/datasets/acme/d/git-upload-pack", dataset(GitUploadPack, "acme/d", "", "")},
		{"https://huggingface.co/acme/big.git/git-receive-pack", model(GitReceivePack, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/objects/batch", model(LFSBatch, "acme/big", "", "")},
		{"https://huggingface.co/spaces/acme/demo.git/info/lfs/objects/batch", space(LFSBatch, "acme/demo", "", "")},
		{"https://huggingface.co/gpt2/info/lfs/objects/batch", model(LFSBatch, "gpt2", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/locks", model(LFSLocks, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/locks/verify", model(LFSLocks, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/verify", model(LFSVerify, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/objects/verify", model(LFSVerify, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/info/lfs/objects/" + someSHA, object("acme/big", someSHA)},
		{"https://huggingface.co/acme/big.git/info/lfs/new", model(API, "acme/big", "", "")},
		{"https://huggingface.co/acme/big/info/new", page()},
		// The dumb protocol.
		{"https://huggingface.co/acme/big.git/info/refs", model(GitDumb, "acme/big", "", "")},
		{"https://huggingface.co/acme/big/info/refs?service=x", model(GitDumb, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/HEAD", model(GitDumb, "acme/big", "", "")},
		{"https://huggingface.co/acme/big.git/objects/60/7a30d783dfa663caf39e06633721c8d4cfcd7e", model(GitDumb, "acme/big", "", "")},
		{"https://huggingface.co/gpt2.git/objects/info/packs", model(GitDumb, "gpt2", "", "")},

		// Pages.
		{"https://huggingface.co/", page()},
		{"https://huggingface.co", page()},
		{"https://huggingface.co/gpt2", page()},
		{"https://huggingface.co/acme/big", page()},
		{"https://huggingface.co/acme/objects", page()},
		{"https://huggingface.co/acme/resolve", page()},
		{"https://huggingface.co/acme/objects/tree/main", page()},
		{"https://huggingface.co/acme/big/blob/main/README.md", page()},
		{"https://huggingface.co/datasets/acme/d/tree/main/data/raw/2024", page()},
		{"https://huggingface.co/datasets/acme/d/blob/refs%2Fconvert%2Fparquet/raw/x", page()},
		{"https://huggingface.co/docs/transformers/main/en/model_doc/bert", page()},
		{"https://huggingface.co/front/assets/huggingface_logo-noborder.svg", page()},
		{"https://huggingface.co/.well-known/openapi.json", page()},
		{"https://huggingface.co/datasets?search=raw", page()},
		{"https://huggingface.co/oauth/token", page()},

		// Other hosts.
		{"https://datasets-server.huggingface.co/parquet?dataset=squad", at(RoleAuxiliary, API)},
		{"https://datasets-server.huggingface.co/is-valid?dataset=squad", at(RoleAuxiliary, API)},
		{"https://datasets-server.huggingface.co/cached-assets/acme/d/--/x/--/default/train/0/image/image.jpg", at(RoleAuxiliary, Object)},
		{"https://datasets-server.huggingface.co/assets/x", at(RoleAuxiliary, Object)},
		{"https://datasets-server.huggingface.co/", at(RoleAuxiliary, Object)},
		{"https://router.huggingface.co/v1/chat/completions", at(RoleInference, Relay)},
		{"https://api-inference.huggingface.co/models/gpt2", at(RoleInference, Relay)},
		{"https://user-demo.hf.space/file=/tmp/x.pkl", at(RoleApp, Object)},
		{"https://s3.hf.co/bucket/key", at(RoleStorage, Storage)},
		{"https://discuss.huggingface.co/t/1", at(RoleUnknown, Unknown)},
		{"https://pypi.org/pypi/huggingface_hub/json", at(RoleNotHub, Unknown)},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			tt.want.Method = method
			if diff := cmp.Diff(tt.want, classify(t, method, tt.url)); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, tt.url, diff)
			}
		}
	}
}

func TestRequestString(t *testing.T) {
	for _, tt := range []struct{ url, id, want string }{
		{
			"https://huggingface.co/gpt2/resolve/refs%2Fpr%2F1/a%20b/c%0Ad.bin?token=secret", "gpt2",
			"resolve gpt2@refs%2Fpr%2F1 a%20b/c%0Ad.bin (ambiguous)",
		},
		{"https://huggingface.co/datasets/acme/d/raw/main/é", "datasets/acme/d", "raw datasets/acme/d@main %C3%A9"},
		{"https://cdn-lfs.hf.co/repos/aa/bb/cc/" + someSHA + "?Signature=secret", "", "object sha256:" + someSHA},
		{"https://status.huggingface.co/", "", `unknown host role "unknown"`},
	} {
		r := classify(t, http.MethodGet, tt.url)
		if r.String() != tt.want || r.RepoID() != tt.id {
			t.Errorf("%s: %q, %q; want %q, %q", tt.url, r.String(), r.RepoID(), tt.want, tt.id)
		}
	}
}
