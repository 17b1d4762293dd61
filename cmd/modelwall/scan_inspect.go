package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"modelwall/scan"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// inspection is how the files of one scan are inspected.
type inspection struct {
	engine   *engine.Engine
	hash     bool // read local files whole for their sha256
	progress *progress
}

// remoteWorkers is how many files of a repository are inspected at a time:
// they wait for the network most of the time.
const remoteWorkers = 8

// all inspects the files in parallel, and returns the results in the order of
// the files.
func (in inspection) all(ctx context.Context, files []target) []scanResult {
	results := make([]scanResult, len(files))
	workers := max(2, runtime.NumCPU())
	for _, t := range files {
		if t.remote {
			workers = max(workers, remoteWorkers)
		}
	}
	defer in.progress.start()()
	jobs := make(chan int)
	var running sync.WaitGroup
	for range min(workers, len(files)) {
		running.Go(func() {
			for i := range jobs {
				results[i] = in.one(ctx, files[i])
				in.progress.done(results[i])
			}
		})
	}
	for i := range files {
		jobs <- i
	}
	close(jobs)
	running.Wait()
	return results
}

// errChanged means that what was hashed may not be what was inspected.
var errChanged = errors.New("the file changed while it was read")

// opened is a target that can be read.
type opened struct {
	io.ReaderAt
	size   int64
	sha256 string // as whoever has the file says, "" if nobody said
	commit string // of a repository
	local  bool   // may be hashed
	// same returns an error when what was read may not be one state.
	same func() error
	// explain makes an error of the reader's one for people.
	explain func(error) error
	read    func() int64 // bytes that were asked for
	close   func()
}

// one examines one file.
func (in inspection) one(ctx context.Context, t target) scanResult {
	if t.err != nil {
		return failed(t.path, t.err)
	}
	if err := ctx.Err(); err != nil {
		return failed(t.path, err)
	}
	f, err := t.open(ctx)
	if err != nil {
		return failed(t.path, err)
	}
	defer f.close()
	if in.hash && f.local {
		hash := sha256.New()
		// A section, because the file's own offset may be anywhere.
		n, err := io.Copy(hash, &contextReader{ctx, io.NewSectionReader(f, 0, f.size)})
		if err != nil {
			return failed(t.path, err)
		}
		if n != f.size {
			return failed(t.path, errChanged)
		}
		f.sha256 = hex.EncodeToString(hash.Sum(nil))
	}
	r, err := in.judge(ctx, t, f)
	if err == nil {
		err = f.same()
	}
	if err != nil {
		if r.Error == "" {
			r.Error = err.Error()
		}
		if explained := f.explain(err); explained != nil {
			r.Error = explained.Error()
		}
		if r.Verdict != scan.Malicious {
			r.Verdict = scan.Undetermined
		}
	}
	r.read = f.read()
	return r
}

// judge inspects an open file and what its neighbours have to do with it.
func (in inspection) judge(ctx context.Context, t target, f *opened) (scanResult, error) {
	r := unexamined(t.path)
	r.Size, r.SHA256, r.Commit = f.size, f.sha256, f.commit
	p, err := readPointer(f, f.size)
	if err != nil {
		return r, err
	}
	if p != nil {
		r.Error = p.Error()
		return r, nil
	}
	var told explanations
	report, err := in.engine.Inspect(context.WithValue(ctx, explanationsKey{}, &told), scan.File{Name: t.name(), Size: f.size, ReaderAt: f})
	r.Formats, r.Verdict, r.Error = notNil(report.Formats), report.Verdict, report.Error
	r.Findings, r.Imports = notNil(report.Findings), notNil(report.Imports)
	r.explanations = told.list
	if err != nil {
		return r, err
	}
	if finding, odd := all.Misnamed(t.name(), r.Formats); odd {
		r.Findings = append(r.Findings, finding)
	}
	missing, err := t.missing(f)
	r.Findings = append(r.Findings, missing...)
	return r, err
}

// notNil makes a list print as [] instead of null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one copy
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// openLocal makes a target of an open file, which it owns from then on.
func openLocal(f *os.File) (*opened, error) {
	before, err := f.Stat()
	if err == nil && !before.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c := &counter{ReaderAt: f}
	return &opened{
		ReaderAt: c,
		size:     before.Size(),
		local:    true,
		same: func() error {
			after, err := f.Stat()
			if err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
				err = errChanged
			}
			return err
		},
		explain: func(error) error { return nil },
		read:    c.n.Load,
		close:   func() { f.Close() },
	}, nil
}

// counter counts what is read.
type counter struct {
	io.ReaderAt
	n atomic.Int64
}

// ReadAt implements io.ReaderAt.
func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}
