package fetch

import (
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// BenchmarkFetch downloads over loopback TLS, once with nothing but io.Copy to
// a file and once as an Object that is hashed and waited for. It reports the
// Object's speed as a share of the copy's, both taken in turns in one run:
//
//	go test -bench Fetch -benchtime 10x ./proxy/fetch
func BenchmarkFetch(b *testing.B) {
	body := content(128 << 20)
	src := newOrigin(b, body)
	src.always = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "134217728")
		_, _ = w.Write(body)
	}
	dir := b.TempDir()
	var copied, fetched time.Duration
	timed := func(sum *time.Duration, f func()) {
		began := time.Now()
		f()
		*sum += time.Since(began)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		b.StopTimer()
		timed(&copied, func() { copyToFile(b, src, dir) })
		b.StartTimer()
		timed(&fetched, func() {
			opt := options(b)
			opt.Dir = dir
			o, err := Start(context.Background(), src.source(), opt)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := o.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
			if err := o.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.ReportMetric(copied.Seconds()/fetched.Seconds(), "of-io.Copy")
}

func copyToFile(b *testing.B, src *origin, dir string) {
	r, err := src.source().Open(context.Background(), 0, -1)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	f, err := os.CreateTemp(dir, "copy")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(f, r.Body); err != nil {
		b.Fatal(err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
}
