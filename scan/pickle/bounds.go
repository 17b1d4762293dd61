package pickle

import "bytes"

// Bounds of the names of globals. No module needs them, but names are kept as
// evidence, and to judge one takes time that grows with its dots.
const (
	maxNames = 4 << 20   // bytes of all different ones
	maxDots  = 512       // of one
	maxPaths = 300 << 20 // of all: dots squared, times bytes
)

// nameFits reports whether the spelling of a module or attribute keeps the
// bounds of one.
func (m *machine) nameFits(name []byte) bool {
	if len(name) > maxName || bytes.Count(name, []byte{'.'}) > maxDots {
		return m.exceed("a name of more than %d bytes or %d dots", maxName, maxDots)
	}
	return true
}

// pathFits does so for the name that STACK_GLOBAL is about to import.
func (m *machine) pathFits() bool {
	n := len(m.stack)
	if n == 0 || !m.stack[n-1].text() {
		return true
	}
	name, _ := m.text(m.stack[n-1], maxName)
	return m.nameFits([]byte(name))
}

// namesFit reports whether the names of all globals so far keep their bounds.
func (m *machine) namesFit() bool {
	for ; m.measured < len(m.names.list); m.measured++ {
		g := &m.names.list[m.measured]
		size := len(g.module) + len(g.name)
		dots := bytes.Count([]byte(g.name), []byte{'.'})
		m.nameBytes += size
		m.paths += dots * dots * size
	}
	if m.nameBytes > maxNames || m.paths > maxPaths {
		return m.exceed("more than %d bytes of names of globals, or too many dots in them", maxNames)
	}
	return true
}
