package zip

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sort"

	"modelwall/scan"
)

const centralLen = 46

// Bounds of what is kept of directories. The engine takes no more members
// than this either.
const (
	maxEntries   = 1 << 17
	maxDirectory = 64 << 20 // bytes
)

// directory is a central directory as one end record means it.
type directory struct {
	start, end int64
	prefix     int64 // what the offsets in it have to be moved by
	entries    []entry
}

// header is what a central record and a local header both say of a member.
type header struct {
	off     int64 // of the record in the file
	name    string
	unicode string // the name in the Unicode Path field, "" without a valid one
	flags   uint16
	method  uint16
	crc     uint32
	packed  int64
	size    int64
}

// entry is a central record.
type entry struct {
	header
	local   int64 // offset of the local header
	symlink bool
}

// directories reads every directory that an end record can mean. The last end
// record is the one that readers look for; an earlier one counts when it does
// not lie inside a member of that.
// The answer is false when none means an archive.
func (w *walk) directories(ctx context.Context, ends []endRecord) ([]directory, bool, error) {
	var dirs []directory
	var members extents
	chosen := int64(-1)
	for i := len(ends) - 1; i >= 0; i-- {
		e := &ends[i]
		if chosen >= 0 && members.contain(e.off) {
			continue
		}
		found, err := w.resolve(ctx, e, dirs)
		if err != nil {
			return nil, false, err
		}
		if !found.usable {
			continue
		}
		w.account(e.off, min(e.until, w.size))
		if e.is64bit {
			w.account(e.off-locatorLen, e.off)
		}
		dirs = append(dirs, found.dirs...)
		if chosen >= 0 {
			w.confusion("zip.end_record", e.off, fmt.Sprintf("there are several end records, at bytes %d and %d: readers differ in which they take", e.off, chosen))
			continue
		}
		chosen = e.off
		members = extentsOf(dirs)
		if e.until > w.size {
			w.confusion("zip.end_record", e.off, "the archive comment is longer than the file")
		}
	}
	return dirs, chosen >= 0, nil
}

// extents are the local parts of members by their offsets; reach[i] is the
// furthest end of the first i+1.
type extents struct{ from, reach []int64 }

func extentsOf(dirs []directory) extents {
	var all []span
	for _, d := range dirs {
		for i := range d.entries {
			e := &d.entries[i]
			all = append(all, span{e.local, e.local + localLen + int64(len(e.name)) + e.packed})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var x extents
	reach := int64(0)
	for _, s := range all {
		reach = max(reach, s.to)
		x.from = append(x.from, s.from)
		x.reach = append(x.reach, reach)
	}
	return x
}

// contain reports whether off lies in the local part of a member, where a zip
// inside this one has its end record.
func (x extents) contain(off int64) bool {
	i := sort.Search(len(x.from), func(i int) bool { return x.from[i] > off })
	return i > 0 && off < x.reach[i-1]
}

type resolved struct {
	dirs   []directory
	usable bool // the record can mean an archive, even if an empty one
}

// resolve reads the directories that e can mean and known does not have. The
// offset in an end record counts from the start of the file for some readers;
// others take the directory to end at the record and what lies before the
// archive to be a prefix.
func (w *walk) resolve(ctx context.Context, e *endRecord, known []directory) (resolved, error) {
	var out resolved
	for _, v := range e.views {
		starts := []int64{v.start}
		if rel := v.end - v.size; rel >= 0 && rel != v.start {
			starts = append(starts, rel)
		}
		readable := 0
		for _, start := range starts {
			if ok, err := w.r.is(start, sigCentral); err != nil {
				return out, err
			} else if !ok {
				continue
			}
			readable++
			prefix := start - v.start
			if d := find(start, prefix, known, out.dirs); d != nil {
				w.judgeDirectory(d, v)
				continue
			}
			d, err := w.readDirectory(ctx, start, prefix)
			if err != nil {
				return out, err
			}
			if echo, err := w.echo(&d, out.dirs); err != nil {
				return out, err
			} else if echo {
				continue
			}
			w.judgeDirectory(&d, v)
			out.dirs = append(out.dirs, d)
		}
		empty := v.count == 0 && v.size == 0
		out.usable = out.usable || readable > 0 || empty && e.until == w.size
	}
	if len(out.dirs) > 1 {
		w.confusion("zip.directory", e.off, "the end record can be read as two different central directories")
	}
	return out, nil
}

// echo reports whether d is the rest of a directory among dirs, read with a
// prefix that leaves no entry its local header. The old end record behind a
// zip64 one, as PyTorch always writes them, gives such a reading when the
// directory's first records happen to be as long as the zip64 records: whoever
// knows only the old one looks for the directory that much too late, and finds
// no member there.
func (w *walk) echo(d *directory, dirs []directory) (bool, error) {
	if d.prefix == 0 || len(d.entries) == 0 {
		return false, nil
	}
	rest := func(of directory) bool {
		from := len(of.entries) - len(d.entries)
		return of.prefix == 0 && of.end == d.end && from > 0 && of.entries[from].off == d.start
	}
	if !slices.ContainsFunc(dirs, rest) {
		return false, nil
	}
	for i := range d.entries {
		if ok, err := w.r.is(d.entries[i].local, sigLocal); ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func find(start, prefix int64, lists ...[]directory) *directory {
	for _, dirs := range lists {
		for i := range dirs {
			if d := &dirs[i]; d.start == start && d.prefix == prefix {
				return d
			}
		}
	}
	return nil
}

// judgeDirectory compares d with what an end record says of it. The highest
// numbers of the old record say nothing: the zip64 record has them.
func (w *walk) judgeDirectory(d *directory, v view) {
	n := int64(len(d.entries))
	if n != v.count && (v.wide || v.count != math.MaxUint16 && n%(1<<16) != v.count) {
		w.confusion("zip.directory", d.start, fmt.Sprintf("the central directory has %d entries, its end record says %d", n, v.count))
	}
	if size := d.end - d.start; size != v.size && (v.wide || v.size != math.MaxUint32) {
		w.confusion("zip.directory", d.start, fmt.Sprintf("the central directory takes %d bytes, its end record says %d", size, v.size))
	}
}

// readDirectory reads central records from start as long as there are any.
func (w *walk) readDirectory(ctx context.Context, start, prefix int64) (directory, error) {
	d := directory{start: start, end: start, prefix: prefix}
	for {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		b, err := w.r.upTo(d.end, centralLen)
		if err != nil {
			return d, err
		}
		if len(b) < centralLen || string(b[:4]) != sigCentral {
			break
		}
		n := centralLen + int(le.Uint16(b[28:])) + int(le.Uint16(b[30:])) + int(le.Uint16(b[32:]))
		if b, err = w.r.upTo(d.end, n); err != nil {
			return d, err
		}
		if len(b) < n {
			w.malformed(d.end, "zip.broken", "the last central record is cut off")
			break
		}
		if w.entries++; w.entries > maxEntries || d.end-start > maxDirectory {
			return d, scan.Limit(d.end, "the central directory has more than %d entries or %d MiB", maxEntries, maxDirectory>>20)
		}
		e := parseCentral(b, d.end)
		e.local += prefix
		d.entries = append(d.entries, e)
		d.end += int64(n)
	}
	w.account(d.start, d.end)
	return d, nil
}

func parseCentral(b []byte, off int64) entry {
	nameLen, extraLen := int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	e := entry{
		header: header{
			off:    off,
			name:   string(b[centralLen : centralLen+nameLen]),
			flags:  le.Uint16(b[8:]),
			method: le.Uint16(b[10:]),
			crc:    le.Uint32(b[16:]),
			packed: int64(le.Uint32(b[20:])),
			size:   int64(le.Uint32(b[24:])),
		},
		local: int64(le.Uint32(b[42:])),
	}
	const unix, darwin = 3, 19
	if host := b[5]; host == unix || host == darwin {
		e.symlink = le.Uint16(b[40:])&0xf000 == 0xa000
	}
	e.extra(b[centralLen+nameLen:centralLen+nameLen+extraLen], &e.local)
	return e
}

// extra reads the fields that matter: the wide sizes of zip64 and Info-ZIP's
// Unicode name. local is nil in a local header.
func (h *header) extra(b []byte, local *int64) {
	const zip64, unicodePath = 0x0001, 0x7075
	for len(b) >= 4 {
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		b = b[4:]
		if n > len(b) {
			return
		}
		field := b[:n]
		b = b[n:]
		switch id {
		case zip64:
			for _, v := range []*int64{&h.size, &h.packed, local} {
				if v != nil && *v == math.MaxUint32 && len(field) >= 8 {
					*v = clamp(le.Uint64(field))
					field = field[8:]
				}
			}
		case unicodePath:
			if n > 5 && field[0] == 1 && le.Uint32(field[1:]) == crc32.ChecksumIEEE([]byte(h.name)) {
				h.unicode = string(field[5:])
			}
		}
	}
}
