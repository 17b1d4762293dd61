package syntax

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// collector keeps what the parser hands over.
type collector struct {
	kinds []StmtKind
	texts []string // constants
	depth int
	left  int
}

func (c *collector) Simple(s *Stmt) {
	c.kinds = append(c.kinds, s.Kind)
	if s.Value != nil {
		for _, l := range s.Value.Lits {
			c.texts = append(c.texts, l.Value)
		}
	}
}
func (c *collector) Enter(s *Stmt) { c.kinds = append(c.kinds, s.Kind); c.depth++ }
func (c *collector) Leave()        { c.depth--; c.left++ }
func (c *collector) Shed(*Node)    {}
func (c *collector) More() bool    { return true }

func parse(src string) (*collector, *Parser) {
	c := &collector{}
	p := NewParser(strings.NewReader(src), c)
	_ = p.Run() // a string does not fail to be read
	return c, p
}

// TestGrammar: each construct of the language is read without an error.
func TestGrammar(t *testing.T) {
	for _, src := range []string{
		"x = 1 if y else 2\n", "x: int = 3\n", "a, *b = c\n", "a = b = c\n", "a += 1; b -= 2\n", "del a[1:2, ...], b.c\n",
		"print('x' 'y', sep='')\n", "f(*a, **k, x=1)\n", "lambda a, *b, c=1, **d: (a, b)\n", "[x async for x in y if x if y]\n", "{**a, 'b': 1}\n", "{*a, 1}\n",
		"class A(B, metaclass=C): pass\n", "@d.e(1)\nasync def f(a, /, b: int = 1, *, c, **d) -> e:\n    await g\n    yield from h\n",
		"match x:\n    case [1, *r] | {'a': _} if y: pass\n    case _: pass\n", "match = 1\nmatch(x)\ncase = match[1]\n", "type X[T] = list[T]\ntype = 3\n",
		"with (open(a) as b, c as d):\n    pass\n", "with a as b, c: pass\n", "try:\n    pass\nexcept* (A, B) as e:\n    raise C from e\nelse:\n    pass\nfinally:\n    pass\n",
		"for x, *y in z:\n    continue\nelse:\n    pass\n", "while (x := f()):\n    break\n", "def f[T: int](x: T): pass\n", "global a, b\n", "from . import a\nfrom ..b import (c as d, e,)\nimport a.b as c, d\n",
		"f'{x!r:>{w}} {y=} {{}} {f\"{z}\"}'\n", "rb'\\x' b'\\x41' u'\\u0041' '\\N{BULLET}'\n", "'''a\nb'''\n", "1_000 + 0x_ff + 1e-3 + 1j + .5\n", "a if b else c if d else e\n", "not a in b is not c\n", "x = y @ z ** -1\n",
		"print 'x'\n", "exec 'x' in y\n", "print >>f, 'x'\n", "0777L\n", "if x:\n\ty\nelse: z\n", "\\\nx\n", "x = (\n# c\n1,\n\n)\n", "assert x, y\n", "async with a: pass\n",
	} {
		_, p := parse(src)
		if e := p.Errors(); e.Count > 0 {
			t.Errorf("%q: %s at %d", src, e.What, e.First)
		}
	}
}

// TestErrors: what Python refuses is an error, and reading goes on behind it.
func TestErrors(t *testing.T) {
	for _, src := range []string{"x y\n", "a = \n", "f(\n", "'abc\n", "1 +\n", "def f(:\n", "x = ]\n", "if x\n  y\n", "? x\n", "import\n", "a..b\n", "class\n", "f'{x'\n"} {
		if _, p := parse(src); p.Errors().Count == 0 {
			t.Errorf("%q is read without an error", src)
		}
	}
	c, _ := parse("x y z\n'found'\n")
	if diff := cmp.Diff([]string{"found"}, c.texts); diff != "" {
		t.Error(diff)
	}
}

// TestLiterals: constants have the value that Python gives them.
func TestLiterals(t *testing.T) {
	c, _ := parse(`'a\x41\101\u0041\n' "b" '''c'''` + "\nr'\\x41'\nb'\\xff'\n'\\\nd'\n")
	if diff := cmp.Diff([]string{"aAAA\n", "b", "c", `\x41`, "\xff", "d"}, c.texts); diff != "" {
		t.Error(diff)
	}
}

// TestBlocks: each block that begins ends.
func TestBlocks(t *testing.T) {
	c, _ := parse("class A:\n  def f(self):\n    if x:\n      return 1\n  y = 2\nz = 3\n")
	want := []StmtKind{ClassStmt, DefStmt, IfStmt, Return, Assign, Assign}
	if diff := cmp.Diff(want, c.kinds); diff != "" || c.depth != 0 {
		t.Errorf("depth %d, %s", c.depth, diff)
	}
}

// FuzzParse: reading ends, blocks are balanced, and how the bytes arrive makes
// no difference.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"x = 1\n", "def f(a, *b, c=1, **d):\n  return [x for x in y]\n", "f'{a!r:{b}}'", "'''x", "class A(B):\n\tpass\n  x\n", "match x:\n case 1: pass", "(((", "\x00\xff", "lambda: (yield)\n", "𝐞(x)"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, p := parse(string(b))
		if c.depth != 0 {
			t.Errorf("depth %d at the end", c.depth)
		}
		slow := &collector{}
		q := NewParser(iotest.OneByteReader(bytes.NewReader(b)), slow)
		if err := q.Run(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.kinds, slow.kinds); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(p.Errors(), q.Errors()); diff != "" {
			t.Error(diff)
		}
	})
}
