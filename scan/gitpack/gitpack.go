// Package gitpack looks into git packs, as they are on disk and as a server
// sends them to git clone and git fetch.
//
// A small file that is committed without Git LFS reaches a developer inside a
// pack, where a scanner of files never sees it. A pack (gitformat-pack(5)) is
// a header, objects, and a hash over both; an object is a commit, a tree, a
// tag or a blob, compressed by zlib on its own, or a delta against another
// object that is named by its offset or its id. On the wire
// (gitprotocol-pack(5), gitprotocol-v2(5)) the pack is cut into pkt-lines and
// shares them with progress messages: side-band 1 is the pack.
//
// Nothing in a pack executes by itself: git hooks do not travel. The danger is
// in the blobs, so each goes back to the engine as a member, named as the
// trees of the pack name it.
//
// A thin pack refers to objects that only the receiver has. What they are
// made into can not be known here, so it is a limit error; a proxy asks the
// server for packs that stand alone.
package gitpack

import (
	"bytes"
	"context"

	"modelwall/scan"
)

// Bounds on the work and memory for one pack, beside the engine's own. Big
// files are no objects of a pack: they are Git LFS's.
const (
	maxObjects  = 1_000_000
	maxSegments = 4 << 20  // pieces of side-band; git sends 64 KiB in one
	maxObject   = 32 << 20 // bytes of an object that takes part in deltas
	maxHeld     = 64 << 20 // bytes of all objects held along one chain of deltas
	maxNames    = 100_000
	maxName     = 255 // bytes; no file system takes more

	// A delta of a few bytes makes as many as its base has. These many bytes
	// may come out of a pack for each of its own, above a floor for small ones.
	maxExpansion = 200
	freeBytes    = 64 << 20
)

// Scanner inspects git packs.
type Scanner struct{}

// New returns the scanner.
func New() *Scanner { return &Scanner{} }

// Format implements scan.Scanner.
func (*Scanner) Format() string { return "git-pack" }

// Version implements scan.Scanner.
func (*Scanner) Version() int { return 1 }

// openings are what the first pkt-line of an answer with a pack begins with.
var openings = [...]string{
	"NAK", "ACK ", "acknowledgments", "packfile", "shallow", "unshallow ", "wanted-refs", "ERR ", "\x01PACK", "\x02",
}

// Match implements scan.Scanner.
func (*Scanner) Match(p scan.Probe) bool {
	if bytes.HasPrefix(p.Head, []byte("PACK\x00\x00\x00")) {
		return true
	}
	for head := p.Head; ; {
		n, ok := pktLength(head)
		if !ok {
			return false
		}
		if n < pktHeader { // a flush or delimiter; what follows decides
			head = head[pktHeader:]
			continue
		}
		for _, o := range openings {
			if bytes.HasPrefix(head[pktHeader:], []byte(o)) {
				return true
			}
		}
		return false
	}
}

// Scan implements scan.Scanner.
func (*Scanner) Scan(ctx context.Context, f scan.File, s scan.Sink) error {
	pack, err := demux(ctx, f)
	if err != nil {
		return err
	}
	if pack.size == 0 { // an answer without a pack: refs, an error
		return nil
	}
	w := &walk{
		pack: pack, sink: s, left: freeBytes + maxExpansion*pack.size,
		byOffset: map[int64]int32{}, byID: map[id]int32{}, names: map[id]string{},
	}
	// A pack that breaks off still delivers the objects before the break.
	broken := w.index(ctx)
	if err := w.report(ctx); err != nil {
		return err
	}
	return broken
}
