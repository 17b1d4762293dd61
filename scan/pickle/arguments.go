package pickle

import (
	"strings"
)

// enumMember reports whether a call is how pickles spell the member of an
// enumeration: a class with the name of one, with a short constant.
func (m *machine) enumMember(g global, items []value, whole bool) bool {
	if !g.use.empty() || g.use.checked() || !whole || len(items) != 1 {
		return false
	}
	enum := false
	for _, end := range []string{
		"Strategy", "Type", "Types", "Mode", "Format", "Method", "Option", "Names",
		"Backend", "Scheduler", "Status", "Stage", "Level", "Kind", "Policy", "Enum", "Precision", "Side",
		"Samplers", "Fn", "Reduction", "Interpolation",
	} {
		enum = enum || strings.HasSuffix(g.name, end)
	}
	if !enum {
		return false
	}
	if items[0].kind() == kindInt || items[0].kind() == kindBool {
		return true
	}
	text, ok := m.text(items[0], 64)
	return ok && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ") == ""
}

func first(items []value) value {
	if len(items) == 0 {
		return plain(kindUnknown)
	}
	return items[0]
}

// carried reports whether v is a global that may be called later, with what
// its caller has.
func (m *machine) carried(v value) bool {
	u := m.useOf(v)
	return v.kind() == kindGlobal && u.allowed() && u.carries() && u != useOfClass
}

// listed reports whether v is a global that may be called later with arguments
// that the file chooses. Initialisers of classes that are only made empty were
// not reviewed for that.
func (m *machine) listed(v value) bool {
	return m.carried(v) && m.useOf(v) != useState
}

// stated reports whether v is a class whose states are looked at.
func (m *machine) stated(v value) bool {
	return v.kind() == kindGlobal && m.useOf(v).checked()
}

// partial reports whether v is a function with arguments, judged when it was
// made.
func (m *machine) partial(v value) bool {
	return v.kind() == kindObject && !v.is(flagTaint) && m.useOf(v) == usePartial
}

// types reports whether items are names of types and values, or containers and
// parametrised types of them.
func (m *machine) types(items []value, depth int) bool {
	for _, v := range items {
		ok := v.scalar()
		switch {
		case v.kind() == kindGlobal:
			g := m.names.list[v.index()]
			ok = g.use.allowed() && g.use.carries() && (g.module == "typing" || capWords(g.name) || g.use.makes())
		case v.kind() == kindObject:
			g := m.names.list[v.index()]
			ok = (g.use == useSubscript || g.module == "builtins" || g.module == "__builtin__") && !v.is(flagTaint)
		case v.container() && depth > 0:
			sub, whole := v.items()
			ok = whole && m.types(sub, depth-1)
		}
		if !ok {
			return false
		}
	}
	return true
}

// member reports whether v is a member of an enumeration, or several joined by
// the function id.
func (m *machine) member(v value, id int) bool {
	if v.is(flagTaint) {
		return false
	}
	switch v.kind() {
	case kindGlobal:
		g := m.names.list[v.index()]
		_, attr, ok := strings.Cut(g.name, ".")
		return ok && g.use == useValue && constant(attr)
	case kindObject:
		return v.index() == id || m.names.list[v.index()].use == useConsts
	}
	return false
}

// useOf is what may be done with the global that v is, or was made by.
func (m *machine) useOf(v value) use {
	if v.kind() != kindGlobal && v.kind() != kindObject {
		return useUnknown
	}
	return m.names.list[v.index()].use
}

// constants reports whether items are constants, or containers of them.
func (m *machine) constants(items []value, depth int) bool {
	for _, v := range items {
		if v.scalar() {
			continue
		}
		if u := m.useOf(v); v.kind() == kindObject && !v.is(flagTaint) && (u.makes() || u == useFlags) {
			continue
		}
		sub, whole := v.items()
		if !v.container() || !whole || depth == 0 || !m.constants(sub, depth-1) {
			return false
		}
	}
	return true
}

// allocMax is how many elements an allocation may name that no bytes of the
// file stand for.
const allocMax = 1 << 31

// huge reports whether the numbers in the arguments, multiplied as a shape,
// come to more than allocMax.
func huge(items []value) bool {
	shape := func(vs []value) bool {
		total := 1.0
		for _, v := range vs {
			if v.kind() == kindInt {
				total *= float64(v.int())
			}
		}
		return total > allocMax
	}
	for _, v := range items {
		sub, _ := v.items()
		if v.kind() == kindInt && v.int() > allocMax || shape(sub) {
			return true
		}
	}
	return false
}

// plainType reports whether dill's name of a type is one of a value.
func plainType(name string) bool {
	switch name {
	case "object", "type", "bool", "int", "float", "complex", "str", "bytes", "bytearray", "list", "tuple",
		"dict", "set", "frozenset", "slice", "range", "NoneType", "EllipsisType", "NotImplementedType",
		"TensorType", "OrderedDict", "defaultdict", "PartialType", "mappingproxy", "ndarray", "property", "date", "datetime":
		return true
	}
	return false
}

// typeHome is the module and name of a type under dill's name for it, "" when
// the name is dill's own.
func typeHome(name string) (string, string) {
	switch name {
	case "object", "type", "bool", "int", "float", "complex", "str", "bytes", "bytearray", "list", "tuple",
		"dict", "set", "frozenset", "slice", "range", "property":
		return "builtins", name
	case "OrderedDict", "defaultdict":
		return "collections", name
	case "PartialType":
		return "functools", "partial"
	case "date", "datetime":
		return "datetime", name
	}
	return "", ""
}

// named returns the values of keyword arguments.
func named(kwargs value) []value {
	var values []value
	items, _ := kwargs.items()
	for i := 1; i < len(items); i += 2 {
		values = append(values, items[i])
	}
	return values
}

func holdsDict(items []value) bool {
	for _, v := range items {
		if v.kind() == kindDict && !v.empty() {
			return true
		}
	}
	return false
}

// walks reports whether a class would call what it is handed: a function, or
// an instance that holds one; for Python's own containers an instance of any
// class that is filled with attributes, whose methods they call.
func (m *machine) walks(g global, items []value) bool {
	if g.use != useClass && g.use != useAlloc {
		return false
	}
	own := g.module == "builtins" || g.module == "__builtin__" || g.module == "collections"
	for _, v := range items {
		switch v.kind() {
		case kindGlobal:
			f := m.names.list[v.index()]
			// Those of module torch are element types.
			if f.use == useNew || f.use == useValue && f.module != "torch" && !capWords(f.name) && !member(f.name) {
				return true
			}
		case kindObject:
			switch u := m.names.list[v.index()].use; {
			case u == usePartial, u == useGetattr, own && u.empty():
				return true
			}
		}
	}
	return false
}

// member reports whether a name is one of a constant of a class.
func member(name string) bool {
	_, attr, ok := strings.Cut(name, ".")
	return ok && constant(attr)
}

// bound reports whether a method of the class that instances of g have only
// computes with the instance, which was judged when it was filled.
func bound(g global, method string) bool {
	switch g.use {
	case useDistribution:
		switch method {
		case "_entropy", "_drv2_moment", "_mom0_sc", "_mom1_sc", "_ppf_single", "_cdf_single", "_pdf", "_cdf":
			return true
		}
	}
	return false
}

// computes reports whether a method of that name only computes something,
// whatever harmless class it belongs to and whatever it is called with.
func computes(method string) bool {
	switch method {
	case "keys", "values", "items", "get", "copy", "count", "index", "forward", "predict", "predict_proba",
		"transform", "split", "strip", "lower", "upper", "join", "replace", "startswith", "endswith",
		"mean", "sum", "min", "max", "item", "tolist":
		return true
	}
	return false
}
