package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"modelwall/config"
	"modelwall/proxy/fetch"
	"modelwall/proxy/remote"
	"modelwall/proxy/upstream"
	"modelwall/scan"
)

// repositories are those of the Hub, as targets.
type repositories struct {
	hub    *remote.Hub
	budget *budget
	close  func()
}

// openRepositories reads where the Hub is and the token for it from the
// environment, as huggingface_hub does.
func openRepositories(cfg *config.Config, maxDownload int64) (*repositories, error) {
	token, err := hubToken(os.Getenv)
	if err != nil {
		return nil, err
	}
	opt := remote.Options{
		Endpoint:  os.Getenv("HF_ENDPOINT"),
		Token:     token,
		UserAgent: "modelwall/" + readVersion().Version,
		Patience:  fetch.Options{Retries: cfg.Upstream.Retries, StallTimeout: cfg.Upstream.StallTimeout},
	}
	hub, err := remote.New(opt)
	if err != nil {
		return nil, err
	}
	transport, err := hubTransport(cfg, hub.Public())
	if err != nil {
		return nil, err
	}
	opt.Transport = transport
	if hub, err = remote.New(opt); err != nil {
		return nil, err
	}
	return &repositories{hub: hub, budget: &budget{max: maxDownload}, close: transport.CloseIdleConnections}, nil
}

// hubTransport goes to the public Hub by the rules that keep redirects and DNS
// from leading into the local network. An endpoint that the user has set is
// where he says it is, which can be this machine.
func hubTransport(cfg *config.Config, public bool) (*http.Transport, error) {
	if public {
		up, err := upstream.New(upstream.Options{
			Proxy:         cfg.Upstream.Proxy.URL(),
			CAFile:        cfg.Upstream.CAFile,
			DialTimeout:   cfg.Upstream.ConnectTimeout,
			HeaderTimeout: cfg.Upstream.ResponseHeaderTimeout,
		})
		if err != nil {
			return nil, err
		}
		return up.Transport(), nil
	}
	roots, err := upstream.Roots(cfg.Upstream.CAFile)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // offsets are those of the content
		MaxIdleConnsPerHost:   remoteWorkers,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   cfg.Upstream.ConnectTimeout,
		ResponseHeaderTimeout: cfg.Upstream.ResponseHeaderTimeout,
	}
	if parent := cfg.Upstream.Proxy.URL(); parent != nil {
		t.Proxy = http.ProxyURL(parent)
	}
	return t, nil
}

// maxToken bounds a token's file, in bytes.
const maxToken = 4 << 10

// hubToken finds the user's token where huggingface_hub looks for it: "" if
// there is none.
func hubToken(getenv func(string) string) (string, error) {
	if off := strings.ToLower(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")); off == "1" || off == "true" || off == "yes" || off == "on" {
		return "", nil
	}
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if token := strings.TrimSpace(getenv(name)); token != "" {
			return token, nil
		}
	}
	path := getenv("HF_TOKEN_PATH")
	if path == "" {
		home := getenv("HF_HOME")
		if home == "" {
			cache := getenv("XDG_CACHE_HOME")
			if cache == "" {
				cache = filepath.Join(getenv("HOME"), ".cache")
			}
			home = filepath.Join(cache, "huggingface")
		}
		path = filepath.Join(home, "token")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("the Hub's token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err == nil && len(text) > maxToken {
		err = fmt.Errorf("%s is longer than any token", path)
	}
	if err != nil {
		return "", fmt.Errorf("the Hub's token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// add lists the files that name stands for. A repository that can not be
// listed is a target that can not be examined; the error of add is wrong use.
func (r *repositories) add(ctx context.Context, t *targets, name string) error {
	ref, err := remote.ParseRef(name)
	if err != nil {
		return err
	}
	l, err := r.hub.List(ctx, ref)
	if err != nil {
		if ctx.Err() == nil {
			t.list = append(t.list, target{path: ref.String(), err: err})
		}
		return ctx.Err()
	}
	in := newTree()
	for _, f := range l.Files {
		in.add(f.Path)
		at := ref.At(f.Path)
		t.list = append(t.list, target{
			path: at.String(), remote: true, tree: in, inTree: f.Path,
			open: func(ctx context.Context) (*opened, error) { return r.open(ctx, l, f, at) },
		})
	}
	if ref.Path != "" {
		for i := range t.list {
			if t.list[i].tree == in {
				t.list[i].tree = nil // its neighbours were not listed
			}
		}
	}
	return nil
}

func (r *repositories) open(ctx context.Context, l remote.Listing, f remote.File, at remote.Ref) (*opened, error) {
	far, err := r.hub.Open(ctx, l, f)
	if err != nil {
		return nil, err
	}
	return &opened{
		ReaderAt: &rationed{far, r.budget},
		size:     f.Size,
		sha256:   f.SHA256,
		commit:   l.Commit,
		same:     func() error { return nil }, // the reader compares entity tags
		explain: func(err error) error {
			var denied *remote.DeniedError
			if errors.As(r.hub.Explain(at, err), &denied) {
				return denied
			}
			return nil
		},
		read:  func() int64 { return far.Stats().Received },
		close: func() {},
	}, nil
}

// budget is what may be read of repositories in one scan.
type budget struct {
	max  int64 // 0: no bound
	used atomic.Int64
}

// rationed is a reader under the budget. What is under way may exceed it by
// one request for each worker.
type rationed struct {
	*fetch.Ranged
	budget *budget
}

// ReadAt implements io.ReaderAt.
func (r *rationed) ReadAt(p []byte, off int64) (int, error) {
	if r.budget.max > 0 && r.budget.used.Load() >= r.budget.max {
		return 0, scan.Limit(off, "--max-download %s is used up", bytesText(r.budget.max))
	}
	before := r.Stats().Received
	n, err := r.Ranged.ReadAt(p, off)
	r.budget.used.Add(r.Stats().Received - before)
	return n, err
}
