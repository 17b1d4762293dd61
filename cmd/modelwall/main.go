// Command modelwall is a firewall for model downloads: a proxy between
// developers and the Hugging Face Hub that inspects every model file by its
// content before the file can be used, and the same inspection as a tool for
// files that are already there.
//
// This package is the only one that knows all the others: it reads flags and
// configuration, puts the parts together and maps what comes out to an exit
// code. Each subcommand has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := newRootCmd(parts{startProxy: startPrivateProxy, trust: systemTrust{}, newEngine: newEngine})
	code := execute(ctx, root, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes. A command that wraps another one (run) ends with the other's.
const (
	exitOK          = 0
	exitFailed      = 1   // the command failed; for scan: something was found
	exitUsage       = 2   // wrong use; for scan: something could not be examined
	exitWrapper     = 125 // run: the proxy or the wrapper itself failed
	exitNotRunnable = 126 // run: the command can't be executed
	exitNotFound    = 127 // run: no such command
	exitInterrupted = 130 // 128 + SIGINT
)

// exitError ends the program with a code of its own. Without err it does so
// in silence: what there was to say has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usagef returns an error for wrong use of a command.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// execute runs the command line and returns the exit code: the one place
// where errors become codes and text on stderr.
func execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case !started: // cobra refused the command line
		report(stderr, err)
		fmt.Fprintf(stderr, "modelwall: see %q\n", cmd.CommandPath()+" --help")
		return exitUsage
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		code, err = exitInterrupted, errors.New("interrupted")
	}
	report(stderr, err)
	return code
}

// report prints an error with the program's name before each of its lines.
func report(w io.Writer, err error) {
	for line := range strings.SplitSeq(strings.TrimRight(err.Error(), "\n"), "\n") {
		fmt.Fprintf(w, "modelwall: %s\n", printable(line))
	}
}
