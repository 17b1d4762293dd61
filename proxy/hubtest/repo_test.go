package hubtest_test

import (
	"errors"
	"testing"

	"modelwall/proxy/hubtest"
)

func TestCommitsAreGitsOwn(t *testing.T) {
	// The blob ids are what git hash-object prints; TestGitClone compares the
	// commits with git's.
	h := startHub(t, hubtest.Options{})
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", Files: hubtest.Files{
		"a.txt": hubtest.Bytes("hello\n"), "a/b.txt": hubtest.Bytes(""), "m.bin": hubtest.Bytes("x"),
	}})
	if f, _ := repo.File("main", "a.txt"); f.BlobID != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Errorf("blob %s", f.BlobID)
	}
	if f, _ := repo.File("main", "a/b.txt"); f.BlobID != "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" {
		t.Errorf("empty blob %s", f.BlobID)
	}
	first := repo.Commit("main")
	second, err := repo.Update("main", hubtest.Files{"a.txt": nil})
	if err != nil || second == first || repo.Commit("main") != second {
		t.Errorf("commit %s after %s, %v", second, first, err)
	}
	if _, ok := repo.File("main", "a.txt"); ok {
		t.Error("a.txt is still on main")
	}
	if _, ok := repo.File(first, "a.txt"); !ok {
		t.Error("a.txt is gone from the first commit")
	}
	if repo.Commit("nope") != "" {
		t.Error("commit of an unknown revision")
	}
	again := addRepo(t, startHub(t, hubtest.Options{}), hubtest.Repo{ID: "acme/m", Files: hubtest.Files{
		"a.txt": hubtest.Bytes("hello\n"), "a/b.txt": hubtest.Bytes(""), "m.bin": hubtest.Bytes("x"),
	}})
	if again.Commit("main") != first {
		t.Error("commit ids differ between two hubs")
	}
}

func TestBadRepositories(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	addRepo(t, h, hubtest.Repo{ID: "acme/m"})
	for name, r := range map[string]hubtest.Repo{
		"id":            {ID: "noslash"},
		"dots":          {ID: "../m"},
		"type":          {ID: "a/b", Type: "kernels"},
		"CDN":           {ID: "a/b", CDN: "huggingface.co"},
		"exists":        {ID: "Acme/M"},
		"path":          {ID: "a/b", Files: hubtest.Files{"../x": hubtest.Bytes("")}},
		"absolute path": {ID: "a/b", Files: hubtest.Files{"/x": hubtest.Bytes("")}},
		"file and dir":  {ID: "a/b", Files: hubtest.Files{"x": hubtest.Bytes(""), "x/y": hubtest.Bytes("")}},
	} {
		if _, err := h.AddRepo(r); !errors.Is(err, hubtest.ErrRepo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
