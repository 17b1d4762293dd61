package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"modelwall/config"
	"modelwall/proxy/audit"
)

// privateProxy is a running proxy as `run` needs it.
type privateProxy interface {
	Addr() string       // host:port
	CAFile() string     // our CA alone
	BundleFile() string // the public roots and our CA
	Summary() *audit.Summary
	Close(ctx context.Context) error
}

// startPrivateProxy is startProxy behind the interface.
func startPrivateProxy(ctx context.Context, cfg *config.Config, logTo io.Writer) (privateProxy, error) {
	p, err := startProxy(ctx, cfg, logTo)
	if err != nil {
		return nil, err // not a nil *proxyInstance in an interface
	}
	return p, nil
}

func newRunCmd(p parts) *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG]...",
		Short: "Run one command behind a private firewall",
		Long: `Run one command behind a private firewall: a proxy on a free port of this machine
that lives as long as the command, with the environment variables that make
clients use and trust it ('modelwall env --explain' lists them).

  modelwall run -- hf download org/model
  modelwall run -- python train.py

The exit code is the command's, 128 + N if signal N ended it, 125 if the
firewall could not be started, 126 if the command can't be executed and 127 if
there is none. What was checked and stopped is told on stderr at the end. The
firewall's own log is off unless --log-level or --log-format is given.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return &exitError{exitWrapper, err}
			}
			r := runner{parts: p, cfg: cfg, stdin: cmd.InOrStdin(), stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			r.notes = r.stderr
			if quiet {
				r.notes = io.Discard
			}
			r.logTo = io.Discard
			if cmd.Flags().Changed("log-level") || cmd.Flags().Changed("log-format") {
				r.logTo = r.stderr
			}
			return r.run(cmd.Context(), args)
		},
	}
	cmd.Flags().SetInterspersed(false) // flags after the command are the command's
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "no warnings and no summary")
	return cmd
}

// runner is one `run`.
type runner struct {
	parts
	cfg            *config.Config
	stdin          io.Reader
	stdout, stderr io.Writer
	notes          io.Writer // for what run itself has to say
	logTo          io.Writer // for the proxy's log
}

func (r runner) run(ctx context.Context, args []string) (err error) {
	// A signal is the command's to handle; the proxy ends when the command has.
	ctx = context.WithoutCancel(ctx)
	private := *r.cfg
	private.Listen = "127.0.0.1:0"
	private.Admin.Listen = ""
	r.warn(r.cfg.Warnings)
	r.warn(bypasses(os.Getenv, r.cfg.Intercept))
	if r.cfg.Upstream.Proxy.IsZero() && (os.Getenv("HTTPS_PROXY") != "" || os.Getenv("https_proxy") != "") {
		r.warn([]string{"HTTPS_PROXY is set; the firewall connects directly all the same: set upstream.proxy (MODELWALL_UPSTREAM_PROXY) to go through that proxy"})
	}

	path, err := exec.LookPath(args[0])
	if err != nil {
		return notStarted(args[0], err)
	}
	p, err := r.startProxy(ctx, &private, r.logTo)
	if err != nil {
		return &exitError{exitWrapper, fmt.Errorf("the firewall could not be started: %w", err)}
	}
	defer func() {
		closing, cancel := context.WithTimeout(ctx, r.cfg.Server.ShutdownTimeout)
		defer cancel()
		if cerr := p.Close(closing); cerr != nil {
			fmt.Fprintf(r.notes, "modelwall: %s\n", printable(cerr.Error()))
		}
		var exit *exitError
		if err == nil || errors.As(err, &exit) && exit.err == nil { // the command ran
			summarise(r.notes, p.Summary().Totals())
		}
	}()

	dir, err := os.MkdirTemp("", "modelwall-run-*")
	if err != nil {
		return &exitError{exitWrapper, err}
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	to := route{proxy: "http://" + p.Addr(), ca: p.CAFile(), bundle: p.BundleFile()}
	env, err := childEnv(os.Environ(), to, dir)
	if err != nil {
		return &exitError{exitWrapper, err}
	}

	child := exec.Command(path, args[1:]...) //nolint:gosec,noctx // running it is the point; it ends by itself
	child.Args[0] = args[0]
	child.Env = env
	child.Stdin, child.Stdout, child.Stderr = r.stdin, r.stdout, r.stderr
	code, err := r.wait(child)
	if err != nil {
		return notStarted(args[0], err)
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

func (r runner) warn(lines []string) {
	for _, line := range lines {
		fmt.Fprintf(r.notes, "modelwall: warning: %s\n", line)
	}
}

// wait starts the command, passes signals on to it, and returns its exit code.
func (r runner) wait(child *exec.Cmd) (int, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	if err := child.Start(); err != nil {
		signal.Stop(signals)
		return 0, err
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		keyboard := isTerminal(r.stdin)
		for {
			select {
			case <-stop:
				return
			case s := <-signals:
				// Ctrl-C and Ctrl-\ reach the command as well, which is in the
				// same process group: passed on, it would get them twice.
				if keyboard && (s == os.Interrupt || s == syscall.SIGQUIT) {
					continue
				}
				_ = child.Process.Signal(s) // it may have ended just now
			}
		}
	}()
	err := child.Wait()
	signal.Stop(signals)
	close(stop)
	<-stopped
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		// The command ran; copying its output failed (stderr is no file).
		fmt.Fprintf(r.notes, "modelwall: %s\n", printable(err.Error()))
	}
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return child.ProcessState.ExitCode(), nil
}

// notStarted classifies why a command did not start, as shells do.
func notStarted(name string, err error) error {
	code := exitNotRunnable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	var path *exec.Error
	if errors.As(err, &path) {
		err = path.Err
	}
	return &exitError{code, fmt.Errorf("%s: %w", name, err)}
}

// childEnv returns the command's environment. Files it needs go into dir.
func childEnv(environ []string, r route, dir string) ([]string, error) {
	set := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			set[name] = value
		}
	}
	lookup := func(name string) string { return set[name] }
	changes := map[string]string{}
	for _, v := range variables() {
		changes[v.name] = v.value(r, lookup)
	}
	if _, own := set["WGETRC"]; !own {
		file, err := wgetrc(dir, set["HOME"], r.bundle)
		if err != nil {
			return nil, err
		}
		changes["WGETRC"] = file
	}
	var env []string
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); changes[name] == "" {
			env = append(env, pair)
		}
	}
	for _, v := range variables() {
		env = append(env, v.name+"="+changes[v.name])
	}
	if file := changes["WGETRC"]; file != "" {
		env = append(env, "WGETRC="+file)
	}
	return env, nil
}

// wgetrc writes a start-up file for wget, which has no variable for a trust
// store. WGETRC replaces ~/.wgetrc, so that one's lines come first; of two
// settings the last one counts.
func wgetrc(dir, home, bundle string) (string, error) {
	var text []byte
	if home != "" {
		var err error
		text, err = os.ReadFile(filepath.Join(home, ".wgetrc"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read the settings of wget: %w", err)
		}
	}
	file := filepath.Join(dir, "wgetrc")
	text = append(text, "\nca_certificate = "+bundle+"\n"...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("write settings for wget: %w", err)
	}
	return file, nil
}

// summarise prints what the firewall did.
func summarise(w io.Writer, t audit.Totals) {
	if t.Requests == 0 {
		fmt.Fprintln(w, "modelwall: no model file was requested")
		return
	}
	fmt.Fprintf(w, "modelwall: %s", plural(t.Checked, "file checked", "files checked"))
	for _, part := range []struct {
		n    int
		word string
	}{
		{t.Allowed, "allowed"},
		{t.Warned, "of them with a warning"},
		{t.Quarantined, "quarantined"},
		{t.Blocked, "blocked"},
		{t.WouldBlock, "let through by monitor mode"},
		{t.Failed, "failed"},
	} {
		if part.n > 0 {
			fmt.Fprintf(w, ", %d %s", part.n, part.word)
		}
	}
	fmt.Fprintln(w)
	c := coloursFor(w)
	for _, s := range t.Stopped {
		name := s.Repo
		if s.Revision != "" {
			name += "@" + s.Revision
		}
		fmt.Fprintf(w, "  %s  %s (%v, request %s)\n", c.red(s.Decision), printable(name+": "+s.Path), s.Verdict, printable(s.RequestID))
	}
	if t.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", t.More)
	}
}

// plural counts things in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
