package pickle

import (
	"fmt"

	"modelwall/scan"
)

// build executes BUILD: __setstate__, or an update of __dict__ and slots.
func (m *machine) build() bool {
	state, ok := m.pop()
	if !ok {
		return false
	}
	inst := m.top()
	if inst == nil {
		return false
	}
	hold(state)
	accuse := func(s scan.Severity, why string) {
		m.out.finding(scan.Finding{
			Rule: "pickle.build", Severity: s, Offset: m.opAt, Technique: techExecution,
			Message: fmt.Sprintf("sets the state of %s to %s: %s", m.describe(*inst, 2), m.describe(state, 3), why),
		})
	}
	if m.explain && !inst.scalar() {
		m.tell("build %s from %s", m.describe(*inst, 2), m.describe(state, 3))
	}
	switch inst.kind() {
	case kindGlobal:
		if m.names.list[inst.index()].proper {
			m.out.decide()
		}
		if !state.empty() {
			accuse(scan.SeverityMalicious, "it replaces attributes of a class, function or module")
		}
	case kindObject:
		g := m.names.list[inst.index()]
		bad := m.stateWhy(g.use, state)
		switch {
		case g.use == useDanger:
			accuse(scan.SeverityMalicious, g.why)
		case bad != "":
			accuse(scan.SeveritySuspicious, bad)
		case !g.use.allowed() && !g.use.checked() || g.use == useValue || g.use == useGetattr:
			accuse(scan.SeveritySuspicious, "no list of harmless classes has it")
		case g.use == usePartial && !m.listed(first(held(state))):
			accuse(scan.SeveritySuspicious, "what it would call later is not on the list")
		case state.is(flagForgot):
			accuse(scan.SeveritySuspicious, "the state lies out of sight")
		case m.overriding(state):
			accuse(scan.SeveritySuspicious, "it replaces a method of the instance")
		case state.tainted():
			accuse(scan.SeveritySuspicious, "it holds something that is not harmless")
		}
		*inst = inst.with(flagBuilt)
		if g.use == useDtype || g.use == useArray {
			if inst.p == nil {
				inst.p = m.node()
			}
			if inst.p != nil {
				inst.p.state = state
			}
		} else {
			m.release(state)
		}
		if g.use == useArray {
			return m.rawArray(*inst)
		}
	case kindUnknown:
		if !inst.is(flagForgot) {
			accuse(scan.SeveritySuspicious, "nobody can say in advance what that is")
		}
	case kindPersistent:
		accuse(scan.SeveritySuspicious, "what the loader's persistent_load returned is changed")
	}
	return true
}

// overriding reports whether a state names attributes that change what an
// instance does.
func (m *machine) overriding(state value) bool {
	if state.p == nil {
		return false
	}
	if state.kind() == kindDict {
		return state.p.dunder
	}
	if state.kind() == kindTuple && len(state.p.items) <= 2 {
		for _, v := range state.p.items {
			if v.kind() == kindDict && v.p != nil && v.p.dunder {
				return true
			}
		}
	}
	return false
}

// insertForeign adds items to an instance, which calls its append, extend,
// add or __setitem__.
func (m *machine) insertForeign(v *value, items []value, pairs bool) bool {
	if len(items) == 0 {
		return true
	}
	g := m.names.list[v.index()]
	f := scan.Finding{
		Rule: "pickle.insert", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techExecution,
		Message: fmt.Sprintf("adds items to an instance of %s, which calls a method of it", g),
	}
	switch {
	case !g.use.allowed(), g.use == useValue, g.use == useFunc, g.use == useGetattr:
		m.out.finding(f)
	case v.is(flagBuilt), !pairs && v.is(flagKeyed):
		f.Message += " after what it holds by name was set: no pickler writes this order"
		m.out.finding(f)
	}
	if pairs {
		*v = v.with(flagKeyed)
	}
	return true
}

// hold notes that something else than the stack has v from now on.
func hold(v value) {
	if v.p != nil {
		v.p.held = true
	}
}

// held returns what is kept of a container.
func held(v value) []value {
	items, _ := v.items()
	return items
}
