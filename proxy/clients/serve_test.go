package clients

import (
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
	"modelwall/scan/scantest"
)

// A configuration that is wrong in any way keeps the server from starting.
func TestServeBadConfig(t *testing.T) {
	dir := t.TempDir()
	w := &wall{t: t, dir: dir}
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "lissten: 127.0.0.1:0", `1: unknown key "lissten" (did you mean "listen"?)`},
		{"nested", "policy:\n  malicous: block", `2: unknown key "policy.malicous" (did you mean "policy.malicious"?)`},
		{"value", "other_hosts: perhaps", `1: other_hosts`},
		{"fails open", "gate:\n  hold: 1h", `2: gate.hold`},
		{"open proxy", "listen: 0.0.0.0:0", `allow_remote_clients`},
		{"syntax", "listen: [", `bad.yaml`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, "bad.yaml")
			w.in(t).write(path, c.text+"\n")
			cmd := exec.CommandContext(t.Context(), modelwall(t), "serve", "--config", path, "--data-dir", filepath.Join(dir, "data"))
			cmd.Env = cleanEnv()
			out, err := cmd.CombinedOutput()
			if code := exitCode(t, err); code != 2 || !strings.HasPrefix(string(out), "modelwall: ") || !strings.Contains(string(out), c.want) {
				t.Errorf("exit %d, want 2 and %q:\n%s", code, c.want, out)
			}
		})
	}
	cmd := exec.CommandContext(t.Context(), modelwall(t), "serve", "--config", filepath.Join(dir, "none.yaml"))
	cmd.Env = cleanEnv()
	if out, err := cmd.CombinedOutput(); exitCode(t, err) != 2 || !strings.Contains(string(out), "none.yaml") {
		t.Errorf("no file: %v\n%s", err, out)
	}
}

func TestServeOccupiedPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, key := range []string{"MODELWALL_LISTEN", "MODELWALL_ADMIN_LISTEN"} {
		cmd := exec.CommandContext(t.Context(), modelwall(t), "serve", "--data-dir", t.TempDir())
		cmd.Env = append(cleanEnv(), "MODELWALL_LISTEN=127.0.0.1:0", key+"="+ln.Addr().String())
		out, err := cmd.CombinedOutput()
		if code := exitCode(t, err); code != 1 || !strings.Contains(string(out), "address already in use") {
			t.Errorf("%s: exit %d, want 1 and the reason:\n%s", key, code, out)
		}
	}
}

// SIGTERM lets a download under way finish and takes no new one.
func TestServeTerminate(t *testing.T) {
	curl := scantest.Tool(t, "curl")
	w := newWall(t)
	content := newSlow(t, weights.content, len(weights.content)/2)
	if _, err := w.hub.AddRepo(hubtest.Repo{ID: "acme/tiny", Files: hubtest.Files{weights.path: content}}); err != nil {
		t.Fatal(err)
	}
	// An idle connection ends when the server begins to shut down.
	idle, err := net.Dial("tcp", w.server.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if _, err := io.WriteString(idle, "GET / HTTP/1.1\r\nHost: "+w.server.addr+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(idle, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	client := w.begin(curl, "-sS", "--fail", "-o", "f", cleanURL+weights.path)
	content.wait(client)
	w.server.terminate()
	if _, err := io.Copy(io.Discard, idle); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", w.server.addr); err == nil {
		c.Close()
		t.Error("a new connection is taken during the shutdown")
	}
	content.goOn()
	w.arrived(<-client, w.path("f"), weights.content)
	w.server.wait()
	if kept := w.whole(); len(kept) != 1 || kept[0] != hexSum(weights.content) {
		t.Errorf("blobs %v", kept)
	}
}
