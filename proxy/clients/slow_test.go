package clients

import (
	"crypto/sha256"
	"sync"
	"testing"

	"modelwall/proxy/hubtest"
)

// slow is content of the Hub that does not go on behind a place before it is
// told to.
type slow struct {
	hubtest.Content
	t       *testing.T
	sum     [sha256.Size]byte
	at      int64
	reach   func()
	reached chan struct{} // closed when somebody asks for what is behind the place
	goOn    func()
	going   chan struct{}
}

func newSlow(t *testing.T, content []byte, at int) *slow {
	s := &slow{
		Content: hubtest.Bytes(content), t: t, sum: sha256.Sum256(content), at: int64(at),
		reached: make(chan struct{}), going: make(chan struct{}),
	}
	s.reach = sync.OnceFunc(func() { close(s.reached) })
	s.goOn = sync.OnceFunc(func() { close(s.going) })
	t.Cleanup(s.goOn)
	return s
}

// SHA256 spares the Hub from reading the content in advance.
func (s *slow) SHA256() [sha256.Size]byte { return s.sum }

func (s *slow) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > s.at {
		s.reach()
		<-s.going
	}
	return s.Content.ReadAt(p, off)
}

// wait returns when the place is reached on behalf of a client.
func (s *slow) wait(client <-chan result) {
	s.t.Helper()
	select {
	case <-s.reached:
	case r := <-client:
		s.t.Fatalf("the client ended with %d:\n%s", r.code, r.out)
	}
}
