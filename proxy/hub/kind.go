package hub

import "fmt"

// Kind is what a request asks for.
type Kind uint8

// The kinds. The zero value is refused.
const (
	// Unknown: the host's role says nothing about its requests.
	Unknown Kind = iota

	// Kinds that deliver a file, or may. See IsFile.

	Resolve      // /{repo}/resolve/{revision}/{path}
	ResolveCache // /api/resolve-cache/{type}/{repo}/{commit}/{path}
	Raw          // /{repo}/raw/{revision}/{path}: an LFS file's pointer, any other file itself
	BucketFile   // /buckets/{bucket}/resolve/{path}
	Blob         // /v2/{repo}/blobs/{digest}
	Object       // content behind a URL of its own: a CDN host, an LFS object, an app
	Derived      // what the Hub makes of files under /api/: Parquet conversions, diffs

	// Kinds that describe files. See IsMetadata.

	Info           // /api/{type}/{repo}[/revision/{revision}]
	Tree           // /api/{type}/{repo}/tree/{revision}[/{path}]
	PathsInfo      // /api/{type}/{repo}/paths-info/{revision}
	API            // any other /api/
	Manifest       // /v2/{repo}/manifests/{tag}
	LFSBatch       // …/info/lfs/objects/batch
	LFSLocks       // …/info/lfs/locks[/…]
	LFSVerify      // …/info/lfs/…/verify
	GitInfoRefs    // …/info/refs?service=git-upload-pack or git-receive-pack
	GitReceivePack // …/git-receive-pack: a push
	Page           // a web page and what belongs to it

	// GitUploadPack is …/git-upload-pack. Its answer is a list of refs or a
	// pack, and a pack holds files: it is neither a file nor metadata. See
	// RewriteUploadPackRequest.
	GitUploadPack
	// Relay is a request to RoleInference, whose answer is generated.
	Relay

	// Kinds that are refused. See Refused.

	XetToken      // /api/{type}/{repo}/xet-read-token/{revision}
	XetWriteToken // /api/{type}/{repo}/xet-write-token/{revision}
	XetCAS        // any request to RoleXetCAS
	XetTransfer   // any request to RoleXetTransfer, or for a xorb elsewhere
	GitDumb       // git's dumb protocol: loose objects and packs as files
	Storage       // any request to RoleStorage

	kinds // how many there are
)

var kindNames = [kinds]string{
	Unknown: "unknown",
	Resolve: "resolve", ResolveCache: "resolve-cache", Raw: "raw", BucketFile: "bucket-file",
	Blob: "blob", Object: "object", Derived: "derived",
	Info: "info", Tree: "tree", PathsInfo: "paths-info", API: "api", Manifest: "manifest",
	LFSBatch: "lfs-batch", LFSLocks: "lfs-locks", LFSVerify: "lfs-verify",
	GitInfoRefs: "git-info-refs", GitReceivePack: "git-receive-pack", Page: "page",
	GitUploadPack: "git-upload-pack", Relay: "relay",
	XetToken: "xet-token", XetWriteToken: "xet-write", XetCAS: "xet-cas", XetTransfer: "xet-transfer", GitDumb: "git-dumb", Storage: "storage",
}

// String returns a short name for logs and metrics.
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// IsFile reports whether the answer is a file, or may be one, so that it has to
// be inspected before it is released.
func (k Kind) IsFile() bool { return Resolve <= k && k <= Derived }

// IsMetadata reports whether the answer only describes files. It can be passed
// on after CleanResponse and, where it is JSON, CleanJSON.
func (k Kind) IsMetadata() bool { return Info <= k && k <= Page }

// Refused reports whether the request is not to be forwarded at all. Every kind
// is a file, metadata, GitUploadPack, Relay or refused.
func (k Kind) Refused() bool { return k == Unknown || k >= XetToken }

// Xet reports whether the request belongs to the Xet protocol; the refusal to
// show is XetRefusal.
func (k Kind) Xet() bool {
	return k == XetToken || k == XetWriteToken || k == XetCAS || k == XetTransfer
}
