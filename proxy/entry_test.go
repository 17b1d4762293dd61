package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"modelwall/proxy/hubtest"
)

// dial opens a raw connection to the proxy and writes text.
func (s *stack) dial(text string) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func TestConnectRefused(t *testing.T) {
	s := newStack(t, stackOptions{deny: true})
	for _, c := range []struct {
		target string
		status int
	}{
		{"huggingface.co", 400},
		{"huggingface.co:", 400},
		{"huggingface.co:0", 400},
		{"huggingface.co:99999", 400},
		{":443", 400},
		{"huggingface.co:25", 403},
		{"127.0.0.1:443", 403},
		{"[::1]:443", 403},
		{"localhost:443", 403},
		{"169.254.169.254:80", 403},
		{"10.0.0.1:443", 403},
		{"2130706433:443", 403},
		{"0x7f.1:443", 403},
		{"example.com:443", 403},                 // other_hosts: deny
		{"huggingface.co.evil.example:443", 403}, // only looks like the Hub
		{"nothuggingface.co:443", 403},
	} {
		_, r := s.dial("CONNECT " + c.target + " HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("CONNECT %s: %v", c.target, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("CONNECT %s = %s, want %d", c.target, resp.Status, c.status)
		}
		if c.status == 403 && !strings.Contains(resp.Status, "Modelwall") {
			t.Errorf("CONNECT %s: the status line %q does not say who refuses", c.target, resp.Status)
		}
	}
}

// A client may send its ClientHello without waiting for the answer to CONNECT.
func TestEarlyClientHello(t *testing.T) {
	s := newStack(t, stackOptions{})
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"c.json": hubtest.Bytes("{}")}})
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Certificate())
	c := tls.Client(&eager{Conn: raw, prefix: []byte("CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n")},
		&tls.Config{ServerName: "huggingface.co", RootCAs: roots})
	if _, err := io.WriteString(c, "GET /acme/model/resolve/main/c.json HTTP/1.1\r\nHost: huggingface.co\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "{}" {
		t.Errorf("%q, %v", body, err)
	}
}

// eager sends prefix in one packet with the first write, and takes the answer
// to CONNECT out of what is read.
type eager struct {
	net.Conn
	prefix []byte
	read   bool
}

func (e *eager) Write(p []byte) (int, error) {
	_, err := e.Conn.Write(append(e.prefix, p...))
	e.prefix = nil
	return len(p), err
}

func (e *eager) Read(p []byte) (int, error) {
	if !e.read {
		e.read = true
		var head []byte
		for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
			if _, err := e.Conn.Read(one); err != nil {
				return 0, err
			}
			head = append(head, one...)
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			return 0, fmt.Errorf("CONNECT: %q", head)
		}
	}
	return e.Conn.Read(p)
}

// inside opens an intercepted tunnel to huggingface.co over HTTP/1.1.
func (s *stack) inside() (*tls.Conn, *bufio.Reader) {
	s.t.Helper()
	raw, r := s.dial("CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n")
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != 200 {
		s.t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Certificate())
	c := tls.Client(raw, &tls.Config{ServerName: "huggingface.co", RootCAs: roots})
	return c, bufio.NewReader(c)
}

func TestHostIsPinned(t *testing.T) {
	s := newStack(t, stackOptions{})
	s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"c.json": hubtest.Bytes("{}")}})
	const path = "/acme/model/resolve/main/c.json"
	for _, c := range []struct {
		line, host string
		status     int
	}{
		{path, "huggingface.co", 200},
		{path, "HuggingFace.co:443", 200},
		{path, "cdn-lfs.huggingface.co", 421},
		{path, "huggingface.co:8443", 421},
		{path, "evil.example", 421},
		{"https://huggingface.co" + path, "huggingface.co", 200},
		{"https://evil.example" + path, "huggingface.co", 421},
		{"http://127.0.0.1:1" + path, "huggingface.co", 421},
	} {
		conn, r := s.inside()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.line, c.host)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("%s with Host %s: %v", c.line, c.host, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s with Host %s = %d, want %d", c.line, c.host, resp.StatusCode, c.status)
		}
	}
	for _, r := range s.hub.Requests() {
		if r.Host != "huggingface.co" {
			t.Errorf("a request went to %s", r.Host)
		}
	}
}

func TestOversizedHeader(t *testing.T) {
	s := newStack(t, stackOptions{})
	huge := "X: " + strings.Repeat("x", 1<<20) + "\r\n"
	for name, open := range map[string]func() (io.Writer, *bufio.Reader){
		"CONNECT": func() (io.Writer, *bufio.Reader) {
			return s.dial("CONNECT huggingface.co:443 HTTP/1.1\r\n")
		},
		"inside": func() (io.Writer, *bufio.Reader) {
			c, r := s.inside()
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: huggingface.co\r\n")
			return c, r
		},
	} {
		w, r := open()
		go io.WriteString(w, huge+"\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d, want 431", name, resp.StatusCode)
		}
	}
}

// A client that connects and says nothing is let go.
func TestSilentConnect(t *testing.T) {
	s := newStack(t, stackOptions{handshake: 10 * time.Millisecond})
	_, r := s.dial("CONNECT huggingface.co:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("%v, want the connection closed", err)
	}
}

func TestPlainHTTP(t *testing.T) {
	s := newStack(t, stackOptions{deny: true})
	for url, status := range map[string]int{
		"http://huggingface.co/acme/model/resolve/main/x?a=b": 308,
		"http://127.0.0.1/":      403,
		"http://example.com/":    403,
		"http://localhost:8081/": 403,
	} {
		r := s.get(url, "Authorization", "Bearer "+alice)
		if r.StatusCode != status {
			t.Errorf("GET %s = %d %s, want %d", url, r.StatusCode, r.body, status)
		}
		if status == 308 && r.Header.Get("Location") != "https://huggingface.co/acme/model/resolve/main/x?a=b" {
			t.Errorf("Location = %q", r.Header.Get("Location"))
		}
	}
	if n := len(s.hub.Requests()); n > 0 {
		t.Errorf("%d requests left", n)
	}
	// Plain HTTP inside a tunnel is redirected as well.
	conn, r := s.dial("CONNECT huggingface.co:80 HTTP/1.1\r\nHost: huggingface.co:80\r\n\r\n")
	if resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	io.WriteString(conn, "GET /x HTTP/1.1\r\nHost: huggingface.co\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 308 || resp.Header.Get("Location") != "https://huggingface.co/x" {
		t.Errorf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestTunnel(t *testing.T) {
	s := newStack(t, stackOptions{hub: hubtest.Options{Others: []string{"pypi.example"}}})
	tr := s.client.Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs.AppendCertsFromPEM(s.hub.CAPEM())
	defer tr.CloseIdleConnections()
	r := s.do(&http.Client{Transport: tr}, http.MethodGet, "https://pypi.example/simple/")
	if r.err != nil || !strings.Contains(string(r.body), "pypi.example") {
		t.Errorf("%q, %v", r.body, r.err)
	}
	// The certificate is the server's own: nothing was intercepted.
	if issuer := r.TLS.PeerCertificates[0].Issuer.CommonName; issuer == s.ca.Certificate().Subject.CommonName {
		t.Error("a host outside the list was intercepted")
	}
}

func TestLocalRequest(t *testing.T) {
	s := newStack(t, stackOptions{})
	resp, err := http.Get("http://" + s.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d, want the local handler's answer", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}
