package proxy_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// peak returns the most memory that this process has had since the last call,
// in bytes, as the kernel counts it (RSS).
func peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("memory is counted in /proc")
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil {
		t.Skip("memory is counted in /proc")
	}
	return kib << 10
}

// TestMemory downloads one object of as many GiB as MODELWALL_TEST_MEMORY says,
// and then 500 of 8 MiB at once. The memory is that of the whole process, with
// the Hub and the clients in it. The disk holds all of it twice over:
//
//	MODELWALL_TEST_MEMORY=50 go test -run TestMemory -timeout 1h ./proxy
func TestMemory(t *testing.T) {
	gib, err := strconv.ParseInt(os.Getenv("MODELWALL_TEST_MEMORY"), 10, 64)
	if err != nil {
		t.Skip("set MODELWALL_TEST_MEMORY to the size of the object in GiB")
	}
	s := newStack(t, stackOptions{hub: hubtest.Options{HTTP1: true}, inspector: engine.New(all.Scanners(), engine.Limits{TempDir: t.TempDir()})})
	url := func(id string) string { return "https://huggingface.co/" + id + "/resolve/main/model.safetensors" }

	one := tensorFile(1, gib<<30)
	s.add(hubtest.Repo{ID: "acme/one", Files: hubtest.Files{"model.safetensors": one}})
	peak(t)
	began := time.Now()
	fetched(t, s.newClient(false), url("acme/one"), one.Size())
	if got := peak(t); got > 128<<20 {
		t.Errorf("one object of %d GiB took %d MiB of memory, want at most 128", gib, got>>20)
	} else {
		t.Logf("one object of %d GiB: %d MiB of memory, %v", gib, got>>20, time.Since(began).Round(time.Second))
	}

	const many, size = 500, 8 << 20
	// They differ and share the rest: the Hub's own memory is not the subject.
	head, rest := hubtest.Bytes(sample.SafetensorsHeader(size/4)), hubtest.Synthetic(2, size-16)
	length := head.Size() + size
	for i := range many {
		content := hubtest.Join(head, hubtest.Bytes(fmt.Sprintf("%016d", i)), rest)
		s.add(hubtest.Repo{ID: fmt.Sprint("acme/many", i), Files: hubtest.Files{"model.safetensors": content}})
	}
	peak(t)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			client := s.newClient(false)
			defer client.CloseIdleConnections()
			fetched(t, client, url(fmt.Sprint("acme/many", i)), length)
		})
	}
	wg.Wait()
	got := peak(t)
	t.Logf("%d downloads of 8 MiB at once: %d MiB of memory", many, got>>20)
	if got > 512<<20 {
		t.Errorf("%d downloads at once took %d MiB of memory, want at most 512", many, got>>20)
	}
}
