package upstream

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	r := newRules()
	for _, c := range []struct{ addr, want string }{ // want: in the reason; "" is public
		{"1.1.1.1", ""},
		{"9.255.255.255", ""},
		{"11.0.0.0", ""},
		{"100.63.255.255", ""},
		{"100.128.0.0", ""},
		{"126.255.255.255", ""},
		{"128.0.0.0", ""},
		{"169.253.255.255", ""},
		{"169.255.0.0", ""},
		{"172.15.255.255", ""},
		{"172.32.0.0", ""},
		{"192.167.255.255", ""},
		{"192.169.0.0", ""},
		{"223.255.255.255", ""},
		{"168.63.129.15", ""},
		{"0.0.0.0", "this network"},
		{"0.1.2.3", "this network"},
		{"10.0.0.0", "RFC 1918"},
		{"10.255.255.255", "RFC 1918"},
		{"100.64.0.0", "carrier-grade"},
		{"100.100.100.200", "carrier-grade"},
		{"100.127.255.255", "carrier-grade"},
		{"127.0.0.1", "loopback"},
		{"127.255.255.255", "loopback"},
		{"168.63.129.16", "metadata"},
		{"169.254.169.254", "metadata"},
		{"169.254.0.1", "link-local"},
		{"172.16.0.0", "RFC 1918"},
		{"172.31.255.255", "RFC 1918"},
		{"192.0.0.192", "protocol assignments"},
		{"192.0.2.1", "documentation"},
		{"192.88.99.1", "6to4 relay"},
		{"192.168.255.255", "RFC 1918"},
		{"198.18.0.0", "benchmarking"},
		{"198.19.255.255", "benchmarking"},
		{"198.51.100.1", "documentation"},
		{"203.0.113.1", "documentation"},
		{"224.0.0.1", "multicast"},
		{"239.255.255.255", "multicast"},
		{"240.0.0.1", "reserved"},
		{"255.255.255.255", "broadcast"},
		{"2606:4700:4700::1111", ""},
		{"2001:200::1", ""},
		{"3ffe::1", ""},
		{"::", "unspecified"},
		{"::1", "loopback"},
		{"::2", "not public"},
		{"::127.0.0.1", "not public"},
		{"100::1", "discard"},
		{"2001::1", "Teredo"},
		{"2001:1ff::1", "protocol assignments"},
		{"2001:db8::1", "documentation"},
		{"3fff::1", "documentation"},
		{"3fff:fff:ffff::1", "documentation"},
		{"4000::1", "not public"},
		{"5f00::1", "not public"},
		{"fc00::1", "unique local"},
		{"fdff::1", "unique local"},
		{"fd00:ec2::254", "metadata"},
		{"fe80::1", "link-local"},
		{"fe80::1%eth0", "zone"},
		{"2606:4700::1%eth0", "zone"},
		{"fec0::1", "site-local"},
		{"ff02::1", "multicast"},
		{"::ffff:1.1.1.1", ""},
		{"::ffff:127.0.0.1", "IPv4-mapped address, the address is loopback"},
		{"::ffff:a9fe:a9fe", "metadata"},
		{"64:ff9b::1.1.1.1", ""},
		{"64:ff9b::10.0.0.1", "NAT64 address, the address is private"},
		{"64:ff9b::a9fe:a9fe", "metadata"},
		{"64:ff9b:1::1.1.1.1", "local-use NAT64"},
		{"64:ff9b::1:1.1.1.1", "not public"},
		{"2002:101:101::1", ""},
		{"2002:7f00:1::1", "6to4 address, the address is loopback"},
		{"2002:c0a8:101::", "6to4 address, the address is private"},
	} {
		got := r.fault(netip.MustParseAddr(c.addr))
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.addr, got, c.want)
		}
	}
	if r.fault(netip.Addr{}) == "" {
		t.Error("the zero address is public")
	}
}

// What the standard library calls special must not be public to us either.
func FuzzAddresses(f *testing.F) {
	r := newRules()
	for _, s := range []string{"::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::", "fe80::1", "8.8.8.8"} {
		a := netip.MustParseAddr(s)
		f.Add(a.AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok || r.fault(a) != "" {
			return
		}
		a = a.Unmap()
		if !a.IsGlobalUnicast() || a.IsPrivate() {
			t.Errorf("%s is public", a)
		}
		if a.Is4() { // and then each embedding is
			v4 := a.As4()
			nat64 := netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: v4[0], 13: v4[1], 14: v4[2], 15: v4[3]})
			if fault := r.fault(nat64); fault != "" {
				t.Errorf("%s: %s", nat64, fault)
			}
		}
	})
}

func TestAllowed(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	name253 := strings.Join([]string{label63, label63, label63, strings.Repeat("b", 59), "c"}, ".")
	u := newTest(t, Options{})
	left, leave := context.WithCancel(t.Context()) // so that a case that wrongly passes sends nothing
	leave()
	for _, c := range []struct{ in, want string }{ // want: the normal form; "" is refused
		{"huggingface.co:443", "huggingface.co:443"},
		{"HuggingFace.CO.:80", "huggingface.co:80"},
		{"cdn-lfs-us-1.hf.co:443", "cdn-lfs-us-1.hf.co:443"},
		{"a_b.hf.space:443", "a_b.hf.space:443"},
		{"1e100.net:443", "1e100.net:443"},
		{"1.1.1.1:443", "1.1.1.1:443"},
		{"1.1.1.1.:443", "1.1.1.1:443"},
		{"[2606:4700:4700:0::1111]:443", "[2606:4700:4700::1111]:443"},
		{name253 + ":443", name253 + ":443"},
		// ports
		{"huggingface.co:22", ""},
		{"huggingface.co:8080", ""},
		{"huggingface.co:0", ""},
		{"huggingface.co:0443", ""},
		{"huggingface.co:+443", ""},
		{"huggingface.co:65979", ""}, // 443 + 65536
		{"huggingface.co:https", ""},
		{"huggingface.co:", ""},
		{"huggingface.co", ""},
		{"huggingface.co:443:443", ""},
		// literal addresses
		{"127.0.0.1:443", ""},
		{"10.1.2.3:443", ""},
		{"169.254.169.254:80", ""},
		{"0.0.0.0:80", ""},
		{"[::1]:443", ""},
		{"[::]:443", ""},
		{"[::ffff:127.0.0.1]:443", ""},
		{"[::ffff:7f00:1]:443", ""},
		{"[64:ff9b::127.0.0.1]:443", ""},
		{"[fd00:ec2::254]:80", ""},
		{"[fe80::1%25eth0]:80", ""},
		{"[fe80::1%eth0]:80", ""},
		{"::1:443", ""},
		// odd spellings
		{"127.1:443", ""},
		{"127.0.1:443", ""},
		{"127.0.0.1.:443", ""},
		{"127.0.0.1..:443", ""},
		{"[127.0.0.1]:443", ""},
		{"[huggingface.co]:443", ""},
		{"0:443", ""},
		{"2130706433:443", ""},
		{"017700000001:443", ""},
		{"0x7f000001:443", ""},
		{"0X7F000001:443", ""},
		{"0x7f.1:443", ""},
		{"0x7f.0x0.0x0.0x1:443", ""},
		{"0177.0.0.1:443", ""},
		{"127.0.0.01:443", ""},
		{"127.0.0.0x1:443", ""},
		{"127.0.0.0x:443", ""},
		{"8.8.8:443", ""},
		{"1.2.3.4.5:443", ""},
		{"256.1.1.1:443", ""},
		{"\uff11\uff12\uff17.0.0.1:443", ""},
		{"127\u30020\u30020\u30021:443", ""},
		{"\u2460.\u2461.1.1:443", ""},
		{"127%2e0.0.1:443", ""},
		// names
		{"localhost:443", ""},
		{"LOCALHOST.:443", ""},
		{"a.localhost:443", ""},
		{"localhost.localdomain:443", ""},
		{"ip6-loopback:80", ""},
		{"metadata:80", ""},
		{"metadata.google.internal:80", ""},
		{"metadata.google.internal.:80", ""},
		{"printer.local:80", ""},
		{"kubernetes.default.svc:443", ""},
		{"kubernetes.default.svc.cluster.local:443", ""},
		{"router.home.arpa:80", ""},
		{parentAddress, ""},
		{"parent-proxy.invalid:80", ""},
		// malformed
		{"", ""},
		{":443", ""},
		{".:443", ""},
		{"hf..co:443", ""},
		{".hf.co:443", ""},
		{"hf.co..:443", ""},
		{"*.hf.co:443", ""},
		{"user@hf.co:443", ""},
		{"hf.co/x:443", ""},
		{"hf.co\r\nX: y:443", ""},
		{"hf.co\x00.evil.com:443", ""},
		{"hf .co:443", ""},
		{"\u212aey.co:443", ""}, // the Kelvin sign lower-cases to k
		{"b\u00fccher.example:443", ""},
		{"a" + label63 + ".co:443", ""},
		{name253 + "b:443", ""},
		{"[]:443", ""},
		{"[::1:443", ""},
		{"[zz::1]:443", ""},
	} {
		got, err := u.Normal(c.in)
		if got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
		if c.want == "" {
			refused(t, c.in, err)
			refused(t, c.in, u.Allowed(c.in))
			_, err := u.DialTunnel(left, c.in)
			refused(t, c.in, err)
			if err != nil && strings.ContainsAny(err.Error(), "\r\n\x00\u212a") {
				t.Errorf("%q reaches the message unescaped: %q", c.in, err)
			}
		} else if err := u.Allowed(c.in); err != nil {
			t.Error(err)
		}
	}
	other := newTest(t, Options{Ports: []int{8443}})
	if err := other.Allowed("hf.co:8443"); err != nil {
		t.Error(err)
	}
	refused(t, "443 is not listed", other.Allowed("hf.co:443"))
}

// Whatever passes is a plain name or a public address, and normal.
func FuzzNormal(f *testing.F) {
	u, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"hf.co:443", "HF.co.:80", "[::1]:443", "0x7f.1:80", "1.1.1.1.:443", "[2606:4700::1]:443", "a..b:443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := u.Normal(s)
		if err != nil {
			return
		}
		if again, err := u.Normal(got); err != nil || again != got {
			t.Fatalf("%q became %q, and that %q, %v", s, got, again, err)
		}
		host, _, err := net.SplitHostPort(got)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := netip.ParseAddr(host); err == nil {
			if fault := u.rules.fault(a); fault != "" {
				t.Errorf("%q: %s", s, fault)
			}
		} else if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || !strings.Contains(host, ".") {
			t.Errorf("%q became the name %q", s, host)
		}
	})
}
