package fetch

import (
	"errors"
	"io"
	"slices"
)

// How much a range request asks for, in bytes. It starts and ends at multiples
// of minRange where it can, so that neighbouring reads find their bytes there,
// and doubles up to maxRange while reads go on where the last range ended.
const (
	minRange = 64 << 10
	maxRange = 1 << 20
)

// maxRanges is how many range requests of one object run at a time.
const maxRanges = 8

// ranges are the requests out of band. Guarded by spool.mu.
type ranges struct {
	refused bool // the upstream does not serve ranges
	single  bool // the upstream serves one range at a time
	running []*rangeFetch
	// expected are on their way because somebody announced to read them.
	expected []*rangeFetch
	recent   [8]span // the last ones that were started, as a ring
	next     int
}

// rangeFetch is one request out of band, shared by all who wait for its bytes.
type rangeFetch struct {
	span
	announced bool // by Expect
	failed    bool // guarded by spool.mu; set when it ends without all its bytes
}

// comes returns what brings the byte at off because it was announced, or nil.
func (rs *ranges) comes(off int64) *rangeFetch {
	for _, f := range rs.expected {
		if f.off <= off && off < f.end {
			return f
		}
	}
	return nil
}

// far reports whether off is worth a request of its own: the stream is not
// about to bring it. Call with mu held.
func (o *Object) far(off int64) bool {
	if o.size < 0 || o.ranges.refused {
		return false
	}
	return off-o.present.front() >= o.opt.Near || o.segments.paused && off >= o.segments.limit
}

// rangeAt returns the request that brings the byte at off and starts it if
// need be; nil when there are too many already. Call with mu held.
func (o *Object) rangeAt(off, end int64) *rangeFetch {
	rs := &o.ranges
	if f := rs.comes(off); f != nil {
		return f
	}
	for _, f := range rs.running {
		if f.off <= off && off < f.end {
			return f
		}
	}
	if len(rs.running) >= maxRanges {
		return nil
	}
	f := &rangeFetch{span: o.rangeFor(off, end)}
	rs.running = append(rs.running, f)
	rs.recent[rs.next%len(rs.recent)] = f.span
	rs.next++
	o.run(func() { o.runRange(f) })
	return f
}

// rangeFor chooses what to ask for when [off, end) is wanted: at least that as
// far as maxRange allows, nothing that is there or on its way already. Call
// with mu held.
func (o *Object) rangeFor(off, end int64) span {
	want := int64(minRange)
	for _, r := range o.ranges.recent {
		if r.end > 0 && r.end == off {
			want = max(want, min(2*(r.end-r.off), maxRange))
		}
	}
	block := off - off%minRange
	want = min(max(want, end-block), maxRange, o.size-block)
	want += min((minRange-want%minRange)%minRange, o.size-block-want)
	s := span{max(block, o.present.before(off)), block + want}
	_, next := o.present.run(off)
	s.end = min(s.end, next)
	for _, f := range o.ranges.running {
		if f.off > off {
			s.end = min(s.end, f.off)
		}
	}
	return s
}

// runRange brings f into the spool and tells who waits for it.
func (o *Object) runRange(f *rangeFetch) {
	err := o.bring(f.span)
	o.ranged(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	f.failed = err != nil
	o.ranges.running = slices.DeleteFunc(o.ranges.running, func(g *rangeFetch) bool { return g == f })
	o.wake()
}

// ranged takes note of how a request out of band ended. A failure that says
// something about the content or the disk is the object's.
func (o *Object) ranged(err error) {
	for _, class := range []error{ErrMismatch, ErrChanged, ErrSpool} {
		if errors.Is(err, class) {
			o.fail(err)
		}
	}
	if errors.Is(err, errNoRanges) {
		o.mu.Lock()
		o.ranges.refused = true
		o.wake()
		o.mu.Unlock()
	}
}

// bring fetches s. An error that says something about the content or the disk
// is the object's; after any other the stream still has its own chance.
func (o *Object) bring(s span) error {
	r := newRetrier(&o.opt)
	for {
		a, err := r.open(o.ctx, o.open, s.off, s.end-s.off)
		if err != nil {
			return err
		}
		if err = o.same(a, s.off); err == nil && a.Off != s.off {
			err = errNoRanges
		}
		if err != nil {
			a.close()
			return err
		}
		s.off, err = o.copy(a, func() int64 { return s.end })
		a.close()
		if s.off >= s.end && (err == nil || errors.Is(err, io.EOF) || retryable(err)) {
			return nil // the end of the body may come with its last bytes
		}
		if errors.Is(err, io.EOF) {
			err = errEndedEarly
		}
		if err := r.pause(o.ctx, err); err != nil {
			return err
		}
	}
}
