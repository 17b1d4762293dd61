package store_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"modelwall/proxy/store"
)

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	key := strings.Repeat("a", 64)
	at := time.UnixMicro(1_700_000_000_000_000)
	old := store.Answer{Key: key, Repo: "acme/m", Status: 302, Header: http.Header{"X": {"1", "2"}}, Length: -1, At: at}
	other := store.Answer{Key: strings.Repeat("b", 64), Status: 200, Header: http.Header{}, Body: []byte("\x00b"), Length: 2, At: at.Add(time.Hour)}
	if err := s.PutAnswers(t.Context(), []store.Answer{old, other}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Answer{old, other} {
		if got, ok, err := s.Answer(t.Context(), want.Key); !ok || err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%v, %v: %s", ok, err, cmp.Diff(want, got))
		}
	}
	fresh := old
	fresh.Status, fresh.Header, fresh.At = 200, http.Header{"Y": {"3"}}, at.Add(time.Minute)
	if err := s.PutAnswers(t.Context(), []store.Answer{fresh}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Answer(t.Context(), key); err != nil || cmp.Diff(fresh, got) != "" {
		t.Errorf("%v: %s", err, cmp.Diff(fresh, got))
	}
	if err := s.PutAnswers(t.Context(), []store.Answer{{Key: "short"}}); err == nil {
		t.Error("a key that is none was kept")
	}
	if n, err := s.PruneAnswers(t.Context(), at.Add(2*time.Minute)); n != 1 || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
	if _, ok, err := s.Answer(t.Context(), key); ok || err != nil {
		t.Errorf("it is still there: %v, %v", ok, err)
	}
}

// A key of the data directory is made once, whoever asks first.
func TestSecret(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	one, err := s.Secret(t.Context(), "one")
	if err != nil || len(one) != 32 {
		t.Fatalf("%d bytes, %v", len(one), err)
	}
	again, err := mustOpen(t, dir).Secret(t.Context(), "one")
	if err != nil || !bytes.Equal(again, one) {
		t.Errorf("another one the second time, %v", err)
	}
	if two, err := s.Secret(t.Context(), "two"); err != nil || bytes.Equal(two, one) {
		t.Errorf("the same under another name, %v", err)
	}
}
