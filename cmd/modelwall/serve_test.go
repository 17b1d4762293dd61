package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"modelwall/config"
)

// A running proxy follows its file: what is good takes effect, what is bad
// changes nothing.
func TestServeReloads(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "proxy.yaml")
	write := func(text string) {
		t.Helper()
		// As editors and Kubernetes do: another file takes the name.
		temp := path + ".new"
		text = fmt.Sprintf("listen: 127.0.0.1:0\nadmin:\n  listen: \"\"\ndata_dir: %s\n%s", dir, text)
		if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, path); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	logged, logTo := io.Pipe()
	lines := bufio.NewScanner(logged)
	await := func(message string) map[string]any {
		t.Helper()
		for lines.Scan() {
			var line map[string]any
			if json.Unmarshal(lines.Bytes(), &line) == nil && line["msg"] == message {
				return line
			}
		}
		t.Fatalf("the log ended before %q: %v", message, lines.Err())
		return nil
	}
	cfg.Log.Format = config.JSON
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- serve(ctx, cfg, logTo)
		logTo.Close()
	}()
	defer func() {
		cancel()
		go io.Copy(io.Discard, logged)
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	addr := await("listening")["proxy"].(string)
	connect := func(target string) string {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Status
	}
	write("other_hosts: deny\nlog:\n  level: debug\n")
	await("configuration reloaded")
	write("other_hosts: dney\n")
	if refused := await("configuration refused, the old one stays"); !strings.Contains(fmt.Sprint(refused["error"]), "other_hosts") {
		t.Errorf("the refusal does not name the key: %v", refused)
	}
	status := make(chan string, 2)
	go func() {
		status <- connect("other.example:443")
		status <- connect("huggingface.co:443") // and hangs up before TLS
	}()
	await("connect refused")
	await("handshake failed") // a debug line: the level changed as well
	if got := <-status; !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "other_hosts: deny") {
		t.Errorf("CONNECT = %q, want other_hosts: deny in effect", got)
	}
}
