package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"modelwall/proxy/store"
)

func newMirrorCmd(p parts) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Fill, list, verify and empty the scanned cache",
		Long: `Fill, list, verify and empty the scanned cache, in which clean files lie and from
which they are served. All of it can be done beside a running server.`,
	}
	group(cmd)
	cmd.AddCommand(newMirrorWarmCmd(p), newMirrorListCmd(), newMirrorVerifyCmd(), newMirrorEvictCmd(p))
	return cmd
}

// holding is what the cache has of one revision of a repository.
type holding struct {
	Repo     string        `json:"repo"`
	Revision string        `json:"revision"`
	Files    []holdingFile `json:"files"`
	Bytes    int64         `json:"bytes"`
	Used     time.Time     `json:"used"` // when the last of the files was served
}

type holdingFile struct {
	Path   string    `json:"path"`
	SHA256 string    `json:"sha256"`
	Size   int64     `json:"size"`
	Used   time.Time `json:"used"`
}

// holdings groups files, which are sorted by repository already.
func holdings(files []store.CachedFile) []holding {
	list := []holding{}
	at := map[[2]string]int{}
	for _, f := range files {
		key := [2]string{f.Repo, f.Revision}
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, holding{Repo: f.Repo, Revision: f.Revision})
		}
		h := &list[i]
		h.Files = append(h.Files, holdingFile{f.Path, f.SHA256, f.Size, f.Used.UTC()})
		h.Bytes += f.Size
		if f.Used.After(h.Used) {
			h.Used = f.Used.UTC()
		}
	}
	return list
}

func newMirrorListCmd() *cobra.Command {
	format := newChoice("text", "json")
	var files bool
	cmd := &cobra.Command{
		Use:   "list [REPO]",
		Short: "List what is in the cache, by repository and revision",
		Long: `List what is in the cache, by repository and revision. A file that several
repositories or revisions have is listed with each, and stored once.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(s *store.Store) error {
				list, err := s.CachedFiles(cmd.Context(), strings.Join(args, ""))
				if err != nil {
					return err
				}
				if format.value == "json" {
					return writeJSON(cmd.OutOrStdout(), map[string]any{"version": 1, "repos": holdings(list)})
				}
				return printHoldings(cmd.OutOrStdout(), list, files)
			})
		},
	}
	format.addTo(cmd, "format", "form of the output")
	cmd.Flags().BoolVar(&files, "files", false, "each file with its sha256")
	return cmd
}

func printHoldings(out io.Writer, files []store.CachedFile, each bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	distinct := map[string]int64{}
	for _, f := range files {
		distinct[f.SHA256] = f.Size
	}
	var stored int64
	for _, size := range distinct {
		stored += size
	}
	if each {
		fmt.Fprintln(w, "SHA256\tSIZE\tLAST USE\tFILE")
	} else {
		fmt.Fprintln(w, "REPOSITORY\tREVISION\tFILES\tSIZE\tLAST USE")
	}
	for _, h := range holdings(files) {
		repo := cmp.Or(h.Repo, "(not known)")
		if !each {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", printable(repo), printable(h.Revision), len(h.Files), bytesText(h.Bytes), h.Used.Format(time.DateTime))
			continue
		}
		for _, f := range h.Files {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.SHA256, bytesText(f.Size), f.Used.Format(time.DateTime), printable(repo+"@"+h.Revision+": "+f.Path))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s of content, %s\n", plural(len(distinct), "piece", "pieces"), bytesText(stored))
	return err
}

func newMirrorVerifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [REPO]",
		Short: "Read the cache and remove what is not what its hash says",
		Long: `Read the cache, or what it has of one repository, and compare each file with its
sha256. What is different is removed, so that the next download fetches it
again. A file that is served is compared as well: this finds damage of the disk
before somebody waits for the file.

Exit code: 1 if something was removed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(s *store.Store) error {
				list, err := s.CachedFiles(cmd.Context(), strings.Join(args, ""))
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				var read int64
				good, bad := 0, 0
				for _, f := range once(list) {
					err := s.Blobs().Verify(cmd.Context(), f.SHA256)
					switch {
					case errors.Is(err, store.ErrNotFound):
						bad++
						fmt.Fprintf(out, "removed: %s, %s\n", f.SHA256, printable(f.Repo+"@"+f.Revision+": "+f.Path))
					case err != nil:
						return err
					default:
						good++
					}
					read += f.Size
				}
				fmt.Fprintf(out, "%s as their hashes say, %d removed, %s read\n", plural(good, "piece of content is", "pieces of content are"), bad, bytesText(read))
				if bad > 0 {
					return &exitError{code: exitFailed}
				}
				return nil
			})
		},
	}
}

// once returns one file for each content.
func once(files []store.CachedFile) (list []store.CachedFile) {
	seen := map[string]bool{}
	for _, f := range files {
		if !seen[f.SHA256] {
			seen[f.SHA256] = true
			list = append(list, f)
		}
	}
	return list
}

func newMirrorEvictCmd(p parts) *cobra.Command {
	var all, dry bool
	var unused time.Duration
	cmd := &cobra.Command{
		Use:   "evict {REPO... | --unused DURATION | --all}",
		Short: "Remove files from the cache",
		Long: `Remove files from the cache: those of some repositories, those that nobody has
asked for in a while, or all. What another repository has too stays, verdicts
stay, and so does what is in quarantine. A download under way is not disturbed.

  modelwall mirror evict org/name datasets/org/name
  modelwall mirror evict --unused 720h --dry-run`,
		RunE: func(cmd *cobra.Command, repos []string) error {
			if ways := len(repos); all && (ways > 0 || unused > 0) || ways > 0 && unused > 0 || !all && ways == 0 && unused == 0 {
				return usagef("name repositories, or give one of --unused and --all")
			}
			if unused < 0 {
				return usagef("--unused %v: expected more than 0s", unused)
			}
			return withStore(cmd, func(s *store.Store) error {
				files, err := s.CachedFiles(cmd.Context(), "")
				if err != nil {
					return err
				}
				for _, repo := range repos {
					if !slices.ContainsFunc(files, func(f store.CachedFile) bool { return strings.EqualFold(f.Repo, repo) }) {
						return fmt.Errorf("nothing of %q is in the cache: modelwall mirror list", repo)
					}
				}
				leaving := evictable(files, func(f store.CachedFile) bool {
					if len(repos) > 0 {
						return slices.ContainsFunc(repos, func(repo string) bool { return strings.EqualFold(f.Repo, repo) })
					}
					return all || p.clock().Sub(f.Used) >= unused
				})
				var freed int64
				for _, f := range leaving {
					if !dry {
						if err := s.Blobs().Remove(cmd.Context(), f.SHA256); err != nil {
							return err
						}
					}
					freed += f.Size
				}
				for _, repo := range repos {
					if !dry {
						if err := s.ForgetRepo(cmd.Context(), repo); err != nil {
							return err
						}
					}
				}
				verb := "removed"
				if dry {
					verb = "would be removed"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of content, %s, %s\n", plural(len(leaving), "piece", "pieces"), bytesText(freed), verb)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be removed")
	cmd.Flags().DurationVar(&unused, "unused", 0, "what was not asked for in so long, such as 720h")
	return cmd
}

// evictable returns the content all of whose places are unwanted.
func evictable(files []store.CachedFile, unwanted func(store.CachedFile) bool) []store.CachedFile {
	wanted := map[string]bool{}
	for _, f := range files {
		if !unwanted(f) {
			wanted[f.SHA256] = true
		}
	}
	return slices.DeleteFunc(once(files), func(f store.CachedFile) bool { return wanted[f.SHA256] })
}
