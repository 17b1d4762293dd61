package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// Digest is what the whole content came to.
type Digest struct {
	SHA256  string // lower-case hex
	GitSHA1 string // git blob id in lower-case hex; "" unless Options.GitSHA1 was set
	Size    int64  // bytes
}

// Stats count what an Object has done so far.
type Stats struct {
	Requests int64 // attempts to open the upstream, failed ones too
	Received int64 // body bytes from the upstream, those that came twice too
	Front    int64 // length of the prefix that is in the spool
}

// Object is an upstream object on its way into a local file. It is safe for
// concurrent use. Close it.
type Object struct {
	src    Source
	opt    Options
	header http.Header
	etag   string

	ctx    context.Context //nolint:containedctx // the fetch's own life, from Start to Close
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when digest or err is set

	spool
	ranges   ranges
	segments segments

	// Guarded by spool.mu.
	complete bool // the stream saw the end of the content
	verified bool
	digest   Digest
	detached bool

	closing  sync.Once
	closeErr error
	requests atomic.Int64
	received atomic.Int64
}

// Start opens the upstream and returns once it has answered, so that a refusal
// surfaces here as a *StatusError; transient failures are retried first. ctx
// covers the opening only. From then on the fetch runs until the content is
// whole or the Object is closed, whoever else leaves.
func Start(ctx context.Context, src Source, opt Options) (*Object, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	o := &Object{src: src, opt: opt, done: make(chan struct{})}
	o.size, o.max, o.grown = opt.Size, opt.MaxSize, make(chan struct{}, 1)
	o.ctx, o.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	o.file, o.present = opt.Parts.take(&opt)
	a, err := o.begin(ctx)
	if err == nil && o.file == nil {
		if o.file, err = opt.create(opt.Dir); err != nil {
			a.close()
		}
	}
	if err != nil {
		o.giveBack(err)
		return nil, err
	}
	o.run(func() { o.stream(a) })
	o.run(o.hash)
	if o.resumable() {
		o.run(o.keepJournal)
	}
	return o, nil
}

// begin opens the upstream at the first byte that is missing.
func (o *Object) begin(ctx context.Context) (*attempt, error) {
	// The body lives as long as the context it was opened with, hence o.ctx.
	release := context.AfterFunc(ctx, func() { o.cancel(context.Cause(ctx)) })
	n := int64(-1)
	if o.headOnly() {
		n = o.opt.Head
	}
	// The last byte is asked for again if there is nothing else to ask for.
	a, err := newRetrier(&o.opt).open(o.ctx, o.open, max(0, min(o.front(), o.size-1)), n)
	if err != nil {
		release()
		var status *StatusError
		if n > 0 && errors.As(err, &status) && status.total() == 0 {
			err = fmt.Errorf("%w: upstream announces 0 bytes, promised were %d", ErrMismatch, o.opt.Size)
		}
		return nil, err
	}
	if !release() {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = o.adopt(a)
	}
	if err != nil {
		a.close()
	}
	return a, err
}

// headOnly reports whether the stream begins with the head alone.
func (o *Object) headOnly() bool {
	return o.opt.Head > 0 && o.opt.Size > o.opt.Eager && len(o.present) == 0
}

// giveBack ends an object that could not begin, because of err.
func (o *Object) giveBack(err error) {
	o.err = err
	o.cancel(err)
	if o.file != nil {
		_ = o.file.Close() // nothing was written to it
		_ = o.leave()      // what stays is found at the next start
	}
}

// run starts f, which Close waits for. A panic in it, which can come from the
// Source, fails the object and not the process.
func (o *Object) run(f func()) {
	o.users.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				o.fail(fmt.Errorf("%w: %v", errPanic, p))
			}
		}()
		f()
	})
}

// open makes one attempt, and counts it.
func (o *Object) open(ctx context.Context, off, n int64) (*Response, error) {
	o.requests.Add(1)
	return o.src.Open(ctx, off, n)
}

// adopt learns from the first answer what the object is.
func (o *Object) adopt(a *attempt) error {
	if a.Off < 0 || a.Off > o.present.front() {
		return fmt.Errorf("%w: the first answer starts at byte %d", ErrProtocol, a.Off)
	}
	if a.Size >= 0 {
		if o.opt.Size >= 0 && a.Size != o.opt.Size {
			return fmt.Errorf("%w: upstream announces %d bytes, promised were %d", ErrMismatch, a.Size, o.opt.Size)
		}
		o.size = a.Size
	}
	o.header, o.etag = a.Header, a.ETag
	accepts := a.Header.Get("Accept-Ranges")
	o.ranges.refused = accepts == "none"
	o.segments.offered = a.Status == http.StatusPartialContent || accepts == "bytes"
	o.segments.streams = true
	o.plan()
	if o.headOnly() && a.Status == http.StatusPartialContent {
		o.segments.paused, o.segments.limit = true, o.opt.Head
	}
	return nil
}

// Header returns the headers of the upstream's first answer; do not change it.
func (o *Object) Header() http.Header { return o.header }

// Size returns the length in bytes. It is known from Start on when the
// upstream or Options stated it; else it is -1 until the end has arrived.
func (o *Object) Size() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size
}

// Stats returns a snapshot of the counters.
func (o *Object) Stats() Stats {
	return Stats{Requests: o.requests.Load(), Received: o.received.Load(), Front: o.front()}
}

// Done returns a channel that is closed once Wait would not block.
func (o *Object) Done() <-chan struct{} { return o.done }

// Wait returns when the whole content has arrived and equals what Options
// promised, or with the error the object failed with, or when ctx ends. Close
// does not undo a success.
func (o *Object) Wait(ctx context.Context) (Digest, error) {
	o.Resume()
	select {
	case <-o.done:
	case <-ctx.Done():
		// Prefer an outcome that is there to a deadline that is over.
		select {
		case <-o.done:
		default:
			return Digest{}, context.Cause(ctx)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verified {
		return o.digest, nil
	}
	return Digest{}, o.err
}

// Path returns the spool's path. The file is whole once Wait has succeeded and
// gone after Close, unless Detach was called. One that never became whole may
// stay as a part, see Options.Parts.
func (o *Object) Path() string { return o.file.Name() }

// Detach flushes the verified content to the disk and hands the file at Path
// to the caller, who renames or removes it; Close leaves it alone. Reads go on
// until Close. The error is ErrUnverified before Wait would have succeeded, or
// of class ErrSpool.
func (o *Object) Detach() (path string, err error) {
	o.mu.Lock()
	if err := o.err; err != nil || !o.verified {
		o.mu.Unlock()
		if err == nil {
			err = ErrUnverified
		}
		return "", err
	}
	o.users.Add(1) // keeps Close from closing and removing the file
	o.mu.Unlock()
	defer o.users.Done()
	if err := o.file.Sync(); err != nil {
		return "", spoolError(o.dir(), err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detached = true
	return o.Path(), nil
}

// Close ends the fetch and every read with ErrClosed, waits for what the
// Object started, and removes the spool unless it is detached or left as a
// part (see Options.Parts). It may be called more than once, and concurrently.
func (o *Object) Close() error {
	o.closing.Do(func() {
		o.fail(ErrClosed)
		o.users.Wait()
		o.closeErr = o.file.Close()
		o.mu.Lock()
		detached := o.detached
		o.mu.Unlock()
		if detached {
			o.closeErr = errors.Join(o.closeErr, removeJournal(o.Path()))
		} else {
			o.closeErr = errors.Join(o.closeErr, o.leave())
		}
	})
	return o.closeErr
}

// fail ends everything with err. The first error stays, and what has been
// verified can only be closed or lost by the disk.
func (o *Object) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.verified && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrSpool) {
		return
	}
	o.err = err
	if !o.verified {
		close(o.done)
	}
	o.wake()
	o.cancel(err)
}
