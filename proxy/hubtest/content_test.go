package hubtest_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"modelwall/proxy/hubtest"
)

func TestContentsReadLikeBytes(t *testing.T) {
	long := hubtest.Synthetic(3, 3<<20+5)
	all, err := io.ReadAll(io.NewSectionReader(long, 0, long.Size()))
	if err != nil || int64(len(all)) != long.Size() {
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	if bytes.Equal(all[:1<<20], all[1<<20:2<<20]) {
		t.Error("two blocks are alike")
	}
	for name, tt := range map[string]struct {
		content hubtest.Content
		want    []byte
	}{
		"bytes":     {hubtest.Bytes("hello"), []byte("hello")},
		"empty":     {hubtest.Bytes(nil), nil},
		"synthetic": {long, all},
		"join":      {hubtest.Join(hubtest.Bytes("ab"), hubtest.Bytes(""), hubtest.Bytes("cde"), long), append([]byte("abcde"), all...)},
		"join none": {hubtest.Join(), nil},
		"corrupt":   {hubtest.Corrupt(1)(hubtest.Bytes("abc")), []byte{'a', 'b' ^ 0xff, 'c'}},
		"shorter":   {hubtest.Resize(-2)(hubtest.Bytes("abc")), []byte("a")},
		"to none":   {hubtest.Resize(-9)(hubtest.Bytes("abc")), nil},
		"longer":    {hubtest.Resize(2)(hubtest.Bytes("abc")), []byte("abc\x00\x00")},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.content.Size() != int64(len(tt.want)) {
				t.Fatalf("size %d, want %d", tt.content.Size(), len(tt.want))
			}
			if err := iotest.TestReader(io.NewSectionReader(tt.content, 0, tt.content.Size()), tt.want); err != nil {
				t.Error(err)
			}
			if _, err := tt.content.ReadAt(make([]byte, 1), -1); err == nil && name != "corrupt" {
				t.Error("no error for a negative offset")
			}
		})
	}
}

func TestLargeContentWithoutMemory(t *testing.T) {
	const size = 40 << 30
	h := startHub(t, hubtest.Options{})
	sum := sha256.Sum256([]byte("stands for the real one"))
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/big", Files: hubtest.Files{
		"big.safetensors": hubtest.Known(hubtest.Synthetic(1, size), sum),
	}})
	f, ok := repo.File("main", "big.safetensors")
	if !ok || f.Size != size || f.SHA256 != hexSum([]byte("stands for the real one")) {
		t.Fatalf("file %+v", f)
	}
	a := do(t, client(t, h, false), "GET", repo.SignedURL("main", "big.safetensors"), http.Header{"Range": {"bytes=-4"}}, "")
	if a.StatusCode != http.StatusPartialContent || len(a.body) != 4 || !strings.HasSuffix(a.Header.Get("Content-Range"), "/42949672960") {
		t.Errorf("%d, %d bytes, %s", a.StatusCode, len(a.body), a.Header.Get("Content-Range"))
	}
}
