package fetch

import (
	"fmt"
	"time"
)

// Options say what is known about an object and how patient to be. A zero
// value is a default, except Size: zero promises an empty object.
type Options struct {
	// Size is the promised length in bytes, -1 when unknown.
	Size int64
	// SHA256 and GitSHA1 are the promised hashes in lower-case hex, "" when
	// unknown. GitSHA1 is git's blob id: sha1("blob <size>\x00" + content).
	SHA256  string
	GitSHA1 string
	// Dir is the folder of the spool file; default os.TempDir(). The file can
	// be adopted by a rename within that file system, see Detach.
	Dir string
	// Parts, if not nil, has what is left of earlier fetches in Dir. An object
	// of known SHA256 and Size, 8 MiB at least, goes on where the last one
	// ended, and leaves a part in its turn when it is closed too early.
	Parts *Parts
	// MaxSize bounds an object whose length neither Size nor the upstream
	// states, in bytes; 0 for no bound. A known length is not bounded here.
	MaxSize int64

	// Retries is how many attempts in a row may fail without bringing 256 KiB;
	// default 5, negative for none.
	Retries int
	// RetryDelay is the wait before the first retry; it grows by half with
	// each, up to 10 s, with jitter. Default 250 ms.
	RetryDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited out; default
	// 10 s. A longer one ends the attempts: the *StatusError has it.
	MaxRetryAfter time.Duration
	// StallTimeout is how long a request or a body may bring nothing before it
	// is broken off and retried; default 30 s.
	StallTimeout time.Duration
	// Near is how far ahead of the front a read waits for the stream rather
	// than ask for a range of its own, in bytes; default 4 MiB.
	Near int64

	// Head, if not 0, is how many bytes of an object of more than Eager the
	// stream brings before it waits, at an upstream that serves ranges: until
	// Resume or Widen is called, or a reader has come two MiB far. Until then
	// everything else comes by ranges for what is read.
	Head int64
	// Parallel is how many requests bring a large object side by side, once
	// Widen is called or the stream has come to byte Eager; default 1.
	Parallel int
	// Eager is where the stream alone is enough no more; default 32 MiB.
	Eager int64
	// Slots, if not nil, bounds the parallel requests of all objects together;
	// one request for each object needs no slot.
	Slots Slots

	// create replaces createSpool in tests.
	create func(dir string) (file, error)
}

// Slots hands out permissions without waiting, as
// golang.org/x/sync/semaphore.Weighted does.
type Slots interface {
	TryAcquire(n int64) bool
	Release(n int64)
}

// maxRetryDelay bounds the growing wait between attempts.
const maxRetryDelay = 10 * time.Second

func (o *Options) setDefaults() error {
	if o.Size < -1 {
		return fmt.Errorf("fetch: Options.Size is %d (want a length or -1)", o.Size)
	}
	for _, h := range []struct {
		name, hex string
		length    int
	}{{"SHA256", o.SHA256, 64}, {"GitSHA1", o.GitSHA1, 40}} {
		if h.hex != "" && !isHash(h.hex, h.length) {
			return fmt.Errorf("fetch: Options.%s is %.80q (want %d lower-case hex digits)", h.name, h.hex, h.length)
		}
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	for _, d := range []struct {
		p   *time.Duration
		def time.Duration
	}{{&o.RetryDelay, 250 * time.Millisecond}, {&o.MaxRetryAfter, 10 * time.Second}, {&o.StallTimeout, 30 * time.Second}} {
		if *d.p <= 0 {
			*d.p = d.def
		}
	}
	if o.Near <= 0 {
		o.Near = 4 << 20
	}
	if o.Eager <= 0 {
		o.Eager = 32 << 20
	}
	if o.create == nil {
		o.create = createSpool
	}
	return nil
}

func isHash(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// hashed reports whether a hash decides what the right content is.
func (o *Options) hashed() bool { return o.SHA256 != "" || o.GitSHA1 != "" }
