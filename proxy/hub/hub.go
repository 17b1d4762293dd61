// Package hub knows the Hugging Face Hub's wire protocol: which host plays
// which part, which request is which file, and what has to be rewritten so that
// a file travels in a form that can be inspected. Everything here is a pure
// function of its arguments: no I/O, no state, no configuration.
//
// # How a file travels
//
// A client asks the Hub for /{repo}/resolve/{revision}/{path}. A file kept in
// git is answered with a relative 307 to /api/resolve-cache/…, and from there
// with the content; a file kept in Git LFS or Xet is answered with a 302 to a
// signed URL on a CDN host, and the file's metadata is in the headers of that
// 302: X-Repo-Commit, X-Linked-Etag (the sha256), X-Linked-Size. The same
// content can be reached as an OCI blob (/v2/{repo}/blobs/sha256:…, which
// Ollama uses), through the Git LFS batch API, in a git pack, from a storage
// bucket, and through Xet.
//
// # What is dangerous in it
//
// Xet fetches deduplicated chunks out of order from hosts of its own, so a
// firewall never sees a file; clients choose Xet on any of five signals, and
// each has to be removed on its own (CleanRequest, CleanResponse, CleanJSON). A
// client that still tries is refused, or answered by ourselves (package
// proxy/xet); XetToken, XetCAS and XetTransfer are never passed on.
//
// A path can be spelled in many ways ("/resolve/", "/%72esolve/", "//resolve/",
// "/x/../resolve/"), and servers do not agree on what such a spelling means.
// Classify therefore calls metadata only what can be nothing else. A spelling
// that another server could read as a file is classified as a file and marked
// Ambiguous; a caller refuses it, because the repository and path in the
// Request might not be those that the Hub would serve.
//
// The hashes in a URL or in an ETag are hints. The CDN's own ETag of a file
// that came from Xet has 64 hex digits and is not its sha256; only
// X-Linked-Etag is (see Meta).
//
// # Where it is specified
//
// The Hub's routes: https://huggingface.co/.well-known/openapi.json and the
// sources of the clients (huggingface_hub, huggingface.js, hf-hub, llama.cpp,
// Ollama). Git LFS: docs/api in github.com/git-lfs/git-lfs. Git's smart HTTP
// and pkt-lines: gitprotocol-http(5), gitprotocol-v2(5), gitprotocol-pack(5).
// Xet: https://huggingface.co/docs/xet.
package hub
