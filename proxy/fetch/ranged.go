package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// How a Ranged reads, in bytes.
const (
	// block is the unit of requests and of the cache: a few local headers of
	// an archive, the smallest piece that is worth a round trip.
	block = 8 << 10
	// atOnce is the size up to which an object is fetched by one request.
	atOnce = 128 << 10
	// maxAhead bounds the read-ahead of sequential reads.
	maxAhead = 2 << 20
	// maxBlocks bounds the cache, 8 MiB, which is the memory of a Ranged.
	maxBlocks = 8 << 20 / block
)

// Ranged is an upstream object that is read where it lies, by range requests
// for what somebody asks for: nothing is stored but a bounded number of blocks.
// It suits a reader who wants little of much, such as the header of 40 GB of
// tensors. Reads that follow each other are answered by ever larger requests.
//
// Nobody hashes an object of which parts are read: what ReadAt returns is what
// the upstream said, of the length and under the entity tag that it began with.
//
// It is safe for concurrent use, one read at a time.
type Ranged struct {
	src Source
	opt Options
	ctx context.Context //nolint:containedctx // io.ReaderAt has no parameter for it

	mu     sync.Mutex
	blocks *simplelru.LRU[int64, []byte] // by number
	next   int64                         // where the last request ended
	ahead  int64                         // what it read ahead
	etag   string
	stats  Stats
}

// NewRanged returns a reader over src, whose length Options.Size has to state.
// It asks for nothing yet. All its reads end with ctx. Of the options, those
// about patience and Size count.
func NewRanged(ctx context.Context, src Source, opt Options) (*Ranged, error) {
	if opt.Size < 0 {
		return nil, errors.New("fetch: a Ranged needs to know the size")
	}
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	blocks, err := simplelru.NewLRU[int64, []byte](maxBlocks, nil)
	if err != nil {
		return nil, err
	}
	return &Ranged{src: src, opt: opt, ctx: ctx, blocks: blocks, next: -1}, nil
}

// Size returns the length in bytes.
func (r *Ranged) Size() int64 { return r.opt.Size }

// Stats returns a snapshot of the counters; Front is 0.
func (r *Ranged) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// ReadAt implements io.ReaderAt. Its errors are of the classes of this
// package, a *StatusError, or the context's.
func (r *Ranged) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("fetch: negative offset")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= r.opt.Size {
			return n, io.EOF
		}
		b, ok := r.blocks.Get(at / block)
		if !ok {
			if err := r.load(at, min(off+int64(len(p)), r.opt.Size)); err != nil {
				return n, err
			}
			continue
		}
		n += copy(p[n:], b[at%block:])
	}
	return n, nil
}

// load fetches the block at off, and what is wanted and missing behind it up
// to end, within the bounds of one request.
func (r *Ranged) load(off, end int64) error {
	from := off - off%block
	r.ahead = min(4*r.ahead, maxAhead)
	if from != r.next {
		r.ahead = block // a jump: no more than was asked for
	}
	end = min(max(end, from+r.ahead), from+maxAhead)
	if r.opt.Size <= atOnce {
		end = r.opt.Size
	}
	to := from + block
	for to < end && !r.blocks.Contains(to/block) {
		to += block
	}
	to = min(to, r.opt.Size)
	b := make([]byte, to-from)
	if err := r.fetch(b, from); err != nil {
		return err
	}
	for at := from; at < to; at += block {
		r.blocks.Add(at/block, b[at-from:min(at-from+block, int64(len(b)))])
	}
	r.next = to
	return nil
}

// fetch fills b with the bytes at off, over as many attempts as it takes.
func (r *Ranged) fetch(b []byte, off int64) error {
	tries := newRetrier(&r.opt)
	n := 0
	for {
		m, err := r.attempt(b[n:], off+int64(n))
		n += m
		if n == len(b) {
			return nil
		}
		if m >= progress {
			tries.reset()
		}
		if err := tries.pause(r.ctx, err); err != nil {
			return err
		}
	}
}

// attempt makes one request for the bytes at off, and returns how many came.
// It returns an error if they are not all.
func (r *Ranged) attempt(b []byte, off int64) (int, error) {
	r.stats.Requests++
	a, err := try(r.ctx, r.src.Open, off, int64(len(b)), r.opt.StallTimeout)
	if err != nil {
		return 0, err
	}
	defer a.close()
	if err := r.same(a.Response); err != nil {
		return 0, err
	}
	if a.Off != off {
		// It begins at 0: the object is small enough to skip to the place, or
		// it can not be read like this.
		if off > atOnce {
			return 0, errNoRanges
		}
		skipped, err := io.CopyN(io.Discard, a, off-a.Off)
		r.stats.Received += skipped
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrTruncated, err)
		}
	}
	n, err := io.ReadFull(a, b)
	r.stats.Received += int64(n)
	if err != nil {
		return n, fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return n, nil
}

// same checks that an answer is of the object that the first one was of.
func (r *Ranged) same(a *Response) error {
	if a.Size >= 0 && a.Size != r.opt.Size {
		return fmt.Errorf("%w: upstream announces %d bytes, promised were %d", ErrMismatch, a.Size, r.opt.Size)
	}
	if a.ETag == "" || strings.HasPrefix(a.ETag, "W/") {
		return nil
	}
	if r.etag != "" && r.etag != a.ETag {
		return fmt.Errorf("%w: its entity tag is another one", ErrChanged)
	}
	r.etag = a.ETag
	return nil
}

// Get returns the whole body that src answers with, and its header, with the
// patience of opt: for texts that are not worth an Object. The caller closes
// the body.
func Get(ctx context.Context, src Source, opt Options) (io.ReadCloser, *Response, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, nil, err
	}
	a, err := newRetrier(&opt).open(ctx, src.Open, 0, -1)
	if err != nil {
		return nil, nil, err
	}
	return closer{a}, a.Response, nil
}

// closer is an attempt's body with the watch over it.
type closer struct{ *attempt }

// Close implements io.Closer.
func (c closer) Close() error {
	c.close()
	return nil
}
