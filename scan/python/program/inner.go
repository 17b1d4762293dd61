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
	type key struct {
		what string
		off  int64
	}
	sev := map[key]scan.Severity{}
	for _, f := range cold.Facts {
		sev[key{f.What, f.Off}] = max(sev[key{f.What, f.Off}], f.Severity)
	}
	for _, f := range hot.Facts {
		if f.Severity > scan.Low {
			m.reportOnce(f, sev[key{f.What, f.Off}], what+": "+f.Message, off)
		}
	}
	for _, i := range hot.Members {
		m.member(i.Name, string(i.Data))
	}
}

// reportOnce keeps a fact of an inner program at the place where it is run.
func (m *machine) reportOnce(f Fact, cold scan.Severity, message string, off int64) {
	for _, g := range m.facts {
		if g.Off == off && g.What == f.What && g.Severity >= f.Severity && g.cold >= cold {
			return
		}
	}
	if len(m.facts) < maxFacts {
		m.facts = append(m.facts, fact{
			Fact: Fact{What: f.What, Severity: f.Severity, Technique: f.Technique, Message: message, Off: off},
			cold: cold, fn: m.fn(), main: m.guard > 0 || m.opts.Interactive,
		})
	}
}
