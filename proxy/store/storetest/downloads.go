package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"modelwall/proxy/audit"
	"modelwall/proxy/store"
	"modelwall/scan"
)

func record(minutes int) audit.Record {
	return audit.Record{
		Time: when(minutes), RequestID: fmt.Sprint("r", minutes), Client: "192.0.2.1", Method: "GET",
		Repo: "models/org/name", Revision: "refs/pr/1", Path: "sub/model 1.bin", SHA256: sha("x"), Size: 1 << 40,
		Verdict: scan.Suspicious, Decision: audit.DecisionWarn, Cache: audit.CacheMiss,
		BytesFetched: 1<<40 + 1, BytesSent: 7, VerdictTime: 123 * time.Microsecond, Status: 206, Error: "client left",
	}
}

func downloads(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	var all []audit.Record
	for i := range 6 {
		r := record(i)
		r.Decision = []string{audit.DecisionAllow, audit.DecisionBlock}[i%2]
		r.Repo = []string{"models/a/a", "models/b/b", "models/c/c"}[i%3]
		if i == 5 {
			r = audit.Record{Time: r.Time} // nothing was known
		}
		all = append(all, r)
		must(t, s.PutDownload(ctx, r))
	}
	s = open()
	tests := []struct {
		name  string
		query store.DownloadQuery
		want  []int
	}{
		{"all", store.DownloadQuery{}, []int{5, 4, 3, 2, 1, 0}},
		{"limit", store.DownloadQuery{Limit: 1}, []int{5}},
		{"since", store.DownloadQuery{Since: when(4)}, []int{5, 4}},
		{"repo", store.DownloadQuery{Repo: "models/a/a"}, []int{3, 0}},
		{"decision", store.DownloadQuery{Decision: audit.DecisionBlock}, []int{3, 1}},
		{"content", store.DownloadQuery{SHA256: sha("x"), Limit: 2}, []int{4, 3}},
		{"all of them", store.DownloadQuery{SHA256: sha("x"), Repo: "models/a/a", Decision: audit.DecisionAllow, Since: when(0)}, []int{0}},
		{"none", store.DownloadQuery{Repo: "models/a"}, nil},
	}
	for _, tt := range tests {
		got, err := s.Downloads(ctx, tt.query)
		must(t, err)
		var want []audit.Record
		for _, i := range tt.want {
			want = append(want, all[i])
		}
		equal(t, tt.name, got, want)
	}
	n, err := s.PruneDownloads(ctx, when(4))
	if n != 4 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
	left, err := s.Downloads(ctx, store.DownloadQuery{})
	must(t, err)
	equal(t, "after pruning", left, []audit.Record{all[5], all[4]})
}

// texts come from clients and repositories: they are kept as given as far as
// that goes.
func texts(t *testing.T, open func() Store) {
	ctx := context.Background()
	s := open()
	for in, want := range map[string]string{
		"":                         "",
		"a'b\"c\\d%e_f*?;--":       "a'b\"c\\d%e_f*?;--",
		"line\nbreak\ttab\x1b[31m": "line\nbreak\ttab\x1b[31m",
		"模型/größe/🤗":               "模型/größe/🤗",
		"bad \xff\xc3 end":         "bad \uFFFD end",
		"nul \x00 inside":          "nul \x00 inside",
		repeat("x", 1024):          repeat("x", 1024),
		repeat("x", 1025):          repeat("x", 1021) + "…",
		repeat("x", 1020) + "éé":   repeat("x", 1020) + "éé",
		repeat("x", 1020) + "ééé":  repeat("x", 1020) + "…",
		repeat("\xff", 3000):       "\uFFFD", // a run is one
		repeat("a\xff", 3000):      strings.Repeat("a\uFFFD", 255) + "a…",
	} {
		r := record(0)
		r.Repo, r.Path, r.Revision = in, in, in
		must(t, s.PutDownload(ctx, r))
		got, err := s.Downloads(ctx, store.DownloadQuery{Limit: 1})
		must(t, err)
		e := entry(sha(in), scan.Malicious, 0)
		e.Repo, e.Path, e.Revision = in, in, in
		put(t, s, e)
		q, _, err := s.Quarantined(ctx, e.SHA256)
		must(t, err)
		for _, text := range []string{got[0].Repo, got[0].Path, got[0].Revision, q.Repo, q.Path, q.Revision} {
			if text != want || !utf8.ValidString(text) || len(text) > 1024 {
				t.Fatalf("%.60q is kept as %.60q (%d bytes), want %.60q", in, text, len(text), want)
			}
		}
	}

	token := "hf_" + repeat("aB3dE6gH", 4)
	r := record(99)
	r.Error = `Get "https://cdn.example/x?X-Amz-Signature=` + token + `": EOF; Bearer ` + token
	r.Client, r.RequestID = token, token
	must(t, s.PutDownload(ctx, r))
	got, err := s.Downloads(ctx, store.DownloadQuery{Since: when(99)})
	must(t, err)
	id := put(t, s, entry(sha("token"), scan.Suspicious, 0))
	must(t, s.Release(ctx, id, "because "+token, token, when(0)))
	rel, _, err := s.Released(ctx, sha("token"))
	must(t, err)
	if all := fmt.Sprint(got, rel); strings.Contains(all, token[3:]) || strings.Contains(all, "Signature") {
		t.Errorf("a token was stored: %s", all)
	}
}

func canceled(t *testing.T, open func() Store) {
	s := open()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	content, name := Content("late", 10)
	path := Spool(t, s.Blobs, content)
	for what, err := range map[string]error{
		"PutVerdict":  s.PutVerdict(ctx, Verdict(name, scan.Clean)),
		"PutDownload": s.PutDownload(ctx, record(0)),
		"Adopt":       s.Blobs.Adopt(ctx, path, name),
		"Verdict":     second(s.Verdict(ctx, name, "f")),
		"Released":    second(s.Released(ctx, name)),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if Read(t, s.Blobs, name) != nil {
		t.Error("content was adopted")
	}
}

func second[A, B any](_ A, _ B, err error) error { return err }

// atOnce has several stores and goroutines write and read the same things.
func atOnce(t *testing.T, open func() Store) {
	const stores, rounds = 3, 12
	ctx := context.Background()
	shared := make([]Store, stores)
	for i := range shared {
		shared[i] = open()
	}
	var wg sync.WaitGroup
	for w := range 2 * stores {
		s := shared[w%stores]
		wg.Go(func() {
			for i := range rounds {
				content, name := Content(fmt.Sprint("shared", i), 3000+i)
				path := Spool(t, s.Blobs, content)
				errs := []error{
					s.PutVerdict(ctx, Verdict(name, scan.Clean)),
					s.PutDownload(ctx, record(i)),
					s.PutAlias(ctx, name[:40], int64(i), name),
					s.Blobs.Adopt(ctx, path, name),
				}
				id, err := s.PutQuarantine(ctx, entry(name, scan.Suspicious, i))
				errs = append(errs, err, s.Release(ctx, id, "why", "ann", when(i)))
				if err := errors.Join(errs...); err != nil {
					t.Errorf("writer %d, round %d: %v", w, i, err)
					return
				}
				if got := Read(t, s.Blobs, name); Hash(got) != name {
					t.Errorf("writer %d, round %d: read %d bytes that hash to %s", w, i, len(got), Hash(got))
				}
			}
		})
	}
	wg.Wait()
	got, err := shared[0].Downloads(ctx, store.DownloadQuery{Limit: 1000})
	must(t, err)
	if want := 2 * stores * rounds; len(got) != want {
		t.Errorf("%d download records, want %d", len(got), want)
	}
	entries, err := shared[1].ListQuarantine(ctx, store.QuarantineFilter{Released: true})
	must(t, err)
	if len(entries) != rounds {
		t.Errorf("%d quarantine entries, want %d", len(entries), rounds)
	}
	for _, e := range entries {
		if e.Count != 2*stores || e.Release == nil {
			t.Errorf("entry %s: count %d, release %v", e.ID, e.Count, e.Release)
		}
	}
}
