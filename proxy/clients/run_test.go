package clients

import (
	"path/filepath"
	"strings"
	"testing"

	"modelwall/scan/scantest"
)

// behind runs a client with `modelwall run` and nothing else in its
// environment that would lead it to a proxy.
func (w *wall) behind(name string, args ...string) result {
	w.t.Helper()
	cmd := w.command(w.dir, modelwall(w.t), append([]string{"run", "--config", w.config, "--", name}, args...)...)
	cmd.Env = append(cleanEnv(), "HOME="+w.dir, "TMPDIR="+w.dir)
	out, err := cmd.CombinedOutput()
	return result{exitCode(w.t, err), string(out)}
}

// One command behind a private firewall, whatever the command is.
func TestRun(t *testing.T) {
	python, err := filepath.Abs("testdata/download.py")
	if err != nil {
		t.Fatal(err)
	}
	w := newWall(t, tiny(), pickles())
	if err := w.hub.EnableGit(); err != nil {
		t.Fatal(err)
	}
	// A private firewall next to one that runs, with the same data folder.
	for _, c := range []struct {
		name string
		args []string // before the URL
		evil file
	}{
		{"curl", []string{"-sS", "--fail", "-D", "-", "-o", "f"}, evil[0]},
		{"wget", []string{"-nv", "-S", "-O", "f"}, evil[1]},
		{"python3", []string{python}, evil[2]},
		{"node", nil, evil[0]},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t)
			program, args := scantest.Tool(t, c.name), c.args
			get := func(url string) result {
				switch c.name {
				case "python3":
					return w.behind(program, append(args, url, "f")...)
				case "node":
					return w.behind(program, nodeScript(t), "fetch", url, "f")
				}
				return w.behind(program, append(args, url)...)
			}
			r := get(cleanURL + weights.path)
			w.arrived(r, w.path("f"), weights.content)
			if !strings.Contains(r.out, "modelwall: 1 file checked, 1 allowed\n") {
				t.Errorf("no summary:\n%s", r.out)
			}
			r = get(evilURL + c.evil.path)
			w.refused(r, c.evil.content)
			w.told(r)
			if !strings.Contains(r.out, "modelwall: 1 file checked, 1 blocked\n") {
				t.Errorf("no summary:\n%s", r.out)
			}
		})
	}
	t.Run("git", func(t *testing.T) {
		w := w.in(t)
		git := scantest.Tool(t, "git")
		scantest.Tool(t, "git-lfs")
		if r := w.behind(git, "lfs", "install", "--skip-repo"); r.code != 0 {
			t.Fatal(r.out)
		}
		w.arrived(w.behind(git, "clone", hubURL+"acme/tiny", "good"), w.path("good", weights.path), weights.content)
		r := w.behind(git, "clone", hubURL+"evil/pickles", "bad")
		w.refused(r, evil[0].content)
		w.told(r)
	})
	if r := w.behind("sh", "-c", "exit 7"); r.code != 7 {
		t.Errorf("run ends with %d, the command ended with 7:\n%s", r.code, r.out)
	}
}
