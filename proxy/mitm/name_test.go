package mitm

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNormalHost(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	name253 := strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")
	for _, c := range []struct{ in, want string }{ // want "" means refused
		{"huggingface.co", "huggingface.co"},
		{"HuggingFace.CO.", "huggingface.co"},
		{"cdn-lfs-us-1.hf.co", "cdn-lfs-us-1.hf.co"},
		{"a_b.hf.space", "a_b.hf.space"},
		{"1.hf.co", "1.hf.co"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{name253, name253},
		{name253 + ".", name253},
		{name253 + "b", ""},
		{"a" + label63 + ".co", ""},
		{"", ""},
		{".", ""},
		{"hf.co..", ""},
		{".hf.co", ""},
		{"a..hf.co", ""},
		{"-a.hf.co", ""},
		{"a-.hf.co", ""},
		{"*.hf.co", ""},
		{"hf.co:443", ""},
		{"hf.co/", ""},
		{"user@hf.co", ""},
		{"hf.co\x00.evil.com", ""},
		{"hf .co", ""},
		{"b\u00fccher.hf.co", ""},
		{"\u212aey.hf.co", ""}, // the Kelvin sign
		{"127.0.0.1", ""},
		{"127.1", ""},
		{"2130706433", ""},
		{"0x7f.1", ""},
		{"::1", ""},
		{"[::1]", ""},
	} {
		got, err := normalHost(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestNormalSuffixes(t *testing.T) {
	got, err := normalSuffixes([]string{"*.HF.co", "hf.co", "xet.hf.co", ".example.org", "notexample.org", "example.org."})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"example.org", "hf.co", "notexample.org"}, got); d != "" {
		t.Error(d)
	}
}

func FuzzNormalHost(f *testing.F) {
	for _, s := range []string{"HF.co.", "a.b.c", "127.0.0.1", "\u212a.co", "a..b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := normalHost(s)
		if err != nil {
			return
		}
		if again, err := normalHost(name); err != nil || again != name {
			t.Errorf("%q became %q, and that %q, %v", s, name, again, err)
		}
		if !strings.EqualFold(strings.TrimSuffix(s, "."), name) {
			t.Errorf("%q became %q", s, name)
		}
		if _, err := netip.ParseAddr(name); err == nil {
			t.Errorf("%q is an address", name)
		}
	})
}
