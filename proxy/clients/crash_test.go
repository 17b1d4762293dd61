package clients

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/scantest"
)

// After kill -9 at any time there are only whole blobs, and the next download
// is right.
func TestServeKilled(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	const size = 30 << 20
	w := newWall(t)
	for i, at := range []int{1, size / 2, size - 1} {
		large := sample.Safetensors(uint64(20+i), size)
		id, sum := fmt.Sprint("acme/large", i), hexSum(large)
		// The Hub stops at a place, so the server can not be done.
		content := newSlow(t, large, at)
		if _, err := w.hub.AddRepo(hubtest.Repo{ID: id, Files: hubtest.Files{"m.safetensors": content}}); err != nil {
			t.Fatal(err)
		}
		args := []string{"-sS", "--fail", "-o", "f", hubURL + id + "/resolve/main/m.safetensors"}
		client := w.begin(curl, args...)
		content.wait(client)
		w.server.kill()
		content.goOn()
		if r := <-client; r.code == 0 {
			t.Fatalf("a download that was cut looks well to the client: %s", r.out)
		}
		for _, name := range w.whole() {
			if name == sum {
				t.Error("there is a blob before the content was whole")
			}
		}
		w.start()
		w.walk(filepath.Join(w.data, "spool"), func(path string, left []byte) {
			journal := strings.HasSuffix(path, ".journal")
			if _, err := os.Stat(path + ".journal"); len(left) > 0 && !journal && err != nil {
				t.Errorf("%s is left of the dead process, and nobody can go on with it", path)
			}
		})
		// The client has a piece of the file, or nothing, and goes on.
		piece, err := os.ReadFile(w.path("f"))
		if err != nil && !os.IsNotExist(err) || !bytes.HasPrefix(large, piece) {
			t.Errorf("%d bytes that are no piece of the content, %v", len(piece), err)
		}
		w.arrived(w.run(curl, append([]string{"-C", "-"}, args...)...), w.path("f"), large)

		// What a client has whole is kept, whatever happens next.
		w.server.kill()
		w.start()
		fetched := w.cdn()
		w.arrived(w.run(curl, args...), w.path("f"), large)
		if n := w.cdn() - fetched; n != 0 {
			t.Errorf("%d bytes of content were fetched again", n)
		}
	}
}

// kills is how often TestServeKilledUnderLoad kills the server.
const kills = 100

// A server that is killed again and again, with several downloads under way,
// never sends a wrong byte, and goes on with what it had.
func TestServeKilledUnderLoad(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	const size = 12 << 20
	w := newWall(t)
	random := rand.New(rand.NewPCG(1, 2))
	made := 0
	var loads [3]*load
	fresh := func() *load {
		made++
		l := newLoad(sample.Safetensors(uint64(100+made), size))
		l.repo = fmt.Sprint("acme/load", made)
		if _, err := w.hub.AddRepo(hubtest.Repo{ID: l.repo, Files: hubtest.Files{"m.safetensors": l}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.stop)
		return l
	}
	for i := range loads {
		loads[i] = fresh()
	}
	for round := range kills {
		var clients [len(loads)]<-chan result
		for i, l := range loads {
			l.allow(int64(random.IntN(size / 4)))
			clients[i] = w.begin(curl, "-sS", "--fail", "-C", "-", "-o", fmt.Sprint("f", i), hubURL+l.repo+"/resolve/main/m.safetensors")
		}
		one := random.IntN(len(loads))
		ended := [len(loads)]*result{}
		select {
		case <-loads[one].reached():
		case r := <-clients[one]:
			ended[one] = &r
		}
		if round%25 == 24 {
			w.awaitJournal()
		}
		w.server.kill()
		for i, l := range loads {
			l.stop()
			if ended[i] == nil {
				r := <-clients[i]
				ended[i] = &r
			}
			path := w.path(fmt.Sprint("f", i))
			if ended[i].code == 0 {
				w.arrived(*ended[i], path, l.whole)
				loads[i] = fresh()
				continue
			}
			piece, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) || !bytes.HasPrefix(l.whole, piece) {
				t.Fatalf("round %d: %d bytes that are no piece of the content, %v", round, len(piece), err)
			}
		}
		if round%10 == 9 {
			w.whole()
		}
		w.start()
	}
	for i, l := range loads {
		l.allow(int64(len(l.whole)))
		args := []string{"-sS", "--fail", "-C", "-", "-o", fmt.Sprint("f", i), hubURL + l.repo + "/resolve/main/m.safetensors"}
		w.arrived(w.run(curl, args...), w.path(fmt.Sprint("f", i)), l.whole)
	}
	resumed := 0
	for _, r := range w.hub.Requests() {
		if r.Role == hubtest.RoleCDN && strings.HasPrefix(r.Range, "bytes=") && strings.HasSuffix(r.Range, "-") {
			resumed++ // a stream that begins behind the first byte
		}
	}
	t.Logf("%d downloads, %d streams went on", made, resumed)
	if made < 2*len(loads) || resumed < kills/25 {
		t.Errorf("%d downloads in %d rounds, %d streams that went on", made, kills, resumed)
	}
}

// awaitJournal returns when the server has noted what it has of some content.
func (w *wall) awaitJournal() {
	w.t.Helper()
	for wait := time.Now().Add(patience); time.Now().Before(wait); time.Sleep(20 * time.Millisecond) {
		if found, err := filepath.Glob(filepath.Join(w.data, "spool", "*", "*.journal")); err == nil && len(found) > 0 {
			return
		}
	}
	w.t.Error("no journal of what arrived")
}

// load is content of the Hub that comes as far as the test allows.
type load struct {
	hubtest.Content
	whole []byte
	sum   [sha256.Size]byte
	repo  string

	mu    sync.Mutex
	limit int64
	turn  chan struct{} // closed when waiting ends
	stuck chan struct{} // closed when somebody waits
}

func newLoad(whole []byte) *load {
	return &load{
		Content: hubtest.Bytes(whole), whole: whole, sum: sha256.Sum256(whole),
		turn: make(chan struct{}), stuck: make(chan struct{}),
	}
}

// SHA256 spares the Hub from reading the content in advance.
func (l *load) SHA256() [sha256.Size]byte { return l.sum }

// allow lets n bytes more through.
func (l *load) allow(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit += n
	l.stuck = make(chan struct{})
}

// stop breaks off whoever waits.
func (l *load) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.turn)
	l.turn = make(chan struct{})
}

// reached is closed once somebody waits for what is not allowed yet.
func (l *load) reached() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stuck
}

func (l *load) ReadAt(p []byte, off int64) (int, error) {
	l.mu.Lock()
	if off+int64(len(p)) <= l.limit || l.limit >= int64(len(l.whole)) {
		l.mu.Unlock()
		return l.Content.ReadAt(p, off)
	}
	turn := l.turn
	select {
	case <-l.stuck:
	default:
		close(l.stuck)
	}
	l.mu.Unlock()
	<-turn
	return 0, io.ErrUnexpectedEOF
}
