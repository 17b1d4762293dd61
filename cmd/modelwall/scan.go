package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"modelwall/config"
	"modelwall/scan"
)

func newScanCmd(p parts) *cobra.Command {
	format := newChoice("text", "json", "sarif", "cyclonedx")
	failOn := newChoice("suspicious", "malicious", "low", "info")
	var explain, hash bool
	var maxDownload config.Size
	cmd := &cobra.Command{
		Use:   "scan [flags] PATH|hf://NAME...",
		Short: "Inspect files, folders and repositories of the Hub",
		Long: `Inspect files, folders with everything below them, stdin ("-"), and repositories
of the Hub where they are, by content. Nothing is loaded or executed, whatever
the names say.

  modelwall scan models/ suspicious.7z
  modelwall scan hf://org/name                     the branch main
  modelwall scan hf://org/name@v1.0/model.bin      a revision, a file or folder
  modelwall scan hf://datasets/org/name            hf://spaces/… likewise

Only what can carry code is read: of 100 GB of tensors some megabytes. Of the
Hub's own variables HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH and HF_HOME are
honoured; the token goes to the endpoint and nowhere else. A parent proxy is
set by upstream.proxy (MODELWALL_UPSTREAM_PROXY).

A symbolic link below a folder is followed if it stays inside the folder;
otherwise it counts as something that could not be examined, as do unreadable
and damaged files, formats that are not known, and Git LFS pointers, whose
content is elsewhere. A shard that is named but not there is told.

Exit code: 1 if anything at or above --fail-on was found, else 2 if something
could not be examined or the command line is wrong, else 0.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var threshold scan.Severity
			if err := threshold.UnmarshalText([]byte(failOn.value)); err != nil {
				return err
			}
			if explain && format.value != "text" {
				return usagef("--explain is for --format text")
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			started := p.clock()
			t := targets{
				stdin: cmd.InOrStdin(),
				hub:   func() (*repositories, error) { return openRepositories(cfg, int64(maxDownload)) },
			}
			defer t.close()
			if err := t.add(cmd.Context(), args); err != nil {
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				return &exitError{exitUsage, err}
			}
			in := inspection{engine: p.newEngine(cfg), hash: format.value == "json" || format.value == "cyclonedx"}
			if cmd.Flags().Changed("hash") {
				in.hash = hash
			}
			if explain {
				in.engine = in.engine.With(withExplanations)
			}
			if isTerminal(cmd.ErrOrStderr()) {
				in.progress = newProgress(cmd.ErrOrStderr(), len(t.list))
			}
			r := scanReport{Version: 1, Files: in.all(cmd.Context(), t.list)}
			r.took = p.clock().Sub(started)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if err := r.write(cmd.OutOrStdout(), format.value); err != nil {
				return &exitError{exitUsage, fmt.Errorf("the report could not be written: %w", err)}
			}
			return scanExit(r.Files, threshold)
		},
	}
	format.addTo(cmd, "format", "form of the report")
	failOn.addTo(cmd, "fail-on", "the weakest finding that makes the exit code 1")
	cmd.Flags().BoolVar(&explain, "explain", false, "print step by step what loading each pickle would do")
	cmd.Flags().BoolVar(&hash, "hash", false, "read local files whole for their sha256 (default for json and cyclonedx)")
	cmd.Flags().Var(&sizeFlag{&maxDownload}, "max-download", "how much may be read of repositories, 0 for no bound; what does not fit is undetermined")
	return cmd
}

// sizeFlag is a flag with a number of bytes.
type sizeFlag struct{ *config.Size }

// Set implements pflag.Value.
func (s *sizeFlag) Set(text string) error { return s.UnmarshalText([]byte(text)) }

// Type implements pflag.Value.
func (*sizeFlag) Type() string { return "size" }

// scanReport is what a scan came to; printed as it is by `scan --format json`.
// It is a contract: fields are only ever added, lists are never null.
type scanReport struct {
	Version int          `json:"version"`
	Files   []scanResult `json:"files"` // by path

	took time.Duration
}

// write prints the report in a form of the --format flag.
func (r scanReport) write(w io.Writer, format string) error {
	switch format {
	case "text":
		return printScan(w, r)
	case "json":
		return writeJSON(w, r)
	case "sarif":
		return writeJSON(w, sarifLog(r))
	case "cyclonedx":
		return writeCycloneDX(w, r)
	}
	return errors.New("unknown format " + format)
}

type scanResult struct {
	Path     string         `json:"path"`
	Size     int64          `json:"size"`
	SHA256   string         `json:"sha256"` // "" if the file could not be read, or was not hashed
	Formats  []string       `json:"formats"`
	Verdict  scan.Verdict   `json:"verdict"`
	Findings []scan.Finding `json:"findings"`
	Imports  []scan.Import  `json:"imports"`
	Error    string         `json:"error"` // what could not be examined, "" if nothing
	// Commit is that of a file in a repository of the Hub. Its SHA256 is what
	// the Hub says: nobody has read the whole file.
	Commit string `json:"commit,omitempty"`

	read         int64 // bytes that were asked for to judge it
	explanations []explanation
}

// unexamined is the result for a file of which nothing is known.
func unexamined(path string) scanResult {
	return scanResult{Path: path, Formats: []string{}, Findings: []scan.Finding{}, Imports: []scan.Import{}}
}

// failed is the result for a file that could not be examined at all.
func failed(path string, err error) scanResult {
	r := unexamined(path)
	r.Error = err.Error()
	return r
}

// scanExit makes the exit code of the results.
func scanExit(results []scanResult, threshold scan.Severity) error {
	code := exitOK
	for _, r := range results {
		for _, f := range r.Findings {
			if f.Severity >= threshold {
				return &exitError{code: exitFailed}
			}
		}
		if r.Verdict == scan.Undetermined || r.Error != "" {
			code = exitUsage
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}
