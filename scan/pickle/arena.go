package pickle

import "sync"

// arena is the memory of one scan, which the next one uses again: nodes,
// stacks, pages of memos and what the file is read by.
type arena struct {
	nodes
	window, search []byte
	slices         [][]value // for stacks and what memos keep
	spared         []*page
	paged          int // pages that the memos at work hold
}

// Bounds of an arena.
const (
	// maxPages bounds the pages of all memos at work.
	maxPages = (denseMemo + presentMax/64) / memoPage
	// What is kept for the next scan.
	sparePages  = 2 << 10
	spareSlabs  = 1 << 10
	spareValues = 1 << 16
	spareSlices = 8
)

// spare keeps arenas that no scan uses.
type spare struct{ pool sync.Pool }

func (s *spare) get() *arena {
	if a, ok := s.pool.Get().(*arena); ok {
		return a
	}
	return &arena{}
}

func (s *spare) put(a *arena) {
	a.renew()
	a.slabs = a.slabs[:min(len(a.slabs), spareSlabs)]
	a.spared = a.spared[:min(len(a.spared), sparePages)]
	s.pool.Put(a)
}

// buffer returns the n bytes of *b, which it makes if need be.
func buffer(b *[]byte, n int) []byte {
	if len(*b) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n:n]
}

// page returns an empty page, nil when there are too many.
func (a *arena) page() *page {
	if a.paged >= maxPages {
		return nil
	}
	a.paged++
	if n := len(a.spared); n > 0 {
		p := a.spared[n-1]
		a.spared = a.spared[:n-1]
		*p = page{}
		return p
	}
	return new(page)
}

// values returns an empty slice.
func (a *arena) values() []value {
	if n := len(a.slices); n > 0 {
		s := a.slices[n-1]
		a.slices = a.slices[:n-1]
		return s[:0]
	}
	return nil
}

func (a *arena) giveBack(s []value) {
	if c := cap(s); c > 0 && c <= spareValues && len(a.slices) < spareSlices {
		a.slices = append(a.slices, s)
	}
}

// drop takes back what only t had, which is not used any more.
func (a *arena) drop(t *thread) {
	a.giveBack(t.stack)
	t.stack = nil
	if t.memo.lent {
		return
	}
	a.giveBack(t.memo.kept)
	for _, pages := range [][]*page{t.memo.pages, t.memo.present} {
		for _, p := range pages {
			if p != nil && len(a.spared) < sparePages {
				a.spared = append(a.spared, p)
			}
		}
	}
	t.memo = memo{}
}
