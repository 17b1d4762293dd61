// Package hubtest is a Hugging Face Hub in this process: its API, its redirects,
// its CDN and its Xet hosts, with TLS for their real names. Tests point the
// product at it, and `modelwall demo` shows the product working without a
// network.
//
// How a download goes on the real Hub, and here:
//
//	HEAD huggingface.co/acme/tiny/resolve/main/model.safetensors
//	302  X-Repo-Commit, X-Linked-Size, X-Linked-Etag (the sha256), Location: a signed CDN URL
//	GET  us.aws.cdn.hf.co/xet-bridge-us/...?Expires=...&Signature=...
//	200  the bytes, with Range; the ETag here is not the sha256
//
// A file that is not under Git LFS is answered with a relative 307 to
// /api/resolve-cache/... instead, and its ETag is the id of its git blob.
// Repositories with Xet storage announce it by five different signals (two
// headers, a JSON field on three routes, a media type); a client that follows
// one fetches chunks from hosts of their own, where no proxy can see a file.
// A token belongs to the hub's hosts only: signed URLs carry their own right.
// The protocol is described in the documentation of the Hub
// (https://huggingface.co/docs/hub) and of Git LFS
// (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md).
//
// The hub listens on 127.0.0.1 only, behind a hop that speaks CONNECT and
// knows no other names than the hub's. Keys are generated at Start and the
// private ones never leave memory.
package hubtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options adjust a Hub. The zero value is a Hub as the real one is.
type Options struct {
	// PageSize is how many entries a page of a tree listing has; default 1000.
	PageSize int
	// LinkTTL is how long a signed CDN link lives; default one hour.
	LinkTTL time.Duration
	// HTTP1 keeps the TLS listener from offering HTTP/2.
	HTTP1 bool
	// Wire is the distance to its clients.
	Wire Wire
	// ProxyAuth, as "user:password", is what the hop demands of its clients.
	ProxyAuth string
	// Others are names outside the Hub that the hop also connects to; they
	// answer every request with 200 and their own name as the body.
	Others []string
}

// Hub is a running hub. Its methods may be called from several goroutines.
type Hub struct {
	opts      Options
	hosts     map[string]Role
	key       []byte // signs links and Xet tokens
	caPEM     []byte
	dir       string // holds the CA certificate and, with EnableGit, the bare repositories
	hop       *http.Server
	origin    *http.Server
	hopAddr   net.Addr
	tunnels   *tunnelListener
	servers   sync.WaitGroup // the two accept loops
	serving   sync.WaitGroup // goroutines that net/http runs for connections
	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error

	mu         sync.Mutex
	transports []*http.Transport  // of Client
	repos      map[string]*repo   // by type and lower-cased id
	aliases    map[string]*repo   // by type and old single-name id
	objects    map[string]*file   // LFS objects by sha256 and by Xet hash
	tokens     map[string]string  // token -> user name
	conns      map[*conn]struct{} // open connections
	faults     []*plannedFault    // in the order they were added
	requests   []*Request         // in the order they arrived
	inflight   int                // running handlers
	idle       chan struct{}      // closed when inflight falls to 0
	git        *gitBackend        // nil until EnableGit
}

// Start runs a hub until Close.
func Start(opts Options) (*Hub, error) {
	if opts.PageSize <= 0 {
		opts.PageSize = 1000
	}
	if opts.LinkTTL <= 0 {
		opts.LinkTTL = time.Hour
	}
	h := &Hub{
		opts: opts, hosts: hubHosts(), key: make([]byte, 32), closing: make(chan struct{}),
		repos: map[string]*repo{}, aliases: map[string]*repo{}, objects: map[string]*file{},
		tokens: map[string]string{}, conns: map[*conn]struct{}{},
	}
	for _, name := range opts.Others {
		h.hosts[strings.ToLower(name)] = RoleOther
	}
	if _, err := rand.Read(h.key); err != nil {
		return nil, fmt.Errorf("hubtest: signing key: %w", err)
	}
	ca, err := newAuthority(h.hosts)
	if err != nil {
		return nil, fmt.Errorf("hubtest: test CA: %w", err)
	}
	h.caPEM = ca.pem
	if h.dir, err = os.MkdirTemp("", "modelwall-hub-"); err != nil {
		return nil, fmt.Errorf("hubtest: %w", err)
	}
	if err := os.WriteFile(h.CAFile(), h.caPEM, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("hubtest: %w", err), os.RemoveAll(h.dir))
	}
	tcp, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("hubtest: %w", err), os.RemoveAll(h.dir))
	}
	h.hopAddr = tcp.Addr()
	h.tunnels = &tunnelListener{conns: make(chan net.Conn), closed: make(chan struct{}), addr: tcp.Addr()}
	h.startServers(tcp, ca)
	return h, nil
}

func (h *Hub) startServers(tcp net.Listener, ca *authority) {
	quiet := log.New(io.Discard, "", 0) // clients that hang up are part of the tests
	h.hop = &http.Server{
		Handler: http.HandlerFunc(h.serveHop), ConnState: h.trackServing,
		ReadHeaderTimeout: 30 * time.Second, ErrorLog: quiet,
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!h.opts.HTTP1)
	h.origin = &http.Server{
		Handler: http.HandlerFunc(h.serve), ConnState: h.trackServing, ConnContext: withConn,
		ReadHeaderTimeout: 30 * time.Second, ErrorLog: quiet, Protocols: protocols,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: ca.certificate},
	}
	// Both loops end with an error that says that Close was called.
	h.servers.Go(func() { _ = h.hop.Serve(&hopListener{Listener: tcp, hub: h}) })
	h.servers.Go(func() { _ = h.origin.ServeTLS(h.tunnels, "", "") })
}

// trackServing counts the goroutine that net/http runs for each connection,
// so that Close can wait for it. StateNew is reported by the accept loop
// itself, before the goroutine starts.
func (h *Hub) trackServing(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		h.serving.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.serving.Done()
	case http.StateActive, http.StateIdle:
	}
}

// Close cuts all connections, releases what faults hold back, waits for every
// goroutine of the hub and removes its folder. Further calls return the same.
func (h *Hub) Close() error {
	h.closeOnce.Do(func() {
		close(h.closing)
		h.mu.Lock()
		transports := h.transports
		h.mu.Unlock()
		for _, t := range transports {
			t.CloseIdleConnections()
		}
		err := errors.Join(h.hop.Close(), h.origin.Close())
		h.servers.Wait()
		for _, c := range h.openConns() {
			_ = c.Close() // one may have been accepted while the servers closed
		}
		h.serving.Wait()
		_ = h.WaitIdle(context.Background()) // handlers of HTTP/2 streams have goroutines of their own
		h.closeErr = errors.Join(err, os.RemoveAll(h.dir))
	})
	return h.closeErr
}

// ProxyURL is the address of the hop, for `upstream.proxy` or HTTPS_PROXY. It
// contains Options.ProxyAuth if that is set.
func (h *Hub) ProxyURL() string { return h.proxyURL().String() }

func (h *Hub) proxyURL() *url.URL {
	u := &url.URL{Scheme: "http", Host: h.hopAddr.String()}
	if user, password, ok := strings.Cut(h.opts.ProxyAuth, ":"); ok {
		u.User = url.UserPassword(user, password)
	}
	return u
}

// CAFile is the path of the certificate that signs the hub's hosts, for
// `upstream.ca_file`. Close removes it.
func (h *Hub) CAFile() string { return filepath.Join(h.dir, "ca.pem") }

// CAPEM is the content of CAFile.
func (h *Hub) CAPEM() []byte { return append([]byte(nil), h.caPEM...) }

// Client speaks to the hub directly, through the hop, over HTTP/2 where the
// hub offers it. Each call makes a new one with a *http.Transport of its own
// that may be adjusted before the first use; they end with the hub.
//
// As every Go client it follows redirects and keeps Authorization on the way
// to a sub-domain: from huggingface.co to cdn-lfs.huggingface.co too. Leaks
// shows that.
func (h *Hub) Client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.caPEM)
	transport := &http.Transport{
		Proxy:             http.ProxyURL(h.proxyURL()),
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	h.mu.Lock()
	h.transports = append(h.transports, transport)
	h.mu.Unlock()
	return &http.Client{Transport: transport}
}

// AddToken makes token a valid one that belongs to user and is granted nothing
// yet. Tokens named in a Repo are valid without it.
func (h *Hub) AddToken(token, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens[token] = user
}

// enter counts a handler in; it refuses once the hub closes.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closing:
		return false
	default:
	}
	if h.inflight == 0 {
		h.idle = make(chan struct{})
	}
	h.inflight++
	return true
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inflight--; h.inflight == 0 {
		close(h.idle)
	}
}

// WaitIdle waits until no request is being answered, or for ctx. A client can
// see the end of a body before the hub has written its record: call WaitIdle
// before looking at Status, BytesSent and Complete.
func (h *Hub) WaitIdle(ctx context.Context) error {
	for {
		h.mu.Lock()
		running, idle := h.inflight, h.idle
		h.mu.Unlock()
		if running == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
