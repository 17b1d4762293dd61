package hdf5

import (
	"modelwall/scan"
)

// sharedIndex is an index of messages that several object headers share, kept
// in a heap of the file.
type sharedIndex struct {
	kinds int // a bit for each type of message
	heap  uint64
}

// sharedTable reads the table of them that a superblock extension names.
func (w *walk) sharedTable(extension uint64) error {
	messages, err := w.r.header(extension)
	if err := w.damage(err); err != nil {
		return err
	}
	m, ok := find(messages, msgSharedTable)
	if !ok {
		return nil
	}
	c := w.r.body(m)
	c.skip(1)
	addr := c.address()
	count := c.u8()
	if err := c.err("the table of shared messages"); err != nil {
		return err
	}
	size := 16 + 2*w.r.addr
	if c, err = w.r.signed(addr, int64(4+count*size), "SMTB"); err != nil {
		return err
	}
	for range count {
		c.skip(2)
		x := sharedIndex{kinds: c.u16()}
		c.skip(4 + 2 + 2 + 2 + w.r.addr)
		x.heap = c.address()
		w.shared = append(w.shared, x)
	}
	return nil
}

// sharedHeap returns the heap that holds the shared messages of a type.
func (w *walk) sharedHeap(kind int) (*fractalHeap, error) {
	for _, x := range w.shared {
		if x.kinds&(1<<kind) != 0 && x.heap != undefined {
			return w.r.fractalHeap(x.heap)
		}
	}
	return nil, scan.Malformed(w.r.base, "no heap for shared messages of type %#x", kind)
}

// resolve returns the body of a message, wherever it is. A data type may be
// that of another object (a committed type), any message may be in the heap.
func (w *walk) resolve(m message) (*cursor, error) {
	c := w.r.body(m)
	if !m.shared {
		return c, nil
	}
	return w.reference(c, m.kind)
}

// reference follows what stands in place of a shared message.
func (w *walk) reference(c *cursor, kind int) (*cursor, error) {
	version, where := c.u8(), c.u8()
	if version == 1 {
		c.skip(6)
	}
	if version >= 3 && where == 1 {
		heap, err := w.sharedHeap(kind)
		if err != nil {
			return nil, err
		}
		id := c.take(8)
		if err := c.err("a shared message"); err != nil {
			return nil, err
		}
		return w.r.fractalObject(heap, id)
	}
	addr := c.address()
	if err := c.err("a shared message"); err != nil {
		return nil, err
	}
	messages, err := w.r.header(addr)
	if err != nil {
		return nil, err
	}
	m, ok := find(messages, kind)
	if !ok || m.shared {
		return nil, scan.Malformed(c.off, "the object at %#x has no message of type %#x to share", addr, kind)
	}
	return w.r.body(m), nil
}
