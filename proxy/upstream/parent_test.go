package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTunnelThroughParent(t *testing.T) {
	backend := listen(t, func(c net.Conn) { io.Copy(c, c) })
	for _, c := range []struct {
		name, auth string
		user       *url.Userinfo
		status     int // of the refusal
	}{
		{"without auth", "", nil, 0},
		{"with auth", "Basic dTpw4oKsOnc=", url.UserPassword("u", "p\u20ac:w"), 0},
		{"auth missing", "Basic dTpw", nil, 407},
		{"auth wrong", "Basic dTpw", url.UserPassword("u", "other"), 407},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := &testProxy{backend: backend, auth: c.auth}
			parent := httpURL(listen(t, proxy.serve))
			parent.User = c.user
			u := newTest(t, Options{Proxy: parent})
			conn, err := u.DialTunnel(t.Context(), "HF.co.:443")
			req := proxy.requests()[0]
			if req.Method != http.MethodConnect || req.RequestURI != "hf.co:443" || req.Host != "hf.co:443" {
				t.Errorf("the parent was asked %s %s, Host %s", req.Method, req.RequestURI, req.Host)
			}
			if c.status != 0 {
				var refusal *ParentError
				if !errors.Is(err, ErrParent) || !errors.As(err, &refusal) || refusal.Status != c.status {
					t.Fatalf("error %v", err)
				}
				if msg := err.Error(); strings.Contains(msg, "other") || !strings.Contains(msg, "upstream.proxy") {
					t.Errorf("message %q", msg)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, ok := conn.(*net.TCPConn); !ok {
				t.Errorf("the tunnel is a %T, which can not be spliced", conn)
			}
			echo(t, conn)
		})
	}
}

// Nothing that is forbidden is asked of the parent.
func TestParentIsNotAskedForForbidden(t *testing.T) {
	proxy := &testProxy{}
	u := newTest(t, Options{Proxy: httpURL(listen(t, proxy.serve))})
	for _, target := range []string{"127.0.0.1:443", "localhost:443", "x.internal:443", "0x7f.1:443", "hf.co:22", "[::ffff:10.0.0.1]:80"} {
		_, err := u.DialTunnel(t.Context(), target)
		refused(t, target, err)
	}
	if n := len(proxy.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// script reads the CONNECT and then does as it is told.
func script(t *testing.T, act func(net.Conn)) string {
	return listen(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			act(c)
		}
	})
}

func TestParentAnswers(t *testing.T) {
	wait := func(c net.Conn) { io.Copy(io.Discard, c) }
	say := func(s string) func(net.Conn) {
		return func(c net.Conn) { io.WriteString(c, s) }
	}
	pad := func(n int) string { return strings.Repeat("X-Pad: "+strings.Repeat("x", 91)+"\r\n", n/100) }
	for _, c := range []struct {
		name string
		act  func(net.Conn)
		want string // in the error; "" is a tunnel
		body string // what the tunnel then gives
	}{
		{"early bytes", say("HTTP/1.1 200 OK\r\n\r\nSSH-2.0 hello"), "", "SSH-2.0 hello"},
		{"early bytes despite Content-Length", say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello"), "", "hello"},
		{"early bytes despite chunked", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello"), "", "hello"},
		{"interim answers", say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No\r\n\r\nhi"), "", "hi"},
		{"HTTP/1.0", say("HTTP/1.0 200 OK\r\n\r\n"), "", ""},
		{"large early bytes", say("HTTP/1.1 200 OK\r\n" + pad(60000) + "\r\n" + strings.Repeat("y", 100000)), "", strings.Repeat("y", 100000)},
		{"too many interim answers", say(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9)), "interim", ""},
		{"switching protocols", say("HTTP/1.1 101 Switching\r\n\r\n"), `"101 Switching"`, ""},
		{"forbidden", say("HTTP/1.1 403 \x1b[31mNo\r\nContent-Length: 0\r\n\r\n"), `"403 \x1b[31mNo"`, ""},
		{"bad gateway", say("HTTP/1.1 502 Bad\r\n\r\nbody"), `"502 Bad"`, ""},
		{"redirect", say("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n"), `"302 Found"`, ""},
		{"oversized header", say("HTTP/1.1 200 OK\r\n" + pad(100000) + "\r\n"), "more than 65536 bytes", ""},
		{"endless line", say("HTTP/1.1 200 " + strings.Repeat("x", 100000)), "more than 65536 bytes", ""},
		{"not HTTP", say("220 smtp.example ESMTP\r\n\r\n"), "malformed HTTP", ""},
		{"closed", func(net.Conn) {}, "closed the connection", ""},
		{"closed in the header", say("HTTP/1.1 200 OK\r\nA: b"), "closed the connection", ""},
		{"stalled", wait, "timeout", ""},
		{"stalled in the header", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\n"); wait(c) }, "timeout", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Proxy: httpURL(script(t, c.act))}
			if c.want == "timeout" {
				o.HeaderTimeout = 20 * time.Millisecond
			}
			conn, err := newTest(t, o).DialTunnel(t.Context(), "hf.co:443")
			if c.want != "" {
				if err == nil {
					conn.Close()
					t.Fatal("no error")
				}
				if !errors.Is(err, ErrParent) || errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				var timeout net.Error
				if got := errors.As(err, &timeout) && timeout.Timeout(); got != (c.want == "timeout") {
					t.Errorf("%v: time-out: %v", err, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got, err := io.ReadAll(conn)
			if d := cmp.Diff(c.body, string(got)); d != "" || err != nil {
				t.Errorf("%v, %v", err, d)
			}
		})
	}
}

// The header time-out ends with the header.
func TestTunnelHasNoDeadline(t *testing.T) {
	late := make(chan struct{})
	u := newTest(t, Options{
		HeaderTimeout: time.Minute,
		Proxy: httpURL(script(t, func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nearly")
			<-late
			io.WriteString(c, " and late")
		})),
	})
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := u.DialTunnel(ctx, "hf.co:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel() // bounds the dialling only
	close(late)
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "early and late" {
		t.Errorf("%q, %v", got, err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func TestTunnelIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	u := newTest(t, Options{Proxy: httpURL(script(t, func(c net.Conn) {
		cancel() // CONNECT has come
		io.Copy(io.Discard, c)
	}))})
	_, err := u.DialTunnel(ctx, "hf.co:443")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestParentIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	u := newTest(t, Options{Proxy: &url.URL{Scheme: "http", Host: address, User: url.UserPassword("u", "secret")}})
	_, err = u.DialTunnel(t.Context(), "hf.co:443")
	if !errors.Is(err, ErrParent) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	for _, target := range []string{"https://hf.co/", "http://hf.co/"} {
		_, err := (&http.Client{Transport: u.Transport()}).Get(target)
		if !errors.Is(err, ErrParent) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", target, err)
		}
	}
}

// HTTPS_PROXY in our own environment, copied to upstream.proxy, is a loop.
func TestParentIsNotOurselves(t *testing.T) {
	proxy := &testProxy{}
	address := netip.MustParseAddrPort(listen(t, proxy.serve))
	for _, self := range []netip.AddrPort{
		address,
		netip.AddrPortFrom(netip.IPv4Unspecified(), address.Port()),
		netip.AddrPortFrom(netip.IPv6Unspecified(), address.Port()),
	} {
		u := newTest(t, Options{Proxy: httpURL(address.String()), Self: []netip.AddrPort{self}})
		_, err := u.DialTunnel(t.Context(), "hf.co:443")
		refused(t, self.String(), err)
	}
	u := newTest(t, Options{Proxy: httpURL(address.String()), Self: []netip.AddrPort{netip.AddrPortFrom(address.Addr(), 1)}})
	if _, err := u.DialTunnel(t.Context(), "hf.co:443"); errors.Is(err, ErrForbidden) {
		t.Error(err)
	}
	if n := len(proxy.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A parent that is spoken to over TLS, and would like to speak HTTP/2.
func TestSecureParent(t *testing.T) {
	origin := originServer(t, nil)
	proxy := &testProxy{backend: origin.Listener.Addr().String(), auth: "Basic dTpw"}
	cert := origin.TLS.Certificates[0]
	address := listen(t, func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12})
		proxy.serve(s)
	})
	parent := &url.URL{Scheme: "https", Host: address, User: url.UserPassword("u", "p")}
	u := newTest(t, Options{Proxy: parent, CAFile: caFile(t, origin)})
	for target, want := range map[string]string{
		"https://example.com/": "HTTP/2.0",
		"http://example.com/":  "plain",
	} {
		if got, err := get(t.Context(), u, target); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", target, got, err, want)
		}
	}
	conn, err := u.DialTunnel(t.Context(), "example.com:443")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()

	stranger := newTest(t, Options{Proxy: parent}) // does not know the parent's CA
	var unknown *tls.CertificateVerificationError
	if _, err := stranger.DialTunnel(t.Context(), "example.com:443"); !errors.As(err, &unknown) || !errors.Is(err, ErrParent) {
		t.Errorf("error %v", err)
	}
}

func TestSecureParentStalls(t *testing.T) {
	address := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	u := newTest(t, Options{Proxy: &url.URL{Scheme: "https", Host: address}, TLSTimeout: 20 * time.Millisecond})
	_, err := u.DialTunnel(t.Context(), "example.com:443")
	var timeout net.Error
	if !errors.Is(err, ErrParent) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v", err)
	}
}

func TestParentPort(t *testing.T) {
	for in, want := range map[string]string{
		"http://p.example":           "p.example:80",
		"http://p.example/":          "p.example:80",
		"https://p.example":          "p.example:443",
		"http://u:p@p.example:3128/": "p.example:3128",
		"http://[fd00::1]:3128":      "[fd00::1]:3128",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newParent(u)
		if err != nil || p.address != want {
			t.Errorf("%s: %v, %v", in, p, err)
		}
	}
}

func TestTimeoutsOfParentErrors(t *testing.T) {
	if !(&ParentError{Err: os.ErrDeadlineExceeded}).Timeout() || (&ParentError{Err: io.EOF}).Timeout() {
		t.Error("Timeout does not follow the cause")
	}
}
