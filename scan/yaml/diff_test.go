package yaml

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	parser "go.yaml.in/yaml/v3"
)

// trace keeps what a tree finds out, for comparison with a parser.
type trace struct {
	tags  []string
	pairs [][2]string
}

func (r *trace) tag(tag string, _ int64) { r.tags = append(r.tags, tag) }

func (r *trace) value(t *tree, key string, text []byte, _ int64) {
	if f := t.top(); f != nil && f.key != "" {
		r.pairs = append(r.pairs, [2]string{key, string(text)})
	}
}

func (*trace) key(string)            {}
func (*trace) mapping(*tree, *frame) {}
func (*trace) structure()            {}
func (*trace) bomb(int64, int64)     {}
func (*trace) deep(int64)            {}
func (*trace) limit(int64, string)   {}
func (*trace) document() error       { return nil }

// read reads a text in one way and returns why no parser accepts it, "" if one
// may.
func read(t testing.TB, text string, as reading) (*trace, string) {
	r := &trace{}
	l := newLexer(context.Background(), strings.NewReader(text), int64(len(text)), as, newTree(r))
	if err := l.run(); err != nil {
		t.Fatal(err)
	}
	return r, l.dead
}

func TestPairs(t *testing.T) {
	for text, want := range map[string][][2]string{
		"a: b\n":                            {{"a", "b"}},
		"a:   b  # c\nd: e f\n g\n":         {{"a", "b"}, {"d", "e f g"}},
		"{a: b, \"c\": 'd', e: f g}":        {{"a", "b"}, {"c", "d"}, {"e", "f g"}},
		"? a\n: b\n? c\n: - d\n  - e: f\n":  {{"a", "b"}, {"e", "f"}},
		"a: |\n  x\n  y\nb: >-\n  x\n  y\n": {{"a", "x\ny\n"}, {"b", "x y"}},
		"a: |2\n    x\nb: c\n":              {{"a", "  x\n"}, {"b", "c"}},
		"&x a: &y b\nc: *y\n*x : d\n":       {{"a", "b"}, {"c", "b"}, {"a", "d"}},
		"- a: b\n  c: d\n-   e: f\n":        {{"a", "b"}, {"c", "d"}, {"e", "f"}},
		"a: \"\\x41\\u00e9\\\n  b\"\n":      {{"a", "Aéb"}},
		"a: 'it''s'\n":                      {{"a", "it's"}},
		"!!str a : !!map\n  b: c\n":         {{"b", "c"}},
		"url: http://x/y#z\nt: 12:30\n":     {{"url", "http://x/y#z"}, {"t", "12:30"}},
		"[a: b, {c: d}]":                    {{"a", "b"}, {"c", "d"}},
	} {
		r, dead := read(t, text, reading{true, true})
		if diff := cmp.Diff(want, r.pairs); diff != "" || dead != "" {
			t.Errorf("%q: %s (-want +got)\n%s", text, dead, diff)
		}
	}
}

// tagsOf returns the tags that a document spells out.
func tagsOf(n *parser.Node, tags []string) []string {
	if n.Style&parser.TaggedStyle != 0 {
		tags = append(tags, n.LongTag())
	}
	for _, c := range n.Content {
		tags = tagsOf(c, tags)
	}
	return tags
}

// TestParserAgrees: what another parser accepts, the lexer reads to the end, and it
// sees the same tags.
func TestParserAgrees(t *testing.T) {
	for _, s := range []string{
		"a: !!python/object/apply:os.system [\"id\"]\n", "%TAG !p! tag:yaml.org,2002:python/\n---\n- !p!name:x ''\n", "? a\n: - b\n  - c: |2\n      d\n",
		"{a: [b, 'c', \"d\\x41\"], ? e : !f g}\n---\n&g h: >-\n  i\n", "- - !<x> a\n  - b: !y\n", "a: b\n  c\n\n  d\ne: f # g\n",
	} {
		agree(t, []byte(s))
	}
}

func agree(t *testing.T, data []byte) {
	t.Helper()
	// The parser panics or differs on some texts that no loader of models
	// gets: those with characters that YAML forbids, and tabs.
	if !utf8.Valid(data) || len(data) > 4096 || bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f }) {
		return
	}
	d := parser.NewDecoder(bytes.NewReader(data))
	var want []string
	for {
		var n parser.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return
		}
		want = tagsOf(&n, want)
	}
	var got []string
	var dead string
	for i, as := range []reading{{true, true}, {true, false}} {
		r, why := read(t, string(data), as)
		got = append(got, r.tags...)
		if i == 0 || why == "" {
			dead = why
		}
	}
	if dead != "" {
		t.Errorf("%q: %s", data, dead)
	}
	for _, tag := range want {
		if tag != "" && !slices.Contains(got, tag) {
			t.Errorf("%q: tags %q, want %q", data, got, tag)
		}
	}
}
