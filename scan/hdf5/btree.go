package hdf5

import (
	"math/bits"

	"modelwall/scan"
)

// Bounds of one tree.
const (
	maxDepth = 32
	maxNodes = 1 << 20
)

// leaf is an entry of a version 1 B-tree at level 0.
type leaf struct {
	key   []byte // the one before the child
	child uint64
}

// treeV1 calls do with every leaf of a version 1 B-tree whose keys have key
// bytes. Groups and chunks are found through one.
func (r *reader) treeV1(addr uint64, kind, key int, do func(leaf) error) error {
	type node struct {
		addr  uint64
		level int // that it has to have; -1 for any
	}
	seen := map[uint64]bool{}
	for stack := []node{{addr, -1}}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n.addr] {
			return scan.Malformed(r.base, "a B-tree that leads back to itself at %#x", n.addr)
		}
		seen[n.addr] = true
		if len(seen) > maxNodes {
			return scan.Limit(r.base, "a B-tree of more than %d nodes", maxNodes)
		}
		c, err := r.signed(n.addr, int64(8+2*r.addr), "TREE")
		if err != nil {
			return err
		}
		got, level, entries := c.u8(), c.u8(), c.u16()
		if got != kind || level >= maxDepth || n.level >= 0 && level != n.level {
			return scan.Malformed(c.off, "a B-tree node of type %d and level %d", got, level)
		}
		c.skip(2 * r.addr)
		body, err := r.block(n.addr+uint64(8+2*r.addr), int64(entries)*int64(key+r.addr))
		if err != nil {
			return err
		}
		var inner []node
		for range entries {
			l := leaf{key: body.take(key), child: body.address()}
			if level > 0 {
				inner = append(inner, node{l.child, level - 1})
				continue
			}
			if err := do(l); err != nil {
				return err
			}
		}
		for i := len(inner) - 1; i >= 0; i-- { // in order
			stack = append(stack, inner[i])
		}
	}
	return nil
}

// treeV2 calls do with every record of the version 2 B-tree whose header is at
// addr, and with the tree's type.
func (r *reader) treeV2(addr uint64, do func(kind int, record *cursor) error) error {
	c, err := r.signed(addr, int64(22+r.addr+r.len), "BTHD")
	if err != nil {
		return err
	}
	c.skip(1)
	kind := c.u8()
	nodeSize := c.u32()
	record := c.u16()
	depth := c.u16()
	c.skip(2)
	root := c.address()
	count := c.u16()
	if err := c.err("a B-tree header"); err != nil {
		return err
	}
	if root == undefined {
		return nil
	}
	if depth >= maxDepth || record == 0 || nodeSize < int64(record)+10 {
		return scan.Malformed(c.off, "a B-tree of depth %d with records of %d in nodes of %d bytes", depth, record, nodeSize)
	}
	pointers := r.pointers(nodeSize, record, depth)

	type node struct {
		addr         uint64
		depth, count int
	}
	seen := map[uint64]bool{}
	for stack := []node{{root, depth, count}}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n.addr] {
			return scan.Malformed(r.base, "a B-tree that leads back to itself at %#x", n.addr)
		}
		seen[n.addr] = true
		if len(seen) > maxNodes {
			return scan.Limit(r.base, "a B-tree of more than %d nodes", maxNodes)
		}
		sig, size := "BTLF", int64(6)+int64(n.count)*int64(record)
		p := pointers[n.depth]
		if n.depth > 0 {
			sig, size = "BTIN", size+int64(n.count+1)*int64(p.size)
		}
		c, err := r.signed(n.addr, size, sig)
		if err != nil {
			return err
		}
		c.skip(2)
		for range n.count {
			rec := r.cursor(c.take(record), c.off)
			if err := do(kind, rec); err != nil {
				return err
			}
		}
		if n.depth == 0 {
			continue
		}
		for range n.count + 1 {
			child := node{addr: c.address(), depth: n.depth - 1, count: int(c.uint(p.count))}
			c.skip(p.total)
			stack = append(stack, child)
		}
	}
	return nil
}

// pointer is the layout of a pointer to a child in an inner node.
type pointer struct {
	size  int // all of it
	count int // of the field with the child's records
	total int // of the field with the records below the child
}

// pointers returns the layout for the nodes of each depth; the sizes of the
// fields follow from how many records can be below.
func (r *reader) pointers(nodeSize int64, record, depth int) []pointer {
	const overhead = 10 // signature, version, type and checksum
	most := uint64(nodeSize-overhead) / uint64(record)
	count := sizeOf(most)
	all := make([]pointer, depth+1)
	below, total := most, 0 // records in the subtree of a child, size of the field for it
	for d := 1; d <= depth; d++ {
		p := pointer{size: r.addr + count + total, count: count, total: total}
		all[d] = p
		here := uint64(max(0, nodeSize-overhead-int64(p.size))) / uint64(record+p.size)
		hi, lo := bits.Mul64(here+1, below)
		if hi != 0 {
			lo = undefined
		}
		below = lo + min(here, undefined-lo)
		total = sizeOf(below)
	}
	return all
}

// sizeOf is how many bytes hold numbers up to n.
func sizeOf(n uint64) int {
	return max(1, (bits.Len64(n)+7)/8)
}
