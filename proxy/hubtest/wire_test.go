package hubtest

import (
	"io"
	"testing"
	"time"
)

// What comes over a wire comes whole, and no sooner than it can.
func TestWire(t *testing.T) {
	const rtt, rate, size = 20 * time.Millisecond, 10_000_000, 1_000_000
	h, err := Start(Options{Wire: Wire{RTT: rtt, Rate: rate}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.AddRepo(Repo{ID: "acme/model", Files: Files{"m.safetensors": Synthetic(1, size)}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	resp, err := h.Client().Get("https://huggingface.co/acme/model/resolve/main/m.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n != size {
		t.Errorf("%d bytes, %v", n, err)
	}
	// For each host CONNECT, TLS and the answer, and then the bytes.
	if took, least := time.Since(began), 6*rtt+size*time.Second/rate; took < least {
		t.Errorf("it took %v, less than %v", took, least)
	}
}

// Close does not wait for a wire on which nothing arrives any more.
func TestWireClosed(t *testing.T) {
	h, err := Start(Options{Wire: Wire{Rate: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddRepo(Repo{ID: "acme/model", Files: Files{"m.safetensors": Synthetic(1, 100_000)}}); err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := h.Client().Get("https://huggingface.co/acme/model/resolve/main/m.safetensors")
		if err == nil {
			resp.Body.Close()
		}
	}()
	for len(h.Requests()) == 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
	h.Close()
}
