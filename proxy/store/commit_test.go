package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"modelwall/proxy/audit"
)

// Writes that come together share a commit, and each has its own result.
func TestSharedCommit(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.db.group.turn <- struct{}{} // all of them queue up
	sha256 := strings.Repeat("a", 64)
	const n = 300 // more than one group
	var wg sync.WaitGroup
	errs := make([]error, n)
	left, leave := context.WithCancel(t.Context())
	for i := range n {
		wg.Go(func() {
			switch i {
			case 200:
				_, errs[i] = s.db.exec(t.Context(), "break", "INSERT INTO nowhere VALUES (1)")
			case 201:
				errs[i] = s.PutDownload(left, audit.Record{RequestID: "left"})
			default:
				errs[i] = s.PutAlias(t.Context(), fmt.Sprintf("%040x", 1000+i), 7, sha256)
			}
		})
	}
	for {
		s.db.group.mu.Lock()
		queued := len(s.db.group.queue)
		s.db.group.mu.Unlock()
		if queued == n {
			break
		}
	}
	leave()
	for { // who leaves takes his statement along
		s.db.group.mu.Lock()
		queued := len(s.db.group.queue)
		s.db.group.mu.Unlock()
		if queued == n-1 {
			break
		}
	}
	<-s.db.group.turn
	wg.Wait()
	for i, err := range errs {
		switch {
		case i == 201 && !errors.Is(err, context.Canceled), i == 200 && err == nil, i != 200 && i != 201 && err != nil:
			t.Errorf("write %d: %v", i, err)
		}
	}
	for _, i := range []int{0, 199, 299} {
		if got, ok, err := s.Alias(t.Context(), fmt.Sprintf("%040x", 1000+i), 7); got != sha256 || !ok || err != nil {
			t.Errorf("alias %d: %q, %v, %v", i, got, ok, err)
		}
	}
	if list, err := s.Downloads(t.Context(), DownloadQuery{}); err != nil || len(list) != 0 {
		t.Errorf("what was taken back was written: %v, %v", list, err)
	}
}

// Records of what was allowed wait for nobody and are there when somebody looks,
// and after Close; those of refusals are there at once.
func TestAuditLater(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	sink := s.Audit(func(err error) { t.Error(err) })
	count := func(s *Store) int {
		list, err := s.Downloads(t.Context(), DownloadQuery{Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	const n = maxLater + 10
	for range n {
		sink.Record(t.Context(), audit.Record{Decision: audit.DecisionAllow})
	}
	if got := count(s); got != n {
		t.Errorf("%d records, want %d", got, n)
	}
	s.later.mu.Lock() // nothing is flushed from here on
	rows := 0
	sinkDone := make(chan struct{})
	go func() {
		defer close(sinkDone)
		sink.Record(t.Context(), audit.Record{Decision: audit.DecisionRefused})
	}()
	<-sinkDone
	if err := s.db.read.QueryRowContext(t.Context(), "SELECT count(*) FROM downloads").Scan(&rows); err != nil || rows != n+1 {
		t.Errorf("%d rows after a refusal (%v), want %d", rows, err, n+1)
	}
	s.later.mu.Unlock()
	sink.Record(t.Context(), audit.Record{Decision: audit.DecisionAllow})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := count(s); got != n+2 {
		t.Errorf("%d records after Close, want %d", got, n+2)
	}
}
