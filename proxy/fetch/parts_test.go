package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const partSize = 12 << 20

// interrupted fetches the first half of b, and then up to 1 MiB more, into dir.
func interrupted(t *testing.T, dir string, parts *Parts, b []byte) {
	t.Helper()
	stop := make(chan struct{})
	defer close(stop)
	o := newOrigin(t, b)
	o.always = func(w http.ResponseWriter, r *http.Request) {
		o.serve(&stopWriter{ResponseWriter: w, left: len(b) / 2, stop: stop}, r)
	}
	object := startIn(t, o, dir, parts, b)
	if _, err := object.ReadAt(make([]byte, len(b)/2), 0); err != nil {
		t.Fatal(err)
	}
	if err := object.Close(); err != nil {
		t.Fatal(err)
	}
}

func startIn(t *testing.T, o *origin, dir string, parts *Parts, b []byte) *Object {
	t.Helper()
	object, err := Start(t.Context(), o.source(), Options{
		Size: int64(len(b)), SHA256: sha256Hex(b), Dir: dir, Parts: parts, Retries: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { object.Close() })
	return object
}

// stopWriter lets left bytes through and then waits for stop.
type stopWriter struct {
	http.ResponseWriter
	left int
	stop chan struct{}
}

func (w *stopWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		n, err := w.ResponseWriter.Write(p[:w.left])
		w.left -= n
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		<-w.stop
		return n, errors.Join(err, http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

func openParts(t *testing.T, dir string) *Parts {
	t.Helper()
	parts, err := OpenParts(dir)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// finish fetches the rest, and returns how many bytes came for it.
func finish(t *testing.T, dir string, parts *Parts, b []byte, faults ...http.HandlerFunc) int64 {
	t.Helper()
	o := newOrigin(t, b, faults...)
	object := startIn(t, o, dir, parts, b)
	if _, err := object.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	if _, err := object.ReadAt(got, 0); err != nil || !bytes.Equal(got, b) {
		t.Errorf("other content, %v", err)
	}
	received := object.Stats().Received
	if _, err := object.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(object.Path()); err != nil {
		t.Fatal(err)
	}
	if err := object.Close(); err != nil {
		t.Fatal(err)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
	return received
}

func TestPartGoesOn(t *testing.T) {
	b := content(partSize)
	for name, again := range map[string]bool{"in this process": false, "in the next one": true} {
		dir := t.TempDir()
		parts := openParts(t, dir)
		interrupted(t, dir, parts, b)
		if n := files(t, dir); n != 2 {
			t.Fatalf("%s: %d files, want a part and its journal", name, n)
		}
		if again {
			parts = openParts(t, dir)
		}
		if got := finish(t, dir, parts, b); got > partSize/2+1 || got == 0 {
			t.Errorf("%s: %d bytes came for the second half of %d", name, got, partSize)
		}
	}
}

// A process that is killed closes nothing; the journal alone is there.
func TestPartOfTheKilled(t *testing.T) {
	b := content(partSize)
	dir := t.TempDir()
	write := func(sha256 string, held ...[2]int64) {
		t.Helper()
		path := filepath.Join(dir, "fetch-KILLED.part")
		text, err := json.Marshal(journal{SHA256: sha256, Size: partSize, Held: held})
		if err := errors.Join(err, os.WriteFile(path, b[:9<<20], 0o600), os.WriteFile(path+journalSuffix, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(sha256Hex(b), [2]int64{0, 4 << 20}, [2]int64{8 << 20, 9 << 20})
	if got := finish(t, dir, openParts(t, dir), b); got != 8<<20 { // a stream alone brings an island again
		t.Errorf("%d bytes came, want %d", got, 8<<20)
	}
	write(sha256Hex(b), [2]int64{0, 4 << 20})
	ignore := noRange(b, "")
	if got := finish(t, dir, openParts(t, dir), b, ignore); got != partSize {
		t.Errorf("%d bytes came from an upstream without ranges, want %d", got, partSize)
	}
	for name, tc := range map[string]struct {
		sha256 string
		held   [][2]int64
	}{
		"beyond the file": {sha256Hex(b), [][2]int64{{0, 10 << 20}}},
		"beyond the end":  {sha256Hex(b), [][2]int64{{0, partSize + 1}}},
		"backwards":       {sha256Hex(b), [][2]int64{{5, 4}}},
		"negative":        {sha256Hex(b), [][2]int64{{-1, 4}}},
		"no hash":         {"../x", [][2]int64{{0, 4}}},
	} {
		write(tc.sha256, tc.held...)
		if openParts(t, dir); files(t, dir) != 0 {
			t.Errorf("%s: it is still there", name)
		}
	}
	write(sha256Hex(b), [2]int64{0, 4})
	if err := os.WriteFile(filepath.Join(dir, "fetch-KILLED.part"+journalSuffix), []byte(`{"sha256":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if openParts(t, dir); files(t, dir) != 0 {
		t.Error("half a journal: it is still there")
	}
}

// What the disk lost, or somebody changed, is found out, and is not gone on
// with a second time.
func TestPartIsWrong(t *testing.T) {
	b := content(partSize)
	dir := t.TempDir()
	parts := openParts(t, dir)
	interrupted(t, dir, parts, b)
	names, err := filepath.Glob(filepath.Join(dir, SpoolPattern))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	f, err := os.OpenFile(names[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{b[1000] + 1}, 1000)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	object := startIn(t, newOrigin(t, b), dir, parts, b)
	if _, err := object.Wait(t.Context()); !errors.Is(err, ErrMismatch) {
		t.Errorf("%v, want a mismatch", err)
	}
	object.Close()
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if got := finish(t, dir, parts, b); got != partSize {
		t.Errorf("%d bytes came afterwards", got)
	}
}

// An upstream that refuses does not cost what was there.
func TestPartSurvivesARefusal(t *testing.T) {
	b := content(partSize)
	dir := t.TempDir()
	parts := openParts(t, dir)
	interrupted(t, dir, parts, b)
	o := newOrigin(t, b)
	o.always = status(401)
	opt := Options{Size: partSize, SHA256: sha256Hex(b), Dir: dir, Parts: parts, Retries: -1}
	var refused *StatusError
	if _, err := Start(t.Context(), o.source(), opt); !errors.As(err, &refused) {
		t.Errorf("%v, want a refusal", err)
	}
	if got := finish(t, dir, parts, b); got > partSize/2+1 {
		t.Errorf("%d bytes came afterwards", got)
	}
}

func TestPartsAreTrimmed(t *testing.T) {
	dir := t.TempDir()
	parts := openParts(t, dir)
	one, two := content(partSize), content(partSize+2)
	interrupted(t, dir, parts, one)
	interrupted(t, dir, parts, two)
	past := time.Now().Add(-time.Hour)
	if freed, err := parts.Trim(past, 0); freed != 0 || err != nil {
		t.Errorf("no bound: %d, %v", freed, err)
	}
	if freed, err := parts.Trim(past, partSize*3/4); freed < partSize/2 || freed > partSize*3/4 || err != nil {
		t.Errorf("a bound by bytes: %d, %v", freed, err)
	}
	if _, held := parts.take(&Options{SHA256: sha256Hex(one), Size: partSize}); held != nil {
		t.Error("the older one is still there")
	}
	if freed, err := parts.Trim(time.Now().Add(time.Hour), 0); freed < partSize/2 || err != nil {
		t.Errorf("a bound by age: %d, %v", freed, err)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// The journal of a fetch that is under way follows what has arrived.
func TestJournalIsKept(t *testing.T) {
	b := content(partSize)
	dir := t.TempDir()
	stop := make(chan struct{})
	o := newOrigin(t, b)
	o.always = func(w http.ResponseWriter, r *http.Request) {
		o.serve(&stopWriter{ResponseWriter: w, left: 10 << 20, stop: stop}, r)
	}
	object := startIn(t, o, dir, openParts(t, dir), b)
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if _, p, err := readPart(object.Path()); err == nil && p.bytes() == 10<<20 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("no journal of what arrived")
}
