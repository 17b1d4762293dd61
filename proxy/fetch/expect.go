package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"slices"
	"sync"
	"sync/atomic"
)

// Bounds of what Expect fetches. A reader that announces more gets the rest as
// it asks for it.
const (
	maxExpected      = 8 << 20 // bytes
	maxExpectedRuns  = 8192
	expectedTogether = 192     // runs in one request: Apache's limit is 200, nginx's a header of 8 KB
	expectedBytes    = 1 << 20 // in one request, as for any range
	expectedGap      = 256     // a gap that costs no more than the head of a part
	soloExpected     = 16      // requests side by side, where each brings one run
)

// Expect announces that the bytes of some runs, each [first byte, byte behind
// the last), will be read soon, so that those that are far come side by side,
// and many in one request where the upstream answers in parts (RFC 9110, 14.6).
// It does not block, and it is a hint: reads return what they would without.
func (r readerAt) Expect(runs [][2]int64) { r.o.Expect(runs) }

// Expect is that of Object.Reader.
func (o *Object) Expect(runs [][2]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.verified || o.size < 0 || o.ranges.refused {
		return
	}
	var list []*rangeFetch
	for _, s := range o.worthAsking(runs) {
		list = append(list, &rangeFetch{span: s, announced: true})
	}
	if len(list) == 0 {
		return
	}
	o.ranges.expected = append(o.ranges.expected, list...)
	todo := &batches{left: together(list)}
	for range min(maxRanges, len(todo.left)) {
		o.run(func() {
			for {
				batch := todo.next()
				if batch == nil {
					return
				}
				o.bringExpected(batch)
			}
		})
	}
}

// batches hands out work to several workers.
type batches struct {
	mu   sync.Mutex
	left [][]*rangeFetch
}

func (b *batches) next() []*rangeFetch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == 0 {
		return nil
	}
	batch := b.left[0]
	b.left = b.left[1:]
	return batch
}

// worthAsking makes of runs what is missing and not about to come anyway,
// sorted, and merged where the gap between two is not worth a part. Call with
// mu held.
func (o *Object) worthAsking(runs [][2]int64) []span {
	sorted := make([]span, 0, min(len(runs), maxExpectedRuns))
	for _, r := range runs[:min(len(runs), maxExpectedRuns)] {
		if s := (span{max(r[0], 0), min(r[1], o.size)}); s.off < s.end {
			sorted = append(sorted, s)
		}
	}
	slices.SortFunc(sorted, func(a, b span) int { return cmp.Compare(a.off, b.off) })
	var list []span
	var total int64
	for _, s := range sorted {
		if held, end := o.present.run(s.off); held {
			s.off = end
		}
		if s.off >= s.end || !o.far(s.off) || o.ranges.comes(s.off) != nil {
			continue
		}
		if last := len(list) - 1; last >= 0 && s.off <= list[last].end+expectedGap {
			total += max(0, s.end-list[last].end)
			list[last].end = max(list[last].end, s.end)
		} else {
			total += s.end - s.off
			list = append(list, s)
		}
		if total > maxExpected {
			return list[:len(list)-1]
		}
	}
	return list
}

// together divides list into what is asked for at once.
func together(list []*rangeFetch) (batches [][]*rangeFetch) {
	var batch []*rangeFetch
	var n int64
	for _, f := range list {
		if len(batch) == expectedTogether || len(batch) > 0 && n+f.end-f.off > expectedBytes {
			batches, batch, n = append(batches, batch), nil, 0
		}
		batch, n = append(batch, f), n+f.end-f.off
	}
	return append(batches, batch)
}

// bringExpected fetches batch and tells who waits for it. What did not come,
// a read will ask for.
func (o *Object) bringExpected(batch []*rangeFetch) {
	o.mu.Lock()
	single := o.ranges.single
	o.mu.Unlock()
	var err error
	if many, ok := o.src.(partsSource); ok && !single && len(batch) > 1 {
		err = o.bringParts(many, batch)
		o.ranged(err)
	}
	o.mu.Lock()
	missing := o.missing(batch)
	if errors.Is(err, errNoParts) || err == nil && len(missing) > 0 {
		o.ranges.single = true
	}
	o.mu.Unlock()
	o.ranged(o.bringEach(missing))
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.missing(batch) {
		f.failed = true
	}
	o.ranges.expected = slices.DeleteFunc(o.ranges.expected, func(f *rangeFetch) bool { return slices.Contains(batch, f) })
	o.wake()
}

// missing returns those of batch that are not there. Call with mu held.
func (o *Object) missing(batch []*rangeFetch) []*rangeFetch {
	return slices.DeleteFunc(slices.Clone(batch), func(f *rangeFetch) bool {
		held, end := o.present.run(f.off)
		return held && end >= f.end
	})
}

// bringEach fetches the runs of batch by requests of their own.
func (o *Object) bringEach(batch []*rangeFetch) error {
	var next atomic.Int64
	workers := min(soloExpected, len(batch))
	results := make(chan error, workers)
	for range workers {
		o.run(func() {
			err := errPanic // if that is how it ends
			defer func() { results <- err }()
			for i := next.Add(1) - 1; i < int64(len(batch)); i = next.Add(1) - 1 {
				if err = o.bring(batch[i].span); err != nil {
					return
				}
			}
			err = nil
		})
	}
	var first error
	for range workers {
		first = cmp.Or(first, <-results)
	}
	return first
}

// partsSource is a Source that can be asked for several runs in one request.
type partsSource interface {
	// openParts returns an answer whose Body is a multipart/byteranges with
	// the given boundary, or errNoParts.
	openParts(ctx context.Context, runs []span) (r *Response, boundary string, err error)
}

// bringParts fetches batch by one request. The error is errNoParts if the
// upstream has an answer of its own to that.
func (o *Object) bringParts(src partsSource, batch []*rangeFetch) error {
	runs := make([]span, len(batch))
	var asked int64
	for i, f := range batch {
		runs[i] = f.span
		asked += f.end - f.off
	}
	var boundary string
	open := func(ctx context.Context, _, _ int64) (r *Response, err error) {
		o.requests.Add(1)
		r, boundary, err = src.openParts(ctx, runs)
		return r, err
	}
	a, err := newRetrier(&o.opt).open(o.ctx, open, 0, -1)
	if err != nil {
		return err
	}
	defer a.close()
	if err := o.same(a, 0); err != nil {
		return err
	}
	const partHead = 1 << 10
	parts := multipart.NewReader(io.LimitReader(a, asked+int64(len(batch)+1)*partHead), boundary)
	var scratch []byte
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errEndedEarly, err)
		}
		got, total, err := contentRange(map[string][]string(p.Header))
		if err != nil {
			return err
		}
		known := slices.ContainsFunc(runs, func(s span) bool { return s.off <= got.off && got.end <= s.end })
		if !known || total >= 0 && total != o.Size() {
			return fmt.Errorf("%w: a part of bytes %d-%d/%d nobody asked for", ErrProtocol, got.off, got.end-1, total)
		}
		b := make([]byte, got.end-got.off) // no more than was asked for
		n, err := io.ReadFull(p, b)
		o.received.Add(int64(n))
		if err != nil {
			return fmt.Errorf("%w: %w", errEndedEarly, err)
		}
		if err := o.put(o.ctx, got.off, b, &scratch); err != nil {
			return err
		}
	}
}
