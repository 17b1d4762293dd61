package pickle

// Bounds of the memo. Values up to denseMemo are kept as they are; beyond it
// only what could be called is, the rest is remembered as present and
// forgotten. A forgotten value in a place that matters is unknown, so nothing
// hides behind the bound.
const (
	memoPage   = 512
	denseMemo  = 2 << 20
	presentMax = 64 << 20
	farMemo    = 64 << 10
	// maxKeyBytes bounds keys of PUT that are not numbers, each of which
	// costs keySize and its text.
	maxKeyBytes = 4 << 20
	keySize     = 64
	keptValues  = 32 << 10
)

// page is a piece of a memo.
type page [memoPage]uint64

// memo is the unpickler's memo: index to value, in pages, without pointers.
type memo struct {
	pages   []*page
	present []*page // a bit for each index from denseMemo on
	far     map[uint64]uint64
	kept    []value
	count   uint64 // distinct indices, what MEMOIZE uses next
	// recent is the page of the indices from first on, nil when put is needed
	// for more than to store.
	recent *page
	first  uint64
	// keys holds what PUT stored under a key that Python 2 tells apart from
	// the number it spells.
	keys     map[string]value
	texts    bool // PUT was used
	keyBytes int
	forgot   bool  // details were lost
	lent     bool  // another memo has the same pages
	held     int   // pages
	base     *memo // consulted for what is not here; never written
}

// absent marks an empty slot: kindUnknown never has this payload.
const absent = 0

// pack makes v storable. Without room its details are lost.
func (m *memo) pack(v value, room bool) uint64 {
	v = v.shared()
	if v.p == nil {
		if v.w == absent {
			return plain(kindUnknown).with(flagTaint).w
		}
		return v.w
	}
	if len(m.kept) >= keptValues || !room {
		m.forgot = true
		v = v.with(flagForgot)
		if (v.p.size > 0 || v.p.taint || v.kind() == kindObject) && v.tainted() {
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
func (m *memo) put(i uint64, v value, a *arena) bool {
	room := a.bytes < maxKept
	if i < denseMemo {
		page := int(i / memoPage)
		for len(m.pages) <= page {
			m.pages = append(m.pages, nil)
		}
		if m.pages[page] == nil {
			if m.pages[page] = a.page(); m.pages[page] == nil {
				return false
			}
			m.held++
		}
		if m.base == nil && !m.texts {
			m.recent, m.first = m.pages[page], i&^(memoPage-1)
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
		*slot = m.pack(v, room)
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
			if m.present[page] = a.page(); m.present[page] == nil {
				return false
			}
			m.held++
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
	m.far[i] = m.pack(v, room)
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
func (m *memo) fork() memo { return memo{base: m, count: m.count, texts: m.texts} }

// key returns what PUT stored under a key by its text.
func (m *memo) key(text []byte) (value, bool) {
	for ; m != nil; m = m.base {
		if v, ok := m.keys[string(text)]; ok {
			return v, true
		}
	}
	return value{}, false
}

// full reports whether details of containers are being forgotten.
func (m *memo) full() bool { return m.forgot }
