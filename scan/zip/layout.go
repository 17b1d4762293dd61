package zip

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"modelwall/scan"
)

// span is a stretch of the file that is accounted for.
type span struct{ from, to int64 }

func (w *walk) account(from, to int64) {
	w.spans = append(w.spans, span{from, min(to, w.size)})
}

// unaccounted looks for members that no directory lists: where a reader that
// believes a local header goes on, and in every stretch that belongs to
// nothing. A prefix is not looked into unless it starts with a local header:
// what a file is by its first bytes is for other scanners to say.
func (w *walk) unaccounted(ctx context.Context, start int64) error {
	for len(w.resume) > 0 {
		off := w.resume[0]
		w.resume = w.resume[1:]
		if _, err := w.follow(ctx, off, true); err != nil {
			return err
		}
	}
	if start >= 0 {
		if _, err := w.follow(ctx, start, true); err != nil {
			return err
		}
	}
	slices.SortFunc(w.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	spans := slices.Clone(w.spans)
	if len(spans) == 0 {
		return nil
	}
	reached := spans[0].from
	for _, s := range spans {
		if s.from > reached {
			if err := w.gap(ctx, reached, s.from, false); err != nil {
				return err
			}
		}
		reached = max(reached, s.to)
	}
	return w.gap(ctx, reached, w.size, true)
}

// follow walks consecutive local headers from off as a streaming reader does,
// up to one that is known, and hands over their members. It returns where it
// stopped.
func (w *walk) follow(ctx context.Context, off int64, hidden bool) (int64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return off, err
		}
		if ok, err := w.r.is(off, sigLocal); err != nil || !ok || w.locals[off] {
			return off, err
		}
		l, whole, err := w.readLocal(off)
		if err != nil {
			return off, err
		}
		if !whole {
			w.malformed(off, "zip.broken", "a local header is cut off")
			return w.size, nil
		}
		w.locals[off] = true
		if w.entries++; w.entries > maxEntries {
			return off, scan.Limit(off, "more than %d local headers", maxEntries)
		}
		if hidden {
			w.confusion("zip.hidden", off, quote(l.name)+" is in the archive but not in its central directory")
		}
		end, err := w.followOne(ctx, &l)
		if err != nil {
			return off, err
		}
		w.account(off, end)
		off = end
	}
}

// followOne judges and hands over a member that is known by its local header
// only, and returns where it ends.
func (w *walk) followOne(ctx context.Context, l *local) (int64, error) {
	w.judge(&l.header, l.off)
	m := member{name: l.name, at: l.off, data: l.data, packed: l.packed, size: l.size, method: l.method, flags: l.flags, crc: l.crc}
	if !l.sized {
		if err := w.measure(ctx, &m); err != nil {
			return 0, err
		}
	}
	if err := w.deliver(ctx, m); err != nil {
		return 0, err
	}
	end := min(m.data+m.packed, w.size)
	if l.flags&flagDescriptor == 0 {
		return end, nil
	}
	n, err := w.descriptorLen(end, m.crc)
	return end + n, err
}

// measure finds the end of a member whose sizes stand behind its bytes, by the
// data descriptor or else by the next header.
func (w *walk) measure(ctx context.Context, m *member) error {
	for off := m.data; ; off += 2 {
		var err error
		if off, err = w.search(ctx, "PK", off, w.size); err != nil {
			return err
		}
		if off < 0 {
			m.packed = w.size - m.data
			break
		}
		b, err := w.r.upTo(off, 24)
		if err != nil {
			return err
		}
		if len(b) < 4 {
			continue
		}
		m.packed = off - m.data
		switch sig := string(b[:4]); {
		case sig == sigDescriptor && len(b) >= 16 && int64(le.Uint32(b[8:])) == m.packed:
			m.crc, m.size = le.Uint32(b[4:]), int64(le.Uint32(b[12:]))
			return nil
		case sig == sigDescriptor && len(b) == 24 && clamp(le.Uint64(b[8:])) == m.packed:
			m.crc, m.size = le.Uint32(b[4:]), clamp(le.Uint64(b[16:]))
			return nil
		case sig == sigLocal, sig == sigCentral:
			return w.withoutSizes(ctx, m)
		}
	}
	return w.withoutSizes(ctx, m)
}

// withoutSizes fills in what no descriptor says from the bytes themselves.
func (w *walk) withoutSizes(ctx context.Context, m *member) error {
	m.size = m.packed
	if m.method != methodStore {
		return nil
	}
	var err error
	m.crc, err = w.checksum(ctx, *m)
	return err
}

// search returns the offset of the first pat in [from, to), -1 without one.
func (w *walk) search(ctx context.Context, pat string, from, to int64) (int64, error) {
	const chunk = 32 << 10
	for from < to {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		b, err := w.r.stretch(from, len(pat), int(min(chunk, to-from)))
		if err != nil {
			return 0, err
		}
		if i := bytes.Index(b, []byte(pat)); i >= 0 {
			return from + int64(i), nil
		}
		if len(b) < len(pat) {
			break
		}
		from += int64(len(b) - len(pat) + 1)
	}
	return -1, nil
}

// Bounds of the search for hidden members inside of gaps, where only repair
// tools look: bytes of a gap, and things like local headers in the archive.
const (
	maxSearch = 1 << 20
	maxDoubts = 256
)

// gap judges a stretch that belongs to no member and no directory.
func (w *walk) gap(ctx context.Context, from, to int64, last bool) error {
	if from >= to {
		return nil
	}
	rest := from
	for off, limit := from, min(to, from+maxSearch); ; off++ {
		var err error
		if off, err = w.search(ctx, sigLocal, off, limit); err != nil {
			return err
		}
		if off < 0 {
			break
		}
		if w.doubts++; w.doubts > maxDoubts {
			break
		}
		l, whole, err := w.readLocal(off)
		if err != nil {
			return err
		}
		if !whole || w.locals[off] || off > from && !plausible(&l, w.size) {
			continue
		}
		end, err := w.follow(ctx, off, true)
		if err != nil {
			return err
		}
		if off == from {
			rest = end
		}
		off = max(off, end-1)
	}
	if rest >= to {
		return nil
	}
	zero, err := w.zeros(ctx, rest, min(to, rest+maxSearch))
	if err != nil || zero && to-rest <= maxSearch {
		return err
	}
	name, rule, severity := "(between members)", "zip.gap", scan.Low
	if last {
		name, rule, severity = "(trailing data)", "zip.trailing", scan.SeveritySuspicious
	}
	w.finding(rule, severity, "archive-confusion", rest, fmt.Sprintf("%d bytes belong to no member", to-rest))
	return w.sink.Member(ctx, scan.Member{Name: name, At: w.r.f.Section(rest, to-rest), Size: to - rest})
}

// plausible tells a local header from four bytes that look like one.
func plausible(l *local, size int64) bool {
	if l.name == "" || !known(l.method) || l.data+l.packed > size {
		return false
	}
	return !slices.ContainsFunc([]byte(l.name), func(c byte) bool { return c < ' ' })
}

func (w *walk) zeros(ctx context.Context, from, to int64) (bool, error) {
	for from < to {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		b, err := w.r.upTo(from, int(min(32<<10, to-from)))
		if err != nil {
			return false, err
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			return false, nil
		}
		from += int64(len(b))
	}
	return true, nil
}
