package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"modelwall/config"
	"modelwall/proxy/fetch"
	"modelwall/proxy/hub"
	"modelwall/proxy/remote"
	"modelwall/proxy/store"
)

// warmWorkers is how many files are fetched at a time; each comes in several
// parts.
const warmWorkers = 4

func newMirrorWarmCmd(p parts) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "warm {REPO[@REV]... | --file LOCK}",
		Short: "Fetch, scan and cache repositories in advance",
		Long: `Fetch, scan and cache repositories in advance, so that the first download is as
fast as the next and 'mirror.offline' has all that clients ask for. What is in
the cache already is not fetched again: a run that was stopped goes on.

  modelwall mirror warm org/name org/other@v1.0 datasets/org/name
  modelwall mirror warm --file models.lock

A lock file has one repository per line; what follows "#" is a comment. Each is
asked for without a token first, so that everybody may have what is public, and
then with that of HF_TOKEN or the Hub's token file.

Exit code: 1 if a file was blocked, else 2 if one could not be fetched or the
command line is wrong, else 0.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			refs, err := warmRefs(args, file)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			token, err := hubToken(os.Getenv)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			w := warmer{token: token, out: cmd.OutOrStdout(), patience: fetch.Options{Retries: cfg.Upstream.Retries, StallTimeout: cfg.Upstream.StallTimeout}}
			if isTerminal(cmd.ErrOrStderr()) {
				w.progress = newProgress(cmd.ErrOrStderr(), 0)
			}
			return w.run(cmd.Context(), p, cfg, refs)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "a list of repositories, one per line")
	return cmd
}

// warmRefs reads the command line, and the lock file if there is one.
func warmRefs(args []string, file string) (refs []remote.Ref, err error) {
	add := func(name string) error {
		ref, err := remote.ParseRef(remote.Scheme + strings.TrimPrefix(name, remote.Scheme))
		if err == nil && ref.Path != "" {
			err = fmt.Errorf("%q: only whole repositories can be fetched in advance", name)
		}
		refs = append(refs, ref)
		return err
	}
	for _, name := range args {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			name, _, _ := strings.Cut(lines.Text(), "#")
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if err := add(name); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(refs) == 0 {
		return nil, errors.New("name repositories, or give --file")
	}
	return refs, nil
}

// warmer is a client of the mirror that wants everything and keeps nothing.
type warmer struct {
	token    string
	patience fetch.Options
	base     string // address of a private mirror
	client   *http.Client
	cached   map[string]bool // by sha256
	progress *progress

	mu              sync.Mutex // of what follows
	out             io.Writer
	blocked, failed int
}

func (w *warmer) run(ctx context.Context, p parts, cfg *config.Config, refs []remote.Ref) (err error) {
	private := *cfg
	private.Listen, private.Admin.Listen = "127.0.0.1:0", ""
	private.Mirror = config.Mirror{Offline: config.Never}
	server, err := p.startProxy(ctx, &private, io.Discard)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("the firewall could not be started: %w", err)}
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Server.ShutdownTimeout)
		defer cancel()
		err = errors.Join(err, server.Close(closing))
	}()
	if w.cached, err = cachedContent(ctx, cfg.DataDir); err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: warmWorkers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	w.base, w.client = "http://"+server.Addr(), &http.Client{Transport: transport}
	stop := w.progress.start()
	for _, ref := range refs {
		w.repo(ctx, transport, ref)
	}
	stop()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.blocked > 0:
		return &exitError{code: exitFailed}
	case w.failed > 0:
		return &exitError{code: exitUsage}
	}
	return nil
}

func cachedContent(ctx context.Context, dir string) (cached map[string]bool, err error) {
	s, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	files, err := s.CachedFiles(ctx, "")
	cached = map[string]bool{}
	for _, f := range files {
		cached[f.SHA256] = true
	}
	return cached, err
}

// say prints one line.
func (w *warmer) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, format+"\n", args...)
}

// repo fetches one repository.
func (w *warmer) repo(ctx context.Context, transport http.RoundTripper, ref remote.Ref) {
	started := time.Now()
	l, err := w.list(ctx, transport, ref)
	if err != nil {
		w.failed++
		w.say("%s: %s", printable(ref.Repo()), printable(err.Error()))
		return
	}
	if w.progress != nil {
		w.progress.files += len(l.Files)
	}
	api := "/api/" + string(ref.Type) + "/" + ref.Name
	revision := url.PathEscape(cmp.Or(ref.Revision, "main"))
	// What the Hub's clients ask besides the files, as they spell it.
	for _, question := range []string{
		api, api + "/refs",
		api + "/revision/" + revision, api + "/revision/" + l.Commit,
		api + "/tree/" + l.Commit + "?recursive=True&expand=False",
		api + "/tree/" + revision + "?recursive=true&expand=false",
	} {
		_, _ = w.ask(ctx, http.MethodGet, question, "") // what is not there, nobody will get
	}
	var all errgroup.Group
	all.SetLimit(warmWorkers)
	var total, fetched int64
	for _, f := range l.Files {
		total += f.Size
		all.Go(func() error {
			n := w.file(ctx, ref, l.Commit, f)
			w.mu.Lock()
			fetched += n
			w.mu.Unlock()
			return nil
		})
	}
	_ = all.Wait() // no worker returns an error
	if ctx.Err() == nil {
		w.say("%s: %s, %s, %s received, %v", printable(ref.Repo()+"@"+l.Commit), plural(len(l.Files), "file", "files"),
			bytesText(total), bytesText(fetched), time.Since(started).Round(10*time.Millisecond))
	}
}

// list asks without a token first.
func (w *warmer) list(ctx context.Context, transport http.RoundTripper, ref remote.Ref) (l remote.Listing, err error) {
	for _, token := range w.tokens() {
		var h *remote.Hub
		h, err = remote.New(remote.Options{Endpoint: w.base, Token: token, Transport: transport, UserAgent: userAgent(), Patience: w.patience})
		if err != nil {
			return l, err
		}
		if l, err = h.List(ctx, ref); err == nil {
			return l, nil
		}
	}
	return l, err
}

func (w *warmer) tokens() []string {
	if w.token == "" {
		return []string{""}
	}
	return []string{"", w.token}
}

func userAgent() string { return "modelwall/" + readVersion().Version }

// file fetches one file, and asks for it as clients do that know the branch
// only. It returns how much it received.
func (w *warmer) file(ctx context.Context, ref remote.Ref, commit string, f remote.File) (n int64) {
	prefix := ""
	if ref.Type != remote.Model {
		prefix = string(ref.Type) + "/"
	}
	at := func(revision string) string {
		u := url.URL{Path: f.Path}
		return "/" + prefix + ref.Name + "/resolve/" + url.PathEscape(revision) + "/" + u.EscapedPath()
	}
	var err error
	for _, r := range []string{cmp.Or(ref.Revision, "main"), commit} {
		if _, err = w.ask(ctx, http.MethodHead, at(r), ""); err != nil {
			break
		}
	}
	if err == nil {
		span := ""
		if w.cached[f.SHA256] {
			span = "bytes=0-0" // which notes that this repository has it
		}
		n, err = w.ask(ctx, http.MethodGet, at(commit), span)
	}
	var refused *refusedError
	switch {
	case ctx.Err() != nil:
		return n
	case errors.As(err, &refused) && refused.ours:
		w.mu.Lock()
		w.blocked++
		w.mu.Unlock()
	case err != nil:
		w.mu.Lock()
		w.failed++
		w.mu.Unlock()
	}
	if err != nil {
		w.say("%s: %s", printable(ref.Repo()+"/"+f.Path), printable(err.Error()))
	}
	if w.progress != nil {
		w.progress.ready.Add(1)
		w.progress.read.Add(n)
		if err != nil {
			w.progress.blocked.Add(1)
		}
	}
	return n
}

// refusedError is an answer that is none to what was asked.
type refusedError struct {
	status string
	text   string
	ours   bool // the firewall's and not the Hub's
}

func (e *refusedError) Error() string {
	if e.text == "" {
		return e.status
	}
	return e.text
}

// ask sends one request to the mirror, with a token only if it does not go
// without. It returns how many bytes came.
func (w *warmer) ask(ctx context.Context, method, path, span string) (n int64, err error) {
	for _, token := range w.tokens() {
		var refused *refusedError
		if n, err = w.askAs(ctx, method, path, span, token); !errors.As(err, &refused) || refused.ours {
			return n, err
		}
	}
	return n, err
}

func (w *warmer) askAs(ctx context.Context, method, path, span, token string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.base+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", userAgent())
	req.Header.Set("Accept", "*/*") // as clients do: the records go by it
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest && resp.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		return 0, &refusedError{
			status: resp.Status,
			text:   hub.OneLine(resp.Header.Get("X-Error-Message"), 600),
			ours:   strings.HasPrefix(resp.Header.Get("X-Error-Code"), "Modelwall"),
		}
	}
	return io.Copy(io.Discard, resp.Body)
}
