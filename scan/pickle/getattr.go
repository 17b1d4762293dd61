package pickle

import "modelwall/scan"

// getattr follows an attribute as a dotted name would. Of an instance it gives
// a bound method, which must not reach a call: method is how that is noted.
func (m *machine) getattr(method value, items []value, whole bool, accuse func(scan.Severity, string)) value {
	unknown := plain(kindUnknown).with(flagTaint)
	attr, ok := "", false
	if len(items) == 2 && whole {
		attr, ok = m.text(items[1], maxName)
	}
	if !ok {
		accuse(scan.SeveritySuspicious, "the attribute is not a constant")
		return unknown
	}
	if items[0].kind() == kindObject && !items[0].is(flagTaint) && identifier(attr) {
		g := m.names.list[items[0].index()]
		e := m.lib.judge(g.module, g.name+"."+attr)
		if e.use == useDanger || executes(attr) {
			accuse(scan.SeverityMalicious, "it reaches for code: "+e.why)
			return unknown
		}
		if g.use.allowed() || g.use.checked() {
			if e.use.allowed() || computes(attr) || bound(g, attr) {
				return method
			}
			return method.with(flagTaint)
		}
	}
	if items[0].kind() != kindGlobal {
		accuse(scan.SeveritySuspicious, "nobody can say in advance whose attribute it takes")
		if _, bad := m.lib.alias("", attr); bad || executes(attr) {
			accuse(scan.SeverityMalicious, "it reaches for "+quoteName(attr))
		}
		return unknown
	}
	of := m.names.list[items[0].index()]
	id := m.names.intern(m.lib, of.module, of.name+"."+attr)
	if id < 0 {
		return unknown
	}
	switch e := m.names.list[id]; {
	case e.use == useDanger || executes(attr):
		accuse(scan.SeverityMalicious, "it reaches for code: "+e.why)
	case !e.use.allowed():
		accuse(scan.SeveritySuspicious, "the attribute is not on the list")
	default:
		return indexed(kindGlobal, id)
	}
	return indexed(kindGlobal, id).with(flagTaint)
}

// named follows a function that imports what its two arguments spell.
func (m *machine) named(items []value, accuse func(scan.Severity, string)) value {
	if len(items) >= 2 {
		module, ok1 := m.text(items[0], maxName)
		name, ok2 := m.text(items[1], maxName)
		if ok1 && ok2 {
			if id, ok := m.globalID(module, name); ok {
				return m.imported(id)
			}
		}
	}
	accuse(scan.SeveritySuspicious, "what it imports is not a constant")
	return plain(kindUnknown).with(flagTaint)
}
