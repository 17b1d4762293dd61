package rdata

import (
	"context"

	"modelwall/scan"
)

// place is what becomes of an object when the file is loaded and used.
type place uint8

const (
	asData    place = iota // a value
	asQuoted               // code kept as a value: a call, a formula, an expression
	asClosure              // the body of a function: runs when it is called
	asForced               // runs when a value is looked at, or by itself
)

// role is what the object that comes next is for.
type role struct {
	place
	frame bool   // the bindings of an environment
	dots  bool   // the arguments that "..." stands for
	value bool   // the value of one of these: R keeps promises there
	auto  bool   // a function that R runs by itself
	head  bool   // what a call calls
	rda   bool   // the list of variables that save wrote
	mask  nameID // a variable of that list, by its name
	altre bool   // the class of an ALTREP object
}

// step says how a task goes on.
type step uint8

const (
	readItem    step = iota // an object
	readTail                // the rest of a pairlist
	readSlot                // objects of a vector, n of them
	readValue               // the value of a promise, whose code is the next task
	readCode                // that code
	readHead                // what a call calls
	readByte                // byte code: instructions
	readPool                // its constants, n of them
	readLang                // a call among these constants, of type n
	readPart                // a part of such a call, which begins with its type
	endCall                 // the arguments are over
	startUnit               // a piece of code begins
	endUnit                 // it is over
	readStrings             // the elements of a character vector, n of them
)

// task is something still to be read. Tasks lie on a stack instead of Go's.
type task struct {
	step step
	role role
	n    int64
	off  int64
}

// machine reads one serialized object.
type machine struct {
	*Scanner
	in      *input
	sink    scan.Sink
	rda     bool
	tasks   []task
	refs    []nameID // of what references can refer to, from 1
	calls   []nameID // what the calls around call
	units   []unit   // the pieces of code around this place
	raws    int      // raw vectors handed on
	matched int      // bytes of strings looked at
	told    map[string]int
}

func (m *machine) push(t task) {
	if len(m.tasks) >= maxTasks {
		m.in.err = scan.Limit(m.in.off, "nested more than %d levels deep", maxTasks)
		return
	}
	m.tasks = append(m.tasks, t)
}

// object reads one object with its header.
func (m *machine) object(ctx context.Context) error {
	in := m.in
	kind := in.take(2)
	in.in = xdr
	if kind != nil && kind[0] == 'A' {
		in.in = ascii
	}
	if kind != nil && kind[0] == 'B' {
		if b := in.peek(4); len(b) == 4 && b[0] != 0 {
			in.in = native
		}
	}
	version := in.int()
	in.int() // of the R that wrote
	in.int() // of the oldest R that can read
	if version == 3 {
		in.text(int64(in.int()), 64) // the encoding
	}
	m.push(task{step: readItem, role: role{rda: m.rda}})
	for n := 0; len(m.tasks) > 0 && in.err == nil; n++ {
		if n&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		t := m.tasks[len(m.tasks)-1]
		m.tasks = m.tasks[:len(m.tasks)-1]
		m.run(ctx, t)
	}
	for len(m.units) > 0 { // what was cut off
		m.end()
	}
	return in.err
}

func (m *machine) run(ctx context.Context, t task) {
	switch t.step {
	case readItem:
		m.item(ctx, m.in.int(), t.role)
	case readTail:
		flags := m.in.int()
		switch kind(flags) {
		case nilValue:
		case pairlist, language:
			m.cell(flags, t.role)
		default:
			m.item(ctx, flags, t.role)
		}
	case readSlot:
		if t.n > 1 {
			m.push(task{step: readSlot, role: t.role, n: t.n - 1})
		}
		m.item(ctx, m.in.int(), t.role)
	case readStrings:
		m.strings(ctx, t)
	case readValue:
		flags := m.in.int()
		if kind(flags) == unbound {
			if i := len(m.tasks) - 1; i >= 0 && m.tasks[i].step == readCode {
				m.tasks[i].n = 1 // nobody has looked yet
			}
			return
		}
		m.item(ctx, flags, role{})
	case readCode:
		m.promise(ctx, t)
	case readHead:
		m.calls = append(m.calls, 0)
		m.item(ctx, m.in.int(), t.role)
	case readByte:
		m.byteCode(t)
	case readPool:
		m.pool(ctx, t)
	case readPart:
		m.part(t)
	case readLang:
		m.lang(t)
	case endCall:
		if n := len(m.calls); n > 0 {
			m.calls = m.calls[:n-1]
		}
	case startUnit:
		m.start(t.role.place)
	case endUnit:
		m.end()
	}
}

// item reads what follows the flags of an object.
func (m *machine) item(ctx context.Context, flags int32, r role) {
	in := m.in
	if in.err != nil {
		return
	}
	t := kind(flags)
	switch t {
	case nilValue, globalEnv, emptyEnv, baseEnv, baseNamespace, missingArg, unbound:
		return
	case reference:
		m.named(m.reference(flags), r)
		return
	case symbol:
		m.named(m.readSymbol(), r)
		return
	case pairlist, dots:
		m.cell(flags, r)
		return
	case language, closure, promise:
		m.code(flags, r)
		return
	case environment:
		m.environment()
		return
	case persistent, packageEnv, namespace:
		m.ref(0)
		if in.int() != 0 {
			in.fail("names in place of a string vector")
		}
		if n := in.length(); n > 0 {
			m.push(task{step: readStrings, role: r, n: n})
		}
		return
	case chars:
		m.string(flags, r)
		return
	case altrep:
		// info, state, attributes
		m.push(task{step: readItem})
		m.push(task{step: readItem})
		m.push(task{step: readItem, role: role{altre: true}})
		return
	}
	// The others have their attributes behind them.
	if flags&hasAttributes != 0 {
		m.push(task{step: readItem})
	}
	m.plain(ctx, t, r)
}

// plain reads what has no structure of its own.
func (m *machine) plain(ctx context.Context, t int32, r role) {
	in := m.in
	switch t {
	case externalPtr:
		m.ref(0)
		m.push(task{step: readItem}) // tag
		m.push(task{step: readItem}) // what it protects
	case weakRef:
		m.ref(0)
	case special, builtin:
		id := m.names[in.text(int64(in.int()), maxName)]
		if r.place == asData && m.table[id].traits != 0 {
			m.start(asClosure)
			m.named(id, role{place: asClosure, head: true})
			m.end()
			return
		}
		if r.head {
			m.named(id, r)
		}
		r.head = true
		m.mention(id, r)
	case logical, integer:
		in.numbers(in.length(), 4)
	case double:
		in.numbers(in.length(), 8)
	case complexes:
		in.numbers(in.length(), 16)
	case character:
		if n := in.length(); n > 0 {
			m.push(task{step: readStrings, role: r, n: n})
		}
	case list, expression:
		// A hash table is a list of bindings.
		slot := role{place: r.place, frame: r.frame}
		if t == expression && r.place == asData {
			slot.place = asQuoted
			m.unit(asQuoted)
		}
		if n := in.length(); n > 0 {
			m.push(task{step: readSlot, role: slot, n: n})
		}
	case byteCode:
		if r.place == asData {
			m.unit(asClosure)
		}
		in.int() // how many calls repeat
		m.push(task{step: readByte, role: role{place: max(r.place, asClosure)}})
	case raw:
		m.raw(ctx)
	case s4:
	default:
		in.fail("there is no type %d", t)
	}
}

func (m *machine) ref(n nameID) {
	if len(m.refs) >= maxRefs {
		m.in.err = scan.Limit(m.in.off, "more than %d symbols and environments", maxRefs)
		return
	}
	m.refs = append(m.refs, n)
}

func (m *machine) reference(flags int32) nameID {
	i := int(flags >> 8)
	if i == 0 {
		i = int(m.in.int())
	}
	if i < 1 || i > len(m.refs) {
		m.in.fail("a reference to object %d of %d", i, len(m.refs))
		return 0
	}
	return m.refs[i-1]
}

// environment reads a flag, then where it is enclosed, the bindings, a hash
// table of further bindings, and attributes.
func (m *machine) environment() {
	m.in.int()
	m.ref(0)
	bindings := role{frame: true}
	m.push(task{step: readItem})
	m.push(task{step: readItem, role: bindings})
	m.push(task{step: readItem, role: bindings})
	m.push(task{step: readItem})
}

// cell reads a cell of a pairlist: attributes, tag, value, and the rest.
func (m *machine) cell(flags int32, r role) {
	rest := role{place: r.place, frame: r.frame, dots: r.dots || kind(flags) == dots, rda: r.rda, altre: r.altre}
	val := role{place: r.place, value: rest.frame || rest.dots, altre: r.altre}
	if r.frame && levels(flags)&activeBinding != 0 {
		val.auto = true
	}
	m.push(task{step: readTail, role: rest})
	if flags&hasAttributes != 0 || flags&hasTag == 0 {
		m.push(task{step: readItem, role: val})
		if flags&hasTag != 0 {
			m.push(task{step: readItem})
		}
		if flags&hasAttributes != 0 {
			m.push(task{step: readItem})
		}
		return
	}
	// A tag is a symbol; its name matters for what save wrote.
	var id nameID
	switch f := m.in.int(); kind(f) {
	case symbol:
		id = m.readSymbol()
	case reference:
		id = m.reference(f)
	case nilValue:
	default:
		m.in.fail("a tag of type %d", kind(f))
	}
	if r.rda {
		val.auto = m.table[id].traits&autoRun != 0
		val.mask = id
	}
	m.push(task{step: readItem, role: val})
}

// code reads a call, a function or a promise.
func (m *machine) code(flags int32, r role) {
	alone := r.place == asData
	switch kind(flags) {
	case language:
		p := max(r.place, asQuoted)
		if alone {
			m.push(task{step: endUnit})
		}
		m.push(task{step: endCall})
		m.push(task{step: readTail, role: role{place: p}})
		m.push(task{step: readHead, role: role{place: p, head: true}})
		if alone {
			m.push(task{step: startUnit, role: role{place: p}})
		}
	case closure:
		p := max(r.place, asClosure)
		if r.auto {
			p = asForced
		}
		m.masked(r)
		m.push(task{step: endUnit})
		m.push(task{step: readItem, role: role{place: p}}) // body
		m.push(task{step: readItem, role: role{place: p}}) // arguments
		m.push(task{step: startUnit, role: role{place: p}})
	case promise:
		m.push(task{step: readCode, role: r, off: m.in.off - 4})
		m.push(task{step: readValue})
	}
	if flags&hasTag != 0 { // an environment, or the name of an argument
		m.push(task{step: readItem})
	}
	if flags&hasAttributes != 0 {
		m.push(task{step: readItem})
	}
}

// unit marks what is read next as a piece of code.
func (m *machine) unit(p place) {
	m.push(task{step: endUnit})
	m.start(p)
}
