package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/proxy/store"
	"modelwall/proxy/store/storetest"
	"modelwall/scan"
)

// fake is a store in memory that counts lookups.
type fake struct {
	mu      sync.Mutex
	records map[string]store.VerdictRecord
	lookups int
	fail    error
	during  func() // called once by a lookup that has its answer
}

func (f *fake) Verdict(_ context.Context, sha256, fingerprint string) (store.VerdictRecord, bool, error) {
	f.mu.Lock()
	f.lookups++
	r, ok := f.records[sha256+fingerprint]
	during, fail := f.during, f.fail
	f.during = nil
	f.mu.Unlock()
	if during != nil {
		during()
	}
	return r, ok, fail
}

func (f *fake) PutVerdict(_ context.Context, r store.VerdictRecord) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[r.SHA256+r.Fingerprint] = r
	return f.fail
}

func TestCached(t *testing.T) {
	ctx := context.Background()
	f := &fake{records: map[string]store.VerdictRecord{}}
	c := store.Cached(f, 2)
	lookup := func(name string, wantLookups int, want scan.Verdict, wantOK bool) {
		t.Helper()
		before := f.lookups
		r, ok, err := c.Verdict(ctx, name, "f")
		if err != nil || ok != wantOK || r.Verdict != want || f.lookups-before != wantLookups {
			t.Errorf("%s: %v, %v, %v after %d lookups; want %v, %v after %d", name, r.Verdict, ok, err, f.lookups-before, want, wantOK, wantLookups)
		}
	}
	put := func(name string, v scan.Verdict) {
		t.Helper()
		if err := c.PutVerdict(ctx, store.VerdictRecord{SHA256: name, Fingerprint: "f", Verdict: v}); err != nil {
			t.Fatal(err)
		}
	}
	lookup("a", 1, scan.Undetermined, false)
	lookup("a", 1, scan.Undetermined, false) // what is unknown stays unknown only until asked again
	put("a", scan.Undetermined)
	lookup("a", 1, scan.Undetermined, true)
	lookup("a", 1, scan.Undetermined, true)
	put("a", scan.Clean)
	lookup("a", 1, scan.Clean, true)
	lookup("a", 0, scan.Clean, true)
	put("a", scan.Malicious)
	lookup("a", 1, scan.Malicious, true)
	lookup("a", 0, scan.Malicious, true)
	put("b", scan.Clean)
	put("c", scan.Clean)
	lookup("b", 1, scan.Clean, true)
	lookup("a", 0, scan.Malicious, true)
	lookup("c", 1, scan.Clean, true) // pushes b out, which was not used for longest
	lookup("a", 0, scan.Malicious, true)
	lookup("b", 1, scan.Clean, true)

	if _, ok, err := c.Verdict(ctx, "a", "newer"); ok || err != nil {
		t.Errorf("known under another fingerprint: %v, %v", ok, err)
	}

	// A verdict that is replaced while a lookup is under way.
	f.during = func() { put("d", scan.Malicious) }
	f.records["df"] = store.VerdictRecord{SHA256: "d", Fingerprint: "f", Verdict: scan.Clean}
	lookup("d", 1, scan.Clean, true)
	lookup("d", 1, scan.Malicious, true)

	// Errors are passed on and not remembered. A put that failed may have
	// happened.
	lookup("d", 0, scan.Malicious, true)
	f.fail = errors.New("disk on fire")
	if err := c.PutVerdict(ctx, store.VerdictRecord{SHA256: "d", Fingerprint: "f", Verdict: scan.Suspicious}); !errors.Is(err, f.fail) {
		t.Errorf("put: %v", err)
	}
	if _, _, err := c.Verdict(ctx, "d", "f"); !errors.Is(err, f.fail) {
		t.Errorf("lookup: %v", err)
	}
	f.fail = nil
	lookup("d", 1, scan.Suspicious, true)

	for _, n := range []int{0, -1} {
		if got := store.Cached(f, n); got != store.Verdicts(f) {
			t.Errorf("a cache of %d is a %T", n, got)
		}
	}
}

func TestCachedOverStore(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, t.TempDir())
	c := store.Cached(s, 100)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				name := storetest.Hash(fmt.Append(nil, i))
				v := []scan.Verdict{scan.Undetermined, scan.Clean, scan.Suspicious, scan.Malicious}[(w+i)%4]
				if err := c.PutVerdict(ctx, storetest.Verdict(name, v)); err != nil {
					t.Error(err)
				}
				if r, ok, err := c.Verdict(ctx, name, "pickle/1 zip/2"); err != nil || !ok || r.Verdict < v {
					t.Errorf("put %v, found %v, %v, %v", v, r.Verdict, ok, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 20 {
		name := storetest.Hash(fmt.Append(nil, i))
		for range 2 { // from below, from memory
			got, _, err := c.Verdict(ctx, name, "pickle/1 zip/2")
			if diff := cmp.Diff(storetest.Verdict(name, scan.Malicious), got); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		}
	}
}

func BenchmarkVerdict(b *testing.B) {
	ctx := context.Background()
	s, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	name := storetest.Hash([]byte("x"))
	for i := range 1000 {
		if err := s.PutVerdict(ctx, storetest.Verdict(storetest.Hash(fmt.Append(nil, i)), scan.Clean)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.PutVerdict(ctx, storetest.Verdict(name, scan.Clean)); err != nil {
		b.Fatal(err)
	}
	for what, v := range map[string]store.Verdicts{"sqlite": s, "cached": store.Cached(s, 100)} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := v.Verdict(ctx, name, "pickle/1 zip/2"); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
	b.Run("unknown", func(b *testing.B) {
		for b.Loop() {
			if _, ok, err := s.Verdict(ctx, name, "newer"); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		r := storetest.Verdict(name, scan.Clean)
		for b.Loop() {
			if err := s.PutVerdict(ctx, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBlobs(b *testing.B) {
	ctx := context.Background()
	s, err := store.Open(filepath.Join(b.TempDir(), "data"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	content, name := storetest.Content("x", 1<<20)
	b.Run("adopt 1 MiB", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			if err := s.Blobs().Adopt(ctx, storetest.Spool(b, s.Blobs(), content), name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			blob, err := s.Blobs().Open(name)
			if err != nil {
				b.Fatal(err)
			}
			if err := blob.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
