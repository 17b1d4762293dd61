package pickle

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"modelwall/scan"
)

// maxSteps bounds the steps that Explain writes.
const maxSteps = 2000

// Explain writes what loading the file would do, one line for each step: the
// offset in bytes, and an import, a call, a build or an insert into an instance.
// Plain data, and what a loader does not get to, is left out. Everything from
// the file is escaped, and no more than some thousand lines of some hundred
// bytes are written. A file that is no pickle gives no lines and an error of
// class scan.ErrForeign; other errors are those of Scan, after the lines, or
// w's.
func (s *Scanner) Explain(ctx context.Context, f scan.File, w io.Writer) error {
	out := bufio.NewWriter(w)
	steps := 0
	said := map[step]bool{}
	in := session{Scanner: s, ctx: ctx, file: f, sink: discard{}, steps: func(st step) {
		// A second reading repeats steps of the first.
		if said[st] || steps > maxSteps {
			return
		}
		said[st] = true
		if steps++; steps > maxSteps {
			st.text = "and more"
		}
		fmt.Fprintf(out, "%d: %s\n", st.offset, st.text)
	}}
	return errors.Join(in.scan(), out.Flush())
}

// step is one line of an explanation.
type step struct {
	offset int64
	text   string
}

// tell notes a step, if anybody wants to know.
func (m *machine) tell(format string, args ...any) {
	if m.explain {
		m.out.note(note{step: &step{m.opAt, fmt.Sprintf(format, args...)}})
	}
}

// discard is a sink for those who only want the steps.
type discard struct{}

func (discard) Finding(scan.Finding)                            {}
func (discard) Import(scan.Import)                              {}
func (discard) Member(ctx context.Context, _ scan.Member) error { return ctx.Err() }
