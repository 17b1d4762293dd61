package hub

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOneLine(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain text", 100, "plain text"},
		{"  a\r\n\tb\x00\x1b[31mc  ", 100, "a b [31mc"},
		{"é 🤗 \u202e", 100, `\u00e9 \U0001f917 \u202e`},
		{"a\xffb", 100, `a\xffb`},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc..."},
		{"ab 🤗🤗", 16, `ab \U0001f917...`},
		{"ab 🤗🤗", 12, `ab...`},
		{"abcdef", 3, "..."},
		{"abcdef", 1, "."},
		{"abcdef", 0, ""},
		{"abcdef", -1, ""},
		{"", 10, ""},
		{" \n ", 10, ""},
	} {
		if got := OneLine(tt.in, tt.limit); got != tt.want {
			t.Errorf("OneLine(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func TestBlockHeader(t *testing.T) {
	h := http.Header{}
	BlockHeader(h, "Modelwall Blocked\r\n", "bad\r\nSet-Cookie: x=é")
	want := header("X-Error-Code", "Modelwall-Blocked", "X-Error-Message", `bad Set-Cookie: x=\u00e9`)
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	h = http.Header{}
	BlockHeader(h, "", strings.Repeat("x", 5000))
	if len(h) != 1 || len(h.Get("X-Error-Message")) != maxMessage {
		t.Errorf("%d headers, message of %d bytes", len(h), len(h.Get("X-Error-Message")))
	}
}

// FuzzOneLine checks the two promises: printable ASCII, and the bound.
func FuzzOneLine(f *testing.F) {
	f.Add("a\r\nb é 🤗 \xff", 12)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := OneLine(s, limit)
		if len(got) > max(limit, 0) {
			t.Fatalf("%q has %d bytes, limit %d", got, len(got), limit)
		}
		if strings.IndexFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 || strings.Contains(got, "  ") && !strings.Contains(s, "  ") {
			t.Fatalf("%q", got)
		}
	})
}
