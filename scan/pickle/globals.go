package pickle

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"modelwall/scan"
)

// Bounds of the names kept for one file.
const (
	maxGlobals = 100_000
	maxTexts   = 4096
	maxName    = 4096
)

// global is a distinct (module, name) of the file.
type global struct {
	symbol
	entry
	proper bool // some Python can have such a name
}

// names interns globals and caches short strings that name them.
type names struct {
	list  []global
	index map[string]int
	texts map[uint64]string
	key   []byte
	ext   map[int64]int // extension codes that the file itself registers
}

func newNames() names {
	return names{index: map[string]int{}, texts: map[uint64]string{}}
}

func (n *names) cacheText(w uint64, s string) {
	if len(n.texts) >= maxTexts {
		clear(n.texts)
	}
	n.texts[w] = s
}

// intern returns the index of a global, -1 when there are too many.
func (n *names) intern(l *library, module, name string) int {
	n.key = binary.AppendUvarint(n.key[:0], uint64(len(module)))
	n.key = append(append(n.key, module...), name...)
	if i, ok := n.index[string(n.key)]; ok {
		return i
	}
	if len(n.list) >= maxGlobals {
		return -1
	}
	n.list = append(n.list, global{symbol{module, name}, l.judge(module, name), identifier(module) && identifier(name)})
	n.index[string(n.key)] = len(n.list) - 1
	return len(n.list) - 1
}

// pkg is the topmost package of a global's module.
func (g global) pkg() string {
	top, _, _ := strings.Cut(g.module, ".")
	return top
}

// table reports whether the global is the class of pandas' tables.
func (g global) table() bool { return g.name == "DataFrame" && g.pkg() == "pandas" && g.use.allowed() }

func (g global) String() string { return quoteName(g.module) + "." + quoteName(g.name) }

// quoteName shows a name as it is when it can be one, else quoted.
func quoteName(s string) string {
	if identifier(s) && len(s) <= 100 {
		return s
	}
	return scan.Quote(s, 80)
}

// global executes GLOBAL.
func (m *machine) global() bool {
	id, ok := m.nameLines()
	if !ok {
		return false
	}
	return m.push(m.imported(id))
}

// nameLines consumes the module and name lines of GLOBAL and INST.
func (m *machine) nameLines() (int, bool) {
	line, ok := m.textLine()
	if !ok {
		return 0, false
	}
	module := string(line)
	var name string
	if m.more() {
		if line, ok = m.textLine(); !ok {
			return 0, false
		}
		name = string(line)
	}
	if m.err != nil {
		return 0, false
	}
	// Names that are not UTF-8 stop Python 3; Python 2 takes any byte.
	return m.globalID(module, name)
}

func (m *machine) globalID(module, name string) (int, bool) {
	id := m.names.intern(m.lib, module, name)
	if id < 0 {
		return 0, m.exceed("more than %d different globals", maxGlobals)
	}
	return id, true
}

// stackGlobal executes STACK_GLOBAL.
func (m *machine) stackGlobal() bool {
	name, ok := m.pop()
	if !ok {
		return false
	}
	module, ok := m.pop()
	if !ok {
		return false
	}
	for _, v := range []value{module, name} {
		switch v.kind() {
		case kindStr, kindText8, kindUnknown, kindObject, kindPersistent:
		default:
			return m.fail("STACK_GLOBAL of something else than text")
		}
	}
	mod, ok1 := m.text(module, maxName)
	attr, ok2 := m.text(name, maxName)
	if m.err != nil {
		return false
	}
	if ok1 && ok2 {
		mod, attr = asText(module, mod), asText(name, attr)
		id, ok := m.globalID(mod, attr)
		return ok && m.push(m.imported(id))
	}
	forgot := (ok1 || module.is(flagForgot)) && (ok2 || name.is(flagForgot))
	f := scan.Finding{
		Rule: "pickle.computed", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techObfuscated,
		Message: fmt.Sprintf("imports a global whose name is computed: module %s, name %s", m.describe(module, 2), m.describe(name, 2)),
	}
	m.out.finding(f)
	if forgot {
		return m.push(plain(kindUnknown).with(flagForgot))
	}
	return m.push(plain(kindUnknown).with(flagTaint))
}

// asText decodes a Python 2 string that is used as text, as loaders do that
// are asked to take any byte.
func asText(v value, s string) string {
	if v.kind() != kindText8 || isASCII(s) {
		return s
	}
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// imported reports an import and returns the global as a value.
func (m *machine) imported(id int) value {
	g := &m.names.list[id]
	if g.proper {
		m.thread.globals++
	}
	m.out.note(note{global: id, imp: scan.Import{Module: g.module, Name: g.name, Offset: m.opAt}})
	m.tell("import %s", g)
	f := scan.Finding{Rule: "pickle.import", Offset: m.opAt, Technique: techImport}
	switch g.use {
	case useDanger:
		f.Severity, f.Technique = scan.SeverityMalicious, techExecution
		f.Message = fmt.Sprintf("imports %s: %s", g, g.why)
		if g.proper && m.dangerAt == 0 {
			m.dangerAt = m.ops
			m.dangerCall = executes(g.name)
		}
	case useSuspect, useCode:
		f.Severity, f.Message = scan.SeveritySuspicious, fmt.Sprintf("imports %s: %s", g, g.why)
	case useUnknown:
		f.Severity = scan.SeveritySuspicious
		f.Message = fmt.Sprintf("imports %s, which no list of harmless names has; importing a module runs it", g)
	case useLib:
		f.Severity = scan.Low
		if m.memo.full() {
			f.Severity = scan.SeveritySuspicious
		}
		f.Message = fmt.Sprintf("imports %s, an unlisted name of a known library", g)
	default:
		v := indexed(kindGlobal, id)
		if !g.use.carries() {
			v = v.with(flagTaint)
		}
		return v
	}
	m.out.finding(f)
	return indexed(kindGlobal, id).with(flagTaint)
}

// extension executes EXT1, EXT2 and EXT4.
func (m *machine) extension(code int64) bool {
	m.out.finding(scan.Finding{
		Rule: "pickle.extension", Severity: scan.SeveritySuspicious, Offset: m.opAt, Technique: techObfuscated,
		Message: fmt.Sprintf("imports what is registered as extension %d, which the file does not name", code),
	})
	if id, ok := m.names.ext[code]; ok {
		return m.push(m.imported(id))
	}
	return m.push(plain(kindUnknown).with(flagTaint))
}
