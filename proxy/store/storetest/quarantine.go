package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"

	"modelwall/proxy/store"
	"modelwall/scan"
)

func entry(sha string, v scan.Verdict, minutes int) store.QuarantineEntry {
	return store.QuarantineEntry{
		SHA256: sha, Size: 99, Verdict: v, Report: Verdict(sha, v).Report,
		Repo: "models/org/name", Revision: "main", Path: "model.bin", Client: "192.0.2.1",
		FirstSeen: when(minutes), LastSeen: when(minutes),
	}
}

func put(t *testing.T, s Store, e store.QuarantineEntry) string {
	t.Helper()
	id, err := s.PutQuarantine(context.Background(), e)
	must(t, err)
	return id
}

func quarantine(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	if _, ok, err := a.Quarantined(ctx, sha("x")); ok || err != nil {
		t.Errorf("before it was put: %v, %v", ok, err)
	}
	want := entry(sha("x"), scan.Suspicious, 0)
	want.ID, want.Count = put(t, a, want), 1
	if !regexp.MustCompile(`^q-[a-z2-9]{8}$`).MatchString(want.ID) {
		t.Errorf("ID %q", want.ID)
	}
	got, ok, err := b.Quarantined(ctx, want.SHA256)
	must(t, err)
	if !ok {
		t.Fatal("not there")
	}
	equal(t, "first", got, want)

	again := entry(want.SHA256, scan.Malicious, 5)
	again.Path, again.Client = "other.bin", "192.0.2.2"
	if id := put(t, b, again); id != want.ID {
		t.Errorf("the second time the ID is %s, was %s", id, want.ID)
	}
	again.ID, again.FirstSeen, again.Count = want.ID, want.FirstSeen, 2
	got, _, err = a.Quarantined(ctx, want.SHA256)
	must(t, err)
	equal(t, "second", got, again)

	late := entry(want.SHA256, scan.Malicious, 2) // arrives out of order
	put(t, a, late)
	got, _, err = a.Quarantined(ctx, want.SHA256)
	must(t, err)
	if !got.LastSeen.Equal(when(5)) || got.Count != 3 {
		t.Errorf("last seen %v, count %d", got.LastSeen, got.Count)
	}
	bad := entry("no hash", scan.Malicious, 0)
	if _, err := a.PutQuarantine(ctx, bad); err == nil {
		t.Error("accepted an entry without a hash")
	}
}

// twins returns two hashes that begin with the same four digits.
func twins() (string, string) {
	seen := map[string]string{}
	for i := 0; ; i++ {
		s := sha(fmt.Sprint(i))
		if first, ok := seen[s[:4]]; ok {
			return first, s
		}
		seen[s[:4]] = s
	}
}

func show(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	one, two := twins()
	id := put(t, s, entry(one, scan.Malicious, 0))
	put(t, s, entry(two, scan.Malicious, 0))
	put(t, s, entry(sha("else"), scan.Malicious, 0))
	for _, name := range []string{id, one, one[:20], " " + id + "\n", "Q" + id[1:]} {
		got, err := s.Show(ctx, name)
		if err != nil || got.SHA256 != one {
			t.Errorf("Show(%q) = %s, %v", name, got.SHA256, err)
		}
	}
	_, err := s.Show(ctx, one[:4])
	wantError(t, "four digits of two", err, store.ErrAmbiguous)
	for _, name := range []string{"", "q-", "q-zzzzzzzz", one[:3], one + "0", "*", "????", "q-%", sha("absent"), "'; DROP TABLE quarantine"} {
		_, err := s.Show(ctx, name)
		wantError(t, fmt.Sprintf("Show(%q)", name), err, store.ErrNotFound)
	}
}

func list(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	for i := range 6 {
		e := entry(sha(fmt.Sprint(i)), []scan.Verdict{scan.Malicious, scan.Suspicious}[i%2], i)
		e.Repo = []string{"models/a/a", "models/b/b", "models/c/c"}[i%3]
		id := put(t, s, e)
		if i == 4 {
			must(t, s.Release(ctx, id, "checked by hand", "ann", when(10)))
		}
	}
	tests := []struct {
		name   string
		filter store.QuarantineFilter
		want   []int
	}{
		{"not released", store.QuarantineFilter{}, []int{5, 3, 2, 1, 0}},
		{"all", store.QuarantineFilter{Released: true}, []int{5, 4, 3, 2, 1, 0}},
		{"limit", store.QuarantineFilter{Released: true, Limit: 2}, []int{5, 4}},
		{"since", store.QuarantineFilter{Since: when(3)}, []int{5, 3}},
		{"repo", store.QuarantineFilter{Repo: "models/b/b", Released: true}, []int{4, 1}},
		{"verdict", store.QuarantineFilter{Verdict: scan.Suspicious}, []int{5, 3, 1}},
		{"all of them", store.QuarantineFilter{Verdict: scan.Malicious, Repo: "models/c/c", Since: when(1), Limit: 9}, []int{2}},
		{"none", store.QuarantineFilter{Repo: "models/a"}, nil},
	}
	for _, tt := range tests {
		found, err := s.ListQuarantine(ctx, tt.filter)
		must(t, err)
		var got, want []string
		for _, e := range found {
			got = append(got, e.SHA256)
		}
		for _, i := range tt.want {
			want = append(want, sha(fmt.Sprint(i)))
		}
		equal(t, tt.name, got, want)
	}
}

func deletion(t *testing.T, open func() Store) {
	ctx := context.Background()
	s, other := open(), open()
	content, name := Content("deleted", 1000)
	must(t, s.PutVerdict(ctx, Verdict(name, scan.Malicious)))
	must(t, s.Blobs.Quarantine(ctx, Spool(t, s.Blobs, content), name))
	id := put(t, s, entry(name, scan.Malicious, 0))
	must(t, s.Release(ctx, id, "looked at", "ann", when(1)))
	must(t, other.Delete(ctx, name[:16]))
	if _, ok, err := s.Quarantined(ctx, name); ok || err != nil {
		t.Errorf("the entry is still there: %v", err)
	}
	if _, ok, err := s.Released(ctx, name); ok || err != nil {
		t.Errorf("the release is still in force: %v", err)
	}
	if Read(t, s.Blobs, name) != nil {
		t.Error("the content is still there")
	}
	if v, ok, err := s.Verdict(ctx, name, "pickle/1 zip/2"); !ok || v.Verdict != scan.Malicious || err != nil {
		t.Errorf("the verdict is gone: %v, %v, %v", v.Verdict, ok, err)
	}
	wantError(t, "the second time", s.Delete(ctx, id), store.ErrNotFound)
	if again := put(t, s, entry(name, scan.Malicious, 5)); again == id {
		t.Error("an ID came back")
	}
}

func release(t *testing.T, open func() Store) {
	ctx := context.Background()
	a, b := open(), open()
	name := sha("x")
	id := put(t, a, entry(name, scan.Suspicious, 0))
	for _, reason := range []string{"", " \n\t"} {
		wantError(t, "without a reason", a.Release(ctx, id, reason, "ann", when(1)), store.ErrReason)
	}
	wantError(t, "of nothing", a.Release(ctx, "q-absent", "why", "ann", when(1)), store.ErrNotFound)
	wantError(t, "revoke what is not released", a.Revoke(ctx, id, "why", "ann", when(1)), store.ErrNotFound)
	if _, ok, err := b.Released(ctx, name); ok || err != nil {
		t.Errorf("released too early: %v", err)
	}

	// In turns by two processes, each of which sees it at once.
	for i, s := range []Store{a, b, a} {
		want := store.Release{SHA256: name, Entry: id, Verdict: scan.Suspicious, Reason: fmt.Sprintf("reason %d", i), Who: "ann", At: when(i)}
		must(t, s.Release(ctx, id, " "+want.Reason+"\n", "ann", when(i)))
		for which, s := range []Store{a, b} {
			got, ok, err := s.Released(ctx, name)
			must(t, err)
			if !ok {
				t.Fatalf("round %d: not released in store %d", i, which)
			}
			equal(t, "release", got, want)
			e, err := s.Show(ctx, id)
			must(t, err)
			equal(t, "release of the entry", e.Release, &want)
		}
		if _, ok, _ := a.Released(ctx, sha("y")); ok {
			t.Error("another content is released as well")
		}
		must(t, s.Revoke(ctx, id, "changed my mind", "bob", when(i)))
		for which, s := range []Store{a, b} {
			if _, ok, err := s.Released(ctx, name); ok || err != nil {
				t.Errorf("round %d: still released in store %d: %v", i, which, err)
			}
			if e, err := s.Show(ctx, id); err != nil || e.Release != nil {
				t.Errorf("round %d: the entry in store %d is released: %v", i, which, err)
			}
		}
	}

	for _, tt := range []struct {
		released, now scan.Verdict
		want          bool
	}{
		{scan.Suspicious, scan.Suspicious, true},
		{scan.Suspicious, scan.Malicious, false},
		{scan.Suspicious, scan.Undetermined, true},
		{scan.Undetermined, scan.Undetermined, true},
		{scan.Undetermined, scan.Suspicious, false},
		{scan.Undetermined, scan.Malicious, false},
		{scan.Malicious, scan.Malicious, true},
		{scan.Malicious, scan.Suspicious, true},
		{scan.Clean, scan.Undetermined, false},
	} {
		if got := (store.Release{Verdict: tt.released}).Covers(tt.now); got != tt.want {
			t.Errorf("released when %v, now %v: covered %v", tt.released, tt.now, got)
		}
	}
}

func releaseContent(t *testing.T, open func() Store) {
	ctx := context.Background()
	s, other := open(), open()
	content, name := Content("released", 100_000)
	must(t, s.Blobs.Quarantine(ctx, Spool(t, s.Blobs, content), name))
	id := put(t, s, entry(name, scan.Malicious, 0))
	held := func(want bool) {
		t.Helper()
		e, err := s.Show(ctx, id)
		if err != nil || e.Held != want {
			t.Errorf("held %v, %v; want %v", e.Held, err, want)
		}
		if got := Read(t, s.Blobs, name); (got == nil) != want || got != nil && !bytes.Equal(got, content) {
			t.Errorf("%d bytes can be opened, held should be %v", len(got), want)
		}
	}
	held(true)
	must(t, other.Release(ctx, id, "a false alarm", "ann", when(1)))
	held(false)
	must(t, other.Release(ctx, id, "said twice", "ann", when(2)))
	held(false)
	must(t, other.Revoke(ctx, id, "it was none", "ann", when(3)))
	held(true)
	// Fetched anew meanwhile: the release has nothing to move.
	must(t, s.Blobs.Adopt(ctx, Spool(t, s.Blobs, content), name))
	must(t, s.Release(ctx, id, "after all", "ann", when(4)))
	held(false)
	if err := s.Blobs.Release(ctx, sha("absent")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("content that is not there: %v", err)
	}
}
