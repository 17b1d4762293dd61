package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"modelwall/proxy"
	"modelwall/proxy/audit"
	"modelwall/proxy/hubtest"
)

// The new name of a repository counts, not only the one it is asked for by.
func TestRepositoryRulesFollowRedirects(t *testing.T) {
	rules := defaultRules
	rules.DenyRepos = []string{"evil/*"}
	s := newStack(t, stackOptions{rules: rules})
	s.add(hubtest.Repo{ID: "evil/model", Aliases: []string{"gpt2"}, Files: hubtest.Files{"m.bin": hubtest.Bytes("I1\n."), "m.txt": hubtest.Bytes("text")}})
	s.add(hubtest.Repo{ID: "good/model", Aliases: []string{"bert"}, Files: hubtest.Files{"m.bin": hubtest.Bytes("I1\n.")}})
	for _, path := range []string{"m.bin", "m.txt"} {
		s.get("https://huggingface.co/gpt2/resolve/main/"+path).refused(t, "ModelwallRepositoryDenied")
	}
	s.get("https://huggingface.co/bert/resolve/main/m.bin").wants(t, []byte("I1\n."))
}

func TestConnectInsideATunnel(t *testing.T) {
	s := newStack(t, stackOptions{})
	conn, r := s.inside()
	fmt.Fprint(conn, "CONNECT huggingface.co:443 HTTP/1.1\r\nHost: huggingface.co:443\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || len(s.hub.Requests()) > 0 {
		t.Errorf("%d, and %d requests to the Hub", resp.StatusCode, len(s.hub.Requests()))
	}
}

// Whoever is cut off at shutdown is in the records before Serve returns: what
// keeps them is closed then.
func TestShutdownRecordsWhatItCuts(t *testing.T) {
	for _, h2 := range []bool{true, false} {
		t.Run(fmt.Sprint(h2), func(t *testing.T) {
			s := newStack(t, stackOptions{shutdown: time.Millisecond})
			stopped := make(chan struct{})
			s.downloads.before = func() {
				select {
				case <-stopped:
					t.Error("Serve returned before the record was written")
				case <-time.After(50 * time.Millisecond):
				}
			}
			s.add(hubtest.Repo{ID: "acme/model", Files: hubtest.Files{"m.bin": hubtest.Bytes(file("weights", 1, large))}})
			s.hub.Fault(hubtest.Fault{Role: hubtest.RoleCDN, After: 1 << 20, Stall: make(chan struct{})})
			resp, err := s.newClient(h2).Get("https://huggingface.co/acme/model/resolve/main/m.bin")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			s.stop()
			close(stopped)
			if all := s.downloads.all(); len(all) != 1 || all[0].Status != 200 || all[0].Decision != audit.DecisionAllow || all[0].Error == "" {
				t.Errorf("records %+v", all)
			}
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Error("the cut is not visible")
			}
		})
	}
}

// anywhere allows and dials everything at one address.
type anywhere struct {
	addr string
	tls  *tls.Config // nil: no certificate is to be had
}

func (a anywhere) Normal(hostport string) (string, error) { return hostport, nil }

func (a anywhere) DialTunnel(ctx context.Context, _ string) (net.Conn, error) {
	if a.addr == "" {
		return nil, &net.OpError{Op: "dial", Err: fmt.Errorf("no route")}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", a.addr)
}

func (a anywhere) ServerConfig(string) *tls.Config {
	if a.tls == nil {
		panic("no certificate")
	}
	return a.tls
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newShell is a proxy without a Hub.
func newShell(t *testing.T, dialer anywhere, inner http.Handler) (at string, log *lines) {
	t.Helper()
	log = &lines{}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialTunnel(ctx, "") }}
	t.Cleanup(tr.CloseIdleConnections)
	server := proxy.New(proxy.Options{
		Certifier: dialer, Dialer: dialer, Transport: tr, Intercept: []string{"hf.co"}, Tunnel: func() bool { return true },
		Inner: inner, Local: http.NotFoundHandler(), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), log
}

// A connection that was upgraded is closed when the other side has closed.
func TestUpgradedConnectionEnds(t *testing.T) {
	origin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer origin.Close()
	go func() {
		c, err := origin.Accept()
		if err != nil {
			return
		}
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		c.Close()
	}()
	at, _ := newShell(t, anywhere{addr: origin.Addr().String()}, nil)
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET http://ws.example/ HTTP/1.1\r\nHost: ws.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(5 * time.Second)) // only a broken proxy gets there
	all, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 101 ") || !strings.HasSuffix(string(all), "hello") {
		t.Errorf("%q, %v; want what the server sent and the end", all, err)
	}
}

func TestUnreachable(t *testing.T) {
	at, _ := newShell(t, anywhere{}, nil)
	for _, request := range []string{
		"CONNECT pypi.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://pypi.example/ HTTP/1.1\r\nHost: pypi.example\r\n\r\n",
	} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, request)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		c.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%.20s: %s, want 502", request, resp.Status)
		}
	}
}

// A panic ends one connection and is in the log.
func TestPanicInAConnection(t *testing.T) {
	site := httptest.NewTLSServer(nil)
	defer site.Close()
	for want, o := range map[string]anywhere{"no certificate": {}, "no handler": {tls: site.TLS}} {
		at, log := newShell(t, o, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no handler") }))
		raw, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		io.WriteString(raw, "CONNECT hf.co:443 HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(raw), &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != 200 {
			t.Fatal(err)
		}
		c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: hf.co\r\n\r\n")
		if b, err := io.ReadAll(c); len(b) > 0 || want == "no handler" && err != nil {
			t.Errorf("%s: %q, %v; want the end of the connection", want, b, err)
		}
		// The client's connection is closed before the log has its line.
		logged := func() bool { got := log.String(); return strings.Contains(got, want) && strings.Contains(got, "ERROR") }
		for wait := time.Now().Add(10 * time.Second); !logged() && time.Now().Before(wait); {
			time.Sleep(time.Millisecond)
		}
		if !logged() {
			t.Errorf("log: %s", log)
		}
	}
}
