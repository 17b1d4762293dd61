package upstream

import (
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// caFile writes a test server's certificate as an extra root.
func caFile(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roots.pem")
	data := append([]byte("# a comment\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})...)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	proxy := func(s string) Options {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return Options{Proxy: u}
	}
	for _, c := range []struct {
		name, want string
		o          Options
	}{
		{"port 0", "port 0", Options{Ports: []int{0}}},
		{"port 65536", "port 65536", Options{Ports: []int{443, 65536}}},
		{"time-out", "negative", Options{HeaderTimeout: -time.Second}},
		{"SOCKS", `scheme "socks5" is not supported`, proxy("socks5://u:secret@p.example:1080")},
		{"no scheme", "scheme", proxy("p.example:3128")},
		{"no host", "no host", proxy("http://:3128")},
		{"path", "after the host", proxy("http://u:secret@p.example/x")},
		{"query", "after the host", proxy("http://u:secret@p.example?x")},
		{"missing roots", "none.pem", Options{CAFile: dir + "/none.pem"}},
		{"no root", "no PEM certificate", Options{CAFile: file("empty.pem", "hello")}},
		{"bad root", "certificate 1", Options{CAFile: file("bad.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")}},
		{"huge roots", "more than", Options{CAFile: file("huge.pem", strings.Repeat("\n", maxCAFile+1))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
