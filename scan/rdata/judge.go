package rdata

import (
	"context"
	"fmt"

	"modelwall/scan"
	"modelwall/scan/internal/clue"
)

// unit is a piece of code that runs as a whole: a call, a function, the code
// of a promise.
type unit struct {
	place   place
	off     int64
	traits  traits
	names   [4]nameID // what gave it its traits
	command string    // a string in it that is a command or code
}

func (m *machine) start(p place) {
	m.units = append(m.units, unit{place: p, off: m.in.off})
}

// end judges the innermost piece of code.
//
//	starts programs      forced: malicious    function, call: suspicious
//	a command as text    with what starts it: malicious    alone: suspicious
//	network, files       forced: suspicious   function, call: low
//	decoded code         suspicious
func (m *machine) end() {
	n := len(m.units) - 1
	if n < 0 {
		return
	}
	u := m.units[n]
	m.units = m.units[:n]
	where := [...]string{"a value", "a saved call", "a function", "code that runs when a value is used"}[u.place]
	has := func(t traits) bool { return u.traits&t != 0 }
	report := func(rule string, sev scan.Severity, what string) {
		m.finding(rule, sev, "code-execution", u.off, where+what)
	}
	switch {
	case has(starts):
		sev := scan.SeveritySuspicious
		if u.place == asForced || u.command != "" {
			sev = scan.SeverityMalicious
		}
		report("rdata.call", sev, " starts a program or loads native code: "+m.listed(u))
	case u.command != "":
		report("rdata.command", scan.SeveritySuspicious, " has a command in it: "+scan.Quote(u.command, 160))
	case has(evaluates) && has(decodes):
		report("rdata.decoded", scan.SeveritySuspicious, " makes code of encoded data: "+m.listed(u))
	case has(connects|touches) && u.place == asForced:
		report("rdata.call", scan.SeveritySuspicious, " uses files or the network: "+m.listed(u))
	case has(connects | touches):
		report("rdata.call", scan.Low, " uses files or the network: "+m.listed(u))
	}
}

// listed names the functions that decided.
func (m *machine) listed(u unit) string {
	var text string
	for _, id := range u.names {
		if id == 0 {
			break
		}
		if text != "" {
			text += ", "
		}
		text += m.table[id].text
	}
	if u.command != "" {
		text += " with " + scan.Quote(u.command, 160)
	}
	return text
}

// named takes a symbol in its role.
func (m *machine) named(id nameID, r role) {
	if r.head {
		if n := len(m.calls) - 1; n >= 0 {
			m.calls[n] = id
		}
	}
	if r.altre && m.table[id].traits&maps != 0 {
		m.finding("rdata.mmap", scan.SeveritySuspicious, "file-access", m.in.off,
			"an object of class "+m.table[id].text+" maps the file that it names when it is read")
	}
	m.mention(id, r)
}

// mention counts a function that code calls, or gives to what calls it.
func (m *machine) mention(id nameID, r role) {
	t := m.table[id].traits
	if r.place == asData || len(m.units) == 0 || t == 0 {
		return
	}
	if !r.head && m.around()&(functional|qualifies) == 0 {
		return
	}
	u := &m.units[len(m.units)-1]
	const deciding = starts | connects | touches | evaluates | decodes
	if t&deciding != 0 {
		for i, have := range u.names {
			if have == id {
				break
			}
			if have == 0 {
				u.names[i] = id
				break
			}
		}
	}
	u.traits |= t
}

// around returns the traits of what the innermost call calls.
func (m *machine) around() traits {
	if n := len(m.calls); n > 0 {
		return m.table[m.calls[n-1]].traits
	}
	return 0
}

// masked reports functions that load() puts where R or its user looks for
// others.
func (m *machine) masked(r role) {
	switch n := m.table[r.mask]; {
	case n.traits&autoRun != 0:
		m.finding("rdata.autorun", scan.SeveritySuspicious, "code-execution", m.in.off,
			"the workspace has a function "+n.text+", which R runs by itself")
	case n.traits&hides != 0:
		m.finding("rdata.mask", scan.SeveritySuspicious, "code-execution", m.in.off,
			"the workspace has a function "+scan.Quote(n.text, maxName)+", which hides R's own")
	}
}

// naked reports a promise in a place where R keeps none.
func (m *machine) naked(flags int32, t task) {
	sev, what := scan.SeveritySuspicious, "a value that is not there yet"
	switch kind(flags) {
	case language, byteCode, altrep:
		what = "a call"
		if t.role.place == asData {
			sev = scan.SeverityMalicious
		}
	}
	m.finding("rdata.promise", sev, "code-execution", t.off,
		"a promise as a value: "+what+" that R evaluates when the object is touched (CVE-2024-27322)")
}

func (m *machine) finding(rule string, sev scan.Severity, technique string, off int64, message string) {
	key := rule + sev.String()
	if m.told[key]++; m.told[key] > maxFinding {
		return
	}
	m.sink.Finding(scan.Finding{Rule: rule, Severity: sev, Message: message, Offset: off, Technique: technique})
}

// readSymbol reads the name of a symbol.
func (m *machine) readSymbol() nameID {
	in := m.in
	if f := in.int(); kind(f) != chars {
		in.fail("a symbol with a name of type %d", kind(f))
		return 0
	}
	id := m.names[in.text(int64(in.int()), maxName)]
	m.ref(id)
	return id
}

// strings reads the elements of a character vector.
func (m *machine) strings(ctx context.Context, t task) {
	for n := t.n; n > 0 && m.in.err == nil; n-- {
		if n&0xffff == 0 && ctx.Err() != nil {
			m.in.err = ctx.Err()
			return
		}
		flags := m.in.int()
		if kind(flags) == reference || kind(flags) == nilValue {
			continue // NA_STRING in some versions
		}
		if kind(flags) != chars {
			m.in.fail("a string of type %d", kind(flags))
			return
		}
		if flags&hasAttributes != 0 && n > 1 {
			m.push(task{step: readStrings, role: t.role, n: n - 1})
			n = 1
		}
		m.string(flags, t.role)
	}
}

// string reads one string.
func (m *machine) string(flags int32, r role) {
	in := m.in
	n := int64(in.int())
	if flags&hasAttributes != 0 {
		m.push(task{step: readItem})
	}
	if n < 0 { // NA
		return
	}
	limit := 0
	if r.place != asData {
		limit = maxString
	}
	s := in.text(n, limit)
	if s == "" || len(m.units) == 0 || in.err != nil {
		return
	}
	if m.around()&(finds|functional) != 0 {
		m.mention(m.names[s], role{place: r.place, head: true})
	}
	u := &m.units[len(m.units)-1]
	if u.command == "" && m.matched < maxMatched {
		m.matched += len(s)
		u.command = m.phrases.Match(s)
	}
}

// Bounds of the text in code that is looked at, in bytes: of one string, and
// of all.
const (
	maxString  = 4 << 10
	maxMatched = 512 << 10
)

// raw reads bytes, which may be a serialized object of any kind.
func (m *machine) raw(ctx context.Context) {
	in := m.in
	n := in.length()
	if in.in == ascii {
		in.numbers(n, 1)
		return
	}
	head := in.peek(int(min(n, 64)))
	if m.raws < maxRaw && (stream(head) || clue.Serialized(head)) && n <= in.f.Size-in.off {
		m.raws++
		err := m.sink.Member(ctx, scan.Member{Name: fmt.Sprintf("raw@%d", in.off), At: in.f.Section(in.off, n), Size: n})
		if err != nil && in.err == nil {
			in.err = err
		}
	}
	in.skip(n)
}
