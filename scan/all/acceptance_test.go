package all

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"modelwall/scan"
	"modelwall/scan/scantest"
)

// rooms are the folders below scan/ that are not formats.
var rooms = []string{"all", "engine", "internal", "scantest"}

// registered is the scanners of the list by the package they come from, a
// folder's name.
func registered() map[string][]scan.Scanner {
	by := map[string][]scan.Scanner{}
	for _, s := range Scanners() {
		typ := reflect.TypeOf(s)
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		name := path.Base(typ.PkgPath())
		by[name] = append(by[name], s)
	}
	return by
}

// TestEveryFormatIsAccepted: every package of a format is in the list, and its
// tests run each of its scanners through the acceptance suite, with samples,
// and have a fuzz target. One that is not would be a blind spot that nobody
// notices.
func TestEveryFormatIsAccepted(t *testing.T) {
	folders, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	left := registered()
	for _, f := range folders {
		if !f.IsDir() || slices.Contains(rooms, f.Name()) {
			continue
		}
		if sources, _ := filepath.Glob(filepath.Join("..", f.Name(), "*.go")); len(sources) == 0 {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			accepted(t, os.DirFS(filepath.Join("..", f.Name())), left[f.Name()])
		})
		delete(left, f.Name())
	}
	for name := range left {
		t.Errorf("scanners come from package %s, which is not a folder below scan/", name)
	}
}

// accepted checks one package's tests.
func accepted(t interface {
	Helper()
	Errorf(format string, args ...any)
}, dir fs.FS, scanners []scan.Scanner,
) {
	t.Helper()
	if len(scanners) == 0 {
		t.Errorf("no scanner of this package is in the list of scan/all")
	}
	tests, err := readTests(dir)
	if err != nil {
		t.Errorf("its tests: %v", err)
		return
	}
	if !tests.fuzzed {
		t.Errorf("no fuzz target: want a Fuzz function that calls scantest.Fuzz")
	}
	if !tests.ran {
		t.Errorf("no samples: want a test that calls scantest.Run")
	}
	if len(scanners) < 2 {
		return
	}
	for _, s := range scanners {
		if !tests.words[s.Format()] {
			t.Errorf("no test mentions the format %q: which samples are its own?", s.Format())
		}
	}
}

// testCode is what the tests of a package were seen to do.
type testCode struct {
	fuzzed bool // a Fuzz function calls scantest.Fuzz
	ran    bool // some function calls scantest.Run
	words  map[string]bool
}

// readTests parses the tests of a package.
func readTests(dir fs.FS) (testCode, error) {
	code := testCode{words: map[string]bool{}}
	names, err := fs.Glob(dir, "*_test.go")
	if err != nil {
		return code, err
	}
	for _, name := range names {
		source, err := fs.ReadFile(dir, name)
		if err != nil {
			return code, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return code, err
		}
		for _, d := range file.Decls {
			f, isFunc := d.(*ast.FuncDecl)
			fuzz := isFunc && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz")
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
						code.words[s] = true
					}
				case *ast.CallExpr:
					code.ran = code.ran || isSuite(n, "Run")
					code.fuzzed = code.fuzzed || fuzz && isSuite(n, "Fuzz")
				}
				return true
			})
		}
	}
	return code, nil
}

// isSuite reports whether a call is one of the function in scantest.
func isSuite(call *ast.CallExpr, function string) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != function {
		return false
	}
	pkg, ok := f.X.(*ast.Ident)
	return ok && pkg.Name == "scantest"
}

func TestFormatsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Scanners() {
		if s.Format() == "" || s.Version() < 1 || seen[s.Format()] {
			t.Errorf("scanner %T: format %q, version %d", s, s.Format(), s.Version())
		}
		seen[s.Format()] = true
	}
}

// TestAcceptanceIsStrict: what the suite must not let through.
func TestAcceptanceIsStrict(t *testing.T) {
	const whole = "package x\nfunc FuzzScan(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) { scantest.Fuzz(t, New(), b) }) }\n" +
		"func TestScanner(t *testing.T) { scantest.Run(t, New(), samples(\"zip\", \"tar\")) }\n"
	scanners := Scanners()
	one, two := scanners[:1], []scan.Scanner{find(t, "zip"), find(t, "tar")}
	for _, c := range []struct {
		name     string
		tests    string
		scanners []scan.Scanner
		errors   int
	}{
		{"whole", whole, one, 0},
		{"two scanners", whole, two, 0},
		{"not in the list", whole, nil, 1},
		{"without tests", "package x\n", one, 2},
		{"without a fuzz target", strings.Replace(whole, "FuzzScan", "TestFuzz", 1), one, 1},
		{"fuzz target of something else", strings.Replace(whole, "scantest.Fuzz", "other.Fuzz", 1), one, 1},
		{"without samples", strings.Replace(whole, "scantest.Run", "print", 1), one, 1},
		{"samples of one of two", strings.Replace(whole, "\"tar\"", "\"rar\"", 1), two, 1},
		{"no Go", "package", one, 1},
	} {
		got := &counted{}
		accepted(got, fstest.MapFS{"x_test.go": {Data: []byte(c.tests)}}, c.scanners)
		if got.errors != c.errors {
			t.Errorf("%s: %d errors, want %d", c.name, got.errors, c.errors)
		}
	}
}

// counted counts errors.
type counted struct{ errors int }

func (*counted) Helper()                 {}
func (c *counted) Errorf(string, ...any) { c.errors++ }

func find(t *testing.T, format string) scan.Scanner {
	t.Helper()
	for _, s := range Scanners() {
		if s.Format() == format {
			return s
		}
	}
	t.Fatalf("no scanner of %s", format)
	return nil
}

// TestEveryScannerOnForeignInput runs each scanner over input that is not its
// own, whether it claims it or not: it ends, its errors are of a class, a
// reader's error comes back as it is, and it does not allocate what a number
// in the input announces.
func TestEveryScannerOnForeignInput(t *testing.T) {
	repeat := func(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }
	inputs := map[string][]byte{
		"empty": nil, "a byte": {0x80}, "zeros": make([]byte, 8<<10), "ones": repeat("\xff", 8<<10),
		"brackets": repeat("[", 8<<10), "objects": repeat(`{"a":`, 2<<10), "tags": repeat("<a>", 2<<10), "braces": repeat("{{", 4<<10),
		"marks": repeat("(", 8<<10), "varints": repeat("\x0a\xff\xff\xff\xff\x07", 1<<10), "text": repeat("a: &a [*a]\n", 500),
		"lengths": repeat("\xff\xff\xff\xff\xff\xff\xff\x7f", 512), "lines": repeat("\n", 8<<10), "quotes": repeat(`"\`, 4<<10),
	}
	const bound = 256 << 20 // bytes in all runs of one input, freed ones too
	for _, s := range Scanners() {
		t.Run(s.Format(), func(t *testing.T) {
			for name, data := range inputs {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				s.Match(scantest.Probe(name, data))
				_, err := scantest.Scan(s, name, data)
				scantest.Classified(t, err)
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > bound {
					t.Errorf("%s: %d bytes were allocated for %d bytes of input", name, n, len(data))
				}
				failing := scantest.Bytes(name, data)
				failing.ReaderAt = broken{}
				if err := s.Scan(t.Context(), failing, &scantest.Record{}); errors.Is(err, scan.ErrMalformed) && errors.Is(err, errLost) {
					t.Errorf("%s: a reader's error is reported as damage of the file: %v", name, err)
				}
			}
		})
	}
}

var errLost = errors.New("connection lost")

// broken is a reader without bytes.
type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errLost }
