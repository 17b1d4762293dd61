package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"modelwall/proxy/store"
	"modelwall/scan"
)

func newQuarantineCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "List, show, release or delete what was kept from users",
		Long: `List, show, release or delete what was kept from users. An ID is what a blocked
client was told (q-...), or the first digits of the content's sha256.`,
	}
	group(cmd)
	cmd.AddCommand(newQuarantineListCmd(), newQuarantineShowCmd(), newQuarantineReleaseCmd(),
		newQuarantineRevokeCmd(), newQuarantineDeleteCmd())
	return cmd
}

// withStore runs f on the records in the data folder of the configuration,
// which have to be there: a new, empty folder would hide a wrong data_dir.
func withStore(cmd *cobra.Command, f func(*store.Store) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cfg.DataDir, "modelwall.db")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no records in %s: check --data-dir or data_dir", cfg.DataDir)
	}
	s, err := store.Open(cfg.DataDir)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}

// entryJSON is a quarantine entry as the command prints it. Like the report of
// scan it only grows, and its lists are never null.
type entryJSON struct {
	ID        string         `json:"id"`
	SHA256    string         `json:"sha256"`
	Size      int64          `json:"size"`
	Verdict   scan.Verdict   `json:"verdict"`
	Repo      string         `json:"repo"`
	Revision  string         `json:"revision"`
	Path      string         `json:"path"`
	Client    string         `json:"client"`
	FirstSeen time.Time      `json:"first_seen"`
	LastSeen  time.Time      `json:"last_seen"`
	Count     int            `json:"count"`
	Held      bool           `json:"held"` // the content itself is kept
	Formats   []string       `json:"formats"`
	Findings  []scan.Finding `json:"findings"`
	Imports   []scan.Import  `json:"imports"`
	Error     string         `json:"error"`
	Release   *releaseJSON   `json:"release"` // null while it is not released
}

type releaseJSON struct {
	Verdict scan.Verdict `json:"verdict"` // what was known at that time
	Reason  string       `json:"reason"`
	Who     string       `json:"who"`
	At      time.Time    `json:"at"`
}

func entry(e store.QuarantineEntry) entryJSON {
	j := entryJSON{
		ID: e.ID, SHA256: e.SHA256, Size: e.Size, Verdict: e.Verdict,
		Repo: e.Repo, Revision: e.Revision, Path: e.Path, Client: e.Client,
		FirstSeen: e.FirstSeen.UTC(), LastSeen: e.LastSeen.UTC(), Count: e.Count, Held: e.Held,
		Formats: notNil(e.Report.Formats), Findings: notNil(e.Report.Findings), Imports: notNil(e.Report.Imports), Error: e.Report.Error,
	}
	if r := e.Release; r != nil {
		j.Release = &releaseJSON{r.Verdict, r.Reason, r.Who, r.At.UTC()}
	}
	return j
}

func newQuarantineListCmd() *cobra.Command {
	format := newChoice("text", "json")
	var all bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the entries, the last seen first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit %d: expected at least 1", limit)
			}
			return withStore(cmd, func(s *store.Store) error {
				entries, err := s.ListQuarantine(cmd.Context(), store.QuarantineFilter{Released: all, Limit: limit})
				if err != nil {
					return err
				}
				list := make([]entryJSON, len(entries))
				for i, e := range entries {
					list[i] = entry(e)
				}
				if format.value == "json" {
					return writeJSON(cmd.OutOrStdout(), map[string]any{"version": 1, "entries": list})
				}
				if len(list) == limit {
					fmt.Fprintf(cmd.ErrOrStderr(), "modelwall: there may be more than these %d: see --limit\n", limit)
				}
				return printEntries(cmd.OutOrStdout(), list)
			})
		},
	}
	format.addTo(cmd, "format", "form of the output")
	cmd.Flags().BoolVar(&all, "all", false, "released entries too")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many entries")
	return cmd
}

func printEntries(out io.Writer, list []entryJSON) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "the quarantine is empty")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tVERDICT\tLAST SEEN\tCOUNT\tFILE")
	for _, e := range list {
		state := e.Verdict.String()
		if e.Release != nil {
			state += " (released)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", e.ID, state, e.LastSeen.Format(time.DateTime), e.Count, origin(e))
	}
	return w.Flush()
}

// origin names the file that an entry was seen as last.
func origin(e entryJSON) string {
	name := e.Repo
	if e.Revision != "" {
		name += "@" + e.Revision
	}
	return printable(name + ": " + e.Path)
}

func newQuarantineShowCmd() *cobra.Command {
	format := newChoice("text", "json")
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show an entry with its findings",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(s *store.Store) error {
				found, err := s.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if format.value == "json" {
					return writeJSON(cmd.OutOrStdout(), entry(found))
				}
				return printEntry(cmd.OutOrStdout(), entry(found))
			})
		},
	}
	format.addTo(cmd, "format", "form of the output")
	return cmd
}

func printEntry(out io.Writer, e entryJSON) error {
	held := "yes"
	if !e.Held {
		held = "no"
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "id:\t%s\n", e.ID)
	fmt.Fprintf(w, "file:\t%s\n", origin(e))
	fmt.Fprintf(w, "sha256:\t%s\n", e.SHA256)
	fmt.Fprintf(w, "size:\t%s\n", plural(int(e.Size), "byte", "bytes"))
	fmt.Fprintf(w, "seen:\t%s, last from %s\n", plural(e.Count, "time", "times"), printable(e.Client))
	fmt.Fprintf(w, "first seen:\t%s\n", e.FirstSeen.Format(time.RFC3339))
	fmt.Fprintf(w, "last seen:\t%s\n", e.LastSeen.Format(time.RFC3339))
	fmt.Fprintf(w, "content kept:\t%s\n", held)
	if r := e.Release; r != nil {
		fmt.Fprintf(w, "released:\t%s by %s, then %s: %s\n", r.At.Format(time.RFC3339), printable(r.Who), r.Verdict, printable(r.Reason))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	printFile(out, coloursFor(out), scanResult{Path: e.Path, Verdict: e.Verdict, Findings: e.Findings, Error: e.Error})
	return nil
}

// decision is a release or its withdrawal.
type decision func(s *store.Store, ctx context.Context, id, reason, who string, at time.Time) error

func newQuarantineReleaseCmd() *cobra.Command {
	cmd := decisionCmd("released", (*store.Store).Release)
	cmd.Use = "release ID --reason TEXT"
	cmd.Short = "Let a content pass from now on; the reason is recorded"
	cmd.Long = `Let a content pass from now on, whatever policy says. It applies to exactly this
content and ends by itself when it turns out to be worse than is known now. Who,
when and why are recorded.`
	return cmd
}

func newQuarantineRevokeCmd() *cobra.Command {
	cmd := decisionCmd("revoked", (*store.Store).Revoke)
	cmd.Use = "revoke ID --reason TEXT"
	cmd.Short = "Take a release back; the reason is recorded"
	return cmd
}

func decisionCmd(done string, decide decision) *cobra.Command {
	var reason, who string
	cmd := &cobra.Command{
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(reason) == "" {
				return usagef("--reason is required: it is recorded for whoever asks why")
			}
			if who == "" {
				who = userName()
			}
			return withStore(cmd, func(s *store.Store) error {
				err := decide(s, cmd.Context(), args[0], reason, who, time.Now())
				if errors.Is(err, store.ErrReason) {
					return &exitError{exitUsage, err}
				}
				if err != nil {
					return err
				}
				found, err := s.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s, %s, sha256 %s, by %s\n",
					done, found.ID, origin(entry(found)), found.SHA256, printable(who))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why (required)")
	cmd.Flags().StringVar(&who, "by", "", "who (default: the user's name)")
	return cmd
}

// userName is who works at this terminal, behind sudo too.
func userName() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

func newQuarantineDeleteCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "Delete an entry and its content; the verdict stays, and so does the block",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(s *store.Store) error {
				found, err := s.Show(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := s.Delete(cmd.Context(), found.ID); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s, %s, sha256 %s\n", found.ID, origin(entry(found)), found.SHA256)
				return err
			})
		},
	}
}
