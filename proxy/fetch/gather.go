package fetch

import "time"

// gatherSize is how much of one connection's body is put into the spool at a
// time, in bytes. A TLS record brings at most 16 KiB, and writing each by itself
// takes the kernel twice as long.
const gatherSize = 128 << 10

// buffer is how large a buffer of at most n bytes is worth for an object of
// size: hundreds of small ones may be on their way at once.
func buffer(n, size int64) int64 {
	if size < 0 {
		return n
	}
	return min(n, max(32<<10, size/256))
}

// gatherTime is how long bytes may lie in a gather. It is short beside any
// round trip, and long beside what a fast connection needs to fill one.
const gatherTime = 2 * time.Millisecond

// gather collects what one connection brings before it goes into the spool. Its
// owner reads into room and calls add; a timer takes away what lies there too
// long, so that whoever waits for the bytes of a slow upstream has them.
type gather struct {
	o *Object
	// failed is told why the timer could not empty the gather: its owner may be
	// waiting for the upstream.
	failed func(error)
	timer  *time.Timer

	// busy holds a value while one of the two is at work: with the disk, which a
	// mutex is not held for.
	busy    chan struct{}
	buf     []byte
	from, n int   // buf[from:n] is not in the spool yet
	pos     int64 // its place
	scratch []byte
	err     error
}

func newGather(o *Object, pos int64, failed func(error)) *gather {
	all := o.Size()
	size := buffer(gatherSize, all)
	if all >= 0 {
		size = min(size, max(all-pos, 1))
	}
	g := &gather{o: o, pos: pos, failed: failed, busy: make(chan struct{}, 1), buf: make([]byte, size)}
	g.timer = time.AfterFunc(time.Hour, g.late)
	g.timer.Stop()
	return g
}

// room returns where the next bytes go, at most limit of them. Only add changes
// what it depends on.
func (g *gather) room(limit int64) []byte {
	return g.buf[g.n:min(int64(len(g.buf)), int64(g.n)+limit)]
}

// add takes the first n bytes of room, and empties a full gather.
func (g *gather) add(n int) error {
	g.busy <- struct{}{}
	defer func() { <-g.busy }()
	first := g.from == g.n
	g.n += n
	switch {
	case g.err != nil:
	case g.n == len(g.buf):
		return g.flush()
	case first && n > 0:
		g.timer.Reset(gatherTime)
	}
	return g.err
}

// empty puts what there is into the spool.
func (g *gather) empty() error {
	g.busy <- struct{}{}
	defer func() { <-g.busy }()
	return g.flush()
}

// flush is empty for who is busy.
func (g *gather) flush() error {
	g.put()
	if g.err == nil {
		g.from, g.n = 0, 0
		g.timer.Stop()
	}
	return g.err
}

// late is flush for the timer: the owner may be reading into what lies behind n.
func (g *gather) late() {
	g.busy <- struct{}{}
	defer func() { <-g.busy }()
	if g.put(); g.err != nil {
		g.failed(g.err)
	}
}

func (g *gather) put() {
	if g.err != nil || g.from == g.n {
		return
	}
	if g.err = g.o.put(g.o.ctx, g.pos, g.buf[g.from:g.n], &g.scratch); g.err == nil {
		g.pos += int64(g.n - g.from)
		g.from = g.n
	}
}

// close empties the gather and ends its timer.
func (g *gather) close() error {
	err := g.empty()
	g.timer.Stop()
	return err
}
