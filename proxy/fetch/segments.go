package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// How much of a large object one request of several asks for, in bytes: a
// share of what is left, so that all end at about the same time.
const (
	minSegment = 2 << 20
	maxSegment = 16 << 20
	islet      = 128 << 10 // what is there and is no end to a segment
)

// segments divide what lies ahead of the stream among parallel requests. They
// begin when Widen is called or the stream has come far; the stream then ends
// at its limit and becomes one of them. Guarded by spool.mu.
//
//	           0          front    limit                            size
//	spool      |############|- - - - |#####|- - -|######|- - - - - - |
//	               stream >            claim ^      claim ^
type segments struct {
	offered bool   // the upstream says that it serves ranges
	limit   int64  // where the stream stops; segments lie behind it
	paused  bool   // it waits there for Resume, Widen or a reader
	wide    bool   // the other workers have been started
	streams bool   // the stream is still under way to limit
	claimed []span // what a worker is bringing
}

// parallel reports whether the object can be fetched in segments. Call with mu
// held.
func (o *Object) parallel() bool {
	return o.opt.Parallel > 1 && o.size >= 0 && o.segments.offered && !o.ranges.refused
}

// Widen fetches what is left with Options.Parallel requests at a time, if it is
// enough to be worth them. It does not block, and may be called more than once.
func (o *Object) Widen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	front := o.present.front()
	if o.segments.wide || !o.parallel() || o.err != nil || o.verified || o.size-front < 2*minSegment {
		return
	}
	o.segments.wide = true
	o.unpause()
	o.segments.limit = min(o.segments.limit, front+o.segmentSize(front))
	for range o.opt.Parallel - 1 {
		o.run(o.assist)
	}
}

// Resume lets a stream go on that waits behind Options.Head bytes. It does not
// block, and may be called more than once.
func (o *Object) Resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unpause()
}

// unpause is Resume with mu held.
func (o *Object) unpause() {
	if !o.segments.paused {
		return
	}
	o.segments.paused = false
	o.plan()
	o.wake()
}

// pause waits at the end of the head until the stream may go on, and reports
// whether it was there.
func (o *Object) pause() (bool, error) {
	for waited := false; ; waited = true {
		o.mu.Lock()
		if o.err != nil || !o.segments.paused {
			defer o.mu.Unlock()
			return waited, o.err
		}
		changed := o.wait()
		o.mu.Unlock()
		select {
		case <-changed:
		case <-o.ctx.Done():
			return true, context.Cause(o.ctx)
		}
	}
}

// plan decides where the stream stops. Call with mu held.
func (o *Object) plan() {
	o.segments.limit = math.MaxInt64
	if !o.parallel() {
		return
	}
	front := o.present.front() // of a part, or of a head
	eager := max(o.opt.Eager, front+o.segmentSize(front))
	if o.size-eager >= 2*minSegment {
		o.segments.limit = eager
	}
}

// segmentSize is how much of what lies behind front one request asks for. Call
// with mu held.
func (o *Object) segmentSize(front int64) int64 {
	return max(minSegment, min((o.size-front)/int64(o.opt.Parallel), maxSegment))
}

// streamLimit is where the stream has to stop now.
func (o *Object) streamLimit() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.segments.limit
}

// assist brings segments beside the stream until there are none left. What it
// can not bring another worker will, or the stream.
func (o *Object) assist() {
	for o.opt.Slots == nil || o.opt.Slots.TryAcquire(1) {
		s, ok := o.claim()
		if ok {
			err := o.bring(s)
			o.unclaim(s, err)
			ok = err == nil
		}
		if o.opt.Slots != nil {
			o.opt.Slots.Release(1)
		}
		if !ok {
			return
		}
	}
}

// rest brings segments in the stream's place until the object is whole, or one
// of them can not be had.
func (o *Object) rest() error {
	o.Widen()
	o.mu.Lock()
	o.segments.streams = false
	o.mu.Unlock()
	for {
		s, ok := o.claim()
		if !ok {
			if done, err := o.others(); done {
				return err
			}
			continue
		}
		err := o.bring(s)
		o.unclaim(s, err)
		if err != nil {
			return err
		}
	}
}

// others waits for a change in what the other workers are bringing, and
// reports whether there is nothing more to wait for.
func (o *Object) others() (done bool, err error) {
	o.mu.Lock()
	err = o.err
	if err == nil && !o.parallel() && o.present.front() < o.size {
		err = errNoRanges
	}
	if err != nil || o.present.front() == o.size {
		o.mu.Unlock()
		return true, err
	}
	changed := o.wait()
	o.mu.Unlock()
	select {
	case <-changed:
		return false, nil
	case <-o.ctx.Done():
		return true, o.ctx.Err()
	}
}

// alone makes the stream the only one again, because segments can not be had.
func (o *Object) alone() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.segments.limit, o.segments.streams = math.MaxInt64, true
}

// claim takes the first piece that is neither there nor on its way.
func (o *Object) claim() (span, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || !o.parallel() {
		return span{}, false
	}
	pos := o.present.front()
	if o.segments.streams {
		pos = max(pos, o.segments.limit)
	}
	for pos < o.size {
		held, end := o.present.run(pos)
		if held {
			pos = end
			continue
		}
		reach := min(pos+o.segmentSize(pos), o.size)
		// What a reader wanted in between comes again: a request more takes
		// longer.
		for end < reach {
			_, until := o.present.run(end)
			if until-end > islet {
				break
			}
			_, end = o.present.run(until)
		}
		s := span{pos, min(end, reach)}
		for _, c := range o.segments.claimed { // in order
			if c.off <= s.off && s.off < c.end {
				s.off = c.end
			} else if c.off > s.off {
				s.end = min(s.end, c.off)
			}
		}
		if s.off < s.end {
			i, _ := slices.BinarySearchFunc(o.segments.claimed, s, func(a, b span) int { return int(a.off - b.off) })
			o.segments.claimed = slices.Insert(o.segments.claimed, i, s)
			return s, true
		}
		pos = max(s.off, s.end)
	}
	return span{}, false
}

// unclaim ends the claim on s, which err kept from coming.
func (o *Object) unclaim(s span, err error) {
	o.ranged(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.segments.claimed = slices.DeleteFunc(o.segments.claimed, func(c span) bool { return c == s })
	o.wake()
}

// spread ends a stream that came to its limit: segments bring the rest. A
// failure is one of the network that the stream may still get over alone.
func (o *Object) spread() error {
	err := o.rest()
	if err == nil {
		return io.EOF
	}
	o.alone()
	var status *StatusError
	if errors.Is(err, errNoRanges) || errors.As(err, &status) && !retryable(err) {
		return fmt.Errorf("%w: %v", errEndedEarly, err) //nolint:errorlint // it was a segment's alone
	}
	return err
}
