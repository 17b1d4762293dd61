package pickle

import "modelwall/scan"

// What an attacker is doing, in Finding.Technique.
const (
	techExecution  = "code-execution"
	techImport     = "unlisted-import"
	techBroken     = "broken-file"
	techConfusion  = "parser-confusion"
	techObfuscated = "obfuscation"
	techExhaustion = "resource-exhaustion"
	techNested     = "nested-payload"
)

// report is what one pickle comes to. Until it is decided that the bytes are
// a pickle at all it only takes notes.
type report struct {
	sink    scan.Sink // nil for notes alone
	parent  *report   // where notes go once they count
	on      bool
	sure    func() bool // asked with each note, may be nil
	grave   bool        // nothing but a malicious finding decides
	notes   []note
	noted   scan.Severity // the worst among notes
	seen    map[noteKey]bool
	rules   map[string]scan.Severity // the worst that each rule found
	imports map[int]uint8
	steps   func(step) // takes steps, may be nil
	worst   scan.Severity
	serious bool // something else than breakage is at least suspicious
}

type note struct {
	finding *scan.Finding
	step    *step
	global  int
	called  bool
	imp     scan.Import
}

type noteKey struct{ rule, message string }

// Bounds of what one report keeps.
const (
	maxNotes = 256
	maxSeen  = 2048 // findings, but for the first of a rule and severity
)

const (
	saidImported = 1 << iota
	saidCalled
)

func newReport(sink scan.Sink) *report {
	return &report{sink: sink, on: true, seen: map[noteKey]bool{}, rules: map[string]scan.Severity{}, imports: map[int]uint8{}}
}

// child returns a report whose notes go to r once they count.
func (r *report) child() *report { return &report{parent: r} }

// decided reports whether the bytes are known to be a pickle.
func (r *report) decided() bool { return r.on }

// decide lets everything noted out, and what follows as it comes.
func (r *report) decide() {
	if !r.on && !r.grave {
		r.release()
	}
}

func (r *report) release() {
	r.on = true
	for _, n := range r.notes {
		r.send(n)
	}
	r.notes = nil
}

func (r *report) note(n note) {
	if !r.on && r.sure != nil && r.sure() {
		r.decide()
	}
	if r.on {
		r.send(n)
		return
	}
	worse := n.finding != nil && n.finding.Severity > r.noted
	if worse {
		r.noted = n.finding.Severity
	}
	if len(r.notes) < maxNotes {
		r.notes = append(r.notes, n)
	} else if worse {
		r.notes[maxNotes-1] = n // what is dropped must not change the verdict
	}
	if r.grave && r.noted == scan.SeverityMalicious {
		r.release()
	}
}

func (r *report) send(n note) {
	if r.parent != nil {
		r.parent.note(n)
		return
	}
	if n.step != nil {
		if r.steps != nil {
			r.steps(*n.step)
		}
		return
	}
	if n.finding != nil {
		key := noteKey{n.finding.Rule, n.finding.Message}
		if r.seen[key] {
			return
		}
		if len(r.seen) >= maxSeen && n.finding.Severity <= r.rules[key.rule] {
			return // one more of many alike
		}
		r.seen[key] = true
		r.rules[key.rule] = max(r.rules[key.rule], n.finding.Severity)
		r.worst = max(r.worst, n.finding.Severity)
		if n.finding.Severity >= scan.SeveritySuspicious && n.finding.Technique != techBroken {
			r.serious = true
		}
		r.sink.Finding(*n.finding)
		return
	}
	said := r.imports[n.global]
	bit := uint8(saidImported)
	if n.called {
		bit = saidCalled
	}
	if said&bit != 0 {
		return
	}
	r.imports[n.global] = said | bit
	n.imp.Called = n.called
	r.sink.Import(n.imp)
}

// uncalled reports whether the global was imported and nothing called it.
func (r *report) uncalled(id int) bool { return r.imports[id] == saidImported }

func (r *report) finding(f scan.Finding) { r.note(note{finding: &f}) }
