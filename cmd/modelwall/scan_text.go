package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"modelwall/scan"
)

// Bounds of what is shown; --format json has all.
const (
	maxShown = 20  // findings of one file
	maxRows  = 100 // clean files in the table
)

// printScan prints the results for a person: what is not clean with its
// reasons, what there is to explain, a table of the files, the totals.
func printScan(out io.Writer, r scanReport) error {
	w := bufio.NewWriter(out)
	c := coloursFor(out)
	count := map[scan.Verdict]int{}
	var size, read int64
	for _, f := range r.Files {
		count[f.Verdict]++
		size += f.Size
		read += f.read
		if f.Verdict != scan.Clean || len(f.explanations) > 0 {
			printFile(w, c, f)
		}
	}
	if len(r.Files) > 1 {
		printTable(w, c, r.Files)
	}
	fmt.Fprintf(w, "%s: %s", plural(len(r.Files), "file", "files"),
		c.green(fmt.Sprintf("%d clean", count[scan.Clean])))
	for _, v := range []scan.Verdict{scan.Malicious, scan.Suspicious, scan.Undetermined} {
		if n := count[v]; n > 0 {
			fmt.Fprintf(w, ", %s", c.verdict(v, fmt.Sprintf("%d %s", n, v)))
		}
	}
	fmt.Fprintf(w, "\n%s in all, %s read, %v\n", bytesText(size), bytesText(read), r.took.Round(10*time.Millisecond))
	return w.Flush()
}

// verdict paints s in the colour of a verdict.
func (c colours) verdict(v scan.Verdict, s string) string {
	switch v {
	case scan.Malicious:
		return c.red(s)
	case scan.Clean:
		return c.green(s)
	}
	return c.yellow(s)
}

// printTable prints a line for each file, the clean ones up to a bound.
func printTable(w io.Writer, c colours, files []scanResult) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight, AlignHeader: text.AlignRight}})
	t.AppendHeader(table.Row{"verdict", "format", "size", "file", "findings"})
	clean := 0
	for _, f := range files {
		if f.Verdict == scan.Clean {
			if clean++; clean > maxRows {
				continue
			}
		}
		t.AppendRow(table.Row{
			c.verdict(f.Verdict, f.Verdict.String()), strings.Join(f.Formats, " "), bytesText(f.Size), printable(f.Path), worstRules(f.Findings),
		})
	}
	for line := range strings.Lines(t.Render() + "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	if clean > maxRows {
		fmt.Fprintf(w, " and %s\n", plural(clean-maxRows, "more clean file", "more clean files"))
	}
	fmt.Fprintln(w)
}

// worstRules names the rules of the findings, worst first.
func worstRules(findings []scan.Finding) string {
	sorted := slices.SortedStableFunc(slices.Values(findings), func(a, b scan.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	var rules []string
	for _, f := range sorted {
		if !slices.Contains(rules, f.Rule) {
			rules = append(rules, f.Rule)
		}
	}
	if len(rules) > 3 {
		rules = append(rules[:3:3], "…")
	}
	return printable(strings.Join(rules, ", "))
}

func printFile(w io.Writer, c colours, r scanResult) {
	fmt.Fprintf(w, "%s  %s\n", c.verdict(r.Verdict, r.Verdict.String()), printable(r.Path))
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

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
