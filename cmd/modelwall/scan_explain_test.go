package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplainMembers explains pickles inside of archives, at any depth.
func TestExplainMembers(t *testing.T) {
	payload := "cos\nsystem\n(S'id'\ntR."
	var packed, archive bytes.Buffer
	g := gzip.NewWriter(&packed)
	_, err := g.Write([]byte(payload))
	check(t, err)
	check(t, g.Close())
	z := zip.NewWriter(&archive)
	for name, data := range map[string]string{"archive/data.pkl": payload, "packed.gz": packed.String(), "README.md": "# A model\n"} {
		w, err := z.Create(name)
		check(t, err)
		_, err = w.Write([]byte(data))
		check(t, err)
	}
	check(t, z.Close())
	path := filepath.Join(t.TempDir(), "model.bin")
	check(t, os.WriteFile(path, archive.Bytes(), 0o600))

	var out bytes.Buffer
	root := newRootCmd(parts{newEngine: newEngine})
	root.SetOut(&out)
	root.SetArgs([]string{"scan", "--explain", path})
	if code := execute(context.Background(), root, &out); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, member := range []string{"archive/data.pkl", "packed.gz"} {
		want := "    loading " + member + " would do, by byte offset:\n        0: import os.system\n        19: call os.system(\"id\")\n"
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("%s is not explained once in\n%s", member, out.String())
		}
	}
	if n := strings.Count(out.String(), "would do"); n != 2 {
		t.Errorf("%d explanations in\n%s", n, out.String())
	}
}

func TestExplanationsAreBounded(t *testing.T) {
	for _, n := range []int{maxExplained - 1, maxExplained, maxExplained + 1} {
		var e explanations
		e.add("first", make([]string, n))
		e.add("second", make([]string, n))
		steps := 0
		for _, x := range e.list {
			steps += len(x.steps)
		}
		if steps < maxExplained || steps > maxExplained+1 || len(e.list[0].steps) < n {
			t.Errorf("%d steps twice: %d are kept", n, steps)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
