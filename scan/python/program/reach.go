package program

import (
	"cmp"
	"slices"

	"modelwall/scan"
)

// judge decides which facts are of what runs by itself.
func (m *machine) judge() {
	m.reach()
	hot := func(f fact) bool {
		if m.opts.Interactive {
			return false
		}
		return f.fn.reached && (!f.main || m.setup)
	}
	m.traits()
	seen := map[string]int{}
	for _, f := range m.facts {
		if !hot(f) {
			f.Severity = f.cold
		}
		if f.Severity == scan.Info {
			continue
		}
		if f.Severity == scan.Low {
			if seen[f.What]++; seen[f.What] > 3 {
				continue
			}
		}
		m.result.Facts = append(m.result.Facts, f.Fact)
	}
	slices.SortStableFunc(m.result.Facts, func(a, b Fact) int { return cmp.Compare(a.Off, b.Off) })
}

// reach marks the functions that run when the file is imported or used as it
// is meant to be.
func (m *machine) reach() {
	work := []*fun{m.module}
	for _, f := range m.funs {
		f.reached = false
		if f.entry && f.scope != nil {
			work = append(work, f)
		}
	}
	m.module.reached = false
	for len(work) > 0 {
		f := work[len(work)-1]
		work = work[:len(work)-1]
		if f.reached {
			continue
		}
		f.reached = true
		for g := range f.calls {
			if !g.reached {
				work = append(work, g)
			}
		}
	}
}

// traits judges what only the whole file shows.
func (m *machine) traits() {
	add := func(f Fact) {
		m.result.Facts = append(m.result.Facts, f)
	}
	d := m.dunders
	if d["__subclasses__"] && d["__globals__"] && d["__builtins__"] && (d["__mro__"] || d["__base__"] || d["__bases__"] || d["__class__"] || d["__init__"]) {
		add(Fact{"gadget", scan.SeveritySuspicious, "obfuscation", "climbs from an object to the interpreter's own functions, as code does that wants to hide what it calls", 0})
	}
	n := m.native
	alloc := n["VirtualAlloc"] + n["VirtualAllocEx"] + n["NtAllocateVirtualMemory"] + n["VirtualProtect"]
	write := n["RtlMoveMemory"] + n["WriteProcessMemory"] + n["RtlCopyMemory"]
	start := n["CreateThread"] + n["CreateRemoteThread"] + n["NtCreateThreadEx"] + n["QueueUserAPC"] + n["EnumSystemLocalesA"]
	if alloc > 0 && (write > 0 || start > 0) {
		add(Fact{"shellcode", scan.SeverityMalicious, "code-execution", "puts machine code into memory and runs it", max(n["VirtualAlloc"], n["VirtualAllocEx"])})
	}
	if m.result.Stats.Giant || m.result.Stats.Deep || m.result.Stats.Lost && m.result.Stats.Words > 0 {
		add(Fact{"size", scan.SeveritySuspicious, "obfuscation", "an expression too long or too deep for people and for this reader", 0})
	}
}
