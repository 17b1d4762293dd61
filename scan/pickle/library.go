package pickle

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// tables holds what is known about importable names, one file per ecosystem.
// A line is
//
//	module name[,name…] kind # why
//
// "module.*" stands for the module and everything below it; the name "*"
// stands for any name and "<Class>" for one in CapWords. An exact line wins
// over a pattern, a pattern with names over one without, and a longer module
// pattern over a shorter one. The module "*" has names that "<Class>" does not
// stand for: modules import them from elsewhere.
// renames.txt lists what Python 3 reads under Python 2's names.
//
//go:embed tables/*.txt
var tables embed.FS

// use is what a pickle may do with a global.
type use uint8

const (
	useUnknown use = iota // in no table
	useDanger             // importing it has no benign reason
	useSuspect            // seldom benign: reported, however it is used
	useLib                // in a library that is no threat when merely imported
	useCode               // makes a function, class or module out of code
	// Classes that compute with the state they are filled with; stateWhy says
	// which states are harmless.
	useDistribution // scipy: executes the text of its argument parser
	useFormula      // statsmodels: evaluates its formula
	useCodegen      // e3nn: loads compiled modules, or a pickle of them
	useEmbedding    // flair: may download the model that it names
	useScript       // torch: a native object of the class that it names
	useValue        // data or a function that may be named, not called
	useClass        // a class that may be made with any harmless arguments
	useState        // a class whose instances are made empty, then filled
	useModule       // as useState, and its initialiser only makes numbers
	useFunc         // a function that is harmless with any harmless arguments
	useConsts       // callable with constants only
	useCodec        // _codecs.encode: bytes spelled as text
	useGetattr      // getattr on a listed pair
	usePartial      // functools.partial of an allowed callable
	useFactory      // defaultdict: the first argument is a callable
	useOfClass      // makes an instance of the class in its first argument
	useNew          // the __new__ of a class that may be made
	useSubscript    // operator.getitem of a name of module typing
	useFlags        // joins members of an enumeration
	useApply        // calls its first argument with its third
	useRebuild      // calls its first argument with its second, and sets a state
	useNamed        // finds a function by the module and name it is given
	useLoader       // reads a pickle in its first argument
	useAlloc        // allocates as much as its numbers say
	useTypeName     // dill: the name of a built-in type
	useNoFile       // callable with constants only, the first of which would be a file
	useDtype        // numpy.dtype
	useArray        // joblib's placeholder before a raw array
)

var useNames = map[string]use{
	"danger": useDanger, "suspect": useSuspect, "lib": useLib, "value": useValue,
	"code": useCode, "distribution": useDistribution, "formula": useFormula,
	"codegen": useCodegen, "embedding": useEmbedding, "script": useScript,
	"class": useClass, "state": useState, "module": useModule, "func": useFunc, "consts": useConsts,
	"codec": useCodec, "getattr": useGetattr, "partial": usePartial,
	"factory": useFactory, "ofclass": useOfClass, "apply": useApply,
	"named": useNamed, "loader": useLoader, "alloc": useAlloc, "typename": useTypeName,
	"dtype": useDtype, "array": useArray,
	"subscript": useSubscript, "flags": useFlags, "rebuild": useRebuild, "nofile": useNoFile,
}

// allowed reports whether merely naming the global is harmless.
func (u use) allowed() bool { return u >= useValue }

// checked reports whether the global is a class whose states are looked at
// one by one.
func (u use) checked() bool {
	switch u {
	case useDistribution, useFormula, useCodegen, useEmbedding, useScript:
		return true
	}
	return false
}

// empty reports whether the global is a class whose instances are made without
// arguments.
func (u use) empty() bool { return u == useState || u == useModule || u.checked() }

// carries reports whether the global may be an argument of an allowed call.
func (u use) carries() bool {
	switch u {
	case useGetattr, usePartial, useApply, useRebuild, useNamed, useLoader, useCodec, useSubscript, useFlags:
		return false
	}
	return u.allowed() || u.checked()
}

// makes reports whether the global is a class that can be made of any
// harmless arguments.
func (u use) makes() bool {
	switch u {
	case useClass, useConsts, useAlloc, useFactory, useDtype, useTypeName:
		return true
	}
	return false
}

// entry is what a table says about a name.
type entry struct {
	use use
	why string
}

type symbol struct{ module, name string }

// pattern is a line that stands for many names, or for one in many modules.
type pattern struct {
	name string // "*", "<Class>" or a name
	entry
}

func (p pattern) match(name string) bool {
	return p.name == "*" || p.name == "<Class>" && capWords(name)
}

// among returns what the pattern says unless the name is one that modules
// import from elsewhere: pickles name a class by the module that defines it.
func (p pattern) among(foreign entry) entry {
	if foreign.use != useUnknown && p.name == "<Class>" && p.use != useDanger {
		return foreign
	}
	return p.entry
}

// library is the reviewed knowledge about importable names. It does not
// change once it is loaded.
type library struct {
	exact    map[symbol]entry
	below    map[symbol]entry     // one name in a module and all below it
	patterns map[string][]pattern // by the module without ".*"
	single   map[string][]pattern // for that module alone
	renamed  map[symbol]symbol
	modules  map[string]string
}

func loadLibrary() (*library, error) {
	l := &library{
		exact: map[symbol]entry{}, below: map[symbol]entry{}, patterns: map[string][]pattern{}, single: map[string][]pattern{},
		renamed: map[symbol]symbol{}, modules: map[string]string{},
	}
	files, err := fs.Glob(tables, "tables/*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		data, err := tables.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(data), "\n") {
			add := l.add
			if name == "tables/renames.txt" {
				add = l.rename
			}
			if err := add(line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
		}
	}
	return l, nil
}

func (l *library) add(line string) error {
	line, why, _ := strings.Cut(line, "#")
	f := strings.Fields(line)
	if len(f) == 0 {
		return nil
	}
	if len(f) != 3 {
		return fmt.Errorf("want module, name and kind, have %d fields", len(f))
	}
	u, ok := useNames[f[2]]
	if !ok {
		return fmt.Errorf("no such kind %q", f[2])
	}
	e := entry{u, strings.TrimSpace(why)}
	for _, name := range strings.Split(f[1], ",") {
		module, below := strings.CutSuffix(f[0], ".*")
		switch {
		case name == "*" || name == "<Class>":
			to := l.single
			if below {
				to = l.patterns
			}
			to[module] = append(to[module], pattern{name, e})
		default:
			to := l.exact
			if below {
				to = l.below
			}
			s := symbol{module, name}
			if old, ok := to[s]; ok && old.use != u {
				return fmt.Errorf("%s %s is listed twice, differently", f[0], name)
			}
			to[s] = e
		}
	}
	return nil
}

func (l *library) rename(line string) error {
	line, _, _ = strings.Cut(line, "#")
	switch f := strings.Fields(line); len(f) {
	case 0:
	case 2:
		l.modules[f[0]] = f[1]
	case 4:
		l.renamed[symbol{f[0], f[1]}] = symbol{f[2], f[3]}
	default:
		return fmt.Errorf("want two modules, or two modules with names")
	}
	return nil
}

// find returns what the tables say about a name, by exact line, then by
// pattern.
func (l *library) find(module, name string) entry {
	if e, ok := l.exact[symbol{module, name}]; ok {
		return e
	}
	for m := module; m != ""; m = parent(m) {
		if e, ok := l.below[symbol{m, name}]; ok {
			return e
		}
	}
	foreign := l.exact[symbol{"*", name}]
	for _, p := range l.single[module] {
		if p.match(name) {
			return p.among(foreign)
		}
	}
	for m := module; m != ""; m = parent(m) {
		for _, p := range l.patterns[m] {
			if p.match(name) {
				return p.among(foreign)
			}
		}
	}
	return entry{}
}

// parent is the module that has module, "" for a topmost one.
func parent(module string) string {
	return module[:max(0, strings.LastIndexByte(module, '.'))]
}

// capWords reports whether name looks like a class: CapWords after optional
// underscores, or an abbreviation in capitals, without dots. Several words in
// capitals are a constant.
func capWords(name string) bool {
	name = strings.TrimLeft(name, "_")
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return false
	}
	lower := false
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		default:
			return false
		}
	}
	return lower || !strings.Contains(name, "_")
}

// constant reports whether name is one that classes have for constants and
// members of enumerations: capitals, digits and underscores.
func constant(name string) bool {
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
