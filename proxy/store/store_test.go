package store_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"modelwall/proxy/store"
	"modelwall/proxy/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

func open(dir string) (storetest.Store, error) {
	s, err := store.Open(dir)
	if err != nil {
		return storetest.Store{}, err
	}
	return storetest.Store{Records: s, Blobs: s.Blobs(), Close: s.Close}, nil
}

func mustOpen(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestAccept(t *testing.T) {
	storetest.Accept(t, func(t *testing.T) func() (storetest.Store, error) {
		dir := t.TempDir()
		return func() (storetest.Store, error) { return open(dir) }
	})
}
