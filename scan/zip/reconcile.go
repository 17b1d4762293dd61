package zip

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"modelwall/scan"
)

// reconcile reads the local header of every entry of d, in file order, reports
// where the two differ and returns every reading of the members' bytes, but for
// tensors.
func (w *walk) reconcile(ctx context.Context, d *directory) ([]member, error) {
	w.duplicates(d)
	slices.SortStableFunc(d.entries, func(a, b entry) int { return cmp.Compare(a.local, b.local) })
	roots := torchRoots(d)
	var members []member
	reached := int64(-1) // where the entries up to here end
	for i := range d.entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e := &d.entries[i]
		l, found, err := w.localOf(e, d.prefix)
		if err != nil {
			return nil, err
		}
		if !found {
			w.malformed(e.off, "zip.broken", fmt.Sprintf("the local header of %s, at byte %d, is not in the file", quote(e.name), e.local))
			continue
		}
		tensor, err := w.tensor(e, &l, roots) // first, while its head is at hand
		if err != nil {
			return nil, err
		}
		if err := w.claim(l.data-l.off, l.off); err != nil {
			return nil, err
		}
		overlaps := l.off < reached
		if overlaps {
			w.finding("zip.overlap", scan.SeveritySuspicious, "bomb", l.off,
				quote(e.name)+" overlaps another member: the same bytes expand several times")
		}
		reached = max(reached, l.data+e.packed)
		if l.off < d.start && reached > d.start {
			w.finding("zip.overlap", scan.SeveritySuspicious, "archive-confusion", l.off, quote(e.name)+" reaches into the central directory")
		}
		if l.valid {
			w.compare(e, &l)
		} else {
			w.confusion("zip.local", l.off, fmt.Sprintf("there is no local header where the central directory has that of %s", quote(e.name)))
		}
		w.judge(&e.header, l.off)
		if l.valid && l.name != e.name {
			w.judgeName(l.name, l.off)
		}
		if l.valid && l.flags != e.flags {
			w.judgeFlags(&l.header, l.off)
		}
		if err := w.place(e, &l); err != nil {
			return nil, err
		}
		if !tensor || overlaps {
			members = append(members, readings(e, &l)...)
		}
	}
	return members, nil
}

// localOf finds the local header of e. Readers differ in whether a prefix
// moves it; the place with a signature is the one.
func (w *walk) localOf(e *entry, prefix int64) (local, bool, error) {
	l, found, err := w.readLocal(e.local)
	if err != nil || prefix == 0 || found && l.valid {
		return l, found, err
	}
	plain, ok, err := w.readLocal(e.local - prefix)
	if err != nil || !ok || !plain.valid {
		return l, found, err
	}
	return plain, true, nil
}

// place accounts for the bytes of a member, and remembers where a reader that
// believes the local header goes on if that is elsewhere.
func (w *walk) place(e *entry, l *local) error {
	end := l.data + e.packed
	var tail int64
	if (e.flags|l.flags)&flagDescriptor != 0 && end < w.size {
		var err error
		if tail, err = w.descriptorLen(end, e.crc); err != nil {
			return err
		}
	}
	w.account(l.off, end+tail)
	if l.valid {
		w.locals[l.off] = true
	}
	if l.valid && l.sized && l.packed != e.packed {
		w.resume = append(w.resume, l.data+l.packed)
	}
	return nil
}

// readings returns every way of taking the bytes behind l: with the central
// record's sizes and method, with the local header's, and, where a stored
// member has two lengths, with the other one; each under each of its names.
func readings(e *entry, l *local) []member {
	base := member{data: l.data, flags: e.flags | l.flags, at: l.off, symlink: e.symlink}
	central := base
	central.packed, central.size, central.method, central.crc = e.packed, e.size, e.method, e.crc
	ways := []member{central}
	if l.valid {
		m := central
		m.method = l.method
		if l.sized {
			m.packed, m.size, m.crc = l.packed, l.size, l.crc
		}
		if m.packed != central.packed || m.method != central.method {
			ways = append(ways, m)
		}
	}
	for _, m := range ways {
		if m.method == methodStore && m.size != m.packed && m.flags&flagEncrypted == 0 {
			m.packed = m.size
			ways = append(ways, m)
		}
	}
	names := []string{e.name, e.unicode}
	if l.valid {
		names = append(names, l.name, l.unicode)
	}
	var out []member
	for i, name := range names {
		if i > 0 && (name == "" || slices.Contains(names[:i], name)) {
			continue
		}
		for _, m := range ways {
			m.name = name
			out = append(out, m)
		}
	}
	return out
}

// duplicates reports names that are equal, or that become equal on a file
// system that ignores case or cleans paths.
func (w *walk) duplicates(d *directory) {
	exact := make(map[string]bool, len(d.entries))
	folded := make(map[string]string, len(d.entries))
	for i := range d.entries {
		e := &d.entries[i]
		if isFolder(e.name, e.size) {
			continue
		}
		key := strings.ToLower(path.Clean(strings.ReplaceAll(e.name, `\`, "/")))
		switch first, again := folded[key]; {
		case exact[e.name]:
			w.confusion("zip.duplicate", e.off, quote(e.name)+" is there more than once: readers differ in which they take")
		case again:
			w.confusion("zip.duplicate", e.off, fmt.Sprintf("%s and %s are one file where case or spelling of paths does not count", quote(first), quote(e.name)))
		default:
			folded[key] = e.name
		}
		exact[e.name] = true
	}
}
