package mitm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"
)

// serve answers as host over TLS on loopback and returns the port's address.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s resumed=%v", r.Proto, r.TLS.DidResume)
		}),
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(tls.NewListener(l, config)) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// client trusts the CA alone and finds every host at addr.
func client(t *testing.T, ca *CA, addr string, h2 bool, config *tls.Config) *http.Client {
	t.Helper()
	config.RootCAs = x509.NewCertPool()
	config.RootCAs.AddCert(ca.Certificate())
	tr := &http.Transport{
		TLSClientConfig:   config,
		ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestHandshake(t *testing.T) {
	ca := openTest(t)
	addr := serve(t, ca.ServerConfig("huggingface.co"))
	for proto, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) {
			got, err := get(client(t, ca, addr, h2, &tls.Config{}), "https://huggingface.co/")
			if err != nil {
				t.Fatal(err)
			}
			if want := proto + " resumed=false"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// The name in the ClientHello does not choose the certificate.
func TestServerNameIsIgnored(t *testing.T) {
	ca := openTest(t)
	addr := serve(t, ca.ServerConfig("huggingface.co"))
	for _, sni := range []string{"cdn-lfs.hf.co", "evil.com"} {
		_, err := get(client(t, ca, addr, false, &tls.Config{}), "https://"+sni+"/")
		var wrong x509.HostnameError
		if !errors.As(err, &wrong) || wrong.Certificate.DNSNames[0] != "huggingface.co" {
			t.Errorf("%s: %v", sni, err)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	ca := openTest(t)
	addr := serve(t, ca.ServerConfig("huggingface.co"))
	_, err := get(client(t, ca, addr, false, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), "https://huggingface.co/")
	if err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	got, err := get(client(t, ca, addr, true, &tls.Config{MaxVersion: tls.VersionTLS12}), "https://huggingface.co/")
	if err != nil || got != "HTTP/2.0 resumed=false" {
		t.Errorf("TLS 1.2: %q, %v", got, err)
	}
}

func TestHandshakeFailsForOtherHost(t *testing.T) {
	ca := openTest(t)
	addr := serve(t, ca.ServerConfig("evil.com"))
	if _, err := get(client(t, ca, addr, false, &tls.Config{}), "https://evil.com/"); err == nil {
		t.Error("evil.com was served")
	}
}

// A client that comes back resumes, as each ServerConfig of a host is the same.
func TestSessionResumes(t *testing.T) {
	ca := openTest(t)
	addr := serve(t, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return ca.ServerConfig("HF.co."), nil
		},
	})
	c := client(t, ca, addr, false, &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(4)})
	for i, want := range []string{"HTTP/1.1 resumed=false", "HTTP/1.1 resumed=true"} {
		got, err := get(c, "https://hf.co/")
		if err != nil || got != want {
			t.Errorf("connection %d: %q, %v; want %q", i, got, err, want)
		}
		c.CloseIdleConnections()
	}
}
