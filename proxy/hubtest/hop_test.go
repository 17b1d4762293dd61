package hubtest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"modelwall/proxy/hubtest"
)

func TestHop(t *testing.T) {
	h := startHub(t, hubtest.Options{ProxyAuth: "user:secret", Others: []string{"Example.com"}})
	tiny(t, h)
	if a := get(t, client(t, h, true), "https://huggingface.co/api/models/acme/tiny"); a.StatusCode != http.StatusOK {
		t.Errorf("status %d", a.StatusCode)
	}
	for _, address := range []string{"https://pypi.org/", "https://huggingface.co:8443/", "https://127.0.0.1/"} {
		if a, err := try(t, client(t, h, true), "GET", address, nil, ""); err == nil {
			t.Errorf("%s: status %d", address, a.StatusCode)
		}
	}
	if a := get(t, client(t, h, true), "http://huggingface.co/x?y=1"); a.StatusCode != http.StatusMovedPermanently || a.Header.Get("Location") != "https://huggingface.co/x?y=1" {
		t.Errorf("plain HTTP: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	// Without the password, and to another host inside a tunnel.
	c := client(t, h, true)
	u, err := url.Parse(h.ProxyURL())
	if err != nil || u.User.String() != "user:secret" {
		t.Fatalf("proxy %v, %v", u, err)
	}
	u.User = nil
	c.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
	if a, err := try(t, c, "GET", "https://huggingface.co/", nil, ""); err == nil {
		t.Errorf("without password: %d", a.StatusCode)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://huggingface.co/api/models/acme/tiny", nil)
	r.Host = "us.aws.cdn.hf.co"
	resp, err := client(t, h, true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("other Host in a tunnel: %d", resp.StatusCode)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	repo := addRepo(t, h, hubtest.Repo{ID: "acme/m", Files: hubtest.Files{"m.bin": hubtest.Bytes(make([]byte, 1<<20))}})
	h.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: 1000, Stall: make(chan struct{})})
	silent, err := net.Dial("tcp", strings.TrimPrefix(h.ProxyURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var bodies []io.ReadCloser
	for _, h1 := range []bool{true, false} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, repo.SignedURL("main", "m.bin"), nil)
		resp, err := client(t, h, h1).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	ca := h.CAFile()
	if data, err := os.ReadFile(ca); err != nil || !bytes.Equal(data, h.CAPEM()) {
		t.Errorf("CA file: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	for _, b := range bodies {
		if n, err := io.Copy(io.Discard, b); err == nil || n > 1000 {
			t.Errorf("stalled body gave %d bytes, %v", n, err)
		}
		b.Close()
	}
	if _, err := os.Stat(ca); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("CA file after Close: %v", err)
	}
	if err := h.WaitIdle(context.Background()); err != nil {
		t.Error(err)
	}
}

// eagerConn sends its CONNECT in one packet with the first bytes of TLS, as a
// client does that does not wait for the answer.
type eagerConn struct {
	net.Conn
	connect  string
	answered bool
}

func (c *eagerConn) Write(p []byte) (int, error) {
	n := len(c.connect)
	written, err := c.Conn.Write(append([]byte(c.connect), p...))
	c.connect = ""
	return max(0, written-n), err
}

func (c *eagerConn) Read(p []byte) (int, error) {
	if !c.answered {
		c.answered = true
		const answer = "HTTP/1.1 200 Connection established\r\n\r\n"
		if _, err := io.ReadFull(c.Conn, make([]byte, len(answer))); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func TestHopKeepsEarlyBytes(t *testing.T) {
	h := startHub(t, hubtest.Options{})
	raw, err := net.Dial("tcp", strings.TrimPrefix(h.ProxyURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.CAPEM())
	c := tls.Client(&eagerConn{Conn: raw, connect: "CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n"},
		&tls.Config{ServerName: "huggingface.co", RootCAs: roots, MinVersion: tls.VersionTLS12})
	defer c.Close()
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Another name than that of the CONNECT is no way to another host.
	raw, err = net.Dial("tcp", strings.TrimPrefix(h.ProxyURL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c = tls.Client(&eagerConn{Conn: raw, connect: "CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n"},
		&tls.Config{ServerName: "nobody.example", RootCAs: roots, MinVersion: tls.VersionTLS12})
	defer c.Close()
	if err := c.HandshakeContext(t.Context()); err == nil {
		t.Error("handshake for an unknown name worked")
	}
}
