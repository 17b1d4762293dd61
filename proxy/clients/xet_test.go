package clients

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
)

// newXetWall is a wall for clients that use Xet, and a function that runs
// hub.mjs behind it or, if mirror is set, with it for the Hub.
func newXetWall(t *testing.T, mirror bool, repos ...hubtest.Repo) (w *wall, run func(args ...string) result) {
	t.Helper()
	script := nodeScript(t)
	w = newWall(t, repos...)
	w.facade = true
	if mirror {
		w.mirrored()
	}
	return w, func(args ...string) result {
		t.Helper()
		return w.run("node", append([]string{script}, args...)...)
	}
}

// eachWay runs a test behind the proxy and with the mirror.
func eachWay(t *testing.T, test func(t *testing.T, mirror bool)) {
	t.Run("proxy", func(t *testing.T) { test(t, false) })
	t.Run("mirror", func(t *testing.T) { test(t, true) })
}

// A client that insists on Xet gets the files, and not those it must not have.
func TestXetStale(t *testing.T) {
	large := file{"large.safetensors", sample.Safetensors(6, 70<<20)}
	eachWay(t, func(t *testing.T, mirror bool) {
		tree := hubtest.Repo{ID: "acme/large", Xet: true, Files: files(large, checkpoint, quantised)}
		w, node := newXetWall(t, mirror, tree, gated(), pickles())
		stale := func(repo string, f file, token ...string) result {
			t.Helper()
			hash := xetHash(f)
			return node(append([]string{"stale", repo, "main", hash, fmt.Sprint(len(f.content)), "f"}, token...)...)
		}
		for range 2 { // the second time from the cache
			for _, f := range []file{large, checkpoint, quantised} {
				w.arrived(stale("acme/large", f), w.path("f"), f.content)
			}
			w.arrived(stale("acme/gated", secret, alice), w.path("f"), secret.content)
			w.refused(stale("acme/gated", secret), secret.content)
			for _, f := range evil {
				r := stale("evil/pickles", f)
				w.refused(r, f.content)
				w.told(r)
			}
		}
		r := stale("acme/large", file{content: weights.content}) // of another repository
		w.refused(r, weights.content)
		if !strings.Contains(r.out, "HF_HUB_DISABLE_XET=1") {
			t.Errorf("the client does not show a way out:\n%.4000s", r.out)
		}
	})
}

// xetHash is the name that the Hub gives to a file in Xet.
func xetHash(f file) string { return hubtest.XetHash(hexSum(f.content)) }

// huge is a file that the Hub's Python client takes over Xet alone.
const (
	hugeNumbers = 15_000_000_000
	hugeSum     = "a1a28db582799a4917504468be014e5ce965e671a100f4b0ba2bc933034e7205"
)

func huge(t *testing.T) (hubtest.Content, []byte) {
	t.Helper()
	head := sample.SafetensorsHeader(hugeNumbers)
	var sum [32]byte
	if n, err := hex.Decode(sum[:], []byte(hugeSum)); err != nil || n != len(sum) {
		t.Fatal(n, err)
	}
	return hubtest.Known(hubtest.Join(hubtest.Bytes(head), zeros(4*hugeNumbers)), sum), head
}

// zeros is content that costs nothing.
type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n := max(0, min(len(p), int(int64(z)-off)))
	clear(p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// A file of 60 GB is offered over Xet, and its parts come at once.
func TestXetHuge(t *testing.T) {
	content, head := huge(t)
	eachWay(t, func(t *testing.T, mirror bool) {
		w, node := newXetWall(t, mirror, hubtest.Repo{ID: "acme/huge", Xet: true, Files: hubtest.Files{"m.safetensors": content}})
		for _, at := range []int64{0, 30_000_000_001} {
			const n = 300_000
			r := node("slice", "acme/huge", "m.safetensors", "f", fmt.Sprint(at), fmt.Sprint(at+n))
			want := make([]byte, n)
			if _, err := content.ReadAt(want, at); err != nil {
				t.Fatal(err)
			}
			w.arrived(r, w.path("f"), want)
			if out := fmt.Sprintf("XetBlob %d\n", content.Size()); !strings.HasSuffix(r.out, out) {
				t.Errorf("%q, want %q", r.out, out)
			}
		}
		if !bytes.Contains(head, []byte("encoder.weight")) {
			t.Error("the head is not what the test thinks")
		}
	})
}

// All of it, which takes a quarter of an hour and 60 GB of disk in TMPDIR.
func TestXetHugeWhole(t *testing.T) {
	if os.Getenv("MODELWALL_TEST_HUGE") == "" {
		t.Skip("MODELWALL_TEST_HUGE is not set")
	}
	content, _ := huge(t)
	script := nodeScript(t)
	w := newWall(t, hubtest.Repo{ID: "acme/huge", Xet: true, Files: hubtest.Files{"m.safetensors": content}})
	w.facade, w.limit = true, 2*time.Hour
	started := time.Now()
	r := w.run("node", script, "stream", "acme/huge", "m.safetensors")
	if want := fmt.Sprintf("XetBlob %d %s\n", content.Size(), hugeSum); r.code != 0 || !strings.HasSuffix(r.out, want) {
		t.Errorf("%d %.2000s", r.code, r.out)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.server.cmd.Process.Pid))
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, "\n")
	t.Logf("%.0f MB/s, peak memory of the server %s, %v", float64(content.Size())/1e6/time.Since(started).Seconds(), strings.TrimSpace(peak), err)
}
