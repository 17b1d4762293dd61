package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"modelwall/scan"
)

// hubToken has the shape of a Hub token and is put together here, so that no
// secret scanner takes this file for a leak.
var hubToken = "hf_" + strings.Repeat("aB3dE6gH", 4)

func TestRedact(t *testing.T) {
	jwt := "eyJ" + "hbGciOiJFZERTQSJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl-_x"
	tests := []struct{ in, want string }{
		{"", ""},
		{"models/org/name", "models/org/name"},
		{"sub dir/pytorch_model-00001-of-00002.bin", "sub dir/pytorch_model-00001-of-00002.bin"},
		{hubToken, "hf_[redacted]"},
		{"token " + hubToken + ".", "token hf_[redacted]."},
		{"hf_short", "hf_short"},
		{"hf_oauth_" + jwt, "hf_oauth_" + "[redacted]"},
		{"api_org_" + "abcdefghijkl", "api_org_[redacted]"},
		{"a " + jwt + " b", "a [redacted] b"},
		{"Authorization: Bearer abcdefgh.ij", "Authorization: Bearer [redacted]"},
		{"BASIC dXNlcjpwYXNzd29yZA==", "BASIC [redacted]"},
		{`Get "https://cdn.example/x/y?X-Amz-Signature=ab&e=1": EOF`, `Get "https://cdn.example/x/y?[redacted]": EOF`},
		{"https://cdn.example/x?opaque", "https://cdn.example/x?[redacted]"},
		{"http://user:pa:ss@proxy:3128/", "http://[redacted]@proxy:3128/"},
		{"/api/resolve-cache/models/a/b?etag=%22x%22 next", "/api/resolve-cache/models/a/b?[redacted] next"},
		{"what? why?", "what? why?"},
		{"Policy&X-Amz-Signature=abc&Key-Pair-Id=1", "Policy&X-Amz-Signature=[redacted]&Key-Pair-Id=1"},
	}
	for _, tt := range tests {
		got := Redact(tt.in)
		want := strings.ReplaceAll(tt.want, "hf_oauth_[", "hf_[")
		if got != want {
			t.Errorf("Redact(%q)\n got %q\nwant %q", tt.in, got, want)
		}
		if again := Redact(got); again != got {
			t.Errorf("Redact is not stable on %q: %q", got, again)
		}
	}
}

func TestSecretKey(t *testing.T) {
	for _, key := range []string{"authorization", "Authorization", "Proxy-Authorization", "token", "hf_token", "HF-Token", "cookie", "Set-Cookie", "accessToken", "x-api-key", "PASSWORD", "client_secret"} {
		if !secretKey(key) {
			t.Errorf("%q is no secret key", key)
		}
	}
	for _, key := range []string{"path", "tokenizer", "key", "sha256", "author", "request_id", ""} {
		if secretKey(key) {
			t.Errorf("%q is a secret key", key)
		}
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain / ASCII ~", "plain / ASCII ~"},
		{`C:\dir\x`, `C:\dir\x`},
		{"größe 模型 🤗", "größe 模型 🤗"},
		{"a\nb\rc\td", `a\nb\rc\td`},
		{"\x1b[31mred", `\u001b[31mred`},
		{"\x00\x7f\u0085\u009b", `\u0000\u007f\u0085\u009b`},
		{"a\u202eb\u2028c\ufeff", `a\u202eb\u2028c\ufeff`},
		{"a\u00a0b\u200b", `a\u00a0b\u200b`},
		{"bad \xff\xc3", `bad \xff\xc3`},
		{"given \ufffd", `given \ufffd`},
		{"\U000e0001", `\U000e0001`},
	}
	for _, tt := range tests {
		want := strings.ReplaceAll(tt.want, `\u007f`, `\x7f`)
		if got := escape(tt.in); got != want {
			t.Errorf("escape(%q)\n got %s\nwant %s", tt.in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct{ in, want string }{
		{"abc", "abc"},
		{"abcd", "abcd"},
		{"abcde", "abcd…"},
		{"abcé", "abc…"},
		{"abé", "abé"},
		{"\xff\xff\xff\xff\xff", "\xff\xff\xff\xff…"},
	}
	for _, tt := range tests {
		if got := cut(tt.in, 4); got != tt.want {
			t.Errorf("cut(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

type stringer struct{ s string }

func (s *stringer) String() string { return s.s }

// TestLoggerHidesSecrets logs one secret in every way slog offers and looks
// for it in what each format writes.
func TestLoggerHidesSecrets(t *testing.T) {
	u := &url.URL{Scheme: "https", User: url.UserPassword("me", "open-sesame"), Host: "h.example", Path: "/p", RawQuery: "X-Sig=open-sesame"}
	var nilError *url.Error
	ways := map[string]func(*slog.Logger){
		"message":      func(l *slog.Logger) { l.Info("got " + hubToken) },
		"string":       func(l *slog.Logger) { l.Info("m", "k", "x "+hubToken) },
		"key":          func(l *slog.Logger) { l.Info("m", hubToken, 1) },
		"secret key":   func(l *slog.Logger) { l.Info("m", "authorization", "open-sesame", "Cookie", []string{"open-sesame"}) },
		"secret group": func(l *slog.Logger) { l.Info("m", slog.Group("cookies", "session", "open-sesame")) },
		"group":        func(l *slog.Logger) { l.Info("m", slog.Group("g", "k", hubToken)) },
		"with":         func(l *slog.Logger) { l.With("k", hubToken).Info("m") },
		"with group":   func(l *slog.Logger) { l.WithGroup("g").Info("m", "k", hubToken) },
		"error":        func(l *slog.Logger) { l.Info("m", "error", errors.New("Get \"https://h/p?s=open-sesame\"")) },
		"nil error":    func(l *slog.Logger) { l.Info("m", "error", error(nilError), "k", hubToken) },
		"url":          func(l *slog.Logger) { l.Info("m", "url", u) },
		"stringer":     func(l *slog.Logger) { l.Info("m", "k", &stringer{hubToken}) },
		"bytes":        func(l *slog.Logger) { l.Info("m", "k", []byte(hubToken)) },
		"header":       func(l *slog.Logger) { l.Info("m", "k", http.Header{"Authorization": {"Digest open-sesame"}}) },
		"map key":      func(l *slog.Logger) { l.Info("m", "k", map[string]string{hubToken: "v"}) },
		"struct":       func(l *slog.Logger) { l.Info("m", "k", struct{ A []any }{[]any{1, hubToken}}) },
		"no JSON":      func(l *slog.Logger) { l.Info("m", "k", map[string]any{"f": func() {}, "t": hubToken}) },
		"LogValuer":    func(l *slog.Logger) { l.Info("m", "k", valuer{hubToken}) },
	}
	for name, log := range ways {
		for _, format := range []string{"json", "text", "colour"} {
			t.Run(name+"/"+format, func(t *testing.T) {
				var out bytes.Buffer
				log(slog.New(newHandler(&out, format, slog.LevelInfo, format == "colour")))
				if got := out.String(); strings.Contains(got, hubToken[3:]) || strings.Contains(got, "open-sesame") || strings.Count(got, "\n") != 1 {
					t.Errorf("wrote %s", got)
				}
			})
		}
	}
}

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value {
	return slog.GroupValue(slog.String("a", v.s), slog.Any("b", []string{v.s}))
}

func TestLoggerKeepsWhatIsHarmless(t *testing.T) {
	var out bytes.Buffer
	NewLogger(&out, "json", slog.LevelDebug).Debug("fetched", "n", 7, "ok", true, "verdict", scan.Clean, "formats", []string{"zip", "pickle"}, "none", nil)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"formats":["zip","pickle"],"level":"DEBUG","msg":"fetched","n":7,"none":null,"ok":true,"verdict":"clean"}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	out.Reset()
	l := NewLogger(&out, "text", slog.LevelInfo)
	l.Debug("not this")
	l.Info("model checked", "path", "a b.bin", "size", 3)
	if _, line, _ := strings.Cut(out.String(), " "); line != "INF model checked path=\"a b.bin\" size=3\n" {
		t.Errorf("got %q", out.String())
	}
}

// FuzzLogger: whatever text comes in, one line goes out, without a character
// that drives a terminal and without the token inside it.
func FuzzLogger(f *testing.F) {
	f.Add("plain", "value")
	f.Add("\x1b[2J", "a\nb level=ERROR")
	f.Add(`\x1b[31m red`, "\xff\u009b31m")
	f.Add("k=v \"quoted\"", "https://u:p@h/?q")
	f.Add("bearer "+hubToken, "\u202e\u2028")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = cut(a, maxText), cut(b, maxText)
		for _, format := range []string{"json", "text", "colour"} {
			var out bytes.Buffer
			l := slog.New(newHandler(&out, format, slog.LevelInfo, format == "colour"))
			l.Info(a, "k", b, "error", errors.New(a+" "+hubToken+" "+b), slog.Group("g", "list", []string{a, b}))
			got := out.String()
			if format == "colour" {
				for _, code := range []string{"\x1b[0m", "\x1b[2m", "\x1b[22m", "\x1b[92m"} {
					got = strings.ReplaceAll(got, code, "")
				}
			}
			line, ok := strings.CutSuffix(got, "\n")
			if !ok || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' || r == '\u2028' }) {
				t.Errorf("%s wrote %q", format, got)
			}
			if strings.Contains(line, hubToken) {
				t.Errorf("%s let the token through: %q", format, got)
			}
			if format == "json" && !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %q", got)
			}
		}
	})
}

func BenchmarkLog(b *testing.B) {
	s := Log(slog.New(newHandler(discard{}, "json", slog.LevelInfo, false)))
	r := sample()
	for b.Loop() {
		s.Record(b.Context(), r)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
