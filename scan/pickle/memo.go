package pickle

// Bounds of the memo. Values up to denseMemo are kept as they are; beyond it
// only what could be called is, the rest is remembered as present and
// forgotten. A forgotten value in a place that matters is unknown, so nothing
// hides behind the bound.
const (
	memoPage   = 4 << 10
	denseMemo  = 4 << 20
	presentMax = 64 << 20
	farMemo    = 64 << 10
	keptValues = 32 << 10
)

// memo is the unpickler's memo: index to value, in pages, without pointers.
type memo struct {
	pages   []*[memoPage]uint64
	present []*[memoPage]uint64 // a bit for each index from denseMemo on
	far     map[uint64]uint64
	kept    []value
	count   uint64 // distinct indices, what MEMOIZE uses next
	// keys holds what PUT stored under a key that Python 2 tells apart from
	// the number it spells.
	keys map[string]value
	base *memo // consulted for what is not here; never written
}

// absent marks an empty slot: kindUnknown never has this payload.
const absent = 0

// pack makes v storable; the bool is false when its details are lost.
func (m *memo) pack(v value) uint64 {
	v = v.shared()
	if v.p == nil {
		if v.w == absent {
			return plain(kindUnknown).with(flagTaint).w
		}
		return v.w
	}
	if len(m.kept) >= keptValues {
		v = v.with(flagForgot)
		if v.tainted() {
			v = v.with(flagTaint)
		}
		return v.w
	}
	v.p.pinned = true
	m.kept = append(m.kept, v)
	return indexed(kindRef, len(m.kept)-1).w
}

// shared returns v as those see it who fetch it from the memo.
func (v value) shared() value {
	if v.kind() == kindObject {
		return v.with(flagBuilt)
	}
	return v
}

func (m *memo) unpack(w uint64) value {
	v := value{w: w}
	if v.kind() == kindRef {
		return m.kept[v.index()]
	}
	return v
}

// put stores v at i and reports whether there was room.
func (m *memo) put(i uint64, v value) bool {
	if i < denseMemo {
		page := int(i / memoPage)
		for len(m.pages) <= page {
			m.pages = append(m.pages, nil)
		}
		if m.pages[page] == nil {
			m.pages[page] = new([memoPage]uint64)
		}
		slot := &m.pages[page][i%memoPage]
		if *slot == absent && !m.base.has(i) {
			m.count++
		}
		// A slot that held a node can hold the next one in its place.
		if old := (value{w: *slot}); old.kind() == kindRef && v.p != nil {
			v.p.pinned = true
			m.kept[old.index()] = v.shared()
			return true
		}
		*slot = m.pack(v)
		return true
	}
	if !m.has(i) {
		m.count++
	}
	if i < presentMax {
		page := int((i - denseMemo) / (64 * memoPage))
		for len(m.present) <= page {
			m.present = append(m.present, nil)
		}
		if m.present[page] == nil {
			m.present[page] = new([memoPage]uint64)
		}
		bit := (i - denseMemo) % (64 * memoPage)
		m.present[page][bit/64] |= 1 << (bit % 64)
		switch {
		case v.kind() == kindGlobal && len(m.far) < farMemo:
		case m.far != nil:
			delete(m.far, i)
			return true
		default:
			return true
		}
	} else if _, ok := m.far[i]; !ok && len(m.far) >= farMemo {
		return false
	}
	if m.far == nil {
		m.far = map[uint64]uint64{}
	}
	m.far[i] = m.pack(v)
	return true
}

// get returns the value at i.
func (m *memo) get(i uint64) (value, bool) {
	if i < denseMemo {
		if page := int(i / memoPage); page < len(m.pages) && m.pages[page] != nil {
			if w := m.pages[page][i%memoPage]; w != absent {
				return m.unpack(w), true
			}
		}
	} else {
		if w, ok := m.far[i]; ok {
			return m.unpack(w), true
		}
		if m.marked(i) {
			return plain(kindUnknown).with(flagForgot), true
		}
	}
	if m.base != nil {
		return m.base.get(i)
	}
	return value{}, false
}

func (m *memo) marked(i uint64) bool {
	if i < denseMemo || i >= presentMax {
		return false
	}
	page := int((i - denseMemo) / (64 * memoPage))
	if page >= len(m.present) || m.present[page] == nil {
		return false
	}
	bit := (i - denseMemo) % (64 * memoPage)
	return m.present[page][bit/64]>>(bit%64)&1 == 1
}

func (m *memo) has(i uint64) bool {
	if m == nil {
		return false
	}
	_, ok := m.get(i)
	return ok
}

// fork returns an empty memo that shows what m holds.
func (m *memo) fork() memo { return memo{base: m, count: m.count} }

// full reports whether details of containers are being forgotten.
func (m *memo) full() bool { return len(m.kept) >= keptValues }
