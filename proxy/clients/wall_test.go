package clients

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
)

// wall is a Hub with the product in front of it, and a folder for a client.
type wall struct {
	t      *testing.T
	hub    *hubtest.Hub
	config string // the configuration file
	data   string // data_dir
	dir    string // where clients run, and their HOME
	server *server
	env    []string      // of clients
	facade bool          // the Hub may be asked for Xet tokens
	limit  time.Duration // of clients; patience if not set
}

// patience bounds a client that hangs.
const patience = 2 * time.Minute

// newWall starts a Hub with repos and the product.
func newWall(t *testing.T, repos ...hubtest.Repo) *wall {
	t.Helper()
	return newWallWith(t, "", repos...)
}

// newWallWith is newWall with more lines of configuration.
func newWallWith(t *testing.T, settings string, repos ...hubtest.Repo) *wall {
	t.Helper()
	hub, err := hubtest.Start(hubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	for _, r := range repos {
		if _, err := hub.AddRepo(r); err != nil {
			t.Fatal(err)
		}
	}
	top := t.TempDir()
	w := &wall{
		t: t, hub: hub,
		config: filepath.Join(top, "proxy.yaml"), data: filepath.Join(top, "data"), dir: filepath.Join(top, "home"),
	}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(w.config, fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: ""}
data_dir: %q
upstream: {proxy: %q, ca_file: %q}
log: {format: json, level: debug}
%s
`, w.data, hub.ProxyURL(), hub.CAFile(), settings))
	t.Cleanup(w.verify)
	w.start()
	return w
}

// in is the wall for a subtest.
func (w *wall) in(t *testing.T) *wall {
	c := *w
	c.t = t
	return &c
}

// start runs the product and takes over the variables that it prints.
func (w *wall) start() {
	w.t.Helper()
	w.server = serve(w.t, w.config)
	sh := exec.Command("sh", "-c", `eval "$("$0" env --shell sh)" && env -0`, modelwall(w.t))
	sh.Env = append(cleanEnv(), "HOME="+w.dir, "TMPDIR="+w.dir, "MODELWALL_CONFIG="+w.config, "MODELWALL_LISTEN="+w.server.addr)
	sh.Stderr = os.Stderr
	out, err := sh.Output()
	if err != nil {
		w.t.Fatalf("modelwall env: %v", err)
	}
	w.env = slices.DeleteFunc(strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), func(pair string) bool {
		return strings.HasPrefix(pair, "MODELWALL_")
	})
}

// cleanEnv has nothing of this machine that a client could act on.
func cleanEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
}

// run runs a client that CI has installed, behind the wall.
func (w *wall) run(name string, args ...string) result {
	w.t.Helper()
	return w.runIn(w.dir, name, args...)
}

func (w *wall) runIn(dir, name string, args ...string) result {
	w.t.Helper()
	cmd := w.command(dir, name, args...)
	out, err := cmd.CombinedOutput()
	return result{exitCode(w.t, err), string(out)}
}

// begin runs a client beside the test.
func (w *wall) begin(name string, args ...string) <-chan result {
	w.t.Helper()
	cmd := w.command(w.dir, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan result, 1)
	go func() {
		_ = cmd.Wait() // its code says it all
		ended <- result{cmd.ProcessState.ExitCode(), out.String()}
	}()
	return ended
}

// command is a client that the caller starts.
func (w *wall) command(dir, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(w.t.Context(), cmp.Or(w.limit, patience))
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, w.env
	return cmd
}

// path is a file of the client's.
func (w *wall) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *wall) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// arrived fails the test unless the client ended well and the file is there,
// byte by byte.
func (w *wall) arrived(r result, path string, content []byte) {
	w.t.Helper()
	if r.code != 0 {
		w.t.Fatalf("the client ended with %d:\n%.4000s", r.code, r.out)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) {
		w.t.Fatalf("%d bytes arrived, want the %d of the file; %v\n%.4000s", len(got), len(content), err, r.out)
	}
	if err := os.Remove(path); err != nil {
		w.t.Fatal(err)
	}
}

// refused fails the test unless the client failed and nothing of the content
// lies in its folder.
func (w *wall) refused(r result, content []byte) {
	w.t.Helper()
	if r.code == 0 {
		w.t.Errorf("the client ended well:\n%.4000s", r.out)
	}
	w.absent(content)
}

// told fails the test unless the client showed the user why.
func (w *wall) told(r result) {
	w.t.Helper()
	if !strings.Contains(r.out, "Modelwall blocked this file: malicious") {
		w.t.Errorf("the client does not show the reason:\n%.4000s", r.out)
	}
}

// absent fails the test if a file in the client's folder has a piece of the
// content.
func (w *wall) absent(content []byte) {
	w.t.Helper()
	// The first 64 bytes of a zip are those of any other.
	const n = 32
	pieces := [][]byte{content[min(64, len(content)-n):][:n], content[(len(content)-n)/2:][:n], content[len(content)-n:]}
	w.walk(w.dir, func(path string, found []byte) {
		for _, p := range pieces {
			if bytes.Contains(found, p) {
				w.t.Errorf("a piece of what must not arrive is in %s (%d bytes)", path, len(found))
				return
			}
		}
	})
}

// tooLarge is the size, in bytes, above which files are not looked into: what
// had arrived of a file of 60 GB is kept at that length, with holes.
const tooLarge = 1 << 30

func (w *wall) walk(dir string, visit func(path string, content []byte)) {
	w.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > tooLarge {
			return err
		}
		content, err := os.ReadFile(path)
		visit(path, content)
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// cdn is how many bytes of content the Hub has sent so far.
func (w *wall) cdn() (n int64) {
	w.t.Helper()
	if err := w.hub.WaitIdle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range w.hub.Requests() {
		if r.Role == hubtest.RoleCDN {
			n += r.BytesSent
		}
	}
	return n
}

// verify ends the server, whatever state it is in, and checks what must hold after every test.
func (w *wall) verify() {
	if w.server == nil {
		return // it did not start
	}
	defer w.server.kill()
	if !w.server.stopped {
		w.server.terminate()
		w.server.wait()
	}
	for _, r := range w.hub.Leaks() {
		w.t.Errorf("a token leaked: %s %s%s", r.Method, r.Host, r.Path)
	}
	for _, r := range w.hub.Requests() {
		if r.Role == hubtest.RoleCAS || r.Role == hubtest.RoleTransfer || !w.facade && strings.Contains(r.Path, "/xet-read-token/") {
			w.t.Errorf("Xet was used: %s %s%s by %s", r.Method, r.Host, r.Path, r.UserAgent)
		}
	}
	for _, line := range w.server.log {
		if strings.Contains(line, alice) {
			w.t.Errorf("a token is in the log: %s", line)
		}
	}
	for _, d := range w.server.downloads() {
		if (d.Verdict == "malicious") != (d.Decision == "block") {
			w.t.Errorf("the record of %s has verdict %s and decision %s", d.Path, d.Verdict, d.Decision)
		}
	}
	w.walk(w.data, func(path string, content []byte) {
		if bytes.Contains(content, []byte(alice)) {
			w.t.Errorf("a token is in %s", path)
		}
	})
	w.whole()
}

// whole checks that each blob is what its name says, and returns their names.
func (w *wall) whole() (names []string) {
	w.t.Helper()
	w.walk(filepath.Join(w.data, "blobs"), func(path string, content []byte) {
		sum := sha256.Sum256(content)
		if hex.EncodeToString(sum[:]) != filepath.Base(path) {
			w.t.Errorf("blob %s is not its content (%d bytes)", filepath.Base(path), len(content))
		}
		names = append(names, filepath.Base(path))
	})
	return names
}
