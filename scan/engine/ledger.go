package engine

import "modelwall/scan"

// ledger keeps findings and imports: each once, and no more than the limits.
type ledger struct {
	limits   Limits
	findings []scan.Finding
	kept     [scan.SeverityMalicious + 1]int
	seen     map[findingKey]bool
	imports  []scan.Import
	index    map[importKey]int
	text     int // bytes of the names in imports
}

// maxImportText bounds the names of all imports, in bytes. A report repeats
// them; those of an honest checkpoint take some kilobytes.
const maxImportText = 4 << 20

type findingKey struct{ rule, member, message string }

type importKey struct{ module, name, member string }

func newLedger(l Limits) ledger {
	return ledger{
		limits:   l,
		findings: []scan.Finding{},
		seen:     map[findingKey]bool{},
		imports:  []scan.Import{},
		index:    map[importKey]int{},
	}
}

// finding keeps f unless the same was said of this member before, or enough
// of its severity are kept. The first of each severity is never lost, so the
// verdict does not depend on the limit.
func (l *ledger) finding(f scan.Finding) {
	f.Severity = min(f.Severity, scan.SeverityMalicious)
	key := findingKey{f.Rule, f.Member, f.Message}
	if l.seen[key] || l.kept[f.Severity] >= l.limits.Findings {
		return
	}
	l.seen[key] = true
	l.kept[f.Severity]++
	l.findings = append(l.findings, f)
}

// imported keeps i, or merges it with the same import of the same member. It
// returns false when there is no room.
func (l *ledger) imported(i scan.Import) bool {
	key := importKey{i.Module, i.Name, i.Member}
	if at, ok := l.index[key]; ok {
		l.imports[at].Called = l.imports[at].Called || i.Called
		return true
	}
	text := len(i.Module) + len(i.Name) + len(i.Member)
	if len(l.imports) >= l.limits.Imports || l.text+text > maxImportText {
		return false
	}
	l.text += text
	l.index[key] = len(l.imports)
	l.imports = append(l.imports, i)
	return true
}
