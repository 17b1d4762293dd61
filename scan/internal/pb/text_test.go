package pb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
	"modelwall/scan/internal/pb"
	"modelwall/scan/scantest"
)

// named is tree with names: n a number, s a string, b bytes, m itself.
func named() *pb.Message {
	m := tree()
	m.Names = map[string]pb.Number{"n": 1, "s": 2, "b": 3, "m": 4, "other": 9}
	return m
}

func TestWalkText(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for _, c := range []struct {
		name, want, text string
		err              error
	}{
		{"empty", "{}", "  # nothing\n", nil},
		{"all kinds", `{1=300 2="text"/4 {1=1 }1=255 }`, `n: 300 s: "text" m { n: 1 } n: 0xff`, nil},
		{"separators", "{1=1 1=2 1=3 {}{}}", "n:1,n:2;n: 3 m: <>,m{};", nil},
		{"strings side by side", `{2="abc"/3 }`, "s: 'a' # one\n \"b\"\n'c'", nil},
		{"escapes", `{2="\"'\n\x01AB\\é"/9 }`, `s: '\"\'\n\1\x41\102\\\u00e9'`, nil},
		{"lists", `{1=1 1=2 2="x"/1 {1=3 }{}}`, "n: [1, 2] s: ['x'] m: [{n: 3}, {}] n: []", nil},
		{"unknown fields", "{1=1 }", "x: 1 y { n: 2 z { n: 3 } } w: 'a' v: [1, { n: 4 }] [a.b/c.d] { n: 5 } n: 1", nil},
		{"names for numbers", "{1=0 }", "n: DT_STRING", nil},
		{"other types", "{}", "n: 'a' n { n: 1 } m: 1 s: 1 s { n: 1 }", nil},
		{"long string", fmt.Sprintf("{2=%q/5000 }", long[:10]), "s: '" + long + "'", nil},
		{"byte order mark", "{1=1 }", "\ufeffn: 1", nil},
		{"open message", "{{1=1 ", "m { n: 1", pb.ErrWire},
		{"wrong bracket", "{{1=1 ", "m { n: 1 >", pb.ErrWire},
		{"open string", "{", "s: 'a", pb.ErrWire},
		{"line in a string", "{", "s: 'a\n'", pb.ErrWire},
		{"no value", "{", "n n: 1", pb.ErrWire},
		{"no name", "{", ": 1", pb.ErrWire},
		{"prose", "{", "This is a text.", pb.ErrWire},
		{"bad escape", "{", `s: '\xg'`, pb.ErrWire},
		{"binary", "{", "n\x00", pb.ErrWire},
		{"name without end", "{", strings.Repeat("n", 2000), pb.ErrWire},
		{"deep", "", strings.Repeat("m{", 600), scan.ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &log{}
			err := pb.WalkText(scantest.Bytes("x", []byte(c.text)), named(), l)
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
				t.Errorf("error = %v, want %v", err, c.err)
			}
			scantest.Classified(t, err)
			if diff := cmp.Diff(c.want, l.String()); diff != "" && c.want != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlausibleText(t *testing.T) {
	comment := "# " + strings.Repeat("x", 5000)
	for head, want := range map[string]bool{
		"n: 1": true, " \n# a\n m {": true, "m<": true, "other: 1": true, comment: true, "s :'x'": true, "n": true, "s # a\n:": true,
		"name: 1": false, "n = 1": false, "{\"n\": 1}": false, "n, m": false, "\x08\x01": false, "- n: 1": false,
	} {
		if got := pb.PlausibleText([]byte(head), named()); got != want {
			t.Errorf("%.20q: %v, want %v", head, got, want)
		}
	}
}

// judge is a log that knows a file by its first number.
type judge struct {
	log
	finished *int
}

func (j *judge) Known(error) bool { return strings.Contains(j.String(), "1=7 ") }
func (j *judge) Finish()          { *j.finished++ }

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, data string
		err        error
	}{
		{"binary", "\x08\x07", nil},
		{"text", "n: 7", nil},
		{"text, damaged", "n: 7 m {", scan.ErrMalformed},
		{"binary, damaged", "\x08\x07\x22\x7f", scan.ErrMalformed},
		{"both, meant as text", "\n\x07other: n: 7", scan.ErrForeign},
		{"neither", "\x00\x01", scan.ErrForeign},
	} {
		n := 0
		err := pb.Read(scantest.Bytes("x", []byte(c.data)), named(), func() pb.Judge { return &judge{finished: &n} })
		if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		}
		if n == 0 || n > 2 {
			t.Errorf("%s: %d walks were finished", c.name, n)
		}
	}
}

func FuzzWalkText(f *testing.F) {
	f.Add("n: 1 s: 'a\\x41' \"b\" m { n: [1, 2] } [a.b] <>")
	f.Fuzz(func(t *testing.T, text string) {
		l := &log{}
		err := pb.WalkText(scantest.Bytes("x", []byte(text)), named(), l)
		scantest.Classified(t, err)
		if err == nil && l.depth != 0 || l.deepest > 513 {
			t.Errorf("error %v at depth %d, the deepest being %d", err, l.depth, l.deepest)
		}
	})
}
