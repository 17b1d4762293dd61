package fetch

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// scattered are short runs all over n bytes.
func scattered(n, count int) (runs [][2]int64) {
	for i := range count {
		at := int64(n / count * i)
		runs = append(runs, [2]int64{at, at + 300})
	}
	return runs
}

// headed starts an object that waits behind its head.
func headed(t *testing.T, o *origin, parts bool) *Object {
	t.Helper()
	src := o.source()
	if !parts {
		src = struct{ Source }{src}
	}
	obj, err := Start(t.Context(), src, Options{
		Size: int64(len(o.content)), SHA256: sha256Hex(o.content), Dir: t.TempDir(), Eager: 1 << 20, Head: 64 << 10, Parallel: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { obj.Close() })
	return obj
}

// Announced reads come together, whatever the upstream makes of a request for
// several ranges, and the rest comes once somebody wants it.
func TestExpect(t *testing.T) {
	b := content(8 << 20)
	wrong := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "multipart/byteranges; boundary=x")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write([]byte(body))
	}
	for name, c := range map[string]struct {
		multi    http.HandlerFunc // answers the request for several ranges; nil serves it
		source   bool             // knows several ranges
		requests int              // at most
	}{
		"parts":          {nil, true, 2},
		"no such source": {nil, false, 101},
		"the whole":      {func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); newRecorderOf(b)(w, r) }, true, 102},
		"refused":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(416) }, true, 102},
		"one of them": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-99")
			newRecorderOf(b)(w, r)
		}, true, 102},
		"no boundary": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/byteranges")
			w.WriteHeader(206)
		}, true, 102},
		"no part": {func(w http.ResponseWriter, _ *http.Request) { wrong(w, "--x--\r\n") }, true, 102},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			wrong(w, "--x\r\nContent-Range: bytes 83886-84185/8388608\r\n\r\nabc")
		}, true, 102},
		"nobody asked": {func(w http.ResponseWriter, _ *http.Request) {
			wrong(w, "--x\r\nContent-Range: bytes 70000-70002/8388608\r\n\r\nabc\r\n--x--\r\n")
		}, true, 102},
		"of something else": {func(w http.ResponseWriter, _ *http.Request) {
			wrong(w, "--x\r\nContent-Range: bytes 83886-83888/9\r\n\r\nabc\r\n--x--\r\n")
		}, true, 102},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, b)
			o.always = func(w http.ResponseWriter, r *http.Request) {
				if c.multi != nil && strings.Contains(r.Header.Get("Range"), ",") {
					c.multi(w, r)
					return
				}
				o.serve(w, r)
			}
			obj := headed(t, o, c.source)
			runs := scattered(len(b), 100)
			obj.Expect(runs)
			for _, r := range runs {
				got := make([]byte, r[1]-r[0])
				if _, err := obj.ReadAt(got, r[0]); err != nil || !bytes.Equal(got, b[r[0]:r[1]]) {
					t.Fatalf("bytes %d-%d: %v", r[0], r[1], err)
				}
			}
			if n := len(o.requests()); n > c.requests {
				t.Errorf("%d requests, want at most %d", n, c.requests)
			}
			if front := obj.Stats().Front; front >= 1<<20 {
				t.Errorf("the stream is at %d", front)
			}
			obj.Widen()
			if _, err := obj.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(b))
			if _, err := obj.ReadAt(got, 0); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("the whole: %v", err)
			}
		})
	}
}

func newRecorderOf(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// A stream that waits goes on when somebody wants the whole, by whatever way.
func TestHead(t *testing.T) {
	b := content(8 << 20)
	for name, want := range map[string]func(*Object) error{
		"Resume": func(o *Object) error { o.Resume(); <-o.Done(); return nil },
		"Widen":  func(o *Object) error { o.Widen(); <-o.Done(); return nil },
		"Wait":   func(o *Object) error { _, err := o.Wait(context.Background()); return err },
		"reads": func(o *Object) error {
			for off := int64(0); off < int64(len(b)); off += 1 << 20 {
				if _, err := o.ReadAt(make([]byte, 1<<20), off); err != nil {
					return err
				}
			}
			<-o.Done()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, b)
			obj := headed(t, o, true)
			if _, err := obj.ReadAt(make([]byte, 1000), 0); err != nil {
				t.Fatal(err)
			}
			if err := want(obj); err != nil {
				t.Fatal(err)
			}
			if d, err := obj.Wait(t.Context()); err != nil || d.SHA256 != sha256Hex(b) {
				t.Fatalf("%+v, %v", d, err)
			}
			if first := o.requests()[0].Range; first != "bytes=0-65535" {
				t.Errorf("the first request was for %q", first)
			}
		})
	}
}

// An upstream that does not serve ranges streams on behind the head.
func TestHeadWithoutRanges(t *testing.T) {
	b := content(4 << 20)
	o := newOrigin(t, b)
	o.always = func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		o.serve(w, r)
	}
	obj := headed(t, o, true)
	<-obj.Done()
	if _, err := obj.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
