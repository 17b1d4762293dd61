package pickle

import "modelwall/scan"

// callObject executes the call of an instance whose class says what that does:
// a type that cloudpickle looked up, or a partial function, which protocols
// below 4 make of a class with keyword arguments and call at once.
func (m *machine) callObject(callee, args, kwargs value, verb string) (value, bool) {
	if callee.kind() == kindObject {
		if g := m.names.list[callee.index()]; g.use == useCode && g.name == "_builtin_type" {
			if id := m.names.intern(m.lib, g.module, "_make_function"); id >= 0 {
				return m.callGlobal(id, args, kwargs, verb), true
			}
		}
	}
	if !m.partial(callee) || callee.p == nil || verb != verbCalls {
		return value{}, false
	}
	bound, whole := callee.p.items, int64(len(callee.p.items)) == callee.p.size
	named := kwargs
	if callee.p.state.w != 0 {
		// (function, positional, named, attributes)
		state, all := callee.p.state.items()
		if len(state) != 4 || !all || state[1].kind() != kindTuple {
			return value{}, false
		}
		rest, all := state[1].items()
		bound, whole = append([]value{state[0]}, rest...), all
		if !state[2].empty() {
			if kwargs.w != 0 && !kwargs.empty() {
				return value{}, false
			}
			named = state[2]
		}
	} else if callee.is(flagBuilt) {
		return value{}, false
	}
	items, all := args.items()
	if !whole || !all || len(bound) == 0 || bound[0].kind() != kindGlobal {
		return value{}, false
	}
	if m.explain {
		m.tell("call %s%s", m.describe(bound[0], 1), m.describeCall(args, kwargs))
	}
	all2 := append(append([]value{}, bound[1:]...), items...)
	return m.callGlobal(bound[0].index(), m.filled(kindTuple, all2), named, verbCalls), true
}

// new executes the __new__ of a class, which takes the class to make first.
func (m *machine) new(items []value, kwargs value, whole bool, accuse func(scan.Severity, string)) value {
	if len(items) == 0 || !whole || items[0].kind() != kindGlobal {
		accuse(scan.SeveritySuspicious, "nobody can say in advance what it makes an instance of")
		return plain(kindUnknown).with(flagTaint)
	}
	return m.callGlobal(items[0].index(), m.filled(kindTuple, items[1:]), kwargs, verbMakes)
}

// rebuild executes dill's way to make an array: numpy's, then its state, then
// attributes.
func (m *machine) rebuild(items []value, whole bool, accuse func(scan.Severity, string)) value {
	unknown := plain(kindUnknown).with(flagTaint)
	if !whole || len(items) < 3 || len(items) > 4 || items[0].kind() != kindGlobal {
		accuse(scan.SeveritySuspicious, "what it calls is not on the list")
		return unknown
	}
	f := m.names.list[items[0].index()]
	if f.use != useOfClass || f.pkg() != "numpy" || items[2].tainted() {
		accuse(scan.SeveritySuspicious, "what it calls, or the state it sets, is not harmless")
		return unknown
	}
	if len(items) == 4 && (items[3].tainted() || items[3].is(flagForgot) || m.overriding(items[3])) {
		accuse(scan.SeveritySuspicious, "the attributes that it sets are not harmless")
	}
	return m.callGlobal(items[0].index(), items[1], value{}, verbCalls)
}
