package engine

import "modelwall/scan"

// With returns an engine with the limits of e and with what wrap makes of each
// of its scanners. A wrapper sees every file and member that its scanner
// examines, in the context of the Inspect call; it has to keep the scanner's
// Format and Version, because they name the verdict.
func (e *Engine) With(wrap func(scan.Scanner) scan.Scanner) *Engine {
	scanners := make([]scan.Scanner, len(e.scanners))
	for i, s := range e.scanners {
		scanners[i] = wrap(s)
	}
	wrapped := New(scanners, e.limits)
	wrapped.lookers = e.lookers
	return wrapped
}
