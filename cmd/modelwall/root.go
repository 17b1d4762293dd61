package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"modelwall/config"
	"modelwall/scan/engine"
)

// parts are what the commands need from outside this package's control; tests
// replace them.
type parts struct {
	startProxy func(ctx context.Context, cfg *config.Config, logTo io.Writer) (privateProxy, error)
	trust      trustStore
	newEngine  func(cfg *config.Config) *engine.Engine
	now        func() time.Time // nil is time.Now
}

func (p parts) clock() time.Time {
	if p.now == nil {
		return time.Now()
	}
	return p.now()
}

func newRootCmd(p parts) *cobra.Command {
	root := &cobra.Command{
		Use:   "modelwall",
		Short: "A firewall for model downloads",
		Long: `Modelwall is a firewall for model downloads. It stands between developers and the
Hugging Face Hub, inspects every model file by its content before the file can
be used, and stops what would execute code when it is loaded.

  modelwall run -- CMD...    one command behind a private firewall
  modelwall serve            a firewall for a machine or a team
  modelwall scan PATH...     files that are already there, repositories of the Hub
  modelwall mirror warm REPO...  the cache, filled in advance`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	group(root)
	f := root.PersistentFlags()
	f.String("config", "", "configuration file (default $MODELWALL_CONFIG, else the built-in defaults)")
	f.String("data-dir", "", "folder for CA, cache and records (data_dir)")
	f.String("log-format", "", "text or json (log.format)")
	f.String("log-level", "", "debug, info, warn or error (log.level)")
	root.AddCommand(
		newServeCmd(),
		newRunCmd(p),
		newScanCmd(p),
		newFormatsCmd(),
		newEnvCmd(),
		newCACmd(p),
		newMirrorCmd(p),
		newQuarantineCmd(),
		newDemoCmd(),
		newVersionCmd(),
	)
	return root
}

// group makes cmd one that only has subcommands: on its own it shows its help
// and ends as wrong use, and a misspelt subcommand is an error.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Help(); err != nil {
			return err
		}
		return &exitError{code: exitUsage}
	}
}

// loadConfig loads the configuration with the global flags of cmd on top. What
// is wrong with it counts as wrong use.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	path := os.Getenv("MODELWALL_CONFIG")
	if f := cmd.Flags().Lookup("config"); f.Changed {
		path = f.Value.String()
	}
	var settings []config.Setting
	for flag, key := range map[string]string{"data-dir": "data_dir", "log-format": "log.format", "log-level": "log.level"} {
		if f := cmd.Flags().Lookup(flag); f.Changed {
			settings = append(settings, config.Setting{Key: key, Value: f.Value.String(), From: "--" + flag})
		}
	}
	cfg, err := config.Load(path, settings...)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return cfg, nil
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	choices []string
}

func newChoice(choices ...string) *choice { return &choice{value: choices[0], choices: choices} }

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value; it is what the help shows.
func (c *choice) Type() string { return strings.Join(c.choices, "|") }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.choices, s) {
		return fmt.Errorf("have %s", strings.Join(c.choices, ", "))
	}
	c.value = s
	return nil
}

// addTo defines the flag on cmd, with its choices for shell completion.
func (c *choice) addTo(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(c, name, usage)
	// The only error is that the flag does not exist.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(
		completions(c.choices), cobra.ShellCompDirectiveNoFileComp))
}

func completions(words []string) []cobra.Completion {
	list := make([]cobra.Completion, len(words))
	copy(list, words)
	return list
}

// printable renders text that may come from a file or a peer on one line
// without anything that could drive a terminal or hide text: such characters
// appear escaped, as Go spells them.
func printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if r == unicode.ReplacementChar && s[i] != "\uFFFD"[0] {
			fmt.Fprintf(&b, `\x%02x`, s[i]) // not UTF-8
			continue
		}
		if unprintable(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours paints words, or leaves them alone.
type colours bool

// coloursFor decides by the stream and the NO_COLOR convention.
func coloursFor(w io.Writer) colours {
	return colours(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (c colours) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c colours) red(s string) string    { return c.paint("31;1", s) }
func (c colours) yellow(s string) string { return c.paint("33;1", s) }
func (c colours) green(s string) string  { return c.paint("32", s) }

// writeJSON prints v, indented, with "<" and "&" as they are.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
