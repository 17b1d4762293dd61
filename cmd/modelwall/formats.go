package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"modelwall/scan/all"
)

func newFormatsCmd() *cobra.Command {
	format := newChoice("text", "markdown", "json")
	cmd := &cobra.Command{
		Use:   "formats",
		Short: "List the formats that are inspected, and for what",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows := all.Formats()
			switch format.value {
			case "json":
				return writeJSON(cmd.OutOrStdout(), rows)
			case "markdown":
				_, err := fmt.Fprint(cmd.OutOrStdout(), all.Markdown(rows))
				return err
			}
			w := bufio.NewWriter(cmd.OutOrStdout())
			plain := strings.NewReplacer("`", "", "*", "")
			for _, r := range rows {
				fmt.Fprintf(w, "%s (%s)\n", r.Title, strings.Join(r.Formats, ", "))
				for _, line := range [][2]string{
					{"recognised by", r.Recognised}, {"looked at", r.Checked}, {"read", r.Read}, {"names", strings.Join(r.Names, " ")},
				} {
					if line[1] != "" {
						fmt.Fprintf(w, "    %-14s %s\n", line[0], wrap(plain.Replace(line[1]), 80, "\n"+strings.Repeat(" ", 19)))
					}
				}
			}
			return w.Flush()
		},
	}
	format.addTo(cmd, "format", "form of the list")
	return cmd
}
