package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"modelwall/scan"
)

// maxShown bounds the findings listed for one file; --format json has all.
const maxShown = 20

// printScan prints the results for a person: what is not clean with its
// reasons, what there is to explain, then a line that counts.
func printScan(out io.Writer, results []scanResult) error {
	w := bufio.NewWriter(out)
	c := coloursFor(out)
	count := map[scan.Verdict]int{}
	for _, r := range results {
		count[r.Verdict]++
		if r.Verdict != scan.Clean || len(r.explanations) > 0 {
			printFile(w, c, r)
		}
	}
	fmt.Fprintf(w, "%s: %s", plural(len(results), "file", "files"),
		c.green(fmt.Sprintf("%d clean", count[scan.Clean])))
	for _, v := range []struct {
		verdict scan.Verdict
		paint   func(string) string
	}{{scan.Malicious, c.red}, {scan.Suspicious, c.yellow}, {scan.Undetermined, c.yellow}} {
		if n := count[v.verdict]; n > 0 {
			fmt.Fprintf(w, ", %s", v.paint(fmt.Sprintf("%d %s", n, v.verdict)))
		}
	}
	fmt.Fprintln(w)
	return w.Flush()
}

func printFile(w io.Writer, c colours, r scanResult) {
	paint := c.yellow
	switch r.Verdict {
	case scan.Malicious:
		paint = c.red
	case scan.Clean:
		paint = c.green
	}
	fmt.Fprintf(w, "%s  %s\n", paint(r.Verdict.String()), printable(r.Path))
	shown, more := 0, 0
	for _, s := range []scan.Severity{scan.SeverityMalicious, scan.SeveritySuspicious, scan.Low, scan.Info} {
		for _, f := range r.Findings {
			if f.Severity != s {
				continue
			}
			if shown == maxShown {
				more++
				continue
			}
			shown++
			place := fmt.Sprintf("at byte %d", f.Offset)
			if f.Member != "" {
				place = "in " + printable(f.Member) + " " + place
			}
			fmt.Fprintf(w, "    %s: %s (%s, %s)\n", f.Severity, printable(f.Message), printable(f.Rule), place)
		}
	}
	if more > 0 {
		fmt.Fprintf(w, "    and %s\n", plural(more, "more finding", "more findings"))
	}
	if r.Error != "" {
		fmt.Fprintf(w, "    could not be examined: %s\n", printable(strings.TrimSpace(r.Error)))
	}
	printExplanations(w, r.explanations)
	fmt.Fprintln(w)
}
