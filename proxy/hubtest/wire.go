package hubtest

import (
	"net"
	"sync"
	"time"
)

// Wire is how far away a Hub is. The zero value is no distance at all.
type Wire struct {
	// RTT is the round-trip time: what the hub sends arrives so much later.
	RTT time.Duration
	// Rate is how many bytes a second each connection carries from the hub; 0
	// for any number.
	Rate int64
}

// wireQueue bounds what is on the way of one connection, in writes of at most
// 16 KiB: more than 40 ms at 25 MB/s.
const wireQueue = 128

// wire delays what is written to a connection. Its Write returns before the
// bytes have arrived, as that of a socket does.
type wire struct {
	net.Conn
	how    Wire
	queue  chan parcel
	ended  chan struct{}   // closed when nothing more is delivered
	cut    chan struct{}   // closed to drop what is on the way
	over   <-chan struct{} // the same, for all wires of a hub
	closed sync.Once

	mu   sync.Mutex // of who writes
	free time.Time  // when the line has carried what was written
	shut bool
}

type parcel struct {
	bytes []byte
	at    time.Time // of arrival
}

// overWire returns c with a distance. Close waits for what is on the way, until
// over is closed.
func overWire(c net.Conn, how Wire, over <-chan struct{}) net.Conn {
	if how == (Wire{}) {
		return c
	}
	w := &wire{Conn: c, how: how, queue: make(chan parcel, wireQueue), ended: make(chan struct{}), cut: make(chan struct{}), over: over}
	go w.deliver()
	return w
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := 0
	for done < len(p) {
		if w.shut {
			return done, net.ErrClosed
		}
		b := append([]byte(nil), p[done:min(len(p), done+16<<10)]...)
		if now := time.Now(); w.free.Before(now) {
			w.free = now
		}
		if w.how.Rate > 0 {
			w.free = w.free.Add(time.Duration(int64(len(b)) * int64(time.Second) / w.how.Rate))
		}
		select {
		case w.queue <- parcel{b, w.free.Add(w.how.RTT)}:
		case <-w.ended:
			return done, net.ErrClosed
		}
		done += len(b)
	}
	return done, nil
}

func (w *wire) deliver() {
	defer close(w.ended)
	late := time.NewTimer(0)
	defer late.Stop()
	for p := range w.queue {
		late.Reset(time.Until(p.at))
		select {
		case <-late.C:
		case <-w.cut:
			return
		case <-w.over:
			return
		}
		if _, err := w.Conn.Write(p.bytes); err != nil {
			return
		}
	}
}

// drop closes the connection and loses what is on the way.
func (w *wire) drop() error {
	w.closed.Do(func() { close(w.cut) })
	return w.Close()
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.mu.Lock()
	if !w.shut {
		w.shut = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
	return w.Conn.Close()
}
