package clients

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/proxy/hubtest/sample"
	"modelwall/scan/scantest"
)

func TestCurl(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t, tiny())
	get := func(t *testing.T, want []byte, args ...string) result {
		t.Helper()
		w := w.in(t)
		r := w.run(curl, append([]string{"-sS", "--fail", "-L", "-o", "f", "-w", "%{http_version}"}, args...)...)
		w.arrived(r, w.path("f"), want)
		return r
	}
	for _, c := range []struct {
		name string
		args []string
		file file
		want []byte // if not the whole file
	}{
		{name: "plain", file: weights},
		{name: "HTTP/1.1", args: []string{"--http1.1"}, file: weights},
		{name: "HTTP/2", args: []string{"--http2"}, file: weights},
		{name: "without -L", args: []string{"--no-location"}, file: weights},
		{name: "checkpoint", file: checkpoint},
		{name: "small", file: config},
		{name: "compressed", args: []string{"--compressed"}, file: config},
		{name: "escaped path", file: quantised},
		{name: "range", args: []string{"-r", "1000000-1999999"}, file: weights, want: weights.content[1000000:2000000]},
		{name: "suffix", args: []string{"-r", "-5000"}, file: weights, want: weights.content[len(weights.content)-5000:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == nil {
				c.want = c.file.content
			}
			r := get(t, c.want, append(c.args, cleanURL+strings.ReplaceAll(c.file.path, " ", "%20"))...)
			if want := map[string]string{"HTTP/1.1": "1.1", "HTTP/2": "2"}[c.name]; want != "" && r.out != want {
				t.Errorf("spoke HTTP/%s", r.out)
			}
		})
	}
	fetched := w.cdn()
	if fetched < int64(len(weights.content)) {
		t.Fatalf("the Hub sent %d bytes of content", fetched)
	}
	t.Run("resume", func(t *testing.T) {
		w.in(t).write(w.path("f"), string(weights.content[:3000001]))
		get(t, weights.content, "-C", "-", cleanURL+weights.path)
	})
	t.Run("cached", func(t *testing.T) {
		get(t, weights.content, cleanURL+weights.path)
		get(t, checkpoint.content, cleanURL+checkpoint.path)
	})
	if n := w.cdn() - fetched; n != 0 {
		t.Errorf("%d bytes of content were fetched again", n)
	}
}

func TestCurlParallel(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t, tiny())
	var wg sync.WaitGroup
	results := make([]result, 4)
	for i := range results {
		wg.Go(func() {
			results[i] = w.run(curl, "-sS", "--fail", "-o", fmt.Sprint("f", i), cleanURL+weights.path)
		})
	}
	wg.Wait()
	for i, r := range results {
		w.arrived(r, w.path(fmt.Sprint("f", i)), weights.content)
	}
	// Besides the whole there are the ranges that the inspection asks for.
	if n := w.cdn(); n >= 2*int64(len(weights.content)) {
		t.Errorf("the Hub sent %d bytes of content for %d", n, len(weights.content))
	}
	w.server.terminate()
	w.server.wait()
	if n := len(w.server.downloads()); n != len(results) {
		t.Errorf("%d downloads are in the log, want %d", n, len(results))
	}
}

func TestCurlGated(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t, gated())
	for _, path := range []string{secret.path, config.path} {
		url, content := gatedURL+path, secret.content
		if path == config.path {
			content = config.content
		}
		for range 2 { // the second time it is in the cache
			w.arrived(w.run(curl, "-sS", "--fail", "-L", "-H", "Authorization: Bearer "+alice, "-o", "f", url), w.path("f"), content)
			r := w.run(curl, "-sS", "-L", "-o", "f", "-w", "%{http_code} %header{x-error-code}", url)
			if r.out != "401 GatedRepo" {
				t.Errorf("%s without a token: %s", path, r.out)
			}
			w.absent(content)
			r = w.run(curl, "-sS", "-L", "-o", "f", "-w", "%{http_code}", "-H", "Authorization: Bearer hf_mallory", url)
			if r.out != "401" && r.out != "403" {
				t.Errorf("%s with a wrong token: %s", path, r.out)
			}
			w.absent(content)
		}
	}
}

func TestCurlMalicious(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	// Each way meets a content of its own that nobody has asked for before,
	// and those whose verdict is known after the first.
	type way struct {
		name string
		args []string
	}
	ways := []way{
		{"plain", nil},
		{"HTTP/1.1", []string{"--http1.1"}},
		{"compressed", []string{"--compressed"}},
		{"start", []string{"-r", "0-9999"}},
		{"end", []string{"-r", "-32"}},
		{"resume", []string{"-C", "100"}},
	}
	repo := pickles()
	fresh := map[string]file{}
	for i, way := range ways {
		f := file{fmt.Sprintf("%d/pytorch_model.bin", i), sample.CheckpointMalicious(uint64(10+i), 5<<20)}
		repo.Files[f.path], fresh[way.name] = hubtest.Bytes(f.content), f
	}
	w := newWall(t, repo)
	for _, way := range ways {
		for _, f := range append(evil, fresh[way.name]) {
			t.Run(way.name+" "+f.path, func(t *testing.T) {
				w := w.in(t)
				r := w.run(curl, append(way.args, "-sS", "-L", "--fail-with-body", evilURL+f.path)...)
				w.refused(r, f.content)
				if way.name != "resume" { // curl prints no body that it can not append
					w.told(r)
				}
				r = w.run(curl, append(way.args, "-sS", "-L", "--fail", "-D", "-", "-o", "f", evilURL+f.path)...)
				w.refused(r, f.content)
				w.told(r)
			})
		}
	}
	for _, f := range evil {
		if r := w.run(curl, "-sS", "-I", "-w", "%{http_code}", "-o", "f", evilURL+f.path); r.out != "200" {
			t.Errorf("HEAD of %s: %s", f.path, r.out)
		}
	}
	if kept := w.whole(); len(kept) != 0 {
		t.Errorf("kept to be served: %v", kept)
	}
}
