package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is what `version --format json` prints.
type versionInfo struct {
	Version  string `json:"version"`  // of the module, "(devel)" for a build from a work tree
	Revision string `json:"revision"` // of the commit, "" if unknown
	Time     string `json:"time"`     // of the commit
	Modified bool   `json:"modified"` // the work tree had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion takes what the Go tool recorded in the binary.
func readVersion() versionInfo {
	v := versionInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func newVersionCmd() *cobra.Command {
	format := newChoice("text", "json")
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			if format.value == "json" {
				return writeJSON(cmd.OutOrStdout(), v)
			}
			line := "modelwall " + v.Version
			if v.Revision != "" {
				line += " (" + v.Revision
				if v.Modified {
					line += ", modified"
				}
				line += ")"
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s\n", line, v.Go, v.Platform)
			return err
		},
	}
	format.addTo(cmd, "format", "form of the output")
	return cmd
}
