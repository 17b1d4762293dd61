package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	tests := []struct {
		in   string
		want Size
		out  string // "" = refused
	}{
		{"64GiB", 64 << 30, "64GiB"},
		{"64 KiB", 64 << 10, "64KiB"},
		{"1TB", 1e12, "976562500KiB"},
		{"1500", 1500, "1500B"},
		{"1KB", 1000, "1000B"},
		{"0", 0, "0B"},
		{"12B", 12, "12B"},
		{"8388607TiB", 8388607 << 40, "8388607TiB"},
		{"8388608TiB", 0, ""}, // one more than int64 holds
		{"-1", 0, ""},
		{"1.5GiB", 0, ""},
		{"1gib", 0, ""},
		{"GiB", 0, ""},
		{"", 0, ""},
		{"1GiBGiB", 0, ""},
	}
	for _, test := range tests {
		var got Size
		err := got.UnmarshalText([]byte(test.in))
		if (err != nil) != (test.out == "") || got != test.want {
			t.Errorf("%q = %d, error %v; want %d", test.in, got, err, test.want)
		}
		if err == nil && got.String() != test.out {
			t.Errorf("%q prints as %s, want %s", test.in, got, test.out)
		}
	}
}

func TestProxyURLKeepsItsPassword(t *testing.T) {
	const text = "http://hunter1:hunter2@proxy:3128"
	c := Default()
	if err := c.Upstream.Proxy.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	p := c.Upstream.Proxy
	if got := p.URL().String(); got != text {
		t.Errorf("URL = %s, want %s", got, text)
	}
	p.URL().Host = "elsewhere"
	if got := p.URL().String(); got != text {
		t.Errorf("URL hands out its own copy")
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "proxy", p, "config", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "proxy", p, "pointer", &p, "config", *c)
	printed := map[string]string{
		"%v": fmt.Sprintf("%v", p), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", *c),
		"%q": fmt.Sprintf("%q", p), "%x": fmt.Sprintf("%x", p), "pointer": fmt.Sprint(&p),
		"json": string(encoded), "slog": log.String(),
	}
	for how, s := range printed {
		if strings.Contains(s, "hunter") || strings.Contains(s, fmt.Sprintf("%x", "hunter")) {
			t.Errorf("%s prints the credentials: %s", how, s)
		}
	}
}

func TestProxyURL(t *testing.T) {
	good := map[string]string{
		"":                     "",
		"http://p:3128":        "http://p:3128",
		"https://[::1]:3128/":  "https://[::1]:3128",
		"http://u:p%40w@p:312": "http://redacted@p:312",
	}
	for in, want := range good {
		var p ProxyURL
		if err := p.UnmarshalText([]byte(in)); err != nil || p.String() != want || p.IsZero() != (in == "") {
			t.Errorf("%q: %q, IsZero %v, error %v; want %q", in, p, p.IsZero(), err, want)
		}
	}
	for _, in := range []string{
		"p:3128", "p", "http://p", "http://p:0", "http://p:http", "http://:1", "socks5://p:1",
		"http://p:1/path", "http://p:1?q", "http://p:1#f", "http://u:hunter2#@p:1", "http://u:hunter2@@p:x", "http://%zz:1",
	} {
		var p ProxyURL
		err := p.UnmarshalText([]byte(in))
		if err == nil {
			t.Errorf("%q is taken as %s", in, p)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error prints the password: %v", in, err)
		}
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"listen", "policy", "policy.clean", "gate.hold", "scan.max_bytes"}
	for name, want := range map[string]string{
		"listn":          "listen",
		"polisy":         "policy",
		"hold":           "gate.hold",
		"policy.hold":    "gate.hold",
		"policy.claen":   "policy.clean",
		"scan.max_bites": "scan.max_bytes",
		"zzz":            "",
		"":               "",
	} {
		if got := nearest(name, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// Whatever a file holds, Load ends with a valid configuration or with an
// error, and never prints what was given as the parent proxy.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "listen: 127.0.0.1:1\n", "policy: {clean: warn}\n", "ports: [1, 2]\n", "a: &a [*a]\n",
		"upstream: {proxy: 'http://u:p@h:1'}\n", "? {}\n", "---\n---\n", "scan: {max_bytes: 1GiB, timeout: 1s}\n",
		"upstream: &x\n  retries: 1\nserver: *x\n", "\x00", "policy: {deny_repos: ['[', '**']}\n", "!!binary x: y\n",
		"intercept: !!str x\n", "log: {level: !!null x}\n", "upstream: {proxy: !!binary aHR0cDovL3U6cEBoOjE=}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := load(origin{path: "f"}, text)
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v, error %v", c, err)
		}
		if err != nil {
			return
		}
		l := loader{config: c, failed: map[string]bool{}}
		if l.finish(); len(l.problems) > 0 {
			t.Errorf("accepted, and then: %v", l.problems)
		}
	})
}
