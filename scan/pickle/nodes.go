package pickle

// nodes makes containers and takes back those that nothing refers to any
// more. A node has one owner, the stack or one container, until something
// pins it: the memo, DUP, a second reading.
type nodes struct {
	free  []*node
	slabs [][]node // all nodes, from scans before as well
	used  int      // of those nodes, in this scan
	bytes int      // of the nodes in use and of what they keep
}

// Bounds of the nodes in use, in bytes.
const (
	nodeSize  = 136
	valueSize = 16
	// maxNodes is where containers are made without what they hold.
	maxNodes = 12 << 20
	// maxKept is where the memo forgets what containers hold.
	maxKept = 6 << 20
	slabLen = 64
)

// node returns an empty node, nil when there are too many.
func (a *nodes) node() *node {
	if n := len(a.free); n > 0 {
		p := a.free[n-1]
		a.free = a.free[:n-1]
		a.bytes += nodeSize + valueSize*cap(p.items)
		return p
	}
	if a.bytes >= maxNodes {
		return nil
	}
	if a.used == slabLen*len(a.slabs) {
		slab := make([]node, slabLen)
		for i := range slab {
			slab[i].items = slab[i].small[:0]
		}
		a.slabs = append(a.slabs, slab)
	}
	p := &a.slabs[a.used/slabLen][a.used%slabLen]
	a.used++
	a.bytes += nodeSize + valueSize*cap(p.items)
	return p
}

// renew takes back all nodes, for another scan.
func (a *nodes) renew() {
	for i := range a.used {
		p := &a.slabs[i/slabLen][i%slabLen]
		if p.owns {
			clear(p.items)
		}
		p.items = p.items[:0]
		p.reset()
	}
	clear(a.free)
	a.free, a.used, a.bytes = a.free[:0], 0, 0
}

// container makes an empty mutable container.
func (a *nodes) container(k kind) value {
	n := a.node()
	if n == nil {
		return plain(k).with(flagForgot)
	}
	return value{uint64(k), n}
}

// filled makes a container of items, which it copies.
func (a *nodes) filled(k kind, items []value) value {
	n := a.node()
	if n != nil {
		a.add(n, items)
		return value{uint64(k), n}
	}
	v := plain(k).with(flagForgot)
	for _, item := range items {
		if item.tainted() {
			v = v.with(flagTaint)
		}
		if item.p != nil {
			item.p.held = true
		}
		a.release(item)
	}
	return v
}

// add appends items to n: the first are kept, the others counted. It returns
// the flags of all items together, and whether n is one of them.
func (a *nodes) add(n *node, items []value) (flags uint64, selfish bool) {
	have := len(n.items)
	want := min(have+len(items), keep)
	if want > cap(n.items) {
		want = a.grow(n, want)
	}
	kept := n.items[have:want]
	n.items = n.items[:want]
	n.size += int64(len(items))
	weight := float64(len(items))
	for i := range items {
		v := &items[i]
		flags |= v.w
		if i < len(kept) {
			kept[i] = *v
		}
		p := v.p
		if p == nil {
			continue
		}
		n.owns = true
		selfish = selfish || p == n
		p.held = true
		weight += p.weight
		n.taint = n.taint || p.taint
		if i >= len(kept) {
			a.release(*v)
		}
	}
	n.weight += weight
	if flags&(flagTaint<<kindBits) != 0 {
		n.taint = true
	}
	return flags, selfish
}

// grow makes room for want items, if there is any, and returns for how many.
func (a *nodes) grow(n *node, want int) int {
	size := max(want, min(keep, 2*cap(n.items)))
	if a.bytes += valueSize * (size - cap(n.items)); a.bytes > maxNodes {
		a.bytes -= valueSize * (size - cap(n.items))
		return min(want, cap(n.items))
	}
	n.items = append(make([]value, 0, size), n.items...)
	return want
}

// release takes back a value that its only owner gives up, with what it owns
// in turn.
func (a *nodes) release(v value) {
	if v.p == nil {
		return
	}
	first := len(a.free)
	a.take(v)
	for i := first; i < len(a.free); i++ {
		n := a.free[i]
		if n.owns {
			for j := range n.items {
				if n.items[j].p != nil {
					a.take(n.items[j])
				}
			}
			clear(n.items)
		}
		n.items = n.items[:0]
	}
	for _, n := range a.free[first:] {
		n.reset()
	}
}

func (n *node) reset() {
	n.size, n.weight = 0, 0
	n.taint, n.owns, n.dunder, n.pinned, n.held = false, false, false, false, false
	if n.state.w != 0 || n.data != nil {
		n.state, n.data = value{}, nil
	}
}

func (a *nodes) take(v value) {
	n := v.p
	if n.pinned || !v.container() && v.kind() != kindPersistent && v.kind() != kindObject {
		return
	}
	n.pinned = true
	a.bytes = max(0, a.bytes-nodeSize-valueSize*cap(n.items))
	if v.kind() != kindObject { // whose items were those of its arguments
		a.free = append(a.free, n)
	}
}
