package gate

import (
	"bytes"
	"errors"
	"io"
	"time"

	"modelwall/scan"
)

// maxDrip is how much of a file may leave while its verdict is open, in bytes.
// At one byte in five seconds that is more than five hours.
const maxDrip = 4 << 10

// drip is what keeps a client's read time-out from ending a wait: bytes that
// are cleared. A prefix of a file is cleared when the inspector finds nothing
// in it, taken as a whole file: to a loader the prefix is all there is, damaged
// or not, so it can do no more than was looked at.
type drip struct {
	timer *time.Timer
	over  bool // no more of this file is cleared
}

// next returns a channel on which the time for the next byte comes, nil for
// never.
func (d *drip) next(every time.Duration) <-chan time.Time {
	switch {
	case d.over:
		return nil
	case d.timer == nil:
		d.timer = time.NewTimer(every)
	default:
		d.timer.Reset(every)
	}
	return d.timer.C
}

func (d *drip) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// drop puts the next byte into p if it is cleared, and returns how many there
// are: none or one.
func (rel *release) drop(p []byte) (int, error) {
	j, n := rel.job, rel.off+1
	select {
	case <-j.opened:
	default:
		return 0, nil // nothing has arrived
	}
	if err := j.failure(); err != nil {
		return 0, err
	}
	if err := rel.subject.promised(j.size); err != nil {
		return 0, err
	}
	if rel.drip.over = n > maxDrip; rel.drip.over {
		return 0, nil
	}
	prefix := make([]byte, n)
	if read, err := j.object.Reader(rel.ctx).ReadAt(prefix, 0); read < len(prefix) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	report, err := j.gate.Inspector.Inspect(rel.ctx, scan.File{
		Name: j.subject.request.Path, Size: n, ReaderAt: bytes.NewReader(prefix),
	})
	if err != nil || report.Worst() >= scan.SeveritySuspicious {
		rel.drip.over = true
		return 0, nil //nolint:nilerr // no reason to end the wait: the verdict is still to come
	}
	p[0] = prefix[rel.off]
	return 1, nil
}
