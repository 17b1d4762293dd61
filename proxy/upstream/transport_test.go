package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// originServer is example.com over TLS. The default handler tells the protocol.
func originServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	if handler == nil {
		handler = func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }
	}
	srv := httptest.NewUnstartedServer(handler)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

func get(ctx context.Context, u *Upstream, target string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Transport: u.Transport()}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestTransportThroughParent(t *testing.T) {
	origin := originServer(t, nil)
	proxy := &testProxy{backend: origin.Listener.Addr().String(), auth: "Basic dTpw"}
	parent := httpURL(listen(t, proxy.serve))
	parent.User = url.UserPassword("u", "p")
	u := newTest(t, Options{Proxy: parent, CAFile: caFile(t, origin)})
	for range 3 {
		if got, err := get(t.Context(), u, "https://example.com/x"); err != nil || got != "HTTP/2.0" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	var lines []string
	for _, r := range proxy.requests() {
		lines = append(lines, r.Method+" "+r.RequestURI)
	}
	if d := cmp.Diff([]string{"CONNECT example.com:443"}, lines); d != "" {
		t.Errorf("one connection should have served all (-want +got):\n%s", d)
	}

	for range 2 {
		if got, err := get(t.Context(), u, "http://example.com/y?z"); err != nil || got != "plain" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if r := proxy.requests()[1]; r.Method != http.MethodGet || r.RequestURI != "http://example.com/y?z" || r.Header.Get("Accept-Encoding") != "" {
		t.Errorf("%s %s, %v", r.Method, r.RequestURI, r.Header)
	}

	stranger := newTest(t, Options{Proxy: parent}) // does not know the origin's CA
	var unknown *tls.CertificateVerificationError
	if _, err := get(t.Context(), stranger, "https://example.com/"); !errors.As(err, &unknown) || errors.Is(err, ErrParent) {
		t.Errorf("error %v", err)
	}
}

func TestCredentialsGoToTheParentAlone(t *testing.T) {
	headers := make(chan http.Header, 1)
	origin := originServer(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header })
	proxy := &testProxy{backend: origin.Listener.Addr().String(), auth: "Basic dTpw"}
	parent := httpURL(listen(t, proxy.serve))
	parent.User = url.UserPassword("u", "p")
	u := newTest(t, Options{Proxy: parent, CAFile: caFile(t, origin)})
	if _, err := get(t.Context(), u, "https://example.com/"); err != nil {
		t.Fatal(err)
	}
	if h := <-headers; h.Get("Proxy-Authorization") != "" || h.Get("Authorization") != "" {
		t.Errorf("the origin saw %v", h)
	}
}

func TestTransportErrors(t *testing.T) {
	t.Run("407", func(t *testing.T) {
		u := newTest(t, Options{Proxy: httpURL(listen(t, (&testProxy{auth: "Basic x"}).serve))})
		_, err := get(t.Context(), u, "https://example.com/")
		var refusal *ParentError
		if !errors.As(err, &refusal) || refusal.Status != 407 || refusal.Target != "example.com:443" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("502", func(t *testing.T) {
		u := newTest(t, Options{Proxy: httpURL(listen(t, (&testProxy{}).serve))})
		_, err := get(t.Context(), u, "https://example.com/")
		var refusal *ParentError
		if !errors.As(err, &refusal) || refusal.Status != 502 || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("origin never answers", func(t *testing.T) {
		stop := make(chan struct{})
		origin := originServer(t, func(http.ResponseWriter, *http.Request) { <-stop })
		defer close(stop)
		proxy := &testProxy{backend: origin.Listener.Addr().String()}
		u := newTest(t, Options{Proxy: httpURL(listen(t, proxy.serve)), CAFile: caFile(t, origin), HeaderTimeout: 500 * time.Millisecond})
		_, err := get(t.Context(), u, "https://example.com/")
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, ErrParent) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the caller leaves", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		origin := originServer(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
			close(gone)
		})
		proxy := &testProxy{backend: origin.Listener.Addr().String()}
		u := newTest(t, Options{Proxy: httpURL(listen(t, proxy.serve)), CAFile: caFile(t, origin)})
		if _, err := get(ctx, u, "https://example.com/"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		<-gone // the origin is told
	})
}

func TestDirectTransport(t *testing.T) {
	origin := originServer(t, nil)
	_, port, _ := net.SplitHostPort(origin.Listener.Addr().String())
	u := newLoopback(t, Options{
		Ports:    []int{atoi(t, port)},
		CAFile:   caFile(t, origin),
		Resolver: dns(t, func() []string { return []string{"127.0.0.1"} }),
	})
	if got, err := get(t.Context(), u, "https://example.com:"+port+"/"); err != nil || got != "HTTP/2.0" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTransportIgnoresTheEnvironment(t *testing.T) {
	dead := listen(t, (&testProxy{}).serve)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://"+dead)
	}
	u := newTest(t, Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://huggingface.co/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := u.Transport().Proxy(req); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTransportChecksEachRequest(t *testing.T) {
	u := newTest(t, Options{Proxy: httpURL(listen(t, (&testProxy{}).serve))})
	client := &http.Client{Transport: u.Transport()}
	for _, target := range []string{
		"https://localhost/",
		"http://localhost/",
		"http://169.254.169.254/latest/meta-data/",
		"http://metadata.google.internal/",
		"https://huggingface.co:22/",
		"https://[::1]/",
		"http://2130706433/",
		"http://\uff11\uff12\uff17.0.0.1/",
		"http://127.0.0.1\u3002/",
		"http://" + parentAddress + "/",
	} {
		resp, err := client.Get(target)
		if err == nil {
			resp.Body.Close()
		}
		refused(t, target, err)
	}
}
