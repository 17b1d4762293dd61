package hubtest

import (
	"io"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
)

// CutMode is how a connection ends too early.
type CutMode int

// The ways of cutting.
const (
	NoCut CutMode = iota
	// CutClose ends TLS and TCP in an orderly way; on HTTP/2 it resets the
	// stream and leaves the connection.
	CutClose
	// CutReset sends a TCP RST, which ends all streams of an HTTP/2
	// connection. Bytes that the client has not received yet may be lost.
	CutReset
)

// Fault is something that goes wrong with certain requests. Set any number of
// effects; of several faults that match a request the oldest is applied.
type Fault struct {
	// Which requests. Zero fields match everything.
	Role   Role
	Host   string
	Method string
	Path   *regexp.Regexp // searched in the percent-encoded path
	// Match may look at the rest of the request; it must not keep it.
	Match func(r *http.Request) bool
	Skip  int // so many matches are left alone first
	Times int // so many are hit then; 0 is all until the fault is removed

	// Delay holds the whole answer until the channel is closed or gives a
	// value, the client leaves or the hub closes.
	Delay <-chan struct{}
	// Status is answered in place of the real answer, with Header and Body.
	Status int
	Body   string
	// Header replaces fields of the answer just before it is sent; a field
	// without values is removed.
	Header http.Header
	// ExpiredLinks makes redirects and LFS batches give links that are no
	// longer valid.
	ExpiredLinks bool
	// IgnoreRange answers 200 and everything to a request for a range.
	IgnoreRange bool
	// Content replaces what is served, not what is announced in metadata; see
	// Corrupt, Resize and Replace.
	Content func(Content) Content
	// LengthDelta is added to Content-Length; the body is what it would be,
	// but never longer than announced.
	LengthDelta int64
	// Chunked leaves Content-Length out.
	Chunked bool
	// After is how many bytes of the body pass before Stall and Cut; they do
	// nothing to a body that is not longer. -1 cuts before the status line.
	After int64
	// Stall keeps the rest back until the channel is closed or gives a value,
	// the client leaves or the hub closes; if Cut is set it follows.
	Stall <-chan struct{}
	Cut   CutMode
}

// Corrupt inverts the byte at off, counted from the end if negative.
func Corrupt(off int64) func(Content) Content {
	return func(c Content) Content {
		at := off
		if at < 0 {
			at += c.Size()
		}
		return corrupted{c, at}
	}
}

type corrupted struct {
	Content
	at int64
}

func (c corrupted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Content.ReadAt(p, off)
	if i := c.at - off; i >= 0 && i < int64(n) {
		p[i] ^= 0xff
	}
	return n, err
}

// Resize serves delta bytes less (from the end) or more (zeros).
func Resize(delta int64) func(Content) Content {
	return func(c Content) Content {
		if delta >= 0 {
			return Join(c, zeros(delta))
		}
		return io.NewSectionReader(c, 0, max(0, c.Size()+delta))
	}
}

type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// Replace serves other content.
func Replace(other Content) func(Content) Content {
	return func(Content) Content { return other }
}

// plannedFault is a Fault that counts.
type plannedFault struct {
	Fault
	skip, hits int
}

// Fault plans f until remove is called, which may be done more than once.
// Answers that have begun keep their fault.
func (h *Hub) Fault(f Fault) (remove func()) {
	header := http.Header{}
	for name, values := range f.Header {
		header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	f.Header = header
	planned := &plannedFault{Fault: f, skip: f.Skip}
	h.mu.Lock()
	h.faults = append(h.faults, planned)
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.faults = slices.DeleteFunc(h.faults, func(p *plannedFault) bool { return p == planned })
	}
}

// takeFault returns the fault for a request, the zero one if there is none.
func (h *Hub) takeFault(rec *Request, r *http.Request) Fault {
	h.mu.Lock()
	planned := slices.Clone(h.faults)
	h.mu.Unlock()
	for _, p := range planned {
		if p.matches(rec, r) && h.claim(p) {
			return p.Fault
		}
	}
	return Fault{}
}

func (f *Fault) matches(rec *Request, r *http.Request) bool {
	return (f.Role == "" || f.Role == rec.Role) &&
		(f.Host == "" || f.Host == rec.Host) &&
		(f.Method == "" || f.Method == rec.Method) &&
		(f.Path == nil || f.Path.MatchString(rec.Path)) &&
		(f.Match == nil || f.Match(r))
}

func (h *Hub) claim(p *plannedFault) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.skip > 0 {
		p.skip--
		return false
	}
	if p.Times > 0 && p.hits >= p.Times {
		return false
	}
	p.hits++
	return true
}
