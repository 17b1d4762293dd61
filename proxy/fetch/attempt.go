package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// attempt is one answer of the upstream, with the watch that breaks it off
// when nothing arrives. It is used by one goroutine.
type attempt struct {
	*Response
	ctx    context.Context //nolint:containedctx // the attempt's own, ended by close
	cancel context.CancelCauseFunc
	watch  *time.Timer
	stall  time.Duration
}

// openFunc is Source.Open.
type openFunc func(ctx context.Context, off, n int64) (*Response, error)

// try opens the upstream once. The watch runs until the answer is there, and
// then while a Read waits, but not while the caller is busy with the bytes.
func try(ctx context.Context, open openFunc, off, n int64, stall time.Duration) (*attempt, error) {
	a := &attempt{stall: stall}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.watch = time.AfterFunc(stall, func() {
		a.cancel(fmt.Errorf("%w for %v", ErrStalled, stall))
	})
	resp, err := open(a.ctx, off, n)
	a.watch.Stop()
	if err != nil {
		err = a.cause(err)
		a.cancel(nil)
		return nil, err
	}
	a.Response = resp
	return a, nil
}

// Read reads the body.
func (a *attempt) Read(p []byte) (int, error) {
	a.watch.Reset(a.stall)
	n, err := a.Body.Read(p)
	a.watch.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = a.cause(err)
	}
	return n, err
}

// cause replaces err, which may be any consequence of a cancelled context, by
// the reason for which it was cancelled.
func (a *attempt) cause(err error) error {
	if cause := context.Cause(a.ctx); cause != nil {
		return cause
	}
	return err
}

func (a *attempt) close() {
	a.watch.Stop()
	a.cancel(nil)
	_ = a.Body.Close() // the bytes that count are in the spool
}

// progress is how many new bytes make an attempt a success, which gives the
// next ones the whole number of retries again.
const progress = 256 << 10

// retrier paces the attempts at one piece of work.
type retrier struct {
	o    *Options
	left int
	back *backoff.ExponentialBackOff
}

func newRetrier(o *Options) *retrier {
	back := backoff.NewExponentialBackOff()
	back.InitialInterval = o.RetryDelay
	back.MaxInterval = max(o.RetryDelay, maxRetryDelay)
	r := &retrier{o: o, back: back}
	r.reset()
	return r
}

func (r *retrier) reset() {
	r.left = r.o.Retries
	r.back.Reset()
}

// pause waits until the attempt that failed with err may be repeated. It
// returns err itself when that would be no use: err is final, the retries are
// used up, or the upstream asks for more patience than Options.MaxRetryAfter.
func (r *retrier) pause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if r.left <= 0 || !retryable(err) {
		return err
	}
	r.left--
	delay := r.back.NextBackOff()
	var status *StatusError
	if errors.As(err, &status) {
		if asked, ok := status.RetryAfter(); ok {
			if asked > r.o.MaxRetryAfter {
				return err
			}
			delay = max(delay, asked)
		}
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// open tries until the upstream answers or the retries end.
func (r *retrier) open(ctx context.Context, open openFunc, off, n int64) (*attempt, error) {
	for {
		a, err := try(ctx, open, off, n, r.o.StallTimeout)
		if err == nil {
			return a, nil
		}
		if err := r.pause(ctx, err); err != nil {
			return nil, err
		}
	}
}
