package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"modelwall/scan"
	"modelwall/scan/engine"
)

func newScanCmd(p parts) *cobra.Command {
	format := newChoice("text", "json")
	failOn := newChoice("suspicious", "malicious", "low", "info")
	var explain bool
	cmd := &cobra.Command{
		Use:   "scan [flags] PATH...",
		Short: "Inspect files",
		Long: `Inspect files, folders with everything below them, and stdin ("-"), by content.
Nothing is loaded or executed, whatever the names say.

A symbolic link below a folder is followed if it stays inside the folder;
otherwise it counts as something that could not be examined, as do unreadable
and damaged files and formats that are not known.

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
			t := targets{stdin: cmd.InOrStdin()}
			defer t.close()
			if err := t.add(cmd.Context(), args); err != nil {
				return &exitError{exitUsage, err}
			}
			e := p.newEngine(cfg)
			if explain {
				e = e.With(withExplanations)
			}
			results := inspectAll(cmd.Context(), e, t.list)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if format.value == "json" {
				err = writeJSON(cmd.OutOrStdout(), scanReport{Version: 1, Files: results})
			} else {
				err = printScan(cmd.OutOrStdout(), results)
			}
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("the report could not be written: %w", err)}
			}
			return scanExit(results, threshold)
		},
	}
	format.addTo(cmd, "format", "form of the report")
	failOn.addTo(cmd, "fail-on", "the weakest finding that makes the exit code 1")
	cmd.Flags().BoolVar(&explain, "explain", false, "print step by step what loading each pickle would do")
	return cmd
}

// scanReport is what `scan --format json` prints. It is a contract: fields are
// only ever added, lists are never null.
type scanReport struct {
	Version int          `json:"version"`
	Files   []scanResult `json:"files"` // by path
}

type scanResult struct {
	Path     string         `json:"path"`
	Size     int64          `json:"size"`
	SHA256   string         `json:"sha256"` // "" if the file could not be read
	Formats  []string       `json:"formats"`
	Verdict  scan.Verdict   `json:"verdict"`
	Findings []scan.Finding `json:"findings"`
	Imports  []scan.Import  `json:"imports"`
	Error    string         `json:"error"` // what could not be examined, "" if nothing

	explanations []explanation
}

// failed is the result for a file that could not be examined at all.
func failed(path string, err error) scanResult {
	return scanResult{
		Path:     path,
		Formats:  []string{},
		Findings: []scan.Finding{},
		Imports:  []scan.Import{},
		Error:    err.Error(),
	}
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

// inspectAll inspects the files in parallel, and returns the results in the
// order of the files.
func inspectAll(ctx context.Context, e *engine.Engine, files []target) []scanResult {
	results := make([]scanResult, len(files))
	jobs := make(chan int)
	var workers sync.WaitGroup
	for range min(max(2, runtime.NumCPU()), len(files)) {
		workers.Go(func() {
			for i := range jobs {
				results[i] = inspect(ctx, e, files[i])
			}
		})
	}
	for i := range files {
		jobs <- i
	}
	close(jobs)
	workers.Wait()
	return results
}

// errChanged means that what was hashed may not be what was inspected.
var errChanged = errors.New("the file changed while it was read")

// inspect examines one file.
func inspect(ctx context.Context, e *engine.Engine, t target) scanResult {
	if t.err != nil {
		return failed(t.path, t.err)
	}
	if err := ctx.Err(); err != nil {
		return failed(t.path, err)
	}
	f, err := t.open()
	if err != nil {
		return failed(t.path, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return failed(t.path, err)
	}
	if !before.Mode().IsRegular() {
		return failed(t.path, errIrregular)
	}
	size := before.Size()
	hash := sha256.New()
	// A section, because the file's own offset may be anywhere.
	n, err := io.Copy(hash, &contextReader{ctx, io.NewSectionReader(f, 0, size)})
	if err != nil {
		return failed(t.path, err)
	}
	if n != size {
		return failed(t.path, errChanged)
	}
	var told explanations
	report, err := e.Inspect(context.WithValue(ctx, explanationsKey{}, &told), scan.File{Name: t.name(), Size: size, ReaderAt: f})
	r := scanResult{
		Path:     t.path,
		Size:     size,
		SHA256:   hex.EncodeToString(hash.Sum(nil)),
		Formats:  notNil(report.Formats),
		Verdict:  report.Verdict,
		Findings: notNil(report.Findings),
		Imports:  notNil(report.Imports),
		Error:    report.Error,

		explanations: told.list,
	}
	if after, serr := f.Stat(); err == nil && serr != nil {
		err = serr
	} else if err == nil && (after.Size() != size || !after.ModTime().Equal(before.ModTime())) {
		err = errChanged
	}
	if err != nil {
		if r.Error == "" {
			r.Error = err.Error()
		}
		if r.Verdict != scan.Malicious {
			r.Verdict = scan.Undetermined
		}
	}
	return r
}

// notNil makes a list print as [] instead of null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one copy
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// spoolStdin copies stdin to a temporary file, because inspection needs random
// access, and returns its name. The caller removes it.
func spoolStdin(ctx context.Context, stdin io.Reader) (name string, err error) {
	f, err := os.CreateTemp("", "modelwall-stdin-*")
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(f, &contextReader{ctx, stdin}); err != nil {
		err = fmt.Errorf("read stdin: %w", err)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
