package gate

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"modelwall/proxy/policy"
	"modelwall/proxy/store"
)

// lastPiece is how much of the content's end stays back until the whole of it
// is proven, in bytes.
const lastPiece = 64 << 10

// release is the body of one response: it yields bytes of a job's content only
// when they may leave. It implements io.ReadSeeker for http.ServeContent.
type release struct {
	ctx      context.Context //nolint:containedctx // the request's; ServeContent takes a reader
	subject  *subject        // what this caller was promised; the job's may be another's
	job      *job
	transfer *transfer
	size     int64
	off      int64

	decided  bool
	decision policy.Decision
	drip     drip
}

// ready returns the stage after which a decision can be made: once judged
// where the Hub promised a hash, else once the whole content is proven. A small
// file waits for the store too: a burst of them is no faster than the disk.
func (rel *release) ready() <-chan struct{} {
	switch {
	case rel.size >= 0 && rel.size <= wholeFirst:
		return rel.job.kept
	case rel.job.subject.sha256 == "":
		return rel.job.proven
	}
	return rel.job.judged
}

// decide asks the policy, once the job is ready.
func (rel *release) decide() error {
	j := rel.job
	if err := j.failure(); err != nil {
		return err
	}
	if err := rel.subject.promised(j.size); err != nil {
		return err
	}
	sha256 := j.subject.sha256
	if sha256 == "" {
		sha256 = j.digest.SHA256
	}
	d, err := j.gate.decide(rel.ctx, sha256, j.report)
	if err != nil {
		return err
	}
	record := &rel.transfer.record
	record.VerdictTime = time.Since(rel.transfer.started)
	record.SHA256, record.Verdict, record.Decision = sha256, j.report.Verdict, d.String()
	if !d.Action.Serves() {
		v := store.VerdictRecord{SHA256: sha256, Size: j.size, Report: j.report}
		refused, err := j.gate.refuse(rel.ctx, d, v, rel.subject.origin(record.Client))
		return cmp.Or[error](err, refused)
	}
	rel.decided, rel.decision = true, d
	return nil
}

// settle sends what there is, the header or a byte, because the hold is over,
// and waits until the body may follow or one more byte of it is due, which it
// puts into p and counts.
func (rel *release) settle(p []byte) (int, error) {
	defer rel.drip.stop()
	for {
		if err := http.NewResponseController(rel.transfer).Flush(); err != nil {
			return 0, errGone
		}
		due := rel.drip.next(rel.job.gate.Drip)
		if len(p) == 0 {
			due = nil
		}
		select {
		case <-rel.ready():
			return 0, rel.decide()
		case <-rel.ctx.Done():
			return 0, errGone
		case <-due:
			if n, err := rel.drop(p); n > 0 || err != nil {
				return n, err
			}
		}
	}
}

// Read implements io.Reader.
func (rel *release) Read(p []byte) (int, error) {
	if rel.off >= rel.size {
		return 0, io.EOF
	}
	if !rel.decided {
		if n, err := rel.settle(p); n > 0 || err != nil {
			rel.off += int64(n)
			return n, err
		}
	}
	free := rel.size - lastPiece - rel.off // may leave before the hash is proven
	if free <= 0 {
		if err := rel.wait(rel.job.proven); err != nil {
			return 0, err
		}
		if rel.job.digest.SHA256 == "" {
			return 0, rel.job.failure()
		}
		free = rel.size - rel.off
	}
	p = p[:min(int64(len(p)), free)]
	n, err := rel.job.object.Reader(rel.ctx).ReadAt(p, rel.off)
	rel.off += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (rel *release) wait(stage <-chan struct{}) error {
	select {
	case <-stage:
		return nil
	case <-rel.ctx.Done():
		return errGone
	}
}

// Seek implements io.Seeker.
func (rel *release) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		rel.off = offset
	case io.SeekCurrent:
		rel.off += offset
	case io.SeekEnd:
		rel.off = rel.size + offset
	}
	return rel.off, nil
}
