package rdata

import "context"

// promise reads the code of a promise. t.n is 1 for one that nobody has looked
// at; otherwise R has its value and will not run the code again.
func (m *machine) promise(ctx context.Context, t task) {
	flags := m.in.int()
	if m.in.err != nil {
		return
	}
	if t.n == 0 {
		m.item(ctx, flags, role{place: asQuoted, value: true})
		return
	}
	if !t.role.value {
		m.naked(flags, t)
	}
	m.unit(asForced)
	m.item(ctx, flags, role{place: asForced})
}

// byteCode reads the instructions, an integer vector, and how many constants
// follow.
func (m *machine) byteCode(t task) {
	in := m.in
	flags := in.int()
	if kind(flags) != integer {
		in.fail("byte code of type %d", kind(flags))
		return
	}
	in.numbers(in.length(), 4)
	n := int64(in.int())
	if n < 0 || n > in.f.Size-in.off {
		in.fail("%d constants with %d bytes left", n, in.f.Size-in.off)
		return
	}
	if n > 0 {
		m.push(task{step: readPool, role: t.role, n: n})
	}
}

// pool reads one constant of byte code.
func (m *machine) pool(ctx context.Context, t task) {
	if t.n > 1 {
		m.push(task{step: readPool, role: t.role, n: t.n - 1})
	}
	switch k := m.in.int(); k {
	case byteCode:
		m.push(task{step: readByte, role: t.role})
	case language, pairlist, repeatDef, repeatRef, languageAttr, pairlistAttr:
		m.push(task{step: readLang, role: t.role, n: int64(k)})
	default:
		r := t.role
		flags := m.in.int()
		// What byte code calls by name stands among the constants.
		r.head = kind(flags) == symbol || kind(flags) == reference
		m.pooled(ctx, flags, r)
	}
}

// pooled reads a constant that is an object. Symbols are names of variables as
// well as of functions; the ones that people give variables do not count.
func (m *machine) pooled(ctx context.Context, flags int32, r role) {
	if !r.head {
		m.item(ctx, flags, r)
		return
	}
	var id nameID
	if kind(flags) == symbol {
		id = m.readSymbol()
	} else {
		id = m.reference(flags)
	}
	if m.table[id].traits&common == 0 {
		m.mention(id, r)
	}
}

// lang reads a call or pairlist among the constants of byte code.
func (m *machine) lang(t task) {
	in := m.in
	k := int32(t.n)
	switch k {
	case repeatRef:
		in.int()
		return
	case repeatDef:
		in.int()
		k = in.int()
	}
	attributes := false
	switch k {
	case languageAttr:
		k, attributes = language, true
	case pairlistAttr:
		k, attributes = pairlist, true
	}
	if k != language && k != pairlist {
		m.push(task{step: readItem, role: t.role})
		return
	}
	r := role{place: t.role.place}
	if k == language {
		m.calls = append(m.calls, 0)
		m.push(task{step: endCall})
	}
	m.push(task{step: readPart, role: r})
	head := r
	head.head = k == language
	m.push(task{step: readPart, role: head})
	m.push(task{step: readItem}) // tag
	if attributes {
		m.push(task{step: readItem})
	}
}

// part reads the type of a part of such a call, and the part.
func (m *machine) part(t task) {
	m.push(task{step: readLang, role: t.role, n: int64(m.in.int())})
}
