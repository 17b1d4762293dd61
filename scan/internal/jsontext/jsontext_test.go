package jsontext

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
)

func file(s string) scan.File {
	return scan.File{Size: int64(len(s)), ReaderAt: strings.NewReader(s)}
}

// spell writes the tokens of a text in a short form.
func spell(s string, keep int) (string, *Reader, error) {
	r := NewReader(context.Background(), strings.NewReader(s), int64(len(s)))
	r.Keep = keep
	var out strings.Builder
	for {
		t, err := r.Next()
		if err != nil || t.Kind == End {
			return strings.TrimSpace(out.String()), r, err
		}
		switch t.Kind {
		case Object:
			out.WriteString("{ ")
		case ObjectEnd:
			out.WriteString("} ")
		case Array:
			out.WriteString("[ ")
		case ArrayEnd:
			out.WriteString("] ")
		case Key:
			out.WriteString(string(t.Text) + ": ")
		case String:
			out.WriteString("'" + string(t.Text) + "' ")
		default:
			out.WriteString(string(t.Text) + " ")
		}
		if t.Cut {
			out.WriteString("... ")
		}
	}
}

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                              `{ }`,
		`{"a":1,"b":[true,null,"x"]}`:     `{ a: 1 b: [ true null 'x' ] }`,
		"\xef\xbb\xbf [1e5, -0.5]":        `[ 1e5 -0.5 ]`,
		`[NaN, Infinity, -Infinity]`:      `[ NaN Infinity -Infinity ]`,
		`{"a\u0062": "\ud83d\ude00\n"}`:   "{ ab: '😀\n' }",
		`["\ud83dx", "\ude00"]`:           "[ '\ufffdx' '\ufffd' ]",
		`{"a": 1} {"a": 2}` + "\n[3]":     `{ a: 1 } { a: 2 } [ 3 ]`,
		`"just me"`:                       `'just me'`,
		`// c` + "\n" + `[1, /* x */ 2,]`: `[ 1 2 ]`,
		`{"k": "v",}`:                     `{ k: 'v' }`,
		`{"a":1,"a":2}`:                   `{ a: 1 a: 2 }`,
		"[\"a\tb\"]":                      "[ 'a\tb' ]",
		`["0123456789"]`:                  `[ '01234567' ... ]`,
	} {
		got, _, err := spell(in, 8)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{``, ` `, `{`, `[1`, `{"a"}`, `{"a":}`, `{"a" 1}`, `[1 2]`, `{1:2}`, `]`, `{]`, `[}`, `"abc`, `["\x41"]`, `["\u12"]`, `tru`, `[.5]`, `[1]]`, `{,}`, `[/]`} {
		if got, _, err := spell(in, 8); !errors.Is(err, scan.ErrMalformed) {
			t.Errorf("%s: %q, %v, want malformed", in, got, err)
		}
	}
}

func TestDepth(t *testing.T) {
	for n, want := range map[int]error{MaxDepth: nil, MaxDepth + 1: scan.ErrLimit} {
		if _, _, err := spell(strings.Repeat("[", n)+strings.Repeat("]", n), 8); !errors.Is(err, want) {
			t.Errorf("depth %d: %v, want %v", n, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	long := strings.Repeat(`x\n\u00e9\ud83d\ude00"`[:21], 20_000)
	text := `{"k": "` + long + `"}`
	r := NewReader(context.Background(), strings.NewReader(text), int64(len(text)))
	var tok Token
	for range 3 {
		tok, _ = r.Next()
	}
	if !tok.Cut || tok.Kind != String {
		t.Fatalf("token %+v", tok)
	}
	got, err := io.ReadAll(Decode(context.Background(), strings.NewReader(text), tok.Off, tok.End))
	if want := strings.Repeat("x\né😀", 20_000); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
	}
}

func TestTranscode(t *testing.T) {
	const text = `{"auto_map": "é😀"}`
	units := utf16.Encode([]rune(text))
	for name, order := range map[string]binary.AppendByteOrder{"le": binary.LittleEndian, "be": binary.BigEndian} {
		var b16, b32 []byte
		for _, u := range units {
			b16 = order.AppendUint16(b16, u)
		}
		for _, c := range text {
			b32 = order.AppendUint32(b32, uint32(c))
		}
		for what, b := range map[string][]byte{
			"16": b16, "32": b32,
			"16 with mark": append(order.AppendUint16(nil, 0xfeff), b16...),
			"32 with mark": append(order.AppendUint32(nil, 0xfeff), b32...),
		} {
			at, size, err := Transcode(file(string(b)), ByZeros)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, size)
			if _, err := at.ReadAt(got, 0); err != nil || string(got) != text {
				t.Errorf("UTF-%s %s: %q, %v", what, name, got, err)
			}
			if !bytes.HasPrefix(Head(b, ByZeros), []byte(`{"auto_map"`)) {
				t.Errorf("UTF-%s %s: head %q", what, name, Head(b, ByZeros))
			}
		}
	}
	if _, _, err := Transcode(file("\xff\xfe"+strings.Repeat("x\x00", maxTranscode/2)), ByMark); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("error = %v, want limit", err)
	}
}

// FuzzReader: what encoding/json accepts comes out with the same tokens.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":"\u00e9"}]}`, `"x"`, `[]`, `{"a":`, "[1,\n2]", `["\ud83d\ude00"]`, `{} []`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(context.Background(), bytes.NewReader(data), int64(len(data)))
		r.Keep = 1 << 20
		var got []any
		var err error
		for {
			var tok Token
			if tok, err = r.Next(); err != nil || tok.Kind == End {
				break
			}
			switch tok.Kind {
			case Object, ObjectEnd, Array, ArrayEnd:
				got = append(got, json.Delim("..{}[]"[1+tok.Kind]))
			default:
				if tok.Kind == Key || tok.Kind == String {
					text, err := io.ReadAll(Decode(context.Background(), bytes.NewReader(data), tok.Off, tok.End))
					if err != nil || !bytes.Equal(text, tok.Text) {
						t.Errorf("Decode = %q, %v, want %q", text, err, tok.Text)
					}
				}
				got = append(got, string(tok.Text))
			}
		}
		if err != nil && !errors.Is(err, scan.ErrMalformed) && !errors.Is(err, scan.ErrLimit) {
			t.Fatalf("error %v", err)
		}
		if !json.Valid(data) || !validUTF8(data) || errors.Is(err, scan.ErrLimit) {
			return
		}
		if err != nil {
			t.Fatalf("%q is valid, and %v", data, err)
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var want []any
		for {
			tok, err := d.Token()
			if err != nil {
				break
			}
			switch v := tok.(type) {
			case json.Delim:
				want = append(want, v)
			case string:
				want = append(want, v)
			case json.Number:
				want = append(want, v.String())
			case bool:
				want = append(want, map[bool]string{true: "true", false: "false"}[v])
			case nil:
				want = append(want, "null")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +this):\n%s", data, diff)
		}
	})
}

func validUTF8(b []byte) bool { return bytes.Equal(bytes.ToValidUTF8(b, []byte("?")), b) }
