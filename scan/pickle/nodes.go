package pickle

// nodes makes containers and takes back those that nothing refers to any
// more. A node has one owner, the stack or one container, until something
// pins it: the memo, DUP, a second reading.
type nodes struct{ free []*node }

// maxFree bounds the nodes kept for reuse.
const maxFree = 8 << 10

func (a *nodes) node() *node {
	if n := len(a.free); n > 0 {
		p := a.free[n-1]
		a.free = a.free[:n-1]
		return p
	}
	n := &node{}
	n.items = n.small[:0]
	return n
}

// container makes an empty mutable container.
func (a *nodes) container(k kind) value { return value{uint64(k), a.node()} }

// filled makes a container of items, which it copies.
func (a *nodes) filled(k kind, items []value) value {
	n := a.node()
	a.add(n, items)
	return value{uint64(k), n}
}

// add appends items to n: the first are kept, the others counted.
func (a *nodes) add(n *node, items []value) {
	if room := min(len(n.items)+len(items), keep); room > cap(n.items) {
		n.items = append(make([]value, 0, max(room, min(keep, 2*cap(n.items)))), n.items...)
	}
	room := max(0, min(keep-len(n.items), len(items)))
	n.items = append(n.items, items[:room]...)
	n.size += int64(len(items))
	weight, flags := float64(len(items)), uint64(0)
	for i, v := range items {
		flags |= v.w
		if v.p != nil {
			v.p.held = true
			weight += v.p.weight
			n.taint = n.taint || v.p.taint
			if i >= room {
				a.release(v)
			}
		}
	}
	n.weight += weight
	if flags&(flagTaint<<kindBits) != 0 {
		n.taint = true
	}
}

// release takes back a container that its only owner gives up, with what it
// owns in turn.
func (a *nodes) release(v value) {
	if v.p == nil || v.p.pinned || !v.container() || len(a.free) >= maxFree {
		return
	}
	n := v.p
	first := len(a.free)
	a.take(n)
	for i := first; i < len(a.free) && len(a.free) < maxFree; i++ {
		n := a.free[i]
		for _, v := range n.items {
			if v.p != nil && !v.p.pinned && v.container() && len(a.free) < maxFree {
				a.take(v.p)
			}
		}
	}
	for _, n := range a.free[first:] {
		items := n.items[:cap(n.items)]
		clear(items)
		*n = node{items: items[:0]}
	}
}

func (a *nodes) take(n *node) {
	n.pinned = true
	a.free = append(a.free, n)
}
