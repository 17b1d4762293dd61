package program

import "modelwall/scan"

// innerCost is what a program costs to judge besides its bytes.
const innerCost = 1 << 10

// innerBudget bounds the programs inside a program, over all levels.
type innerBudget struct{ bytes, depth int }

// run judges a program that the program executes. It is hot when the statement
// that executes it is.
func (m *machine) run(what, source string, off int64) {
	if !m.judging || source == "" {
		return
	}
	b := m.inner
	if b.bytes -= innerCost + len(source); b.bytes < 0 || b.depth >= maxNested {
		return
	}
	b.depth++
	defer func() { b.depth-- }()
	hot, err := ReadString(m.ctx, source, Options{inner: b})
	if err != nil {
		return
	}
	cold, err := ReadString(m.ctx, source, Options{Interactive: true, inner: b})
	if err != nil {
		return
	}
	sev := map[factKey]scan.Severity{}
	for _, f := range cold.Facts {
		k := factKey{f.What, f.Off}
		sev[k] = max(sev[k], f.Severity)
	}
	for _, f := range hot.Facts {
		if f.Severity > scan.Low {
			m.report(f.What, f.Severity, sev[factKey{f.What, f.Off}], f.Technique, what+": "+f.Message, off)
		}
	}
	for _, i := range hot.Members {
		m.member(i.Name, string(i.Data))
	}
}
