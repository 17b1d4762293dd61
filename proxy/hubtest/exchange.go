package hubtest

import (
	"net/http"
	"strconv"
)

// exchange is one request and its answer. It is the http.ResponseWriter of
// all handlers: it applies the fault to what they write and keeps the record.
type exchange struct {
	hub      *Hub
	w        http.ResponseWriter
	r        *http.Request
	rec      *Request
	fault    Fault
	status   int
	declared int64 // Content-Length, -1 if none
	sent     int64
	broken   bool // a write failed
	finished bool // the handler came to its end
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status != 0 {
		return
	}
	header := x.w.Header()
	x.status = status
	if x.fault.Chunked {
		header.Del("Content-Length")
	}
	if n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		x.declared = max(0, n+x.fault.LengthDelta)
		header.Set("Content-Length", strconv.FormatInt(x.declared, 10))
	}
	for name, values := range x.fault.Header {
		if len(values) == 0 {
			delete(header, name)
		} else {
			header[name] = values
		}
	}
	x.hub.mu.Lock()
	x.rec.Status = status
	x.hub.mu.Unlock()
	x.w.WriteHeader(status)
	if x.fault.Chunked {
		x.flush() // or net/http would count a short body by itself
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	if x.r.Method == http.MethodHead {
		return len(p), nil
	}
	if x.declared >= 0 {
		if left := x.declared - x.sent; int64(len(p)) > left {
			// Only after LengthDelta: to the handler it looks written.
			if _, err := x.Write(p[:left]); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	done := 0
	for done < len(p) {
		piece := p[done:]
		if x.fault.Stall != nil || x.fault.Cut != NoCut {
			left := x.fault.After - x.sent
			if left <= 0 {
				x.trip()
				continue
			}
			piece = piece[:min(int64(len(piece)), left)]
		}
		n, err := x.w.Write(piece)
		done += n
		x.sent += int64(n)
		if err != nil {
			x.broken = true
			return done, err
		}
	}
	return done, nil
}

func (x *exchange) flush() {
	if err := http.NewResponseController(x.w).Flush(); err != nil {
		x.broken = true
	}
}

// trip is reached when After bytes have been written and more would follow.
func (x *exchange) trip() {
	x.flush()
	if x.fault.Stall != nil {
		x.wait(x.fault.Stall)
		x.fault.Stall = nil
	}
	if x.fault.Cut != NoCut {
		x.cut()
	}
}

// wait returns when release does; if the client leaves or the hub closes
// before, the exchange is aborted.
func (x *exchange) wait(release <-chan struct{}) {
	select {
	case <-release:
	case <-x.r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-x.hub.closing:
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) cut() {
	if c := connOf(x.r); c != nil && x.fault.Cut == CutReset {
		c.reset()
	}
	panic(http.ErrAbortHandler) // net/http's way of saying: end this visibly
}

// applyEarly applies what comes before the real answer; it returns true if
// that is all there will be.
func (x *exchange) applyEarly() (answered bool) {
	if x.fault.Delay != nil {
		x.wait(x.fault.Delay)
	}
	if x.fault.Cut != NoCut && x.fault.After < 0 {
		x.cut()
	}
	if x.fault.IgnoreRange {
		x.r.Header.Del("Range")
	}
	if x.fault.Status == 0 {
		return false
	}
	body := x.fault.Body
	if body == "" {
		body = http.StatusText(x.fault.Status)
	}
	x.text(x.fault.Status, body)
	return true
}

// finish completes the record; it runs when the handler panics too.
func (x *exchange) finish() {
	x.hub.mu.Lock()
	defer x.hub.mu.Unlock()
	x.rec.BytesSent = x.sent
	whole := x.declared < 0 || x.sent == x.declared || x.r.Method == http.MethodHead || x.status == http.StatusNotModified
	x.rec.Complete = x.finished && !x.broken && whole
}
