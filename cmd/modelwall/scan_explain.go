package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"modelwall/scan"
)

// explainer is a scanner that can say step by step what loading a file would
// do: lines without control characters, each an offset and a step, and not
// too many of them.
type explainer interface {
	Explain(ctx context.Context, f scan.File, w io.Writer) error
}

// explanation is the steps of one file or member.
type explanation struct {
	member string
	steps  []string
}

// maxExplained bounds the steps kept for one file with all its members.
const maxExplained = 10_000

// explanations collects the explanations of one file. An inspection runs its
// scanners one after the other, so nothing locks it.
type explanations struct {
	list  []explanation
	steps int
}

type explanationsKey struct{}

// explained is the wrapper around a scanner that explains what it scans to the
// explanations in the context.
type explained struct{ scan.Scanner }

// withExplanations wraps the scanners that can explain.
func withExplanations(s scan.Scanner) scan.Scanner {
	if _, ok := s.(explainer); ok {
		return explained{s}
	}
	return s
}

// Scan implements scan.Scanner. What the explanation fails with says nothing
// that the scan itself does not.
func (e explained) Scan(ctx context.Context, f scan.File, sink scan.Sink) error {
	to, ok := ctx.Value(explanationsKey{}).(*explanations)
	if ok && !to.full() {
		var b bytes.Buffer
		err := e.Scanner.(explainer).Explain(ctx, f, &b)
		if b.Len() > 0 && !errors.Is(err, scan.ErrForeign) {
			to.add(f.Member, strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n"))
		}
	}
	return e.Scanner.Scan(ctx, f, sink)
}

func (e *explanations) full() bool { return e.steps >= maxExplained }

func (e *explanations) add(member string, steps []string) {
	if e.full() {
		return
	}
	if room := maxExplained - e.steps; len(steps) > room {
		steps = append(steps[:room:room], "and more")
	}
	e.steps += len(steps)
	e.list = append(e.list, explanation{member, steps})
}

// printExplanations prints what loading a file would do.
func printExplanations(w io.Writer, list []explanation) {
	for _, e := range list {
		if e.member == "" {
			fmt.Fprintln(w, "    loading it would do, by byte offset:")
		} else {
			fmt.Fprintf(w, "    loading %s would do, by byte offset:\n", printable(e.member))
		}
		for _, step := range e.steps {
			fmt.Fprintf(w, "        %s\n", printable(step))
		}
	}
}
