package gate

import (
	"context"
	"errors"
	"time"

	"modelwall/proxy/fetch"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// job fetches and judges one content for all clients that wait for it.
type job struct {
	gate    *Gate
	subject *subject
	ctx     context.Context //nolint:containedctx // the job's own life, longer than any request's
	cancel  context.CancelFunc

	// The stages, each closed once, in this order; a failure closes all that
	// are left. What is named beside a stage is set before it closes and never
	// changes after.
	opened chan struct{} // object, size
	judged chan struct{} // report
	proven chan struct{} // digest
	kept   chan struct{} // verdict and content are stored
	err    error         // set before a failure closes anything

	object *fetch.Object
	size   int64
	report scan.Report
	took   time.Duration // of the inspection
	digest fetch.Digest

	// Guarded by gate.mu.
	waiters int
	ended   bool
	grace   *time.Timer
}

// join returns the job for s, starting one if there is none, and whether it
// was there already. The caller calls leave when done with it. The only error
// is errClosed.
func (g *Gate) join(s *subject) (j *job, joined bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false, errClosed
	}
	if j, ok := g.jobs[s.key]; ok {
		j.waiters++
		if j.grace != nil {
			j.grace.Stop()
		}
		return j, true, nil
	}
	j = &job{
		gate: g, subject: s, waiters: 1,
		opened: make(chan struct{}), judged: make(chan struct{}), proven: make(chan struct{}), kept: make(chan struct{}),
	}
	j.ctx, j.cancel = context.WithCancel(g.ctx)
	g.jobs[s.key] = j
	g.wg.Go(j.run)
	return j, false, nil
}

// forget makes the next caller start a new job. Call with mu held.
func (g *Gate) forget(j *job) {
	if g.jobs[j.subject.key] == j {
		delete(g.jobs, j.subject.key)
	}
}

// condemned reports whether the job has found its content malicious.
func (j *job) condemned() bool {
	select {
	case <-j.judged:
		return j.report.Verdict == scan.Malicious
	default:
		return false
	}
}

// leave gives up the caller's place. The last one to leave an unfinished job
// stops it after the grace time: many clients come back for the next range.
func (j *job) leave() {
	g := j.gate
	g.mu.Lock()
	j.waiters--
	last, ended := j.waiters == 0, j.ended
	if last && !ended {
		j.grace = time.AfterFunc(g.Grace, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if j.waiters == 0 {
				g.forget(j)
				j.cancel()
			}
		})
	}
	g.mu.Unlock()
	if last && ended {
		j.close()
	}
}

// close frees the object, once nobody else can reach it.
func (j *job) close() {
	j.cancel()
	if j.object == nil {
		return
	}
	if err := j.object.Close(); err != nil {
		j.gate.Logger.Warn("a spool file was not removed", "error", err)
	}
}

func (j *job) run() {
	j.err = j.gate.contain(j.work)
	// The last stage first: whoever wakes at an earlier one sees the failure.
	for _, stage := range []chan struct{}{j.kept, j.proven, j.judged, j.opened} {
		select {
		case <-stage:
		default:
			close(stage)
		}
	}
	g := j.gate
	g.mu.Lock()
	// From here on the store answers for this content, or a new job tries.
	g.forget(j)
	j.ended = true
	last := j.waiters == 0
	g.mu.Unlock()
	if last {
		j.close()
	}
}

// head is how much of a large file is asked for at first, in bytes: the header
// of tensors, or the program of a checkpoint, is mostly all there. Where an
// inspection reads on the rest follows by ranges, see fetch.Options.Head.
const head = 256 << 10

func (j *job) work() error {
	g, s := j.gate, j.subject
	object, err := fetch.Start(j.ctx, s.source, fetch.Options{
		Size:         s.size,
		SHA256:       s.sha256,
		GitSHA1:      s.gitSHA1,
		Dir:          g.Blobs.SpoolDir(),
		Retries:      g.Retries,
		StallTimeout: g.Stall,
		MaxSize:      g.MaxWhole,
		Parallel:     g.Parallel,
		Parts:        g.Parts,
		Slots:        g.slots,
		Head:         head,
	})
	if err != nil {
		return err
	}
	j.object = object
	if j.size = object.Size(); j.size < 0 {
		digest, err := object.Wait(j.ctx)
		if err != nil {
			return err
		}
		j.size = digest.Size
	}
	close(j.opened)

	started := time.Now()
	report, err := g.Inspector.Inspect(j.ctx, scan.File{
		Name:     s.request.Path,
		Size:     j.size,
		ReaderAt: object.Reader(j.ctx),
	})
	j.took = time.Since(started)
	if err != nil && report.Verdict != scan.Malicious {
		return err
	}
	j.report = report
	close(j.judged)
	if report.Verdict == scan.Clean {
		object.Widen() // not before: the inspector's far reads come first
	}

	if j.digest, err = object.Wait(j.ctx); err != nil {
		if s.stored && errors.Is(err, fetch.ErrMismatch) {
			// The next caller gets it from the Hub.
			err = errors.Join(err, g.Blobs.Remove(j.ctx, s.sha256))
		}
		return err
	}
	close(j.proven)
	if err := j.keep(); err != nil {
		// Whoever did not wait for it got what was proven all the same.
		g.Logger.Error("content could not be kept", "sha256", j.digest.SHA256, "error", err)
		return err
	}
	return nil
}

// keep stores the proven verdict and content, however soon the last client has
// left: nobody waits for the disk.
func (j *job) keep() error {
	g, s, sha256 := j.gate, j.subject, j.digest.SHA256
	ctx := context.WithoutCancel(j.ctx)
	v := store.VerdictRecord{
		SHA256: sha256, Fingerprint: g.Inspector.Fingerprint(), Size: j.digest.Size,
		Verdict: j.report.Verdict, Report: j.report, InspectedAt: time.Now(), Duration: j.took,
	}
	if err := g.Verdicts.PutVerdict(ctx, v); err != nil {
		return err
	}
	if s.gitSHA1 != "" {
		err := g.Records.PutAlias(ctx, s.gitSHA1, j.digest.Size, sha256)
		if errors.Is(err, store.ErrConflict) {
			// Somebody made two files with one git id. Each is served by what
			// it is; the id is of no use as a name for them.
			g.Logger.Warn("git blob id names two contents", "error", err)
		} else if err != nil {
			return err
		}
	}
	d, err := g.decide(ctx, sha256, j.report)
	if err != nil {
		return err
	}
	switch {
	case d.Action.Serves():
		return j.detach(ctx, g.Blobs.Adopt)
	case d.Action == policy.Quarantine:
		if err := j.detach(ctx, g.Blobs.Quarantine); err != nil {
			return err
		}
		// Whoever waited has an entry by now. Without one nobody would find
		// the content.
		if _, ok, err := g.Records.Quarantined(ctx, sha256); ok || err != nil {
			return err
		}
		_, err = g.Records.PutQuarantine(ctx, entry(v, s.origin("")))
		return err
	}
	return nil
}

// detach hands the spool file over to a place in the store.
func (j *job) detach(ctx context.Context, to func(ctx context.Context, path, sha256 string) error) error {
	path, err := j.object.Detach()
	if err != nil {
		return err
	}
	return to(ctx, path, j.digest.SHA256)
}

// failure returns why the job ended without a result, as far as it is known,
// or nil.
func (j *job) failure() error {
	select {
	case <-j.kept:
		return j.err
	default:
		return nil
	}
}

// fetched returns how many bytes have come from the upstream so far.
func (j *job) fetched() int64 {
	select {
	case <-j.opened:
	default:
		return 0
	}
	if j.object == nil || j.subject.stored {
		return 0
	}
	return j.object.Stats().Received
}

var errClosed = errors.New("the gate is closed")
