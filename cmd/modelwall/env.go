package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// shell is one way of writing down environment variables.
type shell struct {
	name string
	line func(name, value string) string
}

// shells lists the ways, the POSIX one first.
func shells() []shell {
	posix := func(name, value string) string {
		return "export " + name + "='" + strings.ReplaceAll(value, `'`, `'\''`) + "';"
	}
	return []shell{
		{"bash", posix},
		{"zsh", posix},
		{"sh", posix},
		{"fish", func(name, value string) string {
			return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "';"
		}},
		{"powershell", func(name, value string) string {
			// PowerShell ends a string at typographic quotes too.
			quote := strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛")
			return "$env:" + name + " = '" + quote.Replace(value) + "'"
		}},
		{"cmd", func(name, value string) string { // in a batch file
			return `set "` + name + "=" + strings.ReplaceAll(value, "%", "%%") + `"`
		}},
		{"dotenv", func(name, value string) string { return name + "=" + dotenv(value) }},
		{"github", func(name, value string) string { return name + "=" + value }}, // one line: taken as it is
	}
}

// dotenv quotes only what needs it: readers such as Docker's --env-file take
// quotes as part of the value. The rest understands single quotes as literal.
func dotenv(value string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-+./:,@%=[]*", r)
	}
	switch {
	case strings.IndexFunc(value, func(r rune) bool { return !plain(r) }) < 0:
		return value
	case !strings.Contains(value, "'") && !strings.HasSuffix(value, `\`):
		return "'" + value + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(value) + `"`
}

// defaultShell guesses by $SHELL.
func defaultShell() string {
	if runtime.GOOS == "windows" {
		return "powershell"
	}
	name := filepath.Base(os.Getenv("SHELL"))
	for _, s := range shells() {
		if s.name == name {
			return name
		}
	}
	return "sh"
}

// export returns the lines that set the variables of r in a shell.
func export(s shell, r route, lookup func(string) string) (string, error) {
	var b strings.Builder
	for _, v := range variables() {
		value := v.value(r, lookup)
		if strings.IndexFunc(value, unicode.IsControl) >= 0 {
			return "", fmt.Errorf("%s has a control character in it, %q: it can't be written down safely", v.name, value)
		}
		if s.name == "cmd" && strings.Contains(value, `"`) {
			return "", fmt.Errorf("%s has a quotation mark in it, %q: cmd has no way to write it", v.name, value)
		}
		b.WriteString(s.line(v.name, value) + "\n")
	}
	return b.String(), nil
}

func newEnvCmd() *cobra.Command {
	var names []string
	for _, s := range shells() {
		names = append(names, s.name)
	}
	chosen := &choice{value: defaultShell(), choices: names}
	var explain bool
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment variables that send clients through a running `modelwall serve`",
		Long: `Print the environment variables that send clients through a running
'modelwall serve' and make them trust its CA.

  eval "$(modelwall env)"                               sh, bash, zsh
  modelwall env --shell fish | source
  modelwall env --shell powershell | Out-String | Invoke-Expression
  modelwall env --shell github >> "$GITHUB_ENV"
  modelwall env --shell cmd > modelwall-env.cmd

wget has no variable for a CA: write ca_certificate = FILE into ~/.wgetrc, with
the file that SSL_CERT_FILE names, or use 'modelwall run'.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if explain {
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, v := range variables() {
					fmt.Fprintf(w, "%s\t%s\n", v.name, v.readers)
				}
				return w.Flush()
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			r := route{
				ca:     filepath.Join(cfg.DataDir, "ca", "ca.pem"),
				bundle: filepath.Join(cfg.DataDir, "ca", "bundle.pem"),
			}
			if r.proxy, err = served(cfg); err != nil {
				return err
			}
			for _, file := range []string{r.ca, r.bundle} {
				if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%s does not exist yet: `modelwall serve` makes it at its first start, `modelwall ca show` does so too", file)
				} else if err != nil {
					return err
				}
			}
			for _, line := range bypasses(os.Getenv, cfg.Intercept) {
				fmt.Fprintf(cmd.ErrOrStderr(), "modelwall: warning: %s\n", line)
			}
			for _, s := range shells() {
				if s.name != chosen.value {
					continue
				}
				text, err := export(s, r, os.Getenv)
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), text)
				return err
			}
			return nil
		},
	}
	chosen.addTo(cmd, "shell", "syntax of the output (default by $SHELL)")
	cmd.Flags().BoolVar(&explain, "explain", false, "print who reads each variable instead")
	return cmd
}
