package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanJSON(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		// An entry of /tree, as the Hub writes it.
		{
			"tree", `[{"type":"file","oid":"x","size":12,"lfs":{"oid":"y","size":12,"pointerSize":133},"xetHash":"00ff","path":"a.bin"}]`,
			`[{"type":"file","oid":"x","size":12,"lfs":{"oid":"y","size":12,"pointerSize":133},"path":"a.bin"}]`,
		},
		{
			"siblings", `{"siblings":[{"rfilename":"a","xetHash":"1"},{"xetHash":"2","rfilename":"b"},{"xetHash":"3"}]}`,
			`{"siblings":[{"rfilename":"a"},{"rfilename":"b"},{}]}`,
		},
		{"first", `{"xetHash":1,"a":2}`, `{"a":2}`},
		{"middle", `{"a":1,"xetHash":2,"b":3}`, `{"a":1,"b":3}`},
		{"last", `{"a":1,"xetHash":2}`, `{"a":1}`},
		{"only", `{"xetHash":2}`, `{}`},
		{"twice at the front", `{"xetHash":1,"xetHash":2,"a":3}`, `{"a":3}`},
		{"twice at the end", `{"a":3,"xetHash":1,"xetHash":2}`, `{"a":3}`},
		{"around", `{"xetHash":1,"a":3,"xetHash":2}`, `{"a":3}`},
		{"nothing but", `{"xetHash":1,"xetEnabled":true,"xet_hash":2}`, `{}`},
		{"white space", "{ \"a\" : 1 ,\n  \"xetHash\" : \"x\" ,\n  \"b\" : 2 }", "{ \"a\" : 1 ,\n  \"b\" : 2 }"},
		{"white space, first", "{\n  \"xetHash\": \"x\",\n  \"b\": 2\n}", "{\n  \"b\": 2\n}"},
		{"white space, last", "{\n  \"b\": 2,\n  \"xetHash\": \"x\"\n}", "{\n  \"b\": 2}"},
		{"container", `{"xetHash":{"a":[1,{"xetHash":2}],"b":"}"},"c":[]}`, `{"c":[]}`},
		{"escaped key", `{"xet\u0048ash":1,"\u0078etHash":2,"a":3}`, `{"a":3}`},
		{"other spellings", `{"XETHASH":1,"xet_hash":2,"xethash":3,"xet_enabled":4,"xetHaſh":6,"a":5}`, `{"a":5}`},
		{"other members", `{"xet":1,"xetHashes":2,"axetHash":3,"xetHash ":4,"hash":5}`, ""},
		{"as a value", `["xetHash",{"a":"xetHash"},"\"xetHash\":1"]`, ""},
		{"kept as it is", "  {\"b\":1e400,\"a\":-0.0,\"a\":12345678901234567890123,\"\\u00e9\":\"\\ud83e\\udd17 é\\/\",\"d\":[ ]}\r\n", ""},
		{"scalars", `null`, ""},
		{"number", `-12.5E+3`, ""},
		{"string", `"x"`, ""},
		{"empty", `[]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.in)
			got, err := CleanJSON(in)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if &got[0] != &in[0] || len(got) != len(in) {
					t.Errorf("a new slice for unchanged input: %s", got)
				}
				return
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCleanJSONRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "{", "[", `"`, `"\`, `"\u00`, `"\u00g0"`, `"\x"`, "\"\n\"", "{]", "[}", "[1,]", "[,1]", `{"a":1,}`, `{,}`,
		`{"a"}`, `{"a":}`, `{a:1}`, `{'a':1}`, "01", "1.", ".5", "+1", "1e", "-", "--1", "0x1", "NaN", "Infinity", "nul",
		"true false", "[1 2]", `{"a":1 "b":2}`, "[1]]", "{}{}", "[1]x", "// c\n1", "\ufeff{}", "\x00", `{"xetHash":}`,
		`{"xetHash":[}`, `{"a":1,"xetHash"`, "[" + strings.Repeat(`{"xetHash":`, 3),
		strings.Repeat("[", MaxJSONDepth+1) + strings.Repeat("]", MaxJSONDepth+1),
	} {
		if got, err := CleanJSON([]byte(in)); !errors.Is(err, ErrJSON) || got != nil {
			t.Errorf("%.40q: got %.40q, %v", in, got, err)
		}
	}
	deep := strings.Repeat(`{"a":`, MaxJSONDepth-1) + `{"xetHash":1}` + strings.Repeat("}", MaxJSONDepth-1)
	if got, err := CleanJSON([]byte(deep)); err != nil || bytes.Contains(got, []byte("xetHash")) {
		t.Errorf("at the limit: %v", err)
	}
}

// without returns a decoded tree without the members that CleanJSON removes.
func without(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if xetMember(key) {
				delete(v, key)
			} else {
				v[key] = without(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = without(v[i])
		}
	}
	return v
}

func decode(t testing.TB, body []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return v
}

// FuzzCleanJSON compares with encoding/json: the same texts are accepted, and
// what comes out is what went in without the members of Xet.
func FuzzCleanJSON(f *testing.F) {
	for _, seed := range []string{
		`{"xetHash":"x","a":[{"xetHash":1},{"b":{"xetHash":[{}],"c":1}}],"xet\u0048ash":null}`,
		`[1,-0.5e+7,"\ud83e\udd17",true,false,null,{"":{}}]`, ` { "a" : 1 , "xetHash" : 2 , "b" : 3 } `, `{"a":1,"a":2,"XET_HASH":3}`,
		"{\"xethaſh\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out, err := CleanJSON(in)
		if !bytes.Equal(before, in) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, ErrJSON) {
				t.Fatalf("unclassified: %v", err)
			}
			if json.Valid(in) && bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) <= MaxJSONDepth {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		if !json.Valid(in) {
			t.Fatalf("%q is not JSON", in)
		}
		if diff := cmp.Diff(without(decode(t, in)), decode(t, out)); diff != "" {
			t.Fatalf("%q became %q (-want +got):\n%s", in, out, diff)
		}
		again, err := CleanJSON(out)
		if err != nil || len(again) != len(out) || &again[0] != &out[0] {
			t.Fatalf("%q is not clean: %q, %v", out, again, err)
		}
	})
}

// treeJSON makes an answer of /tree of about size bytes.
func treeJSON(size int, hash string) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"file","oid":"%040x","size":%d,"lfs":{"oid":"%064x","size":%d,"pointerSize":135},%s"path":"data/train-%05d.parquet"}`,
			i, i*977, i, i*977, hash, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func BenchmarkCleanJSON(b *testing.B) {
	for _, bb := range []struct{ name, hash string }{
		{"xet", `"xetHash":"` + someSHA + `",`},
		{"nothing to remove", ""},
	} {
		body := treeJSON(5<<20, bb.hash)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := CleanJSON(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
