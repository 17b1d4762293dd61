package fetch

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// stream brings the content from front to back, beginning with a.
func (o *Object) stream(a *attempt) {
	end, err := o.fill(a)
	if err == nil {
		err = o.ended(end)
	}
	if err != nil {
		o.fail(err)
	}
}

// fill copies a, and what continues it, until the content ends. It returns the
// content's size as the stream saw it.
func (o *Object) fill(a *attempt) (int64, error) {
	r := newRetrier(&o.opt)
	lastEOF := int64(-1)
	for {
		before := o.front()
		end, err := o.copy(a, o.streamLimit)
		a.close()
		if err == nil || errors.Is(err, io.EOF) && end >= o.streamLimit() {
			if a, err = o.beyond(r); a != nil {
				continue
			}
		}
		size := o.Size()
		switch {
		case o.whole() && (errors.Is(err, io.EOF) || retryable(err)):
			return size, nil // a cut behind the last byte does no harm
		case !errors.Is(err, io.EOF):
		case size < 0 && end < o.front():
			return 0, fmt.Errorf("%w: it ended at byte %d, %d had been there", ErrChanged, end, o.front())
		case size < 0:
			return end, nil
		case end == lastEOF:
			// Once looks like a cut; twice at one place is what it has.
			return 0, fmt.Errorf("%w: it ended at %d of %d bytes", ErrMismatch, end, size)
		default:
			lastEOF, err = end, errEndedEarly
		}
		if o.front()-before >= progress {
			r.reset()
		}
		if a, err = o.resume(r, err); err != nil {
			return 0, err
		}
		if a == nil {
			return o.front(), nil
		}
	}
}

// beyond goes on behind the stream's limit. It returns what continues the
// stream, or nil and io.EOF if segments have brought the rest.
func (o *Object) beyond(r *retrier) (*attempt, error) {
	waited, err := o.pause()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	more := waited && !o.segments.wide && o.present.front() < o.size
	o.mu.Unlock()
	if !more {
		return nil, o.spread()
	}
	return o.reopen(r)
}

// resume reopens the upstream at the front after err. It returns nil if there
// turns out to be nothing behind the front of an object of unknown size.
func (o *Object) resume(r *retrier, err error) (*attempt, error) {
	if err := r.pause(o.ctx, err); err != nil {
		return nil, o.truncated(err)
	}
	return o.reopen(r)
}

// truncated wraps an error after which nobody will try again.
func (o *Object) truncated(err error) error {
	if retryable(err) {
		err = fmt.Errorf("%w at byte %d: %w", ErrTruncated, o.front(), err)
	}
	return err
}

// reopen opens the upstream at the front, as resume does.
func (o *Object) reopen(r *retrier) (*attempt, error) {
	front := o.front()
	a, err := r.open(o.ctx, o.open, front, -1)
	var status *StatusError
	switch {
	case err == nil:
	case errors.As(err, &status) && status.total() >= 0:
		switch size, total := o.Size(), status.total(); {
		case size < 0 && total == front:
			return nil, nil
		case total != size || total <= front:
			return nil, fmt.Errorf("%w: it has %d bytes now", ErrChanged, total)
		}
		return nil, fmt.Errorf("%w: range at %d of %d refused: %w", ErrProtocol, front, status.total(), err)
	case errors.As(err, &status):
		return nil, fmt.Errorf("%w at byte %d: %w", ErrTruncated, front, err)
	default:
		return nil, o.truncated(err)
	}
	if err := o.same(a, front); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// same checks that a later answer belongs to the content that the first one
// began, and that it covers the byte at off.
func (o *Object) same(a *attempt, off int64) error {
	size := o.Size()
	switch {
	case a.Off > off || a.Off < 0:
		return fmt.Errorf("%w: asked for byte %d, the answer starts at %d", ErrProtocol, off, a.Off)
	case size >= 0 && a.Size >= 0 && a.Size != size:
		return fmt.Errorf("%w: it had %d bytes and has %d now", ErrChanged, size, a.Size)
	case o.opt.hashed() || o.etag == "" || a.ETag == "":
		return nil
	case strings.TrimPrefix(a.ETag, "W/") != strings.TrimPrefix(o.etag, "W/"):
		return fmt.Errorf("%w: its ETag was %.80q and is %.80q now", ErrChanged, o.etag, a.ETag)
	}
	return nil
}

// maxEmptyReads is how many reads in a row may return neither byte nor error.
const maxEmptyReads = 100

// copy moves the body of a into the spool, at most up to the byte limit, which
// may come down meanwhile. It returns the position it got to, and io.EOF when
// the body ended before.
func (o *Object) copy(a *attempt, limit func() int64) (pos int64, err error) {
	pos = a.Off
	g := newGather(o, pos, a.cancel)
	defer func() {
		if late := g.close(); late != nil {
			err = late
		}
	}()
	for empty := 0; ; {
		end := limit()
		if pos >= end {
			return pos, nil
		}
		n, err := a.Read(g.room(end - pos))
		if n > 0 {
			empty = 0
			o.received.Add(int64(n))
			pos += int64(n)
			if err := g.add(n); err != nil {
				return pos, err
			}
		} else if empty++; err == nil && empty > maxEmptyReads {
			err = io.ErrNoProgress
		}
		if err != nil {
			return pos, err
		}
	}
}

// ended notes that the content ends at size and leaves the rest to hash.
func (o *Object) ended(size int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if f := o.present.front(); f != size {
		return fmt.Errorf("%w: %d of %d bytes arrived", ErrMismatch, f, size)
	}
	o.size, o.complete = size, true
	o.tell()
	o.wake()
	return nil
}
