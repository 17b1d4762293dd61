package hdf5

import (
	"context"
	"fmt"
	"strings"

	"modelwall/scan"
)

// walk is the state of one Scan.
type walk struct {
	r       *reader
	sink    scan.Sink
	queue   []object
	seen    map[uint64]bool // object headers
	shared  []sharedIndex
	heaps   map[uint64][]heapObject
	cached  int // entries in heaps
	handed  map[extent]bool
	swept   bool  // every global heap collection was looked at
	pickled bool  // an attribute of this object says that its data are pickles
	problem error // the first damage
}

// object is one to be looked at, by the address of its header.
type object struct {
	addr uint64
	path string // the first one that led there
}

// extent is a piece of the file.
type extent struct{ off, n int64 }

// maxObjects bounds how many objects of one file are looked at.
const maxObjects = 1 << 20

// maxPath is how many bytes of an object's path are kept.
const maxPath = 200

func join(path, name string) string {
	if path != "" {
		name = path + "/" + name
	}
	if len(name) > maxPath {
		name = strings.ToValidUTF8(name[:maxPath], "") + "..."
	}
	return name
}

func quote(s string) string { return scan.Quote(s, 120) }

func (w *walk) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	w.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// push queues an object, once.
func (w *walk) push(o object) {
	if !w.seen[o.addr] {
		w.seen[o.addr] = true
		w.queue = append(w.queue, o)
	}
}

// object looks at what one object header says: attributes, and the links of a
// group or the storage of a data set.
func (w *walk) object(ctx context.Context, o object) error {
	if len(w.seen) > maxObjects {
		return scan.Limit(w.r.base, "more than %d objects", maxObjects)
	}
	w.pickled = false
	messages, err := w.r.header(o.addr)
	if err := w.damage(err); err != nil { // what came before the damage counts
		return err
	}
	if err := w.attributes(ctx, o.path, messages); err != nil {
		return err
	}
	if err := w.group(ctx, o.path, messages); err != nil {
		return err
	}
	if _, ok := find(messages, msgLayout); !ok {
		return nil
	}
	return w.damage(w.dataset(ctx, o, messages))
}

// attributes looks at the attributes in an object header or in its heap.
func (w *walk) attributes(ctx context.Context, path string, messages []message) error {
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgAttribute:
			var c *cursor
			if c, err = w.resolve(m); err == nil {
				err = w.attribute(ctx, path, c)
			}
		case msgAttrInfo:
			err = w.denseAttributes(ctx, path, w.r.body(m))
		}
		if err := w.damage(err); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) denseAttributes(ctx context.Context, path string, c *cursor) error {
	c.skip(1)
	flags := c.u8()
	if flags&1 != 0 {
		c.skip(2)
	}
	heapAddr, byName := c.address(), c.address()
	byOrder := undefined
	if flags&2 != 0 {
		byOrder = c.address()
	}
	if err := c.err("an attribute info message"); err != nil {
		return err
	}
	return w.dense(ctx, heapAddr, []uint64{byName, byOrder}, func(c *cursor) error { return w.attribute(ctx, path, c) })
}

// attribute reads one attribute message and looks at its value.
func (w *walk) attribute(ctx context.Context, path string, c *cursor) error {
	at := c.off
	version, flags := c.u8(), c.u8()
	if version < 1 || version > 3 {
		return scan.Malformed(at, "attribute message version %d", version)
	}
	nameLen, typeLen, spaceLen := c.u16(), c.u16(), c.u16()
	if version == 3 {
		c.skip(1)
	}
	field := func(n int) *cursor {
		b := c.take(n)
		f := w.r.cursor(b, c.off-int64(len(b)))
		if version == 1 {
			c.skip(-n & 7)
		}
		return f
	}
	name := strings.TrimRight(string(field(nameLen).b), "\x00")
	typ, space := field(typeLen), field(spaceLen)
	if err := c.err("an attribute"); err != nil {
		return err
	}
	var err error
	if version > 1 && flags&1 != 0 {
		if typ, err = w.reference(typ, msgDatatype); err != nil {
			return err
		}
	}
	if version > 1 && flags&2 != 0 {
		if space, err = w.reference(space, msgDataspace); err != nil {
			return err
		}
	}
	t, err := parseDatatype(typ)
	if err != nil {
		return err
	}
	s, err := parseDataspace(space)
	if err != nil {
		return err
	}
	if !t.text() {
		return nil
	}
	full := name
	if path != "" {
		full = path + "@" + name
	}
	data := extent{c.off, int64(len(c.b))}
	if n := s.elements(); t.size > 0 && n <= data.n/t.size {
		data.n = n * t.size
	} else if t.size > 0 {
		return scan.Malformed(at, "the value of attribute %s is cut off: %d elements of %d bytes", quote(full), n, t.size)
	}
	w.promise(name, data)
	return w.values(ctx, values{name: full, typ: t, src: w.r.f.Section(data.off, data.n), size: data.n, off: data.off})
}

// dataset looks at a data set's storage.
func (w *walk) dataset(ctx context.Context, o object, messages []message) error {
	d := data{path: o.path}
	for _, m := range messages {
		switch m.kind {
		case msgDatatype, msgDataspace, msgFilters, msgLayout, msgExternal:
		default:
			continue
		}
		c, err := w.resolve(m)
		if err != nil {
			return err
		}
		switch m.kind {
		case msgDatatype:
			d.typ, err = parseDatatype(c)
		case msgDataspace:
			d.space, err = parseDataspace(c)
		case msgFilters:
			d.filters, err = w.filters(o.path, c)
		case msgLayout:
			d.layout, err = w.r.layout(c)
		case msgExternal:
			err = w.externalStorage(o.path, c)
		}
		if err != nil {
			return err
		}
	}
	if d.layout.class == layoutVirtual {
		return w.virtual(o.path, d.layout)
	}
	d.size = d.space.elements()
	if d.size > 0 && d.typ.size > 0 {
		d.size = saturate(d.size, d.typ.size)
	}
	if d.size > bombFloor && d.size/bombRatio > w.r.f.Size {
		w.finding("hdf5.bomb", scan.SeveritySuspicious, "bomb", w.r.base,
			fmt.Sprintf("the data set %s announces %d bytes in a file of %d: a loader allocates them", quote(o.path), d.size, w.r.f.Size))
	}
	if !d.typ.text() {
		return nil
	}
	return w.content(ctx, d)
}

// A data set may be larger than the file: what is all zero packs well, and
// parts that were never written take no space. Beyond these, in bytes and times
// the file's size, nothing honest announces it.
const (
	bombFloor = 16 << 30
	bombRatio = 10_000
)

// saturate multiplies two positive numbers.
func saturate(a, b int64) int64 {
	if a > 1<<62/b {
		return 1 << 62
	}
	return a * b
}
