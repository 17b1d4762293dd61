package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"modelwall/config"
	"modelwall/proxy"
	"modelwall/proxy/admin"
	"modelwall/proxy/audit"
	"modelwall/proxy/fetch"
	"modelwall/proxy/gate"
	"modelwall/proxy/metadata"
	"modelwall/proxy/mitm"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
	"modelwall/proxy/upstream"
	"modelwall/scan/all"
	"modelwall/scan/engine"
)

// proxyInstance is a running proxy with everything behind it.
type proxyInstance struct {
	ca      *mitm.CA
	addr    string
	summary *audit.Summary
	cfg     atomic.Pointer[config.Config]
	log     *slog.Logger
	level   slog.LevelVar // of log
	stop    context.CancelFunc
	ended   chan struct{}
	err     error // of the listener; set before ended closes
}

// startProxy puts the parts together and listens. Everything is released by
// Close, or when ctx ends.
func startProxy(ctx context.Context, cfg *config.Config, logTo io.Writer) (*proxyInstance, error) {
	p := &proxyInstance{summary: audit.NewSummary(maxBlocked), ended: make(chan struct{})}
	p.log = audit.NewLogger(logTo, string(cfg.Log.Format), &p.level)
	p.apply(cfg)
	log := p.log

	var cleanup closers
	fail := func(err error) (*proxyInstance, error) {
		cleanup.close()
		return nil, err
	}
	ctx, p.stop = context.WithCancel(ctx)
	cleanup.add(p.stop)
	var listen net.ListenConfig
	ln, err := listen.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fail(fmt.Errorf("listen: %w", err))
	}
	cleanup.add(func() { ln.Close() })
	p.addr = ln.Addr().String()
	records, err := store.Open(cfg.DataDir)
	if err != nil {
		return fail(err)
	}
	cleanup.add(func() { logClose(log, "store", records) })
	if p.ca, err = openCA(cfg); err != nil {
		return fail(err)
	}
	up, err := upstream.New(upstream.Options{
		Proxy:         cfg.Upstream.Proxy.URL(),
		CAFile:        cfg.Upstream.CAFile,
		Ports:         cfg.Ports,
		Self:          addresses(ln),
		DialTimeout:   cfg.Upstream.ConnectTimeout,
		HeaderTimeout: cfg.Upstream.ResponseHeaderTimeout,
	})
	if err != nil {
		return fail(err)
	}
	cleanup.add(up.CloseIdleConnections)
	chunks := proxy.NewXet(xetMode(cfg.Xet))
	key, err := records.Secret(ctx, "metadata")
	if err != nil {
		return fail(err)
	}
	answers := metadata.New(metadata.Options{
		Transport: up.Transport(),
		TTL:       func() time.Duration { return p.cfg.Load().Cache.Metadata },
		Key:       key,
		Mode:      func() metadata.Mode { return offline(p.cfg.Load().Mirror.Offline) },
		Records:   records,
		Logger:    log,
	})
	cleanup.add(answers.Close)
	parts, err := fetch.OpenParts(records.Blobs().SpoolDir())
	if err != nil {
		return fail(err)
	}
	g := gate.New(gate.Options{
		Describe:  chunks.Describe,
		Transport: answers,
		Content:   answers.Content(up.Content()),
		Inspector: newEngine(cfg),
		Blobs:     records.Blobs(),
		Verdicts:  store.Cached(records, cfg.Cache.Verdicts),
		Records:   records,
		Rules:     func() policy.Rules { return rules(p.cfg.Load().Policy) },
		Hold:      func() time.Duration { return p.cfg.Load().Gate.Hold },
		Fail:      proxy.WriteError,
		Audit: audit.Multi(audit.Log(log), records.Audit(func(err error) {
			log.Error("a download is missing from the records", "error", err)
		}), p.summary),
		Logger:  log,
		Retries: cfg.Upstream.Retries,
		Stall:   cfg.Upstream.StallTimeout,
		Parts:   parts,
	})
	cleanup.add(g.Close)
	front := &proxy.Front{Gate: g, Transport: answers, Xet: chunks, Logger: log}
	server := proxy.New(proxy.Options{
		Certifier:        p.ca,
		Dialer:           up,
		Transport:        up.Transport(),
		Intercept:        cfg.Intercept,
		Tunnel:           func() bool { return p.cfg.Load().OtherHosts == config.Tunnel },
		Inner:            front,
		Local:            &proxy.Mirror{Front: front, URL: cfg.Mirror.URL, Home: http.HandlerFunc(local)},
		Logger:           log,
		HeaderTimeout:    cfg.Server.HeaderTimeout,
		IdleTimeout:      cfg.Server.IdleTimeout,
		HandshakeTimeout: cfg.Server.HandshakeTimeout,
		ShutdownTimeout:  cfg.Server.ShutdownTimeout,
		MaxHeaderBytes:   int(cfg.Server.MaxHeaderBytes),
	})

	if cfg.Admin.Listen != "" {
		health, err := listen.Listen(ctx, "tcp", cfg.Admin.Listen)
		if err != nil {
			return fail(fmt.Errorf("admin.listen: %w", err))
		}
		h := &http.Server{
			Handler:           admin.Handler(admin.Options{Ready: ready(records)}),
			ReadHeaderTimeout: cfg.Server.HeaderTimeout,
		}
		go func() { _ = h.Serve(health) }() // ends with Close below
		cleanup.add(func() { h.Close() })
	}
	log.Info("listening", "proxy", p.addr, "admin", cfg.Admin.Listen, "data_dir", cfg.DataDir, "ca", p.ca.CertFile())
	tidied := make(chan struct{})
	go func() {
		defer close(tidied)
		p.tidy(ctx, records, parts)
	}()
	go func() {
		defer close(p.ended)
		p.err = server.Serve(ctx, ln)
		p.stop()
		<-tidied
		cleanup.close()
	}()
	return p, nil
}

// maxBlocked bounds what a summary lists by name.
const maxBlocked = 100

// Addr is where the proxy listens, host:port.
func (p *proxyInstance) Addr() string { return p.addr }

// CAFile is our certificate alone, BundleFile the system's roots with it.
func (p *proxyInstance) CAFile() string { return p.ca.CertFile() }

// BundleFile is the trust store for programs that replace their own.
func (p *proxyInstance) BundleFile() string { return p.ca.BundleFile() }

// Summary counts what was checked and blocked.
func (p *proxyInstance) Summary() *audit.Summary { return p.summary }

// Close stops listening, lets requests under way finish, and frees everything.
func (p *proxyInstance) Close(context.Context) error {
	p.stop()
	return p.Wait()
}

// Wait returns when the proxy has ended.
func (p *proxyInstance) Wait() error {
	<-p.ended
	return p.err
}

// ready asks the database for something.
func ready(s *store.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.Downloads(ctx, store.DownloadQuery{Limit: 1})
		return err
	}
}

// addresses is where ln can be reached.
func addresses(ln net.Listener) []netip.AddrPort {
	if a, ok := ln.Addr().(*net.TCPAddr); ok {
		return []netip.AddrPort{a.AddrPort()}
	}
	return nil
}

// closers run in reverse order.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c *closers) close() {
	for i := len(*c) - 1; i >= 0; i-- {
		(*c)[i]()
	}
	*c = nil
}

// apply puts a configuration into effect, as far as that needs no restart.
func (p *proxyInstance) apply(cfg *config.Config) {
	p.cfg.Store(cfg)
	p.level.Set(cfg.Log.Level)
	for _, w := range cfg.Warnings {
		p.log.Warn("configuration", "warning", w)
	}
}

func logClose(log *slog.Logger, what string, c io.Closer) {
	if err := c.Close(); err != nil {
		log.Error("close", "what", what, "error", err)
	}
}

func openCA(cfg *config.Config) (*mitm.CA, error) {
	return mitm.Open(mitm.Options{
		Dir:        filepath.Join(cfg.DataDir, "ca"),
		Suffixes:   cfg.Intercept,
		CacheSize:  cfg.Cache.Leaves,
		ExtraRoots: cfg.Upstream.CAFile,
	})
}

func newEngine(cfg *config.Config) *engine.Engine {
	return engine.New(all.Scanners(), engine.Limits{
		Depth:   cfg.Scan.MaxDepth,
		Members: cfg.Scan.MaxMembers,
		Bytes:   int64(cfg.Scan.MaxBytes),
		Ratio:   int64(cfg.Scan.MaxRatio),
		Time:    cfg.Scan.Timeout,
	})
}

func rules(c config.Policy) policy.Rules {
	action := func(a config.Action) policy.Action {
		var out policy.Action // Block, should the two packages ever disagree
		_ = out.UnmarshalText([]byte(a))
		return out
	}
	return policy.Rules{
		Malicious:    action(c.Malicious),
		Suspicious:   action(c.Suspicious),
		Undetermined: action(c.Undetermined),
		Clean:        action(c.Clean),
		AllowRepos:   c.AllowRepos,
		DenyRepos:    c.DenyRepos,
		Monitor:      c.Monitor,
	}
}

func offline(o config.Offline) metadata.Mode {
	switch o {
	case config.Always:
		return metadata.Offline
	case config.Unreachable:
		return metadata.Auto
	default:
		return metadata.Online
	}
}

// local answers someone who opens the proxy's address as if it were a site.
func local(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "This is Modelwall, a firewall for model downloads. Set HTTPS_PROXY to this address (`modelwall env` prints the lines), or HF_ENDPOINT.\n")
}

func newServeCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, cmd.ErrOrStderr())
		},
	}
}

// serve runs the proxy and follows its configuration file.
func serve(ctx context.Context, cfg *config.Config, logTo io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := startProxy(ctx, cfg, logTo)
	if err != nil {
		return err
	}
	log := p.log
	watching := make(chan error, 1)
	go func() {
		watching <- config.Watch(ctx, cfg.Path(), cfg, func(c *config.Config) {
			log.Info("configuration reloaded", "source", c.Source())
			p.apply(c)
		}, func(err error) {
			var restart *config.RestartError
			if errors.As(err, &restart) {
				log.Warn("configuration reloaded in part", "error", err)
				return
			}
			log.Warn("configuration refused, the old one stays", "error", err)
		})
	}()
	err = p.Wait()
	cancel()
	if werr := <-watching; werr != nil && !errors.Is(werr, context.Canceled) {
		log.Warn("configuration is not watched", "error", werr)
	}
	return err
}

// xetMode translates the configuration's word.
func xetMode(m config.XetMode) proxy.XetMode {
	switch m {
	case config.XetFacade:
		return proxy.XetFacade
	case config.XetDeny:
		return proxy.XetDeny
	case config.XetStrip:
	}
	return proxy.XetStrip
}
