package hdf5

import (
	"context"

	"modelwall/scan"
)

// The types of a link.
const (
	linkHard     = 0
	linkSoft     = 1
	linkExternal = 64
)

// group reports the links of the group that messages describe, and queues
// where they lead.
func (w *walk) group(ctx context.Context, path string, messages []message) error {
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgSymbolTable:
			err = w.symbolTable(path, w.r.body(m))
		case msgLink:
			err = w.link(path, w.r.body(m))
		case msgLinkInfo:
			err = w.denseLinks(ctx, path, w.r.body(m))
		}
		if err := w.damage(err); err != nil {
			return err
		}
	}
	return nil
}

// symbolTable walks an old group: a B-tree of tables, and a heap of names.
func (w *walk) symbolTable(path string, c *cursor) error {
	tree, heapAddr := c.address(), c.address()
	if err := c.err("a symbol table message"); err != nil {
		return err
	}
	heap, err := w.r.localHeap(heapAddr)
	if err != nil {
		return err
	}
	return w.r.treeV1(tree, 0, w.r.len, func(l leaf) error {
		c, err := w.r.signed(l.child, 8, "SNOD")
		if err != nil {
			return err
		}
		c.skip(2)
		entries := c.u16()
		size := w.r.len + w.r.addr + 24
		c, err = w.r.block(l.child+8, int64(entries)*int64(size))
		if err != nil {
			return err
		}
		for range entries {
			nameAt, addr := c.size(), c.address()
			cache := c.u32()
			c.skip(4)
			c.skip(16)
			name, err := w.r.heapText(heap, nameAt)
			if err := w.damage(err); err != nil {
				return err
			}
			if cache != 2 && addr != undefined { // 2: a soft link
				w.push(object{addr: addr, path: join(path, name)})
			}
		}
		return nil
	})
}

// localHeap is a heap of names.
type localHeap struct{ addr, size uint64 }

func (r *reader) localHeap(addr uint64) (localHeap, error) {
	c, err := r.signed(addr, int64(8+2*r.len+r.addr), "HEAP")
	if err != nil {
		return localHeap{}, err
	}
	c.skip(4)
	h := localHeap{size: c.size()}
	c.size()
	h.addr = c.address()
	return h, c.err("a local heap")
}

// maxName is the longest name that is read, in bytes.
const maxName = 64 << 10

// heapText returns the string at an offset of a local heap.
func (r *reader) heapText(h localHeap, at uint64) (string, error) {
	if at >= h.size {
		return "", scan.Malformed(r.base, "a name at %#x in a heap of %#x bytes", at, h.size)
	}
	addr := h.addr + at
	room, err := r.room(addr, 1)
	if err != nil {
		return "", err
	}
	most := min(room, int64(min(h.size-at, maxName)))
	for n := min(most, 64); ; n = min(most, n*8) {
		c, err := r.block(addr, n)
		if err != nil {
			return "", err
		}
		text := string(c.b)
		if s := c.text(); !c.bad {
			return s, nil
		}
		if n == most {
			return text, nil // the heap ends it
		}
	}
}

// link reads one link message.
func (w *walk) link(path string, c *cursor) error {
	at := c.off
	if version := c.u8(); version != 1 {
		return scan.Malformed(at, "link message version %d", version)
	}
	flags := c.u8()
	kind := linkHard
	if flags&8 != 0 {
		kind = c.u8()
	}
	if flags&4 != 0 {
		c.skip(8)
	}
	if flags&16 != 0 {
		c.skip(1)
	}
	name := string(c.take(int(min(c.uint(1<<(flags&3)), maxBlock))))
	if err := c.err("a link message"); err != nil {
		return err
	}
	full := join(path, name)
	switch kind {
	case linkHard:
		w.push(object{addr: c.address(), path: full})
	case linkSoft:
	case linkExternal:
		value := w.r.cursor(c.take(c.u16()), c.off)
		value.skip(1)
		w.externalLink(at, full, value.text(), value.text())
	default:
		w.finding("hdf5.link", scan.Low, "unknown-construct", at, "the link "+quote(full)+" is of a type that only a program's own extension can follow")
	}
	return c.err("a link message")
}

// denseLinks walks a new group that keeps its links in a heap.
func (w *walk) denseLinks(ctx context.Context, path string, c *cursor) error {
	c.skip(1)
	flags := c.u8()
	if flags&1 != 0 {
		c.skip(8)
	}
	heapAddr, byName := c.address(), c.address()
	byOrder := undefined
	if flags&2 != 0 {
		byOrder = c.address()
	}
	if err := c.err("a link info message"); err != nil {
		return err
	}
	return w.dense(ctx, heapAddr, []uint64{byName, byOrder}, func(c *cursor) error { return w.link(path, c) })
}

// dense calls do with the objects of a heap that either index lists: a name
// index, which look-ups go by, and a creation order index, which listings may
// go by.
func (w *walk) dense(ctx context.Context, heapAddr uint64, indexes []uint64, do func(c *cursor) error) error {
	if heapAddr == undefined {
		return nil
	}
	heap, err := w.r.fractalHeap(heapAddr)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, tree := range indexes {
		if tree == undefined {
			continue
		}
		err := w.r.treeV2(tree, func(kind int, rec *cursor) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var id []byte
			shared := false
			switch kind {
			case 5: // links by name: hash, ID
				rec.skip(4)
				id = rec.take(7)
			case 6: // links by creation order: order, ID
				rec.skip(8)
				id = rec.take(7)
			case 8, 9: // attributes: ID, flags
				id = rec.take(8)
				shared = rec.u8()&2 != 0
			default:
				return scan.Malformed(rec.off, "a B-tree of type %d for links or attributes", kind)
			}
			if rec.bad || seen[string(id)] {
				return rec.err("a record")
			}
			seen[string(id)] = true
			if shared {
				heap, err := w.sharedHeap(msgAttribute)
				if err != nil {
					return err
				}
				return w.heapObject(heap, id, do)
			}
			return w.heapObject(heap, id, do)
		})
		if err := w.damage(err); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) heapObject(heap *fractalHeap, id []byte, do func(*cursor) error) error {
	c, err := w.r.fractalObject(heap, id)
	if err != nil {
		return w.damage(err)
	}
	return w.damage(do(c))
}
