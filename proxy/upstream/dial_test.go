package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dns answers every question with the addresses that lookup gives, over a
// pipe: the resolver speaks DNS over TCP to it.
func dns(t *testing.T, lookup func() []string) *net.Resolver {
	t.Helper()
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			addrs := lookup()
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer there.Close()
				answer(there, addrs)
			}()
			t.Cleanup(func() { here.Close(); <-done })
			return here, nil
		},
	}
}

func answer(c net.Conn, addrs []string) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	for _, s := range addrs {
		a, head := netip.MustParseAddr(s), dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	out, err := m.AppendPack(size[:])
	if err != nil {
		return
	}
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	c.Write(out)
}

// A name can not reach what its address may not.
func TestRefusedAfterDNS(t *testing.T) {
	for _, c := range []struct {
		addrs []string
		want  string
	}{
		{[]string{"127.0.0.1"}, "it resolves to 127.0.0.1:443: the address is loopback"},
		{[]string{"10.0.0.1", "192.168.1.1"}, "private"},
		{[]string{"169.254.169.254"}, "metadata"},
		{[]string{"::1"}, "loopback"},
		{[]string{"::ffff:127.0.0.1"}, "loopback"},
		{[]string{"64:ff9b::a00:1"}, "private"},
		{[]string{"fd00:ec2::254"}, "metadata"},
	} {
		u := newTest(t, Options{Resolver: dns(t, func() []string { return c.addrs })})
		if err := u.Allowed("rebind.example:443"); err != nil {
			t.Error(err)
		}
		_, err := u.DialTunnel(t.Context(), "rebind.example:443")
		refused(t, c.addrs[0], err)
		if err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"rebind.example:443"`)) {
			t.Errorf("%q does not say %q", err, c.want)
		}
		for _, url := range []string{"https://rebind.example/", "http://rebind.example/"} {
			_, err := (&http.Client{Transport: u.Transport()}).Get(url)
			refused(t, url, err)
		}
	}
}

// An answer that was harmless when somebody looked does not count: what is
// dialled is what is checked.
func TestRebinding(t *testing.T) {
	var public atomic.Bool
	public.Store(true)
	resolver := dns(t, func() []string {
		if public.Load() {
			return []string{"1.1.1.1"}
		}
		return []string{"127.0.0.1"}
	})
	u := newTest(t, Options{Resolver: resolver})
	addrs, err := resolver.LookupHost(t.Context(), "rebind.example")
	if err != nil || addrs[0] != "1.1.1.1" {
		t.Fatal(addrs, err)
	}
	if err := u.Allowed("rebind.example:443"); err != nil {
		t.Fatal(err)
	}
	public.Store(false)
	_, err = u.DialTunnel(t.Context(), "rebind.example:443")
	refused(t, "the second answer", err)
}

func TestRedirectToMetadata(t *testing.T) {
	srv := httptest.NewServer(http.RedirectHandler("http://169.254.169.254:80/latest/meta-data/", http.StatusFound))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	u := newLoopback(t, Options{Ports: []int{80, atoi(t, port)}, Resolver: dns(t, func() []string { return []string{"127.0.0.1"} })})
	_, err := (&http.Client{Transport: u.Transport()}).Get("http://origin.example:" + port + "/")
	refused(t, "redirect", err)
}

func TestOwnAddressIsRefused(t *testing.T) {
	u := newTest(t, Options{Self: []netip.AddrPort{netip.MustParseAddrPort("9.9.9.9:443")}})
	u.local = func(a netip.Addr) bool { return a == netip.MustParseAddr("8.8.8.8") }
	for address, want := range map[string]bool{
		"8.8.8.8:443":                true, // an interface of ours
		"9.9.9.9:443":                true, // a listener of ours
		"9.9.9.9:80":                 false,
		"1.1.1.1:443":                false,
		"not an address":             true,
		"[::ffff:8.8.8.8]:443":       false, // dialled as IPv4 by then
		"[2606:4700:4700::1111]:443": false,
	} {
		err := u.checkAddress("hf.co:443", address)
		if errors.Is(err, ErrForbidden) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if !isLocal(netip.MustParseAddr("127.0.0.1")) || isLocal(netip.MustParseAddr("1.1.1.1")) {
		t.Error("the interfaces' addresses are not found")
	}
}

func TestDialTunnelDirect(t *testing.T) {
	address := listen(t, func(c net.Conn) { io.Copy(c, c) })
	_, port, _ := net.SplitHostPort(address)
	u := newLoopback(t, Options{Ports: []int{atoi(t, port)}})
	conn, err := u.DialTunnel(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echo(t, conn)
}

// echo sends through conn to an echo server and ends its own half first.
func echo(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "ping" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDialIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel() // while the name is looked up
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	u := newTest(t, Options{Resolver: resolver})
	if _, err := u.DialTunnel(ctx, "hf.co:443"); err == nil || errors.Is(err, ErrForbidden) {
		t.Errorf("error %v", err)
	}
}

func TestDialTimeout(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	u := newTest(t, Options{Resolver: resolver, DialTimeout: time.Millisecond})
	_, err := u.DialTunnel(t.Context(), "hf.co:443")
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v is no time-out", err)
	}
}
