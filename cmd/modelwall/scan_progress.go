package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"modelwall/scan"
)

// progress is one line on a terminal that says how far a scan is. The nil
// progress says nothing.
type progress struct {
	w     io.Writer
	files int

	ready, blocked, read atomic.Int64
}

func newProgress(w io.Writer, files int) *progress { return &progress{w: w, files: files} }

// progressEvery is how often the line is drawn.
const progressEvery = 200 * time.Millisecond

// start draws the line until stop is called, which wipes it.
func (p *progress) start() (stop func()) {
	if p == nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(p.w, "\r\x1b[K%s", p)
			case <-quit:
				fmt.Fprint(p.w, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}

// done counts a file.
func (p *progress) done(r scanResult) {
	if p == nil {
		return
	}
	p.ready.Add(1)
	p.read.Add(r.read)
	if r.Verdict != scan.Clean {
		p.blocked.Add(1)
	}
}

// String is the line.
func (p *progress) String() string {
	return fmt.Sprintf("%d of %s, %d not clean, %s read", p.ready.Load(), plural(p.files, "file", "files"), p.blocked.Load(), bytesText(p.read.Load()))
}
