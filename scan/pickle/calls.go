package pickle

import (
	"fmt"
	"slices"

	"modelwall/scan"
)

// How a call reads in a message.
const (
	verbCalls = "calls"
	verbMakes = "makes an instance of"
)

// stepVerb is how a call reads in an explanation.
func stepVerb(verb string) string {
	if verb == verbMakes {
		return "make"
	}
	return "call"
}

// reduce executes REDUCE.
func (m *machine) reduce() bool {
	args, ok := m.pop()
	if !ok {
		return false
	}
	callee, ok := m.pop()
	return ok && m.call(callee, args, value{}, verbCalls)
}

// newObj executes NEWOBJ and NEWOBJ_EX.
func (m *machine) newObj(keywords bool) bool {
	var kwargs value
	if keywords {
		var ok bool
		if kwargs, ok = m.pop(); !ok {
			return false
		}
	}
	args, ok := m.pop()
	if !ok {
		return false
	}
	class, ok := m.pop()
	return ok && m.call(class, args, kwargs, verbMakes)
}

// inst executes INST.
func (m *machine) inst() bool {
	id, ok := m.nameLines()
	if !ok {
		return false
	}
	class := m.imported(id)
	items, ok := m.sinceMark()
	return ok && m.call(class, m.filled(kindTuple, items), value{}, verbCalls)
}

// obj executes OBJ.
func (m *machine) obj() bool {
	items, ok := m.sinceMark()
	if !ok {
		return false
	}
	if len(items) == 0 {
		return m.fail("OBJ without a class")
	}
	class := items[0]
	return m.call(class, m.filled(kindTuple, items[1:]), value{}, verbCalls)
}

// call pushes what calling callee gives.
func (m *machine) call(callee, args, kwargs value, verb string) bool {
	switch callee.kind() {
	case kindGlobal:
		g := &m.names.list[callee.index()]
		if g.proper {
			m.out.decide()
		}
		m.out.note(note{global: callee.index(), called: true, imp: scan.Import{Module: g.module, Name: g.name, Offset: m.opAt}})
		if m.explain {
			m.tell("%s %s%s", stepVerb(verb), g, m.describeCall(args, kwargs))
		}
		result := m.callGlobal(callee.index(), args, kwargs, verb)
		if result.p == nil {
			m.release(args)
		}
		return m.push(result)
	case kindUnknown, kindObject, kindPersistent:
		if result, ok := m.callObject(callee, args, kwargs, verb); ok {
			return m.push(result)
		}
		if m.thread.globals > 0 {
			m.out.decide()
		}
		f := scan.Finding{
			Rule: "pickle.call", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techExecution,
			Message: fmt.Sprintf("%s %s, which nobody can name in advance, with %s", verb, m.describe(callee, 2), m.describe(args, 3)),
		}
		switch {
		case callee.kind() == kindUnknown && callee.is(flagTaint):
			f.Severity, f.Technique = scan.SeverityMalicious, techObfuscated
		case callee.kind() == kindObject && m.names.list[callee.index()].use == useCode:
			f.Severity = scan.SeverityMalicious
			f.Message += ": it is code that the file brings along"
		}
		m.out.finding(f)
		if m.explain {
			m.tell("%s %s with %s", stepVerb(verb), m.describe(callee, 2), m.describeCall(args, kwargs))
		}
		return m.push(plain(kindUnknown).with(flagTaint))
	}
	return m.fail("a call of something that is no function")
}

// callGlobal judges a call and returns its result.
func (m *machine) callGlobal(id int, args, kwargs value, verb string) value {
	g := m.names.list[id]
	result := indexed(kindObject, id)
	if (g.use == useDtype || g.use == usePartial) && args.p != nil {
		result.p = &node{items: args.p.items, size: args.p.size}
	}
	accuse := func(s scan.Severity, why string) {
		m.out.finding(scan.Finding{
			Rule: "pickle.call", Severity: s, Offset: m.opAt, Technique: techExecution,
			Message: fmt.Sprintf("%s %s%s: %s", verb, g, m.describeArgs(args), why),
		})
	}
	hold(args)
	items, whole := args.items()
	if holdsDict(items) || kwargs.w != 0 && !kwargs.empty() {
		result = result.with(flagKeyed)
	}
	if verb == verbMakes && (g.use == useFunc || g.use == useOfClass) {
		accuse(scan.SeveritySuspicious, "it is a function and not a class")
		return result
	}
	switch g.use {
	case useDanger:
		accuse(scan.SeverityMalicious, g.why)
		m.registerExtension(g.symbol, items)
		m.nestedArgs(items)
		return result
	case useSuspect, useUnknown, useLib:
		why := g.why
		if g.use != useSuspect {
			why = "no list of harmless callables has it"
		}
		switch {
		case executes(g.name):
			accuse(scan.SeverityMalicious, "its name says that it executes code or commands")
		case m.payload(args):
			accuse(scan.SeverityMalicious, why+", and what it is given is code, a command or an address")
		default:
			accuse(scan.SeveritySuspicious, why)
		}
		m.nestedArgs(items)
		return result
	case useCode:
		m.makeCode(args, kwargs, accuse)
		return result.with(flagTaint)
	case useValue:
		accuse(scan.SeveritySuspicious, "it is harmless as data, and nothing needs to call it")
		return result
	case useState, useModule, useArray, useDistribution, useFormula, useCodegen, useEmbedding, useScript:
		switch {
		case m.enumMember(g, items, whole):
		case !args.empty() || kwargs.w != 0 && !kwargs.empty():
			accuse(scan.SeveritySuspicious, "its instances are made without arguments")
		case verb == verbCalls && g.use != useArray:
			accuse(scan.SeveritySuspicious, "that runs its initialiser, and pickles make its instances without")
		}
		return result
	case useNew:
		return m.new(items, kwargs, whole, accuse)
	case useSubscript:
		if len(items) != 2 || !m.types(items, 3) || items[0].kind() != kindGlobal {
			accuse(scan.SeveritySuspicious, "it is harmless with names of types only")
		}
		return result
	case useFlags:
		for _, v := range items {
			if v.kind() != kindInt && !m.member(v, id) {
				accuse(scan.SeveritySuspicious, "it is harmless with members of enumerations only")
				return result.with(flagTaint)
			}
		}
		return result
	case useApply:
		return m.apply(g, items, accuse)
	case useRebuild:
		return m.rebuild(items, whole, accuse)
	case useLoader:
		m.load(g, items, accuse)
		return result
	case useGetattr:
		return m.getattr(result, items, whole, accuse)
	case useNamed:
		return m.named(items, accuse)
	case useCodec:
		return m.encode(items, whole, accuse)
	}
	if args.is(flagForgot) {
		if g.use != useClass && g.use != useFunc {
			accuse(scan.SeveritySuspicious, "its arguments lie out of sight")
		}
		return result
	}
	if args.tainted() || kwargs.tainted() && kwargs.w != 0 {
		accuse(scan.SeveritySuspicious, "it is handed something that is not harmless")
		return result
	}
	if m.walks(g, items) {
		accuse(scan.SeveritySuspicious, "it is handed something that it would call")
		return result
	}
	all := items
	if kwargs.w != 0 {
		all = append(slices.Clone(items), named(kwargs)...)
	}
	switch g.use {
	case useConsts, useNoFile:
		if g.use == useNoFile && (len(items) == 0 || items[0].kind() != kindNone || len(all) != len(items)) {
			accuse(scan.SeveritySuspicious, "it opens the file in its first argument")
		}
		if !m.constants(all, 3) || !whole {
			accuse(scan.SeveritySuspicious, "it is harmless with constants only")
		}
	case usePartial:
		if !m.listed(first(items)) {
			accuse(scan.SeveritySuspicious, "what it would call later is not on the list")
			return result.with(flagTaint)
		}
	case useFactory:
		if f := first(items); len(items) > 0 && f.kind() != kindNone && !m.carried(f) && !m.partial(f) {
			accuse(scan.SeveritySuspicious, "what it would call later is not on the list")
		}
	case useOfClass:
		return m.instance(g, items, whole, accuse)
	case useAlloc:
		if huge(all) {
			accuse(scan.SeveritySuspicious, "it allocates an absurd amount of memory")
		}
	case useTypeName:
		if name, ok := m.text(first(items), 64); !ok || !plainType(name) {
			accuse(scan.SeveritySuspicious, "the type it names is not on the list")
		} else if module, name := typeHome(name); module != "" {
			if id := m.names.intern(m.lib, module, name); id >= 0 {
				v := indexed(kindGlobal, id)
				if !m.names.list[id].use.carries() {
					v = v.with(flagTaint)
				}
				return v
			}
		}
	}
	return result
}

// apply executes a function that calls its first argument with its third, as
// torch does for tensor subclasses.
func (m *machine) apply(g global, items []value, accuse func(scan.Severity, string)) value {
	if len(items) < 3 || !m.carried(items[0]) || !m.carried(items[1]) {
		accuse(scan.SeveritySuspicious, "what it calls is not on the list")
		return plain(kindUnknown).with(flagForgot)
	}
	if len(items) > 3 && (items[3].tainted() || items[3].p != nil && items[3].p.dunder) {
		accuse(scan.SeveritySuspicious, "the state it sets is not harmless")
	}
	m.callGlobal(items[0].index(), items[2], value{}, verbCalls)
	return indexed(kindObject, items[1].index())
}

// instance executes the functions that make an instance of the class in their
// first argument.
func (m *machine) instance(g global, items []value, whole bool, accuse func(scan.Severity, string)) value {
	unknown := plain(kindUnknown).with(flagTaint)
	if len(items) == 0 || !m.carried(items[0]) && !m.stated(items[0]) {
		accuse(scan.SeveritySuspicious, "it makes an instance of a class that is not on the list")
		return unknown
	}
	class := items[0].index()
	switch g.name {
	case "__newobj__":
		if whole {
			return m.callGlobal(class, m.filled(kindTuple, items[1:]), value{}, verbMakes)
		}
	case "__newobj_ex__":
		if whole && len(items) == 3 {
			return m.callGlobal(class, items[1], items[2], verbMakes)
		}
	case "_reconstructor":
		if len(items) > 1 && items[1].kind() == kindGlobal && m.names.list[items[1].index()].use.makes() {
			return indexed(kindObject, class)
		}
	case "_reconstruct", "_mareconstruct": // an array whatever the class
		if !huge(items) {
			return indexed(kindObject, class)
		}
	default:
		c := m.names.list[class]
		if (c.use.makes() || c.use.empty() && c.pkg() == g.pkg()) && !huge(items) {
			return indexed(kindObject, class)
		}
	}
	accuse(scan.SeveritySuspicious, "what it makes of its arguments is not known to be harmless")
	return indexed(kindObject, class)
}

// encode executes _codecs.encode, with which protocols 0 to 2 spell bytes.
func (m *machine) encode(items []value, whole bool, accuse func(scan.Severity, string)) value {
	codec, ok := "utf-8", true
	if len(items) > 1 {
		codec, ok = m.text(items[1], 32)
	}
	switch codec {
	case "latin1", "latin-1", "latin_1", "iso-8859-1", "iso8859-1", "ascii", "utf-8", "utf8":
	default:
		ok = false
	}
	if !ok || !whole || len(items) == 0 || len(items) > 3 || !items[0].text() {
		accuse(scan.SeveritySuspicious, "it computes more than the bytes of a text")
		return plain(kindUnknown).with(flagTaint)
	}
	v := items[0]
	v.w = v.w&^(1<<kindBits-1) | uint64(kindBytes)
	return v.with(flagLatin1)
}

func (m *machine) registerExtension(s symbol, items []value) {
	if s.name != "add_extension" || len(items) < 3 || items[2].kind() != kindInt {
		return
	}
	module, ok1 := m.text(items[0], maxName)
	name, ok2 := m.text(items[1], maxName)
	if !ok1 || !ok2 {
		return
	}
	if id := m.names.intern(m.lib, module, name); id >= 0 && len(m.names.ext) < maxTexts {
		if m.names.ext == nil {
			m.names.ext = map[int64]int{}
		}
		m.names.ext[items[2].int()] = id
	}
}
