package pickle

import (
	"fmt"
	"math"

	"modelwall/scan"
)

// bombWeight is how many values a container may stand for through sharing
// before hashing, comparing or printing it is an attack.
const bombWeight = 1 << 32

func (m *machine) tupleOf(n int) bool {
	if len(m.stack)-m.fence >= n {
		at := len(m.stack) - n
		t := m.made(kindTuple, m.stack[at:])
		m.stack = m.stack[:at]
		return m.push(t)
	}
	items := make([]value, n)
	for i := n - 1; i >= 0; i-- {
		var ok bool
		if items[i], ok = m.pop(); !ok {
			return false
		}
	}
	return m.push(m.made(kindTuple, items))
}

func (m *machine) gather(k kind) bool {
	items, ok := m.sinceMark()
	if !ok {
		return false
	}
	if k == kindDict {
		m.paired(items)
		d := m.filled(kindDict, nil)
		if d.p != nil {
			m.update(d.p, items[:len(items)&^1])
		} else {
			d = m.filled(kindDict, items)
		}
		return m.push(d)
	}
	return m.push(m.made(k, items))
}

func (m *machine) made(k kind, items []value) value {
	v := m.filled(k, items)
	if v.p != nil {
		m.weigh(v.p)
	}
	return v
}

// weigh reports containers that sharing makes exponentially large.
func (m *machine) weigh(n *node) {
	if n.weight < bombWeight {
		return
	}
	if !math.IsInf(n.weight, 1) {
		m.out.finding(scan.Finding{
			Rule: "pickle.bomb", Severity: scan.SeveritySuspicious, Offset: m.opAt,
			Message:   fmt.Sprintf("a container that stands for more than %d values by naming the same ones again and again", bombWeight),
			Technique: techExhaustion,
		})
	}
	n.weight = math.Inf(1)
}

// paired reports a key without a value. Python 2's C loader drops it and goes
// on; the others stop.
func (m *machine) paired(items []value) {
	if len(items)%2 == 0 {
		return
	}
	m.out.finding(scan.Finding{
		Rule: "pickle.mark", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techConfusion,
		Message: "a dict gets a key without a value: Python 2 goes on here, later loaders stop",
	})
}

// selfish reports a container that is put into itself.
func (m *machine) selfish() {
	m.out.finding(scan.Finding{
		Rule: "pickle.bomb", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techExhaustion,
		Message: "a container that holds itself, which never ends for those who walk it",
	})
}

// extend adds items to a list or set.
func (m *machine) extend(n *node, items []value) uint64 {
	flags, selfish := m.add(n, items)
	if selfish {
		m.selfish()
	}
	if n.weight >= bombWeight {
		m.weigh(n)
	}
	return flags
}

// update adds keys and values to a dict.
func (m *machine) update(n *node, items []value) {
	if m.extend(n, items)&(flagDunder<<kindBits) == 0 || n.dunder {
		return
	}
	for i := 0; i < len(items); i += 2 {
		if k := items[i]; k.is(flagDunder) && k.text() {
			if text, ok := m.text(k, 64); ok && overrides(text) {
				n.dunder = true
				return
			}
		}
	}
}

// nothingBelow reports a mark with no container below it. Python 2's own
// loader counts from the end there, and goes on with the topmost value.
func (m *machine) nothingBelow() bool {
	if len(m.stack) > 0 || len(m.marks) > 0 {
		return false
	}
	m.oddMark()
	return true
}

// insert executes APPEND, APPENDS, ADDITEMS, SETITEM and SETITEMS on the
// topmost value.
func (m *machine) insert(items []value, pairs bool) bool {
	v := m.top()
	if v == nil {
		return false
	}
	if m.explain && !v.container() && !v.scalar() && len(items) > 0 {
		kind := kindTuple
		if pairs {
			kind = kindDict
		}
		n := node{items: items, size: int64(len(items))}
		m.tell("insert %s into %s", m.describe(value{uint64(kind), &n}, 2), m.describe(*v, 2))
	}
	switch v.kind() {
	case kindList, kindSet, kindDict:
		if pairs && v.kind() == kindSet || !pairs && v.kind() == kindDict {
			if len(items) > 0 {
				return m.fail("items of the wrong kind for a container")
			}
			return true
		}
		if v.p == nil {
			m.late(*v, items)
			return true
		}
		if m.aside && v.p.pinned {
			return true
		}
		if v.p.held {
			m.late(*v, items)
		}
		if v.kind() == kindDict {
			m.update(v.p, items[:len(items)&^1])
			m.paired(items)
			return true
		}
		m.extend(v.p, items)
		return true
	case kindObject:
		return m.insertForeign(v, items, pairs)
	case kindGlobal:
		if m.names.list[v.index()].proper {
			m.out.decide()
		}
	case kindUnknown:
		if v.is(flagForgot) {
			return true
		}
	case kindNone, kindBool, kindInt, kindFloat, kindStr, kindTuple:
		if len(items) == 0 {
			return true
		}
		return m.fail("items for a value that takes none")
	}
	if len(items) == 0 && !pairs && v.kind() != kindGlobal {
		return true
	}
	m.out.finding(scan.Finding{
		Rule: "pickle.insert", Severity: scan.SeveritySuspicious, Offset: m.opAt,
		Message:   "adds items to " + m.describe(*v, 2) + ", which calls a method of it",
		Technique: techExecution,
	})
	return true
}

// late reports what must not reach a call and is added to a container that
// something else already has: it was harmless when it was judged.
func (m *machine) late(v value, items []value) {
	for _, item := range items {
		override := false
		if item.is(flagDunder) && item.text() {
			text, _ := m.text(item, 64)
			override = overrides(text)
		}
		if override || item.is(flagTaint) || item.p != nil && item.p.taint {
			m.out.finding(scan.Finding{
				Rule: "pickle.insert", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techObfuscated,
				Message: fmt.Sprintf("adds %s to a container that is already in use elsewhere", m.describe(item, 2)),
			})
			return
		}
	}
}

// overrides reports whether an attribute of that name changes how an object
// behaves rather than what it holds.
func overrides(name string) bool {
	switch name {
	case "__class__", "__setstate__", "__getstate__", "__reduce__", "__reduce_ex__", "__getattr__",
		"__getattribute__", "__setattr__", "__call__", "__init__", "__new__", "__del__", "__globals__",
		"__code__", "__builtins__", "__import__", "__bases__", "__mro__", "__subclasshook__",
		"__init_subclass__", "__prepare__", "__get__", "__set__", "__hash__", "__eq__", "__iter__",
		"__next__", "__len__", "__getitem__", "__setitem__", "__delitem__", "__contains__",
		"__enter__", "__exit__", "__repr__", "__str__", "__defaults__", "__kwdefaults__", "__closure__",
		"__wrapped__", "__array__", "__array_interface__", "__array_struct__", "__array_function__", "__array_ufunc__",
		"__array_finalize__", "__array_wrap__", "__array_prepare__", "__torch_function__", "__loader__", "__spec__", "__path__", "__reversed__", "__add__", "__await__":
		return true
	}
	return false
}
