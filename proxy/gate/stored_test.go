package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/scan"
)

// damaged is a store whose disk returns something else than what was written.
type damaged struct {
	*store.Blobs
	read io.ReaderAt
	size int64
}

func (d damaged) Open(sha256 string) (*store.Blob, error) {
	b, err := d.Blobs.Open(sha256)
	if err != nil {
		return nil, err
	}
	b.Close()
	return store.NewBlob(struct {
		io.ReaderAt
		io.Closer
	}{d.read, io.NopCloser(nil)}, d.size, sha256), nil
}

type failingDisk struct{}

func (failingDisk) ReadAt(p []byte, off int64) (int, error) {
	if off >= 100_000 {
		return 0, errors.New("input/output error")
	}
	return len(p), nil
}

// A disk that fails in the middle of cached content is a break, and an error
// in the record.
func TestCachedContentThatCanNotBeRead(t *testing.T) {
	content := strings.Repeat("\x00", 1<<20)
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			io.WriteString(rw, content)
		}
	}, func(o *Options) { o.Blobs = damaged{o.Blobs.(*store.Blobs), failingDisk{}, int64(len(content))} })
	if status, _, err := w.get(fileURL); status != 200 || err != nil {
		t.Fatalf("%d, %v", status, err)
	}
	w.record()
	if status, body, err := w.get(fileURL); err == nil {
		t.Errorf("%d, %d bytes without an error", status, len(body))
	}
	if r := w.record(); r.Decision != audit.DecisionError || !strings.Contains(r.Error, "input/output") {
		t.Errorf("record %+v", r)
	}
}

// rotten is a disk on which one byte has changed.
type rotten struct{ at int64 }

func (r rotten) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if i := r.at - off; i >= 0 && i < int64(len(p)) {
		p[i] = 1
	}
	return len(p), nil
}

// What the disk has changed does not complete a download, and is fetched and
// inspected anew.
func TestCachedContentThatHasChanged(t *testing.T) {
	for _, size := range []int{1000, lastPiece, lastPiece + 1, 1 << 20} {
		for _, at := range []int{0, size / 2, size - 1} {
			content := strings.Repeat("\x00", size)
			w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
				lfs(rw, sum(content), len(content))
				if r.Method == http.MethodGet {
					io.WriteString(rw, content)
				}
			}, func(o *Options) { o.Blobs = damaged{o.Blobs.(*store.Blobs), rotten{int64(at)}, int64(size)} })
			// Go's client repeats what broke off on a used connection before the
			// first byte.
			w.server.Client().Transport.(*http.Transport).DisableKeepAlives = true
			for round := range 3 { // fetched, from the disk, fetched again
				status, body, err := w.get(fileURL)
				r := w.record()
				if round == 1 {
					if err == nil || len(body) > max(0, size-lastPiece) || r.Decision != audit.DecisionError || !strings.Contains(r.Error, "stored content") {
						t.Errorf("byte %d of %d: %d, %d bytes, %v, record %+v", at, size, status, len(body), err, r)
					}
				} else if status != 200 || err != nil || body != content || r.Cache != audit.CacheMiss {
					t.Errorf("byte %d of %d, round %d: %d, %d bytes, %v, record %+v", at, size, round, status, len(body), err, r)
				}
			}
		}
	}
}

// versioned is an inspector of a version that the test sets.
type versioned struct {
	inspectFunc
	version *string
}

func (v versioned) Fingerprint() string { return *v.version }

// A new inspector judges what is stored; the upstream is not asked for it
// again. What the disk has changed meanwhile is.
func TestStoredContentIsJudgedAgain(t *testing.T) {
	content := strings.Repeat("\x00", 5<<20)
	version, verdict, sent := "1", scan.Clean, 0
	disk := rotten{-1}
	w := newWild(t, func(rw http.ResponseWriter, r *http.Request) {
		lfs(rw, sum(content), len(content))
		if r.Method == http.MethodGet {
			sent++
			io.WriteString(rw, content)
		}
	}, func(o *Options) {
		o.Blobs = damaged{o.Blobs.(*store.Blobs), &disk, int64(len(content))}
		o.Inspector = versioned{func(context.Context, scan.File) (scan.Report, error) {
			return scan.Report{Verdict: verdict}, nil
		}, &version}
	})
	w.server.Client().Transport.(*http.Transport).DisableKeepAlives = true
	for _, step := range []struct {
		version string
		verdict scan.Verdict
		at      int64 // where the disk has changed
		status  int
		broken  bool
		sent    int
	}{
		{"1", scan.Clean, -1, 200, false, 1},
		{"2", scan.Clean, -1, 200, false, 1},
		{"3", scan.Clean, 9, 200, true, 1},
		{"3", scan.Clean, -1, 200, false, 2},
		{"4", scan.Malicious, -1, http.StatusTeapot, false, 2},
		{"4", scan.Malicious, -1, http.StatusTeapot, false, 2},
	} {
		version, verdict, disk.at = step.version, step.verdict, step.at
		status, body, err := w.get(fileURL)
		r := w.record()
		w.gate.wg.Wait() // what is found out after the answer is stored
		if !step.broken && status != step.status || (err != nil) != step.broken || !step.broken && status == 200 && body != content || sent != step.sent {
			t.Errorf("version %s: %d, %d bytes, %v, sent %d times; record %+v", step.version, status, len(body), err, sent, r)
		}
		if r.BytesFetched > 0 && step.version != "1" && step.sent == 1 {
			t.Errorf("version %s: %d bytes are said to be fetched", step.version, r.BytesFetched)
		}
	}
}
